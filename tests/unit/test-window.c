/* Sliding windows, against a reference that keeps every value and adds them up anew for each answer. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <cmocka.h>

#include "rules/window.h"

enum { VALUES_MAX = 20000 };

#define SECOND USEC_PER_SEC
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

typedef double (*Answer)(const Window *w);

/* All values that there were, oldest first. */
typedef struct Series {
        double values[VALUES_MAX];
        int64_t times[VALUES_MAX];
        size_t count;
} Series;

static Series series; /* too large for a stack */

static uint32_t random_next(uint32_t *random) {
        *random = *random * 1664525 + 1013904223;
        return *random >> 8;
}

static Window *new_window(int64_t length_us, bool sorted) {
        Window *w;

        assert_int_equal(window_new(length_us, sorted, &w), 0);
        return w;
}

static void add(Window *w, double value, int64_t now_us) {
        assert_int_equal(window_add(w, value, now_us), 0);
        if (series.count < VALUES_MAX) {
                series.values[series.count] = value;
                series.times[series.count++] = now_us;
        }
}

static void assert_close(double a, double b, double tolerance) {
        if (isnan(a) != isnan(b) || (!isnan(a) && fabs(a - b) > tolerance * fmax(1, fabs(b)))) {
                print_error("%.17g, want %.17g\n", a, b);
                fail();
        }
}

static void assert_unknown(double v) {
        assert_true(isnan(v));
}

static void assert_exactly(double a, double b) {
        assert_close(a, b, 0);
}

/* The reference */

static double mean_of(const double *x, size_t n) {
        long double sum = 0;

        for (size_t i = 0; i < n; i++)
                sum += x[i];
        return n > 0 ? (double) (sum / n) : (double) NAN;
}

static double stddev_of(const double *x, size_t n) {
        long double sum = 0, mean = mean_of(x, n);

        for (size_t i = 0; i < n; i++)
                sum += (x[i] - mean) * (x[i] - mean);
        return (double) sqrtl(sum / n);
}

static int compare(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;
        return (x > y) - (x < y);
}

