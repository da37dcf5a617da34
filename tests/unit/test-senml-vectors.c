/* SenML against published vectors: the examples of RFC 8428 and 8949, and hostile JSON. */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/file.h"
#include "senml-fixture.h"

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

/* A file of the test vectors, NULL (and the test skipped) where there are none. */
static char *read_vector(const char *name, size_t *ret_len) {
        const char *data = getenv("WARDSTONE_DATA");
        char path[4096], *text;
        Error e;

        (void) snprintf(path, sizeof path, "%s/vectors/%s", data ? data : "", name);
        if (file_read(path, 1 << 20, &text, ret_len, &e) < 0) {
                print_message("skipped: no %s\n", path);
                skip();
        }
        return text;
}

static const char *text_of(const json_t *record, const char *key) {
        const char *text = json_string_value(json_object_get(record, key));

        return text ? text : "";
}

/* A resolved record of the vectors has the fields that its sample must have. Where the device knows no
 * time, the file has the day on which it was made. */
static void compare(const char *file, const Sample *s, const json_t *record) {
        double time = json_number_value(json_object_get(record, "t"));
        const json_t *value = json_object_get(record, "v"), *boolean = json_object_get(record, "vb");

        if (!streq(s->name, text_of(record, "n")) || !streq(s->unit, text_of(record, "u")))
                fail_msg("%s: %s %s", file, s->name, s->unit);
        if (s->time_us != TIME_NONE && s->time_us != llround(time * 1e6) &&
                        s->time_us > now_us + USEC_PER_SEC)
                fail_msg("%s: %s at %lld", file, s->name, (long long) s->time_us);
        if (s->has_value != (value || boolean))
                fail_msg("%s: %s has %s value", file, s->name, s->has_value ? "a" : "no");
        if (s->has_value && s->value != (value ? json_number_value(value) : json_is_true(boolean)))
                fail_msg("%s: %s is %.17g", file, s->name, s->value);
}

static void check_example(SampleList *l, const char *input, const char *resolved) {
        char path[64];
        size_t len, resolved_len;
        Error e = { "" };

        (void) snprintf(path, sizeof path, "senml/%s", input);
        _cleanup_free_ char *text = read_vector(path, &len);
        (void) snprintf(path, sizeof path, "senml/%s", resolved);
        _cleanup_free_ char *expected = read_vector(path, &resolved_len);
        if (decode(DECODE_SENML_JSON, BYTES(text, len), l, &e) < 0)
                fail_msg("%s: %s", input, e.message);
        json_auto_t *records = json_loadb(expected, resolved_len, 0, NULL);
        assert_non_null(records);
        /* the generated files leave out what can't be resolved further, such as data */
        assert_true(json_array_size(records) > 0 && json_array_size(records) <= l->count);
        for (size_t i = 0; i < json_array_size(records); i++)
                compare(input, l->items + i, json_array_get(records, i));
}

static void the_examples_of_rfc_8428_resolve_as_published(void **state) {
        static const char *const examples[] = { "ex1", "ex2", "ex4", "ex6", "ex7", "ex9", "ex10", "ex12" };
        char input[32], generated[32], resolved[40];

        for (size_t i = 0; i < ELEMENTS(examples); i++) {
                (void) snprintf(input, sizeof input, "%s.json", examples[i]);
                (void) snprintf(generated, sizeof generated, "%s.gen.json", examples[i]);
                (void) snprintf(resolved, sizeof resolved, "%s.gen.resolved.json", examples[i]);
                check_example(*state, generated, resolved);
                if (!streq(examples[i], "ex9"))
                        check_example(*state, input, resolved);
        }
}

