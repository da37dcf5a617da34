/* Bluetooth adverts: BTHome, ATC, Ruuvi, Polar. */
#include "samples-fixture.h"

/* C0:FF:EE:12:34:56 */
static const AdvertSecret secret = {
        .key = { 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e,
                        0x1f },
        .address = { 0xc0, 0xff, 0xee, 0x12, 0x34, 0x56 },
};

static const Decoding bthome = { .format = DECODE_SERVICE, .code = 0xfcd2 };
static const Decoding bthome_secret = { .format = DECODE_SERVICE, .code = 0xfcd2, .secret = &secret };
static const Decoding atc = { .format = DECODE_SERVICE, .code = 0x181a };
static const Decoding atc_secret = { .format = DECODE_SERVICE, .code = 0x181a, .secret = &secret };
static const Decoding ruuvi = { .format = DECODE_MANUFACTURER, .code = 0x0499 };
static const Decoding polar = { .format = DECODE_MANUFACTURER, .code = 0x006b };

/* --- BTHome --- */

static void bthome_measures(void **state) {
        expect(*state, &bthome, "40 015d 02ca09 03bf13 04138a01",
                        "battery 93 %; ambient_temp 25.06 Cel; humidity 50.55 %; pressure 1008.83 hPa");
        expect(*state, &bthome, "44 02f0d8", "ambient_temp -100 Cel"); /* sent when triggered: the same */
        expect(*state, &bthome, "40 451101 57ea 58ea",
                        "ambient_temp 27.3 Cel; ambient_temp -22 Cel; ambient_temp -7.7 Cel");
        expect(*state, &bthome, "40 2e34", "humidity 52 %");
        expect(*state, &bthome, "40 06b71c", "weight 73.51 kg");
        expect(*state, &bthome, "40 07b71c", "weight 73.51 [lb_av]");
        expect(*state, &bthome, "40 1101 1a00", "door 1 1; door 0 1");
        expect(*state, &bthome, "40", "");
}

static void bthome_packet_ids_and_times_are_of_all_samples(void **state) {
        expect(*state, &bthome, "40 0009 015d 2e34", "battery 93 % #9; humidity 52 % #9");
        expect(*state, &bthome, "40 015d 50a201006b", "battery 93 % @2026-11-20T08:15:30.000Z");
}

/* An object of each id that says nothing here, then a battery: nothing is lost by a wrong length. */
static void bthome_steps_over_the_length_of_every_other_object(void **state) {
        static const struct {
                uint8_t first, last, length;
        } others[] = {
                { 0x05, 0x05, 3 },
                { 0x08, 0x08, 2 },
                { 0x09, 0x09, 1 },
                { 0x0a, 0x0b, 3 },
                { 0x0c, 0x0e, 2 },
                { 0x0f, 0x10, 1 },
                { 0x12, 0x14, 2 },
                { 0x15, 0x19, 1 },
                { 0x1b, 0x2d, 1 },
                { 0x2f, 0x2f, 1 },
                { 0x3a, 0x3a, 1 },
                { 0x3c, 0x3d, 2 },
                { 0x3e, 0x3e, 4 },
                { 0x3f, 0x41, 2 },
                { 0x42, 0x42, 3 },
                { 0x43, 0x44, 2 },
                { 0x46, 0x46, 1 },
                { 0x47, 0x4a, 2 },
                { 0x4b, 0x4b, 3 },
                { 0x4c, 0x4f, 4 },
                { 0x51, 0x52, 2 },
                { 0x55, 0x55, 4 },
                { 0x56, 0x56, 2 },
                { 0x59, 0x59, 1 },
                { 0x5a, 0x5a, 2 },
                { 0x5b, 0x5c, 4 },
                { 0x5d, 0x5f, 2 },
                { 0x60, 0x60, 1 },
                { 0x61, 0x61, 2 },
                { 0x62, 0x63, 4 },
                { 0x64, 0x64, 1 },
                { 0xf0, 0xf0, 2 },
                { 0xf1, 0xf1, 4 },
                { 0xf2, 0xf2, 3 },
        };
        char hex[64];

        for (size_t i = 0; i < ELEMENTS(others); i++)
                for (unsigned id = others[i].first; id <= others[i].last; id++) {
                        (void) snprintf(hex, sizeof hex, "40 %02x %.*s 015d", id, 2 * others[i].length,
                                        "fefefefe");
                        expect(*state, &bthome, hex, "battery 93 %");
                        (void) snprintf(hex, sizeof hex, "40 %02x %.*s", id, 2 * others[i].length - 2,
                                        "fefefefe");
                        refuse(*state, &bthome, hex, "ends before");
                }
        expect(*state, &bthome, "40 53 03 414243 015d", "battery 93 %"); /* text, raw data */
        expect(*state, &bthome, "40 54 00 015d", "battery 93 %");
        refuse(*state, &bthome, "40 53 04 414243", "ends before");
        refuse(*state, &bthome, "40 53", "ends before");
}