static double median_of(const double *x, size_t n) {
        static double sorted[VALUES_MAX];

        memcpy(sorted, x, n * sizeof *x);
        qsort(sorted, n, sizeof *sorted, compare);
        return n % 2 > 0 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static double mad_of(const double *x, size_t n) {
        static double distances[VALUES_MAX];
        double median = median_of(x, n);

        for (size_t i = 0; i < n; i++)
                distances[i] = fabs(x[i] - median);
        return median_of(distances, n);
}

static double score_of(double v, double middle, double spread) {
        return spread > 1e-9 * fabs(middle) ? (v - middle) / spread : (double) NAN;
}

static double ewma_of(int64_t length_us) {
        long double sum = 0, weight = 1, weights = 0;

        for (size_t i = series.count; i > 0 && weight > 1e-16; i--) {
                sum += weight * series.values[i - 1];
                weights += weight;
                if (i > 1)
                        weight *= expl((long double) (series.times[i - 2] - series.times[i - 1]) /
                                        length_us);
        }
        return (double) (sum / weights);
}

static void assert_all(const Window *w, int64_t length_us, int64_t now_us) {
        size_t first = series.count;
        double low = INFINITY, high = -INFINITY;
        long double travel = 0;

        while (first > 0 && now_us - series.times[first - 1] < length_us)
                first--;
        const double *x = series.values + first;
        const int64_t *t = series.times + first;
        size_t n = series.count - first;
        for (size_t i = 0; i < n; i++) {
                low = fmin(low, x[i]);
                high = fmax(high, x[i]);
                travel += i > 0 ? fabs(x[i] - x[i - 1]) : 0;
        }
        assert_exactly(window_count(w), (double) n);
        if (n == 0) {
                assert_unknown(window_mean(w));
                assert_true(window_leaves(w) == INT64_MAX);
                return;
        }
        assert_true(window_leaves(w) == t[0] + length_us);
        assert_close(window_mean(w), mean_of(x, n), 1e-12);
        assert_exactly(window_min(w), low);
        assert_exactly(window_max(w), high);
        assert_exactly(window_median(w), median_of(x, n));
        assert_exactly(window_mad(w), mad_of(x, n));
        assert_close(window_ewma(w), ewma_of(length_us), 1e-12);
        if (n < 2)
                return;
        assert_close(window_stddev(w), stddev_of(x, n), 1e-11);
        assert_exactly(window_delta(w), x[n - 1] - x[0]);
        assert_close(window_rate(w), (x[n - 1] - x[0]) / ((double) (t[n - 1] - t[0]) / 1e6), 1e-12);
        assert_close(window_noise(w), (double) (travel / (n - 1)), 1e-12);
        if (n < 3)
                return;
        assert_close(window_zscore(w), score_of(x[n - 1], mean_of(x, n - 1), stddev_of(x, n - 1)), 1e-8);
        assert_close(window_robust_zscore(w), score_of(x[n - 1], median_of(x, n), 1.4826 * mad_of(x, n)),
                        1e-12);
}

/* Tests */

static void slow_values_are_exact(void **state) {
        static const int64_t lengths[] = { SECOND, 7 * SECOND, MINUTE, 10 * MINUTE, HOUR, 24 * HOUR };
        uint32_t random = 1;

        for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                int64_t pane = lengths[i] / 256 + 1, now = -2 * lengths[i];
                _cleanup_(window_freep) Window *w = new_window(lengths[i], true);
                double level = 37;

                series.count = 0;
                for (size_t n = 0; n < 2000; n++) {
                        /* now and then nothing for a while, so long that all leaves, or a jump */
                        uint32_t what = random_next(&random) % 100;
                        now += pane +
                               (int64_t) (random_next(&random) % (uint32_t) (pane * (what < 90 ? 1 : 60)));
                        now += what == 99 ? lengths[i] : 0;
                        level += what == 98 ? 500 : what == 97 ? -500 : 0;
                        if (what >= 40 && what < 80) {
                                window_advance(w, now);
                                assert_all(w, lengths[i], now);
                                now += pane;
                        }
                        add(w, level + (double) (random_next(&random) % 64) / 8, now);
                        assert_all(w, lengths[i], now);
                }
        }
}

/* What may be in and what must be: a pane more and a pane less than the length. */
static void fast_values_are_within_a_pane(void **state) {
        const int64_t length = MINUTE, pane = length / 256 + 1;
        _cleanup_(window_freep) Window *w = new_window(length, true);
        uint32_t random = 5;
        int64_t now = 123;

        series.count = 0;
        for (size_t n = 0; n < VALUES_MAX; n++) {
                now += random_next(&random) % (uint32_t) (pane / 8);
                add(w, 80 + 10 * sin((double) n / 300) + (double) (random_next(&random) % 8), now);
                if (n % 50 > 0)
                        continue;
                size_t least = 0, most = 0;
                double low = INFINITY, high = -INFINITY;
                for (size_t i = n + 1; i > 0 && now - series.times[i - 1] < length + pane; i--) {
                        bool is_in = now - series.times[i - 1] < length - pane;
                        least += is_in;
                        most++;
                        low = is_in ? fmin(low, series.values[i - 1]) : low;
                        high = is_in ? fmax(high, series.values[i - 1]) : high;
                }
                assert_in_range(window_count(w), least, most);
                assert_true(window_min(w) <= low && window_max(w) >= high);
                const double *x = series.values + n + 1 - (size_t) window_count(w);
                assert_close(window_mean(w), mean_of(x, (size_t) window_count(w)), 1e-12);
                assert_close(window_median(w), median_of(x, (size_t) window_count(w)), 0.02);
        }
}

