/* The small foundations: YAML with places, deterministic CBOR, times and durations, files. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cbor.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/error.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "base/yaml.h"

typedef struct Sensor {
        char *name;
        int64_t count, period, memory;
        double scale;
        bool enabled;
        int mode;
        YamlNode rest;
} Sensor;

static const char *const modes[] = { "slow", "fast", NULL };

static const YamlField sensor_fields[] = {
        { "name", YAML_STRING, offsetof(Sensor, name), .required = true },
        { "count", YAML_INT, offsetof(Sensor, count), .min = 1, .max = 10 },
        { "period", YAML_DURATION, offsetof(Sensor, period), .min = 1, .max = 3600e6 },
        { "memory", YAML_BYTES, offsetof(Sensor, memory) },
        { "scale", YAML_DOUBLE, offsetof(Sensor, scale) },
        { "enabled", YAML_BOOL, offsetof(Sensor, enabled) },
        { "mode", YAML_CHOICE, offsetof(Sensor, mode), .choices = modes },
        { "rest", YAML_NODE, offsetof(Sensor, rest) },
        { NULL },
};

static int read_sensor(const char *text, Sensor *s, Error *e) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;

        int r = yaml_load("s.yaml", BYTES_STRING(text), &d, e);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(d);
        return yaml_read(&root, sensor_fields, s, e);
}

static void yaml_reads_every_type(void **state) {
        Sensor s = { 0 };
        Error e = { "" };

        assert_int_equal(read_sensor("name: a\ncount: 3\nperiod: 1m30s\nmemory: 2M\nscale: -0.5\nenabled: "
                                     "true\nmode: fast\n",
                                         &s, &e),
                        0);
        assert_string_equal(s.name, "a");
        assert_int_equal(s.count, 3);
        assert_int_equal(s.period, 90 * USEC_PER_SEC);
        assert_int_equal(s.memory, 2 << 20);
        assert_true(s.scale == -0.5);
        assert_true(s.enabled);
        assert_int_equal(s.mode, 1);
        free(s.name);
}

static void yaml_mistakes_have_a_place(void **state) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "name: a\ncuont: 3\n", "s.yaml:2:1: unknown key 'cuont': did you mean 'count'?" },
                { "name: a\nzzzzzzzzz: 3\n", "s.yaml:2:1: unknown key 'zzzzzzzzz': expected one of: name" },
                { "name: a\ncount: many\n",
                                "s.yaml:2:8: count: 'many': expected a whole number from 1 to 10" },
                { "name: a\ncount: 11\n", "s.yaml:2:8: count: '11': expected a whole number from 1 to 10" },
                { "name: a\nperiod: 5\n", "s.yaml:2:9: period: '5': expected a duration from 1us to 1h" },
                { "name: a\nenabled: yes\n", "s.yaml:2:10: enabled: 'yes': expected true or false" },
                { "name: a\nmode: quick\n", "s.yaml:2:7: mode: 'quick': expected one of: slow, fast" },
                { "name: a\nname: b\n", "s.yaml:2:1: key 'name' is given twice, first on line 1" },
                { "count: 3\n", "s.yaml:1:1: key 'name' is missing" },
                { "- a\n", "s.yaml:1:1: expected a mapping" },
                { "name: [a]\n", "s.yaml:1:7: name: a list or mapping: expected a text" },
                { "name: &x a\nrest: *x\n", "s.yaml:2:7: aliases are not supported" },
                { "name: a\n---\nname: b\n", "s.yaml:2:1: a second document" },
                { "name: \"a\n", "s.yaml:" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Sensor s = { 0 };
                Error e = { "" };
                assert_int_equal(read_sensor(cases[i].text, &s, &e), -EINVAL);
                if (!startswith(e.message, cases[i].message))
                        fail_msg("expected \"%s\", got \"%s\"", cases[i].message, e.message);
                free(s.name);
        }
}

static void cbor_numbers_are_the_shortest(void **state) {
        static const struct {
                double v;
                size_t len;
        } cases[] = { { 97, 3 }, { 36.5, 3 }, { 36.6, 9 }, { 100000, 5 }, { 0, 3 }, { -0.0, 3 },
                { 65504, 3 }, { 5.960464477539063e-8, 3 }, { 1e300, 9 }, { NAN, 3 }, { INFINITY, 3 },
                { 3.4028234663852886e38, 5 } };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint8_t buffer[16];
                CborWriter w = cbor_writer(buffer, sizeof buffer);
                double back;

                cbor_put_double(&w, cases[i].v);
                assert_false(w.overflow);
                assert_int_equal(w.len, cases[i].len);
                CborReader r = cbor_reader(BYTES(buffer, w.len));
                assert_int_equal(cbor_take_double(&r, &back), 0);
                assert_true(back == cases[i].v || (isnan(back) && isnan(cases[i].v)));
                assert_int_equal(signbit(back), signbit(cases[i].v));
        }
}

static void cbor_reader_refuses_lies(void **state) {
        static const uint8_t cases[][10] = {
                { 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, /* bytes of 2^64 - 1 */
                { 0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, /* map */
                { 0x9f, 0x01, 0xff },                                     /* indefinite */
                { 0x1c },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                CborReader r = cbor_reader(BYTES(cases[i], sizeof cases[i]));
                assert_int_equal(cbor_skip(&r), -EBADMSG);
        }
        uint8_t deep[64];
        memset(deep, 0x81, sizeof deep);
        CborReader r = cbor_reader(BYTES(deep, sizeof deep));
        assert_int_equal(cbor_skip(&r), -EBADMSG);
}

