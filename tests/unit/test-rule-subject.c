/* What rules take from the subject: whom they are for, limits of its own, NEWS2, summaries; and what of it is kept over
 * a restart. */
#include <errno.h>

#include "rule-fixture.h"

#define UNKNOWN ((double) NAN)

#define TWO_SUBJECTS                                                                                        \
        "groups:\n- name: g\n  rules: [{alert: Fast, expr: hr > 120}, {alert: Low, expr: spo2 < 90}]\n"

static void groups_match_attributes_and_leave_others_out(void **state) {
        Bench *b = *state;

        load(b, "groups:\n"
                "- name: a\n  match: {attributes: {ward: '7', floor: '3'}}\n  rules: [{alert: Both, expr: "
                "hr > "
                "1}]\n"
                "- name: b\n  match: {kind: patient}\n  except: {attributes: {ward: '7'}}\n"
                "  rules: [{alert: Others, expr: hr > 1}]\n"
                "- name: c\n  match: {attributes: {ward: ''}}\n  rules: [{alert: Nowhere, expr: hr > 1}]\n"
                "- name: d\n  except: {kind: patient, label: Bed 1}\n  rules: [{alert: NotBed1, expr: hr > "
                "1}]\n"
                "- name: e\n  match: {kind: group}\n  rules: [{alert: Groups, expr: hr > 1}]\n");
        assert_int_equal(registry_set_attribute(b->registry, b->p1, "ward", "7"), 0);
        assert_int_equal(registry_set_attribute(b->registry, b->p1, "floor", "3"), 0);
        reading(b, b->p1, "hr", 60, 1);
        reading(b, b->p1, "hr", 60, 1);
        assert_int_equal(b->count, 1);
        said(b, 0, "Both", b->p1, TRUTH_TRUE, 60, 1);
        reading(b, b->p2, "hr", 60, 1);
        reading(b, b->p2, "hr", 60, 1);
        assert_int_equal(b->count, 3);
        said(b, 0, "Others", b->p2, TRUTH_TRUE, 60, 1);
        said(b, 1, "Nowhere", b->p2, TRUTH_TRUE, 60, 1);
        said(b, 2, "NotBed1", b->p2, TRUTH_TRUE, 60, 1);
        SubjectId group;
        assert_int_equal(registry_group(b->registry, "ward", "7", &group), 0);
        reading(b, group, "hr", 60, 1);
        reading(b, group, "hr", 60, 1);
        assert_int_equal(b->count, 1);
        said(b, 0, "Groups", group, TRUTH_TRUE, 60, 1);
}

#define LIMITED                                                                                             \
        "groups:\n- name: g\n  limits: {spo2_low: 91}\n  rules: [{alert: Low, expr: spo2 <= spo2_low}]\n"   \
        "- name: h\n  limits: {spo2_low: 80}\n  rules: [{alert: VeryLow, expr: spo2 <= spo2_low}]\n"

static void a_subject_may_have_limits_of_its_own(void **state) {
        Bench *b = *state;

        assert_int_equal(registry_set_attribute(b->registry, b->p1, "spo2_low", "86.5"), 0);
        load(b, LIMITED);
        reading(b, b->p1, "spo2", 86.5, 1);
        said(b, 0, "Low", b->p1, TRUTH_TRUE, 86.5, 1);
        said(b, 1, "VeryLow", b->p1, TRUTH_TRUE, 86.5, 1);
        reading(b, b->p1, "spo2", 90, 2);
        said(b, 0, "Low", b->p1, TRUTH_FALSE, 90, 2);
        reading(b, b->p2, "spo2", 90, 3);
        said(b, 0, "Low", b->p2, TRUTH_TRUE, 90, 3);
        said(b, 1, "VeryLow", b->p2, TRUTH_FALSE, 90, 3);
}

static void a_limit_that_is_no_number_is_the_group_s(void **state) {
        static const char *const values[] = { "none", "86x", "0x56", "inf", "nan", "1e999", "-", "e1" };
        Bench *b = *state;

        load(b, LIMITED);
        for (size_t i = 0; i < ELEMENTS(values); i++) {
                reading(b, b->p1, "spo2", 90, 1);
                attribute(b, b->p1, "spo2_low", values[i], 1);
                said(b, 0, "Low", b->p1, TRUTH_TRUE, 90, 1);
        }
}

