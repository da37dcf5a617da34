/* Validation: what a sample must have to become a reading, and what is said of it. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "decode/identity.h"
#include "decode/validate.h"

static const int64_t now_us = 1790000000 * USEC_PER_SEC;

typedef struct Fixture {
        Catalogue *catalogue;
        Registry *registry;
        Validator *validator;
        Arrival arrival;
        Reading reading;
        SequenceGap gap;
} Fixture;

static int set_up(void **state) {
        static const char devices[] = "devices: [{id: oxi}, {id: strap}]\n";
        Fixture *f = calloc(1, sizeof *f);
        YamlDocument *d;
        Error e;

        if (!f || catalogue_new(&f->catalogue) < 0 || registry_new(&f->registry) < 0 ||
                        validator_new(&(ValidatorOptions){ .identities = 16 }, f->catalogue, &f->validator) <
                                        0 ||
                        yaml_load("d", BYTES_STRING(devices), &d, &e) < 0)
                return -1;
        YamlNode root = yaml_root(d);
        int r = registry_read(f->registry, &root, &e);
        yaml_unload(d);
        f->arrival = (Arrival){ .device = registry_find_device(f->registry, "oxi")->id,
                .stamp.wall_us = now_us };
        *state = f;
        return r;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        validator_free(f->validator);
        registry_free(f->registry);
        catalogue_free(f->catalogue);
        free(f);
        return 0;
}

static Sample sample(const char *name, const char *unit, double value, int64_t time_us) {
        Sample s = { .value = value, .has_value = true, .time_us = time_us };

        (void) snprintf(s.name, sizeof s.name, "%s", name);
        (void) snprintf(s.unit, sizeof s.unit, "%s", unit);
        return s;
}

static Verdict validate(Fixture *f, Sample s) {
        f->gap = (SequenceGap){ 99, 99 };
        return validate_sample(f->validator, &s, &f->arrival, f->registry, &f->reading, &f->gap);
}

static Sample numbered(double value, uint64_t seq) {
        Sample s = sample("hr", "/min", value, TIME_NONE);

        s.seq = seq;
        s.has_seq = true;
        return s;
}

static void a_sample_becomes_a_reading(void **state) {
        Fixture *f = *state;
        Sample s = sample("urn:dev:mac:0024befffe804ff1:temp", "[degF]", 98.6, now_us - 1000);

        s.flags = FLAG_WEAK_SIGNAL;
        assert_int_equal(validate(f, s), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.device, f->arrival.device);
        assert_string_equal(registry_subject(f->registry, f->reading.subject)->name, "device:oxi");
        assert_string_equal(catalogue_at(f->catalogue, f->reading.vital)->name, "temp");
        assert_true(f->reading.value == 37);
        assert_int_equal(f->reading.device_time_us, now_us - 1000);
        assert_int_equal(f->reading.stamp.wall_us, now_us);
        assert_int_equal(f->reading.flags, FLAG_WEAK_SIGNAL);
        assert_false(f->reading.has_device_seq);
        assert_int_equal(f->gap.count, 0);
        assert_int_equal(reading_time(&f->reading), now_us - 1000);
}

static void the_vital_is_found_by_name_alias_code_or_unit(void **state) {
        static const struct {
                const char *name, *unit, *vital;
        } cases[] = {
                { "bed7/hr", "", "hr" },
                { "2001:db8::2/humidity", "%RH", "humidity" },
                { "SpO2", "%", "spo2" },
                { "urn:dev:ow:1:8867-4", "/min", "hr" },
                { "urn:dev:ow:10e2073a01080063", "beat/min", "hr" },
                { "sensor", "%RH", "humidity" },
                { "sensor", "%EL", "battery" },
        };
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(validate(f, sample(cases[i].name, cases[i].unit, 50, TIME_NONE)),
                                VERDICT_ACCEPTED);
                assert_string_equal(catalogue_at(f->catalogue, f->reading.vital)->name, cases[i].vital);
        }
        /* a temperature may be a patient's or a fridge's: the unit alone does not tell */
        assert_int_equal(validate(f, sample("urn:dev:ow:10e2073a01080063", "Cel", 37, TIME_NONE)),
                        VERDICT_UNKNOWN_VITAL);
        assert_int_equal(validate(f, sample("bed7:", "", 37, TIME_NONE)), VERDICT_UNKNOWN_VITAL);
}