static void times_of_iso_8601(void **state) {
        int64_t t;
        char text[CLOCK_TEXT_SIZE];

        assert_int_equal(clock_parse("2026-11-20T08:15:30.25Z", &t), 0);
        clock_format(t, text);
        assert_string_equal(text, "2026-11-20T08:15:30.250Z");
        assert_int_equal(clock_parse("2026-11-20 10:15:30+02:00", &t), 0);
        clock_format(t, text);
        assert_string_equal(text, "2026-11-20T08:15:30.000Z");
        assert_int_equal(clock_parse("1969-12-31T23:59:59.5Z", &t), 0);
        assert_int_equal(t, -500000);
        assert_int_equal(clock_parse("2024-02-29T00:00Z", &t), 0);
        static const char *const bad[] = { "", "2026", "2026-11-20", "2026-11-20T08:15:30",
                "2026-13-01T00:00:00Z", "2025-02-29T00:00:00Z", "2026-11-20T24:00:00Z",
                "2026-11-20T08:15:30Zx", "2026-11-20T08:15:30.Z" };
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_equal(clock_parse(bad[i], &t), -EINVAL);
}

static void durations(void **state) {
        char text[CLOCK_TEXT_SIZE];
        int64_t us;

        assert_int_equal(duration_parse("1h30m", &us), 0);
        assert_int_equal(us, 5400 * USEC_PER_SEC);
        duration_format(us, text);
        assert_string_equal(text, "90m");
        assert_int_equal(duration_parse("250ms", &us), 0);
        assert_int_equal(us, 250000);
        assert_int_equal(duration_parse("5", &us), -EINVAL);
        assert_int_equal(duration_parse("", &us), -EINVAL);
        assert_int_equal(duration_parse("-5s", &us), -EINVAL);
        assert_int_equal(duration_parse("99999999999999999999s", &us), -ERANGE);
}

static void secrets_that_others_can_read_are_refused(void **state) {
        char path[] = "/tmp/wardstone-test-XXXXXX";
        _cleanup_free_ char *text = NULL;
        Error e = { "" };
        size_t len;

        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "secret\n", 7), 7);
        assert_int_equal(fchmod(fd, 0644), 0);
        assert_int_equal(file_read_secret(path, 100, &text, &len, &e), -EACCES);
        assert_int_equal(fchmod(fd, 0600), 0);
        assert_int_equal(file_read_secret(path, 100, &text, &len, &e), 0);
        assert_string_equal(text, "secret");
        assert_int_equal(len, 6);
        char *longer = NULL;
        assert_int_equal(file_read(path, 3, &longer, NULL, &e), -EFBIG);
        assert_int_equal(file_replace(path, BYTES_STRING("new"), 0600, &e), 0);
        assert_int_equal(file_read(path, 3, &longer, NULL, &e), 0);
        assert_string_equal(longer, "new");
        free(longer);
        (void) close(fd);
        (void) unlink(path);
}

