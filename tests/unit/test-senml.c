/* SenML (RFC 8428) in JSON and CBOR: its rules for records, and what must be refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "senml-fixture.h"

static void accept_json(SampleList *l, const char *text) {
        Error e = { "" };

        if (decode(DECODE_SENML_JSON, BYTES_STRING(text), l, &e) < 0)
                fail_msg("%s: %s", text, e.message);
}

static void refuse_json(SampleList *l, const char *text, const char *reason) {
        Error e = { "" };

        if (decode(DECODE_SENML_JSON, BYTES_STRING(text), l, &e) == 0)
                fail_msg("%s: accepted", text);
        if (!strstr(e.message, reason))
                fail_msg("%s: '%s', not '%s'", text, e.message, reason);
}

static size_t from_hex(const char *hex, uint8_t *ret, size_t size) {
        size_t n = 0;

        for (; *hex; hex++) {
                char pair[] = { hex[0], hex[1], '\0' }, *end;
                if (*hex == ' ')
                        continue;
                assert_true(n < size);
                ret[n++] = (uint8_t) strtoul(pair, &end, 16);
                assert_ptr_equal(end, pair + 2);
                hex++;
        }
        return n;
}

static int decode_hex(SampleList *l, const char *hex, Error *e) {
        uint8_t bytes[512];
        size_t n = from_hex(hex, bytes, sizeof bytes);

        return decode(DECODE_SENML_CBOR, BYTES(bytes, n), l, e);
}

static void accept_cbor(SampleList *l, const char *hex) {
        Error e = { "" };

        if (decode_hex(l, hex, &e) < 0)
                fail_msg("%s: %s", hex, e.message);
}

static void refuse_cbor(SampleList *l, const char *hex, const char *reason) {
        Error e = { "" };

        if (decode_hex(l, hex, &e) == 0)
                fail_msg("%s: accepted", hex);
        if (!strstr(e.message, reason))
                fail_msg("%s: '%s', not '%s'", hex, e.message, reason);
}

static void base_fields_apply_until_the_next(void **state) {
        SampleList *l = *state;

        accept_json(l, "[{\"bn\":\"a:\",\"bt\":1700000000,\"bu\":\"%\",\"bv\":90,\"n\":\"spo2\",\"v\":7},"
                       "{\"n\":\"hr\",\"u\":\"beat/min\",\"t\":2.5,\"v\":-20},"
                       "{\"bn\":\"b/"
                       "\",\"bv\":0,\"n\":\"pi\",\"v\":1.5},{\"bn\":\"c\",\"bu\":\"\",\"v\":1}]");
        assert_int_equal(l->count, 4);
        assert_string_equal(l->items[0].name, "a:spo2");
        assert_string_equal(sample_vital(l->items), "spo2");
        assert_string_equal(l->items[0].unit, "%");
        assert_true(l->items[0].value == 97);
        assert_int_equal(l->items[0].time_us, 1700000000 * USEC_PER_SEC);
        assert_string_equal(l->items[1].unit, "beat/min");
        assert_true(l->items[1].value == 70);
        assert_int_equal(l->items[1].time_us, 1700000002500000);
        assert_string_equal(l->items[2].name, "b/pi");
        assert_string_equal(sample_vital(l->items + 2), "pi");
        assert_string_equal(l->items[2].unit, "%");
        assert_true(l->items[2].value == 1.5);
        assert_string_equal(l->items[3].name, "c");
        assert_string_equal(l->items[3].unit, "");
}

static void times_below_2_to_the_28_are_relative(void **state) {
        SampleList *l = *state;

        accept_json(l, "[{\"n\":\"a\",\"v\":1},{\"n\":\"a\",\"v\":1,\"t\":0},{\"n\":\"a\",\"v\":1,\"t\":-5},"
                       "{\"n\":\"a\",\"v\":1,\"t\":268435455},{\"n\":\"a\",\"v\":1,\"t\":268435456},"
                       "{\"bt\":-10,\"n\":\"a\",\"v\":1,\"t\":2.25},{\"bt\":1.276020076001e+09,\"n\":\"a\","
                       "\"v\":1}]");
        assert_int_equal(l->items[0].time_us, TIME_NONE); /* the device knows no time */
        assert_int_equal(l->items[1].time_us, TIME_NONE);
        assert_int_equal(l->items[2].time_us, now_us - 5 * USEC_PER_SEC);
        assert_int_equal(l->items[3].time_us, now_us + 268435455 * USEC_PER_SEC);
        assert_int_equal(l->items[4].time_us, 268435456 * USEC_PER_SEC);
        assert_int_equal(l->items[5].time_us, now_us - 7750000);
        assert_int_equal(l->items[6].time_us, 1276020076001000);
        refuse_json(l, "[{\"n\":\"a\",\"v\":1,\"t\":1e300}]", "out of range");
        refuse_json(l, "[{\"n\":\"a\",\"v\":1,\"t\":-1e300}]", "out of range");
}

