/* Bluetooth decoders against published vectors: health characteristics, IEEE 11073 numbers, BTHome's own tests, payloads
 * and adverts of real devices. What is not supported must be refused as such.
 *
 * Where this departs from a vector's expectation it says why. */
#include <jansson.h>
#include <math.h>

#include "base/file.h"
#include "decode/phd_float.h"
#include "samples-fixture.h"

/* A file of the test vectors, NULL (and the test skipped) where there are none. */
static json_t *read_vectors(const char *name) {
        const char *data = getenv("WARDSTONE_DATA");
        char path[4096], *text;
        size_t len;
        Error e;

        (void) snprintf(path, sizeof path, "%s/vectors/%s", data ? data : "", name);
        if (file_read(path, 1 << 20, &text, &len, &e) < 0) {
                print_message("skipped: no %s\n", path);
                skip();
        }
        json_t *root = json_loadb(text, len, 0, NULL);
        free(text);
        assert_non_null(root);
        return root;
}

static const char *text_of(const json_t *object, const char *key) {
        const char *text = json_string_value(json_object_get(object, key));

        return text ? text : "";
}

/* The nth sample of a vital; fails where there is none. */
static const Sample *sample_of(const Samples *s, const char *what, const char *vital, size_t nth) {
        for (size_t i = 0; i < s->list.count; i++)
                if (streq(s->list.items[i].name, vital) && nth-- == 0)
                        return s->list.items + i;
        fail_msg("%s: no %s", what, vital);
        return NULL;
}

static void check_near(const Samples *s, const char *what, const char *vital, size_t nth, double expected,
                double tolerance) {
        const Sample *found = sample_of(s, what, vital, nth);

        if (!found->has_value || fabs(found->value - expected) > tolerance)
                fail_msg("%s: %s is %.17g, not %.17g", what, vital, found->value, expected);
}

/* Factors of 10 and 100 between units may change the last bit. */
static void check_value(const Samples *s, const char *what, const char *vital, size_t nth, double expected) {
        check_near(s, what, vital, nth, expected, fabs(expected) * 1e-15);
}

/* --- characteristics --- */

static const struct {
        const char *key, *vital;
        double factor;
} gatt_keys[] = {
        { "bpm", "hr", 1 }, { "temperature", "temp", 1 }, { "systolic", "sbp", 1 },
        { "diastolic", "dbp", 1 }, { "map", "map", 1 }, { "pulse", "pulse", 1 }, { "spo2", "spo2", 1 },
        { "pai", "pi", 1 }, { "weight", "weight", 1 }, { "conc", "glucose", 100000 }, /* kg/L as mg/dL */
};

/* A time with the year zero is one that the device does not know. */
static void check_time(const Samples *s, const char *id, const json_t *expect) {
        const char *time = text_of(expect, "time");
        char text[40];
        int64_t us = TIME_NONE;

        if (time[0] != '\0' && !startswith(time, "0000")) {
                (void) snprintf(text, sizeof text, "%sZ", time);
                assert_int_equal(clock_parse(text, &us), 0);
                us += json_integer_value(json_object_get(expect, "offset_min")) * 60 * USEC_PER_SEC;
        }
        for (size_t i = 0; i < s->list.count; i++)
                if (s->list.items[i].time_us != us)
                        fail_msg("%s: another time", id);
}

static unsigned flags_of(const char *id, const json_t *expect) {
        unsigned flags = 0;

        if (json_is_false(json_object_get(expect, "contact")))
                flags |= FLAG_SENSOR_OFF;
        if (streq(id, "bp-full"))
                flags |= FLAG_QUESTIONABLE; /* moved, loose cuff, irregular pulse, position */
        if (streq(id, "glu-kgl"))
                flags |= FLAG_INVALID; /* sample too small, too cold */
        return flags;
}

