/* A ward's night in virtual time, through the whole gateway: what is told is exactly what an oracle finds in what was
 * recorded, and it is the same however often the gateway is killed.
 *
 * test-ward [--seed N] [--seeds N] [--hours N]; --hours 12 is the whole night */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim.h"

enum { KILLS = 30, SHOWN_MAX = 20 };

#define DOWNTIME (3 * SECOND)

static struct {
        uint64_t seed, seeds;
        int64_t hours;
} wanted = { 1, 1, 2 };

/* --- comparing --- */

static int by_key(const void *x, const void *y) {
        const AlertRow *const *a = x, *const *b = y;
        int c = strcmp((*a)->rule, (*b)->rule);

        if (c == 0)
                c = strcmp((*a)->subject, (*b)->subject);
        return c != 0 ? c : *a < *b ? -1 : *a > *b;
}

/* What changed alerts of rules, by rule and subject, in order. */
static const AlertRow **lives_of(const AlertRow *rows, size_t count, size_t *ret) {
        const AlertRow **list = calloc(count + 1, sizeof *list);
        size_t n = 0;

        assert_non_null(list);
        for (size_t i = 0; i < count; i++)
                if (alert_is_life(&rows[i]) && rows[i].subject[0])
                        list[n++] = &rows[i];
        qsort((void *) list, n, sizeof *list, by_key);
        *ret = n;
        return list;
}

static void show(const char *what, const AlertRow *a) {
        print_message("%s %s %s %s since %lld time %lld ended %lld\n", what, a->rule, a->subject,
                        alert_transition_name(a->transition), (long long) (a->since_us - SIM_WALL),
                        (long long) (a->time_us - SIM_WALL),
                        a->ended_us == TIME_NONE ? -1LL : (long long) (a->ended_us - SIM_WALL));
}

typedef enum Strictness {
        STRICT,
        RESTARTED, /* when a latched alert was over that was true again untold, is forgotten with a restart */
        STEPPED, /* what was recorded before the clock was set can't be told by a later clock: transitions only */
} Strictness;

static bool is_same(const AlertRow *a, const AlertRow *b, Strictness how) {
        return a->transition == b->transition && a->since_us == b->since_us &&
               (how == STEPPED || a->time_us == b->time_us) &&
               (how != STRICT || a->ended_us == b->ended_us) &&
               (!a->id[0] || !b->id[0] || strcmp(a->id, b->id) == 0);
}

/* The number of differences, the first of which are shown. */
static size_t compare(const AlertRow *want, size_t want_count, const AlertRow *got, size_t got_count,
                Strictness how) {
        size_t n, m, i = 0, j = 0, differences = 0;
        const AlertRow **a = lives_of(want, want_count, &n), **b = lives_of(got, got_count, &m);

        while (i < n || j < m) {
                int c = i == n ? 1 : j == m ? -1 : strcmp(a[i]->rule, b[j]->rule);
                if (c == 0)
                        c = strcmp(a[i]->subject, b[j]->subject);
                if (c == 0 && is_same(a[i], b[j], how)) {
                        i++;
                        j++;
                        continue;
                }
                if (differences++ < SHOWN_MAX) {
                        if (c <= 0)
                                show("missing: ", a[i]);
                        if (c >= 0)
                                show("not due: ", b[j]);
                }
                i += c <= 0;
                j += c >= 0;
        }
        print_message("# %zu transitions wanted, %zu told, %zu differences\n", n, m, differences);
        free((void *) a);
        free((void *) b);
        return differences;
}

/* --- what was sent is recorded, once --- */

typedef struct Sent {
        char text[64];
} Sent;

static int by_text(const void *x, const void *y) {
        return strcmp(((const Sent *) x)->text, ((const Sent *) y)->text);
}

