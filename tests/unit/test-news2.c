/* NEWS2 against its chart, spelled out here and as the test vectors have it, and against worked cases of others. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/file.h"
#include "rules/news2.h"

#define UNKNOWN ((double) NAN)
#define DIGITS  "0123456789"

/* Everything scores 0. */
static const News2 well = { .value = { 16, 98, 0, 120, 70, 0, 37 } };

static double step(News2Part p) {
        return p == NEWS2_TEMP ? 0.1 : 1;
}

static News2 with(News2 n, News2Part p, double value) {
        n.value[p] = value;
        return n;
}

static News2 scale2(double spo2, double o2) {
        News2 n = with(with(well, NEWS2_SPO2, spo2), NEWS2_O2, o2);

        n.scale2 = true;
        return n;
}

static void assert_score(double score, double wanted, const News2 *n, News2Part p) {
        if (score != wanted) {
                print_error("part %d of %.17g scores %g, want %g\n", p, n->value[p], score, wanted);
                fail();
        }
}

/* Also what is charted as that value: from half a step below to just less than half a step above. */
static void assert_charted(const News2 *base, News2Part p, double value, double wanted) {
        static const double offsets[] = { 0, -0.5, -0.49, 0.49, -0.01, 0.01 };

        for (size_t i = 0; i < ELEMENTS(offsets); i++) {
                News2 n = with(*base, p, value + offsets[i] * step(p));
                assert_score(news2_part(&n, p), wanted, &n, p);
        }
}

/* The first and last charted value of each band, with its score. */
static void the_chart_is_spelled_out(void **state) {
        static const struct {
                News2Part part;
                bool scale2;
                double o2;
                double bands[16][2];
        } rows[] = {
                { NEWS2_RR, false, 0,
                                { { 0, 3 }, { 8, 3 }, { 9, 1 }, { 11, 1 }, { 12, 0 }, { 20, 0 }, { 21, 2 },
                                                { 24, 2 }, { 25, 3 }, { 80, 3 } } },
                { NEWS2_SPO2, false, 0,
                                { { 0, 3 }, { 91, 3 }, { 92, 2 }, { 93, 2 }, { 94, 1 }, { 95, 1 }, { 96, 0 },
                                                { 100, 0 } } },
                { NEWS2_SPO2, false, 1,
                                { { 0, 3 }, { 91, 3 }, { 92, 2 }, { 93, 2 }, { 94, 1 }, { 95, 1 }, { 96, 0 },
                                                { 100, 0 } } },
                { NEWS2_SPO2, true, 0,
                                { { 0, 3 }, { 83, 3 }, { 84, 2 }, { 85, 2 }, { 86, 1 }, { 87, 1 }, { 88, 0 },
                                                { 92, 0 }, { 93, 0 }, { 100, 0 } } },
                { NEWS2_SPO2, true, 1,
                                { { 0, 3 }, { 83, 3 }, { 84, 2 }, { 85, 2 }, { 86, 1 }, { 87, 1 }, { 88, 0 },
                                                { 92, 0 }, { 93, 1 }, { 94, 1 }, { 95, 2 }, { 96, 2 },
                                                { 97, 3 }, { 100, 3 } } },
                { NEWS2_SBP, false, 0,
                                { { 0, 3 }, { 90, 3 }, { 91, 2 }, { 100, 2 }, { 101, 1 }, { 110, 1 },
                                                { 111, 0 }, { 219, 0 }, { 220, 3 }, { 300, 3 } } },
                { NEWS2_PULSE, false, 0,
                                { { 0, 3 }, { 40, 3 }, { 41, 1 }, { 50, 1 }, { 51, 0 }, { 90, 0 }, { 91, 1 },
                                                { 110, 1 }, { 111, 2 }, { 130, 2 }, { 131, 3 },
                                                { 300, 3 } } },
                { NEWS2_TEMP, false, 0,
                                { { 25, 3 }, { 35.0, 3 }, { 35.1, 1 }, { 36.0, 1 }, { 36.1, 0 }, { 38.0, 0 },
                                                { 38.1, 1 }, { 39.0, 1 }, { 39.1, 2 }, { 43, 2 } } },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                News2 n = with(well, NEWS2_O2, rows[i].o2);
                n.scale2 = rows[i].scale2;
                for (size_t b = 0; b == 0 || rows[i].bands[b][0] > 0; b++)
                        assert_charted(&n, rows[i].part, rows[i].bands[b][0], rows[i].bands[b][1]);
        }
}

static void what_is_yes_or_no_scores(void **state) {
        for (int acvpu = 0; acvpu <= 4; acvpu++) {
                News2 n = with(well, NEWS2_ACVPU, acvpu);
                assert_score(news2_part(&n, NEWS2_ACVPU), acvpu == 0 ? 0 : 3, &n, NEWS2_ACVPU);
        }
        for (int o2 = 0; o2 <= 1; o2++) {
                News2 n = with(well, NEWS2_O2, o2);
                assert_score(news2_part(&n, NEWS2_O2), 2 * o2, &n, NEWS2_O2);
        }
}