static void check_characteristic(Samples *s, const json_t *item) {
        const json_t *expect = json_object_get(item, "expect"), *number = NULL;
        const Decoding d = { .format = DECODE_GATT,
                .code = (uint16_t) strtoul(text_of(item, "characteristic"), NULL, 16) };
        const char *id = text_of(item, "id");
        size_t values = 0, i;

        int r = decode_hex(s, &d, text_of(item, "hex"));
        if (json_is_string(expect)) {
                assert_string_equal(json_string_value(expect), "reject");
                assert_int_equal(r, -EBADMSG);
                return;
        }
        if (r < 0)
                fail_msg("%s: %s", id, s->e.message);
        for (i = 0; i < ELEMENTS(gatt_keys); i++)
                if ((number = json_object_get(expect, gatt_keys[i].key))) {
                        check_value(s, id, gatt_keys[i].vital, 0,
                                        json_number_value(number) * gatt_keys[i].factor);
                        values++;
                }
        json_array_foreach(json_object_get(expect, "rr_1024"), i, number) {
                check_value(s, id, "rr_interval", i, json_number_value(number) / 1.024);
                values++;
        }
        if (values == 0) /* a glucose record without a concentration */
                assert_false(sample_of(s, id, "glucose", 0)->has_value);
        else
                assert_int_equal(s->list.count, values);
        check_time(s, id, expect);
        for (i = 0; i < s->list.count; i++) {
                const json_t *seq = json_object_get(expect, "seq");
                assert_int_equal(s->list.items[i].flags, flags_of(id, expect));
                assert_true(s->list.items[i].has_seq == !!seq);
                assert_int_equal(s->list.items[i].seq, json_integer_value(seq));
        }
}

static void characteristics_are_read_as_published(void **state) {
        json_auto_t *root = read_vectors("gatt_vectors.json");
        const json_t *items = json_object_get(root, "characteristics"), *item;
        size_t i;

        assert_true(json_array_size(items) >= 14);
        json_array_foreach(items, i, item) {
                check_characteristic(*state, item);
        }
}

static void numbers_are_read_as_published(_unused_ void **state) {
        static const char *const kinds[] = {
                [PHD_NAN] = "NaN",
                [PHD_NRES] = "NRes",
                [PHD_POSITIVE_INFINITY] = "+INF",
                [PHD_NEGATIVE_INFINITY] = "-INF",
                [PHD_RESERVED] = "RFU",
        };
        json_auto_t *root = read_vectors("gatt_vectors.json");
        const json_t *items = json_object_get(root, "floats"), *item;
        size_t i;

        assert_true(json_array_size(items) >= 25);
        json_array_foreach(items, i, item) {
                const json_t *value = json_object_get(item, "value");
                uint8_t b[8] = { 0 };
                size_t n = from_hex(text_of(item, "hex_le"), b);
                PhdFloat f = n == 2 ? phd_sfloat((uint16_t) (b[0] | b[1] << 8))
                                    : phd_float((uint32_t) b[3] << 24 | (uint32_t) b[2] << 16 |
                                                      (uint32_t) b[1] << 8 | b[0]);
                if (json_is_string(value))
                        assert_string_equal(kinds[f.kind], json_string_value(value));
                else if (f.kind != PHD_NUMBER || phd_value(f) != json_number_value(value))
                        fail_msg("%s: %.17g", text_of(item, "hex_le"), phd_value(f));
        }
}

/* --- BTHome --- */

static AdvertSecret secret_of(const char *key, const char *address) {
        AdvertSecret secret = { 0 };
        char digits[2 * ADVERT_ADDRESS_SIZE + 1];
        size_t n = 0;

        for (; *address; address++)
                if (*address != ':' && n < sizeof digits - 1)
                        digits[n++] = *address;
        digits[n] = '\0';
        assert_int_equal(from_hex(key, secret.key), ADVERT_KEY_SIZE);
        assert_int_equal(from_hex(digits, secret.address), ADVERT_ADDRESS_SIZE);
        return secret;
}

/* Refused, with why. All others of the file are read, also those for which it lists no value: its tests look at something
 * else there (whether a key is asked for, sleepy devices, a counter that comes again, the order of objects). */
