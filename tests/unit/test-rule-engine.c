/* The engine: which rules a reading or the passing of time brings up, and what they say. */
#include "rule-fixture.h"

#define TWO_RULES                                                                                           \
        "groups:\n- name: g\n  rules:\n"                                                                    \
        "  - {alert: Low, expr: spo2 < 90}\n"                                                               \
        "  - {alert: Both, expr: spo2 < 95 and hr > 100}\n"                                                 \
        "  - {alert: Fast, expr: hr > 120}\n"

static void a_reading_brings_up_the_rules_that_use_its_vital(void **state) {
        Bench *b = *state;

        load(b, TWO_RULES);
        reading(b, b->p1, "spo2", 93, 1);
        assert_int_equal(b->count, 2);
        said(b, 0, "Low", b->p1, TRUTH_FALSE, 93, 1);
        said(b, 1, "Both", b->p1, TRUTH_UNKNOWN, 93, 1);
        reading(b, b->p1, "hr", 110, 2);
        assert_int_equal(b->count, 2);
        said(b, 0, "Both", b->p1, TRUTH_TRUE, 93, 2);
        said(b, 1, "Fast", b->p1, TRUTH_FALSE, 110, 2);
        reading(b, b->p1, "spo2", 89, 3);
        said(b, 0, "Low", b->p1, TRUTH_TRUE, 89, 3);
        reading(b, b->p1, "temp", 39, 3);
        assert_int_equal(b->count, 0);
}

static void subjects_do_not_mix(void **state) {
        Bench *b = *state;

        load(b, TWO_RULES);
        reading(b, b->p1, "hr", 130, 1);
        reading(b, b->p2, "spo2", 80, 1);
        assert_int_equal(b->count, 2);
        said(b, 0, "Low", b->p2, TRUTH_TRUE, 80, 1);
        said(b, 1, "Both", b->p2, TRUTH_UNKNOWN, 80, 1);
}

static void what_is_not_usable_is_not_seen(void **state) {
        static const uint16_t flags[] = { FLAG_IMPLAUSIBLE, FLAG_BEFORE_ASSIGNMENT, FLAG_SENSOR_OFF,
                FLAG_RETAINED, FLAG_LATE, FLAG_TEST, FLAG_INVALID, FLAG_PROVISIONAL };
        Bench *b = *state;

        load(b, TWO_RULES);
        for (size_t i = 0; i < ELEMENTS(flags); i++) {
                read_flagged(b, b->p1, "spo2", 80, 1, flags[i]);
                assert_int_equal(b->count, 0);
        }
        read_flagged(b, b->p1, "spo2", 80, 1, FLAG_WEAK_SIGNAL | FLAG_TIME_SKEWED | FLAG_QUESTIONABLE);
        said(b, 0, "Low", b->p1, TRUTH_TRUE, 80, 1);
}

static void the_time_is_the_device_s_where_it_is_given(void **state) {
        Bench *b = *state;

        load(b, TWO_RULES);
        Reading r = {
                .subject = b->p1,
                .vital = catalogue_find(b->catalogue, "spo2")->id,
                .value = 80,
                .device_time_us = WALL - 5,
                .stamp = { .wall_us = WALL, .mono_us = 7 },
        };
        assert_int_equal(rule_engine_reading(b->engine, &r, 7), 0);
        assert_int_equal(b->outcomes[0].time_us, WALL - 5);
        assert_int_equal(b->outcomes[0].mono_us, 7);
}

