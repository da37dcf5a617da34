/* The language of rules: what an expression means, what unknown means, and what is said of a mistake. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "rules/watched.h"

enum { NOW = 1000 }; /* seconds */

typedef struct Had {
        const char *vital;
        double value;
        int age; /* seconds, falling */
} Had;

/* A heart rate that rises to 100, spo2 90 a second ago, a temperature of 38 that is two minutes old, and never an rr. */
static const Had patient[] = {
        { "temp", 38, 120 },
        { "hr", 80, 31 },
        { "hr", 90, 21 },
        { "hr", 100, 1 },
        { "spo2", 90, 1 },
};

typedef struct Bench {
        Catalogue *catalogue;
        Vocabulary words;
        const Had *had;
        size_t had_count;
        double o2;
        bool scale2;
} Bench;

static int setup(void **state) {
        Bench *b = calloc(1, sizeof *b);

        if (!b || catalogue_new(&b->catalogue) < 0)
                return -1;
        vocabulary_init(&b->words, b->catalogue);
        b->had = patient;
        b->had_count = ELEMENTS(patient);
        b->o2 = (double) NAN;
        *state = b;
        return 0;
}

static int teardown(void **state) {
        Bench *b = *state;

        catalogue_free(b->catalogue);
        free(b);
        return 0;
}

static VitalId vital(const Bench *b, const char *name) {
        return catalogue_find(b->catalogue, name)->id;
}

/* What the subject had, in the order in which it came. */
static void remember(const Bench *b, const RuleSet *s, Watched *w) {
        Heap timers = { 0 };

        for (size_t i = 0; i < b->had_count; i++) {
                uint16_t slot = s->slot_of[vital(b, b->had[i].vital)];
                int64_t at = (NOW - b->had[i].age) * USEC_PER_SEC;

                if (slot == SLOT_NONE)
                        continue;
                assert_int_equal(watched_add(w, s, slot, b->had[i].value, at, &timers), 0);
                w->latest[slot].value = b->had[i].value;
                w->latest[slot].seen_us = at;
        }
        for (size_t i = 0; i < s->limit_count; i++)
                w->limits[i] = s->limits[i].number;
        w->o2 = b->o2;
        w->scale2 = b->scale2;
}

static double evaluate_as(Bench *b, const char *text, ExpressionUse use, double *ret_value) {
        _cleanup_(rule_set_freep) RuleSet *s = NULL;
        _cleanup_(watched_freep) Watched *w = NULL;
        Expression x;
        size_t offset;
        Error e;

        assert_int_equal(rule_set_new(b->catalogue, &s), 0);
        for (size_t i = 0; i < b->words.limit_count; i++) {
                Limit *l = &b->words.limits[i];
                assert_int_equal(rule_set_add_limit(s, l->name, l->number, &l->row), 0);
        }
        if (expression_parse(text, use, &b->words, &x, &offset, &e) < 0)
                fail_msg("%s: %zu: %s", text, offset, e.message);
        assert_int_equal(index_expression(s, &x, COUNT_NONE, &e), 0);
        assert_int_equal(watched_new(s, 0, &w), 0);
        remember(b, s, w);
        const Scope scope = watched_scope(w, NOW * USEC_PER_SEC);
        double v = expression_evaluate(&x, &scope, ret_value);
        expression_done(&x);
        return v;
}

static Truth evaluate(Bench *b, const char *text, double *ret_value) {
        return truth_of(evaluate_as(b, text, EXPRESSION_RULE, ret_value));
}

static double number(Bench *b, const char *text) {
        double value;

        return evaluate_as(b, text, EXPRESSION_SUMMARY, &value);
}

static void truths(Bench *b, Truth expected, const char *const *texts, size_t n) {
        double value;

        for (size_t i = 0; i < n; i++)
                if (evaluate(b, texts[i], &value) != expected)
                        fail_msg("%s: expected %d", texts[i], (int) expected);
}