static void constant_values_give_constant_answers(void **state) {
        static const double constants[] = { 38.5, 0.1, 0, -7.3, 36.6, 1e9 };

        for (size_t i = 0; i < ELEMENTS(constants); i++) {
                _cleanup_(window_freep) Window *w = new_window(10 * MINUTE, true);
                for (int64_t t = 0; t < 40 * MINUTE; t += 700 * USEC_PER_MSEC) {
                        add(w, constants[i], t);
                        assert_exactly(window_mean(w), constants[i]);
                        assert_exactly(window_ewma(w), constants[i]);
                        assert_exactly(window_median(w), constants[i]);
                        assert_exactly(window_mad(w), 0);
                        if (t == 0)
                                continue;
                        assert_exactly(window_stddev(w), 0);
                        assert_exactly(window_delta(w), 0);
                        assert_exactly(window_rate(w), 0);
                        assert_exactly(window_noise(w), 0);
                        assert_unknown(window_zscore(w));
                        assert_unknown(window_robust_zscore(w));
                }
        }
}

/* However far the newest value is, it does not make a spread among the others. */
static void a_jump_from_a_constant_has_no_zscore(void **state) {
        static const double jumps[] = { 38.6, 120, -1e9, 1e15 };

        for (size_t i = 0; i < ELEMENTS(jumps); i++) {
                _cleanup_(window_freep) Window *w = new_window(MINUTE, true);
                for (int64_t t = 0; t < 3 * MINUTE; t += SECOND)
                        add(w, 38.5, t);
                add(w, jumps[i], 3 * MINUTE);
                assert_unknown(window_zscore(w));
                assert_unknown(window_robust_zscore(w));
                add(w, 38.5, 3 * MINUTE + SECOND);
                assert_false(isnan(window_zscore(w)));
        }
}

static void rounding_is_no_spread(void **state) {
        _cleanup_(window_freep) Window *w = new_window(MINUTE, true);

        for (int64_t t = 0; t < MINUTE; t += 2 * SECOND) {
                add(w, 0.3, t);
                add(w, 0.1 + 0.2, t + SECOND);
        }
        assert_true(window_stddev(w) > 0);
        assert_unknown(window_zscore(w));
        assert_unknown(window_robust_zscore(w));
}

static void zscore_is_against_those_before(void **state) {
        _cleanup_(window_freep) Window *w = new_window(MINUTE, true);
        static const double before[] = { 2, 4, 4, 4, 5, 5, 7, 9 }; /* mean 5, deviation 2, median 4.5 */
        int64_t now = 0;

        for (size_t i = 0; i < ELEMENTS(before); i++)
                add(w, before[i], now += SECOND);
        add(w, 11, now += SECOND);
        assert_exactly(window_zscore(w), 3);
        assert_exactly(window_median(w), 5);
        assert_exactly(window_mad(w), 1);
        assert_exactly(window_robust_zscore(w), 6 / 1.4826);
        /* time alone changes the others, never who is the newest */
        window_advance(w, now + 53 * SECOND);
        assert_exactly(window_count(w), 7);
        assert_close(window_zscore(w), (11 - mean_of(before + 2, 6)) / stddev_of(before + 2, 6), 1e-12);
}

static void too_few_values_are_unknown(void **state) {
        static const Answer of_one[] = { window_mean, window_min, window_max, window_ewma, window_median };
        static const Answer of_two[] = { window_stddev, window_delta, window_rate, window_noise };
        static const Answer of_three[] = { window_zscore, window_robust_zscore };
        _cleanup_(window_freep) Window *w = new_window(MINUTE, true);

        for (int n = 0; n < 4; n++) {
                assert_exactly(window_count(w), n);
                for (size_t i = 0; i < ELEMENTS(of_one); i++)
                        assert_int_equal(isnan(of_one[i](w)), n < 1);
                for (size_t i = 0; i < ELEMENTS(of_two); i++)
                        assert_int_equal(isnan(of_two[i](w)), n < 2);
                for (size_t i = 0; i < ELEMENTS(of_three); i++)
                        assert_int_equal(isnan(of_three[i](w)), n < 3);
                assert_int_equal(isnan(window_mad(w)), n < 1);
                add(w, 10 + n, n * SECOND);
        }
}