static const struct {
        const char *test, *reason;
} bthome_refused[] = {
        { "test_encryption_key_needed", "there is no key" },
        { "test_encryption_downgrade_fails", "not encrypted, though" },
        { "test_has_incorrect_version", "version 7" },
        { "test_incorrect_bindkey_length", "there is no key" },
        { "test_bindkey_verified_can_be_unset", "not encrypted with this key" },
        { "test_too_short_encryption_advertisement", "expected more than 8" },
        /* its test looks at a flag alone; no key of the file decrypts it */
        { "test_downgrade_detected_flag_v2", "not encrypted with this key" },
        { "test_bthome_invalid_object_payload_data_length", "ends before" },
};

static const struct {
        const char *name, *vital;
} bthome_names[] = {
        { "Battery", "battery" },
        { "Temperature", "ambient_temp" },
        { "Temperature 1", "ambient_temp" },
        { "Temperature 2", "ambient_temp" },
        { "Humidity", "humidity" },
        { "Pressure", "pressure" },
};

static void check_bthome_value(const Samples *s, const char *test, const json_t *expected) {
        const char *name = text_of(expected, "name");
        double value = strtod(text_of(expected, "value"), NULL);

        for (size_t i = 0; i < ELEMENTS(bthome_names); i++)
                if (streq(name, bthome_names[i].name))
                        check_value(s, test, bthome_names[i].vital, name[strlen(name) - 1] == '2', value);
}

static size_t check_bthome(Samples *s, const json_t *item) {
        const char *test = text_of(item, "test"), *key = text_of(item, "bindkey"), *reason = NULL;
        AdvertSecret secret = { 0 };
        const json_t *expected;
        uint8_t bytes[64];
        size_t i;

        if (key[0] != '\0')
                secret = secret_of(key, text_of(item, "address"));
        const Decoding d = {
                .format = DECODE_SERVICE, .code = 0xfcd2, .secret = key[0] != '\0' ? &secret : NULL
        };
        for (i = 0; i < ELEMENTS(bthome_refused); i++)
                if (streq(test, bthome_refused[i].test))
                        reason = bthome_refused[i].reason;
        if (reason) {
                refuse(s, &d, text_of(item, "service_data_hex"), reason);
                return 1;
        }
        if (decode_hex(s, &d, text_of(item, "service_data_hex")) < 0)
                fail_msg("%s: %s", test, s->e.message);
        json_array_foreach(json_object_get(item, "expected"), i, expected) {
                check_bthome_value(s, test, expected);
        }
        size_t len = from_hex(text_of(item, "service_data_hex"), bytes);
        if (d.secret && s->list.count > 0) {
                const uint8_t *c = bytes + len - 8;
                assert_int_equal(s->list.items[0].seq,
                                (uint32_t) c[3] << 24 | (uint32_t) c[2] << 16 | (uint32_t) c[1] << 8 | c[0]);
        }
        return 0;
}

static void bthomes_own_tests_hold(void **state) {
        json_auto_t *root = read_vectors("bthome_v2_cases.json");
        const json_t *items = json_object_get(root, "cases"), *item;
        size_t i, refused = 0;

        assert_true(json_array_size(items) > 60);
        json_array_foreach(items, i, item) {
                refused += check_bthome(*state, item);
        }
        assert_int_equal(refused, ELEMENTS(bthome_refused));
}

/* --- adverts as they are on the air --- */

enum { AD_SERVICE_DATA = 0x16, AD_MANUFACTURER = 0xff };

static const struct {
        const char *key, *vital;
        double factor;
} advert_keys[] = {
        { "hr_bpm", "hr", 1 },
        { "temperature_C", "ambient_temp", 1 },
        { "temperature", "ambient_temp", 1 },
        { "rh_pct", "humidity", 1 },
        { "humidity", "humidity", 1 },
        { "pressure_Pa", "pressure", 1 },
        { "pressure", "pressure", 100 }, /* hPa, which Ruuvi says in Pa */
        { "battery_pct", "battery", 1 },
        { "battery", "battery", 1 },
};

/* Numbers are numbers or their texts. */
static bool number_of(const json_t *expect, const char *key, double *ret) {
        const json_t *value = json_object_get(expect, key);

        *ret = json_is_string(value) ? strtod(json_string_value(value), NULL) : json_number_value(value);
        return value != NULL;
}

