/* An alert manager with two patients, in virtual time, and all that it told. Times are seconds. */
#pragma once

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "alert/alert.h"

#define WALL INT64_C(1700000000000000)

enum { EVENTS_MAX = 256 };

typedef struct Bench {
        Registry *registry;
        AlertManager *manager;
        SubjectId p1, p2;
        AlertEvent events[EVENTS_MAX];
        size_t count; /* also beyond EVENTS_MAX */
} Bench;

static inline void bench_record(void *userdata, const AlertEvent *e) {
        Bench *b = userdata;

        if (b->count < EVENTS_MAX)
                b->events[b->count] = *e;
        b->count++;
}

static inline SubjectId bench_assign(Bench *b, const char *device, const char *subject, const char *label) {
        DeviceId d;
        SubjectId s;

        assert_int_equal(registry_add_unregistered(b->registry, device, &d), 0);
        assert_int_equal(registry_assign(b->registry, d, subject, SUBJECT_PATIENT, label, 0, &s), 0);
        return s;
}

static inline int bench_setup(void **state) {
        Bench *b = calloc(1, sizeof *b);

        assert_non_null(b);
        assert_int_equal(registry_new(&b->registry), 0);
        b->p1 = bench_assign(b, "d1", "p1", "Bed 1");
        b->p2 = bench_assign(b, "d2", "p2", "");
        assert_int_equal(alert_manager_new(b->registry, bench_record, b, &b->manager), 0);
        *state = b;
        return 0;
}

static inline int bench_teardown(void **state) {
        Bench *b = *state;

        alert_manager_free(b->manager);
        registry_free(b->registry);
        free(b);
        return 0;
}

static inline Stamp stamp(double at) {
        int64_t us = llround(at * (double) USEC_PER_SEC);
        return (Stamp){ .wall_us = WALL + us, .mono_us = us };
}

static inline void summarise(const RuleOutcome *o, char ret[static ALERT_SUMMARY_MAX]) {
        (void) snprintf(ret, ALERT_SUMMARY_MAX, "value %g", o->value);
}

/* An outcome of that time, which the manager hears of now. */
static inline int late_outcome(Bench *b, const AlertRule *rule, SubjectId subject, Truth t, double value,
                double at, double now) {
        const RuleOutcome o = {
                .subject = subject,
                .truth = t,
                .value = value,
                .time_us = stamp(at).wall_us,
                .mono_us = stamp(at).mono_us,
                .summarise = summarise,
        };
        const Stamp heard = stamp(now);

        return alert_manager_outcome(b->manager, &o, rule, &heard);
}

static inline void is(Bench *b, const AlertRule *rule, SubjectId subject, Truth t, double value, double at) {
        assert_int_equal(late_outcome(b, rule, subject, t, value, at, at), 0);
}

static inline void tick(Bench *b, double at) {
        Stamp now = stamp(at);

        alert_manager_tick(b->manager, &now);
}

static inline int acknowledge(Bench *b, const char *id, double at) {
        Stamp now = stamp(at);

        return alert_manager_acknowledge(b->manager, id, "uid:1000", "on my way", &now);
}

/* As after a reboot: its times are by a wall clock that is so much ahead of the monotonic one of now. */
static inline int restore_by(
                AlertManager *m, const AlertEvent *event, const AlertRule *rule, int64_t offset_us) {
        AlertEvent e = *event;

        e.raised_mono_us = (e.raised_us == TIME_NONE ? e.time_us : e.raised_us) - offset_us;
        e.acknowledged_mono_us = e.time_us - offset_us;
        return alert_manager_restore(m, &e, rule);
}

/* The only event since the last look. */
static inline const AlertEvent *event(Bench *b, const char *rule, AlertTransition t, double at) {
        const AlertEvent *e = &b->events[0];

        assert_int_equal(b->count, 1);
        b->count = 0;
        assert_string_equal(e->rule, rule);
        assert_string_equal(alert_transition_name(e->transition), alert_transition_name(t));
        assert_int_equal(e->time_us, stamp(at).wall_us);
        return e;
}

static inline void nothing(Bench *b) {
        assert_int_equal(b->count, 0);
}

static inline void bench_count(void *userdata, const AlertEvent *e) {
        assert_true(e->state == ALERT_ACTIVE || e->state == ALERT_ACKNOWLEDGED);
        (*(size_t *) userdata)++;
}

/* How many are active or acknowledged. */
static inline size_t active(const Bench *b) {
        size_t n = 0;

        alert_manager_visit(b->manager, bench_count, &n);
        return n;
}

/* What happens to p1, in one line: "2T 5F 5.5U 7A 9?": true at 2 s, false, unknown, acknowledged, and a look at the clock
 * at 9 s. Blanks between. Times of a script count from begin. */
static inline void play(Bench *b, const AlertRule *rule, const char *script, double begin) {
        char *end;

        for (const char *at = script; *at; at = end + 1 + strspn(end + 1, " ")) {
                double t = begin + strtod(at, &end);

                switch (*end) {
                case 'T':
                        is(b, rule, b->p1, TRUTH_TRUE, 1, t);
                        break;
                case 'F':
                        is(b, rule, b->p1, TRUTH_FALSE, 0, t);
                        break;
                case 'U':
                        is(b, rule, b->p1, TRUTH_UNKNOWN, (double) NAN, t);
                        break;
                case 'A':
                        assert_true(b->count > 0);
                        assert_int_equal(acknowledge(b, b->events[b->count - 1].id, t), 0);
                        break;
                case '?':
                        tick(b, t);
                        break;
                default:
                        fail_msg("what is '%c' in \"%s\"", *end, script);
                }
        }
}

/* All that was told, in one line: "2 raised, 5 resolved". */
static inline void told(const Bench *b, double begin, char ret[static 512]) {
        size_t n = 0;

        assert_true(b->count <= EVENTS_MAX);
        ret[0] = '\0';
        for (size_t i = 0; i < b->count; i++) {
                const AlertEvent *e = &b->events[i];
                double at = (double) (e->time_us - stamp(begin).wall_us) / (double) USEC_PER_SEC;

                n += (size_t) snprintf(ret + n, 512 - n, "%s%.10g %s", i > 0 ? ", " : "", at,
                                alert_transition_name(e->transition));
                assert_true(n < 512);
        }
}