static void values_are_numbers_booleans_codes_or_nothing(void **state) {
        SampleList *l = *state;

        accept_json(l, "[{\"bn\":\"bed7:\",\"bu\":\"Cel\",\"bv\":3,\"n\":\"o2\",\"vb\":true},{\"n\":\"o2\","
                       "\"vb\":false},"
                       "{\"n\":\"acvpu\",\"vs\":\"V\"},{\"n\":\"AVPU\",\"vs\":\"U\"},{\"n\":\"acvpu\","
                       "\"vs\":\"X\"},"
                       "{\"n\":\"label\",\"vs\":\"A\"},{\"n\":\"raw\",\"vd\":\"aGkgCg\"},{\"n\":\"e\",\"s\":"
                       "5}]");
        assert_int_equal(l->count, 8);
        assert_true(l->items[0].has_value && l->items[0].value == 1);
        assert_string_equal(l->items[0].unit, "");
        assert_true(l->items[1].has_value && l->items[1].value == 0);
        assert_true(l->items[2].has_value && l->items[2].value == 2);
        assert_true(l->items[3].has_value && l->items[3].value == 4);
        for (size_t i = 4; i < 8; i++)
                assert_false(l->items[i].has_value);
        assert_true(l->items[7].has_sum && l->items[7].sum == 5);
        assert_string_equal(l->items[7].unit, "Cel");
}

static void sums_have_a_base_too(void **state) {
        SampleList *l = *state;

        accept_json(l, "[{\"n\":\"e\",\"v\":1},{\"bs\":10,\"n\":\"e\",\"s\":5,\"v\":2},{\"n\":\"e\"}]");
        assert_false(l->items[0].has_sum);
        assert_true(l->items[1].has_sum && l->items[1].sum == 15 && l->items[1].value == 2);
        assert_true(l->items[2].has_sum && l->items[2].sum == 10 && !l->items[2].has_value);
}

static void a_record_without_a_value_is_refused_unless_it_is_all_base(void **state) {
        SampleList *l = *state;

        accept_json(l, "[{\"bn\":\"a\"},{},{\"v\":1}]");
        assert_int_equal(l->count, 1);
        refuse_json(l, "[{\"n\":\"a\"}]", "neither a value nor a sum");
        refuse_json(l, "[{\"bn\":\"a\",\"bv\":3,\"t\":1}]", "neither a value nor a sum");
        refuse_json(l, "[{\"n\":\"a\",\"v\":1,\"vb\":true}]", "more than one value");
        refuse_json(l, "[]", "without records");
        refuse_json(l, "[{\"n\":\"a\",\"v\":1,\"v\":2}]", "'v' is given twice");
}

