/* Arbitrary JSON through maps from configuration alone: the shapes of common gateways and firmwares. */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/file.h"
#include "decode/mapping.h"
#include "model/reading.h"

typedef struct Fixture {
        Catalogue *catalogue;
        MappingSet *maps;
        SampleList list;
} Fixture;

static const char maps_text[] =
                "z2m:\n"
                "  time: {pointer: /last_seen, format: iso8601}\n"
                "  readings:\n"
                "    - {pointer: /temperature, vital: ambient_temp, unit: Cel}\n"
                "    - {pointer: /humidity, vital: humidity, unit: '%RH'}\n"
                "    - {pointer: /battery, vital: battery, optional: true}\n"
                "tasmota:\n"
                "  time: {pointer: /Time, format: iso8601, assume_utc: true}\n"
                "  readings:\n"
                "    - {pointer: /SI7021/Temperature, vital: ambient_temp, unit: C}\n"
                "    - {pointer: /SI7021/Humidity, vital: humidity}\n"
                "esphome:\n"
                "  readings: [{pointer: '', vital: temp, unit: degF}]\n"
                "ruuvi:\n"
                "  time: {pointer: /ts, format: unix_s}\n"
                "  readings:\n"
                "    - {pointer: /temperature, vital: ambient_temp, optional: true}\n"
                "    - {pointer: /rssi, vital: rssi}\n"
                "monitor:\n"
                "  time: {pointer: /meta/ms, format: unix_ms}\n"
                "  sequence: {pointer: /meta/seq}\n"
                "  readings:\n"
                "    - {pointer: /v/0, vital: spo2, scale: 0.1, offset: 1, missing: [0, -1]}\n"
                "    - {pointer: /v/1, vital: rr, optional: true, missing: [0]}\n"
                "    - {pointer: /a~1b/m~0n, vital: acvpu, optional: true}\n"
                "    - {pointer: /oxygen, vital: o2, optional: true}\n"
                "    - {pointer: /v/01, vital: hr, optional: true}\n"; /* never an index (RFC 6901 4) */

static int read_maps(const Catalogue *c, const char *text, MappingSet **ret, Error *e) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;

        int r = yaml_load("m.yaml", BYTES_STRING(text), &d, e);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(d);
        return mapping_set_read(&root, c, ret, e);
}

static int set_up(void **state) {
        static const char rssi[] = "- {name: rssi, unit: dBm, min: -127, max: 20}\n";
        Fixture *f = calloc(1, sizeof *f);
        YamlDocument *d;
        Error e;

        if (!f || catalogue_new(&f->catalogue) < 0 || yaml_load("v", BYTES_STRING(rssi), &d, &e) < 0)
                return -1;
        YamlNode root = yaml_root(d);
        int r = catalogue_read(f->catalogue, &root, &e);
        yaml_unload(d);
        if (r < 0 || read_maps(f->catalogue, maps_text, &f->maps, &e) < 0) {
                print_error("%s\n", e.message);
                return -1;
        }
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        sample_list_done(&f->list);
        mapping_set_free(f->maps);
        catalogue_free(f->catalogue);
        free(f);
        return 0;
}

static int decode(Fixture *f, const char *map, const char *text, Error *e) {
        const Decoding decoding = { .format = DECODE_JSON, .mapping = mapping_set_find(f->maps, map) };

        return decode_payload(&decoding, BYTES_STRING(text), 0, &f->list, e);
}

static void accept(Fixture *f, const char *map, const char *text) {
        Error e = { "" };

        if (decode(f, map, text, &e) < 0)
                fail_msg("%s: %s", text, e.message);
}

static void refuse(Fixture *f, const char *map, const char *text, const char *reason) {
        Error e = { "" };

        if (decode(f, map, text, &e) != -EBADMSG)
                fail_msg("%s: accepted", text);
        if (!strstr(e.message, reason))
                fail_msg("%s: '%s', not '%s'", text, e.message, reason);
        assert_int_equal(f->list.count, 0);
}

static void expect(
                Fixture *f, size_t i, const char *vital, const char *unit, double value, int64_t time_us) {
        const Sample *s = f->list.items + i;

        assert_true(i < f->list.count);
        assert_string_equal(s->name, vital);
        assert_string_equal(s->unit, unit);
        assert_true(s->has_value);
        if (s->value != value)
                fail_msg("%s is %.17g, not %.17g", vital, s->value, value);
        assert_int_equal(s->time_us, time_us);
}