static void comparisons_and_arithmetic(void **state) {
        static const char *const is_true[] = {
                "spo2 < 91",
                "spo2 <= 90",
                "spo2 >= 90",
                "hr > 99.5",
                "hr == 100",
                "hr != 99",
                "hr == 1e2",
                "hr + spo2 == 190",
                "hr - spo2 - 5 == 5",
                "hr / 10 / 2 == 5",
                "hr - 2 * 3 == 94",
                "(hr - 2) * 3 == 294",
                "-hr == -100",
                "--hr == 100",
                "-hr + 200 == 100",
                "2*-hr == -200",
                "\thr\n >\r 1",
        };
        static const char *const is_false[] = { "spo2 < 90", "hr > 100", "hr == 99", "hr != 100" };

        truths(*state, TRUTH_TRUE, is_true, ELEMENTS(is_true));
        truths(*state, TRUTH_FALSE, is_false, ELEMENTS(is_false));
}

static void and_binds_tighter_than_or_and_not_tighter_than_and(void **state) {
        static const char *const is_true[] = {
                "hr > 1 or hr > 1 and hr < 1",
                "not hr < 1 and hr > 1",
                "not (hr < 1 and hr > 1)",
                "not not hr > 1",
                "hr > 1 and not spo2 > 95",
                "not hr > 1 or hr > 1",
        };
        static const char *const is_false[] = { "(hr > 1 or hr > 1) and hr < 1", "not hr > 1 or hr < 1",
                "not hr < 1 and hr < 1" };

        truths(*state, TRUTH_TRUE, is_true, ELEMENTS(is_true));
        truths(*state, TRUTH_FALSE, is_false, ELEMENTS(is_false));
}

/* rr was never had, temp is stale: both are unknown. */
static void unknown_spreads_as_kleene_has_it(void **state) {
        static const char *const unknown[] = {
                "rr > 20",
                "temp > 37",
                "temp + 1 > 37",
                "-temp < 0",
                "not rr > 20",
                "rr > 20 and hr > 1",
                "hr > 1 and rr > 20",
                "rr > 20 or hr < 1",
                "hr < 1 or rr > 20",
                "rr == rr",
                "rr != rr",
                "hr / (spo2 - 90) > 1",
                "1 / (hr / (spo2 - 90)) == 0",
                "hr * 1e300 * 1e300 > 1",
        };
        static const char *const is_false[] = { "rr > 20 and hr < 1", "hr < 1 and rr > 20",
                "not (rr > 20 or hr > 1)" };
        static const char *const is_true[] = { "rr > 20 or hr > 1", "hr > 1 or rr > 20" };

        truths(*state, TRUTH_UNKNOWN, unknown, ELEMENTS(unknown));
        truths(*state, TRUTH_FALSE, is_false, ELEMENTS(is_false));
        truths(*state, TRUTH_TRUE, is_true, ELEMENTS(is_true));
}

static void absent_is_unknown_of_what_never_was(void **state) {
        static const char *const is_true[] = { "absent(temp, 120s)", "absent(temp, 1m30s) and hr > 1",
                "absent(hr, 1s)" };
        static const char *const is_false[] = { "absent(temp, 121s)", "absent(hr, 2s)" };
        static const char *const unknown[] = { "absent(rr, 1s)", "not absent(rr, 1s)" };

        truths(*state, TRUTH_TRUE, is_true, ELEMENTS(is_true));
        truths(*state, TRUTH_FALSE, is_false, ELEMENTS(is_false));
        truths(*state, TRUTH_UNKNOWN, unknown, ELEMENTS(unknown));
}

static void the_value_is_of_the_first_vital(void **state) {
        double value;

        (void) evaluate(*state, "5 < hr - spo2", &value);
        assert_true(value == 100);
        (void) evaluate(*state, "absent(hr, 5s) or spo2 < 80", &value);
        assert_true(value == 90);
        (void) evaluate(*state, "temp > 1", &value);
        assert_true(isnan(value));
        (void) evaluate(*state, "absent(hr, 5s)", &value);
        assert_true(isnan(value));
        (void) evaluate(*state, "1 < mean(hr, 1m)", &value);
        assert_true(value == 90);
        (void) evaluate(*state, "age(temp) > 60", &value);
        assert_true(value == 120);
}

