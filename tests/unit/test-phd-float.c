/* The numbers of personal health devices: each special value is its own kind, every other the nearest double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "decode/phd_float.h"

static void special_values_are_no_numbers(_unused_ void **state) {
        static const struct {
                uint16_t sfloat;
                uint32_t wide;
                PhdKind kind;
        } cases[] = {
                { 0x07ff, 0x007fffff, PHD_NAN },
                { 0x0800, 0x00800000, PHD_NRES },
                { 0x07fe, 0x007ffffe, PHD_POSITIVE_INFINITY },
                { 0x0802, 0x00800002, PHD_NEGATIVE_INFINITY },
                { 0x0801, 0x00800001, PHD_RESERVED },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(phd_sfloat(cases[i].sfloat).kind, cases[i].kind);
                assert_int_equal(phd_float(cases[i].wide).kind, cases[i].kind);
                assert_true(isnan(phd_value(phd_sfloat(cases[i].sfloat))));
                assert_true(isnan(phd_value(phd_float(cases[i].wide))));
        }
}

/* They have the exponent 0; their neighbours, and the same mantissas with another exponent, are numbers. */
static void what_is_beside_them_is_a_number(_unused_ void **state) {
        assert_true(phd_value(phd_sfloat(0x07fd)) == 2045);
        assert_true(phd_value(phd_sfloat(0x0803)) == -2045);
        assert_true(phd_value(phd_sfloat(0xf7ff)) == 204.7);
        assert_true(phd_value(phd_sfloat(0xf800)) == -204.8);
        assert_true(phd_value(phd_float(0x007ffffd)) == 8388605);
        assert_true(phd_value(phd_float(0x00800003)) == -8388605);
        assert_true(phd_value(phd_float(0xff7fffff)) == 838860.7);
        assert_true(phd_value(phd_float(0xff800000)) == -838860.8);
}

static void decimals_are_what_they_say(_unused_ void **state) {
        assert_true(phd_value(phd_float(0xff00016e)) == 36.6);
        assert_true(phd_value(phd_float(0xfe000eb0)) == 37.6);
        assert_true(phd_value(phd_sfloat(0xf16e)) == 36.6);
        assert_true(phd_value(phd_sfloat(0xc036)) == 0.0054);
        assert_true(phd_value(phd_sfloat(0x0000)) == 0);
        assert_true(phd_value(phd_sfloat(0xffff)) == -0.1);
}

static double literal(PhdFloat f) {
        char text[32];

        (void) snprintf(text, sizeof text, "%de%d", f.mantissa, f.exponent);
        return strtod(text, NULL);
}

static void every_sfloat_is_the_nearest_double(_unused_ void **state) {
        size_t numbers = 0;

        for (uint32_t bits = 0; bits <= UINT16_MAX; bits++) {
                PhdFloat f = phd_sfloat((uint16_t) bits);
                if (f.kind != PHD_NUMBER)
                        continue;
                numbers++;
                if (phd_value(f) != literal(f))
                        fail_msg("%04x: %.17g", bits, phd_value(f));
                assert_in_range(f.mantissa + 2048, 0, 4095);
                assert_in_range(f.exponent + 8, 0, 15);
        }
        assert_int_equal(numbers, 65536 - 5);
}

static void floats_are_the_nearest_double_at_every_exponent(_unused_ void **state) {
        static const uint32_t mantissas[] = { 0, 1, 366, 8388605, 0x800000, 0x800003, 0xffffff, 0xfd02ff };

        for (uint32_t exponent = 0; exponent < 256; exponent++)
                for (size_t i = 0; i < ELEMENTS(mantissas); i++) {
                        PhdFloat f = phd_float(exponent << 24 | mantissas[i]);
                        if (f.kind == PHD_NUMBER && phd_value(f) != literal(f))
                                fail_msg("%02x %06x: %.17g", exponent, mantissas[i], phd_value(f));
                }
        assert_true(phd_value(phd_float(0x7f000001)) == 1e127);
        assert_true(phd_value(phd_float(0x80000001)) == 1e-128);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(special_values_are_no_numbers),
                cmocka_unit_test(what_is_beside_them_is_a_number),
                cmocka_unit_test(decimals_are_what_they_say),
                cmocka_unit_test(every_sfloat_is_the_nearest_double),
                cmocka_unit_test(floats_are_the_nearest_double_at_every_exponent),
        };

        return cmocka_run_group_tests_name("phd-float", tests, NULL, NULL);
}