static void sha256_of_every_length(void **state) {
        uint8_t data[300], want[SHA256_SIZE];
        Hash h;

        for (size_t i = 0; i < sizeof data; i++)
                data[i] = (uint8_t) (i * 7);
        for (size_t n = 0; n <= sizeof data; n++) {
                assert_int_equal(crypto_hash_sha256(want, data, n), 0);
                sha256(BYTES(data, n), &h);
                assert_memory_equal(h.bytes, want, sizeof want);
                for (size_t a = 1; a <= n; a++) {
                        sha256_prefixed(data[0], BYTES(data + 1, a - 1), BYTES(data + a, n - a), &h);
                        assert_memory_equal(h.bytes, want, sizeof want);
                }
        }
}

static void texts_are_cut_between_characters(void **state) {
        static const struct {
                const char *text;
                size_t size;
                const char *copy;
        } cases[] = {
                { "", 1, "" },
                { "abc", 1, "" },
                { "abc", 3, "ab" },
                { "abc", 4, "abc" },
                { "a\u00e9\u20ac", 2, "a" },
                { "a\u00e9\u20ac", 3, "a" },
                { "a\u00e9\u20ac", 4, "a\u00e9" },
                { "a\u00e9\u20ac", 6, "a\u00e9" },
                { "a\u00e9\u20ac", 7, "a\u00e9\u20ac" },
                { "a\xc3", 8, "a?" }, /* cut before */
                { "\xff\xc3(\u00e9\xe2\x82", 16, "\?\?(\u00e9\?\?" },
                { "\xff\xfe", 2, "?" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char copy[16], same[16];
                utf8_copy(cases[i].text, copy, cases[i].size);
                assert_string_equal(copy, cases[i].copy);
                (void) snprintf(same, sizeof same, "%s", cases[i].text);
                utf8_copy(same, same, cases[i].size);
                assert_string_equal(same, cases[i].copy);
        }
}

static void what_errors_quote_may_be_cut(void **state) {
        char text[ERROR_MESSAGE_MAX * 2];
        Error e;

        assert_int_equal(error_set(&e, -EINVAL, "'%.2s'", "a\u00e9"), -EINVAL);
        assert_string_equal(e.message, "'a?'");
        (void) error_at(&e, -EINVAL, "file", 1, 2, "'%.1s'", "\u00e9");
        assert_string_equal(e.message, "file:1:2: '?'");
        (void) error_prefix(&e, -EINVAL, "%.1s", "\u00e9");
        assert_string_equal(e.message, "?: file:1:2: '?'");
        for (size_t begin = 0; begin < 2; begin++) {
                memset(text, 'a', begin);
                for (size_t i = begin; i + 2 < sizeof text; i += 2)
                        memcpy(text + i, "\u00e9", 3);
                (void) error_set(&e, -EINVAL, "%s", text);
                assert_true(utf8_is_valid(BYTES_STRING(e.message)));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sha256_of_every_length),
                cmocka_unit_test(yaml_reads_every_type),
                cmocka_unit_test(yaml_mistakes_have_a_place),
                cmocka_unit_test(cbor_numbers_are_the_shortest),
                cmocka_unit_test(cbor_reader_refuses_lies),
                cmocka_unit_test(texts_are_cut_between_characters),
                cmocka_unit_test(what_errors_quote_may_be_cut),
                cmocka_unit_test(times_of_iso_8601),
                cmocka_unit_test(durations),
                cmocka_unit_test(secrets_that_others_can_read_are_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