static void versions_above_10_and_mandatory_extensions_are_refused(void **state) {
        SampleList *l = *state;

        accept_json(l, "[{\"bver\":10,\"n\":\"a\",\"v\":1},{\"bver\":10,\"n\":\"a\",\"v\":1}]");
        accept_json(l, "[{\"bver\":5,\"n\":\"a\",\"v\":1}]");
        refuse_json(l, "[{\"bver\":11,\"n\":\"a\",\"v\":1}]", "bver");
        refuse_json(l, "[{\"bver\":0,\"n\":\"a\",\"v\":1}]", "bver");
        refuse_json(l, "[{\"bver\":2.5,\"n\":\"a\",\"v\":1}]", "bver");
        refuse_json(l, "[{\"bver\":5,\"n\":\"a\",\"v\":1},{\"bver\":6,\"n\":\"a\",\"v\":1}]",
                        "changes from 5 to 6");
        refuse_json(l, "[{\"n\":\"a\",\"v\":1},{\"bver\":5,\"n\":\"a\",\"v\":1}]", "changes from 10 to 5");
        /* others are ignored, whatever they hold */
        accept_json(l, "[{\"n\":\"a\",\"v\":1,\"ext\":{\"deep\":[1,[2,{}],\"\\u00e9\",null,true]},"
                       "\"blabla\":-1.5E-3}]");
        assert_int_equal(l->count, 1);
        refuse_json(l, "[{\"n\":\"a\",\"v\":1,\"ext_\":1}]", "'ext_' must be understood");
}

static void names_have_few_characters(void **state) {
        SampleList *l = *state;
        char text[400], name[160];

        accept_json(l, "[{\"bn\":\"urn:dev:mac:0024befffe804ff1\",\"n\":\"-a.b/c_D9\",\"v\":1}]");
        refuse_json(l, "[{\"v\":1}]", "neither a name");
        refuse_json(l, "[{\"n\":\"-a\",\"v\":1}]", "byte 0x2d at 0");
        refuse_json(l, "[{\"n\":\"a b\",\"v\":1}]", "byte 0x20 at 1");
        refuse_json(l, "[{\"n\":\"temp\xc3\xa9\",\"v\":1}]", "byte 0xc3");
        refuse_json(l, "[{\"n\":\"a\\u0062\\n\",\"v\":1}]", "byte 0x0a at 2");
        for (size_t n = SAMPLE_NAME_MAX - 1; n <= SAMPLE_NAME_MAX; n++) {
                memset(name, 'x', n);
                name[n] = '\0';
                (void) snprintf(text, sizeof text, "[{\"n\":\"%s\",\"v\":1}]", name);
                if (n < SAMPLE_NAME_MAX)
                        accept_json(l, text);
                else
                        refuse_json(l, text, "expected at most 127");
        }
        assert_int_equal(l->count, 0);
        refuse_json(l, "[{\"n\":\"a\",\"u\":\"0123456789abcdef\",\"v\":1}]", "unit of 16 bytes");
}

static void escapes_are_undone(void **state) {
        SampleList *l = *state;

        accept_json(l, "[{\"bn\":\"bed\\/"
                       "\",\"\\u006e\":\"t\\u0065mp\",\"u\":\"\\u00b0C\",\"v\":36.5,\"x\":"
                       "\"\\ud83d\\ude00\"},"
                       "{\"n\":\"hr\",\"v\":1}]");
        assert_string_equal(l->items[0].name, "bed/temp");
        assert_string_equal(l->items[0].unit, "\u00b0C");
        assert_string_equal(l->items[1].name, "bed/hr");
        refuse_json(l, "[{\"n\":\"a\\u0000\",\"v\":1}]", "JSON");
        refuse_json(l, "[{\"n\":\"a\\ud83d\",\"v\":1}]", "JSON");
        refuse_json(l, "[{\"n\":\"a\\ude00\",\"v\":1}]", "JSON");
        refuse_json(l, "[{\"n\":\"a\",\"v\":1,\"x\":\"\\ud83d\\u0041\"}]", "JSON");
        refuse_json(l, "[{\"n\":\"a\\x41\",\"v\":1}]", "JSON");
}

static void texts_are_utf8(void **state) {
        static const char *const broken[] = {
                "\xc0\x80",
                "\xc1\xbf",
                "\xe0\x9f\xbf",
                "\xed\xa0\x80",
                "\xf0\x8f\xbf\xbf",
                "\xf4\x90\x80\x80",
                "\xf5\x80\x80\x80",
                "\x80",
                "\xc3",
                "\xe2\x82",
                "\xe2\x28\xa1",
                "\xf0\x9f\x98",
        };
        static const char *const whole[] = { "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xf0\x90\x80\x80",
                "\xf4\x8f\xbf\xbf" };
        SampleList *l = *state;
        char text[64];

        for (size_t i = 0; i < ELEMENTS(broken); i++) {
                (void) snprintf(text, sizeof text, "[{\"n\":\"a\",\"v\":1,\"x\":\"%s\"}]", broken[i]);
                refuse_json(l, text, "JSON");
        }
        for (size_t i = 0; i < ELEMENTS(whole); i++) {
                (void) snprintf(text, sizeof text, "[{\"n\":\"a\",\"v\":1,\"x\":\"%s\"}]", whole[i]);
                accept_json(l, text);
        }
}

