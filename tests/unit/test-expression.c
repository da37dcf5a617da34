/* The language of rules: what an expression means, what unknown means, and what is said of a mistake. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "rules/expression.h"

enum { NOW = 1000 }; /* seconds */

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

/* A patient with hr 100 and spo2 90, both a second old, a temperature of 38 that is two minutes old, and never an rr. */
static Truth evaluate(const Catalogue *c, const char *text, double *ret_value) {
        static const struct {
                const char *vital;
                double value;
                int64_t age;
        } had[] = { { "hr", 100, 1 }, { "spo2", 90, 1 }, { "temp", 38, 120 } };
        Latest latest[VITALS_MAX];
        Expression x;
        size_t offset;
        Error e;

        for (size_t i = 0; i < VITALS_MAX; i++)
                latest[i] = (Latest){ .seen_us = TIME_NONE };
        for (size_t i = 0; i < ELEMENTS(had); i++)
                latest[catalogue_find(c, had[i].vital)->id] = (Latest){
                        .value = had[i].value,
                        .seen_us = (NOW - had[i].age) * USEC_PER_SEC,
                };
        if (expression_parse(text, c, &x, &offset, &e) < 0)
                fail_msg("%s: %zu: %s", text, offset, e.message);
        for (size_t i = 0; i < x.count; i++) {
                x.ops[i].slot = x.ops[i].vital;
                if (x.ops[i].code == OP_VITAL)
                        x.ops[i].age_us = FRESHNESS_DEFAULT;
        }
        Truth t = expression_evaluate(&x, latest, NOW * USEC_PER_SEC, ret_value);
        expression_done(&x);
        return t;
}

static void truths(const Catalogue *c, Truth expected, const char *const *texts, size_t n) {
        double value;

        for (size_t i = 0; i < n; i++)
                if (evaluate(c, texts[i], &value) != expected)
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
}

static void mistakes_have_a_place(void **state) {
        static const struct {
                const char *text;
                size_t offset;
                const char *message;
        } cases[] = {
                { "", 0,
                                "expected a vital, a number, a function, 'not' or '(', found the end of the "
                                "expression" },
                { "hr >", 4,
                                "expected a vital, a number, a function, 'not' or '(', found the end of the "
                                "expression" },
                { "hr > > 3", 5, "expected a vital, a number, a function, 'not' or '(', found '>'" },
                { "hr > 1 2", 7, "expected an operator or the end of the expression, found '2'" },
                { "hr > 1 hr", 7, "expected an operator or the end of the expression, found 'hr'" },
                { "(hr > 1", 7, "expected an operator or ')', found the end of the expression" },
                { "hr > 1)", 6, "expected an operator or the end of the expression, found ')'" },
                { "hr > 1 and spo < 90", 11, "unknown vital 'spo': did you mean 'spo2'?" },
                { "hr > 1 and qqqqqqqq < 90", 11,
                                "unknown vital 'qqqqqqqq': expected one of the catalogue's, such as hr" },
                { "mean(temp, 10m) > 38.5", 0,
                                "unknown function 'mean': expected one of: absent(vital, duration)" },
                { "hr > 1 and absent(hr)", 20, "expected ',' and a duration, found ')'" },
                { "absent(30s, hr)", 7, "expected a vital, found '30s'" },
                { "absent(hr, 30)", 11, "expected a duration from 1s to 7d, found '30'" },
                { "absent(hr, 10ms)", 11, "expected a duration from 1s to 7d, found '10ms'" },
                { "absent(hr, 8d)", 11, "expected a duration from 1s to 7d, found '8d'" },
                { "absent(hr, 30s", 14, "expected ')', found the end of the expression" },
                { "absent(spo, 30s)", 7, "unknown vital 'spo': did you mean 'spo2'?" },
                { "hr = 3", 3, "'=': write '=='" },
                { "hr > 1 && hr < 2", 7, "'&&': write 'and'" },
                { "hr > 1 || hr < 2", 7, "'||': write 'or'" },
                { "!(hr > 1)", 0, "'!': write 'not'" },
                { "spo2 < 90%", 9, "unexpected '%'" },
                { "spo2 < 90\xC2\xB0", 9, "unexpected byte 0xc2" },
                { "hr > 12x", 5, "'12x': expected a number such as 38.5 or a duration such as 30s" },
                { "hr > 0x10", 5, "'0x10': expected a number such as 38.5 or a duration such as 30s" },
                { "hr > 1.2.3", 5, "'1.2.3': expected a number such as 38.5 or a duration such as 30s" },
                { "hr > 1e999", 5, "'1e999': number is too large" },
                { "hr > 30s", 5, "expected a vital, a number, a function, 'not' or '(', found '30s'" },
                { "hr", 0, "expected a condition such as spo2 < 90, found a number" },
                { "80 < hr < 90", 0,
                                "'<' takes numbers: found a condition (conditions are joined by 'and', "
                                "'or')" },
                { "hr > 1 == 1", 0,
                                "'==' takes numbers: found a condition (conditions are joined by 'and', "
                                "'or')" },
                { "1 + (hr > 1) > 1", 4,
                                "'+' takes numbers: found a condition (conditions are joined by 'and', "
                                "'or')" },
                { "hr and spo2 < 90", 0,
                                "'and' joins conditions: expected a comparison such as spo2 < 90, found a "
                                "number" },
                { "spo2 < 90 or hr", 13,
                                "'or' joins conditions: expected a comparison such as spo2 < 90, found a "
                                "number" },
                { "not hr", 4,
                                "'not' joins conditions: expected a comparison such as spo2 < 90, found a "
                                "number" },
                { "-(hr > 1) > 1", 1,
                                "'-' takes numbers: found a condition (conditions are joined by 'and', "
                                "'or')" },
                { "1 < 2", 0, "names no vital: it would never be evaluated" },
        };
        Expression x;
        size_t offset;
        Error e;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                if (expression_parse(cases[i].text, *state, &x, &offset, &e) == 0)
                        fail_msg("%s: accepted", cases[i].text);
                if (offset != cases[i].offset || strcmp(e.message, cases[i].message) != 0)
                        fail_msg("%s: at %zu: %s", cases[i].text, offset, e.message);
        }
}