static void windows_look_back(void **state) {
        static const char *const is_true[] = {
                "mean(hr, 1m) == 90",
                "mean(hr, 25s) == 95",
                "min(hr, 1m) == 80",
                "max(hr, 1m) == 100",
                "stddev(hr, 1m) * stddev(hr, 1m) < 66.67",
                "delta(hr, 1m) == 20",
                "abs(rate(hr, 1m) - 20 / 30) < 1e-9",
                "zscore(hr, 1m) == 3",
                "robust_zscore(hr, 1m) < 1",
                "median(hr, 1m) == 90",
                "mad(hr, 1m) == 10",
                "noise(hr, 1m) == 10",
                "ewma(hr, 1m) > 90",
                "count(hr, 1m) == 3",
                "count(hr, 31s) == 2",
                "count(hr, 31001ms) == 3",
        };
        static const char *const is_false[] = { "stuck(hr, 1m)", "not not stuck(hr, 1m)" };

        truths(*state, TRUTH_TRUE, is_true, ELEMENTS(is_true));
        truths(*state, TRUTH_FALSE, is_false, ELEMENTS(is_false));
}

/* The temperature has left its minute, rr never was. */
static void windows_without_values_are_unknown_but_for_their_count(void **state) {
        static const char *const unknown[] = { "mean(temp, 1m) > 1", "mean(rr, 1m) > 1", "stuck(temp, 1m)",
                "stuck(rr, 24h)", "delta(spo2, 1m) > 0", "max(rr, 1h) - min(rr, 1h) > 0" };
        static const char *const is_true[] = { "count(temp, 1m) == 0", "count(rr, 1m) == 0" };

        truths(*state, TRUTH_UNKNOWN, unknown, ELEMENTS(unknown));
        truths(*state, TRUTH_TRUE, is_true, ELEMENTS(is_true));
}

static void age_is_in_seconds(void **state) {
        static const char *const is_true[] = { "age(temp) > 119", "age(temp) >= 120", "120 <= age(temp)",
                "(age(temp)) == (120)", "age(temp) > 119.5" };
        static const char *const is_false[] = { "age(temp) > 120", "age(hr) > 1" };
        static const char *const unknown[] = { "age(rr) > 1" };

        truths(*state, TRUTH_TRUE, is_true, ELEMENTS(is_true));
        truths(*state, TRUTH_FALSE, is_false, ELEMENTS(is_false));
        truths(*state, TRUTH_UNKNOWN, unknown, ELEMENTS(unknown));
        assert_true(number(*state, "age(temp) / 60") == 2);
}

static void abs_drops_the_sign(void **state) {
        static const char *const is_true[] = { "abs(hr - 190) == 90", "abs(spo2) == 90",
                "-abs(-(hr + 1)) == -101" };
        static const char *const unknown[] = { "abs(rr) > 1" };

        truths(*state, TRUTH_TRUE, is_true, ELEMENTS(is_true));
        truths(*state, TRUTH_UNKNOWN, unknown, ELEMENTS(unknown));
}

static void add_limit(Bench *b, const char *name, double number) {
        Limit *l = &b->words.limits[b->words.limit_count++];

        *l = (Limit){ .number = number };
        (void) snprintf(l->name, sizeof l->name, "%s", name);
}

static void limits_stand_for_numbers(void **state) {
        static const char *const is_true[] = { "spo2 < spo2_low", "spo2_low - 1 == spo2" };
        double value;

        add_limit(*state, "spo2_low", 91);
        truths(*state, TRUTH_TRUE, is_true, ELEMENTS(is_true));
        (void) evaluate(*state, "spo2_low > spo2", &value);
        assert_true(value == 90);
}

static void what_is_assumed_stands_in_for_what_is_not_fresh(void **state) {
        static const char *const is_true[] = { "temp == 36.5", "rr == 16", "rr + hr == 116", "not rr > 20",
                "absent(temp, 1m)" };
        static const char *const unknown[] = { "absent(rr, 1m)", "mean(rr, 1m) > 1", "sbp > 1" };
        Bench *b = *state;

        b->words.assume[vital(b, "temp")] = 36.5;
        b->words.assume[vital(b, "rr")] = 16;
        b->words.assume[vital(b, "hr")] = 60;
        truths(b, TRUTH_TRUE, is_true, ELEMENTS(is_true));
        truths(b, TRUTH_UNKNOWN, unknown, ELEMENTS(unknown));
}

/* RR 22 scores 2, SpO2 93 scores 2, oxygen 2, systolic 105 1, pulse 95 1, alert 0, 38.5 Cel 1. */
static const Had charted[] = { { "rr", 22, 9 }, { "spo2", 93, 9 }, { "o2", 1, 9 }, { "sbp", 105, 9 },
        { "hr", 140, 9 }, { "pulse", 95, 9 }, { "acvpu", 0, 9 }, { "temp", 38.5, 9 } };