static void nesting_is_bounded_where_it_is_skipped(void **state) {
        SampleList *l = *state;

        accept_json(l, "[{\"n\":\"a\",\"v\":1,\"x\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}]");
        refuse_json(l, "[{\"n\":\"a\",\"v\":1,\"x\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}]", "JSON");
        accept_cbor(l, "81 a3 00 6161 02 01 6178 81818181818181818181818181818181 01");
        refuse_cbor(l, "81 a3 00 6161 02 01 6178 8181818181818181818181818181818181 01", "CBOR");
}

static void fields_of_the_wrong_type_are_refused(void **state) {
        static const char *const fields[] = {
                "\"n\":1",
                "\"u\":1",
                "\"v\":\"1\"",
                "\"vs\":1",
                "\"vb\":1",
                "\"vd\":1",
                "\"s\":null",
                "\"t\":\"1\"",
                "\"ut\":\"1\"",
                "\"bn\":1",
                "\"bt\":true",
                "\"bu\":[]",
                "\"bv\":{}",
                "\"bs\":\"\"",
                "\"bver\":\"5\"",
        };
        SampleList *l = *state;
        char text[100];

        for (size_t i = 0; i < ELEMENTS(fields); i++) {
                (void) snprintf(text, sizeof text, "[{%s}]", fields[i]);
                refuse_json(l, text, "wrong type");
        }
        refuse_json(l, "{\"n\":\"a\",\"v\":1}", "an array of records");
        refuse_json(l, "[[]]", "a SenML record is an object");
        refuse_json(l, "[{\"n\":\"a\",\"v\":1}] x", "follows");
        refuse_json(l, "[{\"n\":\"a\",\"v\":1}][]", "follows");
        refuse_json(l, "", "array");
}

static void numbers_are_read_to_the_nearest_double(void **state) {
        static const struct {
                const char *text;
                double value;
        } cases[] = {
                { "0", 0 },
                { "-0", -0.0 },
                { "97", 97 },
                { "-97.5", -97.5 },
                { "0.14e1", 1.4 },
                { "1E-2", 0.01 },
                { "36.6", 36.6 },
                { "0.1", 0.1 },
                { "120.1", 120.1 },
                { "123456789.012345", 123456789.012345 },
                { "9007199254740993", 9007199254740993.0 },
                { "18446744073709551616", 18446744073709551616.0 },
                { "0.30000000000000004", 0.30000000000000004 },
                { "1.7976931348623157e308", 1.7976931348623157e308 },
                { "1e-400", 0 },
        };
        static const char *const malformed[] = { "01", "+1", ".5", "1.", "1e", "1e+", "-", "0x10", "NaN",
                "Infinity", "1e400", "-1e400", "1 2", "--1" };
        SampleList *l = *state;
        char text[100];

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                (void) snprintf(text, sizeof text, "[{\"n\":\"a\",\"v\":%s}]", cases[i].text);
                accept_json(l, text);
                if (l->items[0].value != cases[i].value)
                        fail_msg("%s: %.17g", cases[i].text, l->items[0].value);
        }
        for (size_t i = 0; i < ELEMENTS(malformed); i++) {
                (void) snprintf(text, sizeof text, "[{\"n\":\"a\",\"v\":%s}]", malformed[i]);
                refuse_json(l, text, "JSON");
                (void) snprintf(text, sizeof text, "[{\"n\":\"a\",\"v\":1,\"x\":[%s]}]", malformed[i]);
                refuse_json(l, text, "JSON");
        }
}