static void zigbee2mqtt(void **state) {
        Fixture *f = *state;

        accept(f, "z2m", "{\"temperature\":27.34,\"humidity\":44.72,\"linkquality\":110,\"voltage\":2985}");
        assert_int_equal(f->list.count, 2); /* battery is optional */
        expect(f, 0, "ambient_temp", "Cel", 27.34, TIME_NONE);
        expect(f, 1, "humidity", "%RH", 44.72, TIME_NONE);
        accept(f, "z2m",
                        "{\"last_seen\":\"2026-09-21T14:13:20+02:00\",\"temperature\":4,\"battery\":97,"
                        "\"humidity\":null}");
        assert_int_equal(f->list.count, 3);
        expect(f, 0, "ambient_temp", "Cel", 4, 1789992800 * USEC_PER_SEC);
        assert_false(f->list.items[1].has_value);
        expect(f, 2, "battery", "", 97, 1789992800 * USEC_PER_SEC);
        accept(f, "z2m", "{\"last_seen\":null,\"temperature\":4,\"humidity\":5}");
        expect(f, 0, "ambient_temp", "Cel", 4, TIME_NONE);
        refuse(f, "z2m", "online", "not JSON: line 1 column"); /* bridge/state before it was JSON */
        refuse(f, "z2m", "{\"last_seen\":\"yesterday\",\"temperature\":4}",
                        "time cannot be read by map 'z2m'");
        refuse(f, "z2m", "{\"last_seen\":\"2026-09-21T14:13:20\",\"temperature\":4}", "time cannot be read");
        refuse(f, "z2m", "{\"temperature\":1,\"temperature\":2}", "duplicate");
}

static void tasmota(void **state) {
        Fixture *f = *state;

        accept(f, "tasmota",
                        "{\"Time\":\"2026-09-21T14:13:20\",\"SI7021\":{\"Temperature\":21.4,\"Humidity\":51."
                        "2,"
                        "\"DewPoint\":10.9},\"TempUnit\":\"C\"}");
        assert_int_equal(f->list.count, 2);
        expect(f, 0, "ambient_temp", "C", 21.4, 1790000000 * USEC_PER_SEC);
        expect(f, 1, "humidity", "", 51.2, 1790000000 * USEC_PER_SEC);
        /* a zone that is given counts */
        accept(f, "tasmota", "{\"Time\":\"2026-09-21T14:13:20+01:00\",\"SI7021\":{\"Temperature\":1}}");
        expect(f, 0, "ambient_temp", "C", 1, 1789996400 * USEC_PER_SEC);
        assert_false(f->list.items[1].has_value);
        refuse(f, "tasmota", "{\"Time\":\"14:13\"}", "time cannot be read");
}

static void esphome(void **state) {
        Fixture *f = *state;

        accept(f, "esphome", "98.60");
        assert_int_equal(f->list.count, 1);
        expect(f, 0, "temp", "degF", 98.6, TIME_NONE);
        accept(f, "esphome", " \"98.6\"\n");
        expect(f, 0, "temp", "degF", 98.6, TIME_NONE);
        accept(f, "esphome", "\"unavailable\"");
        assert_false(f->list.items[0].has_value);
        accept(f, "esphome", "{}");
        assert_false(f->list.items[0].has_value);
        refuse(f, "esphome", "nan", "not JSON");
        refuse(f, "esphome", "98.6 degF", "not JSON");
        refuse(f, "esphome", "", "not JSON");
}

static void ruuvi_gateway(void **state) {
        Fixture *f = *state;

        accept(f, "ruuvi",
                        "{\"gw_mac\":\"C8:25:2D:8E:9C:2C\",\"rssi\":-26,\"aoa\":[],\"gwts\":\"1653668027\","
                        "\"ts\":\"1653668027\",\"data\":\"0201061BFF9904\",\"coords\":\"\"}");
        assert_int_equal(f->list.count, 1);
        expect(f, 0, "rssi", "", -26, 1653668027 * USEC_PER_SEC);
        accept(f, "ruuvi", "{\"ts\":1653668027.25,\"rssi\":\"-70\",\"temperature\":27.75}");
        expect(f, 0, "ambient_temp", "", 27.75, 1653668027250000);
        expect(f, 1, "rssi", "", -70, 1653668027250000);
        refuse(f, "ruuvi", "{\"ts\":\"soon\",\"rssi\":1}", "time cannot be read");
        refuse(f, "ruuvi", "{\"ts\":1e300,\"rssi\":1}", "time cannot be read");
}