static void news2_takes_its_vitals_by_itself(void **state) {
        Bench *b = *state;
        double value;

        b->had = charted;
        b->had_count = ELEMENTS(charted);
        assert_true(number(b, "news2()") == 9);
        assert_true(number(b, "news2_any()") == 2);
        assert_true(number(b, "news2_rr()") == 2);
        assert_true(number(b, "news2_spo2()") == 2);
        assert_true(number(b, "news2_o2()") == 2);
        assert_true(number(b, "news2_sbp()") == 1);
        assert_true(number(b, "news2_pulse()") == 1);
        assert_true(number(b, "news2_acvpu()") == 0);
        assert_true(number(b, "news2_temp()") == 1);
        assert_true(number(b, "1 + news2() * 2 - news2_rr()") == 17);
        assert_int_equal(evaluate(b, "hr < 1 or news2() >= 7", &value), TRUTH_TRUE);
        assert_true(value == 140);
        assert_int_equal(evaluate(b, "news2_any() == 3 or news2() >= 7", &value), TRUTH_TRUE);
        assert_true(value == 2);
        b->scale2 = true; /* 93 % on oxygen */
        assert_true(number(b, "news2_spo2()") == 1);
        assert_true(number(b, "news2()") == 8);
}

static void a_part_of_news2_may_be_unknown(void **state) {
        Bench *b = *state;

        b->had = charted;
        b->had_count = 5; /* up to hr, which stands in for the pulse */
        assert_true(number(b, "news2_pulse()") == 3);
        assert_true(isnan(number(b, "news2()")));
        assert_true(number(b, "news2_any()") == 3);
        b->had_count = 4;
        assert_true(isnan(number(b, "news2_pulse()")));
        assert_true(isnan(number(b, "news2_any()")));
}

/* Fresh, then said of the subject, then assumed; a fresh hr before an assumed pulse. */
static void news2_takes_what_is_nearest(void **state) {
        Bench *b = *state;

        b->had = charted;
        b->had_count = 5;
        b->words.assume[vital(b, "acvpu")] = 0;
        b->words.assume[vital(b, "temp")] = 37;
        b->words.assume[vital(b, "pulse")] = 70;
        b->words.assume[vital(b, "o2")] = 0;
        assert_true(number(b, "news2()") == 2 + 2 + 2 + 1 + 3);
        b->o2 = 0;
        assert_true(number(b, "news2_o2()") == 2);
        b->had_count = 2;
        assert_true(number(b, "news2_pulse()") == 0);
        b->words.assume[vital(b, "pulse")] = (double) NAN;
        b->words.assume[vital(b, "hr")] = 120;
        assert_true(number(b, "news2_pulse()") == 2);
        assert_true(number(b, "news2_o2()") == 0);
        b->o2 = 1;
        assert_true(number(b, "news2_o2()") == 2);
        b->o2 = (double) NAN;
        b->words.assume[vital(b, "o2")] = 1;
        assert_true(number(b, "news2_o2()") == 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(comparisons_and_arithmetic, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                and_binds_tighter_than_or_and_not_tighter_than_and, setup, teardown),
                cmocka_unit_test_setup_teardown(unknown_spreads_as_kleene_has_it, setup, teardown),
                cmocka_unit_test_setup_teardown(absent_is_unknown_of_what_never_was, setup, teardown),
                cmocka_unit_test_setup_teardown(the_value_is_of_the_first_vital, setup, teardown),
                cmocka_unit_test_setup_teardown(windows_look_back, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                windows_without_values_are_unknown_but_for_their_count, setup, teardown),
                cmocka_unit_test_setup_teardown(age_is_in_seconds, setup, teardown),
                cmocka_unit_test_setup_teardown(abs_drops_the_sign, setup, teardown),
                cmocka_unit_test_setup_teardown(limits_stand_for_numbers, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                what_is_assumed_stands_in_for_what_is_not_fresh, setup, teardown),
                cmocka_unit_test_setup_teardown(news2_takes_its_vitals_by_itself, setup, teardown),
                cmocka_unit_test_setup_teardown(a_part_of_news2_may_be_unknown, setup, teardown),
                cmocka_unit_test_setup_teardown(news2_takes_what_is_nearest, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
