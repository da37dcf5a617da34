/* What tests of the dispatch share: a ward, a routing written as an operator would, and all that was told. */
#pragma once

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "alert/dispatch.h"

/* 2023-11-14T00:00:00Z */
#define WALL INT64_C(1699920000000000)

enum { NOTICES_MAX = 4096, BENCH_SUBJECTS = 4 };

static const char *const receiver_names[] = { "nurse", "charge", "doctor", "mqtt" };
enum { NURSE, CHARGE, DOCTOR, MQTT };

typedef struct Bench {
        Registry *registry;
        SubjectId subjects[BENCH_SUBJECTS];
        Routing *routing, *other; /* other: for dispatch_use() */
        Dispatch *dispatch;
        Notice notices[NOTICES_MAX];
        AlertEvent alerts[NOTICES_MAX]; /* the first of each notice */
        size_t told, seen;
        AlertEvent records[256];
        size_t recorded, records_seen, changes, silences_over;
} Bench;

static inline void on_notify(void *userdata, const Notice *n) {
        Bench *b = userdata;

        assert_true(b->told < NOTICES_MAX);
        assert_true(n->count > 0 || n->more > 0);
        b->notices[b->told] = *n;
        if (n->count > 0)
                b->alerts[b->told] = n->alerts[0];
        b->told++;
}

static inline void on_record(void *userdata, const AlertEvent *e) {
        Bench *b = userdata;

        b->records[b->recorded++ % ELEMENTS(b->records)] = *e;
}

static inline void on_changed(void *userdata, const AlertEvent *e) {
        Bench *b = userdata;

        (void) e;
        b->changes++;
}

static inline void on_silence_over(void *userdata, const Silence *s) {
        Bench *b = userdata;

        (void) s;
        b->silences_over++;
}

static inline Stamp stamp_us(int64_t us) {
        return (Stamp){ .wall_us = WALL + us, .mono_us = us };
}

static inline Stamp stamp(double at) {
        return stamp_us((int64_t) (at * (double) USEC_PER_SEC));
}

static inline int try_routing(Routing *r, const char *text, Error *e) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;
        static const YamlField fields[] = { { "alerts", YAML_NODE, 0 },
                { "routes", YAML_NODE, sizeof(YamlNode) }, { NULL } };
        YamlNode nodes[2] = { 0 };

        *r = (Routing){ .receiver_count = ELEMENTS(receiver_names) };
        for (size_t i = 0; i < ELEMENTS(receiver_names); i++)
                r->receivers[i].name = receiver_names[i];
        int k = yaml_load("c.yaml", BYTES_STRING(text), &d, e);
        if (k < 0)
                return k;
        YamlNode root = yaml_root(d);
        k = yaml_read(&root, fields, nodes, e);
        return k < 0 ? k : routing_read(r, &nodes[0], &nodes[1], e);
}

static inline void use_routing(Routing *r, const char *text) {
        Error e;

        if (try_routing(r, text, &e) < 0)
                fail_msg("%s", e.message);
}

static inline void restart(Bench *b) {
        const DispatchCallbacks c = { on_notify, on_record, on_changed, on_silence_over, b };

        dispatch_free(b->dispatch);
        assert_int_equal(dispatch_new(b->routing, b->registry, &c, &b->dispatch), 0);
}

static inline void route(Bench *b, const char *text) {
        use_routing(b->routing, text);
        restart(b);
}

static inline int setup(void **state) {
        Bench *b = calloc(1, sizeof *b);

        assert_non_null(b);
        b->routing = calloc(1, sizeof *b->routing);
        b->other = calloc(1, sizeof *b->other);
        assert_int_equal(registry_new(&b->registry), 0);
        for (size_t i = 0; i < BENCH_SUBJECTS; i++) {
                char name[16];
                (void) snprintf(name, sizeof name, "p%zu", i + 1);
                assert_int_equal(registry_add_subject(b->registry, name, SUBJECT_PATIENT, &b->subjects[i]),
                                0);
        }
        *state = b;
        return 0;
}

static inline int teardown(void **state) {
        Bench *b = *state;

        dispatch_free(b->dispatch);
        registry_free(b->registry);
        free(b->routing);
        free(b->other);
        free(b);
        return 0;
}

