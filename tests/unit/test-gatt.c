/* Values of Bluetooth's health characteristics: what becomes of each field, and of what a device says of its measurement. */
#include "samples-fixture.h"

#include "decode/gatt.h"

static Decoding gatt(uint16_t characteristic) {
        return (Decoding){ .format = DECODE_GATT, .code = characteristic };
}

static void expect_gatt(Samples *s, uint16_t characteristic, const char *hex, const char *samples) {
        const Decoding d = gatt(characteristic);

        expect(s, &d, hex, samples);
}

static void refuse_gatt(Samples *s, uint16_t characteristic, const char *hex, const char *reason) {
        const Decoding d = gatt(characteristic);

        refuse(s, &d, hex, reason);
}

#define EXPECT(characteristic, hex, samples) expect_gatt(*state, characteristic, hex, samples)
#define REFUSE(characteristic, hex, reason)  refuse_gatt(*state, characteristic, hex, reason)

static void heart_rate(void **state) {
        EXPECT(0x2a37, "00 55", "hr 85 /min");
        EXPECT(0x2a37, "01 2c01", "hr 300 /min");
        EXPECT(0x2a37, "00 00", "hr 0 /min"); /* implausible: validation says so */
        REFUSE(0x2a37, "", "ends before its last field");
        REFUSE(0x2a37, "00", "ends before its last field");
        REFUSE(0x2a37, "01 2c", "ends before its last field");
        REFUSE(0x2a37, "00 55 00", "1 bytes more");
}

static void heart_rate_without_contact_is_flagged(void **state) {
        EXPECT(0x2a37, "04 55", "hr 85 /min sensor_off");
        EXPECT(0x2a37, "06 55", "hr 85 /min");
        EXPECT(0x2a37, "02 55", "hr 85 /min"); /* says nothing: contact is not supported */
        EXPECT(0x2a37, "14 55 0004", "hr 85 /min sensor_off; rr_interval 1000 ms sensor_off");
}

static void intervals_between_beats_follow_the_energy(void **state) {
        EXPECT(0x2a37, "18 55 3200 0003 0004", "hr 85 /min; rr_interval 750 ms; rr_interval 1000 ms");
        EXPECT(0x2a37, "08 55 3200", "hr 85 /min");
        EXPECT(0x2a37, "10 55", "hr 85 /min"); /* no beat to tell of */
        REFUSE(0x2a37, "08 55 32", "ends before");
        REFUSE(0x2a37, "10 55 00", "ends before");
}

/* A field of a later revision comes behind those that are known, and a flag announces it. */
static void unknown_fields_are_passed_over_where_announced(void **state) {
        EXPECT(0x2a37, "20 55 aabbcc", "hr 85 /min");
        EXPECT(0x2a1c, "08 6e0100ff 01", "temp 36.6 Cel");
        REFUSE(0x2a1c, "00 6e0100ff 01", "1 bytes more");
        REFUSE(0x2a19, "64 01", "1 bytes more");
}

static void temperature(void **state) {
        EXPECT(0x2a1c, "00 6e0100ff", "temp 36.6 Cel");
        EXPECT(0x2a1c, "01 da0300ff", "temp 98.6 [degF]");
        EXPECT(0x2a1c, "06 6e0100ff ea070b14080f1e 06", "temp 36.6 Cel @2026-11-20T08:15:30.000Z");
        REFUSE(0x2a1c, "06 6e0100ff ea070b14080f1e", "ends before");
        REFUSE(0x2a1c, "02 6e0100ff ea070b14080f", "ends before");
        REFUSE(0x2a1c, "00 6e0100", "Temperature Measurement: ");
}

static void special_values_are_samples_without_a_value(void **state) {
        EXPECT(0x2a1c, "00 ffff7f00", "temp -");
        EXPECT(0x2a1c, "00 00008000", "temp -");
        EXPECT(0x2a1c, "00 feff7f00", "temp -");
        EXPECT(0x2a1c, "00 02008000", "temp -");
        EXPECT(0x2a1c, "00 01008000", "temp -");
        EXPECT(0x2a5f, "00 ff07 fe07", "spo2 -; pulse -");
        EXPECT(0x2a5f, "00 0008 0208", "spo2 -; pulse -");
        EXPECT(0x2a35, "00 7800 5000 ff07", "sbp 120 mm[Hg]; dbp 80 mm[Hg]; map -");
        EXPECT(0x2a9d, "00 ffff", "weight -");
        EXPECT(0x2a19, "65", "battery -");
        EXPECT(0x2a19, "ff", "battery -");
}