static void groups_match_subjects(void **state) {
        Bench *b = *state;

        load(b, "groups:\n"
                "- name: a\n  match: {kind: patient}\n  rules: [{alert: Patients, expr: temp > 1}]\n"
                "- name: b\n  match: {kind: asset}\n  rules: [{alert: Assets, expr: temp > 1}]\n"
                "- name: c\n  match: {subject: p2}\n  rules: [{alert: P2, expr: temp > 1}]\n"
                "- name: d\n  match: {label: Bed 1}\n  rules: [{alert: Bed1, expr: temp > 1}]\n"
                "- name: e\n  match: {kind: asset, subject: p2}\n  rules: [{alert: None, expr: temp > 1}]\n"
                "- name: f\n  rules: [{alert: All, expr: temp > 1}]\n");
        reading(b, b->p1, "temp", 37, 1);
        reading(b, b->p1, "temp", 37, 1);
        assert_int_equal(b->count, 3);
        said(b, 0, "Patients", b->p1, TRUTH_TRUE, 37, 1);
        said(b, 1, "Bed1", b->p1, TRUTH_TRUE, 37, 1);
        said(b, 2, "All", b->p1, TRUTH_TRUE, 37, 1);
        reading(b, b->p2, "temp", 37, 1);
        reading(b, b->p2, "temp", 37, 1);
        assert_int_equal(b->count, 3);
        said(b, 1, "P2", b->p2, TRUTH_TRUE, 37, 1);
        reading(b, b->fridge, "temp", 5, 1);
        reading(b, b->fridge, "temp", 5, 1);
        assert_int_equal(b->count, 2);
        said(b, 0, "Assets", b->fridge, TRUTH_TRUE, 5, 1);
}

static void rules_for_others_are_false_of_a_subject_at_its_first_reading(void **state) {
        Bench *b = *state;

        load(b, "groups:\n"
                "- name: a\n  match: {subject: p2}\n  rules: [{alert: P2, expr: temp > 1}]\n"
                "- name: b\n  rules: [{alert: All, expr: temp > 1}]\n");
        reading(b, b->p1, "temp", 37, 1);
        assert_int_equal(b->count, 2);
        unevaluated(b, 0, "P2", b->p1, TRUTH_FALSE, 1);
        said(b, 1, "All", b->p1, TRUTH_TRUE, 37, 1);
}

static void a_value_is_fresh_for_so_long(void **state) {
        Bench *b = *state;

        load(b, "groups:\n"
                "- name: a\n  rules: [{alert: Default, expr: sbp < 90}]\n"
                "- name: b\n  freshness: {sbp: 30m}\n  rules: [{alert: Cuff, expr: sbp < 90}]\n");
        reading(b, b->p1, "sbp", 80, 10);
        deadline(b, 70);
        tick(b, 69.999);
        assert_int_equal(b->count, 0);
        tick(b, 70);
        assert_int_equal(b->count, 1);
        said(b, 0, "Default", b->p1, TRUTH_UNKNOWN, (double) NAN, 70);
        deadline(b, 1810);
        tick(b, 1810);
        assert_int_equal(b->count, 1);
        said(b, 0, "Cuff", b->p1, TRUTH_UNKNOWN, (double) NAN, 1810);
        assert_int_equal(rule_engine_deadline(b->engine), INT64_MAX);
}

static void a_newer_value_starts_freshness_anew(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: a\n  rules: [{alert: Low, expr: spo2 < 90}]\n");
        reading(b, b->p1, "spo2", 80, 0);
        reading(b, b->p1, "spo2", 80, 50);
        tick(b, 60);
        assert_int_equal(b->count, 0);
        deadline(b, 110);
        tick(b, 110);
        said(b, 0, "Low", b->p1, TRUTH_UNKNOWN, (double) NAN, 110);
        /* the timer of the longest age had gone: it comes back */
        reading(b, b->p1, "spo2", 80, 200);
        deadline(b, 260);
}

static void a_reading_at_the_very_end_of_freshness_is_in_time(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: a\n  rules: [{alert: Low, expr: spo2 < 90}]\n");
        reading(b, b->p1, "spo2", 80, 0);
        reading(b, b->p1, "spo2", 80, 60);
        assert_int_equal(b->count, 1);
        said(b, 0, "Low", b->p1, TRUTH_TRUE, 80, 60);
}

#define SILENT                                                                                              \
        "groups:\n- name: g\n  rules:\n"                                                                    \
        "  - {alert: Long, expr: 'absent(spo2, 5m)'}\n"                                                     \
        "  - {alert: Silent, expr: 'absent(spo2, 30s)'}\n"