static void bthome_ends_at_an_object_that_nobody_knows(void **state) {
        expect(*state, &bthome, "40 015d fe5d09 03b718", "battery 93 %");
        expect(*state, &bthome, "40 fe", "");
}

static void bthome_refuses_what_is_cut_or_of_another_version(void **state) {
        refuse(*state, &bthome, "40 02ca09 03bf", "BTHome: the value ends before its last field");
        refuse(*state, &bthome, "", "ends before");
        refuse(*state, &bthome, "20 02ca09", "version 1: expected 2");
        refuse(*state, &bthome, "e1 02ca09", "version 7: expected 2");
}

static void bthome_decrypts_with_key_and_address(void **state) {
        expect(*state, &bthome_secret, "41 b799ca24b78bc9d5af11 01000080 d2c20792",
                        "battery 93 % #2147483649; ambient_temp 25.06 Cel #2147483649; humidity 50.55 % "
                        "#2147483649");
        refuse(*state, &bthome_secret, "45 303b 02000080 f8bc090a",
                        "ends before"); /* cut before it was encrypted */
        refuse(*state, &bthome_secret, "41 7b 03000080 a64ed84c", "ends before");
}

static void bthome_refuses_what_is_changed_or_of_another(void **state) {
        AdvertSecret other = secret;
        const Decoding d = { .format = DECODE_SERVICE, .code = 0xfcd2, .secret = &other };
        static const char *const changed[] = {
                "45 b799ca24b78bc9d5af11 01000080 d2c20792",
                "41 b799ca24b78bc9d5af10 01000080 d2c20792",
                "41 b799ca24b78bc9d5af11 02000080 d2c20792",
                "41 b799ca24b78bc9d5af11 01000080 d2c20793",
        };

        for (size_t i = 0; i < ELEMENTS(changed); i++)
                refuse(*state, &bthome_secret, changed[i], "not encrypted with this key for this address");
        other.address[5]++;
        refuse(*state, &d, "41 b799ca24b78bc9d5af11 01000080 d2c20792", "not encrypted with this key");
        other = secret;
        other.key[0]++;
        refuse(*state, &d, "41 b799ca24b78bc9d5af11 01000080 d2c20792", "not encrypted with this key");
        refuse(*state, &bthome, "41 b799ca24b78bc9d5af11 01000080 d2c20792", "there is no key");
        refuse(*state, &bthome_secret, "41 01000080 d2c20792", "of 8 bytes: expected more than 8");
        refuse(*state, &bthome_secret, "41", "of 0 bytes");
}

/* Who can't encrypt must not be able to leave it out. */
static void a_device_with_a_key_must_encrypt(void **state) {
        refuse(*state, &bthome_secret, "40 015d", "not encrypted, though the device has a key");
        refuse(*state, &atc_secret, "c0ffee123456 00a2 2f 5f 0bf8 19", "not encrypted, though");
}

/* --- ATC --- */

static void atc_in_its_three_forms(void **state) {
        expect(*state, &atc, "c0ffee123456 00a2 2f 5f 0bf8 19",
                        "ambient_temp 16.2 Cel #25; humidity 47 % #25; battery 95 % #25");
        expect(*state, &atc, "c0ffee123456 ff5e 2f 5f 0bf8 19",
                        "ambient_temp -16.2 Cel #25; humidity 47 % #25; battery 95 % #25");
        expect(*state, &atc, "563412eeffc0 a906 6911 b60b 58 f7 0d",
                        "ambient_temp 17.05 Cel #247; humidity 44.57 % #247; battery 88 % #247");
        expect(*state, &atc, "563412eeffc0 9cff 6911 b60b 58 f7 0d",
                        "ambient_temp -1 Cel #247; humidity 44.57 % #247; battery 88 % #247");
        expect(*state, &atc_secret, "2a 0dcb48dddf6e a7ea027d",
                        "ambient_temp 10 Cel #42; humidity 40 % #42; battery 85 % #42");
}