static void values_of_one_moment_have_no_rate(void **state) {
        _cleanup_(window_freep) Window *w = new_window(MINUTE, false);

        add(w, 1, SECOND);
        add(w, 3, SECOND);
        assert_exactly(window_count(w), 2);
        assert_exactly(window_delta(w), 2);
        assert_exactly(window_ewma(w), 2);
        assert_unknown(window_rate(w));
}

static void a_value_leaves_at_its_moment(void **state) {
        _cleanup_(window_freep) Window *w = new_window(10 * SECOND, false);

        assert_true(window_leaves(w) == INT64_MAX);
        add(w, 5, 3 * SECOND);
        add(w, 7, 8 * SECOND);
        assert_true(window_leaves(w) == 13 * SECOND);
        window_advance(w, 13 * SECOND - 1);
        assert_exactly(window_count(w), 2);
        window_advance(w, 13 * SECOND);
        assert_exactly(window_count(w), 1);
        assert_exactly(window_mean(w), 7);
        assert_true(window_leaves(w) == 18 * SECOND);
        window_advance(w, 18 * SECOND);
        assert_exactly(window_count(w), 0);
        assert_unknown(window_ewma(w));
        assert_true(window_leaves(w) == INT64_MAX);
}

static void those_that_share_a_pane_leave_together(void **state) {
        _cleanup_(window_freep) Window *w = new_window(256 * SECOND, true);

        add(w, 1, 1000 * SECOND);
        add(w, 2, 1000 * SECOND + 10);
        add(w, 6, 1000 * SECOND + 20);
        add(w, 4, 1001 * SECOND);
        assert_exactly(window_median(w), 3.5); /* of 3 and 4 */
        window_advance(w, 1256 * SECOND + 19);
        assert_exactly(window_count(w), 4);
        assert_true(window_leaves(w) == 1256 * SECOND + 20);
        window_advance(w, 1256 * SECOND + 20);
        assert_exactly(window_count(w), 1);
        assert_exactly(window_median(w), 4);
}

/* Whoever starts later, and replays a length and a pane, says the same to the last bit. */
static void what_was_before_has_no_part(void **state) {
        static const Answer answers[] = { window_count, window_mean, window_min, window_max, window_stddev,
                window_delta, window_rate, window_zscore, window_noise, window_median, window_mad,
                window_robust_zscore, window_stuck };
        const int64_t length = 10 * SECOND;

        for (uint32_t speed = 1; speed < 1000; speed *= 3) {
                _cleanup_(window_freep) Window *w = new_window(length, true);
                uint32_t random = 9;
                int64_t now = 0;

                series.count = 0;
                for (size_t n = 0; n < 3000; n++)
                        add(w, (double) random_next(&random) / 1e5,
                                        now += random_next(&random) % (1000 * speed));
                for (int64_t wait = 0; wait < length; wait += length / 3) {
                        _cleanup_(window_freep) Window *later = new_window(length, true);
                        int64_t then = now + wait;
                        for (size_t i = 0; i < series.count; i++)
                                if (then - series.times[i] <= length + length / 256)
                                        assert_int_equal(
                                                        window_add(later, series.values[i], series.times[i]),
                                                        0);
                        window_advance(w, then);
                        window_advance(later, then);
                        for (size_t i = 0; i < ELEMENTS(answers); i++)
                                assert_exactly(answers[i](w), answers[i](later));
                        assert_true(window_leaves(w) == window_leaves(later));
                }
        }
}

/* A million values, some of them huge: when those have left, nothing of them is left in the sums. */
static void long_runs_do_not_drift(void **state) {
        const int64_t length = MINUTE;
        _cleanup_(window_freep) Window *w = new_window(length, true);
        uint32_t random = 3;
        int64_t now = 0;

        for (size_t n = 0; n < 1000000; n++) {
                bool is_huge = n % 5000 == 0;
                now += 300 * USEC_PER_MSEC;
                series.count = 0;
                add(w, is_huge ? 1e12 : 36 + (double) (random_next(&random) % 32) / 16, now);
        }
        series.count = 0;
        for (size_t n = 0; n < 250; n++)
                add(w, 36 + (double) (random_next(&random) % 32) / 16, now += 300 * USEC_PER_MSEC);
        size_t in = 200, first = series.count - in;
        assert_exactly(window_count(w), (double) in);
        assert_close(window_mean(w), mean_of(series.values + first, in), 1e-14);
        assert_close(window_stddev(w), stddev_of(series.values + first, in), 1e-13);
}