static void arrays_scales_missing_values_and_sequences(void **state) {
        Fixture *f = *state;

        accept(f, "monitor",
                        "{\"meta\":{\"ms\":1790000000125,\"seq\":\"41\"},\"v\":[965,14],\"a/"
                        "b\":{\"m~n\":\"V\"},"
                        "\"oxygen\":true}");
        assert_int_equal(f->list.count, 4);
        expect(f, 0, "spo2", "", 97.5, 1790000000125000);
        expect(f, 1, "rr", "", 14, 1790000000125000);
        expect(f, 2, "acvpu", "", 2, 1790000000125000);
        expect(f, 3, "o2", "", 1, 1790000000125000);
        assert_true(f->list.items[0].has_seq);
        assert_int_equal(f->list.items[0].seq, 41);
        /* "not measured": said by a number as it comes, before scale and offset */
        accept(f, "monitor", "{\"v\":[-1,\"0\"]}");
        assert_int_equal(f->list.count, 1);
        assert_false(f->list.items[0].has_value);
        assert_false(f->list.items[0].has_seq);
        accept(f, "monitor", "{\"v\":{\"0\":965,\"1\":[]}}"); /* a key may look like an index */
        assert_int_equal(f->list.count, 1);
        expect(f, 0, "spo2", "", 97.5, TIME_NONE);
        refuse(f, "monitor", "{\"meta\":{\"seq\":-1}}", "sequence cannot be read");
        refuse(f, "monitor", "{\"meta\":{\"seq\":1.5}}", "sequence cannot be read");
        refuse(f, "monitor", "{\"meta\":{\"seq\":[]}}", "sequence cannot be read");
}

static void texts_are_numbers_only_as_a_whole(void **state) {
        static const char *const texts[] = { "", " 1", "1 ", "1,5", "0x10", "nan", "inf", "1e999", "12abc",
                "-", "1e" };
        Fixture *f = *state;
        char payload[64];

        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                (void) snprintf(payload, sizeof payload, "\"%s\"", texts[i]);
                accept(f, "esphome", payload);
                if (f->list.items[0].has_value)
                        fail_msg("'%s' is %g", texts[i], f->list.items[0].value);
        }
        accept(f, "esphome", "\"-1.5e1\"");
        expect(f, 0, "temp", "degF", -15, TIME_NONE);
}

static void mistakes_in_maps_have_a_place(void **state) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "m:\n  readings:\n    - {pointer: /a, vital: sp02}\n",
                                "m.yaml:3:28: vital: 'sp02' is unknown: did you mean 'spo2'?" },
                { "m:\n  readings:\n    - {pointer: /a, vital: hr, unit: Cel}\n",
                                "m.yaml:3:38: unit: 'Cel': expected '/min' or" },
                { "m:\n  readings:\n    - {pointer: a, vital: hr}\n",
                                "m.yaml:3:17: pointer: 'a': expected" },
                { "m:\n  readings:\n    - {pointer: /a~2, vital: hr}\n",
                                "m.yaml:3:17: pointer: '/a~2': after '~'" },
                { "m:\n  readings:\n    - {pointer: /a, vital: hr, sclae: 2}\n",
                                "m.yaml:3:32: unknown key 'sclae': did you mean 'scale'?" },
                { "m:\n  readings:\n    - {vital: hr}\n", "m.yaml:3:7: key 'pointer' is missing" },
                { "m:\n  readings:\n    - {pointer: /a, vital: hr, missing: [1,2,3,4,5,6,7,8,9]}\n",
                                "m.yaml:3:41: missing: more than 8" },
                { "m:\n  readings:\n    - {pointer: /a, vital: hr, missing: [x]}\n",
                                "m.yaml:3:42: missing: 'x': expected a number" },
                { "m:\n  readings: []\n", "m.yaml:2:13: readings: expected 1 to" },
                { "m:\n  time: {pointer: /t}\n  readings: [{pointer: /a, vital: hr}]\n",
                                "m.yaml:2:9: key 'format' is missing" },
                { "m:\n  time: {pointer: /t, format: unix}\n  readings: [{pointer: /a, vital: hr}]\n",
                                "m.yaml:2:31: format: 'unix': expected one of: unix_s, unix_ms, unix_us, "
                                "iso8601" },
                { "m:\n  time: {pointer: /t, format: unix_s, assume_utc: true}\n  readings: [{pointer: /a, "
                  "vital: hr}]\n",
                                "m.yaml:2:9: assume_utc: belongs to format iso8601" },
                { "m: {readings: [{pointer: /1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h, vital: hr}]}\n",
                                "m.yaml:1:26: pointer: '/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h': more than 16 "
                                "steps" },
                { "- a\n", "m.yaml:1:1: maps: expected a mapping" },
                { "m: {}\n", "m.yaml:1:4: key 'readings' is missing" },
        };
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                MappingSet *s = NULL;
                Error e = { "" };
                assert_int_equal(read_maps(f->catalogue, cases[i].text, &s, &e), -EINVAL);
                assert_null(s);
                if (!startswith(e.message, cases[i].message))
                        fail_msg("'%s' is not '%s'", e.message, cases[i].message);
        }
}

