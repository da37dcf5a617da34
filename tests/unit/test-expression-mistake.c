/* What is said of a mistake in an expression, with its place, and what may stand where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "rules/expression.h"

/* With a limit. */
static int setup(void **state) {
        Vocabulary *words = calloc(1, sizeof *words);
        Catalogue *c;

        if (!words || catalogue_new(&c) < 0)
                return -1;
        vocabulary_init(words, c);
        words->limits[words->limit_count++] = (Limit){ .name = "spo2_low", .number = 91 };
        *state = words;
        return 0;
}

static int teardown(void **state) {
        Vocabulary *words = *state;

        catalogue_free((Catalogue *) words->catalogue);
        free(words);
        return 0;
}

static void counts_across_subjects_are_read(void **state) {
        static const char *const texts[] = {
                "count(temp > 38 by ward) >= 3",
                "count(temp > 38 by ward, 24h) >= 3",
                "count(mean(temp, 1h) > 38 or news2() > 4 by ward) / count(hr > 0 by ward) > 0.5 and 1 < 2",
                "count(count(hr, 1m) < 2 by ward) > spo2_low",
        };
        static const size_t counts[] = { 1, 1, 2, 1 };
        Vocabulary *words = *state;

        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                Expression x;
                size_t offset;
                Error e;

                if (expression_parse(texts[i], EXPRESSION_RULE, words, &x, &offset, &e) < 0)
                        fail_msg("%s: %zu: %s", texts[i], offset, e.message);
                assert_int_equal(x.count_count, counts[i]);
                assert_string_equal(x.by, "ward");
                expression_done(&x);
        }
}

/* What a rule may be that a summary or a probe may not, and the other way round. */
static void each_use_takes_its_own(void **state) {
        static const struct {
                const char *text;
                ExpressionUse use;
                const char *message;
        } cases[] = {
                { "hr", EXPRESSION_SUMMARY, NULL },
                { "age(hr)", EXPRESSION_SUMMARY, NULL },
                { "1 + 2", EXPRESSION_SUMMARY, NULL },
                { "hr > 1", EXPRESSION_SUMMARY, "expected a number to show, found a condition" },
                { "count(hr > 1 by ward)", EXPRESSION_SUMMARY,
                                "count(... by ...) is for a rule's expr: {{ value }} shows its first one" },
                { "hr", EXPRESSION_PROBE, NULL },
                { "hr > 1", EXPRESSION_PROBE, NULL },
                { "1 < 2", EXPRESSION_PROBE, NULL },
        };
        Vocabulary *words = *state;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Expression x = { 0 };
                size_t offset;
                Error e;
                int r = expression_parse(cases[i].text, cases[i].use, words, &x, &offset, &e);

                if ((r < 0) != (cases[i].message != NULL))
                        fail_msg("%s: %s", cases[i].text, r < 0 ? e.message : "accepted");
                if (r < 0)
                        assert_string_equal(e.message, cases[i].message);
                expression_done(&x);
        }
}