static void cleared_is_as_new(void **state) {
        _cleanup_(window_freep) Window *w = new_window(MINUTE, true);

        for (int64_t t = 0; t < 2 * MINUTE; t += SECOND)
                add(w, 100, t);
        window_clear(w);
        assert_exactly(window_count(w), 0);
        assert_unknown(window_ewma(w));
        assert_unknown(window_median(w));
        assert_unknown(window_zscore(w));
        assert_unknown(window_stuck(w));
        assert_true(window_leaves(w) == INT64_MAX);
        series.count = 0;
        for (int64_t t = 2 * MINUTE; t < 5 * MINUTE; t += SECOND) {
                add(w, (double) (t / SECOND % 7), t);
                assert_all(w, MINUTE, t);
        }
}

static void memory_is_bounded(void **state) {
        _cleanup_(window_freep) Window *w = new_window(MINUTE, true), *slow = new_window(MINUTE, false);
        size_t empty = window_memory(w), last = empty;

        assert_true(empty < 256);
        for (int64_t t = 0; t < 5 * MINUTE; t += 3 * USEC_PER_MSEC) {
                add(w, 1, t);
                assert_true(window_memory(w) >= last);
                last = window_memory(w);
        }
        assert_int_equal(last - empty, (size_t) 96 * WINDOW_PANES_MAX);
        assert_true(last < 25000);
        /* six values at a time */
        for (int64_t t = 0; t < HOUR; t += 10 * SECOND)
                add(slow, 1, t);
        assert_int_equal(window_memory(slow) - empty, 88 * 8);
}

static void stuck_takes_time_and_values(void **state) {
        _cleanup_(window_freep) Window *w = new_window(5 * MINUTE, false);

        assert_unknown(window_stuck(w));
        for (int64_t t = 0; t < 4 * MINUTE; t += MINUTE) {
                add(w, 36.6, t);
                assert_unknown(window_stuck(w));
        }
        add(w, 36.6, 4 * MINUTE);
        assert_exactly(window_stuck(w), 1);
        add(w, 36.6, 5 * MINUTE);
        assert_exactly(window_stuck(w), 1);
        /* it fell silent: too little is in to say */
        window_advance(w, 7 * MINUTE);
        assert_unknown(window_stuck(w));
        add(w, 36.7, 8 * MINUTE);
        assert_exactly(window_stuck(w), 0);
        /* many values, too short a time */
        window_clear(w);
        for (int64_t t = 0; t < 4 * MINUTE; t += SECOND)
                add(w, 36.6, 10 * MINUTE + t);
        assert_unknown(window_stuck(w));
        for (int64_t t = 4 * MINUTE; t <= 270 * SECOND; t += SECOND)
                add(w, 36.6, 10 * MINUTE + t);
        assert_exactly(window_stuck(w), 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(slow_values_are_exact),
                cmocka_unit_test(fast_values_are_within_a_pane),
                cmocka_unit_test(constant_values_give_constant_answers),
                cmocka_unit_test(a_jump_from_a_constant_has_no_zscore),
                cmocka_unit_test(rounding_is_no_spread),
                cmocka_unit_test(zscore_is_against_those_before),
                cmocka_unit_test(too_few_values_are_unknown),
                cmocka_unit_test(values_of_one_moment_have_no_rate),
                cmocka_unit_test(a_value_leaves_at_its_moment),
                cmocka_unit_test(those_that_share_a_pane_leave_together),
                cmocka_unit_test(what_was_before_has_no_part),
                cmocka_unit_test(long_runs_do_not_drift),
                cmocka_unit_test(cleared_is_as_new),
                cmocka_unit_test(memory_is_bounded),
                cmocka_unit_test(stuck_takes_time_and_values),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