static void intermediate_temperature_is_provisional(void **state) {
        EXPECT(0x2a1e, "00 540100ff", "temp 34 Cel provisional");
}

/* Zero is how a device says that it does not know; what no calendar has is a broken clock. */
static void times_that_are_unknown_or_impossible(void **state) {
        EXPECT(0x2a1c, "02 6e0100ff 0000 0b14080f1e", "temp 36.6 Cel");
        EXPECT(0x2a1c, "02 6e0100ff ea07 0014080f1e", "temp 36.6 Cel");
        EXPECT(0x2a1c, "02 6e0100ff ea07 0b00080f1e", "temp 36.6 Cel");
        EXPECT(0x2a1c, "02 6e0100ff ea07 0d01080f1e", "temp 36.6 Cel time_skewed");
        EXPECT(0x2a1c, "02 6e0100ff ea07 021d080f1e", "temp 36.6 Cel time_skewed"); /* 29 February 2026 */
        EXPECT(0x2a1c, "02 6e0100ff e807 021d080f1e", "temp 36.6 Cel @2024-02-29T08:15:30.000Z");
        EXPECT(0x2a1c, "02 6e0100ff ea07 0b14180f1e", "temp 36.6 Cel time_skewed");
        EXPECT(0x2a1c, "02 6e0100ff ea07 0b14083c1e", "temp 36.6 Cel time_skewed");
        EXPECT(0x2a1c, "02 6e0100ff ea07 0b14080f3c", "temp 36.6 Cel time_skewed");
        EXPECT(0x2a1c, "02 6e0100ff 0100 0b14080f1e", "temp 36.6 Cel time_skewed");
        EXPECT(0x2a1c, "02 6e0100ff ffff ffffffffff", "temp 36.6 Cel time_skewed");
}

static void oximeter_spot_check(void **state) {
        EXPECT(0x2a5e, "00 6100 4800", "spo2 97 percent; pulse 72 /min");
        EXPECT(0x2a5e, "01 6100 4800 ea070b14080f1e",
                        "spo2 97 percent @2026-11-20T08:15:30.000Z; pulse 72 /min "
                        "@2026-11-20T08:15:30.000Z");
        EXPECT(0x2a5e, "11 6100 4800 b20701010a0000",
                        "spo2 97 percent time_skewed @1970-01-01T10:00:00.000Z; "
                        "pulse 72 /min time_skewed @1970-01-01T10:00:00.000Z"); /* its clock is not set */
        EXPECT(0x2a5e, "0e 6100 4800 8001 100000 57f0",
                        "spo2 97 percent weak_signal; pulse 72 /min weak_signal; pi 8.7 % weak_signal");
        REFUSE(0x2a5e, "0e 6100 4800 8001 100000 57", "ends before");
        REFUSE(0x2a5e, "0f 6100 4800 8001 100000 57f0", "ends before");
        REFUSE(0x2a5e, "00 6100", "ends before");
}

static void oximeter_continuous(void **state) {
        EXPECT(0x2a5f, "03 6100 4800 6000 4900 6200 4700",
                        "spo2 97 percent; pulse 72 /min; spo2_fast 96 percent; pulse_fast 73 /min; "
                        "spo2_slow 98 percent; pulse_slow 71 /min");
        EXPECT(0x2a5f, "02 6100 4800 6200 4700",
                        "spo2 97 percent; pulse 72 /min; spo2_slow 98 percent; pulse_slow 71 /min");
        EXPECT(0x2a5f, "1c 6100 4800 2000 000000 57f0", "spo2 97 percent; pulse 72 /min; pi 8.7 %");
        REFUSE(0x2a5f, "01 6100 4800 6000", "ends before");
}

