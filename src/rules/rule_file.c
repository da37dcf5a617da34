/* Rule files: YAML -> rules, each mistake with its place. The shape is that of Prometheus' alerting rules. */
#include <errno.h>
#include <stdio.h>

#include "base/cbor.h"
#include "model/summary.h"
#include "rules/rule_set.h"

typedef struct GroupText {
        char *name;
        YamlNode match, freshness, rules;
        int64_t fresh_us[VITALS_MAX]; /* 0: the default */
} GroupText;

typedef struct RuleText {
        char *name;
        YamlNode expr, labels, annotations;
        int64_t for_us, keep_firing_us;
        int priority; /* Priority */
        char *summary;
} RuleText;

static void group_text_done(GroupText *g) {
        free(g->name);
}

static void rule_text_done(RuleText *t) {
        free(t->name);
        free(t->summary);
}

static int no_memory(const YamlNode *n, Error *e) {
        return yaml_error(n, e, -ENOMEM, "out of memory");
}

static int read_match(RuleSet *s, const YamlNode *n, Error *e) {
        static const char *const kinds[] = {
                [SUBJECT_PATIENT] = "patient",
                [SUBJECT_ASSET] = "asset",
                [SUBJECT_DEVICE] = "device",
                NULL,
        };
        static const YamlField fields[] = {
                { "kind", YAML_CHOICE, offsetof(Match, kind), .choices = kinds },
                { "subject", YAML_STRING, offsetof(Match, subject) },
                { "label", YAML_STRING, offsetof(Match, label) },
                { NULL },
        };
        _cleanup_(match_done) Match m = { .kind = -1 };

        int r = yaml_present(n) ? yaml_read(n, fields, &m, e) : 0;
        if (r < 0)
                return r;
        r = rule_set_add_match(s, &m);
        if (r < 0)
                return no_memory(n, e);
        m = (Match){ 0 };
        return 0;
}