static void check_advert(const Samples *s, const char *what, const json_t *expect) {
        bool has_battery = false;
        double value;

        for (size_t i = 0; i < s->list.count; i++)
                has_battery |= streq(s->list.items[i].name, "battery");
        assert_true(s->list.count > 0);
        for (size_t i = 0; i < ELEMENTS(advert_keys); i++) {
                /* A Ruuvi tag says volts; the percent are what another program makes of them. */
                if (streq(advert_keys[i].vital, "battery") && !has_battery)
                        continue;
                if (!number_of(expect, advert_keys[i].key, &value))
                        continue;
                /* Ruuvi's humidity comes in steps of 0.0025 %; that program rounds it to two digits. */
                if (streq(what, "test_ruuvitag_v5") && streq(advert_keys[i].vital, "humidity"))
                        check_near(s, what, "humidity", 0, value, 0.005);
                else
                        check_value(s, what, advert_keys[i].vital, 0, value * advert_keys[i].factor);
        }
        if (number_of(expect, "packet", &value) || number_of(expect, "seq", &value)) {
                assert_true(s->list.items[0].has_seq);
                assert_int_equal(s->list.items[0].seq, value);
        }
}

/* A structure that begins with the code, as manufacturer data and service data of 16-bit UUIDs do. Whether it was read. */
static bool check_structure(Samples *s, const char *what, DecodeFormat format, const AdvertSecret *secret,
                const char *hex, const json_t *expect) {
        uint8_t code[2];
        char low[5] = "";

        if (strlen(hex) < 4)
                return false;
        memcpy(low, hex, 4);
        (void) from_hex(low, code);
        const Decoding d = {
                .format = format, .code = (uint16_t) (code[0] | code[1] << 8), .secret = secret
        };
        if (decode_hex(s, &d, hex + 4) == 0) {
                check_advert(s, what, expect);
                return true;
        }
        if (!strstr(s->e.message, "no reading is known of"))
                fail_msg("%s: %s", what, s->e.message);
        return false;
}

/* Structures of length, type and data. */
static size_t check_structures(Samples *s, const char *what, const AdvertSecret *secret, const char *hex,
                const json_t *expect) {
        size_t read = 0;

        while (strlen(hex) >= 4) {
                uint8_t head[2];
                char text[5] = "", data[520] = "";
                memcpy(text, hex, 4);
                (void) from_hex(text, head);
                size_t digits = head[0] == 0 ? 0 : 2 * (head[0] - 1U);
                digits = MIN(digits, strlen(hex) - 4);
                memcpy(data, hex + 4, digits);
                if (head[1] == AD_SERVICE_DATA)
                        read += check_structure(s, what, DECODE_SERVICE, secret, data, expect);
                if (head[1] == AD_MANUFACTURER)
                        read += check_structure(s, what, DECODE_MANUFACTURER, secret, data, expect);
                hex += 4 + digits;
        }
        return read;
}

/* An HCI event with one report, legacy (0x02) or extended (0x0d): where its structures are. */
static void structures_of(const char *event, char *ret, size_t size) {
        bool extended = strncmp(event + 6, "0d", 2) == 0;
        size_t at = extended ? 2 * 28 : 2 * 13;
        char text[3] = "";
        uint8_t len;

        assert_true(strlen(event) > at + 2);
        memcpy(text, event + at, 2);
        (void) from_hex(text, &len);
        (void) snprintf(ret, size, "%.*s", 2 * len, event + at + 2);
}