static void what_is_not_a_reading_says_why(void **state) {
        Fixture *f = *state;
        Sample s = sample("hr", "/min", 70, TIME_NONE);
        DeviceId stranger;

        s.has_value = false;
        s.has_sum = true;
        assert_int_equal(validate(f, s), VERDICT_NO_VALUE);
        assert_int_equal(validate(f, sample("hr", "/min", NAN, TIME_NONE)), VERDICT_NOT_FINITE);
        assert_int_equal(validate(f, sample("hr", "/min", INFINITY, TIME_NONE)), VERDICT_NOT_FINITE);
        assert_int_equal(validate(f, sample("spo2", "/", 1e308, TIME_NONE)), VERDICT_NOT_FINITE);
        assert_int_equal(validate(f, sample("voltage", "V", 3, TIME_NONE)), VERDICT_UNKNOWN_VITAL);
        assert_int_equal(validate(f, sample("hr", "Cel", 70, TIME_NONE)), VERDICT_UNKNOWN_UNIT);
        assert_int_equal(registry_add_unregistered(f->registry, "stranger", &stranger), 0);
        f->arrival.device = stranger;
        assert_int_equal(validate(f, sample("hr", "/min", 70, TIME_NONE)), VERDICT_UNKNOWN_DEVICE);
        assert_int_equal(f->gap.count, 0);
        for (Verdict v = VERDICT_ACCEPTED; v < VERDICT_COUNT; v++)
                assert_non_null(verdict_name(v));
        assert_string_equal(verdict_name(VERDICT_OVERSIZED), "oversized");
}

