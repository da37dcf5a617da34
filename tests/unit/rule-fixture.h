/* An engine over two patients and a fridge, whose outcomes are recorded; times are seconds since the start. */
#pragma once

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "rules/rules.h"

#define WALL INT64_C(1700000000000000)

enum { OUTCOMES_MAX = 256 };

typedef struct Bench {
        Catalogue *catalogue;
        Registry *registry;
        RuleSet *set;
        RuleEngine *engine;
        SubjectId p1, p2, fridge;
        RuleOutcome outcomes[OUTCOMES_MAX];
        char summaries[OUTCOMES_MAX][ALERT_SUMMARY_MAX]; /* "": there is none */
        size_t count;
} Bench;

static inline void record(void *userdata, const RuleOutcome *o) {
        Bench *b = userdata;

        assert_true(b->count < OUTCOMES_MAX);
        b->summaries[b->count][0] = '\0';
        if (o->summarise)
                o->summarise(o, b->summaries[b->count]);
        b->outcomes[b->count++] = *o;
}

static inline SubjectId assign(
                Bench *b, const char *device, const char *subject, SubjectKind kind, const char *label) {
        DeviceId d;
        SubjectId s;

        assert_int_equal(registry_add_unregistered(b->registry, device, &d), 0);
        assert_int_equal(registry_assign(b->registry, d, subject, kind, label, 0, &s), 0);
        return s;
}

static inline int setup(void **state) {
        Bench *b = calloc(1, sizeof *b);

        assert_non_null(b);
        assert_int_equal(catalogue_new(&b->catalogue), 0);
        assert_int_equal(registry_new(&b->registry), 0);
        b->p1 = assign(b, "d1", "p1", SUBJECT_PATIENT, "Bed 1");
        b->p2 = assign(b, "d2", "p2", SUBJECT_PATIENT, "Bed 2");
        b->fridge = assign(b, "d3", "fridge", SUBJECT_ASSET, "Pharmacy");
        *state = b;
        return 0;
}

static inline int teardown(void **state) {
        Bench *b = *state;

        rule_engine_free(b->engine);
        rule_set_free(b->set);
        registry_free(b->registry);
        catalogue_free(b->catalogue);
        free(b);
        return 0;
}

static inline void start(Bench *b) {
        b->engine = rule_engine_free(b->engine);
        assert_int_equal(rule_engine_new(b->set, b->registry, record, b, &b->engine), 0);
}

/* Once: a test has one set of rules. */
static inline void load(Bench *b, const char *text) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;
        Error e;

        assert_int_equal(yaml_load("r.yaml", BYTES_STRING(text), &d, &e), 0);
        YamlNode root = yaml_root(d);
        assert_int_equal(rule_set_new(b->catalogue, &b->set), 0);
        if (rule_set_read(b->set, &root, &e) < 0)
                fail_msg("%s", e.message);
        start(b);
}

/* at: seconds since the start */
static inline void read_flagged(
                Bench *b, SubjectId subject, const char *vital, double value, double at, uint16_t flags) {
        int64_t us = llround(at * (double) USEC_PER_SEC);
        const Reading r = {
                .subject = subject,
                .vital = catalogue_find(b->catalogue, vital)->id,
                .value = value,
                .flags = flags,
                .device_time_us = TIME_NONE,
                .stamp = { .wall_us = WALL + us, .mono_us = us },
        };

        b->count = 0;
        assert_int_equal(rule_engine_reading(b->engine, &r, us), 0);
}

static inline void reading(Bench *b, SubjectId subject, const char *vital, double value, double at) {
        read_flagged(b, subject, vital, value, at, 0);
}

static inline void tick(Bench *b, double at) {
        int64_t us = llround(at * (double) USEC_PER_SEC);

        b->count = 0;
        rule_engine_tick(b->engine, us, WALL + us);
}

/* What an operator sets of a subject. */
static inline void attribute(Bench *b, SubjectId subject, const char *name, const char *value, double at) {
        int64_t us = llround(at * (double) USEC_PER_SEC);

        b->count = 0;
        assert_int_equal(registry_set_attribute(b->registry, subject, name, value), 0);
        rule_engine_refresh(b->engine, subject, us, WALL + us);
}

static inline void said(const Bench *b, size_t i, const char *rule, SubjectId subject, Truth truth,
                double value, double at) {
        const RuleOutcome *o = &b->outcomes[i];

        assert_true(i < b->count);
        assert_string_equal(rule_set_rule(b->set, o->rule)->name, rule);
        assert_int_equal(o->subject, subject);
        assert_int_equal(o->truth, truth);
        assert_true(isnan(value) ? isnan(o->value) : o->value == value);
        assert_int_equal(o->mono_us, llround(at * (double) USEC_PER_SEC));
        assert_int_equal(o->time_us, WALL + o->mono_us);
}

static inline void deadline(const Bench *b, double at) {
        assert_int_equal(rule_engine_deadline(b->engine), llround(at * (double) USEC_PER_SEC));
}

static inline void unevaluated(
                const Bench *b, size_t i, const char *rule, SubjectId subject, Truth truth, double at) {
        const RuleOutcome *o = &b->outcomes[i];

        assert_true(i < b->count);
        assert_string_equal(rule_set_rule(b->set, o->rule)->name, rule);
        assert_int_equal(o->subject, subject);
        assert_int_equal(o->truth, truth);
        assert_int_equal(o->time_us, TIME_NONE);
        assert_int_equal(o->mono_us, llround(at * (double) USEC_PER_SEC));
}
