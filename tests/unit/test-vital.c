/* The catalogue: names, codes, units, plausible ranges, and the vitals that operators add. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/file.h"
#include "model/alert.h"
#include "model/vital.h"

static int set_up(void **state) {
        return catalogue_new((Catalogue **) state);
}

static int tear_down(void **state) {
        catalogue_free(*state);
        return 0;
}

static void vitals_are_found_by_name_alias_and_loinc(void **state) {
        static const struct {
                const char *name, *vital;
        } cases[] = {
                { "SpO2", "spo2" },
                { "Heart Rate", "hr" },
                { "heart-rate", "hr" },
                { "HEART_RATE", "hr" },
                { "temperature", "temp" },
                { "8867-4", "hr" }, /* shared with pulse: the first row has it */
                { "59408-5", "spo2" },
                { "2708-6", "spo2" },
                { "8480-6", "sbp" },
                { "AVPU", "acvpu" },
        };
        Catalogue *c = *state;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const Vital *v = catalogue_find_alias(c, cases[i].name);
                assert_non_null(v);
                assert_string_equal(v->name, cases[i].vital);
                assert_ptr_equal(v, catalogue_find(c, cases[i].vital));
                assert_ptr_equal(v, catalogue_at(c, v->id));
        }
        assert_null(catalogue_find(c, "SpO2")); /* a name is exact */
        assert_null(catalogue_find(c, ""));
        assert_null(catalogue_find_alias(c, "no such vital"));
        assert_null(catalogue_find_alias(
                        c, "a name that is longer than any name or alias or code could ever be"));
        assert_string_equal(catalogue_nearest(c, "sp02"), "spo2");
        assert_string_equal(catalogue_nearest(c, "glucos"), "glucose");
}

static void every_row_is_sound(void **state) {
        Catalogue *c = *state;
        double v;

        assert_true(catalogue_count(c) > 15);
        for (size_t i = 0; i < catalogue_count(c); i++) {
                const Vital *vital = catalogue_at(c, (VitalId) i);
                assert_int_equal(vital->id, i);
                assert_true(vital->min < vital->max);
                assert_true(vital->display[0] != '\0');
                /* the canonical unit is known, so that others convert to it */
                assert_int_equal(unit_convert("", vital, 20, &v), 0);
                assert_true(v == 20);
                assert_int_equal(unit_convert(vital->unit, vital, 20, &v), 0);
                assert_true(v == 20);
        }
}

static void units_convert_as_ucum_and_senml_say(void **state) {
        static const struct {
                const char *vital, *unit;
                double value, expected;
        } cases[] = {
                { "temp", "[degF]", 98.6, 37 },
                { "temp", "degF", 100.4, 38 },
                { "temp", "Fahrenheit", -40, -40 },
                { "temp", "\u00b0C", 36.6, 36.6 },
                { "temp", "K", 310.15, 37 },
                { "sbp", "kPa", 16, 120.009852135 },
                { "sbp", "mmHg", 120, 120 },
                { "map", "cm[H2O]", 100, 73.5559135277 },
                { "glucose", "mg/dL", 90.078, 5 },
                { "glucose", "mg/dl", 180.156, 10 },
                { "glucose", "mmol/l", 5.5, 5.5 },
                { "spo2", "/", 0.97, 97 },
                { "spo2", "/100", 97, 97 },
                { "hr", "beat/min", 60, 60 },
                { "hr", "bpm", 61, 61 },
                { "hr", "Hz", 1, 60 },
                { "rr", "1/min", 14, 14 },
                { "rr", "{breaths}/min", 14, 14 },
                { "humidity", "%RH", 44.72, 44.72 },
                { "battery", "%EL", 97, 97 },
                { "weight", "[lb_av]", 150, 68.0388555 },
                { "weight", "g", 3400, 3.4 },
                { "height", "m", 1.8, 180 },
                { "height", "[in_i]", 70, 177.8 },
                { "pressure", "Pa", 100044, 1000.44 },
                { "pressure", "bar", 1.01325, 1013.25 },
                { "o2_flow", "l/s", 0.1, 6 },
        };
        Catalogue *c = *state;
        double v;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(unit_convert(cases[i].unit, catalogue_find(c, cases[i].vital),
                                                 cases[i].value, &v),
                                0);
                if (fabs(v - cases[i].expected) > fabs(v) * 1e-9)
                        fail_msg("%s: %g %s gives %.15g, not %.15g", cases[i].vital, cases[i].value,
                                        cases[i].unit, v, cases[i].expected);
        }
        /* exactly, so that `temp >= 37` holds */
        assert_int_equal(unit_convert("[degF]", catalogue_find(c, "temp"), 98.6, &v), 0);
        assert_true(v == 37);
}