static void implausible_values_are_kept_and_flagged(void **state) {
        Fixture *f = *state;

        assert_int_equal(validate(f, sample("spo2", "%", 100, TIME_NONE)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, 0);
        assert_int_equal(validate(f, sample("spo2", "%", 100.5, TIME_NONE)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, FLAG_IMPLAUSIBLE);
        assert_int_equal(validate(f, sample("rr", "/min", 0, TIME_NONE)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, FLAG_IMPLAUSIBLE);
}

static void the_same_measurement_twice_is_a_duplicate(void **state) {
        Fixture *f = *state;
        Sample s = sample("hr", "/min", 70, now_us);

        assert_int_equal(validate(f, s), VERDICT_ACCEPTED);
        assert_int_equal(validate(f, s), VERDICT_DUPLICATE);
        assert_int_equal(validate(f, sample("hr", "Hz", 70.0 / 60, now_us)), VERDICT_DUPLICATE);
        /* another value, time, vital or device is another measurement */
        assert_int_equal(validate(f, sample("hr", "/min", 71, now_us)), VERDICT_ACCEPTED);
        assert_int_equal(validate(f, sample("hr", "/min", 70, now_us + 1)), VERDICT_ACCEPTED);
        assert_int_equal(validate(f, sample("pulse", "/min", 70, now_us)), VERDICT_ACCEPTED);
        f->arrival.device = registry_find_device(f->registry, "strap")->id;
        assert_int_equal(validate(f, s), VERDICT_ACCEPTED);
}

static void without_time_and_sequence_only_a_redelivery_is_a_duplicate(void **state) {
        Fixture *f = *state;
        Sample s = sample("hr", "/min", 70, TIME_NONE);

        f->arrival.redelivered = true;
        assert_int_equal(validate(f, s), VERDICT_ACCEPTED); /* the flag alone means nothing */
        f->arrival.redelivered = false;
        assert_int_equal(validate(f, s), VERDICT_ACCEPTED);
        f->arrival.redelivered = true;
        assert_int_equal(validate(f, s), VERDICT_DUPLICATE);
        f->arrival = (Arrival){ .device = f->arrival.device, .stamp = f->arrival.stamp, .retained = true };
        assert_int_equal(validate(f, s), VERDICT_DUPLICATE);
        assert_int_equal(validate(f, sample("hr", "/min", 71, TIME_NONE)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, FLAG_RETAINED);
}

static void identities_survive_a_restart(void **state) {
        Fixture *f = *state;

        validator_remember(f->validator, "oxi", "hr", now_us, false, 0, 70);
        validator_remember(f->validator, "oxi", "hr", TIME_NONE, true, 5, 0);
        assert_int_equal(validate(f, sample("hr", "/min", 70, now_us)), VERDICT_DUPLICATE);
        assert_int_equal(validate(f, numbered(-0.0, 5)), VERDICT_DUPLICATE);
        validator_forget(f->validator);
        assert_int_equal(validate(f, sample("hr", "/min", 70, now_us)), VERDICT_ACCEPTED);
        assert_int_equal(validate(f, sample("hr", "/min", 70, now_us)), VERDICT_DUPLICATE);
}

static void a_jump_of_the_sequence_is_a_gap(void **state) {
        Fixture *f = *state;

        assert_int_equal(validate(f, numbered(70, 10)), VERDICT_ACCEPTED);
        assert_int_equal(f->gap.count, 0); /* nothing is known of what came before */
        assert_int_equal(f->reading.device_seq, 10);
        assert_true(f->reading.has_device_seq);
        assert_int_equal(validate(f, numbered(71, 11)), VERDICT_ACCEPTED);
        assert_int_equal(f->gap.count, 0);
        assert_int_equal(validate(f, numbered(72, 15)), VERDICT_ACCEPTED);
        assert_int_equal(f->gap.first, 12);
        assert_int_equal(f->gap.count, 3);
        /* a second sample of the same payload */
        Sample s = sample("spo2", "%", 98, TIME_NONE);
        s.seq = 15;
        s.has_seq = true;
        assert_int_equal(validate(f, s), VERDICT_ACCEPTED);
        assert_int_equal(f->gap.count, 0);
        /* a message without a value came all the same */
        s = numbered(0, 16);
        s.has_value = false;
        assert_int_equal(validate(f, s), VERDICT_NO_VALUE);
        assert_int_equal(validate(f, numbered(70, 17)), VERDICT_ACCEPTED);
        assert_int_equal(f->gap.count, 0);
        /* a retained copy and a duplicate move nothing */
        f->arrival.retained = true;
        assert_int_equal(validate(f, numbered(69, 5)), VERDICT_ACCEPTED);
        f->arrival.retained = false;
        assert_int_equal(validate(f, numbered(71, 11)), VERDICT_DUPLICATE);
        assert_int_equal(validate(f, numbered(70, 18)), VERDICT_ACCEPTED);
        assert_int_equal(f->gap.count, 0);
}

static void a_counter_that_begins_anew_is_neither_gap_nor_duplicate(void **state) {
        Fixture *f = *state;

        for (uint64_t seq = 250; seq < 256; seq++)
                assert_int_equal(validate(f, numbered(70, seq)), VERDICT_ACCEPTED);
        for (uint64_t seq = 0; seq < 3; seq++) {
                assert_int_equal(validate(f, numbered(70, seq)), VERDICT_ACCEPTED);
                assert_int_equal(f->gap.count, 0);
        }
        validator_remember(f->validator, "oxi", "hr", TIME_NONE, true, 0, 80);
        assert_int_equal(validate(f, numbered(70, 255)), VERDICT_ACCEPTED);
        assert_int_equal(validate(f, numbered(80, 0)), VERDICT_ACCEPTED);
        /* once round: the same number and value, and not the same measurement */
        registry_device(f->registry, f->arrival.device)->next_seq = 250;
        assert_int_equal(validate(f, numbered(70, 250)), VERDICT_ACCEPTED);
        assert_int_equal(validate(f, numbered(70, 250)), VERDICT_DUPLICATE);
        registry_device(f->registry, f->arrival.device)->next_seq = UINT64_MAX;
        assert_int_equal(validate(f, numbered(70, UINT64_MAX)), VERDICT_ACCEPTED);
        assert_int_equal(validate(f, numbered(71, 0)), VERDICT_ACCEPTED);
        assert_int_equal(f->gap.count, 0);
}

static void late_readings_are_flagged(void **state) {
        Fixture *f = *state;

        assert_int_equal(validate(f, sample("hr", "", 70, now_us - 10)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, 0);
        assert_int_equal(validate(f, sample("hr", "", 71, now_us - 11)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, FLAG_LATE);
        assert_int_equal(validate(f, sample("hr", "", 72, now_us - 10)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, 0);
        assert_int_equal(validate(f, sample("spo2", "", 97, now_us - 11)),
                        VERDICT_ACCEPTED); /* another vital */
        assert_int_equal(f->reading.flags, 0);
        assert_int_equal(validate(f, sample("hr", "", 73, TIME_NONE)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, 0);
        /* beyond what is fresh at all: 7 days */
        assert_int_equal(validate(f, sample("temp", "", 37, now_us - INT64_C(8) * 86400 * USEC_PER_SEC)),
                        VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, FLAG_LATE);
        assert_int_equal(reading_time(&f->reading), now_us - INT64_C(8) * 86400 * USEC_PER_SEC);
}

static void times_ahead_are_not_believed(void **state) {
        Fixture *f = *state;

        assert_int_equal(validate(f, sample("hr", "", 70, now_us + 120 * USEC_PER_SEC)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, 0);
        assert_int_equal(validate(f, sample("hr", "", 71, now_us + 121 * USEC_PER_SEC)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, FLAG_TIME_SKEWED);
        assert_int_equal(reading_time(&f->reading), now_us);
        assert_int_equal(validate(f, sample("hr", "", 71, INT64_MAX)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, FLAG_TIME_SKEWED);
}

/* The gateway's clock stood years ahead, then was set right: what follows is not late. */
static void a_clock_that_was_ahead_makes_nothing_late(void **state) {
        Fixture *f = *state;

        f->arrival.stamp.wall_us = now_us + INT64_C(10) * 365 * 86400 * USEC_PER_SEC;
        assert_int_equal(validate(f, sample("hr", "", 70, f->arrival.stamp.wall_us)), VERDICT_ACCEPTED);
        f->arrival.stamp.wall_us = now_us;
        assert_int_equal(validate(f, sample("hr", "", 70, now_us)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, 0);
        assert_int_equal(validate(f, sample("hr", "", 70, now_us - 1)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, FLAG_LATE);
}

static void a_clock_that_is_off_is_corrected_and_what_it_showed_is_kept(void **state) {
        Fixture *f = *state;
        const int64_t shown_us = 1000000000 * USEC_PER_SEC; /* a device that believes it is 2001 */

        f->arrival.clock = DEVICE_CLOCK_CORRECTED;
        f->arrival.clock_offset_us = now_us - 5 * USEC_PER_SEC - shown_us;
        assert_int_equal(validate(f, sample("spo2", "%", 97, shown_us)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.device_time_us, now_us - 5 * USEC_PER_SEC);
        assert_int_equal(f->reading.device_clock_us, shown_us);
        assert_int_equal(f->reading.flags, 0);
        /* the next look at the clock finds another offset by a second: it is the same measurement */
        f->arrival.clock_offset_us += USEC_PER_SEC;
        assert_int_equal(validate(f, sample("spo2", "%", 97, shown_us)), VERDICT_DUPLICATE);
        f->arrival.clock_offset_us = INT64_MAX;
        assert_int_equal(validate(f, sample("spo2", "%", 96, shown_us)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.device_time_us, TIME_NONE);
        assert_int_equal(f->reading.device_clock_us, shown_us);
}

/* The device says so by a flag. An offset is measured against such a clock as against any other. */
static void a_clock_that_is_not_set_is_believed_with_an_offset_alone(void **state) {
        Fixture *f = *state;
        const int64_t shown_us = 3600 * USEC_PER_SEC; /* an hour since 1970 */
        Sample s = sample("spo2", "%", 97, shown_us);

        s.flags = FLAG_TIME_SKEWED;
        assert_int_equal(validate(f, s), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, FLAG_TIME_SKEWED);
        assert_int_equal(f->reading.device_time_us, TIME_NONE);
        assert_int_equal(f->reading.device_clock_us, shown_us);
        assert_int_equal(reading_time(&f->reading), now_us);
        f->arrival.clock = DEVICE_CLOCK_CORRECTED;
        f->arrival.clock_offset_us = now_us - 5 * USEC_PER_SEC - shown_us;
        s.value = 96;
        assert_int_equal(validate(f, s), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, 0);
        assert_int_equal(reading_time(&f->reading), now_us - 5 * USEC_PER_SEC);
}

static void a_clock_that_nobody_looked_at_is_kept_and_not_believed(void **state) {
        Fixture *f = *state;

        f->arrival.clock = DEVICE_CLOCK_UNKNOWN;
        assert_int_equal(validate(f, sample("spo2", "%", 97, now_us - 3600 * USEC_PER_SEC)),
                        VERDICT_ACCEPTED);
        assert_int_equal(f->reading.device_time_us, TIME_NONE);
        assert_int_equal(f->reading.device_clock_us, now_us - 3600 * USEC_PER_SEC);
        assert_int_equal(reading_time(&f->reading), now_us);
        assert_int_equal(validate(f, sample("spo2", "%", 97, now_us - 3600 * USEC_PER_SEC)),
                        VERDICT_DUPLICATE);
        assert_int_equal(validate(f, sample("spo2", "%", 97, TIME_NONE)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.device_clock_us, TIME_NONE);
        validator_forget(f->validator);
        validator_remember(f->validator, "oxi", "spo2", now_us - 7200 * USEC_PER_SEC, false, 0, 95);
        assert_int_equal(validate(f, sample("spo2", "%", 95, now_us - 7200 * USEC_PER_SEC)),
                        VERDICT_DUPLICATE);
}

static void nothing_is_attributed_across_an_assignment(void **state) {
        Fixture *f = *state;
        SubjectId patient;

        assert_int_equal(registry_assign(f->registry, f->arrival.device, "p1", SUBJECT_PATIENT, "Bed 1",
                                         now_us - 100, &patient),
                        0);
        assert_int_equal(validate(f, sample("hr", "", 70, now_us - 101)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, FLAG_BEFORE_ASSIGNMENT);
        assert_string_equal(registry_subject(f->registry, f->reading.subject)->name, "device:oxi");
        assert_int_equal(validate(f, sample("hr", "", 70, now_us - 100)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.flags, 0);
        assert_int_equal(f->reading.subject, patient);
        assert_int_equal(validate(f, sample("hr", "", 70, TIME_NONE)), VERDICT_ACCEPTED);
        assert_int_equal(f->reading.subject, patient);
}

enum { CAPACITY = 64 };

/* Few slots are home to all, so that chains form, wrap and are taken apart again. */
static uint64_t crowded(uint64_t i) {
        return i << 32 | (i * 7 % 11 + 124);
}

static uint64_t spread(uint64_t i) {
        return (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static void check_identities(uint64_t (*identity)(uint64_t i)) {
        _cleanup_(identity_set_freep) IdentitySet *s = NULL;

        assert_int_equal(identity_set_new(CAPACITY, &s), 0);
        for (uint64_t i = 0; i < 3000; i++) {
                assert_false(identity_set_has(s, identity(i)));
                identity_set_add(s, identity(i));
                identity_set_add(s, identity(i));
                for (uint64_t k = i > CAPACITY + 8 ? i - CAPACITY - 8 : 0; k <= i; k++)
                        assert_int_equal(identity_set_has(s, identity(k)), k + CAPACITY > i);
        }
        identity_set_clear(s);
        assert_false(identity_set_has(s, identity(2999)));
}

static void identities_are_bounded_and_the_oldest_goes_first(void **state) {
        IdentitySet *s = NULL;

        assert_int_equal(identity_set_new(63, &s), -EINVAL);
        assert_int_equal(identity_set_new(8, &s), -EINVAL);
        check_identities(crowded);
        check_identities(spread);
}

#define VALIDATE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                VALIDATE_TEST(a_sample_becomes_a_reading),
                VALIDATE_TEST(the_vital_is_found_by_name_alias_code_or_unit),
                VALIDATE_TEST(what_is_not_a_reading_says_why),
                VALIDATE_TEST(implausible_values_are_kept_and_flagged),
                VALIDATE_TEST(the_same_measurement_twice_is_a_duplicate),
                VALIDATE_TEST(without_time_and_sequence_only_a_redelivery_is_a_duplicate),
                VALIDATE_TEST(identities_survive_a_restart),
                VALIDATE_TEST(a_jump_of_the_sequence_is_a_gap),
                VALIDATE_TEST(a_counter_that_begins_anew_is_neither_gap_nor_duplicate),
                VALIDATE_TEST(late_readings_are_flagged),
                VALIDATE_TEST(times_ahead_are_not_believed),
                VALIDATE_TEST(a_clock_that_was_ahead_makes_nothing_late),
                VALIDATE_TEST(a_clock_that_is_off_is_corrected_and_what_it_showed_is_kept),
                VALIDATE_TEST(a_clock_that_is_not_set_is_believed_with_an_offset_alone),
                VALIDATE_TEST(a_clock_that_nobody_looked_at_is_kept_and_not_believed),
                VALIDATE_TEST(nothing_is_attributed_across_an_assignment),
                cmocka_unit_test(identities_are_bounded_and_the_oldest_goes_first),
        };

        return cmocka_run_group_tests_name("validate", tests, NULL, NULL);
}
