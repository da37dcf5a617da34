/* Recordings as text: which formats are known, and what their cells mean. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/csv.h"

#define S(n) ((n) *USEC_PER_SEC)

static char path[] = "/tmp/test-csv-XXXXXX";

static int set_up(void **state) {
        int fd = mkstemp(path);

        if (fd < 0 || catalogue_new((Catalogue **) state) < 0)
                return -1;
        return close(fd);
}

static int tear_down(void **state) {
        catalogue_free(*state);
        return unlink(path);
}

static void write_file(const char *text) {
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        assert_int_not_equal(fputs(text, f), EOF);
        assert_int_equal(fclose(f), 0);
}

static Csv *open_text(void **state, const char *text, const CsvMap *map, const char *label) {
        const CsvOptions o = { .catalogue = *state, .map = map, .label = label };
        Csv *csv = NULL;
        Error e;

        write_file(text);
        if (csv_open(path, &o, &csv, &e) < 0)
                fail_msg("%s", e.message);
        return csv;
}

/* values: "hr=93 spo2=97", as they stand in the row */
static void expect_row(void **state, Csv *csv, int64_t time_us, const char *values) {
        char text[256] = "";
        size_t n = 0;
        CsvRow row;
        Error e;

        if (csv_next(csv, &row, &e) < 0)
                fail_msg("%s", e.message);
        assert_int_equal(row.time_us, time_us);
        for (size_t i = 0; i < row.count; i++)
                n += (size_t) snprintf(text + n, sizeof text - n, "%s%s=%.6g", i > 0 ? " " : "",
                                catalogue_at(*state, row.values[i].vital)->name, row.values[i].value);
        assert_string_equal(text, values);
}

static void expect_end(Csv *csv) {
        CsvRow row;
        Error e;

        assert_int_equal(csv_next(csv, &row, &e), -ENODATA);
}

static void refuse(void **state, const char *text, const CsvMap *map, const char *label, const char *says) {
        const CsvOptions o = { .catalogue = *state, .map = map, .label = label };
        _cleanup_(csv_closep) Csv *csv = NULL;
        CsvRow row;
        Error e;

        write_file(text);
        int r = csv_open(path, &o, &csv, &e);
        while (r == 0)
                r = csv_next(csv, &row, &e);
        assert_int_not_equal(r, -ENODATA);
        if (!strstr(e.message, says))
                fail_msg("\"%s\" does not say \"%s\"", e.message, says);
}

static void numerics_of_monitors(void **state) {
        _cleanup_(csv_closep) Csv *csv = open_text(state,
                        "Time [s], HR, PULSE, RESP, SpO2\n"
                        "0,94,93,25,97\r\n"
                        "1,94,,0,97.5\n"
                        "\n"
                        "2.5, 94 ,NaN, nan,\n",
                        NULL, NULL);

        expect_row(state, csv, 0, "hr=94 pulse=93 rr=25 spo2=97");
        expect_row(state, csv, S(1), "hr=94 spo2=97.5"); /* RESP 0 is not measured */
        expect_row(state, csv, 2500000, "hr=94");
        expect_end(csv);
        assert_false(csv_is_dated(csv));
}

static void titles_say_units(void **state) {
        _cleanup_(csv_closep) Csv *csv = open_text(state,
                        "minute,\"HR [bpm]\",RESP [pm],Temp (degF),NBPSys [mmHg],comment\n"
                        "1,60,16.5,98.6,120,\"a, b\"\n",
                        NULL, NULL);

        expect_row(state, csv, S(60), "hr=60 rr=16.5 temp=37 sbp=120");
        expect_end(csv);
}

static void zero_is_a_value_of_what_can_be_zero(void **state) {
        _cleanup_(csv_closep) Csv *csv = open_text(state, "time;o2;acvpu;spo2\n1;0;0;0\n", NULL, NULL);

        expect_row(state, csv, S(1), "o2=0 acvpu=0");
        expect_end(csv);
}

