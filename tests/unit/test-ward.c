/* A ward of 30 patients for 12 hours, in virtual time: rules and alerts together, exactly the events that are expected,
 * whatever the timers' grain and with a restart in the middle. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "alert/alert.h"
#include "rules/rules.h"

#define WALL  INT64_C(1700000000000000)
#define NIGHT INT64_C(43200) /* seconds */

enum {
        PATIENTS = 30,
        HOURS = NIGHT / 3600,
        PERIOD = 5, /* seconds between readings of a vital */
        EVENTS_MAX = 1024,
        EPISODE = 120, /* seconds that each trouble lasts */
        REPLAY = 300,  /* seconds of readings that a restart replays */
};

static const char rules[] =
                "groups:\n"
                "- name: ward\n"
                "  match: {kind: patient}\n"
                "  rules:\n"
                "  - {alert: SpO2Low, expr: spo2 < 90, for: 10s, keep_firing_for: 30s, latch: false,\n"
                "     labels: {priority: high}, annotations: {summary: 'SpO2 {{ value }}'}}\n"
                "  - {alert: HrHigh, expr: hr > 130}\n"
                "  - {alert: Both, expr: spo2 < 95 and hr > 130}\n"
                "  - {alert: Silent, expr: 'absent(spo2, 30s)', labels: {priority: technical}}\n";

typedef struct Ward {
        Catalogue *catalogue;
        Registry *registry;
        RuleSet *set;
        RuleEngine *engine;
        AlertManager *alerts;
        SubjectId patients[PATIENTS];
        VitalId spo2, hr;
        Stamp now;
        AlertEvent events[EVENTS_MAX];
        size_t count;
} Ward;

static void record(void *userdata, const AlertEvent *e) {
        Ward *w = userdata;

        assert_true(w->count < EVENTS_MAX);
        w->events[w->count++] = *e;
}

static void outcome(void *userdata, const RuleOutcome *o) {
        Ward *w = userdata;

        assert_int_equal(alert_manager_outcome(w->alerts, o, rule_set_rule(w->set, o->rule), &w->now), 0);
}

static void start(Ward *w) {
        assert_int_equal(alert_manager_new(w->registry, record, w, &w->alerts), 0);
        assert_int_equal(rule_engine_new(w->set, w->registry, outcome, w, &w->engine), 0);
}

static void stop(Ward *w) {
        w->engine = rule_engine_free(w->engine);
        w->alerts = alert_manager_free(w->alerts);
}

static Ward *ward_new(void) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;
        Ward *w = calloc(1, sizeof *w);
        DeviceId device;
        Error e;

        assert_non_null(w);
        assert_int_equal(catalogue_new(&w->catalogue), 0);
        assert_int_equal(registry_new(&w->registry), 0);
        w->spo2 = catalogue_find(w->catalogue, "spo2")->id;
        w->hr = catalogue_find(w->catalogue, "hr")->id;
        assert_int_equal(rule_set_new(w->catalogue, &w->set), 0);
        assert_int_equal(yaml_load("ward.yaml", BYTES_STRING(rules), &d, &e), 0);
        YamlNode root = yaml_root(d);
        if (rule_set_read(w->set, &root, &e) < 0)
                fail_msg("%s", e.message);
        for (int i = 0; i < PATIENTS; i++) {
                char name[16];

                (void) snprintf(name, sizeof name, "p%d", i);
                assert_int_equal(registry_add_unregistered(w->registry, name, &device), 0);
                assert_int_equal(registry_assign(w->registry, device, name, SUBJECT_PATIENT, "", 0,
                                                 &w->patients[i]),
                                0);
        }
        start(w);
        return w;
}

static void ward_free(Ward *w) {
        stop(w);
        rule_set_free(w->set);
        registry_free(w->registry);
        catalogue_free(w->catalogue);
        free(w);
}

static Stamp stamp(int64_t second) {
        return (Stamp){ .wall_us = WALL + second * USEC_PER_SEC, .mono_us = second * USEC_PER_SEC };
}

static void tick(Ward *w, int64_t second) {
        w->now = stamp(second);
        rule_engine_tick(w->engine, w->now.mono_us, w->now.wall_us);
        alert_manager_tick(w->alerts, &w->now);
}

static void reading(Ward *w, int patient, VitalId vital, double value, int64_t second) {
        w->now = stamp(second);
        const Reading r = {
                .subject = w->patients[patient],
                .vital = vital,
                .value = value,
                .device_time_us = TIME_NONE,
                .stamp = w->now,
        };

        assert_int_equal(rule_engine_reading(w->engine, &r, w->now.mono_us), 0);
}

/* Each patient has one hour in which each trouble comes, of EPISODE seconds, at its own minute. */
static bool has(int patient, int trouble, int64_t second) {
        int64_t begin = (patient % (HOURS - 1)) * 3600 + trouble * 600 + patient * PERIOD;
        return second >= begin && second < begin + EPISODE;
}