/* Bit by bit, as the service's tables 3.2 and 3.5 number them. */
static void what_an_oximeter_says_of_its_measurement(void **state) {
        static const char *const measurement[16] = {
                [6] = " questionable",
                [9] = " retained", /* from its memory, without a time */
                [10] = " test",
                [11] = " test",
                [12] = " invalid",
                [13] = " invalid",
                [14] = " questionable",
                [15] = " invalid",
        };
        static const char *const sensor[24] = {
                [1] = " invalid",
                [2] = " questionable",
                [3] = " weak_signal invalid",
                [4] = " weak_signal",
                [5] = " weak_signal",
                [6] = " questionable",
                [7] = " invalid",
                [8] = " questionable",
                [9] = " questionable",
                [10] = " questionable",
                [11] = " sensor_off",
                [12] = " questionable",
                [13] = " sensor_off",
                [14] = " invalid",
                [15] = " sensor_off",
        };
        char hex[64], samples[128];

        for (unsigned bit = 0; bit < 16; bit++) {
                const char *flags = measurement[bit] ? measurement[bit] : "";
                (void) snprintf(hex, sizeof hex, "04 6100 4800 %02x%02x", 1U << bit & 0xff, 1U << bit >> 8);
                (void) snprintf(samples, sizeof samples, "spo2 97 percent%s; pulse 72 /min%s", flags, flags);
                EXPECT(0x2a5f, hex, samples);
        }
        for (unsigned bit = 0; bit < 24; bit++) {
                const char *flags = sensor[bit] ? sensor[bit] : "";
                (void) snprintf(hex, sizeof hex, "08 6100 4800 %02x%02x%02x", 1U << bit & 0xff,
                                1U << bit >> 8 & 0xff, 1U << bit >> 16);
                (void) snprintf(samples, sizeof samples, "spo2 97 percent%s; pulse 72 /min%s", flags, flags);
                EXPECT(0x2a5f, hex, samples);
        }
        /* A spot check that goes on has no result yet; one from memory is as old as it says. */
        EXPECT(0x2a5e, "02 6100 4800 2000", "spo2 97 percent provisional; pulse 72 /min provisional");
        EXPECT(0x2a5e, "03 6100 4800 ea070b14080f1e 0002",
                        "spo2 97 percent @2026-11-20T08:15:30.000Z; pulse 72 /min "
                        "@2026-11-20T08:15:30.000Z");
}

static void blood_pressure(void **state) {
        EXPECT(0x2a35, "00 7800 5000 5d00", "sbp 120 mm[Hg]; dbp 80 mm[Hg]; map 93 mm[Hg]");
        EXPECT(0x2a35, "01 a0f0 6bf0 7cf0", "sbp 16 kPa; dbp 10.7 kPa; map 12.4 kPa");
        EXPECT(0x2a35, "0e 7800 5000 5d00 ea070b14080f1e 4800 01",
                        "sbp 120 mm[Hg] @2026-11-20T08:15:30.000Z; dbp 80 mm[Hg] @2026-11-20T08:15:30.000Z; "
                        "map 93 mm[Hg] @2026-11-20T08:15:30.000Z; pulse 72 /min @2026-11-20T08:15:30.000Z");
        REFUSE(0x2a35, "00 7800 5000", "ends before");
        REFUSE(0x2a35, "10 7800 5000 5d00 00", "ends before");
}

static void what_a_cuff_says_of_its_measurement(void **state) {
        static const bool doubtful[16] = { [0] = true, [1] = true, [2] = true, [5] = true };
        char hex[64], samples[128];

        for (unsigned bit = 0; bit < 16; bit++) {
                const char *flags = doubtful[bit] ? " questionable" : "";
                (void) snprintf(hex, sizeof hex, "10 7800 5000 5d00 %02x%02x", 1U << bit & 0xff,
                                1U << bit >> 8);
                (void) snprintf(samples, sizeof samples,
                                "sbp 120 mm[Hg]%s; dbp 80 mm[Hg]%s; map 93 mm[Hg]%s", flags, flags, flags);
                EXPECT(0x2a35, hex, samples);
        }
        /* the pulse's range is the pulse's */
        EXPECT(0x2a35, "14 7800 5000 5d00 f000 0800",
                        "sbp 120 mm[Hg]; dbp 80 mm[Hg]; map 93 mm[Hg]; pulse 240 /min questionable");
        EXPECT(0x2a35, "14 7800 5000 5d00 1400 1000",
                        "sbp 120 mm[Hg]; dbp 80 mm[Hg]; map 93 mm[Hg]; pulse 20 /min questionable");
        EXPECT(0x2a35, "14 7800 5000 5d00 4800 0000",
                        "sbp 120 mm[Hg]; dbp 80 mm[Hg]; map 93 mm[Hg]; pulse 72 /min");
}

