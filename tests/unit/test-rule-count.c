/* Rules across subjects: how many of a ward have it, and who belongs to it. */
#include <errno.h>

#include "rule-fixture.h"

#define FEVER                                                                                               \
        "groups:\n- name: g\n  match: {kind: patient}\n  rules:\n"                                          \
        "  - {alert: Outbreak, expr: count(temp > 38 by ward) >= 2}\n"

#define FEVER_TODAY                                                                                         \
        "groups:\n- name: g\n  match: {kind: patient}\n  rules:\n"                                          \
        "  - {alert: Outbreak, expr: 'count(temp > 38 by ward, 1h) >= 2'}\n"

static SubjectId ward(Bench *b, const char *name) {
        SubjectId s;

        assert_int_equal(registry_group(b->registry, "ward", name, &s), 0);
        return s;
}

/* Both patients are on ward 7. */
static void admit(Bench *b) {
        assert_int_equal(registry_set_attribute(b->registry, b->p1, "ward", "7"), 0);
        assert_int_equal(registry_set_attribute(b->registry, b->p2, "ward", "7"), 0);
        assert_int_equal(registry_set_attribute(b->registry, b->fridge, "ward", "7"), 0);
}

static void a_group_is_told_of_when_its_number_changes(void **state) {
        Bench *b = *state;

        admit(b);
        load(b, FEVER);
        reading(b, b->p1, "temp", 37, 1); /* the ward comes to be */
        assert_int_equal(b->count, 1);
        said(b, 0, "Outbreak", ward(b, "7"), TRUTH_FALSE, 0, 1);
        reading(b, b->p1, "temp", 39, 2);
        assert_int_equal(b->count, 1);
        said(b, 0, "Outbreak", ward(b, "7"), TRUTH_FALSE, 1, 2);
        reading(b, b->p1, "temp", 39, 3);
        reading(b, b->p2, "hr", 100, 3);
        assert_int_equal(b->count, 0);
        reading(b, b->p2, "temp", 39, 4);
        assert_int_equal(b->count, 1);
        said(b, 0, "Outbreak", ward(b, "7"), TRUTH_TRUE, 2, 4);
        reading(b, b->p1, "temp", 37, 5);
        assert_int_equal(b->count, 1);
        said(b, 0, "Outbreak", ward(b, "7"), TRUTH_FALSE, 1, 5);
        assert_string_equal(registry_subject(b->registry, ward(b, "7"))->name, "group:ward:7");
}

static void only_those_count_that_the_group_of_rules_is_for(void **state) {
        Bench *b = *state;

        admit(b);
        load(b, FEVER);
        reading(b, b->p1, "temp", 39, 1);
        reading(b, b->fridge, "temp", 39, 2);
        assert_int_equal(b->count, 0);
}

static void groups_do_not_mix(void **state) {
        Bench *b = *state;

        admit(b);
        assert_int_equal(registry_set_attribute(b->registry, b->p2, "ward", "8"), 0);
        load(b, FEVER);
        reading(b, b->p1, "temp", 39, 1);
        reading(b, b->p2, "temp", 39, 2);
        said(b, 0, "Outbreak", ward(b, "8"), TRUTH_FALSE, 1, 2);
}

static void those_without_the_attribute_are_a_group_too(void **state) {
        Bench *b = *state;

        load(b, FEVER);
        reading(b, b->p1, "temp", 39, 1);
        reading(b, b->p2, "temp", 39, 2);
        said(b, 0, "Outbreak", ward(b, ""), TRUTH_TRUE, 2, 2);
}

static void what_goes_unknown_does_not_count_now(void **state) {
        Bench *b = *state;

        admit(b);
        load(b, FEVER);
        reading(b, b->p1, "temp", 39, 0);
        reading(b, b->p2, "temp", 39, 30);
        tick(b, 60);
        assert_int_equal(b->count, 1);
        said(b, 0, "Outbreak", ward(b, "7"), TRUTH_FALSE, 1, 60);
        tick(b, 1000);
        assert_int_equal(b->count, 1);
        said(b, 0, "Outbreak", ward(b, "7"), TRUTH_FALSE, 0, 90);
}