static void hourly_rows_of_the_challenge_2019(void **state) {
        _cleanup_(csv_closep) Csv *csv = open_text(state,
                        "HR|O2Sat|Temp|SBP|Resp|FiO2|Glucose|Lactate|Age|ICULOS|SepsisLabel\n"
                        "NaN|NaN|NaN|NaN|NaN|NaN|NaN|NaN|73|1|0\n"
                        "93|92.5|36.1|110|22|0.4|180.156|2|73|2|1\n",
                        NULL, "SepsisLabel");
        CsvRow row;
        Error e;

        expect_row(state, csv, S(3600), "");
        assert_int_equal(csv_next(csv, &row, &e), 0);
        assert_int_equal(row.time_us, S(7200));
        assert_true(row.positive);
        assert_int_equal(row.count, 7);
        assert_float_equal(row.values[5].value, 40, 1e-9); /* a fraction there, per cent here */
        assert_float_equal(row.values[6].value, 10, 1e-6); /* mg/dL there, mmol/L here */
        expect_end(csv);
}

static void events_of_the_challenge_2012(void **state) {
        _cleanup_(csv_closep) Csv *csv = open_text(state,
                        "Time,Parameter,Value\n00:00,RecordID,132539\n00:00,Weight,-1\n00:07,HR,73\n"
                        "00:07,NISysABP,147\n26:37,RespRate,19\n26:40,HR,-1\n",
                        NULL, NULL);

        expect_row(state, csv, 0, "");
        expect_row(state, csv, 0, "");
        expect_row(state, csv, S(420), "hr=73");
        expect_row(state, csv, S(420), "sbp=147");
        expect_row(state, csv, S(95820), "rr=19");
        expect_row(state, csv, S(96000), "");
        expect_end(csv);
}

static void what_the_gateway_exports(void **state) {
        _cleanup_(csv_closep) Csv *csv = open_text(state,
                        "index,time,device_time_us,subject,device,vital,value,unit,flags,seq\r\n"
                        "7,2026-11-20T08:15:30.250Z,,stay-1,sim-01,spo2,88.5,%,weak_signal,\r\n"
                        "8,2026-11-20T08:15:31.250Z,,stay-1,sim-01,spo2,12,%,\"weak_signal,sensor_off\",\r\n"
                        "9,2026-11-20T08:15:32.250Z,,stay-1,sim-02,mood,1,,,\r\n",
                        NULL, NULL);

        expect_row(state, csv, INT64_C(1795162530250000), "spo2=88.5");
        expect_row(state, csv, INT64_C(1795162531250000), ""); /* no rule saw that one */
        expect_row(state, csv, INT64_C(1795162532250000), "");
        expect_end(csv);
        assert_true(csv_is_dated(csv));
}

static void times_are_taken_as_they_look(void **state) {
        _cleanup_(csv_closep) Csv *csv = open_text(state,
                        "timestamp,hr\n2026-11-20T08:15:30Z,60\n2026-11-20 08:15:31,61\n"
                        "2026-11-20T09:15:32+01:00,62\n2026-11-20T08:00:00Z,63\n2026-11-20T08:15:33Z,64\n",
                        NULL, NULL);
        const int64_t start_us = INT64_C(1795162530000000);

        expect_row(state, csv, start_us, "hr=60");
        expect_row(state, csv, start_us + S(1), "hr=61"); /* without a zone: UTC */
        expect_row(state, csv, start_us + S(2), "hr=62");
        expect_row(state, csv, start_us + S(3), "hr=64"); /* one whose time runs back is passed over */
        expect_end(csv);
        assert_int_equal(csv_passed_over(csv), 1);
}

static void clocks_go_on_after_midnight(void **state) {
        _cleanup_(csv_closep) Csv *csv =
                        open_text(state, "time,hr\n00:07,60\n23:59:59,61\n100:00,62\n", NULL, NULL);

        expect_row(state, csv, S(420), "hr=60");
        expect_row(state, csv, S(86399), "hr=61");
        expect_row(state, csv, S(360000), "hr=62");
        expect_end(csv);
}