static void packs_are_bounded(void **state) {
        static const char record[] = "{\"n\":\"a\",\"v\":1}", nest[] = "[{\"x\":";
        _cleanup_free_ char *text = malloc(DECODE_PAYLOAD_MAX + 2);
        SampleList *l = *state;
        char *p = text;
        Error e;

        assert_non_null(text);
        for (int i = 0; i < SAMPLES_MAX; i++) {
                *p++ = i ? ',' : '[';
                p = mempcpy(p, record, sizeof record - 1);
        }
        (void) stpcpy(p, "]");
        accept_json(l, text);
        assert_int_equal(l->count, SAMPLES_MAX);
        *p++ = ',';
        p = mempcpy(p, record, sizeof record - 1);
        (void) stpcpy(p, "]");
        refuse_json(l, text, "more than 1024 records");
        memset(text, ' ', DECODE_PAYLOAD_MAX + 1);
        assert_int_equal(decode(DECODE_SENML_JSON, BYTES(text, DECODE_PAYLOAD_MAX + 1), l, &e), -EBADMSG);
        assert_non_null(strstr(e.message, "65537 bytes"));
        /* nesting is bounded where it would be skipped */
        memset(text, '[', 60000);
        memcpy(text, nest, sizeof nest - 1);
        text[60000] = '\0';
        refuse_json(l, text, "JSON");
}

static void cbor_has_the_same_records(void **state) {
        SampleList *l = *state;

        /* [{-2: "a:", -3: 1700000000, 0: "hr", 1: "beat/min", 2: 72}, {0: "spo2", 2: 97.5 (half), 6: -1}] */
        accept_cbor(l, "82 a5 21 62613a 22 1a6553f100 00 626872 01 68626561742f6d696e 02 1848"
                       "a3 00 6473706f32 02 f956 18 06 20");
        assert_int_equal(l->count, 2);
        assert_string_equal(l->items[0].name, "a:hr");
        assert_string_equal(l->items[0].unit, "beat/min");
        assert_true(l->items[0].value == 72);
        assert_int_equal(l->items[0].time_us, 1700000000 * USEC_PER_SEC);
        assert_string_equal(l->items[1].name, "a:spo2");
        assert_true(l->items[1].value == 97.5);
        assert_int_equal(l->items[1].time_us, 1699999999 * USEC_PER_SEC);
        /* arrays and maps of indefinite length */
        accept_cbor(l, "9f bf 00 6161 02 01 ff bf 00 6161 04 f5 ff ff");
        assert_int_equal(l->count, 2);
        assert_true(l->items[1].value == 1);
        /* a coded text, data, a sum */
        accept_cbor(l, "83a20067623a6163767075036156a200637261770843616263a20061650505");
        assert_int_equal(l->count, 3);
        assert_true(l->items[0].has_value && l->items[0].value == 2);
        assert_false(l->items[1].has_value);
        assert_true(l->items[2].has_sum && l->items[2].sum == 5);
        /* unknown fields, whatever they hold: {"ext": [_ {1: (_ "a", "b")}, 1(2)], 99: null, -77: undefined} */
        accept_cbor(l, "81 a5 00 6161 02 01 63657874 9f a1 01 7f 6161 6162 ff c1 02 ff 1863 f6 384c f7");
        assert_int_equal(l->count, 1);
}

static void cbor_numbers_have_many_forms(void **state) {
        static const struct {
                const char *hex;
                double value;
        } cases[] = {
                { "00", 0 }, { "1bffffffffffffffff", 18446744073709551615.0 },
                { "3bffffffffffffffff", -18446744073709551616.0 }, { "f93e00", 1.5 }, { "f90001", 0x1p-24 },
                { "fa47c35000", 100000 }, { "fb405e066666666666", 120.1 },
                { "c4822019016e", 36.6 },                                                 /* 4([-1, 366]) */
                { "c4822138b4", -1.81 }, { "c48203187b", 123000 }, { "c4823901f301", 0 }, /* 1e-500 */
        };
        static const char *const refused[] = {
                "f97e00",         /* NaN */
                "f97c00",         /* Infinity */
                "faff800000",     /* -Infinity */
                "c4821901f401",   /* 1e500 */
                "c482016161",     /* 4([1, "a"]) */
                "c48101",         /* 4([1]) */
                "c49f2019016eff", /* of indefinite length */
                "c582010a",       /* 5([1, 10]): a bigfloat */
                "c24101",         /* a bignum */
                "c100",           /* a time */
                "f5",
                "f6",
                "6131",
                "4131",
                "80",
                "a0",
        };
        SampleList *l = *state;
        char hex[100];

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                (void) snprintf(hex, sizeof hex, "81 a2 00 6161 02 %s", cases[i].hex);
                accept_cbor(l, hex);
                if (l->items[0].value != cases[i].value)
                        fail_msg("%s: %.17g", cases[i].hex, l->items[0].value);
        }
        for (size_t i = 0; i < ELEMENTS(refused); i++) {
                (void) snprintf(hex, sizeof hex, "81 a2 00 6161 02 %s", refused[i]);
                refuse_cbor(l, hex, "'v' has a value of the wrong type");
        }
}

