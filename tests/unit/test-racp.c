/* Asking a device for its stored measurements. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "decode/racp.h"

static void assert_request(RacpRequest r, const char *bytes, int len) {
        uint8_t got[RACP_REQUEST_MAX];

        assert_int_equal(racp_encode(&r, got), len);
        assert_memory_equal(got, bytes, (size_t) len);
}

static void requests_name_the_records(_unused_ void **state) {
        assert_request((RacpRequest){ RACP_REPORT, RACP_ALL, 0, 0 }, "\x01\x01", 2);
        assert_request((RacpRequest){ RACP_COUNT, RACP_ALL, 0, 0 }, "\x04\x01", 2);
        assert_request((RacpRequest){ RACP_REPORT, RACP_FROM, 0x1234, 0 }, "\x01\x03\x01\x34\x12", 5);
        assert_request((RacpRequest){ RACP_DELETE, RACP_UP_TO, 0, 0x1234 }, "\x02\x02\x01\x34\x12", 5);
        assert_request((RacpRequest){ RACP_REPORT, RACP_RANGE, 1, 0xffff }, "\x01\x04\x01\x01\x00\xff\xff",
                        7);
        assert_request((RacpRequest){ RACP_REPORT, RACP_OLDEST, 0, 0 }, "\x01\x05", 2);
        assert_request((RacpRequest){ RACP_REPORT, RACP_NEWEST, 0, 0 }, "\x01\x06", 2);
        assert_request((RacpRequest){ RACP_ABORT, RACP_NONE, 0, 0 }, "\x03\x00", 2);
}

static void requests_without_sense_are_refused(_unused_ void **state) {
        static const RacpRequest bad[] = {
                { RACP_REPORT, RACP_NONE, 0, 0 },
                { RACP_ABORT, RACP_ALL, 0, 0 },
                { RACP_REPORT, RACP_RANGE, 2, 1 },
        };
        uint8_t got[RACP_REQUEST_MAX];

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_equal(racp_encode(bad + i, got), -EINVAL);
}

static void responses_say_how_many_or_how_it_ended(_unused_ void **state) {
        RacpResponse r;
        Error e;

        assert_int_equal(racp_parse(BYTES("\x05\x00\x34\x12", 4), &r, &e), 0);
        assert_int_equal(r.operation, RACP_COUNT);
        assert_int_equal(r.count, 0x1234);
        assert_int_equal(r.result, RACP_SUCCESS);
        assert_int_equal(racp_parse(BYTES("\x06\x00\x01\x06", 4), &r, &e), 0);
        assert_int_equal(r.operation, RACP_REPORT);
        assert_int_equal(r.count, 0);
        assert_int_equal(r.result, RACP_NO_RECORDS);
        assert_string_equal(racp_result_text(r.result), "no records found");
        assert_int_equal(racp_parse(BYTES("\x06\x00\x04\x04", 4), &r, &e), 0);
        assert_int_equal(r.operation, RACP_COUNT);
        assert_int_equal(r.result, RACP_OPERATOR_NOT_SUPPORTED);
}

static void what_is_no_response_is_refused(_unused_ void **state) {
        static const struct {
                const char *bytes;
                size_t len;
                const char *reason;
        } cases[] = {
                { "", 0, "0 bytes" },
                { "\x06\x00\x01", 3, "3 bytes" },
                { "\x06\x00\x01\x01\x00", 5, "5 bytes" },
                { "\x01\x01\x00\x00", 4, "operator 1" },
                { "\x01\x00\x00\x00", 4, "opcode 1 is no response" },
                { "\x06\x00\x00\x01", 4, "reserved" },
                { "\x06\x00\x05\x01", 4, "reserved" },
                { "\x06\x00\x01\x00", 4, "reserved" },
                { "\x06\x00\x01\x0a", 4, "reserved" },
        };
        RacpResponse r;
        Error e;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(racp_parse(BYTES(cases[i].bytes, cases[i].len), &r, &e), -EBADMSG);
                assert_non_null(strstr(e.message, cases[i].reason));
        }
}

static void every_result_has_a_text(_unused_ void **state) {
        for (unsigned i = 0; i < 256; i++)
                assert_true((racp_result_text((RacpResult) i) != NULL) == (i >= 1 && i <= 9));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(requests_name_the_records),
                cmocka_unit_test(requests_without_sense_are_refused),
                cmocka_unit_test(responses_say_how_many_or_how_it_ended),
                cmocka_unit_test(what_is_no_response_is_refused),
                cmocka_unit_test(every_result_has_a_text),
        };

        return cmocka_run_group_tests_name("racp", tests, NULL, NULL);
}
