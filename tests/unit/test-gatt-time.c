/* Clocks of Bluetooth devices, read and set. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "decode/gatt_time.h"

static const int64_t morning_us = INT64_C(1795162530) * USEC_PER_SEC; /* 2026-11-20T08:15:30Z, a Friday */

static void assert_clock(uint16_t characteristic, const char *bytes, size_t len, int64_t expected_us) {
        int64_t us = 0;
        Error e = { "" };

        if (gatt_clock_decode(characteristic, BYTES(bytes, len), &us, &e) < 0)
                fail_msg("%s", e.message);
        assert_int_equal(us, expected_us);
}

static void assert_no_clock(uint16_t characteristic, const char *bytes, size_t len, const char *reason) {
        int64_t us = 7;
        Error e;

        assert_int_equal(gatt_clock_decode(characteristic, BYTES(bytes, len), &us, &e), -EBADMSG);
        assert_non_null(strstr(e.message, reason));
        assert_int_equal(us, 7);
}

static void a_clock_is_read(_unused_ void **state) {
        assert_clock(GATT_DATE_TIME, "\xea\x07\x0b\x14\x08\x0f\x1e", 7, morning_us);
        assert_clock(GATT_CURRENT_TIME, "\xea\x07\x0b\x14\x08\x0f\x1e\x05\x80\x00", 10, morning_us + 500000);
        assert_clock(GATT_CURRENT_TIME, "\xb2\x07\x01\x01\x00\x00\x00\x04\x00\x00", 10, 0);
        assert_clock(GATT_CURRENT_TIME, "\xb1\x07\x0c\x1f\x17\x3b\x3b\x03\x00\x00", 10, -USEC_PER_SEC);
        /* the day of the week is not looked at: devices have it wrong */
        assert_clock(GATT_CURRENT_TIME, "\xea\x07\x0b\x14\x08\x0f\x1e\xff\x00\x00", 10, morning_us);
}

static void what_is_no_clock_is_refused(_unused_ void **state) {
        assert_no_clock(GATT_DATE_TIME, "\xea\x07\x0b\x14\x08\x0f", 6, "6 bytes: expected 7");
        assert_no_clock(GATT_CURRENT_TIME, "\xea\x07\x0b\x14\x08\x0f\x1e", 7, "7 bytes: expected 10");
        assert_no_clock(GATT_DATE_TIME, "\xea\x07\x0b\x14\x08\x0f\x1e\x05\x80\x00", 10,
                        "10 bytes: expected 7");
        assert_no_clock(GATT_DATE_TIME, "\x00\x00\x0b\x14\x08\x0f\x1e", 7, "knows no time");
        assert_no_clock(GATT_DATE_TIME, "\xea\x07\x0b\x1f\x08\x0f\x1e", 7, "impossible"); /* 31 November */
        assert_no_clock(GATT_DATE_TIME, "\x2e\x06\x0b\x14\x08\x0f\x1e", 7, "impossible"); /* 1582 */
        assert_no_clock(GATT_DATE_TIME, "\x10\x27\x01\x01\x00\x00\x00", 7, "impossible"); /* 10000 */
        assert_no_clock(0x2a37, "\xea\x07\x0b\x14\x08\x0f\x1e", 7, "2A37 is no clock");
}

static void a_clock_is_set(_unused_ void **state) {
        uint8_t bytes[GATT_CLOCK_MAX];

        assert_int_equal(gatt_clock_encode(GATT_CURRENT_TIME, morning_us + 999999, bytes), 10);
        assert_memory_equal(bytes, "\xea\x07\x0b\x14\x08\x0f\x1e\x05\xff\x02", 10);
        assert_int_equal(gatt_clock_encode(GATT_DATE_TIME, morning_us, bytes), 7);
        assert_memory_equal(bytes, "\xea\x07\x0b\x14\x08\x0f\x1e", 7);
        assert_int_equal(gatt_clock_encode(GATT_CURRENT_TIME, 0, bytes), 10);
        assert_memory_equal(bytes, "\xb2\x07\x01\x01\x00\x00\x00\x04\x00\x02", 10); /* a Thursday */
}

static void every_day_of_four_centuries_comes_back(_unused_ void **state) {
        const int64_t day_us = 86400 * USEC_PER_SEC;
        uint8_t bytes[GATT_CLOCK_MAX];
        int64_t us;
        Error e;
        unsigned weekday = 0;

        for (int64_t day = -141349; day < -141349 + 146097 + 366; day++) {
                int64_t at = day * day_us + (day & 0xffff) * USEC_PER_SEC;
                assert_int_equal(gatt_clock_encode(GATT_CURRENT_TIME, at, bytes), 10);
                assert_int_equal(gatt_clock_decode(GATT_CURRENT_TIME, BYTES(bytes, 10), &us, &e), 0);
                if (us != at)
                        fail_msg("day %lld: %lld", (long long) day, (long long) us);
                if (weekday != 0)
                        assert_int_equal(bytes[7], weekday % 7 + 1);
                weekday = bytes[7];
        }
}

static void a_year_that_has_no_bytes_is_out_of_range(_unused_ void **state) {
        uint8_t bytes[GATT_CLOCK_MAX];

        assert_int_equal(gatt_clock_encode(GATT_DATE_TIME, INT64_C(253402300800) * USEC_PER_SEC, bytes),
                        -ERANGE);
        assert_int_equal(gatt_clock_encode(GATT_DATE_TIME, INT64_C(253402300799) * USEC_PER_SEC, bytes), 7);
        assert_memory_equal(bytes, "\x0f\x27\x0c\x1f\x17\x3b\x3b", 7);
        assert_int_equal(gatt_clock_encode(GATT_DATE_TIME, INT64_C(-12212553600) * USEC_PER_SEC, bytes), 7);
        assert_memory_equal(bytes, "\x2f\x06\x01\x01\x00\x00\x00", 7);
        assert_int_equal(gatt_clock_encode(GATT_DATE_TIME, INT64_C(-12212553600) * USEC_PER_SEC - 1, bytes),
                        -ERANGE);
        assert_int_equal(gatt_clock_encode(GATT_DATE_TIME, INT64_MIN, bytes), -ERANGE);
        assert_int_equal(gatt_clock_encode(GATT_DATE_TIME, INT64_MAX, bytes), -ERANGE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_clock_is_read),
                cmocka_unit_test(what_is_no_clock_is_refused),
                cmocka_unit_test(a_clock_is_set),
                cmocka_unit_test(every_day_of_four_centuries_comes_back),
                cmocka_unit_test(a_year_that_has_no_bytes_is_out_of_range),
        };

        return cmocka_run_group_tests_name("gatt-time", tests, NULL, NULL);
}