static void within_a_duration_it_counts_until_the_duration_is_over(void **state) {
        Bench *b = *state;

        admit(b);
        load(b, FEVER_TODAY);
        reading(b, b->p1, "temp", 39, 0);
        reading(b, b->p1, "temp", 37, 10);
        assert_int_equal(b->count, 0);
        reading(b, b->p2, "temp", 39, 20);
        said(b, 0, "Outbreak", ward(b, "7"), TRUTH_TRUE, 2, 20);
        tick(b, 80); /* p2's value is stale: no longer true, but it was */
        assert_int_equal(b->count, 0);
        deadline(b, 3610);
        tick(b, 10000);
        assert_int_equal(b->count, 2);
        said(b, 0, "Outbreak", ward(b, "7"), TRUTH_FALSE, 1, 3610);
        said(b, 1, "Outbreak", ward(b, "7"), TRUTH_FALSE, 0, 3680);
}

static void what_is_true_again_counts_on(void **state) {
        Bench *b = *state;

        admit(b);
        load(b, FEVER_TODAY);
        reading(b, b->p1, "temp", 39, 0);
        reading(b, b->p1, "temp", 37, 10);
        reading(b, b->p1, "temp", 39, 3000);
        reading(b, b->p1, "temp", 37, 3010);
        assert_int_equal(b->count, 0);
        tick(b, 6609);
        assert_int_equal(b->count, 0);
        tick(b, 6610);
        said(b, 0, "Outbreak", ward(b, "7"), TRUTH_FALSE, 0, 6610);
        reading(b, b->p1, "temp", 39, 7000);
        reading(b, b->p1, "temp", 37, 7010);
        reading(b, b->p1, "temp", 39, 7000 + 3600);
        tick(b, 7010 + 3600); /* it is true now */
        assert_int_equal(b->count, 0);
}

static void what_an_operator_changes_is_told_of_the_group_as_well(void **state) {
        Bench *b = *state;

        admit(b);
        load(b, FEVER);
        reading(b, b->p1, "temp", 39, 0);
        attribute(b, b->p1, "team", "icu", 1);
        assert_int_equal(b->count, 1);
        said(b, 0, "Outbreak", ward(b, "7"), TRUTH_FALSE, 1, 1);
}

static void who_moves_to_another_ward_counts_there(void **state) {
        Bench *b = *state;

        admit(b);
        load(b, FEVER_TODAY);
        reading(b, b->p1, "temp", 39, 0);
        reading(b, b->p2, "temp", 39, 1);
        reading(b, b->p1, "temp", 37, 10);
        attribute(b, b->p1, "ward", "8", 20);
        assert_int_equal(b->count, 2);
        said(b, 0, "Outbreak", ward(b, "8"), TRUTH_FALSE, 1, 20);
        said(b, 1, "Outbreak", ward(b, "7"), TRUTH_FALSE, 1, 20);
        tick(b, 3610);
        assert_int_equal(b->count, 1);
        said(b, 0, "Outbreak", ward(b, "8"), TRUTH_FALSE, 0, 3610);
}

static void who_is_forgotten_leaves_at_once(void **state) {
        Bench *b = *state;

        admit(b);
        load(b, FEVER_TODAY);
        reading(b, b->p1, "temp", 39, 0);
        reading(b, b->p2, "temp", 39, 1);
        b->count = 0;
        rule_engine_forget(b->engine, b->p1);
        assert_int_equal(b->count, 1);
        said(b, 0, "Outbreak", ward(b, "7"), TRUTH_FALSE, 1, 1);
        reading(b, b->p1, "temp", 39, 2);
        said(b, 0, "Outbreak", ward(b, "7"), TRUTH_TRUE, 2, 2);
}

static void what_happens_at_once_is_counted_at_once(void **state) {
        Bench *b = *state;

        admit(b);
        load(b, "groups:\n- name: g\n  match: {kind: patient}\n  limits: {most: 0.5}\n  rules:\n"
                "  - {alert: Half, expr: count(hr > 100 by ward) / count(hr > 0 by ward) > most}\n");
        reading(b, b->p1, "hr", 120, 1);
        assert_int_equal(b->count, 1);
        said(b, 0, "Half", ward(b, "7"), TRUTH_TRUE, 1, 1);
        reading(b, b->p2, "hr", 60, 2);
        assert_int_equal(b->count, 1);
        said(b, 0, "Half", ward(b, "7"), TRUTH_FALSE, 1, 2);
        reading(b, b->p2, "hr", 120, 3);
        said(b, 0, "Half", ward(b, "7"), TRUTH_TRUE, 2, 3);
}

