/* What a replay tells about rules. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "cli/burden.h"

#define S(n) ((n) *USEC_PER_SEC)

static const char rules_text[] =
                "groups:\n"
                "  - name: g\n"
                "    rules:\n"
                "      - {alert: Low, expr: spo2 < 90, labels: {priority: high}}\n"
                "      - {alert: Fast, expr: hr > 130, labels: {priority: medium}}\n"
                "      - {alert: Silent, expr: 'absent(hr, 30s)', labels: {priority: technical}}\n";

typedef struct Fixture {
        Catalogue *catalogue;
        RuleSet *rules;
        Burden *burden;
} Fixture;

static int set_up(void **state) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;
        Fixture *f = calloc(1, sizeof *f);
        Error e;

        *state = f;
        if (!f || catalogue_new(&f->catalogue) < 0 || rule_set_new(f->catalogue, &f->rules) < 0 ||
                        yaml_load("rules", BYTES_STRING(rules_text), &d, &e) < 0)
                return -1;
        YamlNode root = yaml_root(d);
        if (rule_set_read(f->rules, &root, &e) < 0 || burden_new(f->rules, S(3600), &f->burden) < 0)
                return -1;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        burden_free(f->burden);
        rule_set_free(f->rules);
        catalogue_free(f->catalogue);
        free(f);
        return 0;
}

static void tell(Burden *b, const char *rule, Priority priority, AlertTransition t, int64_t time_us) {
        AlertEvent e = { .priority = priority, .transition = t, .time_us = time_us };

        (void) snprintf(e.rule, sizeof e.rule, "%s", rule);
        assert_int_equal(burden_event(b, &e), 0);
}

static void alerts_are_counted_with_their_durations(void **state) {
        Fixture *f = *state;
        Burden *b = f->burden;

        burden_begin(b, TIME_NONE);
        tell(b, "Low", PRIORITY_HIGH, TRANSITION_RAISED, S(10));
        tell(b, "Low", PRIORITY_HIGH, TRANSITION_LATCHED, S(15));
        tell(b, "Low", PRIORITY_HIGH, TRANSITION_RERAISED, S(20));
        tell(b, "Low", PRIORITY_HIGH, TRANSITION_ACKNOWLEDGED, S(25));
        tell(b, "Low", PRIORITY_HIGH, TRANSITION_RESOLVED, S(40));
        tell(b, "Low", PRIORITY_HIGH, TRANSITION_RAISED, S(90));
        tell(b, "Silent", PRIORITY_TECHNICAL, TRANSITION_RAISED, S(95));
        assert_int_equal(burden_end(b, S(100), S(100)), 0);

        RuleBurden *low = burden_rule(b, 0);
        assert_int_equal(low->raised, 2);
        assert_int_equal(low->again, 1);
        assert_float_equal(spread_quantile(&low->durations, 0.5), 20, 1e-9); /* 30 and, until the end, 10 */
        assert_int_equal(burden_rule(b, 1)->raised, 0);
        assert_true(isnan(spread_quantile(&burden_rule(b, 1)->durations, 0.5)));
        assert_int_equal(burden_total(b)->by_priority[PRIORITY_HIGH], 3);
        assert_int_equal(burden_total(b)->by_priority[PRIORITY_TECHNICAL], 1);
        assert_int_equal(burden_total(b)->monitored_us, S(100));
        assert_int_equal(burden_total(b)->subjects, 1);
}

static void who_has_no_label_is_alarmed_for_nothing(void **state) {
        Fixture *f = *state;
        Burden *b = f->burden;
        RuleBurden *any = burden_rule(b, 3);

        burden_begin(b, TIME_NONE);
        tell(b, "Low", PRIORITY_HIGH, TRANSITION_RAISED, S(10));
        tell(b, "Low", PRIORITY_HIGH, TRANSITION_RESOLVED, S(20));
        tell(b, "Low", PRIORITY_HIGH, TRANSITION_RAISED, S(30));
        assert_int_equal(burden_end(b, S(100), S(100)), 0);
        burden_begin(b, TIME_NONE);
        tell(b, "Silent", PRIORITY_TECHNICAL, TRANSITION_RAISED, S(10));
        assert_int_equal(burden_end(b, S(50), S(50)), 0);

        assert_int_equal(burden_rule(b, 0)->alarmed, 1);
        assert_int_equal(burden_rule(b, 0)->false_raised, 2);
        assert_int_equal(burden_rule(b, 2)->alarmed, 1);
        assert_int_equal(any->alarmed, 1); /* technical ones are left out */
        assert_int_equal(any->false_raised, 2);
        assert_int_equal(burden_total(b)->unlabelled_us, S(150));
        assert_int_equal(burden_total(b)->labelled, 0);
}

