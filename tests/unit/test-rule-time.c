/* Windows and ages in the engine: what the passing of time changes, and when it is noticed. */
#include "rule-fixture.h"

#define UNKNOWN ((double) NAN)

static void a_window_is_looked_at_with_each_value_and_when_it_runs_empty(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: g\n  rules: [{alert: Fever, expr: 'mean(temp, 10m) > 38.5'}]\n");
        reading(b, b->p1, "temp", 39, 0);
        said(b, 0, "Fever", b->p1, TRUTH_TRUE, 39, 0);
        reading(b, b->p1, "temp", 37, 60);
        assert_int_equal(b->count, 1);
        said(b, 0, "Fever", b->p1, TRUTH_FALSE, 38, 60);
        tick(b, 600); /* 39 has left, but its mean waits for the next value */
        assert_int_equal(b->count, 0);
        deadline(b, 660);
        tick(b, 660);
        assert_int_equal(b->count, 1);
        said(b, 0, "Fever", b->p1, TRUTH_UNKNOWN, UNKNOWN, 660);
        reading(b, b->p1, "temp", 40, 661);
        said(b, 0, "Fever", b->p1, TRUTH_TRUE, 40, 661);
}

static void an_empty_window_is_noticed_in_time_by_a_late_tick(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: g\n  rules: [{alert: Fever, expr: 'mean(temp, 10m) > 38.5'}]\n");
        reading(b, b->p1, "temp", 39, 0);
        tick(b, 10000);
        assert_int_equal(b->count, 1);
        said(b, 0, "Fever", b->p1, TRUTH_UNKNOWN, UNKNOWN, 600);
}

static void another_vital_s_reading_sees_the_window_as_it_is_then(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: g\n  rules:\n"
                "  - {alert: Both, expr: 'spo2 < 95 and delta(hr, 1m) > 10'}\n");
        reading(b, b->p1, "hr", 60, 0);
        reading(b, b->p1, "hr", 80, 30);
        reading(b, b->p1, "spo2", 90, 59);
        said(b, 0, "Both", b->p1, TRUTH_TRUE, 90, 59);
        reading(b, b->p1, "spo2", 90, 60);
        said(b, 0, "Both", b->p1, TRUTH_UNKNOWN, 90, 60);
}

#define FEW                                                                                                 \
        "groups:\n- name: g\n  rules:\n"                                                                    \
        "  - {alert: Few, expr: 'count(hr, 1m) < 2'}\n"                                                     \
        "  - {alert: FewAndLow, expr: 'count(hr, 1m) < 2 and spo2 > 1'}\n"

static void a_count_is_looked_at_when_a_value_leaves(void **state) {
        Bench *b = *state;

        load(b, FEW);
        reading(b, b->p1, "hr", 60, 0);
        said(b, 0, "Few", b->p1, TRUTH_TRUE, 1, 0);
        reading(b, b->p1, "hr", 60, 10);
        said(b, 0, "Few", b->p1, TRUTH_FALSE, 2, 10);
        deadline(b, 60);
        tick(b, 60);
        assert_int_equal(b->count, 2);
        said(b, 0, "Few", b->p1, TRUTH_TRUE, 1, 60);
        tick(b, 1000);
        assert_int_equal(b->count, 2);
        said(b, 0, "Few", b->p1, TRUTH_TRUE, 0, 70);
        assert_int_equal(rule_engine_deadline(b->engine), INT64_MAX);
        reading(b, b->p1, "hr", 60, 2000);
        deadline(b, 2060);
}

/* The reading at the very moment moves the window on before the timer does. */
static void no_leaving_is_missed_for_another_vital_s_reading(void **state) {
        Bench *b = *state;

        load(b, FEW);
        reading(b, b->p1, "hr", 60, 0);
        reading(b, b->p1, "hr", 60, 10);
        reading(b, b->p1, "spo2", 97, 60);
        assert_int_equal(b->count, 1);
        said(b, 0, "FewAndLow", b->p1, TRUTH_TRUE, 1, 60);
        tick(b, 60);
        assert_int_equal(b->count, 2);
        said(b, 0, "Few", b->p1, TRUTH_TRUE, 1, 60);
}