/* What the cuff holds is no blood pressure: no rule on sbp may see it. */
static void cuff_pressure_is_no_blood_pressure(void **state) {
        EXPECT(0x2a36, "00 9600 ff07 ff07", "cuff_pressure 150 mm[Hg] provisional");
        EXPECT(0x2a36, "04 9600 ff07 ff07 4800",
                        "cuff_pressure 150 mm[Hg] provisional; pulse 72 /min provisional");
        REFUSE(0x2a36, "00 9600 ff07", "ends before");
}

static void glucose(void **state) {
        EXPECT(0x2a18, "02 0700 ea070b14080f1e 5fb0 11", "glucose 95 mg/dL @2026-11-20T08:15:30.000Z #7");
        EXPECT(0x2a18, "06 0700 ea070b14080f1e 36c0 11", "glucose 5.4 mmol/L @2026-11-20T08:15:30.000Z #7");
        /* the user moved the clock by an hour since */
        EXPECT(0x2a18, "03 0700 ea070b14080f1e 3c00 5fb0 11",
                        "glucose 95 mg/dL @2026-11-20T09:15:30.000Z #7");
        EXPECT(0x2a18, "03 0700 ea070b14080f1e c4ff 5fb0 11",
                        "glucose 95 mg/dL @2026-11-20T07:15:30.000Z #7");
        EXPECT(0x2a18, "00 ffff ea070b14080f1e", "glucose - @2026-11-20T08:15:30.000Z #65535");
        EXPECT(0x2a18, "02 0700 ea070b14080f1e ff07 11", "glucose - @2026-11-20T08:15:30.000Z #7");
        REFUSE(0x2a18, "00 0700 ea070b14080f", "ends before");
        REFUSE(0x2a18, "02 0700 ea070b14080f1e 5fb0", "ends before");
        REFUSE(0x2a18, "08 0700 ea070b14080f1e 00", "ends before");
        REFUSE(0x2a18, "00 0700 ea070b14080f1e 00", "1 bytes more");
}

/* A record is a stored one: without a time nobody knows of when. */
static void glucose_without_a_time_is_of_unknown_age(void **state) {
        EXPECT(0x2a18, "02 0700 0000 0000000000 5fb0 11", "glucose 95 mg/dL retained #7");
        EXPECT(0x2a18, "03 0700 0000 0000000000 3c00 5fb0 11", "glucose 95 mg/dL retained #7");
        EXPECT(0x2a18, "02 0700 ea07 0d14080f1e 5fb0 11", "glucose 95 mg/dL time_skewed retained #7");
        EXPECT(0x2a18, "03 0700 ea070b14080f1e ff7f 5fb0 11", "glucose 95 mg/dL time_skewed retained #7");
        EXPECT(0x2a18, "03 0700 ea070b14080f1e 0080 5fb0 11", "glucose 95 mg/dL time_skewed retained #7");
}

static void control_solution_is_no_patient(void **state) {
        EXPECT(0x2a18, "02 0700 ea070b14080f1e 5fb0 1a",
                        "glucose 95 mg/dL test @2026-11-20T08:15:30.000Z #7");
        EXPECT(0x2a18, "02 0700 ea070b14080f1e 5fb0 41",
                        "glucose 95 mg/dL test @2026-11-20T08:15:30.000Z #7");
}

static void what_a_meter_says_of_its_measurement(void **state) {
        enum { TIME_FAULT = 11 };
        static const char *const meaning[16] = {
                [1] = " invalid",
                [2] = " invalid",
                [3] = " invalid",
                [4] = " invalid",
                [5] = " questionable",
                [6] = " questionable",
                [7] = " invalid",
                [8] = " invalid",
                [9] = " invalid",
                [10] = " invalid",
        };
        char hex[64], samples[128];

        for (unsigned bit = 0; bit < 16; bit++) {
                (void) snprintf(hex, sizeof hex, "0a 0700 ea070b14080f1e 5fb0 11 %02x%02x", 1U << bit & 0xff,
                                1U << bit >> 8);
                (void) snprintf(samples, sizeof samples, "glucose 95 mg/dL%s @2026-11-20T08:15:30.000Z #7",
                                meaning[bit] ? meaning[bit] : "");
                EXPECT(0x2a18, hex,
                                bit == TIME_FAULT ? "glucose 95 mg/dL time_skewed retained #7" : samples);
        }
}

