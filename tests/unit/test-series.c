/* The notation of series in files of rule tests. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/series.h"

/* NaN stands for a gap. */
static void expect(const char *text, size_t n, const double *values) {
        _cleanup_(series_done) Series s = { 0 };
        size_t offset;
        Error e;

        if (series_parse(text, &s, &offset, &e) < 0)
                fail_msg("%s: %s", text, e.message);
        assert_int_equal(s.count, n);
        for (size_t i = 0; i < n; i++)
                assert_true(isnan(values[i]) ? isnan(s.values[i]) : fabs(s.values[i] - values[i]) < 1e-12);
}

#define EXPECT(text, ...)                                                                                   \
        expect(text, sizeof((double[]){ __VA_ARGS__ }) / sizeof(double), (double[]){ __VA_ARGS__ })

static void refuse(const char *text, size_t offset) {
        Series s = { .values = NULL, .count = 7 };
        size_t at = SIZE_MAX;
        Error e;

        assert_int_equal(series_parse(text, &s, &at, &e), -EINVAL);
        assert_int_equal(s.count, 7);
        if (at != offset)
                fail_msg("%s: %s at %zu, not at %zu", text, e.message, at, offset);
}

static void values_stand_one_after_the_other(void **state) {
        EXPECT("97", 97);
        EXPECT("97 96.5\t-3\n1e2 +4 .5 2.", 97, 96.5, -3, 100, 4, 0.5, 2);
        expect("", 0, NULL);
        expect("  ", 0, NULL);
}

static void x_repeats(void **state) {
        EXPECT("97x3 88", 97, 97, 97, 88);
        EXPECT("-1.5x2", -1.5, -1.5);
        EXPECT("0x10", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0); /* not sixteen */
        EXPECT("1e1x2", 10, 10);
}

static void a_slope_has_its_first_value_and_as_many_more(void **state) {
        EXPECT("97-2x4", 97, 95, 93, 91, 89);
        EXPECT("36.5+0.1x2", 36.5, 36.6, 36.7);
        EXPECT("-1+2x1", -1, 1);
}

static void an_underscore_is_a_gap(void **state) {
        EXPECT("1 _ 2 _x2", 1, (double) NAN, 2, (double) NAN, (double) NAN);
}

static void mistakes_have_their_place(void **state) {
        refuse("97 x3", 3);
        refuse("97 9 7a", 6);
        refuse("97x", 2);
        refuse("97x0", 2);
        refuse("97-2", 4);
        refuse("97-x3", 2);
        refuse("5+-1x1", 1);
        refuse("1 nan", 2);
        refuse("inf", 0);
        refuse("1,2", 1);
        refuse("_5", 1);
        refuse("1e999", 5);
        refuse("--5", 0);
        refuse("97 -", 3);
        refuse("97x9999999999", 2);
}

static void a_series_has_a_limit(void **state) {
        _cleanup_(series_done) Series s = { 0 };
        size_t offset;
        Error e;

        assert_int_equal(series_parse("1x99999 2", &s, &offset, &e), 0);
        assert_int_equal(s.count, SERIES_MAX);
        refuse("1x99999 2 3", 10);
        refuse("1x100001", 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(values_stand_one_after_the_other),
                cmocka_unit_test(x_repeats),
                cmocka_unit_test(a_slope_has_its_first_value_and_as_many_more),
                cmocka_unit_test(an_underscore_is_a_gap),
                cmocka_unit_test(mistakes_have_their_place),
                cmocka_unit_test(a_series_has_a_limit),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