static void a_sensor_that_says_the_same_all_the_time_is_stuck(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: g\n  rules: [{alert: Stuck, expr: 'stuck(hr, 1m)'}]\n");
        for (int at = 0; at < 50; at += 5) {
                reading(b, b->p1, "hr", 60, at);
                said(b, 0, "Stuck", b->p1, TRUTH_UNKNOWN, UNKNOWN, at);
        }
        reading(b, b->p1, "hr", 60, 55);
        said(b, 0, "Stuck", b->p1, TRUTH_TRUE, UNKNOWN, 55);
        reading(b, b->p1, "hr", 61, 56);
        said(b, 0, "Stuck", b->p1, TRUTH_FALSE, UNKNOWN, 56);
}

static void a_stuck_sensor_shows_when_the_last_other_value_leaves(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: g\n  rules: [{alert: Stuck, expr: 'stuck(hr, 1m)'}]\n");
        reading(b, b->p1, "hr", 61, 0);
        for (int at = 1; at < 60; at++)
                reading(b, b->p1, "hr", 60, at);
        said(b, 0, "Stuck", b->p1, TRUTH_FALSE, UNKNOWN, 59);
        deadline(b, 60);
        tick(b, 60);
        said(b, 0, "Stuck", b->p1, TRUTH_TRUE, UNKNOWN, 60);
}

static void age_is_noticed_when_it_is_reached_and_when_it_is_passed(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: g\n  rules:\n"
                "  - {alert: Passed, expr: age(spo2) > 30}\n"
                "  - {alert: Reached, expr: 30 <= age(spo2)}\n");
        reading(b, b->p1, "spo2", 97, 1);
        said(b, 0, "Passed", b->p1, TRUTH_FALSE, 0, 1);
        said(b, 1, "Reached", b->p1, TRUTH_FALSE, 0, 1);
        deadline(b, 31);
        tick(b, 40);
        assert_int_equal(b->count, 4);
        said(b, 0, "Passed", b->p1, TRUTH_FALSE, 30, 31);
        said(b, 1, "Reached", b->p1, TRUTH_TRUE, 30, 31);
        said(b, 2, "Passed", b->p1, TRUTH_TRUE, 30.000001, 31.000001);
        said(b, 3, "Reached", b->p1, TRUTH_TRUE, 30.000001, 31.000001);
        assert_int_equal(rule_engine_deadline(b->engine), INT64_MAX);
}

static void a_move_empties_windows(void **state) {
        Bench *b = *state;

        load(b, FEW "  - {alert: Mean, expr: 'mean(hr, 1m) > 100'}\n");
        reading(b, b->p1, "hr", 120, 0);
        rule_engine_forget(b->engine, b->p1);
        assert_int_equal(rule_engine_deadline(b->engine), INT64_MAX);
        reading(b, b->p1, "hr", 60, 10);
        assert_int_equal(b->count, 3);
        said(b, 0, "Few", b->p1, TRUTH_TRUE, 1, 10);
        said(b, 2, "Mean", b->p1, TRUTH_FALSE, 60, 10);
}

/* Readings of the last while, some of them before the box started. */
static void windows_are_what_they_were_after_a_replay(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: g\n  rules:\n"
                "  - {alert: Rising, expr: 'delta(temp, 30m) > 0.5 and count(temp, 30m) > 2'}\n");
        double before = 0;
        for (int restart = 0; restart < 2; restart++) {
                start(b);
                for (int minute = restart ? -34 : -300; minute < 5; minute += 7)
                        reading(b, b->p1, "temp", 37 + 0.02 * (minute + 300), 60 * minute);
                reading(b, b->p1, "temp", 44, 300);
                const RuleOutcome *last = &b->outcomes[b->count - 1];
                assert_int_equal(last->truth, TRUTH_TRUE);
                if (restart == 0)
                        before = last->value;
                assert_true(last->value == before);
        }
}