static void a_half_is_charted_upwards(void **state) {
        /* 36.05 itself is no binary number: its neighbours are as good */
        News2 below = with(well, NEWS2_TEMP, nextafter(36.05, 0)),
              above = with(well, NEWS2_TEMP, nextafter(36.05, 40));
        assert_score(news2_part(&below, NEWS2_TEMP), 0, &below, NEWS2_TEMP);
        assert_score(news2_part(&above, NEWS2_TEMP), 0, &above, NEWS2_TEMP);
        News2 less = with(well, NEWS2_TEMP, 36.0499), spo2 = with(well, NEWS2_SPO2, 95.5);
        assert_score(news2_part(&less, NEWS2_TEMP), 1, &less, NEWS2_TEMP);
        assert_score(news2_part(&spo2, NEWS2_SPO2), 0, &spo2, NEWS2_SPO2);
}

static void an_unknown_part_is_unknown(void **state) {
        for (News2Part p = 0; p < NEWS2_PARTS; p++) {
                News2 n = with(well, p, UNKNOWN);
                for (News2Part q = 0; q < NEWS2_PARTS; q++)
                        assert_int_equal(isnan(news2_part(&n, q)), p == q);
                assert_true(isnan(news2_total(&n)));
                assert_true(isnan(news2_any(&n)));
        }
}

static void scale_2_asks_for_oxygen_above_its_target_alone(void **state) {
        News2 low = scale2(85, UNKNOWN), target = scale2(92.4, UNKNOWN), above = scale2(92.5, UNKNOWN);
        News2 unknown = scale2(UNKNOWN, 1);

        assert_score(news2_part(&low, NEWS2_SPO2), 2, &low, NEWS2_SPO2);
        assert_score(news2_part(&target, NEWS2_SPO2), 0, &target, NEWS2_SPO2);
        assert_true(isnan(news2_part(&above, NEWS2_SPO2)));
        assert_true(isnan(news2_part(&unknown, NEWS2_SPO2)));
}

static void any_is_the_largest_part(void **state) {
        News2 n = with(well, NEWS2_RR, 22);

        assert_score(news2_any(&well), 0, &well, NEWS2_RR);
        assert_score(news2_any(&n), 2, &n, NEWS2_RR);
        n.value[NEWS2_SPO2] = UNKNOWN;
        assert_true(isnan(news2_any(&n)));
        /* a red score is one, whatever the others are */
        n.value[NEWS2_PULSE] = 140;
        assert_score(news2_any(&n), 3, &n, NEWS2_PULSE);
        assert_true(isnan(news2_total(&n)));
}

static void the_total_reaches_20(void **state) {
        News2 worst = { .value = { 4, 80, 1, 60, 150, 4, 34 } };

        assert_score(news2_total(&well), 0, &well, NEWS2_RR);
        assert_score(news2_total(&worst), 20, &worst, NEWS2_RR);
}

/* A file of the test vectors, NULL (and the test skipped) where there are none. */
static char *read_vector(const char *name) {
        const char *data = getenv("WARDSTONE_DATA");
        char path[4096], *text;
        size_t len;
        Error e;

        (void) snprintf(path, sizeof path, "%s/vectors/%s", data ? data : "", name);
        if (file_read(path, 1 << 20, &text, &len, &e) < 0) {
                print_message("skipped: no %s\n", path);
                skip();
        }
        return text;
}

/* "<=8", "9-11", ">=25": each charted value in it; open ends go on for a while. */
static unsigned check_range(const News2 *base, News2Part p, const char *cell, double score) {
        char *rest;
        double s = step(p), low = strtod(cell + strcspn(cell, DIGITS), &rest), high = low;
        unsigned checked = 0;

        if (startswith(cell, "<="))
                low -= 20 * s;
        else if (startswith(cell, ">="))
                high += 20 * s;
        else
                high = strtod(rest + strcspn(rest, DIGITS), &rest);
        assert_string_equal(rest, "");
        for (long i = lround(low / s); i <= lround(high / s); i++, checked++)
                assert_charted(base, p, (double) i * s, score);
        return checked;
}

/* "air", "A", "C,V,P,U" */
static unsigned check_words(News2Part p, const char *cell, double score) {
        static const char letters[] = "ACVPU";
        unsigned checked = 0;

        if (p == NEWS2_O2) {
                assert_charted(&well, p, streq(cell, "oxygen"), score);
                return 1;
        }
        for (const char *c = cell; *c; c++) {
                const char *letter = strchr(letters, *c);
                if (!letter)
                        continue;
                assert_charted(&well, p, (double) (letter - letters), score);
                checked++;
        }
        return checked;
}