enum { DESATURATION, TACHYCARDIA, SENSOR_OFF, BLIP };

/* One round of readings; BLIP is a desaturation of a single reading, which `for` holds back. */
static void round_of_readings(Ward *w, int64_t second) {
        for (int p = 0; p < PATIENTS; p++) {
                bool blip = has(p, BLIP, second) && !has(p, BLIP, second - PERIOD);
                bool low = has(p, DESATURATION, second) || blip;

                if (!has(p, SENSOR_OFF, second))
                        reading(w, p, w->spo2, low ? 85 : 97, second);
                reading(w, p, w->hr, has(p, TACHYCARDIA, second) ? 140 : 80, second);
        }
}

/* What the troubles of patient p have to bring: raised and resolved, in seconds from the beginning of the trouble. */
static const struct {
        int trouble;
        const char *rule;
        int64_t raised, since, resolved;
} expected[] = {
        { DESATURATION, "SpO2Low", 10, 0, EPISODE + 30 },
        { TACHYCARDIA, "HrHigh", 0, 0, EPISODE },
        /* the last value came a period before the sensor fell off */
        { SENSOR_OFF, "Silent", 30 - PERIOD, 30 - PERIOD, EPISODE },
};

static const AlertEvent *find(const Ward *w, const char *rule, SubjectId subject, AlertState state) {
        const AlertEvent *found = NULL;

        for (size_t i = 0; i < w->count; i++) {
                const AlertEvent *e = &w->events[i];
                if (strcmp(e->rule, rule) != 0 || e->subject != subject || e->state != state)
                        continue;
                assert_null(found);
                found = e;
        }
        assert_non_null(found);
        return found;
}

static void check_events(const Ward *w) {
        for (int p = 0; p < PATIENTS; p++)
                for (size_t i = 0; i < ELEMENTS(expected); i++) {
                        int64_t begin = (p % (HOURS - 1)) * 3600 + expected[i].trouble * 600 + p * PERIOD;
                        const AlertEvent *raised = find(w, expected[i].rule, w->patients[p], ALERT_ACTIVE);
                        const AlertEvent *resolved =
                                        find(w, expected[i].rule, w->patients[p], ALERT_RESOLVED);

                        assert_int_equal(raised->time_us, stamp(begin + expected[i].raised).wall_us);
                        assert_int_equal(raised->since_us, stamp(begin + expected[i].since).wall_us);
                        assert_int_equal(resolved->time_us, stamp(begin + expected[i].resolved).wall_us);
                        assert_string_equal(raised->id, resolved->id);
                }
        assert_int_equal(w->count, (size_t) PATIENTS * ELEMENTS(expected) * 2);
}

static void a_night_brings_exactly_its_events(void **state) {
        Ward *w = ward_new();

        for (int64_t second = 0; second < NIGHT; second++) {
                tick(w, second);
                if (second % PERIOD == 0)
                        round_of_readings(w, second);
        }
        check_events(w);
        ward_free(w);
}

/* Readings alone move time on. */
static void without_timers_the_events_are_the_same(void **state) {
        Ward *w = ward_new();

        for (int64_t second = 0; second < NIGHT; second += PERIOD)
                round_of_readings(w, second);
        check_events(w);
        ward_free(w);
}

typedef struct Saved {
        AlertEvent events[EVENTS_MAX];
        size_t count;
} Saved;

static void save(void *userdata, const AlertEvent *e) {
        Saved *s = userdata;
        s->events[s->count++] = *e;
}

/* Active alerts come back from the store, the rules' state from the newest readings. */
static void restart(Ward *w, int64_t second) {
        Saved *saved = calloc(1, sizeof *saved);

        assert_non_null(saved);
        alert_manager_visit(w->alerts, save, saved);
        stop(w);
        start(w);
        for (size_t i = 0; i < saved->count; i++)
                assert_int_equal(alert_manager_restore(w->alerts, &saved->events[i], NULL), 0);
        free(saved);
        alert_manager_replay_begin(w->alerts, stamp(second - 1).mono_us);
        int64_t first = second > REPLAY ? second - REPLAY : 0;
        for (int64_t s = first - first % PERIOD; s < second; s += PERIOD)
                round_of_readings(w, s);
        w->now = stamp(second);
        rule_engine_tick(w->engine, w->now.mono_us, w->now.wall_us);
        alert_manager_replay_end(w->alerts, &w->now);
}

static void restarts_do_not_change_the_events(void **state) {
        Ward *w = ward_new();
        size_t restarts = 0;

        for (int64_t second = 0; second < NIGHT; second++) {
                if (second % 1009 == 1008) {
                        restart(w, second);
                        restarts++;
                }
                tick(w, second);
                if (second % PERIOD == 0)
                        round_of_readings(w, second);
        }
        assert_true(restarts > 40);
        check_events(w);
        ward_free(w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_night_brings_exactly_its_events),
                cmocka_unit_test(without_timers_the_events_are_the_same),
                cmocka_unit_test(restarts_do_not_change_the_events),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
