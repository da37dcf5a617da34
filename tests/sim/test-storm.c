/* Storms: everything falls silent at once; thresholds flap ten times a second. Receivers are told within their rate, what
 * is of high priority at once, and nothing is missing from the ledger.
 *
 * test-storm [--seconds N], of flapping */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim.h"

enum {
        SILENT = 500, /* devices */
        DESATURATED = 50,
        FLAPPING = 50,
        FLAPS_PER_SECOND = 10,
        RATE = 10, /* notices a minute */
        MEMORY_MAX = 2 * 1024 * 1024,
};

#define BEGIN (1000 * SECOND)

static int64_t flapping_seconds = 60;

static const char config[] = "validation: {slow_store: 60s}\n"
                             "receivers:\n"
                             "- {name: nurses, plugin: none, min_priority: technical, rate: {notices: 10, "
                             "per: 1m}, config: {}}\n"
                             "alerts: {repeat: 0s, group_interval: 30s}\n";

static const char rules[] = "groups:\n"
                            "- name: storm\n"
                            "  rules:\n"
                            "  - {alert: Silent, expr: 'absent(hr, 31s)'}\n"
                            "  - {alert: SpO2Low, expr: spo2 < 90, labels: {priority: high}}\n"
                            "  - {alert: HrHigh, expr: hr > 130}\n"
                            "  - {alert: HrKept, expr: hr > 130, keep_firing_for: 10s}\n";

static void make(World *w, size_t devices, int64_t end_us) {
        *w = (World){ .seed = 1,
                .config = config,
                .rules = rules,
                .device_count = devices,
                .begin_us = BEGIN,
                .end_us = BEGIN + end_us };
        w->devices = calloc(devices, sizeof *w->devices);
        assert_non_null(w->devices);
        for (size_t i = 0; i < devices; i++)
                (void) snprintf(w->devices[i], sizeof w->devices[i], "d%03zu", i);
}

static SimFrame *frame(World *w, uint32_t device, int64_t at_us, const char *vital, const char *unit,
                double value) {
        SimFrame *f = world_add_frame(w);

        f->at_us = BEGIN + at_us;
        f->device = device;
        f->device_us = SIM_WALL + f->at_us;
        f->count = 1;
        f->values[0] = (SimValue){ vital, unit, value };
        return f;
}

static size_t count_alerts(const Book *b, const char *rule, AlertTransition t) {
        size_t n = 0;

        for (size_t i = 0; i < b->alert_count; i++)
                n += strcmp(b->alerts[i].rule, rule) == 0 && b->alerts[i].transition == t;
        return n;
}

/* A bucket of tokens: in no stretch of time more than it holds and what comes in meanwhile. */
static void check_rate(const Shared *s) {
        for (size_t i = 0; i < s->notice_count; i++) {
                size_t n = 0;

                if (s->notices[i].priority == PRIORITY_HIGH ||
                                strcmp(s->notices[i].transition, "raised") != 0)
                        continue;
                for (size_t j = i; j < s->notice_count && s->notices[j].at_us - s->notices[i].at_us < MINUTE;
                                j++)
                        n += s->notices[j].priority < PRIORITY_HIGH &&
                             strcmp(s->notices[j].transition, "raised") == 0;
                assert_true(n <= (size_t) 2 * RATE);
        }
}

static void live(Run *r, const World *w, Book *b) {
        run_begin(r, w);
        run_live(r);
        book_read(r, b);
        assert_string_equal(b->failure, "");
        assert_int_equal(b->bad, 0);
        print_message("# %zu alert entries, %zu notices, at most %zu held, rules took %zu bytes\n",
                        b->alert_count, r->shared->notice_count, r->shared->held_max, r->shared->memory_max);
        assert_true(r->shared->memory_max < MEMORY_MAX);
}

/* The network is gone: 500 devices at once, and of 50 the last word was bad. */
static void a_silent_ward(void **state) {
        World w;
        Run r;
        Book b;
        uint64_t told = 0, high = 0;

        make(&w, SILENT, 10 * MINUTE);
        for (uint32_t i = 0; i < SILENT; i++)
                (void) frame(&w, i, SECOND, "hr", "beat/min", 80);
        for (uint32_t i = 0; i < DESATURATED; i++)
                (void) frame(&w, i, 20 * SECOND, "spo2", "%", 85);
        world_sort(&w);
        live(&r, &w, &b);
        assert_int_equal(count_alerts(&b, "Silent", TRANSITION_RAISED), SILENT);
        assert_int_equal(count_alerts(&b, "SpO2Low", TRANSITION_RAISED), DESATURATED);
        for (size_t i = 0; i < r.shared->notice_count; i++) {
                const SimNotice *n = &r.shared->notices[i];
                told += n->count + n->more;
                /* a receiver takes one after the other, 20 ms each */
                high += n->priority == PRIORITY_HIGH && n->at_us <= BEGIN + 21 * SECOND;
        }
        assert_int_equal(high, DESATURATED);
        assert_true(told >= SILENT + DESATURATED);
        assert_true(r.shared->held_max <= SILENT);
        check_rate(r.shared);
        book_done(&b);
        run_done(&r);
        world_done(&w);
}

/* 50 patients around a threshold, ten times a second. */
static void a_flapping_ward(void **state) {
        const int64_t period_us = SECOND / FLAPS_PER_SECOND;
        World w;
        Run r;
        Book b;

        make(&w, FLAPPING, (flapping_seconds + 30) * SECOND);
        for (int64_t i = 0; i < flapping_seconds * FLAPS_PER_SECOND; i++)
                for (uint32_t d = 0; d < FLAPPING; d++)
                        (void) frame(&w, d, SECOND + i * period_us, "hr", "beat/min", i % 2 ? 120 : 140);
        world_sort(&w);
        live(&r, &w, &b);
        size_t flaps = (size_t) (flapping_seconds * FLAPS_PER_SECOND / 2 * FLAPPING);
        assert_int_equal(count_alerts(&b, "HrHigh", TRANSITION_RAISED), flaps);
        assert_int_equal(count_alerts(&b, "HrHigh", TRANSITION_RESOLVED), flaps);
        assert_int_equal(count_alerts(&b, "HrKept", TRANSITION_RAISED), FLAPPING);
        assert_int_equal(count_alerts(&b, "HrKept", TRANSITION_RESOLVED), FLAPPING);
        check_rate(r.shared);
        book_done(&b);
        run_done(&r);
        world_done(&w);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_silent_ward),
                cmocka_unit_test(a_flapping_ward),
        };

        if (argc == 3 && strcmp(argv[1], "--seconds") == 0)
                flapping_seconds = strtoll(argv[2], NULL, 10);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