/* The next cell of the line, with or without quotes; *line is NULL after the last. */
static char *next_cell(char **line) {
        if (**line != '"')
                return strsep(line, ",");
        ++*line;
        char *cell = strsep(line, "\"");
        (void) strsep(line, ",");
        return cell;
}

static unsigned check_line(char *line) {
        static const double scores[] = { 3, 2, 1, 0, 1, 2, 3 };
        static const struct {
                const char *name;
                News2Part part;
                bool scale2;
                double o2;
        } rows[] = {
                { "resp_rate", NEWS2_RR },
                { "spo2_scale1", NEWS2_SPO2 },
                { "spo2_scale2_air", NEWS2_SPO2, true, 0 },
                { "spo2_scale2_oxygen", NEWS2_SPO2, true, 1 },
                { "air_or_oxygen", NEWS2_O2 },
                { "systolic_bp", NEWS2_SBP },
                { "pulse", NEWS2_PULSE },
                { "acvpu", NEWS2_ACVPU },
                { "temp_c", NEWS2_TEMP },
        };
        const char *name = next_cell(&line);
        size_t row = 0;
        unsigned checked = 0;

        while (row < ELEMENTS(rows) && !streq(rows[row].name, name))
                row++;
        if (row == ELEMENTS(rows))
                return 0;
        News2 base = with(well, NEWS2_O2, rows[row].o2);
        base.scale2 = rows[row].scale2;
        for (size_t i = 0; line && i < ELEMENTS(scores); i++) {
                const char *cell = next_cell(&line);
                if (cell[0] == '\0')
                        continue;
                if (rows[row].part == NEWS2_O2 || rows[row].part == NEWS2_ACVPU)
                        checked += check_words(rows[row].part, cell, scores[i]);
                else
                        checked += check_range(&base, rows[row].part, cell, scores[i]);
        }
        assert_true(checked >= 2);
        return 1;
}

static void the_published_table_agrees(void **state) {
        _cleanup_free_ char *text = read_vector("news2_table.csv");
        unsigned rows = 0;

        for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
                rows += check_line(line);
        assert_int_equal(rows, 9);
}

static double number_of(const json_t *input, const char *key) {
        const json_t *v = json_object_get(input, key);

        if (json_is_boolean(v))
                return json_is_true(v);
        assert_true(json_is_number(v));
        return json_number_value(v);
}

static void check_case(const json_t *c) {
        static const char *const names[NEWS2_PARTS] = { "rr", "spo2", "o2", "sbp", "pulse", "acvpu",
                "temp" };
        const json_t *input = json_object_get(c, "input"), *expected = json_object_get(c, "expected");
        const char *acvpu = json_string_value(json_object_get(input, "acvpu"));
        News2 n = { .scale2 = json_is_true(json_object_get(input, "scale2")) };

        assert_non_null(acvpu);
        for (News2Part p = 0; p < NEWS2_PARTS; p++)
                if (p != NEWS2_ACVPU)
                        n.value[p] = number_of(input, names[p]);
        /* "N": new confusion, or worse */
        assert_true(streq(acvpu, "A") || streq(acvpu, "N"));
        n.value[NEWS2_ACVPU] = streq(acvpu, "N");
        for (News2Part p = 0; p < NEWS2_PARTS; p++)
                if (json_object_get(expected, names[p]))
                        assert_score(news2_part(&n, p), number_of(expected, names[p]), &n, p);
        assert_score(news2_total(&n), number_of(expected, "total"), &n, NEWS2_RR);
        const char *risk = json_string_value(json_object_get(expected, "risk"));
        if (streq(risk, "Low"))
                assert_true(news2_any(&n) < 3);
        if (streq(risk, "Low-Medium"))
                assert_true(news2_any(&n) == 3);
}

static void worked_cases_agree(void **state) {
        _cleanup_free_ char *text = read_vector("news2_cases.json");
        json_t *root = json_loads(text, 0, NULL);
        const json_t *cases = json_object_get(root, "cases");

        assert_true(json_array_size(cases) > 10);
        for (size_t i = 0; i < json_array_size(cases); i++)
                check_case(json_array_get(cases, i));
        json_decref(root);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_chart_is_spelled_out),
                cmocka_unit_test(what_is_yes_or_no_scores),
                cmocka_unit_test(a_half_is_charted_upwards),
                cmocka_unit_test(an_unknown_part_is_unknown),
                cmocka_unit_test(scale_2_asks_for_oxygen_above_its_target_alone),
                cmocka_unit_test(any_is_the_largest_part),
                cmocka_unit_test(the_total_reaches_20),
                cmocka_unit_test(the_published_table_agrees),
                cmocka_unit_test(worked_cases_agree),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
