/* A restart is not noticed: by rules that look back for long, by others beside them, by steps of routes after the clock
 * was set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim.h"

enum { BEDS = 3 };

#define BEGIN (1000 * SECOND)

static const char config[] = "ledger: {block_age: 10m, block_entries: 65536}\n"
                             "validation: {slow_store: 60s}\n"
                             "receivers:\n"
                             "- {name: nurses, plugin: none, min_priority: technical, config: {}}\n"
                             "alerts: {repeat: 0s}\n"
                             "routes: [{steps: [{notify: [nurses]}, {after: 10m, notify: [nurses]}]}]\n";

static const char rules[] = "groups:\n"
                            "- name: long\n"
                            "  rules:\n"
                            "  - {alert: Cluster, expr: 'count(temp > 38 by ward, 36h) >= 3'}\n"
                            "  - {alert: SpO2Low, expr: spo2 < 90, for: 1m}\n";

static void make(World *w, int64_t end_us) {
        *w = (World){ .seed = 1, .config = config, .rules = rules, .begin_us = BEGIN, .end_us = end_us };
        w->devices = calloc(BEDS, sizeof *w->devices);
        assert_non_null(w->devices);
        w->device_count = BEDS;
        for (size_t i = 0; i < BEDS; i++)
                (void) snprintf(w->devices[i], sizeof w->devices[i], "bed-%zu", i);
}

static void add(World *w, uint32_t bed, int64_t at_us, const char *vital, const char *unit, double value) {
        SimFrame *f = world_add_frame(w);

        f->device = bed;
        f->at_us = at_us;
        f->count = 1;
        f->values[0] = (SimValue){ vital, unit, value };
}

/* The lives of a rule's alerts: since, time and transition of each. */
static size_t lives(const Book *b, const char *rule, AlertRow *ret, size_t max) {
        size_t n = 0;

        for (size_t i = 0; i < b->alert_count; i++)
                if (alert_is_life(&b->alerts[i]) && strcmp(b->alerts[i].rule, rule) == 0) {
                        assert_true(n < max);
                        ret[n++] = b->alerts[i];
                }
        return n;
}

static size_t count(const Book *b, const char *rule, AlertTransition t) {
        size_t n = 0;

        for (size_t i = 0; i < b->alert_count; i++)
                n += strcmp(b->alerts[i].rule, rule) == 0 && b->alerts[i].transition == t;
        return n;
}

/* Its second life ends a minute after the first. */
static void live(const World *w, KillPoint point, int64_t kill_us, Book *ret) {
        Run r;

        run_begin(&r, w);
        r.kills[0] = (Kill){ .at_us = kill_us, .point = point };
        r.kills[1] = (Kill){ .at_us = kill_us + MINUTE, .point = point };
        r.kill_count = 2;
        run_live(&r);
        assert_int_equal(r.shared->lives, 3);
        book_read(&r, ret);
        assert_string_equal(ret->failure, "");
        assert_int_equal(ret->bad, 0);
        run_done(&r);
}

static void what_is_pending_goes_on(void **state) {
        const int64_t low_us = BEGIN + 2 * MINUTE;
        AlertRow rows[4];
        World w;

        make(&w, low_us + 3 * MINUTE);
        for (int64_t at_us = BEGIN; at_us < w.end_us; at_us += 5 * SECOND)
                add(&w, 0, at_us, "spo2", "%", at_us < low_us ? 97 : 85);
        world_sort(&w);
        for (KillPoint point = 0; point < KILL_POINTS; point++) {
                Book b;

                if (point == KILL_OP)
                        continue;
                live(&w, point, low_us + 40 * SECOND, &b);
                assert_int_equal(lives(&b, "SpO2Low", rows, ELEMENTS(rows)), 1);
                assert_int_equal(rows[0].transition, TRANSITION_RAISED);
                assert_int_equal(rows[0].since_us, SIM_WALL + low_us);
                assert_int_equal(rows[0].time_us, SIM_WALL + low_us + MINUTE);
                book_done(&b);
        }
        world_done(&w);
}

static void what_was_counted_counts_for_as_long_as_the_rule_says(void **state) {
        const int64_t fever_us = BEGIN + MINUTE, kill_us = BEGIN + 30 * HOUR;
        AlertRow rows[4];
        World w;
        Book b;

        make(&w, kill_us + 10 * MINUTE);
        for (uint32_t bed = 0; bed < BEDS; bed++) {
                add(&w, bed, fever_us, "temp", "Cel", 39);
                for (int64_t at_us = fever_us + MINUTE; at_us < w.end_us; at_us += HOUR)
                        add(&w, bed, at_us, "temp", "Cel", 37);
        }
        world_sort(&w);
        live(&w, KILL_TICK, kill_us, &b);
        assert_int_equal(lives(&b, "Cluster", rows, ELEMENTS(rows)), 1);
        assert_int_equal(rows[0].transition, TRANSITION_RAISED);
        assert_int_equal(rows[0].time_us, SIM_WALL + fever_us);
        book_done(&b);
        world_done(&w);
}

static void a_step_is_taken_by_the_clock_that_nobody_sets(void **state) {
        static const int64_t by_us[] = { 3 * HOUR, -3 * HOUR };
        const int64_t low_us = BEGIN + MINUTE, raised_us = low_us + MINUTE;

        for (size_t i = 0; i < ELEMENTS(by_us); i++)
                for (int64_t after_us = 9 * MINUTE; after_us <= 11 * MINUTE; after_us += 2 * MINUTE) {
                        World w;
                        Book b;

                        make(&w, raised_us + after_us);
                        for (int64_t at_us = BEGIN; at_us < w.end_us; at_us += 5 * SECOND)
                                add(&w, 0, at_us, "spo2", "%", at_us < low_us ? 97 : 85);
                        world_sort(&w);
                        w.steps[w.step_count++] =
                                        (SimStep){ .at_us = raised_us + MINUTE, .by_us = by_us[i] };
                        live(&w, KILL_TICK, raised_us + 5 * MINUTE, &b);
                        assert_int_equal(count(&b, "SpO2Low", TRANSITION_RAISED), 1);
                        assert_int_equal(count(&b, "SpO2Low", TRANSITION_ESCALATED), after_us > 10 * MINUTE);
                        book_done(&b);
                        world_done(&w);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_pending_goes_on),
                cmocka_unit_test(what_was_counted_counts_for_as_long_as_the_rule_says),
                cmocka_unit_test(a_step_is_taken_by_the_clock_that_nobody_sets),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