static void silence_is_noticed_by_time_and_ended_by_a_reading(void **state) {
        Bench *b = *state;

        load(b, SILENT);
        assert_int_equal(rule_engine_deadline(b->engine), INT64_MAX);
        reading(b, b->p1, "spo2", 97, 1);
        assert_int_equal(b->count, 2);
        said(b, 0, "Long", b->p1, TRUTH_FALSE, (double) NAN, 1);
        said(b, 1, "Silent", b->p1, TRUTH_FALSE, (double) NAN, 1);
        tick(b, 31);
        assert_int_equal(b->count, 1);
        said(b, 0, "Silent", b->p1, TRUTH_TRUE, (double) NAN, 31);
        deadline(b, 301);
        reading(b, b->p1, "spo2", 97, 100);
        said(b, 1, "Silent", b->p1, TRUTH_FALSE, (double) NAN, 100);
        deadline(b, 130);
        tick(b, 130);
        said(b, 0, "Silent", b->p1, TRUTH_TRUE, (double) NAN, 130);
        tick(b, 400);
        assert_int_equal(b->count, 1);
        said(b, 0, "Long", b->p1, TRUTH_TRUE, (double) NAN, 400);
        tick(b, 10000);
        assert_int_equal(b->count, 0);
        reading(b, b->p1, "spo2", 97, 10001);
        assert_int_equal(b->count, 2);
        said(b, 0, "Long", b->p1, TRUTH_FALSE, (double) NAN, 10001);
}

static void each_vital_has_its_own_silence(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: g\n  rules:\n"
                "  - {alert: NoSpO2, expr: 'absent(spo2, 30s)'}\n"
                "  - {alert: NoHr, expr: 'absent(hr, 30s)'}\n");
        reading(b, b->p1, "spo2", 97, 0);
        reading(b, b->p1, "hr", 60, 10);
        tick(b, 30);
        assert_int_equal(b->count, 1);
        said(b, 0, "NoSpO2", b->p1, TRUTH_TRUE, (double) NAN, 30);
        tick(b, 40);
        assert_int_equal(b->count, 1);
        said(b, 0, "NoHr", b->p1, TRUTH_TRUE, (double) NAN, 40);
}

static void a_late_tick_tells_what_was_when_it_was(void **state) {
        Bench *b = *state;

        load(b, SILENT);
        reading(b, b->p2, "spo2", 97, 10);
        reading(b, b->p1, "spo2", 97, 10);
        reading(b, b->fridge, "spo2", 97, 20);
        tick(b, 1000);
        assert_int_equal(b->count, 6);
        said(b, 0, "Silent", b->p1, TRUTH_TRUE, (double) NAN, 40);
        said(b, 1, "Silent", b->p2, TRUTH_TRUE, (double) NAN, 40);
        said(b, 2, "Silent", b->fridge, TRUTH_TRUE, (double) NAN, 50);
        said(b, 3, "Long", b->p1, TRUTH_TRUE, (double) NAN, 310);
        said(b, 4, "Long", b->p2, TRUTH_TRUE, (double) NAN, 310);
        said(b, 5, "Long", b->fridge, TRUTH_TRUE, (double) NAN, 320);
}

static void a_reading_after_silence_does_not_hide_it(void **state) {
        Bench *b = *state;

        load(b, SILENT);
        reading(b, b->p1, "spo2", 97, 0);
        reading(b, b->p1, "spo2", 97, 100);
        assert_int_equal(b->count, 3);
        said(b, 0, "Silent", b->p1, TRUTH_TRUE, (double) NAN, 30);
        said(b, 1, "Long", b->p1, TRUTH_FALSE, (double) NAN, 100);
        said(b, 2, "Silent", b->p1, TRUTH_FALSE, (double) NAN, 100);
}

static void what_was_before_is_forgotten(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: g\n  rules:\n"
                "  - {alert: Silent, expr: 'absent(spo2, 30s)'}\n"
                "  - {alert: Low, expr: 1 < 2 or spo2 < 90}\n");
        reading(b, b->p1, "spo2", 80, 1);
        b->count = 0;
        rule_engine_forget(b->engine, b->p1);
        assert_int_equal(b->count, 2);
        unevaluated(b, 0, "Silent", b->p1, TRUTH_UNKNOWN, 1);
        unevaluated(b, 1, "Low", b->p1, TRUTH_UNKNOWN, 1);
        tick(b, 100);
        assert_int_equal(b->count, 0);
        rule_engine_forget(b->engine, b->fridge); /* never had a reading */
        assert_int_equal(b->count, 0);
}