static void a_condition_inside_is_all_that_a_rule_s_may_be(void **state) {
        Bench *b = *state;

        admit(b);
        load(b, "groups:\n- name: g\n  match: {kind: patient}\n  limits: {fast: 100}\n  rules:\n"
                "  - alert: Silent\n"
                "    expr: count(absent(hr, 30s) or mean(hr, 1m) > fast by ward) >= 2\n");
        assert_int_equal(registry_set_attribute(b->registry, b->p2, "fast", "50"), 0);
        reading(b, b->p1, "hr", 60, 0);
        reading(b, b->p2, "hr", 60, 10);
        said(b, 0, "Silent", ward(b, "7"), TRUTH_FALSE, 1, 10);
        tick(b, 30);
        said(b, 0, "Silent", ward(b, "7"), TRUTH_TRUE, 2, 30);
}

static void the_summary_is_of_the_group(void **state) {
        Bench *b = *state;

        admit(b);
        load(b, "groups:\n- name: g\n  match: {kind: patient}\n  limits: {most: 2}\n  rules:\n"
                "  - alert: Outbreak\n    expr: count(temp > 38 by ward) >= most\n"
                "    annotations: {summary: '{{ value }} of {{ most * 2 }} in {{ subject.label }}'}\n");
        reading(b, b->p1, "temp", 39, 0);
        assert_string_equal(b->summaries[0], "1 of 4 in ward:7");
}

/* Before the readings that are replayed, there were others: they count from when they came. */
static void primed_values_count_before_anything_is_told(void **state) {
        VitalId temp;
        Bench *b = *state;

        admit(b);
        load(b, "groups:\n- name: g\n  freshness: {temp: 4h}\n  rules:\n"
                "  - {alert: Outbreak, expr: count(temp > 38 by ward) >= 2}\n");
        temp = catalogue_find(b->catalogue, "temp")->id;
        assert_int_equal(rule_engine_prime(b->engine, b->p2, temp, 39, -1000 * USEC_PER_SEC), 0);
        assert_int_equal(rule_engine_prime(b->engine, b->p1, temp, 39, -2000 * USEC_PER_SEC), 0);
        assert_int_equal(b->count, 0);
        reading(b, b->fridge, "temp", 5, -10);
        said(b, 0, "Outbreak", ward(b, "7"), TRUTH_FALSE, 1, -2000);
        said(b, 1, "Outbreak", ward(b, "7"), TRUTH_TRUE, 2, -1000);
        deadline(b, -2000 + 4 * 3600);
}

/* The registry is full: who cannot be counted is followed all the same. */
static void without_room_for_a_group_other_rules_go_on(void **state) {
        Bench *b = *state;
        SubjectId s;

        load(b, FEVER "  - {alert: Fever, expr: temp > 38}\n");
        for (int i = 0, r = 0; r == 0; i++) {
                char name[16];
                (void) snprintf(name, sizeof name, "s%d", i);
                r = registry_add_subject(b->registry, name, SUBJECT_PATIENT, &s);
        }
        const Reading r = { .subject = b->p1,
                .vital = catalogue_find(b->catalogue, "temp")->id,
                .value = 39,
                .device_time_us = TIME_NONE };
        assert_int_equal(rule_engine_reading(b->engine, &r, 1), -ENOSPC);
        assert_int_equal(b->count, 1);
        assert_string_equal(rule_set_rule(b->set, b->outcomes[0].rule)->name, "Fever");
        assert_int_equal(b->outcomes[0].truth, TRUTH_TRUE);
        assert_int_equal(rule_engine_reading(b->engine, &r, 2), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_group_is_told_of_when_its_number_changes, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                only_those_count_that_the_group_of_rules_is_for, setup, teardown),
                cmocka_unit_test_setup_teardown(groups_do_not_mix, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                those_without_the_attribute_are_a_group_too, setup, teardown),
                cmocka_unit_test_setup_teardown(what_goes_unknown_does_not_count_now, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                within_a_duration_it_counts_until_the_duration_is_over, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_true_again_counts_on, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                what_an_operator_changes_is_told_of_the_group_as_well, setup, teardown),
                cmocka_unit_test_setup_teardown(who_moves_to_another_ward_counts_there, setup, teardown),
                cmocka_unit_test_setup_teardown(who_is_forgotten_leaves_at_once, setup, teardown),
                cmocka_unit_test_setup_teardown(what_happens_at_once_is_counted_at_once, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_condition_inside_is_all_that_a_rule_s_may_be, setup, teardown),
                cmocka_unit_test_setup_teardown(the_summary_is_of_the_group, setup, teardown),
                cmocka_unit_test_setup_teardown(without_room_for_a_group_other_rules_go_on, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                primed_values_count_before_anything_is_told, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