static void check_readings(const World *w, const Book *b) {
        Sent *sent = calloc(2 * w->frame_count, sizeof *sent),
             *stored = calloc(b->fact_count, sizeof *stored);
        size_t n = 0, m = 0;

        assert_non_null(sent);
        assert_non_null(stored);
        for (size_t i = 0; i < w->frame_count; i++)
                for (uint32_t v = 0; w->frames[i].at_us <= w->end_us && v < w->frames[i].count; v++)
                        (void) snprintf(sent[n++].text, sizeof sent->text, "%s %s %.9f",
                                        w->devices[w->frames[i].device], w->frames[i].values[v].vital,
                                        w->frames[i].values[v].value);
        for (size_t i = 0; i < b->fact_count; i++)
                if (b->facts[i].type == FACT_READING)
                        (void) snprintf(stored[m++].text, sizeof stored->text, "%s %s %.9f",
                                        b->facts[i].device, b->facts[i].vital, b->facts[i].value);
        qsort(sent, n, sizeof *sent, by_text);
        qsort(stored, m, sizeof *stored, by_text);
        assert_int_equal(n, m);
        for (size_t i = 0; i < n; i++)
                assert_string_equal(sent[i].text, stored[i].text);
        free(sent);
        free(stored);
}

/* --- runs --- */

/* Lives through it and checks what holds for every run. */
static void run(Run *r, const World *w, int64_t downtime_us, size_t kills, Book *ret) {
        size_t count;

        run_begin(r, w);
        r->downtime_us = downtime_us;
        run_plan(r, w->seed, kills);
        run_live(r);
        book_read(r, ret);
        assert_string_equal(ret->failure, "");
        assert_int_equal(ret->bad, 0);
        print_message("# seed %llu: %zu lives, %zu facts, %zu alert entries, memory %zu\n",
                        (unsigned long long) w->seed, r->shared->lives, ret->fact_count, ret->alert_count,
                        r->shared->memory_max);
        check_readings(w, ret);
        AlertRow *expected = oracle_expect(w, ret, &count);
        Strictness how = kills == 0 ? STRICT : w->step_count > 0 ? STEPPED : RESTARTED;
        size_t differences = compare(expected, count, ret->alerts, ret->alert_count, how);
        free(expected);
        assert_int_equal(differences, 0);
}

typedef struct Night {
        World world;
        Run run;
        Book book;
} Night;

static void compare_books(const Book *a, const Book *b, Strictness how) {
        assert_int_equal(compare(a->alerts, a->alert_count, b->alerts, b->alert_count, how), 0);
}

/* One night, lived through without an end and with many. The clock stands still between lives. */
static void live_twice(uint64_t seed, bool steps) {
        Night n;
        Book killed;

        ward_make(&n.world, seed, wanted.hours, steps, true);
        run(&n.run, &n.world, 0, 0, &n.book);
        run_done(&n.run);
        run(&n.run, &n.world, 0, KILLS, &killed);
        assert_true(n.run.shared->lives > KILLS * 2 / 3);
        compare_books(&n.book, &killed, steps ? STEPPED : RESTARTED);
        run_done(&n.run);
        book_done(&killed);
        book_done(&n.book);
        world_done(&n.world);
}

static void ends_of_the_gateway_change_nothing(void **state) {
        for (uint64_t i = 0; i < wanted.seeds; i++)
                live_twice(wanted.seed + i, false);
}

static void a_clock_that_is_set_changes_nothing(void **state) {
        for (uint64_t i = 0; i < wanted.seeds; i++)
                live_twice(wanted.seed + i + 1000, true);
}

/* What comes late counts from when it came: the oracle goes by that. */
static void what_comes_while_it_is_down_comes_late(void **state) {
        for (uint64_t i = 0; i < wanted.seeds; i++) {
                Night n;

                ward_make(&n.world, wanted.seed + i + 2000, wanted.hours, false, false);
                run(&n.run, &n.world, DOWNTIME, KILLS, &n.book);
                run_done(&n.run);
                book_done(&n.book);
                world_done(&n.world);
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ends_of_the_gateway_change_nothing),
                cmocka_unit_test(a_clock_that_is_set_changes_nothing),
                cmocka_unit_test(what_comes_while_it_is_down_comes_late),
        };

        for (int i = 1; i + 1 < argc; i += 2) {
                if (strcmp(argv[i], "--seed") == 0)
                        wanted.seed = strtoull(argv[i + 1], NULL, 10);
                else if (strcmp(argv[i], "--seeds") == 0)
                        wanted.seeds = strtoull(argv[i + 1], NULL, 10);
                else if (strcmp(argv[i], "--hours") == 0)
                        wanted.hours = strtoll(argv[i + 1], NULL, 10);
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