static void no_maps_are_an_empty_set(void **state) {
        Fixture *f = *state;
        MappingSet *s = NULL;
        Error e = { "" };

        assert_int_equal(mapping_set_read(&(YamlNode){ 0 }, f->catalogue, &s, &e), 0);
        assert_null(mapping_set_find(s, "z2m"));
        mapping_set_free(s);
        refuse(f, "no-such-map", "{}", "needs a map");
}

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

static const json_t *find_case(const json_t *cases, const char *id) {
        for (size_t i = 0; i < json_array_size(cases); i++) {
                const json_t *item = json_array_get(cases, i);
                if (streq(json_string_value(json_object_get(item, "id")), id))
                        return item;
        }
        fail_msg("no case %s", id);
        return NULL;
}

static void payloads_of_real_devices(void **state) {
        Fixture *f = *state;
        size_t len;
        _cleanup_free_ char *text = read_vector("device_payloads.json", &len);

        json_auto_t *cases = json_loadb(text, len, 0, NULL);
        const json_t *item = find_case(cases, "z2m-wsdcgq01lm"), *expected = json_object_get(item, "expect");
        _cleanup_free_ char *climate = json_dumps(json_object_get(item, "payload"), JSON_ENCODE_ANY);
        accept(f, "z2m", climate);
        expect(f, 0, "ambient_temp", "Cel", json_number_value(json_object_get(expected, "temperature_C")),
                        TIME_NONE);
        expect(f, 1, "humidity", "%RH", json_number_value(json_object_get(expected, "rh_pct")), TIME_NONE);
        refuse(f, "z2m", json_string_value(json_object_get(find_case(cases, "z2m-bridge-state"), "payload")),
                        "not JSON");
        item = find_case(cases, "ruuvi-gw-mqtt");
        _cleanup_free_ char *tag = json_dumps(json_object_get(item, "payload"), JSON_ENCODE_ANY);
        accept(f, "ruuvi", tag);
        expect(f, 0, "rssi", "", -26, 1653668027 * USEC_PER_SEC);
}

static void hostile_json_is_refused(void **state) {
        const char *data = getenv("WARDSTONE_DATA");
        Fixture *f = *state;
        size_t refused = 0, len;
        char path[4096];
        struct dirent *item;
        Error e;

        (void) snprintf(path, sizeof path, "%s/vectors/JSONTestSuite", data ? data : "");
        DIR *folder = opendir(path);
        if (!folder) {
                print_message("skipped: no %s\n", path);
                skip();
                return;
        }
        const Decoding decoding = { .format = DECODE_JSON, .mapping = mapping_set_find(f->maps, "esphome") };
        while ((item = readdir(folder))) {
                if (!strstr(item->d_name, ".json"))
                        continue;
                (void) snprintf(path, sizeof path, "JSONTestSuite/%s", item->d_name);
                _cleanup_free_ char *text = read_vector(path, &len);
                int r = decode_payload(&decoding, BYTES(text, len), 0, &f->list, &e);
                if (item->d_name[0] == 'n' && r == 0)
                        fail_msg("%s: accepted", item->d_name);
                refused += item->d_name[0] == 'n';
        }
        (void) closedir(folder);
        assert_true(refused > 100);
}

static void formats_have_names(void **state) {
        DecodeFormat f;

        for (DecodeFormat i = DECODE_SENML_JSON; i <= DECODE_JSON; i++) {
                assert_int_equal(decode_format_parse(decode_format_name(i), &f), 0);
                assert_int_equal(f, i);
        }
        assert_null(decode_format_names[DECODE_JSON + 1]);
        assert_int_equal(decode_format_parse("senml+xml", &f), -EINVAL);
}

#define MAP_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                MAP_TEST(zigbee2mqtt),
                MAP_TEST(tasmota),
                MAP_TEST(esphome),
                MAP_TEST(ruuvi_gateway),
                MAP_TEST(arrays_scales_missing_values_and_sequences),
                MAP_TEST(texts_are_numbers_only_as_a_whole),
                MAP_TEST(mistakes_in_maps_have_a_place),
                MAP_TEST(no_maps_are_an_empty_set),
                MAP_TEST(payloads_of_real_devices),
                MAP_TEST(hostile_json_is_refused),
                cmocka_unit_test(formats_have_names),
        };

        return cmocka_run_group_tests_name("mapping", tests, NULL, NULL);
}
