/* A ward in virtual time: the same rules and alerts as in the daemon. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "cli/text.h"
#include "cli/trial.h"

#define S(n) ((n) *USEC_PER_SEC)

static const char rules_text[] =
                "groups:\n"
                "  - name: g\n"
                "    limits: {low: 90}\n"
                "    rules:\n"
                "      - {alert: Low, expr: spo2 < low, for: 10s, keep_firing_for: 20s, latch: false}\n"
                "      - {alert: Gone, expr: 'absent(spo2, 30s)', latch: false}\n"
                "      - {alert: Fast, expr: hr > 130, latch: true, reraise_after: 1m}\n";

typedef struct Fixture {
        Catalogue *catalogue;
        RuleSet *rules;
        size_t probe;
        Trial *trial;
        SubjectId bed;
        char log[1024]; /* "10s Low raised, ..." */
} Fixture;

static void on_event(void *userdata, const AlertEvent *e) {
        Fixture *f = userdata;
        char time[CLOCK_TEXT_SIZE];
        size_t n = strlen(f->log);

        text_offset(e->time_us, time);
        (void) snprintf(f->log + n, sizeof f->log - n, "%s%s %s %s", n > 0 ? ", " : "", time, e->rule,
                        alert_transition_name(e->transition));
}

static int set_up(void **state) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;
        Fixture *f = calloc(1, sizeof *f);
        Error e;

        *state = f;
        if (!f || catalogue_new(&f->catalogue) < 0 || rule_set_new(f->catalogue, &f->rules) < 0 ||
                        yaml_load("rules", BYTES_STRING(rules_text), &d, &e) < 0)
                return -1;
        YamlNode root = yaml_root(d);
        if (rule_set_read(f->rules, &root, &e) < 0 ||
                        rule_set_add_probe(f->rules, "mean(spo2, 10s)", &f->probe, &e) < 0) {
                print_error("%s\n", e.message);
                return -1;
        }
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        trial_free(f->trial);
        rule_set_free(f->rules);
        catalogue_free(f->catalogue);
        free(f);
        return 0;
}

static void begin(Fixture *f, int64_t acknowledge_after_us, bool without_holdoff) {
        const TrialOptions o = {
                .catalogue = f->catalogue,
                .rules = f->rules,
                .acknowledge_after_us = acknowledge_after_us,
                .without_holdoff = without_holdoff,
                .fn = on_event,
                .userdata = f,
        };

        assert_int_equal(trial_new(&o, &f->trial), 0);
        assert_int_equal(trial_add_subject(f->trial, "bed-7", SUBJECT_PATIENT, "Bed 7", &f->bed), 0);
}

static void feed(Fixture *f, const char *vital, double value, int64_t time_us) {
        assert_int_equal(trial_feed(f->trial, f->bed, catalogue_find(f->catalogue, vital)->id, value,
                                         time_us),
                        0);
}

/* spo2 is value at each second of [from, to) */
static void hold(Fixture *f, double value, int from, int to) {
        for (int s = from; s < to; s++)
                feed(f, "spo2", value, S(s));
}

static void timers_run_out_when_they_do(void **state) {
        Fixture *f = *state;

        begin(f, 0, false);
        hold(f, 97, 0, 5);
        hold(f, 88, 5, 30);
        hold(f, 97, 30, 32);
        assert_int_equal(trial_advance(f->trial, S(100)), 0);
        assert_string_equal(f->log, "15s Low raised, 50s Low resolved, 1m1s Gone raised");
}

static void without_holdoff_each_change_counts(void **state) {
        Fixture *f = *state;

        begin(f, 0, true);
        hold(f, 97, 0, 5);
        hold(f, 88, 5, 7);
        hold(f, 97, 7, 9);
        assert_string_equal(f->log, "5s Low raised, 7s Low resolved");
}

static void what_runs_out_with_a_reading_comes_after_it(void **state) {
        Fixture *f = *state;

        begin(f, 0, false);
        feed(f, "spo2", 97, S(0));
        feed(f, "spo2", 97, S(30)); /* absent since 30 s: not any more */
        feed(f, "spo2", 97, S(61));
        assert_string_equal(f->log, "1m Gone raised, 1m1s Gone resolved");
}