/* The label comes at 10,000 s, an hour before it is 6,400 s. */
static void expect_found(void **state, int64_t raised_us, int64_t resolved_us, bool found, double lead_s) {
        Fixture *f = *state;
        Burden *b = f->burden;
        RuleBurden *low = burden_rule(b, 0);
        const uint64_t before = low->found;

        spread_done(&low->leads);
        burden_begin(b, S(10000));
        tell(b, "Low", PRIORITY_HIGH, TRANSITION_RAISED, raised_us);
        if (resolved_us != TIME_NONE)
                tell(b, "Low", PRIORITY_HIGH, TRANSITION_RESOLVED, resolved_us);
        assert_int_equal(burden_end(b, S(12000), S(12000)), 0);
        assert_int_equal(low->found - before, found);
        if (found)
                assert_float_equal(spread_quantile(&low->leads, 0.5), lead_s, 1e-9);
}

static void found_is_who_had_an_alert_in_time(void **state) {
        Fixture *f = *state;

        expect_found(state, S(7000), S(7100), true, 3000);
        expect_found(state, S(11000), TIME_NONE, true, -1000); /* late is found too, with a negative lead */
        expect_found(state, S(5000), S(6000), false, 0);       /* too early to have to do with it */
        expect_found(state, S(5000), S(6500), true, 3600);     /* still active within the horizon */
        expect_found(state, S(5000), TIME_NONE, true, 3600);
        assert_int_equal(burden_total(f->burden)->labelled, 5);
        assert_int_equal(burden_rule(f->burden, 0)->alarmed, 0);
}

static void of_all_rules_together_the_earliest_counts(void **state) {
        Fixture *f = *state;
        Burden *b = f->burden;
        RuleBurden *any = burden_rule(b, 3);

        burden_begin(b, S(10000));
        tell(b, "Silent", PRIORITY_TECHNICAL, TRANSITION_RAISED, S(1));
        tell(b, "Low", PRIORITY_HIGH, TRANSITION_RAISED, S(5000));
        tell(b, "Fast", PRIORITY_MEDIUM, TRANSITION_RAISED, S(9000));
        assert_int_equal(burden_end(b, S(12000), S(12000)), 0);
        assert_int_equal(any->found, 1);
        assert_float_equal(spread_quantile(&any->leads, 0.5), 3600, 1e-9);
        assert_float_equal(spread_quantile(&burden_rule(b, 1)->leads, 0.5), 1000, 1e-9);
}

static void quantiles_lie_between_ranks(void **state) {
        _cleanup_(spread_done) Spread s = { 0 };

        assert_true(isnan(spread_quantile(&s, 0.5)));
        for (int i = 10; i >= 0; i--)
                assert_int_equal(spread_add(&s, i), 0);
        assert_float_equal(spread_quantile(&s, 0.5), 5, 1e-9);
        assert_float_equal(spread_quantile(&s, 0.9), 9, 1e-9);
        assert_float_equal(spread_quantile(&s, 0.25), 2.5, 1e-9);
        assert_float_equal(spread_quantile(&s, 1), 10, 1e-9);
}

static void a_spread_stays_bounded_and_fair(void **state) {
        _cleanup_(spread_done) Spread s = { 0 };

        for (int i = 0; i < 20 * SPREAD_MAX; i++)
                assert_int_equal(spread_add(&s, i), 0);
        assert_int_equal(s.count, SPREAD_MAX);
        assert_float_equal(spread_quantile(&s, 0.5) / (20 * SPREAD_MAX), 0.5, 0.02);
        assert_float_equal(spread_quantile(&s, 0.9) / (20 * SPREAD_MAX), 0.9, 0.02);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(alerts_are_counted_with_their_durations),
                TEST(who_has_no_label_is_alarmed_for_nothing),
                TEST(found_is_who_had_an_alert_in_time),
                TEST(of_all_rules_together_the_earliest_counts),
                cmocka_unit_test(quantiles_lie_between_ranks),
                cmocka_unit_test(a_spread_stays_bounded_and_fair),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