/* RFC 8428 12.1 note 2: SenML's "%" is a ratio. */
static void percent_is_a_ratio_where_it_can_be_nothing_else(void **state) {
        Catalogue *c = *state;
        double v;

        assert_int_equal(unit_convert("%", catalogue_find(c, "spo2"), 0.97, &v), 0);
        assert_true(v == 97);
        assert_int_equal(unit_convert("%", catalogue_find(c, "spo2"), 97, &v), 0);
        assert_true(v == 97);
        assert_int_equal(unit_convert("%", catalogue_find(c, "spo2"), 0, &v), 0);
        assert_true(v == 0);
        /* a battery can be at 1 %, a perfusion index at 0.5 % */
        assert_int_equal(unit_convert("%", catalogue_find(c, "battery"), 1, &v), 0);
        assert_true(v == 1);
        assert_int_equal(unit_convert("%", catalogue_find(c, "pi"), 0.5, &v), 0);
        assert_true(v == 0.5);
        /* the catalogue's own unit, not said by anybody, is percent */
        assert_int_equal(unit_convert("", catalogue_find(c, "spo2"), 0.97, &v), 0);
        assert_true(v == 0.97);
}

static void units_of_another_quantity_are_refused(void **state) {
        static const struct {
                const char *vital, *unit;
        } cases[] = {
                { "hr", "Cel" },
                { "temp", "%" },
                { "spo2", "%EL" },
                { "spo2", "%RH" },
                { "sbp", "mg/dL" },
                { "weight", "m" },
                { "hr", "furlong" },
                { "temp", "cel" },
                { "glucose", "%" },
                { "hr", "/minute" },
                { "pressure", "kg" },
                { "hr", " /min" },
        };
        Catalogue *c = *state;
        double v = 12345;

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(unit_convert(cases[i].unit, catalogue_find(c, cases[i].vital), 1, &v),
                                -EINVAL);
        assert_true(v == 12345);
}

static int read_list(Catalogue *c, const char *text, Error *e) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;

        int r = yaml_load("v.yaml", BYTES_STRING(text), &d, e);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(d);
        return catalogue_read(c, &root, e);
}

static void operators_add_vitals(void **state) {
        Catalogue *c = *state;
        Error e = { "" };
        double v;

        assert_int_equal(read_list(c,
                                         "- {name: lactate, display: lactate, unit: mmol/L, loinc: 2524-7, "
                                         "min: 0, max: 30}\n"
                                         "- {name: co2, unit: '[ppm]'}\n",
                                         &e),
                        0);
        const Vital *lactate = catalogue_find(c, "lactate");
        assert_non_null(lactate);
        assert_true(lactate->max == 30);
        assert_ptr_equal(catalogue_find_alias(c, "2524-7"), lactate);
        /* the molar mass of glucose is not lactate's */
        assert_int_equal(unit_convert("mg/dL", lactate, 1, &v), -EINVAL);
        assert_int_equal(unit_convert("mmol/L", lactate, 1, &v), 0);
        assert_string_equal(catalogue_find(c, "co2")->display, "co2");
        assert_true(catalogue_find(c, "co2")->max > 1e300);
}