static void somebody_acknowledges(void **state) {
        Fixture *f = *state;

        begin(f, S(20), false);
        feed(f, "hr", 140, S(10));
        assert_int_equal(trial_advance(f->trial, S(100)), 0);
        assert_string_equal(f->log, "10s Fast raised, 30s Fast acknowledged, 1m30s Fast reraised");
        feed(f, "hr", 90, S(105));
        assert_int_equal(trial_advance(f->trial, S(200)), 0);
        assert_non_null(strstr(f->log, "1m45s Fast latched, 1m50s Fast acknowledged, 1m50s Fast resolved"));
}

static void an_acknowledgement_needs_an_active_alert(void **state) {
        Fixture *f = *state;

        begin(f, 0, false);
        feed(f, "hr", 140, S(10));
        assert_int_equal(trial_acknowledge(f->trial, "Low", SUBJECT_NONE, S(11)), -ENOENT);
        assert_int_equal(trial_acknowledge(f->trial, "Fast", f->bed + 7, S(11)), -ENOENT);
        assert_int_equal(trial_acknowledge(f->trial, "Fast", f->bed, S(12)), 0);
        assert_int_equal(trial_acknowledge(f->trial, "Fast", SUBJECT_NONE, S(13)), -ENOENT);
        assert_string_equal(f->log, "10s Fast raised, 12s Fast acknowledged");
}

static void a_subject_has_limits_of_its_own(void **state) {
        Fixture *f = *state;

        begin(f, 0, true);
        feed(f, "spo2", 88, S(0));
        assert_int_equal(trial_set_attribute(f->trial, f->bed, "low", "86", S(5)), 0);
        feed(f, "spo2", 87, S(6));
        feed(f, "spo2", 85, S(7));
        assert_string_equal(f->log, "0s Low raised, 5s Low resolved, 7s Low raised");
        assert_int_equal(trial_set_attribute(f->trial, f->bed, "No", "86", S(8)), -EINVAL);
}

static void what_is_implausible_is_seen_by_no_rule(void **state) {
        Fixture *f = *state;
        VitalId spo2 = catalogue_find(f->catalogue, "spo2")->id;

        begin(f, 0, true);
        assert_int_equal(trial_feed(f->trial, f->bed, spo2, 0, S(1)), TRIAL_IMPLAUSIBLE);
        assert_int_equal(trial_feed(f->trial, f->bed, spo2, 130, S(2)), TRIAL_IMPLAUSIBLE);
        assert_string_equal(f->log, "");
}

static void probes_are_answered(void **state) {
        Fixture *f = *state;

        begin(f, 0, false);
        hold(f, 96, 0, 5);
        hold(f, 98, 5, 10);
        assert_float_equal(trial_probe(f->trial, f->probe, f->bed), 97, 1e-9);
}

static void devices_are_subjects_too(void **state) {
        Fixture *f = *state;
        SubjectId id;

        begin(f, 0, false);
        assert_int_equal(trial_add_subject(f->trial, "oximeter", SUBJECT_DEVICE, "", &id), 0);
        assert_string_equal(trial_subject(f->trial, id)->name, "device:oximeter");
        assert_string_equal(trial_subject(f->trial, f->bed)->label, "Bed 7");
        assert_int_equal(trial_add_subject(f->trial, "a b", SUBJECT_PATIENT, "", &id), -EINVAL);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(timers_run_out_when_they_do),
                TEST(without_holdoff_each_change_counts),
                TEST(what_runs_out_with_a_reading_comes_after_it),
                TEST(somebody_acknowledges),
                TEST(an_acknowledgement_needs_an_active_alert),
                TEST(a_subject_has_limits_of_its_own),
                TEST(what_is_implausible_is_seen_by_no_rule),
                TEST(probes_are_answered),
                TEST(devices_are_subjects_too),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