/* text repeated n times around hr > 1 */
static int parse_repeated(const Catalogue *c, const char *before, const char *after, size_t n, Error *e) {
        char text[8192] = "";
        size_t used = 0, offset;
        Expression x;

        for (size_t i = 0; i < n; i++)
                used += (size_t) snprintf(text + used, sizeof text - used, "%s", before);
        used += (size_t) snprintf(text + used, sizeof text - used, "hr > 1");
        for (size_t i = 0; i < n; i++)
                used += (size_t) snprintf(text + used, sizeof text - used, "%s", after);
        int r = expression_parse(text, c, &x, &offset, e);
        if (r == 0)
                expression_done(&x);
        return r;
}

static void size_and_depth_are_bounded(void **state) {
        Error e;

        assert_int_equal(parse_repeated(*state, "(", ")", 30, &e), 0);
        assert_true(parse_repeated(*state, "(", ")", 40, &e) < 0);
        assert_string_equal(e.message, "nested deeper than 32 levels");
        assert_true(parse_repeated(*state, "not ", "", 40, &e) < 0);
        assert_string_equal(e.message, "nested deeper than 32 levels");
        assert_int_equal(parse_repeated(*state, "hr<1 or ", "", 100, &e), 0);
        assert_true(parse_repeated(*state, "hr<1 or ", "", 200, &e) < 0);
        assert_string_equal(e.message, "expression is too long: split it into two rules");
        assert_true(parse_repeated(*state, "hr < 1 or ", "", 300, &e) < 0);
        assert_string_equal(e.message, "longer than 2048 characters");
        /* what waits for its right-hand side fills the stack */
        assert_int_equal(parse_repeated(*state, "hr<1 or hr<1 and (", ")", 7, &e), 0);
        assert_true(parse_repeated(*state, "hr<1 or hr<1 and (", ")", 8, &e) < 0);
        assert_string_equal(e.message, "expression is too long: split it into two rules");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(comparisons_and_arithmetic),
                cmocka_unit_test(and_binds_tighter_than_or_and_not_tighter_than_and),
                cmocka_unit_test(unknown_spreads_as_kleene_has_it),
                cmocka_unit_test(absent_is_unknown_of_what_never_was),
                cmocka_unit_test(the_value_is_of_the_first_vital),
                cmocka_unit_test(mistakes_have_a_place),
                cmocka_unit_test(size_and_depth_are_bounded),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