static void mistakes_in_vitals_have_a_place(void **state) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "- {name: hr, unit: /min}\n", "v.yaml:1:3: name: the vital 'hr' exists already" },
                { "- {name: a, unit: '%'}\n- {name: a, unit: '%'}\n",
                                "v.yaml:2:3: name: the vital 'a' exists already" },
                { "- {name: Upper, unit: '%'}\n", "v.yaml:1:3: name: 'Upper': expected a small letter" },
                { "- {name: a}\n", "v.yaml:1:3: key 'unit' is missing" },
                { "- {name: a, unit: '%', min: 5, max: 4}\n", "v.yaml:1:3: min: 5 is above max 4" },
                { "- {name: a, unit: sixteen-letters-}\n",
                                "v.yaml:1:3: unit: 'sixteen-letters-' is longer than 15" },
                { "- {name: a, unit: '%', lonic: x}\n",
                                "v.yaml:1:24: unknown key 'lonic': did you mean 'loinc'?" },
                { "name: a\n", "v.yaml:1:1: " },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(catalogue_freep) Catalogue *c = NULL;
                Error e = { "" };
                assert_int_equal(catalogue_new(&c), 0);
                assert_int_equal(read_list(c, cases[i].text, &e), -EINVAL);
                if (!startswith(e.message, cases[i].message))
                        fail_msg("'%s' is not '%s'", e.message, cases[i].message);
        }
}

static const Vital *find_mdc(const Catalogue *c, uint32_t mdc) {
        for (size_t i = 0; i < catalogue_count(c); i++)
                if (catalogue_at(c, (VitalId) i)->mdc == mdc)
                        return catalogue_at(c, (VitalId) i);
        return NULL;
}

/* vital, refid, MDC, partition and term, LOINC, UCUM, ... */
static bool check_row(const Catalogue *c, char *line) {
        char *fields[6];

        for (size_t i = 0; i < ELEMENTS(fields); i++)
                if (!(fields[i] = strsep(&line, ",")))
                        return false;
        const Vital *v = find_mdc(c, (uint32_t) strtoul(fields[2], NULL, 10));
        if (!v)
                return false;
        if (v->loinc[0] != '\0' && fields[4][0] != '\0' && !startswith(fields[4], v->loinc))
                fail_msg("%s: LOINC %s, not %s", v->name, v->loinc, fields[4]);
        if (!startswith(fields[5], v->unit))
                fail_msg("%s: unit %s, not %s", v->name, v->unit, fields[5]);
        return true;
}

static void codes_are_the_published_ones(void **state) {
        static const char *const coded[] = { "spo2", "pulse", "hr", "rr", "temp", "sbp", "dbp", "map",
                "glucose", "weight", "height" };
        const char *data = getenv("WARDSTONE_DATA");
        _cleanup_free_ char *text = NULL;
        char path[4096];
        size_t rows = 0;
        Error e;

        (void) snprintf(path, sizeof path, "%s/vectors/mdc_loinc_ucum.csv", data ? data : "");
        if (!data || file_read(path, 1 << 20, &text, NULL, &e) < 0) {
                print_message("skipped: no %s\n", path);
                skip();
        }
        char *rest = text, *line;
        (void) strsep(&rest, "\n");
        while ((line = strsep(&rest, "\n")))
                rows += check_row(*state, line);
        assert_int_equal(rows, ELEMENTS(coded));
}

static void priorities_and_states_have_names(void **state) {
        Priority p;

        for (Priority i = PRIORITY_TECHNICAL; i <= PRIORITY_HIGH; i++) {
                assert_int_equal(priority_parse(priority_name(i), &p), 0);
                assert_int_equal(p, i);
        }
        assert_int_equal(priority_parse("urgent", &p), -EINVAL);
        assert_string_equal(alert_state_name(ALERT_RESOLVED), "resolved");
        assert_string_equal(reading_flag_name(0), "implausible");
        assert_string_equal(reading_flag_name(7), "test");
        assert_string_equal(reading_flag_name(10), "provisional");
        assert_null(reading_flag_name(11));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(vitals_are_found_by_name_alias_and_loinc, set_up, tear_down),
                cmocka_unit_test_setup_teardown(every_row_is_sound, set_up, tear_down),
                cmocka_unit_test_setup_teardown(units_convert_as_ucum_and_senml_say, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                percent_is_a_ratio_where_it_can_be_nothing_else, set_up, tear_down),
                cmocka_unit_test_setup_teardown(units_of_another_quantity_are_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(operators_add_vitals, set_up, tear_down),
                cmocka_unit_test(mistakes_in_vitals_have_a_place),
                cmocka_unit_test_setup_teardown(codes_are_the_published_ones, set_up, tear_down),
                cmocka_unit_test(priorities_and_states_have_names),
        };

        return cmocka_run_group_tests_name("vital", tests, NULL, NULL);
}