static void a_change_of_the_subject_is_looked_at_at_once(void **state) {
        Bench *b = *state;

        load(b, LIMITED "- name: i\n  match: {attributes: {ward: '7'}}\n  rules: [{alert: Seven, expr: spo2 "
                        "> 1}]\n"
                        "- name: j\n  rules: [{alert: Pulse, expr: pulse > 1}]\n");
        attribute(b, b->p1, "spo2_low", "86", 0); /* nothing has been had */
        assert_int_equal(b->count, 0);
        reading(b, b->p1, "spo2", 88, 1);
        attribute(b, b->p1, "spo2_low", "", 2);
        assert_int_equal(b->count, 3);
        unevaluated(b, 0, "Seven", b->p1, TRUTH_FALSE, 2);
        said(b, 1, "Low", b->p1, TRUTH_TRUE, 88, 2);
        said(b, 2, "VeryLow", b->p1, TRUTH_FALSE, 88, 2);
        attribute(b, b->p1, "ward", "7", 3);
        assert_int_equal(b->count, 3);
        said(b, 2, "Seven", b->p1, TRUTH_TRUE, 88, 3);
        attribute(b, b->p1, "ward", "", 100); /* the value has become stale before */
        assert_int_equal(b->count, 6);
        said(b, 0, "Low", b->p1, TRUTH_UNKNOWN, UNKNOWN, 61);
        said(b, 2, "Seven", b->p1, TRUTH_UNKNOWN, UNKNOWN, 61);
        unevaluated(b, 3, "Seven", b->p1, TRUTH_FALSE, 100);
}

#define SCORE                                                                                               \
        "groups:\n- name: g\n  freshness: {temp: 1h}\n  assume: {acvpu: 0}\n"                               \
        "  rules: [{alert: Score, expr: news2() >= 5}]\n"

static void chart(Bench *b, const char *pulse, double at) {
        reading(b, b->p1, "rr", 16, at);
        reading(b, b->p1, "spo2", 97, at);
        reading(b, b->p1, "sbp", 120, at);
        reading(b, b->p1, pulse, 70, at);
        reading(b, b->p1, "temp", 37, at);
}

static void news2_is_looked_at_with_each_of_its_vitals(void **state) {
        static const char *const vitals[] = { "rr", "spo2", "o2", "sbp", "pulse", "hr", "acvpu", "temp" };
        Bench *b = *state;

        load(b, SCORE);
        chart(b, "pulse", 0);
        said(b, 0, "Score", b->p1, TRUTH_UNKNOWN, UNKNOWN, 0); /* oxygen is not said */
        for (size_t i = 0; i < ELEMENTS(vitals); i++) {
                reading(b, b->p1, vitals[i], 1, 1);
                assert_int_equal(b->count, 1);
        }
        reading(b, b->p1, "map", 90, 1);
        assert_int_equal(b->count, 0);
}

static void news2_takes_the_pulse_from_the_heart_rate(void **state) {
        Bench *b = *state;

        load(b, SCORE);
        attribute(b, b->p1, "o2", "0", 0);
        chart(b, "hr", 0);
        said(b, 0, "Score", b->p1, TRUTH_FALSE, 0, 0);
        reading(b, b->p1, "pulse", 140, 10);
        said(b, 0, "Score", b->p1, TRUTH_FALSE, 3, 10);
        reading(b, b->p1, "pulse", 140, 10);
        tick(b, 60); /* the others are stale */
        said(b, 0, "Score", b->p1, TRUTH_UNKNOWN, UNKNOWN, 60);
}

static void oxygen_and_scale_are_the_subject_s(void **state) {
        Bench *b = *state;

        load(b, SCORE);
        chart(b, "pulse", 0);
        attribute(b, b->p1, "o2", "1", 1);
        said(b, 0, "Score", b->p1, TRUTH_FALSE, 2, 1);
        attribute(b, b->p1, "spo2_scale", "2", 2);
        said(b, 0, "Score", b->p1, TRUTH_TRUE, 5, 2); /* 97 % on oxygen */
        reading(b, b->p1, "o2", 0, 3);
        said(b, 0, "Score", b->p1, TRUTH_FALSE, 0, 3);
        attribute(b, b->p1, "spo2_scale", "1", 4);
        said(b, 0, "Score", b->p1, TRUTH_FALSE, 0, 4);
}