static void cbor_that_lies_is_refused(void **state) {
        SampleList *l = *state;

        refuse_cbor(l, "", "CBOR");
        refuse_cbor(l, "80", "without records");
        refuse_cbor(l, "9fff", "without records");
        refuse_cbor(l, "a0", "an array of records");
        refuse_cbor(l, "8101", "a SenML record is a map");
        refuse_cbor(l, "81a200616102", "CBOR"); /* cut off */
        refuse_cbor(l, "82a2006161020182", "map");
        refuse_cbor(l, "82a20061610201", "CBOR"); /* one record of two */
        refuse_cbor(l, "81a2006161020100", "1 bytes follow");
        refuse_cbor(l, "9bffffffffffffffff a2 00 6161 02 01", "CBOR");
        refuse_cbor(l, "81 bbffffffffffffffff 00 6161 02 01", "CBOR");
        refuse_cbor(l, "81 a2 00 7bffffffffffffffff 61", "CBOR");
        refuse_cbor(l, "81 a2 00 7b7fffffffffffffff 61", "CBOR");
        refuse_cbor(l, "81 a2 00 6161 02 1c", "CBOR"); /* reserved */
        refuse_cbor(l, "81 a3 00 6161 02 01 02 02", "'v' is given twice");
        refuse_cbor(l, "81 a2 00 7f 6161 ff 02 01", "'n' has a value of the wrong type");
        refuse_cbor(l, "81 a2 00 62c3a9 02 01", "'n' is not printable ASCII");
        refuse_cbor(l, "81 a3 00 6161 01 61ff 02 01", "'u' is not printable ASCII");
        refuse_cbor(l, "81 a3 00 6161 20 f94500 02 01", "'bver' has a value of the wrong type"); /* 5.0 */
        refuse_cbor(l, "81 a3 00 6161 20 0b 02 01", "bver");
        refuse_cbor(l, "81 a3 00 6161 62785f 01 02 01", "'x_' must be understood");
        refuse_cbor(l, "81 a3 00 6161 f5 01 02 01", "a label is an integer or a text");
        refuse_cbor(l, "81 bf 00 6161 02 ff", "'v' has a value of the wrong type");
        refuse_cbor(l, "81 a3 00 6161 02 01 6178 9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f", "CBOR");
}

#define LIST_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                LIST_TEST(base_fields_apply_until_the_next),
                LIST_TEST(times_below_2_to_the_28_are_relative),
                LIST_TEST(values_are_numbers_booleans_codes_or_nothing),
                LIST_TEST(sums_have_a_base_too),
                LIST_TEST(a_record_without_a_value_is_refused_unless_it_is_all_base),
                LIST_TEST(versions_above_10_and_mandatory_extensions_are_refused),
                LIST_TEST(names_have_few_characters),
                LIST_TEST(escapes_are_undone),
                LIST_TEST(texts_are_utf8),
                LIST_TEST(nesting_is_bounded_where_it_is_skipped),
                LIST_TEST(fields_of_the_wrong_type_are_refused),
                LIST_TEST(numbers_are_read_to_the_nearest_double),
                LIST_TEST(packs_are_bounded),
                LIST_TEST(cbor_has_the_same_records),
                LIST_TEST(cbor_numbers_have_many_forms),
                LIST_TEST(cbor_that_lies_is_refused),
        };

        return cmocka_run_group_tests_name("senml", tests, NULL, NULL);
}