/* An alert named by one letter or more, of the subject (0: the gateway itself). */
static inline AlertEvent alert(const Bench *b, const char *id, unsigned subject, Priority p, double raised) {
        AlertEvent e = {
                .priority = p,
                .state = ALERT_ACTIVE,
                .transition = TRANSITION_RAISED,
                .subject = subject == 0 ? SUBJECT_NONE : b->subjects[subject - 1],
                .value = (double) NAN,
                .since_us = stamp(raised).wall_us,
                .raised_us = stamp(raised).wall_us,
                .ended_us = TIME_NONE,
                .time_us = stamp(raised).wall_us,
        };

        (void) snprintf(e.id, sizeof e.id, "%s", id);
        (void) snprintf(e.rule, sizeof e.rule, "Rule%s", id);
        return e;
}

static inline void event(Bench *b, const AlertEvent *e, double at) {
        Stamp now = stamp(at);

        assert_int_equal(dispatch_event(b->dispatch, e, &now), 0);
}

static inline AlertEvent raise_alert(Bench *b, const char *id, unsigned subject, Priority p, double at) {
        AlertEvent e = alert(b, id, subject, p, at);

        event(b, &e, at);
        return e;
}

static inline void change(Bench *b, AlertEvent *e, AlertTransition t, double at) {
        static const AlertState states[] = {
                [TRANSITION_RAISED] = ALERT_ACTIVE,
                [TRANSITION_RESOLVED] = ALERT_RESOLVED,
                [TRANSITION_ACKNOWLEDGED] = ALERT_ACKNOWLEDGED,
                [TRANSITION_LATCHED] = ALERT_ACTIVE,
                [TRANSITION_RERAISED] = ALERT_ACTIVE,
        };

        e->transition = t;
        e->state = states[t];
        e->time_us = stamp(at).wall_us;
        if (t == TRANSITION_RERAISED)
                e->raised_us = e->time_us;
        event(b, e, at);
}

static inline void tick(Bench *b, double at) {
        Stamp now = stamp(at);

        dispatch_tick(b->dispatch, &now, 0);
}

/* Ticks whenever something is due. */
static inline void until(Bench *b, double at) {
        for (int64_t next; (next = dispatch_deadline(b->dispatch)) <= stamp(at).mono_us;) {
                Stamp now = stamp_us(MAX(next, INT64_C(0)));
                dispatch_tick(b->dispatch, &now, 0);
        }
}

static inline void silence_all(Bench *b, const char *id, const char *rule, double at, double end) {
        Silence s = { .from_us = stamp(at).wall_us, .until_us = stamp(end).wall_us };
        Stamp now = stamp(at);

        (void) snprintf(s.id, sizeof s.id, "%s", id);
        (void) snprintf(s.filter.rule, sizeof s.filter.rule, "%s", rule);
        assert_int_equal(dispatch_silence(b->dispatch, &s, &now), 0);
}

/* The next notice, in order. */
static inline const Notice *told(Bench *b, unsigned receiver, const char *key) {
        const Notice *n = &b->notices[b->seen];

        if (b->seen == b->told)
                fail_msg("nobody was told: expected %s to %s", key, receiver_names[receiver]);
        b->seen++;
        assert_string_equal(n->key, key);
        assert_int_equal(n->receiver, receiver);
        return n;
}

/* One of several alerts. */
static inline const Notice *told_several(
                Bench *b, unsigned receiver, NoticeKind kind, size_t count, uint64_t more) {
        const Notice *n = &b->notices[b->seen];

        assert_true(b->seen < b->told);
        b->seen++;
        assert_int_equal(n->kind, kind);
        assert_int_equal(n->receiver, receiver);
        assert_int_equal(n->count, count);
        assert_int_equal(n->more, more);
        return n;
}

static inline void nobody(const Bench *b) {
        if (b->seen != b->told)
                fail_msg("%s was told %s", receiver_names[b->notices[b->seen].receiver],
                                b->notices[b->seen].key);
}

static inline const AlertEvent *recorded(Bench *b, const char *id, AlertTransition t) {
        const AlertEvent *e = &b->records[b->records_seen % ELEMENTS(b->records)];

        assert_true(b->records_seen < b->recorded);
        b->records_seen++;
        assert_string_equal(e->id, id);
        assert_int_equal(e->transition, t);
        return e;
}

static inline void no_record(const Bench *b) {
        assert_int_equal(b->records_seen, b->recorded);
}