static int read_freshness(const Catalogue *c, const YamlNode *n, int64_t *fresh_us, Error *e) {
        static const YamlField field = { "freshness", YAML_DURATION, 0, .min = (double) AGE_MIN,
                .max = (double) AGE_MAX };
        YamlNode key, value;

        if (yaml_present(n) && !yaml_is_mapping(n))
                return yaml_error(n, e, -EINVAL,
                                "freshness: expected vitals and durations, such as {sbp: 30m}");
        for (size_t i = 0; i < yaml_length(n); i++) {
                yaml_pair(n, i, &key, &value);
                const char *name = yaml_text(&key) ? yaml_text(&key) : "";
                const Vital *v = catalogue_find(c, name);
                const char *near = catalogue_nearest(c, name);
                if (!v && near)
                        return yaml_error(&key, e, -EINVAL, "unknown vital '%.40s': did you mean '%s'?",
                                        name, near);
                if (!v)
                        return yaml_error(&key, e, -EINVAL, "unknown vital '%.40s'", name);
                if (fresh_us[v->id] != 0)
                        return yaml_error(&key, e, -EINVAL, "freshness of '%s' is given twice", name);
                int r = yaml_read_value(&value, &field, &fresh_us[v->id], e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_labels(const YamlNode *n, RuleText *t, Error *e) {
        static const char *const priorities[] = {
                [PRIORITY_TECHNICAL] = "technical",
                [PRIORITY_LOW] = "low",
                [PRIORITY_MEDIUM] = "medium",
                [PRIORITY_HIGH] = "high",
                NULL,
        };
        static const YamlField fields[] = {
                { "priority", YAML_CHOICE, offsetof(RuleText, priority), .choices = priorities },
                { NULL },
        };

        return yaml_present(n) ? yaml_read(n, fields, t, e) : 0;
}

static int read_annotations(const YamlNode *n, RuleText *t, Error *e) {
        static const YamlField fields[] = {
                { "summary", YAML_NODE, 0 },
                { NULL },
        };
        static const YamlField text = { "summary", YAML_STRING, 0 };
        YamlNode summary = { 0 };
        Error why;

        if (!yaml_present(n))
                return 0;
        int r = yaml_read(n, fields, &summary, e);
        if (r < 0 || !yaml_present(&summary))
                return r;
        r = yaml_read_value(&summary, &text, &t->summary, e);
        if (r < 0)
                return r;
        r = summary_check(t->summary, &why);
        return r < 0 ? yaml_error(&summary, e, r, "%s", why.message) : 0;
}

/* Points into the expression where the file shows it as it stands, else says how far in the mistake is. */
static int expression_error(const YamlNode *n, size_t offset, int code, const Error *why, Error *e) {
        unsigned column = yaml_column_at(n, offset);

        if (column > 0)
                return error_at(e, code, yaml_path(n), yaml_line(n), column, "%s", why->message);
        return yaml_error(n, e, code, "expr: at its character %zu: %s", offset + 1, why->message);
}

static int read_expression(
                const Catalogue *c, const YamlNode *n, const int64_t *fresh_us, Expression *ret, Error *e) {
        const char *text = yaml_text(n);
        size_t offset;
        Error why;

        if (!text)
                return yaml_error(n, e, -EINVAL, "expr: expected an expression such as spo2 < 90");
        int r = expression_parse(text, c, ret, &offset, &why);
        if (r < 0)
                return expression_error(n, offset, r, &why, e);
        for (Op *op = ret->ops; op < ret->ops + ret->count; op++)
                if (op->code == OP_VITAL)
                        op->age_us = fresh_us[op->vital] ? fresh_us[op->vital] : FRESHNESS_DEFAULT;
        return 0;
}

static void put_text(CborWriter *w, const char *text) {
        if (text)
                cbor_put_text(w, text);
        else
                cbor_put_null(w);
}

/* One blank for each run of blanks, so that folding an expression over lines does not make it another rule. */
static void collapse_blanks(const char *text, char ret[static EXPRESSION_LENGTH_MAX + 1]) {
        static const char blanks[] = " \t\r\n";
        size_t n = 0;

        for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
                size_t word = strcspn(text, blanks);
                if (n > 0)
                        ret[n++] = ' ';
                memcpy(ret + n, text, word);
                n += word;
                text += word;
        }
        ret[n] = '\0';
}

/* The SHA-256 of everything that decides what the rule does, as docs/rules.md lays it out. */
static int hash_rule(const RuleSet *s, const RuleText *t, Rule *rule, Error *e) {
        uint8_t buffer[16384];
        char expr[EXPRESSION_LENGTH_MAX + 1];
        const Match *m = &s->matches[s->match_count - 1];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        size_t vitals = 0;
        Hash h;

        for (size_t i = 0; i < rule->condition.count; i++)
                vitals += rule->condition.ops[i].code == OP_VITAL;
        collapse_blanks(yaml_text(&t->expr), expr);
        cbor_put_array(&w, 10);
        cbor_put_text(&w, rule->alert.name);
        cbor_put_text(&w, expr);
        cbor_put_int(&w, rule->alert.for_us);
        cbor_put_int(&w, rule->alert.keep_firing_us);
        cbor_put_text(&w, priority_name(rule->alert.priority));
        cbor_put_text(&w, rule->alert.summary);
        put_text(&w, m->kind < 0 ? NULL : subject_kind_name((SubjectKind) m->kind));
        put_text(&w, m->subject);
        put_text(&w, m->label);
        cbor_put_array(&w, vitals);
        for (const Op *op = rule->condition.ops; op < rule->condition.ops + rule->condition.count; op++) {
                if (op->code != OP_VITAL)
                        continue;
                cbor_put_array(&w, 2);
                cbor_put_text(&w, catalogue_at(s->catalogue, op->vital)->name);
                cbor_put_int(&w, op->age_us);
        }
        if (w.overflow)
                return yaml_error(&t->expr, e, -EINVAL, "rule is too long: split it into two rules");
        sha256(BYTES(buffer, w.len), &h);
        memcpy(rule->alert.hash, h.bytes, sizeof rule->alert.hash);
        return 0;
}

static int check_name(const RuleSet *s, const YamlNode *n, const char *name, Error *e) {
        if (!name_is_valid(name))
                return yaml_error(n, e, -EINVAL,
                                "alert: '%.64s': expected 1 to %d of A-Z, a-z, 0-9, '.', '_', ':', '-'",
                                name, ALERT_NAME_MAX - 1);
        if (rule_set_find(s, name))
                return yaml_error(n, e, -EINVAL,
                                "alert '%s' is defined twice: names are unique over all rule files", name);
        if (rule_set_count(s) == RULES_MAX)
                return yaml_error(n, e, -EINVAL, "more than %d rules", RULES_MAX);
        return 0;
}

static int read_rule_text(const YamlNode *n, RuleText *t, Error *e) {
        static const YamlField fields[] = {
                { "alert", YAML_STRING, offsetof(RuleText, name), .required = true },
                { "expr", YAML_NODE, offsetof(RuleText, expr), .required = true },
                { "for", YAML_DURATION, offsetof(RuleText, for_us), .max = (double) AGE_MAX },
                { "keep_firing_for", YAML_DURATION, offsetof(RuleText, keep_firing_us),
                                .max = (double) AGE_MAX },
                { "labels", YAML_NODE, offsetof(RuleText, labels) },
                { "annotations", YAML_NODE, offsetof(RuleText, annotations) },
                { NULL },
        };

        int r = yaml_read(n, fields, t, e);
        if (r < 0)
                return r;
        r = read_labels(&t->labels, t, e);
        if (r < 0)
                return r;
        return read_annotations(&t->annotations, t, e);
}

static int read_rule(RuleSet *s, const YamlNode *n, const int64_t *fresh_us, Error *e) {
        _cleanup_(rule_text_done) RuleText t = { .priority = PRIORITY_MEDIUM };
        Rule rule = { 0 };

        int r = read_rule_text(n, &t, e);
        if (r < 0)
                return r;
        r = check_name(s, n, t.name, e);
        if (r < 0)
                return r;
        if (!t.summary && !(t.summary = strdup("")))
                return no_memory(n, e);
        rule.alert = (AlertRule){
                .name = t.name,
                .priority = (Priority) t.priority,
                .for_us = t.for_us,
                .keep_firing_us = t.keep_firing_us,
                .summary = t.summary,
        };
        r = read_expression(s->catalogue, &t.expr, fresh_us, &rule.condition, e);
        if (r < 0)
                return r;
        r = hash_rule(s, &t, &rule, e);
        if (r == 0 && rule_set_add_rule(s, &rule) < 0)
                r = no_memory(n, e);
        if (r < 0) {
                expression_done(&rule.condition);
                return r;
        }
        t.name = t.summary = NULL;
        return 0;
}

static int read_group(RuleSet *s, const YamlNode *n, Error *e) {
        static const YamlField fields[] = {
                { "name", YAML_STRING, offsetof(GroupText, name), .required = true },
                { "match", YAML_NODE, offsetof(GroupText, match) },
                { "freshness", YAML_NODE, offsetof(GroupText, freshness) },
                { "rules", YAML_NODE, offsetof(GroupText, rules), .required = true },
                { NULL },
        };
        _cleanup_(group_text_done) GroupText g = { 0 };

        int r = yaml_read(n, fields, &g, e);
        if (r < 0)
                return r;
        r = yaml_expect_sequence(&g.rules, "rules", e);
        if (r < 0)
                return r;
        r = read_freshness(s->catalogue, &g.freshness, g.fresh_us, e);
        if (r < 0)
                return r;
        r = read_match(s, &g.match, e);
        for (size_t i = 0; r == 0 && i < yaml_length(&g.rules); i++) {
                YamlNode item = yaml_item(&g.rules, i);
                r = read_rule(s, &item, g.fresh_us, e);
        }
        return r;
}

int rule_set_read(RuleSet *s, const YamlNode *root, Error *e) {
        static const YamlField fields[] = {
                { "groups", YAML_NODE, 0 },
                { NULL },
        };
        YamlNode groups = { 0 };

        int r = yaml_read(root, fields, &groups, e);
        if (r < 0)
                return r;
        r = yaml_expect_sequence(&groups, "groups", e);
        for (size_t i = 0; r == 0 && i < yaml_length(&groups); i++) {
                YamlNode item = yaml_item(&groups, i);
                r = read_group(s, &item, e);
        }
        return r;
}