static void atc_of_another_length_or_key_is_refused(void **state) {
        refuse(*state, &atc, "", "0 bytes: expected 13, 15, or 11");
        refuse(*state, &atc, "c0ffee123456 00a2 2f 5f 0bf8", "12 bytes");
        refuse(*state, &atc, "c0ffee123456 00a2 2f 5f 0bf8 1900", "14 bytes");
        refuse(*state, &atc, "563412eeffc0 a906 6911 b60b 58 f7 0d00", "16 bytes");
        refuse(*state, &atc, "2a 0dcb48dddf6e a7ea027d", "there is no key");
        refuse(*state, &atc_secret, "2b 0dcb48dddf6e a7ea027d", "not encrypted with this key");
}

/* --- Ruuvi --- */

static void ruuvi_measures(void **state) {
        expect(*state, &ruuvi, "05 12fc 5394 c37c 0004fffc040c ac36 42 00cd c0ffee123456",
                        "ambient_temp 24.3 Cel #205; humidity 53.49 % #205; pressure 100044 Pa #205");
        expect(*state, &ruuvi, "05 7fff fffe fffe 7fff7fff7fff ffde fe fffe c0ffee123456",
                        "ambient_temp 163.835 Cel #65534; humidity 163.835 % #65534; pressure 115534 Pa "
                        "#65534");
        expect(*state, &ruuvi, "05 8001 0000 0000 800180018001 0000 00 0000 c0ffee123456",
                        "ambient_temp -163.835 Cel #0; humidity 0 % #0; pressure 50000 Pa #0");
}

static void ruuvi_marks_what_was_not_measured(void **state) {
        expect(*state, &ruuvi, "05 8000 ffff ffff 800080008000 ffff ff ffff ffffffffffff",
                        "ambient_temp -; humidity -; pressure -");
        expect(*state, &ruuvi, "05 12fc ffff c37c 0004fffc040c ac36 42 00cd c0ffee123456",
                        "ambient_temp 24.3 Cel #205; humidity - #205; pressure 100044 Pa #205");
}

static void ruuvi_of_another_format_or_length_is_refused(void **state) {
        refuse(*state, &ruuvi, "", "ends before");
        refuse(*state, &ruuvi, "03 291a1ece1efc18f94202ca0b53", "data format 3: expected 5");
        refuse(*state, &ruuvi, "05 12fc 5394 c37c 0004fffc040c ac36 42 00cd c0ffee1234", "ends before");
        refuse(*state, &ruuvi, "05 12fc 5394 c37c 0004fffc040c ac36 42 00cd c0ffee123456 00",
                        "1 bytes more");
}

/* --- Polar --- */

static void polar_broadcasts_the_rate_that_it_shows(void **state) {
        expect(*state, &polar, "3b 16 44 46", "hr 70 /min");
        expect(*state, &polar, "3b 16 44", "hr 68 /min"); /* older ones have one rate */
        expect(*state, &polar, "72 06 7f4437000000 33 00 3c", "hr 60 /min");
        expect(*state, &polar, "33 00 3c 72 06 7f4437000000", "hr 60 /min");
        expect(*state, &polar, "39 16 00 00", "hr 0 /min sensor_off");
}

static void polar_without_a_rate_is_refused(void **state) {
        refuse(*state, &polar, "", "no heart rate");
        refuse(*state, &polar, "3b", "ends before");
        refuse(*state, &polar, "3b 16", "ends before");
        refuse(*state, &polar, "72 06 7f4437000000", "no heart rate");
        refuse(*state, &polar, "72 06 7f44", "ends before");
        refuse(*state, &polar, "72", "ends before");
}

/* --- all --- */

static void other_codes_are_refused(void **state) {
        const Decoding service = { .format = DECODE_SERVICE, .code = 0x0499 };
        const Decoding company = { .format = DECODE_MANUFACTURER, .code = 0xfcd2 };

        refuse(*state, &service, "00", "no reading is known of service data 0499");
        refuse(*state, &company, "00", "no reading is known of manufacturer data FCD2");
}

static void a_key_is_for_formats_that_encrypt(void **state) {
        Decoding d = ruuvi;

        d.secret = &secret;
        refuse(*state, &d, "05", "never encrypted");
        d = polar;
        d.secret = &secret;
        refuse(*state, &d, "3b 16 44 46", "never encrypted");
}