static void a_subject_that_moves_has_the_rules_of_its_new_place(void **state) {
        Bench *b = *state;

        load(b, "groups:\n"
                "- name: a\n  match: {label: Bed 1}\n  rules: [{alert: Bed1, expr: spo2 < 90}]\n"
                "- name: b\n  match: {label: Bed 2}\n  rules: [{alert: Bed2, expr: spo2 < 90}]\n");
        reading(b, b->p2, "spo2", 80, 1);
        (void) assign(b, "d4", "p2", SUBJECT_PATIENT, "Bed 1");
        b->count = 0;
        rule_engine_forget(b->engine, b->p2);
        assert_int_equal(b->count, 2);
        unevaluated(b, 0, "Bed1", b->p2, TRUTH_UNKNOWN, 1);
        unevaluated(b, 1, "Bed2", b->p2, TRUTH_FALSE, 1);
        reading(b, b->p2, "spo2", 80, 2);
        assert_int_equal(b->count, 1);
        said(b, 0, "Bed1", b->p2, TRUTH_TRUE, 80, 2);
}

static void subjects_that_are_unknown_are_refused(void **state) {
        Bench *b = *state;
        const Reading r = {
                .subject = 1000,
                .vital = catalogue_find(b->catalogue, "spo2")->id,
                .device_time_us = TIME_NONE,
        };

        load(b, TWO_RULES);
        assert_true(rule_engine_reading(b->engine, &r, 1) < 0);
}

/* More groups than a word has bits, more subjects than the first allocation. */
static void many_groups_and_subjects(void **state) {
        char text[32768];
        size_t n = (size_t) snprintf(text, sizeof text, "groups:\n");
        Bench *b = *state;
        SubjectId last = 0;

        for (int i = 0; i < 130; i++)
                n += (size_t) snprintf(text + n, sizeof text - n,
                                "- name: g\n  match: {subject: q%d}\n  rules: [{alert: R%d, expr: hr > "
                                "1}]\n",
                                i, i);
        load(b, text);
        for (int i = 0; i < 130; i++) {
                char device[16], subject[16], rule[16];

                (void) snprintf(device, sizeof device, "e%d", i);
                (void) snprintf(subject, sizeof subject, "q%d", i);
                (void) snprintf(rule, sizeof rule, "R%d", i);
                last = assign(b, device, subject, SUBJECT_PATIENT, "");
                reading(b, last, "hr", 60, 1);
                reading(b, last, "hr", 60, 1);
                assert_int_equal(b->count, 1);
                said(b, 0, rule, last, TRUTH_TRUE, 60, 1);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                a_reading_brings_up_the_rules_that_use_its_vital, setup, teardown),
                cmocka_unit_test_setup_teardown(subjects_do_not_mix, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_not_usable_is_not_seen, setup, teardown),
                cmocka_unit_test_setup_teardown(the_time_is_the_device_s_where_it_is_given, setup, teardown),
                cmocka_unit_test_setup_teardown(groups_match_subjects, setup, teardown),
                cmocka_unit_test_setup_teardown(a_value_is_fresh_for_so_long, setup, teardown),
                cmocka_unit_test_setup_teardown(a_newer_value_starts_freshness_anew, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_reading_at_the_very_end_of_freshness_is_in_time, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                silence_is_noticed_by_time_and_ended_by_a_reading, setup, teardown),
                cmocka_unit_test_setup_teardown(each_vital_has_its_own_silence, setup, teardown),
                cmocka_unit_test_setup_teardown(a_late_tick_tells_what_was_when_it_was, setup, teardown),
                cmocka_unit_test_setup_teardown(a_reading_after_silence_does_not_hide_it, setup, teardown),
                cmocka_unit_test_setup_teardown(what_was_before_is_forgotten, setup, teardown),
                cmocka_unit_test_setup_teardown(rules_for_others_are_false_of_a_subject_at_its_first_reading,
                                setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_subject_that_moves_has_the_rules_of_its_new_place, setup, teardown),
                cmocka_unit_test_setup_teardown(subjects_that_are_unknown_are_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(many_groups_and_subjects, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