static void a_summary_shows_what_it_is_asked_for(void **state) {
        static const struct {
                const char *summary, *text;
        } cases[] = {
                { "plain", "plain" },
                { "{{ value }} % in {{ subject.label }} ({{subject.id}}): {{ rule }}",
                                "89.5 % in Bed 1 (p1): Low" },
                { "{{ spo2 }} {{hr}} {{ hr + 1 }}", "89.5 70 71" },
                { "{{ value | .0 }} {{ spo2 | .2 }} {{ hr / 3 | .1 }} {{ hr / 3 }}",
                                "90 89.50 23.3 23.3333" },
                { "{{ mean(hr, 1m) }} {{ count(hr, 1m) }} {{ age(hr) }}", "65 2 5" },
                { "{{ rr }} {{ news2() }} {{ rr | .1 }}", "unknown unknown unknown" },
                { "{{ news2_spo2() }} {{ low }}", "3 90" },
                { "{{ subject.ward }} {{ subject.team }}", "7 unknown" },
                { "{ } }} {", "{ } }} {" },
                { "{{ abs(0 - hr) }}\xE2\x82\xAC", "70\xE2\x82\xAC" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Bench *b = *state;
                char text[512];

                b->engine = rule_engine_free(b->engine);
                b->set = rule_set_free(b->set);
                (void) snprintf(text, sizeof text,
                                "groups:\n- name: g\n  limits: {low: 90}\n  rules:\n  - alert: Low\n"
                                "    expr: spo2 < low\n    annotations: {summary: '%s'}\n",
                                cases[i].summary);
                assert_int_equal(registry_set_attribute(b->registry, b->p1, "ward", "7"), 0);
                load(b, text);
                reading(b, b->p1, "hr", 60, 0);
                reading(b, b->p1, "hr", 70, 5);
                reading(b, b->p1, "spo2", 89.5, 10);
                assert_string_equal(b->summaries[0], cases[i].text);
        }
}

static void a_summary_is_cut_at_a_character_s_end(void **state) {
        char text[1200], *at = text;
        Bench *b = *state;

        at += snprintf(at, sizeof text,
                        "groups:\n- name: g\n  rules:\n  - alert: Low\n    expr: spo2 < 90\n"
                        "    annotations: {summary: 'x");
        for (int i = 0; i < 300; i++)
                at += snprintf(at, sizeof text - (size_t) (at - text), "\xC3\xBC");
        (void) snprintf(at, sizeof text - (size_t) (at - text), "{{ value }}'}\n");
        load(b, text);
        reading(b, b->p1, "spo2", 89, 0);
        assert_int_equal(strlen(b->summaries[0]), ALERT_SUMMARY_MAX - 1);
        assert_string_equal(b->summaries[0] + ALERT_SUMMARY_MAX - 3, "\xC3\xBC");
}

static void what_only_a_summary_shows_brings_up_no_rule(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: g\n  rules:\n  - alert: Low\n    expr: spo2 < 90\n"
                "    annotations: {summary: '{{ max(hr, 1m) }}'}\n");
        reading(b, b->p1, "hr", 60, 0);
        assert_int_equal(b->count, 0);
        assert_int_equal(rule_engine_deadline(b->engine), INT64_MAX);
        reading(b, b->p1, "spo2", 89, 0);
        assert_string_equal(b->summaries[0], "60");
}

static size_t add_probe(Bench *b, const char *expression) {
        size_t n = SIZE_MAX;
        Error e;

        if (rule_set_add_probe(b->set, expression, &n, &e) < 0)
                fail_msg("%s", e.message);
        return n;
}

static void a_probe_asks_one_subject(void **state) {
        Bench *b = *state;
        Error e;
        size_t n;

        load(b, TWO_SUBJECTS);
        size_t rate = add_probe(b, "mean(hr, 1m) + 1"), low = add_probe(b, "spo2 < 90");
        assert_int_equal(rule_set_add_probe(b->set, "hr > > 1", &n, &e), -EINVAL);
        assert_string_equal(e.message,
                        "at its character 6: expected a vital, a number, a function, 'not' or "
                        "'(', found '>'");
        start(b);
        reading(b, b->p1, "hr", 60, 0);
        reading(b, b->p1, "spo2", 89, 0);
        assert_true(rule_engine_probe(b->engine, rate, b->p1, USEC_PER_SEC) == 61);
        assert_true(rule_engine_probe(b->engine, low, b->p1, USEC_PER_SEC) == 1);
        assert_true(isnan(rule_engine_probe(b->engine, low, b->p1, 60 * USEC_PER_SEC)));
        assert_true(isnan(rule_engine_probe(b->engine, rate, b->p2, USEC_PER_SEC)));
}

/* --- over a restart --- */

typedef struct Visited {
        char text[256];
        const Catalogue *catalogue;
} Visited;

static void visit(void *userdata, SubjectId subject, VitalId vital, double value, int64_t seen_us) {
        Visited *v = userdata;
        size_t n = strlen(v->text);

        (void) snprintf(v->text + n, sizeof v->text - n, "%u %s %g %lld; ", subject,
                        catalogue_at(v->catalogue, vital)->name, value,
                        (long long) (seen_us / USEC_PER_SEC));
}

static void the_last_values_are_shown_to_be_kept(void **state) {
        Bench *b = *state;
        Visited v = { .text = "", .catalogue = b->catalogue };
        char expected[128];

        load(b, TWO_SUBJECTS);
        reading(b, b->p2, "spo2", 97, 1);
        reading(b, b->p1, "hr", 60, 2);
        reading(b, b->p1, "hr", 61, 3);
        reading(b, b->p1, "temp", 37, 3); /* no rule uses it */
        rule_engine_visit(b->engine, visit, &v);
        (void) snprintf(expected, sizeof expected, "%u hr 61 3; %u spo2 97 1; ", b->p1, b->p2);
        assert_string_equal(v.text, expected);
}

