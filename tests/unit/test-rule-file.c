/* Rule files: what is read from one, and what is said of a mistake in it. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/clock.h"
#include "rules/rules.h"

static int setup(void **state) {
        Catalogue *c;

        if (catalogue_new(&c) < 0)
                return -1;
        *state = c;
        return 0;
}

static int teardown(void **state) {
        catalogue_free(*state);
        return 0;
}

static int read_text(RuleSet *s, const char *text, Error *e) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;

        int r = yaml_load("r.yaml", BYTES_STRING(text), &d, e);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(d);
        return rule_set_read(s, &root, e);
}

static RuleSet *load(const Catalogue *c, const char *text) {
        RuleSet *s = NULL;
        Error e;

        assert_int_equal(rule_set_new(c, &s), 0);
        if (read_text(s, text, &e) < 0)
                fail_msg("%s", e.message);
        return s;
}

static void everything_that_a_rule_can_say(void **state) {
        _cleanup_(rule_set_freep) RuleSet *s = load(*state,
                        "groups:\n"
                        "  - name: adult-vitals\n"
                        "    match: {kind: patient, subject: p1, label: Bed 7}\n"
                        "    freshness: {sbp: 30m}\n"
                        "    rules:\n"
                        "      - alert: SpO2Low\n"
                        "        expr: spo2 < 90\n"
                        "        for: 10s\n"
                        "        keep_firing_for: 30s\n"
                        "        labels: {priority: high}\n"
                        "        annotations: {summary: \"SpO2 {{ value }} % in {{subject.label}}\"}\n"
                        "      - alert: HrHigh\n"
                        "        expr: hr > 130\n");

        assert_int_equal(rule_set_count(s), 2);
        const AlertRule *r = rule_set_rule(s, 0);
        assert_string_equal(r->name, "SpO2Low");
        assert_int_equal(r->priority, PRIORITY_HIGH);
        assert_int_equal(r->for_us, 10 * USEC_PER_SEC);
        assert_int_equal(r->keep_firing_us, 30 * USEC_PER_SEC);
        assert_string_equal(r->summary, "SpO2 {{ value }} % in {{subject.label}}");
        r = rule_set_rule(s, 1);
        assert_string_equal(r->name, "HrHigh");
        assert_int_equal(r->priority, PRIORITY_MEDIUM);
        assert_int_equal(r->for_us, 0);
        assert_int_equal(r->keep_firing_us, 0);
        assert_string_equal(r->summary, "");
        assert_string_equal(r->labels, "");
}

/* What somebody has to have seen, and what comes back while it lasts. */
static void latches_and_reraises_follow_from_the_priority(void **state) {
        static const struct {
                const char *keys;
                bool latch;
                int64_t reraise_minutes;
        } cases[] = {
                { "labels: {priority: high}", true, 30 },
                { "labels: {priority: medium}", false, 30 },
                { "labels: {priority: low}", false, 0 },
                { "labels: {priority: technical}", false, 0 },
                { "labels: {priority: high}, latch: false, reraise_after: 10m", false, 10 },
                { "labels: {priority: low}, latch: true, reraise_after: 5m", true, 5 },
                { "labels: {priority: high}, reraise_after: never", true, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char text[256];

                (void) snprintf(text, sizeof text,
                                "groups: [{name: g, rules: [{alert: A, expr: hr > 1, %s}]}]\n",
                                cases[i].keys);
                _cleanup_(rule_set_freep) RuleSet *s = load(*state, text);
                assert_int_equal(rule_set_rule(s, 0)->latch, cases[i].latch);
                assert_int_equal(rule_set_rule(s, 0)->reraise_us,
                                cases[i].reraise_minutes * 60 * USEC_PER_SEC);
        }
}

static void labels_are_in_order_of_name(void **state) {
        _cleanup_(rule_set_freep) RuleSet *s =
                        load(*state, "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: hr > 1\n"
                                     "    labels: {team: icu, floor: 3, priority: low, a_b: x:y.z}\n");
        char value[NAME_MAX_LENGTH];

        assert_string_equal(rule_set_rule(s, 0)->labels, "a_b=x:y.z,floor=3,team=icu");
        assert_int_equal(rule_set_rule(s, 0)->priority, PRIORITY_LOW);
        alert_label(rule_set_rule(s, 0)->labels, "floor", value);
        assert_string_equal(value, "3");
}

static void an_empty_file_has_no_rules(void **state) {
        _cleanup_(rule_set_freep) RuleSet *s = load(*state, "");
        _cleanup_(rule_set_freep) RuleSet *t = load(*state, "groups: []\n");

        assert_int_equal(rule_set_count(s) + rule_set_count(t), 0);
}

#define RULES "groups:\n- name: g\n  rules:\n"

static const struct {
        const char *text, *message;
} mistakes[] = {
        { "group: []\n", "r.yaml:1:1: unknown key 'group': did you mean 'groups'?" },
        { "groups: {}\n", "r.yaml:1:9: expected a list of groups" },
        { "groups:\n- rules: []\n", "r.yaml:2:3: key 'name' is missing" },
        { "groups:\n- name: g\n", "r.yaml:2:3: key 'rules' is missing" },
        { "groups:\n- name: g\n  rules: 3\n", "r.yaml:3:10: expected a list of rules" },
        { "groups:\n- name: g\n  match: {kind: patients}\n  rules: []\n",
                        "r.yaml:3:17: kind: 'patients': expected one of: patient, asset, device, "
                        "group" },
        { "groups:\n- name: g\n  match: {ward: 3}\n  rules: []\n",
                        "r.yaml:3:11: unknown key 'ward': expected one of: kind, subject, label, "
                        "attributes" },
        { "groups:\n- name: g\n  freshness: 30m\n  rules: []\n",
                        "r.yaml:3:14: freshness: expected vitals and durations, such as {sbp: "
                        "30m}" },
        { "groups:\n- name: g\n  freshness: {sbpp: 30m}\n  rules: []\n",
                        "r.yaml:3:15: unknown vital 'sbpp': did you mean 'sbp'?" },
        { "groups:\n- name: g\n  freshness: {sbp: 30}\n  rules: []\n",
                        "r.yaml:3:20: freshness: '30': expected a duration from 1s to 7d" },
        { "groups:\n- name: g\n  freshness: {sbp: 1m, sbp: 2m}\n  rules: []\n",
                        "r.yaml:3:24: freshness of 'sbp' is given twice" },
        { "groups:\n- name: g\n  match: {attributes: 7}\n  rules: []\n",
                        "r.yaml:3:23: attributes: expected up to 16 names and values, such as "
                        "{ward: "
                        "7}" },
        { "groups:\n- name: g\n  match: {attributes: {Ward: 7}}\n  rules: []\n",
                        "r.yaml:3:24: attributes: 'Ward': expected a small letter, then up to 22 "
                        "small letters, digits or '_'" },
        { "groups:\n- name: g\n  match: {attributes: {ward: 7 b}}\n  rules: []\n",
                        "r.yaml:3:30: ward: '7 b': expected 1 to 31 of" },
        { "groups:\n- name: g\n  match: {attributes: {ward: 7, ward: 8}}\n  rules: []\n",
                        "r.yaml:3:33: attribute 'ward' is given twice" },
        { "groups:\n- name: g\n  except: {}\n  rules: []\n",
                        "r.yaml:3:11: except: expected at least one of: kind, subject, label, "
                        "attributes" },
        { "groups:\n- name: g\n  assume: 0\n  rules: []\n",
                        "r.yaml:3:11: assume: expected vitals and numbers, such as {acvpu: 0}" },
        { "groups:\n- name: g\n  assume: {acvpuu: 0}\n  rules: []\n",
                        "r.yaml:3:12: unknown vital 'acvpuu': did you mean 'acvpu'?" },
        { "groups:\n- name: g\n  assume: {acvpu: 5}\n  rules: []\n",
                        "r.yaml:3:19: acvpu: '5': expected a number from 0 to 4" },
        { "groups:\n- name: g\n  assume: {o2: 0, o2: 1}\n  rules: []\n",
                        "r.yaml:3:19: what is assumed of 'o2' is given twice" },
        { "groups:\n- name: g\n  limits: 3\n  rules: []\n",
                        "r.yaml:3:11: limits: expected names and numbers, such as {spo2_low: 91}" },
        { "groups:\n- name: g\n  limits: {hr: 91}\n  rules: []\n",
                        "r.yaml:3:12: limits: 'hr' is the name of a vital: choose another, such as "
                        "hr_low" },
        { "groups:\n- name: g\n  limits: {mean: 91}\n  rules: []\n",
                        "r.yaml:3:12: limits: 'mean' is the name of a function" },
        { "groups:\n- name: g\n  limits: {by: 91}\n  rules: []\n",
                        "r.yaml:3:12: limits: 'by' is the name of a keyword" },
        { "groups:\n- name: g\n  limits: {value: 91}\n  rules: []\n",
                        "r.yaml:3:12: limits: 'value' is the name of a placeholder" },
        { "groups:\n- name: g\n  limits: {hr_low: x}\n  rules: []\n",
                        "r.yaml:3:20: hr_low: 'x': expected a number" },
        { "groups:\n- name: g\n  limits: {hr_low: 1, hr_low: 2}\n  rules: []\n",
                        "r.yaml:3:23: limit 'hr_low' is given twice" },
        { "groups:\n- name: g\n  limits: {hr_low: 1}\n  rules: [{alert: A, expr: hr > 1}]\n",
                        "r.yaml:3:12: limit 'hr_low' is used by no rule of the group" },
        { "groups:\n- name: g\n  limits: {hr_low: 1}\n  rules: [{alert: A, expr: hr < hr_lo}]\n",
                        "r.yaml:4:33: unknown vital 'hr_lo': did you mean 'hr_low'?" },
        { RULES "  - alert: A\n", "r.yaml:4:5: key 'expr' is missing" },
        { RULES "  - expr: hr > 1\n", "r.yaml:4:5: key 'alert' is missing" },
        { RULES "  - alert: A B\n    expr: hr > 1\n", "r.yaml:4:5: alert: 'A B': expected 1 to 63 "
                                                      "of A-Z, a-z, 0-9, '.', '_', ':', '-'" },
        { RULES "  - alert: A\n    expr: hr > 1\n  - alert: A\n    expr: hr > 2\n",
                        "r.yaml:6:5: alert 'A' is defined twice: names are unique over all rule "
                        "files" },
        { RULES "  - alert: A\n    expr: hr > 1 and spo < 90\n",
                        "r.yaml:5:22: unknown vital 'spo': did you mean 'spo2'?" },
        { RULES "  - alert: A\n    expr: \"hr > 1 and spo < 90\"\n",
                        "r.yaml:5:23: unknown vital 'spo': did you mean 'spo2'?" },
        { RULES "  - alert: A\n    expr: 'spo < 90'\n",
                        "r.yaml:5:12: unknown vital 'spo': did you mean 'spo2'?" },
        { RULES "  - alert: A\n    expr: hr > 1 and\n      spo < 90\n",
                        "r.yaml:5:11: expr: at its character 12: unknown vital 'spo'" },
        { RULES "  - alert: A\n    expr: >\n      spo < 90\n",
                        "r.yaml:5:11: expr: at its character 1: unknown vital 'spo'" },
        { RULES "  - alert: A\n    expr: [hr]\n",
                        "r.yaml:5:11: expr: expected an expression such as spo2 < 90" },
        { RULES "  - alert: A\n    expr: hr > 1\n    for: 8d\n",
                        "r.yaml:6:10: for: '8d': expected a duration from 0s to 7d" },
        { RULES "  - alert: A\n    expr: hr > 1\n    labels: {priority: urgent}\n",
                        "r.yaml:6:24: priority: 'urgent': expected one of: technical, low, medium, "
                        "high" },
        { RULES "  - alert: A\n    expr: hr > 1\n    labels: {priorty: low}\n",
                        "r.yaml:6:14: label 'priorty': did you mean 'priority'?" },
        { RULES "  - alert: A\n    expr: hr > 1\n    labels: {priority: low, priority: low}\n",
                        "r.yaml:6:29: label 'priority' is given twice" },
        { RULES "  - alert: A\n    expr: hr > 1\n    labels: {team: a, team: b}\n",
                        "r.yaml:6:23: label 'team' is given twice" },
        { RULES "  - alert: A\n    expr: hr > 1\n    labels: {Team: icu}\n",
                        "r.yaml:6:14: label 'Team': expected a small letter, then up to 22 small "
                        "letters, digits or '_'" },
        { RULES "  - alert: A\n    expr: hr > 1\n    labels: {team: the icu}\n",
                        "r.yaml:6:20: label team: 'the icu': expected 1 to 63 of A-Z, a-z, 0-9, "
                        "'.', '_', ':', '-'" },
        { RULES "  - alert: A\n    expr: hr > 1\n    labels: {a: 1, b: 1, c: 1, d: 1, e: 1, f: "
                "1, g: 1}\n",
                        "r.yaml:6:50: more than 6 labels beside the priority" },
        { RULES "  - alert: A\n    expr: hr > 1\n    labels: high\n",
                        "r.yaml:6:13: labels: expected names and values, such as {priority: high}" },
        { RULES "  - alert: A\n    expr: hr > 1\n    latch: maybe\n",
                        "r.yaml:6:12: latch: 'maybe': expected true or false" },
        { RULES "  - alert: A\n    expr: hr > 1\n    reraise_after: 0s\n",
                        "r.yaml:6:20: reraise_after: '0s': expected a duration from 1s to 7d, or "
                        "never" },
        { RULES "  - alert: A\n    expr: hr > 1\n    annotations: {summary: 'HR {{ vaule }}'}\n",
                        "r.yaml:6:35: unknown placeholder 'vaule': did you mean 'value'?" },
        { RULES "  - alert: A\n    expr: hr > 1\n    annotations: {summary: 'HR {{ value'}\n",
                        "r.yaml:6:32: '{{' without '}}'" },
        { RULES "  - alert: A\n    expr: hr > 1\n    annotations: {summary: 'HR {{ mean(hr) "
                "}}'}\n",
                        "r.yaml:6:42: expected ',' and a duration, such as mean(hr, 10m), found "
                        "')'" },
        { RULES "  - alert: A\n    expr: hr > 1\n    annotations:\n      summary: |\n        HR {{ "
                "hrr }}\n",
                        "r.yaml:7:16: summary: at its character 7: unknown vital 'hrr'" },
        { RULES "  - alert: A\n    expr: hr > 1\n    annotations: {summary: []}\n",
                        "r.yaml:6:28: summary: expected a text such as" },
        { RULES "  - alert: A\n    expr: hr > 1\n    annotations: {runbook: x}\n",
                        "r.yaml:6:19: unknown key 'runbook': expected one of: summary" },
};

static void mistakes_have_a_place(void **state) {
        Error e;

        for (size_t i = 0; i < ELEMENTS(mistakes); i++) {
                _cleanup_(rule_set_freep) RuleSet *s = NULL;

                assert_int_equal(rule_set_new(*state, &s), 0);
                if (read_text(s, mistakes[i].text, &e) == 0)
                        fail_msg("%s: accepted", mistakes[i].text);
                if (strncmp(e.message, mistakes[i].message, strlen(mistakes[i].message)) != 0)
                        fail_msg("%s\nexpected %s", e.message, mistakes[i].message);
        }
}

static void names_are_unique_over_files(void **state) {
        _cleanup_(rule_set_freep) RuleSet *s = load(*state, RULES "  - alert: A\n    expr: hr > 1\n");
        Error e;

        assert_int_equal(read_text(s, RULES "  - alert: B\n    expr: hr > 1\n", &e), 0);
        assert_true(read_text(s, RULES "  - alert: A\n    expr: hr > 1\n", &e) < 0);
}

/* The hash of a set with one rule, whose parts are given. */
static void hash_of(const Catalogue *c, const char *group, const char *rule, uint8_t ret[static 32]) {
        char text[512];

        (void) snprintf(text, sizeof text, "groups:\n- name: g\n%s  rules:\n%s", group, rule);
        _cleanup_(rule_set_freep) RuleSet *s = load(c, text);
        rule_set_hash(s, ret);
}

#define RULE "  - alert: A\n    expr: hr > 1\n"

/* Parts of a group and its rule: each has another hash. */
static const struct {
        const char *group, *rule;
} others[] = {
        { "", "  - alert: B\n    expr: hr > 1\n" },
        { "", "  - alert: A\n    expr: hr > 2\n" },
        { "", RULE "    for: 1s\n" },
        { "", RULE "    keep_firing_for: 1s\n" },
        { "", RULE "    labels: {priority: low}\n" },
        { "", RULE "    annotations: {summary: s}\n" },
        { "  match: {kind: patient}\n", RULE },
        { "  match: {subject: patient}\n", RULE },
        { "  match: {label: patient}\n", RULE },
        { "  match: {attributes: {ward: 7}}\n", RULE },
        { "  match: {attributes: {ward: 8}}\n", RULE },
        { "  except: {attributes: {ward: 7}}\n", RULE },
        { "  freshness: {hr: 1m1s}\n", RULE },
        { "  assume: {hr: 60}\n", RULE },
        { "  assume: {hr: 61}\n", RULE },
        { "  limits: {low: 1}\n", "  - alert: A\n    expr: hr > low\n" },
        { "  limits: {low: 2}\n", "  - alert: A\n    expr: hr > low\n" },
        { "  limits: {low: 1}\n", RULE "    annotations: {summary: '{{ low }}'}\n" },
        { "  limits: {low: 2}\n", RULE "    annotations: {summary: '{{ low }}'}\n" },
        { "", RULE "    annotations: {summary: '{{ spo2 }}'}\n" },
        { "  freshness: {spo2: 2m}\n", RULE "    annotations: {summary: '{{ spo2 }}'}\n" },
        { "", RULE "    latch: true\n" },
        { "", RULE "    reraise_after: never\n" },
        { "", RULE "    reraise_after: 1m\n" },
        { "", RULE "    labels: {team: icu}\n" },
        { "", RULE "    labels: {team: ward}\n" },
        { "", "  - alert: A\n    expr: count(hr > 1 by ward) > 1\n" },
        { "  freshness: {hr: 2m}\n", "  - alert: A\n    expr: count(hr > 1 by ward) > 1\n" },
        { "  freshness: {hr: 2m}\n", "  - alert: A\n    expr: news2() > 1\n" },
        { "  assume: {acvpu: 0}\n", "  - alert: A\n    expr: news2() > 1\n" },
        { "", RULE "  - alert: C\n    expr: hr > 1\n" },
};

static void whatever_decides_what_a_rule_does_is_in_its_hash(void **state) {
        static const struct {
                const char *group, *rule;
        } same[] = {
                { "  freshness: {hr: 60s, spo2: 1h}\n", RULE },
                { "  assume: {acvpu: 0}\n", RULE },
                { "", RULE "    latch: false\n    reraise_after: 30m\n" },
                { "  match: {}\n", "  - expr: hr\n       >   1\n    labels: {priority: medium}\n    alert: "
                                   "A\n" },
        };
        uint8_t first[32], h[32], seen[ELEMENTS(others)][32];

        hash_of(*state, "", RULE, first);
        for (size_t i = 0; i < ELEMENTS(others); i++) {
                hash_of(*state, others[i].group, others[i].rule, seen[i]);
                for (size_t j = 0; j < i; j++)
                        if (memcmp(seen[i], seen[j], sizeof seen[i]) == 0)
                                fail_msg("%s%s: the same hash as %s%s", others[i].group, others[i].rule,
                                                others[j].group, others[j].rule);
                if (memcmp(first, seen[i], sizeof first) == 0)
                        fail_msg("%s%s: the same hash", others[i].group, others[i].rule);
        }
        for (size_t i = 0; i < ELEMENTS(same); i++) {
                hash_of(*state, same[i].group, same[i].rule, h);
                assert_memory_equal(first, h, sizeof h);
        }
}

/* head, then n times what repeat makes of a number, then tail */
typedef struct Huge {
        const char *head, *repeat, *tail;
        int n;
        const char *message; /* NULL: it is accepted */
} Huge;

static void check_huge(const Catalogue *c, const Huge *g) {
        const size_t size = 64 + (size_t) g->n * 128;
        _cleanup_free_ char *text = malloc(size);
        _cleanup_(rule_set_freep) RuleSet *s = NULL;
        size_t used;
        Error e = { "" };

        assert_non_null(text);
        used = (size_t) snprintf(text, size, "%s", g->head);
        for (int i = 0; i < g->n; i++)
                used += (size_t) snprintf(text + used, size - used, g->repeat, i, i + 1);
        (void) snprintf(text + used, size - used, "%s", g->tail);
        assert_int_equal(rule_set_new(c, &s), 0);
        int r = read_text(s, text, &e);
        if ((r < 0) != (g->message != NULL) || (g->message && !strstr(e.message, g->message)))
                fail_msg("%d times %s: %s", g->n, g->repeat, r < 0 ? e.message : "accepted");
}

static void what_is_too_much_is_refused(void **state) {
        static const char rule[] = "  - {alert: A%d, expr: hr > %d}\n";
        static const char window[] = "  - {alert: A%d, expr: 'mean(hr, %ds) > 1'}\n";
        static const char shared[] = "  - {alert: A%d, expr: 'mean(hr, 1m) > %d'}\n";
        static const char across[] = "  - {alert: A%d, expr: count(hr > %d by ward) > 1}\n";
        static const char group[] = "- {name: g%d, rules: [{alert: A%1$d, expr: hr > %d}]}\n";
        static const char limit[] = "low%d: %d, ";
        static const char limits[] =
                        "- {name: g, limits: {l%d: %1$d}, rules: [{alert: A%1$d, expr: hr > l%1$d}]}\n";
        static const Huge cases[] = {
                { RULES, rule, "", 4096, NULL },
                { RULES, rule, "", 4097, "r.yaml:4100:5: more than 4096 rules" },
                { RULES, window, "", 256, NULL },
                { RULES, window, "", 257,
                                "more than 256 different windows (vital and duration) in all rules" },
                { RULES, shared, "", 1000, NULL },
                { RULES, across, "", 256, NULL },
                { RULES, across, "", 257, "more than 256 counts across subjects in all rules" },
                { "groups:\n", group, "", 1024, NULL },
                { "groups:\n", group, "", 1025, "r.yaml:1026:3: more than 1024 groups" },
                { "groups:\n- name: g\n  limits: {", limit, "}\n  rules: []\n", 33,
                                "more than 32 limits in a group" },
                { "groups:\n", limits, "", 256, NULL },
                { "groups:\n", limits, "", 257, "more than 256 different limits in all rules" },
                { RULES "  - {alert: A, expr: '", "hr > %d or ", "hr > 1'}\n", 100, NULL },
                { RULES "  - {alert: A, expr: '", "hr > %d or ", "hr > 1'}\n", 1000,
                                "r.yaml:4:23: longer than 2048 characters" },
                { RULES "  - {alert: A, expr: '", "(", "hr > 1'}\n", 100,
                                "r.yaml:4:55: nested deeper than 32 levels" },
                { RULES "  - {alert: A, expr: hr > 1, annotations: {summary: '", "x%d", "'}}\n", 1000,
                                "longer than 1023 bytes" },
                { "groups: ", "[", "", 100, "nested deeper than 32" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                check_huge(*state, &cases[i]);
}

static void the_default_rules_load(void **state) {
        _cleanup_(rule_set_freep) RuleSet *s = NULL;
        const char *source = getenv("WARDSTONE_SOURCE");
        char folder[512], path[1024];
        struct dirent *item;
        Error e;

        assert_non_null(source);
        (void) snprintf(folder, sizeof folder, "%s/configs/rules.d", source);
        DIR *d = opendir(folder);
        assert_non_null(d);
        assert_int_equal(rule_set_new(*state, &s), 0);
        while ((item = readdir(d))) {
                _cleanup_(yaml_unloadp) YamlDocument *y = NULL;

                if (item->d_name[0] == '.')
                        continue;
                (void) snprintf(path, sizeof path, "%s/%s", folder, item->d_name);
                if (yaml_load_file(path, &y, &e) < 0)
                        fail_msg("%s", e.message);
                YamlNode root = yaml_root(y);
                if (rule_set_read(s, &root, &e) < 0)
                        fail_msg("%s", e.message);
        }
        (void) closedir(d);
        assert_true(rule_set_count(s) >= 10);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(everything_that_a_rule_can_say),
                cmocka_unit_test(latches_and_reraises_follow_from_the_priority),
                cmocka_unit_test(labels_are_in_order_of_name),
                cmocka_unit_test(an_empty_file_has_no_rules),
                cmocka_unit_test(mistakes_have_a_place),
                cmocka_unit_test(names_are_unique_over_files),
                cmocka_unit_test(whatever_decides_what_a_rule_does_is_in_its_hash),
                cmocka_unit_test(what_is_too_much_is_refused),
                cmocka_unit_test(the_default_rules_load),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