static void weight(void **state) {
        EXPECT(0x2a9d, "00 7800", "weight 0.6 kg");
        EXPECT(0x2a9d, "00 6c39", "weight 73.5 kg");
        EXPECT(0x2a9d, "01 7a3f", "weight 162.5 [lb_av]");
        EXPECT(0x2a9d, "0e 6c39 ea070b14080f1e 01 f500 d606",
                        "weight 73.5 kg @2026-11-20T08:15:30.000Z; bmi 24.5 kg/m2 "
                        "@2026-11-20T08:15:30.000Z; "
                        "height 1.75 m @2026-11-20T08:15:30.000Z");
        EXPECT(0x2a9d, "09 7a3f f500 b202", "weight 162.5 [lb_av]; bmi 24.5 kg/m2; height 69 [in_i]");
        REFUSE(0x2a9d, "08 6c39 f500", "ends before");
        REFUSE(0x2a9d, "00 6c", "ends before");
}

static void battery(void **state) {
        EXPECT(0x2a19, "00", "battery 0 %");
        EXPECT(0x2a19, "64", "battery 100 %");
        REFUSE(0x2a19, "", "ends before");
}

static void other_characteristics_are_refused(void **state) {
        REFUSE(0x2a38, "00", "no reading is known of characteristic 2A38");
        REFUSE(0x2a2b, "ea070b14080f1e050000", "no reading is known");
        REFUSE(0x0000, "", "no reading is known");
}

static void no_attribute_is_longer_than_512_bytes(void **state) {
        char hex[2 * (GATT_VALUE_MAX + 2) + 1];

        memset(hex, '0', sizeof hex - 1);
        hex[sizeof hex - 1] = '\0';
        memcpy(hex, "1055", 4);
        REFUSE(0x2a37, hex, "expected at most 512");
        hex[sizeof hex - 5] = '\0';
        Decoding d = gatt(0x2a37);
        assert_int_equal(decode_hex(*state, &d, hex), 0);
        assert_int_equal(((Samples *) *state)->list.count, 1 + 255);
}

static void every_characteristic_of_the_list_is_decoded(void **state) {
        const char *name;
        uint16_t uuid;
        size_t i = 0;

        for (; gatt_at(i, &uuid, &name); i++)
                REFUSE(uuid, "", name);
        assert_int_equal(i, 10);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                SAMPLES_TEST(heart_rate),
                SAMPLES_TEST(heart_rate_without_contact_is_flagged),
                SAMPLES_TEST(intervals_between_beats_follow_the_energy),
                SAMPLES_TEST(unknown_fields_are_passed_over_where_announced),
                SAMPLES_TEST(temperature),
                SAMPLES_TEST(special_values_are_samples_without_a_value),
                SAMPLES_TEST(intermediate_temperature_is_provisional),
                SAMPLES_TEST(times_that_are_unknown_or_impossible),
                SAMPLES_TEST(oximeter_spot_check),
                SAMPLES_TEST(oximeter_continuous),
                SAMPLES_TEST(what_an_oximeter_says_of_its_measurement),
                SAMPLES_TEST(blood_pressure),
                SAMPLES_TEST(what_a_cuff_says_of_its_measurement),
                SAMPLES_TEST(cuff_pressure_is_no_blood_pressure),
                SAMPLES_TEST(glucose),
                SAMPLES_TEST(glucose_without_a_time_is_of_unknown_age),
                SAMPLES_TEST(control_solution_is_no_patient),
                SAMPLES_TEST(what_a_meter_says_of_its_measurement),
                SAMPLES_TEST(weight),
                SAMPLES_TEST(battery),
                SAMPLES_TEST(other_characteristics_are_refused),
                SAMPLES_TEST(no_attribute_is_longer_than_512_bytes),
                SAMPLES_TEST(every_characteristic_of_the_list_is_decoded),
        };

        return cmocka_run_group_tests_name("gatt", tests, NULL, NULL);
}