/* What has to be replayed: the longest look back, then the longest `for` or `keep_firing_for`. */
static void the_horizon_is_what_windows_and_durations_need(void **state) {
        static const struct {
                const char *rules;
                int64_t warmup, horizon;
        } cases[] = {
                { "{alert: A, expr: hr > 1}", 0, 0 },
                { "{alert: A, expr: 'absent(hr, 7d)', for: 10s, keep_firing_for: 5s}", 0, 10 },
                { "{alert: A, expr: 'mean(hr, 256s) > max(hr, 1m)'}", 257, 257 },
                { "{alert: A, expr: 'mean(hr, 256s) > 1'}, {alert: B, expr: hr > 1, keep_firing_for: 20m}",
                                257, 1457 },
                { "{alert: A, expr: 'ewma(hr, 256s) > 1'}", 2049, 2049 },
                { "{alert: A, expr: 'count(mean(hr, 256s) > 1 by ward, 1h) > 1', for: 1m}", 3857, 3917 },
                { "{alert: A, expr: hr > 1, annotations: {summary: '{{ min(hr, 512s) }}'}}", 514, 514 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Bench *b = *state;
                char text[512];

                b->set = rule_set_free(b->set);
                (void) snprintf(text, sizeof text, "groups:\n- name: g\n  rules: [%s]\n", cases[i].rules);
                load(b, text);
                assert_int_equal(rule_set_warmup(b->set), cases[i].warmup * USEC_PER_SEC);
                assert_int_equal(rule_set_horizon(b->set), cases[i].horizon * USEC_PER_SEC);
                b->engine = rule_engine_free(b->engine);
        }
}

static void rules_share_a_window(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: g\n  rules: [{alert: A, expr: 'mean(hr, 1m) > 1'}]\n");
        reading(b, b->p1, "hr", 60, 0);
        size_t one = rule_engine_memory(b->engine);
        b->engine = rule_engine_free(b->engine);
        b->set = rule_set_free(b->set);
        load(b, "groups:\n- name: g\n  rules:\n"
                "  - {alert: A, expr: 'mean(hr, 1m) > 1'}\n"
                "  - {alert: B, expr: 'max(hr, 1m) > 1', annotations: {summary: '{{ min(hr, 1m) }}'}}\n");
        reading(b, b->p1, "hr", 60, 0);
        assert_int_equal(rule_engine_memory(b->engine), one);
}

/* As rules.h states it: here 4 vitals, 2 windows, 1 limit and a group. */
static void the_memory_of_a_subject_is_bounded(void **state) {
        Bench *b = *state;

        load(b, "groups:\n- name: g\n  limits: {low: 90}\n  rules:\n"
                "  - {alert: A, expr: 'spo2 < low or mean(hr, 1m) > 1 or median(temp, 1h) > 40 or rr > "
                "3'}\n");
        assert_int_equal(rule_engine_memory(b->engine), 0);
        for (int at = 0; at < 7200; at++) {
                reading(b, b->p1, "hr", 60 + at % 50, at);
                reading(b, b->p1, "temp", 36 + at % 7, at);
        }
        size_t state_bytes = RULES_SUBJECT_BYTES + 4 * RULES_VITAL_BYTES + 2 * RULES_WINDOW_BYTES +
                             RULES_LIMIT_BYTES;
        assert_true(rule_engine_memory(b->engine) > state_bytes);
        assert_true(rule_engine_memory(b->engine) <= state_bytes + (size_t) 2 * RULES_WINDOW_MAX_BYTES);
        size_t p1 = rule_engine_memory(b->engine);
        reading(b, b->p2, "rr", 16, 7200);
        assert_int_equal(rule_engine_memory(b->engine) - p1, state_bytes);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_window_is_looked_at_with_each_value_and_when_it_runs_empty,
                                setup, teardown),
                cmocka_unit_test_setup_teardown(
                                an_empty_window_is_noticed_in_time_by_a_late_tick, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                another_vital_s_reading_sees_the_window_as_it_is_then, setup, teardown),
                cmocka_unit_test_setup_teardown(a_count_is_looked_at_when_a_value_leaves, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                no_leaving_is_missed_for_another_vital_s_reading, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_sensor_that_says_the_same_all_the_time_is_stuck, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_stuck_sensor_shows_when_the_last_other_value_leaves, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                age_is_noticed_when_it_is_reached_and_when_it_is_passed, setup, teardown),
                cmocka_unit_test_setup_teardown(a_move_empties_windows, setup, teardown),
                cmocka_unit_test_setup_teardown(windows_are_what_they_were_after_a_replay, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                the_horizon_is_what_windows_and_durations_need, setup, teardown),
                cmocka_unit_test_setup_teardown(rules_share_a_window, setup, teardown),
                cmocka_unit_test_setup_teardown(the_memory_of_a_subject_is_bounded, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