/* Section 6 of the standard prints one pack as a dump of bytes; section 5.1.2 has it in JSON. */
static void the_dump_of_rfc_8428_is_the_same_pack(void **state) {
        _cleanup_free_ char *json = read_vector("senml/ex3.json", &(size_t){ 0 }), *rfc = NULL;
        SampleList *l = *state, cbor = { 0 };
        uint8_t bytes[256];
        char line[64];
        size_t n = 0;
        Error e = { "" };

        rfc = read_vector("senml/rfc8428.txt", &(size_t){ 0 });
        for (const char *p = strstr(rfc, " 0000 87 a7"); p && p[4] == '0'; p = strchr(p, '\n') + 1) {
                (void) snprintf(line, sizeof line, "%.47s", p + 6);
                n += from_hex(line, bytes + n, sizeof bytes - n);
        }
        assert_int_equal(n, 0xc3);
        assert_int_equal(decode(DECODE_SENML_CBOR, BYTES(bytes, n), &cbor, &e), 0);
        assert_int_equal(decode(DECODE_SENML_JSON, BYTES_STRING(json), l, &e), 0);
        assert_int_equal(cbor.count, 7);
        assert_int_equal(l->count, 7);
        for (size_t i = 0; i < 7; i++)
                assert_memory_equal(l->items + i, cbor.items + i, sizeof(Sample));
        assert_int_equal(cbor.items[1].time_us, 1276020071001000);
        sample_list_done(&cbor);
}

static void every_example_of_rfc_8949_does_no_harm(void **state) {
        size_t len;
        _cleanup_free_ char *text = read_vector("cbor-rfc8949-a/appendix_a.json", &len);
        char hex[600];
        Error e;

        json_auto_t *cases = json_loadb(text, len, JSON_DECODE_INT_AS_REAL, NULL);
        assert_true(json_array_size(cases) > 80);
        for (size_t i = 0; i < json_array_size(cases); i++) {
                const char *item = json_string_value(json_object_get(json_array_get(cases, i), "hex"));
                assert_non_null(item);
                assert_int_equal(decode_hex(*state, item, &e), -EBADMSG); /* none of them is a pack */
                if (startswith(item, "f0") || startswith(item, "f8"))
                        continue; /* simple values that nobody assigned: libcbor refuses them */
                (void) snprintf(hex, sizeof hex, "81 a3 00 6161 02 01 6178 %s", item);
                assert_int_equal(decode_hex(*state, hex, &e), 0); /* as the value of an unknown field */
        }
}

/* The document itself, and the same one as a value that the decoder steps over. */
static void check_hostile(SampleList *l, const char *name) {
        char path[300];
        size_t len;
        Error e = { "" };

        (void) snprintf(path, sizeof path, "JSONTestSuite/%s", name);
        _cleanup_free_ char *text = read_vector(path, &len);
        int r = decode(DECODE_SENML_JSON, BYTES(text, len), l, &e);
        if (name[0] == 'n' && r == 0)
                fail_msg("%s: accepted", name);
        _cleanup_free_ uint8_t *inside = malloc(len + 32);
        assert_non_null(inside);
        static const char before[] = "[{\"n\":\"a\",\"v\":1,\"x\":", after[] = "}]";
        uint8_t *p = mempcpy(inside, before, sizeof before - 1);
        p = mempcpy(p, text, len);
        p = mempcpy(p, after, sizeof after - 1);
        r = decode(DECODE_SENML_JSON, BYTES(inside, (size_t) (p - inside)), l, &e);
        if (name[0] == 'n' && r == 0)
                fail_msg("%s: accepted inside a pack", name);
        /* a NUL is legal JSON, but no text of ours holds one */
        if (name[0] == 'y' && r < 0 && !strstr(text, "\\u0000"))
                fail_msg("%s: refused inside a pack: %s", name, e.message);
}

static void hostile_json_is_refused(void **state) {
        const char *data = getenv("WARDSTONE_DATA");
        size_t refused = 0;
        char path[4096];
        struct dirent *item;

        (void) snprintf(path, sizeof path, "%s/vectors/JSONTestSuite", data ? data : "");
        DIR *folder = opendir(path);
        if (!folder) {
                print_message("skipped: no %s\n", path);
                skip();
                return;
        }
        while ((item = readdir(folder)))
                if (strstr(item->d_name, ".json")) {
                        check_hostile(*state, item->d_name);
                        refused += item->d_name[0] == 'n';
                }
        (void) closedir(folder);
        assert_true(refused > 100);
}

#define LIST_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                LIST_TEST(the_examples_of_rfc_8428_resolve_as_published),
                LIST_TEST(the_dump_of_rfc_8428_is_the_same_pack),
                LIST_TEST(every_example_of_rfc_8949_does_no_harm),
                LIST_TEST(hostile_json_is_refused),
        };

        return cmocka_run_group_tests_name("senml-vectors", tests, NULL, NULL);
}