static void no_advert_is_longer_than_1650_bytes(void **state) {
        char hex[2 * (ADVERT_DATA_MAX + 1) + 1] = "40";

        for (size_t i = 2; i < sizeof hex - 1; i += 2)
                memcpy(hex + i, i % 4 == 2 ? "01" : "5d", 2);
        hex[sizeof hex - 1] = '\0';
        refuse(*state, &bthome, hex, "1651 bytes: expected at most 1650");
        hex[sizeof hex - 5] = '\0';
        assert_int_equal(decode_hex(*state, &bthome, hex), 0);
        assert_int_equal(((Samples *) *state)->list.count, (ADVERT_DATA_MAX - 2) / 2);
}

static void names_of_formats_are_read_in_any_case(_unused_ void **state) {
        static const struct {
                const char *name;
                DecodeFormat format;
                uint16_t code;
        } cases[] = {
                { "senml+json", DECODE_SENML_JSON, 0 },
                { "json", DECODE_JSON, 0 },
                { "bthome", DECODE_SERVICE, 0xfcd2 },
                { "BTHome", DECODE_SERVICE, 0xfcd2 },
                { "gatt:2A37", DECODE_GATT, 0x2a37 },
                { "gatt:2a37", DECODE_GATT, 0x2a37 },
                { "GATT:0x2A37", DECODE_GATT, 0x2a37 },
                { "adv:0499", DECODE_MANUFACTURER, 0x0499 },
                { "svc:181a", DECODE_SERVICE, 0x181a },
        };
        Decoding d;
        Error e = { "" };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                if (decoding_parse(cases[i].name, &d, &e) < 0)
                        fail_msg("%s", e.message);
                assert_int_equal(d.format, cases[i].format);
                assert_int_equal(d.code, cases[i].code);
                assert_null(d.secret);
        }
}

static void other_names_are_refused_with_what_is_near(_unused_ void **state) {
        static const char *const bad[] = { "", "gatt:", "gatt:2A3", "gatt:2A377", "adv:2A37", "gatt:0x", ":",
                "gatt", "gatt:2A37:", "a name that is longer than any format's name could be" };
        char name[DECODING_NAME_MAX];
        Decoding d;
        Error e;

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_equal(decoding_parse(bad[i], &d, &e), -EINVAL);
        assert_int_equal(decoding_parse("gatt:2A5D", &d, &e), -EINVAL);
        assert_non_null(strstr(e.message, "did you mean \"gatt:2A5"));
        assert_int_equal(decoding_parse("bthom", &d, &e), -EINVAL);
        assert_non_null(strstr(e.message, "did you mean \"bthome\"?"));
        for (size_t i = 0; decoding_at(i, name, &d); i++)
                assert_non_null(strstr(e.message, name));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                SAMPLES_TEST(bthome_measures),
                SAMPLES_TEST(bthome_packet_ids_and_times_are_of_all_samples),
                SAMPLES_TEST(bthome_steps_over_the_length_of_every_other_object),
                SAMPLES_TEST(bthome_ends_at_an_object_that_nobody_knows),
                SAMPLES_TEST(bthome_refuses_what_is_cut_or_of_another_version),
                SAMPLES_TEST(bthome_decrypts_with_key_and_address),
                SAMPLES_TEST(bthome_refuses_what_is_changed_or_of_another),
                SAMPLES_TEST(a_device_with_a_key_must_encrypt),
                SAMPLES_TEST(atc_in_its_three_forms),
                SAMPLES_TEST(atc_of_another_length_or_key_is_refused),
                SAMPLES_TEST(ruuvi_measures),
                SAMPLES_TEST(ruuvi_marks_what_was_not_measured),
                SAMPLES_TEST(ruuvi_of_another_format_or_length_is_refused),
                SAMPLES_TEST(polar_broadcasts_the_rate_that_it_shows),
                SAMPLES_TEST(polar_without_a_rate_is_refused),
                SAMPLES_TEST(other_codes_are_refused),
                SAMPLES_TEST(a_key_is_for_formats_that_encrypt),
                SAMPLES_TEST(no_advert_is_longer_than_1650_bytes),
                cmocka_unit_test(names_of_formats_are_read_in_any_case),
                cmocka_unit_test(other_names_are_refused_with_what_is_near),
        };

        return cmocka_run_group_tests_name("advert", tests, NULL, NULL);
}