static void a_map_says_what_titles_do_not(void **state) {
        CsvMap map;
        Error e;

        write_file("time: {column: t, unit: min}\n"
                   "columns:\n"
                   "  - {column: Sat, vital: spo2}\n"
                   "  - {column: Fahrenheit, vital: temp, unit: degF}\n"
                   "missing: [-1, 999]\n");
        assert_int_equal(csv_map_read(path, *state, &map, &e), 0);
        _cleanup_(csv_closep) Csv *csv =
                        open_text(state, "t,hr,Sat,Fahrenheit\n1,60,97,98.6\n2,60,-1,999\n", &map, NULL);
        expect_row(state, csv, S(60), "spo2=97 temp=37"); /* nothing but what the map names */
        expect_row(state, csv, S(120), "");
        expect_end(csv);
        refuse(state, "hr,Sat\n1,2\n", &map, NULL, "no column is the time: expected t");
}

static void maps_have_their_mistakes_named(void **state) {
        static const struct {
                const char *text, *says;
        } cases[] = {
                { "columns: []\n", ":1:1: key 'time' is missing" },
                { "time: {column: t, unit: d}\ncolumns: []\n", ":1:7: unit: 'd': expected one of: ms, s" },
                { "time: {column: t}\ncolumns:\n  - {column: a, vital: sp02}\n", "did you mean 'spo2'" },
                { "time: {column: t}\ncolumns:\n  - {column: a, vital: hr, unit: kg}\n",
                                ":3:5: unit: 'kg'" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                CsvMap map;
                Error e;

                write_file(cases[i].text);
                assert_int_equal(csv_map_read(path, *state, &map, &e), -EINVAL);
                if (!strstr(e.message, cases[i].says))
                        fail_msg("\"%s\" does not say \"%s\"", e.message, cases[i].says);
        }
}

static void mistakes_have_their_line(void **state) {
        refuse(state, "", NULL, NULL, ":1: expected a header line");
        refuse(state, "hr,spo2\n", NULL, NULL, ":1: no column is the time");
        refuse(state, "time,colour\n", NULL, NULL, ":1: no column is a vital");
        refuse(state, "time,hr [kg]\n", NULL, NULL, "\"kg\" is no known unit of hr");
        refuse(state, "time,hr\n", NULL, "Label", ":1: no column is \"Label\" (--label)");
        refuse(state, "time,hr\n1,60\n2,sixty\n", NULL, NULL, ":3: 'sixty': expected a number for hr");
        refuse(state, "time,hr\nnoon,60\n", NULL, NULL, ":2: 'noon': expected a time");
        refuse(state, "time,hr\n12:61,60\n", NULL, NULL, ":2: '12:61': expected a time");
        refuse(state, "time,hr\n12:,60\n", NULL, NULL, ":2: '12:': expected a time");
        refuse(state, "time,hr\n1:02:03:04,60\n", NULL, NULL, "expected a time");
        refuse(state, "time,hr\n1e300,60\n", NULL, NULL, ":2: '1e300': expected a time");
        refuse(state, "hr,time\n1,1\n60\n", NULL, NULL, ":3: expected 2 cells, found 1");
}

static void lines_and_columns_are_bounded(void **state) {
        _cleanup_free_ char *text = malloc(CSV_LINE_MAX + 100);

        assert_non_null(text);
        memcpy(text, "time,hr\n", 8);
        memset(text + 8, '1', CSV_LINE_MAX);
        text[8 + CSV_LINE_MAX] = '\0';
        refuse(state, text, NULL, NULL, ":2: longer than");
        memset(text, ',', CSV_COLUMNS_MAX);
        text[CSV_COLUMNS_MAX] = '\0';
        refuse(state, text, NULL, NULL, ":1: more than");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(numerics_of_monitors),
                cmocka_unit_test(titles_say_units),
                cmocka_unit_test(zero_is_a_value_of_what_can_be_zero),
                cmocka_unit_test(hourly_rows_of_the_challenge_2019),
                cmocka_unit_test(events_of_the_challenge_2012),
                cmocka_unit_test(what_the_gateway_exports),
                cmocka_unit_test(times_are_taken_as_they_look),
                cmocka_unit_test(clocks_go_on_after_midnight),
                cmocka_unit_test(a_map_says_what_titles_do_not),
                cmocka_unit_test(maps_have_their_mistakes_named),
                cmocka_unit_test(mistakes_have_their_line),
                cmocka_unit_test(lines_and_columns_are_bounded),
        };
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