static void prime(Bench *b, SubjectId s, const char *vital, double value, double at) {
        b->count = 0;
        assert_int_equal(rule_engine_prime(b->engine, s, catalogue_find(b->catalogue, vital)->id, value,
                                         llround(at * (double) USEC_PER_SEC)),
                        0);
        assert_int_equal(b->count, 0);
}

static void a_primed_value_is_as_old_as_it_is(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: g\n  freshness: {sbp: 1h}\n  rules:\n"
                "  - {alert: Shock, expr: sbp < 90 and hr > 100}\n"
                "  - {alert: Silent, expr: 'absent(sbp, 30m)'}\n"
                "- name: h\n  match: {kind: asset}\n  rules: [{alert: Asset, expr: sbp > 1}]\n");
        prime(b, b->p1, "sbp", 80, -1000);
        prime(b, b->p1, "temp", 37, -1000); /* no rule uses it */
        reading(b, b->p1, "hr", 120, 10);
        assert_int_equal(b->count, 2);
        unevaluated(b, 0, "Asset", b->p1, TRUTH_FALSE, 10);
        said(b, 1, "Shock", b->p1, TRUTH_TRUE, 80, 10);
        tick(b, 800);
        said(b, b->count - 1, "Silent", b->p1, TRUTH_TRUE, UNKNOWN, 800);
}

static void what_ran_out_before_the_replay_is_told_in_order(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: g\n  rules: [{alert: Silent, expr: 'absent(sbp, 30m)'}]\n");
        prime(b, b->p1, "sbp", 80, -5000);
        prime(b, b->p2, "sbp", 80, -6000);
        reading(b, b->p1, "sbp", 120, -10);
        said(b, 0, "Silent", b->p2, TRUTH_TRUE, UNKNOWN, -4200);
        said(b, 1, "Silent", b->p1, TRUTH_TRUE, UNKNOWN, -3200);
        said(b, 2, "Silent", b->p1, TRUTH_FALSE, UNKNOWN, -10);
}

/* What was kept last is from the middle of what is replayed: it is not there before it came. */
static void a_primed_value_is_unknown_until_it_comes(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: g\n  rules: [{alert: Shock, expr: sbp < 90 and hr > 100}]\n");
        prime(b, b->p1, "sbp", 80, -20);
        reading(b, b->p1, "hr", 120, -60);
        said(b, 0, "Shock", b->p1, TRUTH_UNKNOWN, UNKNOWN, -60);
        reading(b, b->p1, "sbp", 120, -50);
        reading(b, b->p1, "hr", 120, -40);
        said(b, 0, "Shock", b->p1, TRUTH_FALSE, 120, -40);
        reading(b, b->p1, "sbp", 80, -20);
        said(b, 0, "Shock", b->p1, TRUTH_TRUE, 80, -20);
}

static void unknown_subjects_are_not_primed(void **state) {
        Bench *b = *state;

        load(b, TWO_SUBJECTS);
        assert_int_equal(rule_engine_prime(b->engine, 1000, catalogue_find(b->catalogue, "hr")->id, 1, 0),
                        -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                groups_match_attributes_and_leave_others_out, setup, teardown),
                cmocka_unit_test_setup_teardown(a_subject_may_have_limits_of_its_own, setup, teardown),
                cmocka_unit_test_setup_teardown(a_limit_that_is_no_number_is_the_group_s, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_change_of_the_subject_is_looked_at_at_once, setup, teardown),
                cmocka_unit_test_setup_teardown(news2_is_looked_at_with_each_of_its_vitals, setup, teardown),
                cmocka_unit_test_setup_teardown(news2_takes_the_pulse_from_the_heart_rate, setup, teardown),
                cmocka_unit_test_setup_teardown(oxygen_and_scale_are_the_subject_s, setup, teardown),
                cmocka_unit_test_setup_teardown(a_summary_shows_what_it_is_asked_for, setup, teardown),
                cmocka_unit_test_setup_teardown(a_summary_is_cut_at_a_character_s_end, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                what_only_a_summary_shows_brings_up_no_rule, setup, teardown),
                cmocka_unit_test_setup_teardown(a_probe_asks_one_subject, setup, teardown),
                cmocka_unit_test_setup_teardown(the_last_values_are_shown_to_be_kept, setup, teardown),
                cmocka_unit_test_setup_teardown(a_primed_value_is_as_old_as_it_is, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                what_ran_out_before_the_replay_is_told_in_order, setup, teardown),
                cmocka_unit_test_setup_teardown(a_primed_value_is_unknown_until_it_comes, setup, teardown),
                cmocka_unit_test_setup_teardown(unknown_subjects_are_not_primed, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