static const struct {
        const char *text;
        size_t offset;
        const char *message;
} mistakes[] = {
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
        { "spo2 <= spo2_lo", 8, "unknown vital 'spo2_lo': did you mean 'spo2_low'?" },
        { "mena(temp, 10m) > 38.5", 0, "unknown function 'mena': did you mean 'mean'?" },
        { "qqqqqqqq(temp, 10m) > 38.5", 0,
                        "unknown function 'qqqqqqqq': expected one of: absent, age, abs, mean, min, "
                        "max, stddev, delta, rate, zscore, ewma, count, median, mad, robust_zscore, "
                        "noise, stuck, news2, news2_any, news2_rr, news2_spo2, news2_o2, news2_sbp, "
                        "news2_pulse, news2_acvpu, news2_temp" },
        { "spo2(1m) > 90", 0,
                        "'spo2' is a vital, not a function: write spo2, or a function of it such as "
                        "mean(spo2, 1m)" },
        { "mean > 38", 0, "'mean' is a function: write mean(vital, duration)" },
        { "news2 > 5", 0, "'news2' is a function: write news2()" },
        { "news2(hr) > 5", 6, "expected ')': it takes its vitals by itself, found 'hr'" },
        { "hr > 1 and absent(hr)", 20, "expected ',' and a duration, such as absent(hr, 10m), found ')'" },
        { "mean(temp) > 38", 9, "expected ',' and a duration, such as mean(temp, 10m), found ')'" },
        { "count(temp) > 38", 10, "expected ',' and a duration, such as count(temp, 10m), found ')'" },
        { "absent(30s, hr)", 7, "expected a vital, such as absent(temp, 10m), found '30s'" },
        { "count(10m, hr) > 1", 6, "expected a vital, such as count(temp, 10m), found '10m'" },
        { "mean(hr + 1, 10m) > 1", 8, "expected ',' and a duration, such as mean(hr, 10m), found '+'" },
        { "mean(temp, 10min) > 38", 11, "'10min': unknown unit 'min': expected us, ms, s, m, h, d or w" },
        { "mean(temp, 2d) > 38", 11, "expected a duration from 1s to 1d, found '2d'" },
        { "stuck(temp, 1h) > 1", 0,
                        "'>' takes numbers: found a condition (conditions are joined by 'and', "
                        "'or')" },
        { "mean(temp, 10m)", 0, "expected a condition such as spo2 < 90, found a number" },
        { "abs(hr > 1) > 1", 4, "abs() takes a number: found a condition" },
        { "age(spo2) > hr", 0, "age() is compared with a number of seconds: write age(spo2) > 30" },
        { "hr > 1 and 2 * age(spo2) > 30", 15,
                        "age() is compared with a number of seconds: write age(spo2) > 30" },
        { "age(spo2) > age(hr) or age(temp) > 5", 0,
                        "age() is compared with a number of seconds: write age(spo2) > 30" },
        { "age(temp) > 5 or 2 * age(spo2) > age(hr) or 5 < age(temp)", 21,
                        "age() is compared with a number of seconds: write age(spo2) > 30" },
        { "age(spo2) > 0", 12, "age() is in seconds: expected a number from 1 to 604800 (7d)" },
        { "age(spo2) > spo2_low", 0, "age() is compared with a number of seconds: write age(spo2) > 30" },
        { "hr > 1 AND spo2 < 90", 7,
                        "expected an operator or the end of the expression, found 'AND': did you "
                        "mean 'and'?" },
        { "count(temp > 38) > 2", 15,
                        "expected 'by' and an attribute, such as count(temp > 38 by ward), found "
                        "')'" },
        { "count(temp > 38 by 7) > 2", 19, "expected an attribute of subjects, such as ward, found '7'" },
        { "count(temp > 38 by Ward) > 2", 19,
                        "'Ward': expected an attribute: a small letter, then up to 22 small "
                        "letters, "
                        "digits or '_'" },
        { "count(temp > 38 by ward, 8d) > 2", 25, "expected a duration from 1s to 7d, found '8d'" },
        { "count(temp + 38 by ward) > 2", 6,
                        "expected a condition on vitals, such as count(temp > 38 by ward)" },
        { "count(1 < 2 by ward) > 2", 6,
                        "expected a condition on vitals, such as count(temp > 38 by ward)" },
        { "count(count(hr > 1 by ward) > 2 by ward) > 2", 6,
                        "count(... by ...) does not stand inside another one" },
        { "count(hr > 1 by ward) > count(hr > 1 by floor)", 40,
                        "all counts of a rule are by the same attribute: expected ward" },
        { "count(hr > 1 by ward) > 2 and news2() > 5", 30,
                        "a rule that counts subjects has no vital of its own: expected numbers and "
                        "limits outside of count(... by ward)" },
        { "spo2 < 90 and count(hr > 1 by ward) > 2", 0,
                        "a rule that counts subjects has no vital of its own: expected numbers and "
                        "limits outside of count(... by ward)" },
        { "count(age(temp) > age(hr) or age(hr) > 5 by ward) > 1", 6,
                        "age() is compared with a number of seconds: write age(spo2) > 30" },
        { "count(age(hr) > spo2 by ward) > 2", 6,
                        "age() is compared with a number of seconds: write age(spo2) > 30" },
        { "hr > 1 by ward", 7, "expected an operator or the end of the expression, found 'by'" },
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
        { "hr > 12x", 5, "'12x': unknown unit 'x': expected us, ms, s, m, h, d or w" },
        { "hr > 0x10", 5, "'0x10': expected a number such as 38.5 or a duration such as 30s" },
        { "hr > 1.2.3", 5, "'1.2.3': expected a number such as 38.5 or a duration such as 30s" },
        { "hr > 1e999", 5, "'1e999': number is too large" },
        { "hr > 30s", 5, "expected a vital, a number, a function, 'not' or '(', found '30s'" },
        { "hr", 0, "expected a condition such as spo2 < 90, found a number" },
        { "80 < hr < 90", 8, "comparisons do not chain: write 80 < hr and hr < 90" },
        { "80 <= hr + 1 < 2 * (spo2 - 3) or hr > 1", 13,
                        "comparisons do not chain: write 80 <= hr + 1 and hr + 1 < 2 * (spo2 - 3)" },
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

static void mistakes_have_a_place(void **state) {
        Vocabulary *words = *state;
        Expression x;
        size_t offset;
        Error e;

        for (size_t i = 0; i < ELEMENTS(mistakes); i++) {
                if (expression_parse(mistakes[i].text, EXPRESSION_RULE, words, &x, &offset, &e) == 0)
                        fail_msg("%s: accepted", mistakes[i].text);
                if (offset != mistakes[i].offset || strcmp(e.message, mistakes[i].message) != 0)
                        fail_msg("%s: at %zu: %s", mistakes[i].text, offset, e.message);
        }
}

/* text repeated n times around the middle */
static int parse_around(Vocabulary *words, const char *before, const char *middle, const char *after,
                size_t n, Error *e) {
        char text[8192] = "";
        size_t used = 0, offset;
        Expression x;

        for (size_t i = 0; i < n; i++)
                used += (size_t) snprintf(text + used, sizeof text - used, "%s", before);
        used += (size_t) snprintf(text + used, sizeof text - used, "%s", middle);
        for (size_t i = 0; i < n; i++)
                used += (size_t) snprintf(text + used, sizeof text - used, "%s", after);
        int r = expression_parse(text, EXPRESSION_RULE, words, &x, &offset, e);
        if (r == 0)
                expression_done(&x);
        return r;
}

static int parse_repeated(Vocabulary *words, const char *before, const char *after, size_t n, Error *e) {
        return parse_around(words, before, "hr > 1", after, n, e);
}

static void size_and_depth_are_bounded(void **state) {
        static const char left[] = "hr<1 or hr<1 and (";
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
        assert_int_equal(parse_around(*state, left, "1 + news2() > 1", ")", 7, &e), 0);
        assert_true(parse_around(*state, left, "1 + news2() > 1", ")", 9, &e) < 0);
        assert_string_equal(e.message, "expression is too long: split it into two rules");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(counts_across_subjects_are_read),
                cmocka_unit_test(each_use_takes_its_own),
                cmocka_unit_test(mistakes_have_a_place),
                cmocka_unit_test(size_and_depth_are_bounded),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