static void adverts_on_the_air_are_read_or_passed_over(void **state) {
        static const char *const supported[] = { "test_atc_atc1441", "test_atc_custom",
                "test_atc_custom_v2_9", "test_atc_custom_ext", "test_atc_custom_encrypted",
                "test_ruuvitag_v5" };
        json_auto_t *root = read_vectors("hci_adv_reports.json");
        const json_t *items = json_object_get(root, "cases"), *item;
        size_t i, k, all = 0;

        assert_true(json_array_size(items) > 50);
        json_array_foreach(items, i, item) {
                const char *test = text_of(item, "test"), *key = text_of(item, "key");
                const json_t *expect = json_object_get(item, "expected");
                AdvertSecret secret = { 0 };
                char structures[600], mac[20] = "";

                if (key[0] != '\0') {
                        (void) snprintf(mac, sizeof mac, "%.12s",
                                        text_of(expect, "mac") + 1); /* in quotes */
                        secret = secret_of(key, mac);
                }
                structures_of(text_of(item, "hci_event_hex"), structures, sizeof structures);
                size_t read = check_structures(
                                *state, test, key[0] != '\0' ? &secret : NULL, structures, expect);
                size_t wanted = 0;
                for (k = 0; k < ELEMENTS(supported); k++)
                        wanted += streq(test, supported[k]);
                if (read != wanted)
                        fail_msg("%s: %zu structures were read, not %zu", test, read, wanted);
                all += read;
        }
        assert_int_equal(all, ELEMENTS(supported));
}

/* --- payloads of real devices --- */

static size_t check_payload(Samples *s, const json_t *item) {
        const char *kind = text_of(item, "kind"), *id = text_of(item, "id"), *hex = text_of(item, "hex");
        const json_t *expect = json_object_get(item, "expect");
        char structures[600];

        if (streq(kind, "BLE manufacturer data"))
                return check_structure(s, id, DECODE_MANUFACTURER, NULL, hex, expect);
        if (streq(kind, "BLE manufacturer AD structure"))
                return check_structures(s, id, NULL, hex, expect);
        if (streq(kind, "BLE manufacturer payload")) {
                (void) snprintf(structures, sizeof structures, "9904%s", hex);
                return check_structure(s, id, DECODE_MANUFACTURER, NULL, structures, expect);
        }
        if (startswith(kind, "BLE service data FCD2")) {
                const char *key = text_of(item, "key");
                AdvertSecret secret = { 0 };
                if (key[0] != '\0')
                        secret = secret_of(key, text_of(item, "mac"));
                (void) snprintf(structures, sizeof structures, "d2fc%s", hex);
                return check_structure(
                                s, id, DECODE_SERVICE, key[0] != '\0' ? &secret : NULL, structures, expect);
        }
        if (startswith(kind, "HCI LE ")) {
                structures_of(hex, structures, sizeof structures);
                return check_structures(s, id, NULL, structures, expect);
        }
        if (streq(kind, "MQTT JSON wrapping a BLE advert"))
                return check_structures(
                                s, id, NULL, text_of(json_object_get(item, "payload"), "data"), expect);
        /* messages of other transports, and a maker's own records */
        assert_true(startswith(kind, "MQTT ") || startswith(kind, "OMRON ") || streq(kind, "Sparkplug B"));
        return 0;
}

static void payloads_of_real_devices_are_read_or_refused(void **state) {
        static const char *const supported[] = { "polar-h10-adv", "ruuvi-gw-mqtt", "ruuvi-rawv2-valid",
                "bthome-v2-plain", "bthome-v2-encrypted", "atc1441-hci" };
        json_auto_t *items = read_vectors("device_payloads.json");
        const json_t *item;
        size_t i, k;

        assert_true(json_array_size(items) >= 14);
        json_array_foreach(items, i, item) {
                size_t read = check_payload(*state, item), wanted = 0;
                for (k = 0; k < ELEMENTS(supported); k++)
                        wanted += streq(text_of(item, "id"), supported[k]);
                if (read != wanted)
                        fail_msg("%s: %zu structures were read, not %zu", text_of(item, "id"), read, wanted);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                SAMPLES_TEST(characteristics_are_read_as_published),
                cmocka_unit_test(numbers_are_read_as_published),
                SAMPLES_TEST(bthomes_own_tests_hold),
                SAMPLES_TEST(adverts_on_the_air_are_read_or_passed_over),
                SAMPLES_TEST(payloads_of_real_devices_are_read_or_refused),
        };

        return cmocka_run_group_tests_name("ble-vectors", tests, NULL, NULL);
}
