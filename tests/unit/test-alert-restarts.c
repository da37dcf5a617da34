/* Wards that live through the same, one of them restarted at random moments: both tell the same, nothing twice, nothing
 * lost. */
#include "alert-fixture.h"

#define S USEC_PER_SEC

enum {
        RULES = 8,
        SUBJECTS = 2,
        KEYS = RULES * SUBJECTS,
        SECONDS = 900,
        WINDOW = 120,
        LOG_MAX = 8192,
        SEEDS = 100
};

static const AlertRule rules[RULES] = {
        { .name = "A", .priority = PRIORITY_HIGH, .latch = true, .reraise_us = 40 * S },
        { .name = "B", .priority = PRIORITY_HIGH, .for_us = 5 * S, .keep_firing_us = 10 * S, .latch = true },
        { .name = "C", .priority = PRIORITY_MEDIUM, .for_us = 10 * S, .reraise_us = 20 * S },
        { .name = "D", .priority = PRIORITY_MEDIUM, .keep_firing_us = 30 * S, .reraise_us = 200 * S },
        { .name = "E", .priority = PRIORITY_LOW },
        { .name = "F", .priority = PRIORITY_LOW, .for_us = 2 * S, .keep_firing_us = 2 * S },
        { .name = "G", .priority = PRIORITY_TECHNICAL, .for_us = 30 * S, .keep_firing_us = 3 * S },
        { .name = "H",
                        .priority = PRIORITY_HIGH,
                        .keep_firing_us = 4 * S,
                        .latch = true,
                        .reraise_us = 5 * S },
};

typedef struct Fact {
        double at;
        unsigned key;
        Truth truth;
} Fact;

/* One of two managers that see the same: one is restarted, the other never. */
typedef struct Ward {
        Registry *registry;
        AlertManager *manager;
        double boot; /* its monotonic clock counts from there */
        AlertEvent log[LOG_MAX];
        size_t count;
} Ward;

typedef struct Run {
        Ward *wards[2];
        uint64_t random;
        Fact facts[SECONDS * KEYS * 4];
        size_t count;
} Run;

static uint64_t roll(Run *r, uint64_t n) {
        r->random = r->random * 6364136223846793005U + 1442695040888963407U;
        return (r->random >> 33) % n;
}

static void log_event(void *userdata, const AlertEvent *e) {
        Ward *w = userdata;

        assert_true(w->count < LOG_MAX);
        w->log[w->count++] = *e;
}

static Stamp ward_stamp(const Ward *w, double at) {
        return (Stamp){ .wall_us = stamp(at).wall_us,
                .mono_us = stamp(at).mono_us - stamp(w->boot).mono_us };
}

static void ward_tell(Ward *w, const Fact *f, double now) {
        int64_t wall_us = stamp(f->at).wall_us;
        Stamp heard = ward_stamp(w, now);
        const RuleOutcome o = {
                .subject = f->key / RULES,
                .truth = f->truth,
                .value = f->at,
                /* a device whose clock has whole seconds */
                .time_us = f->key / RULES ? wall_us : wall_us - wall_us % S,
                .mono_us = ward_stamp(w, f->at).mono_us,
        };

        assert_int_equal(alert_manager_outcome(w->manager, &o, &rules[f->key % RULES], &heard), 0);
}

static void ward_tick(Ward *w, double at) {
        Stamp now = ward_stamp(w, at);

        alert_manager_tick(w->manager, &now);
}

/* Each key has its own temper: it flaps, or stays long as it is; readings come now and then, or often. No two facts are of
 * the same time, so that it does not matter when somebody looks at the clock. */
static void make_facts(Run *r) {
        r->count = 0;
        for (unsigned key = 0; key < KEYS; key++) {
                uint64_t dwell = (uint64_t[]){ 2, 8, 40 }[roll(r, 3)],
                         pace = (uint64_t[]){ 3, 10, 60 }[roll(r, 3)];
                Truth truth = TRUTH_FALSE;

                for (int64_t tick = 0; tick < INT64_C(10) * SECONDS; tick += 1 + (int64_t) roll(r, pace)) {
                        if (roll(r, dwell) == 0)
                                truth = (Truth[]){ TRUTH_FALSE, TRUTH_TRUE, TRUTH_FALSE, TRUTH_TRUE,
                                        TRUTH_UNKNOWN }[roll(r, 5)];
                        if (r->count < ELEMENTS(r->facts))
                                r->facts[r->count++] = (Fact){ (double) tick / 10 + key * 1e-3, key, truth };
                }
        }
}

static int fact_order(const void *x, const void *y) {
        const Fact *a = x, *b = y;

        return a->at != b->at ? (a->at > b->at ? 1 : -1) : (a->key > b->key) - (a->key < b->key);
}

typedef struct Pick {
        uint64_t n;
        char id[ALERT_ID_MAX];
} Pick;

static void pick(void *userdata, const AlertEvent *e) {
        Pick *p = userdata;

        if (p->n-- == 0)
                memcpy(p->id, e->id, sizeof p->id);
}

/* Somebody acknowledges something, which both have. */
static void acknowledge_one(Run *r, double at) {
        Pick p = { .n = roll(r, KEYS) };

        alert_manager_visit(r->wards[0]->manager, pick, &p);
        Stamp first = ward_stamp(r->wards[0], at), second = ward_stamp(r->wards[1], at);
        int expected = alert_manager_acknowledge(r->wards[0]->manager, p.id, "anna", "", &first);
        assert_int_equal(alert_manager_acknowledge(r->wards[1]->manager, p.id, "anna", "", &second),
                        expected);
}

static void ward_restore(Ward *w, double boot) {
        assert_int_equal(alert_manager_new(w->registry, log_event, w, &w->manager), 0);
        w->boot = boot;
        for (size_t i = w->count; i-- > 0;) {
                bool newest = true;

                for (size_t k = i + 1; k < w->count && newest; k++)
                        newest = strcmp(w->log[k].id, w->log[i].id) != 0;
                if (newest && w->log[i].state != ALERT_RESOLVED)
                        assert_int_equal(restore_by(w->manager, &w->log[i], NULL, stamp(boot).wall_us), 0);
        }
}

/* From facts[down] on nothing is read for a while; only timers bring outcomes, few. The number of the next fact. */
static size_t restart(Run *r, size_t down, double at) {
        Ward *other = r->wards[1];
        double up = at + (double) roll(r, 1000) / 10;
        size_t next = down, first = 0;

        ward_tick(r->wards[0], at);
        ward_tick(other, at);
        alert_manager_free(other->manager);
        ward_restore(other, up - (double) roll(r, 100));
        alert_manager_replay_begin(other->manager, ward_stamp(other, at).mono_us);
        while (r->facts[first].at <= at - WINDOW)
                first++;
        for (size_t i = first; i < down; i++)
                ward_tell(other, &r->facts[i], r->facts[i].at);
        for (; next < r->count && r->facts[next].at <= up; next++)
                if (roll(r, 8) == 0) {
                        ward_tell(r->wards[0], &r->facts[next], r->facts[next].at);
                        ward_tell(other, &r->facts[next], up);
                        r->facts[down++] = r->facts[next];
                }
        ward_tick(r->wards[0], up);
        Stamp now = ward_stamp(other, up);
        alert_manager_replay_end(other->manager, &now);
        /* what was never read is not replayed by the next restart either */
        memmove(r->facts + down, r->facts + next, (r->count - next) * sizeof *r->facts);
        r->count -= next - down;
        return down;
}

typedef struct Line {
        AlertEvent event;
        size_t place;
} Line;

static int line_order(const void *x, const void *y) {
        const Line *a = x, *b = y;
        int rule = strcmp(a->event.rule, b->event.rule);

        if (a->event.time_us != b->event.time_us)
                return a->event.time_us > b->event.time_us ? 1 : -1;
        if (a->event.subject != b->event.subject)
                return a->event.subject > b->event.subject ? 1 : -1;
        return rule != 0 ? rule : (a->place > b->place) - (a->place < b->place);
}

/* What happens at one time to several alerts may come in any order. */
static Line *in_order(const Ward *w) {
        Line *lines = calloc(w->count + 1, sizeof *lines);

        assert_non_null(lines);
        for (size_t i = 0; i < w->count; i++)
                lines[i] = (Line){ w->log[i], i };
        qsort(lines, w->count, sizeof *lines, line_order);
        return lines;
}

static bool says_the_same(const AlertEvent *a, const AlertEvent *b) {
        return strcmp(a->id, b->id) == 0 && strcmp(a->rule, b->rule) == 0 && a->subject == b->subject &&
               a->transition == b->transition && a->state == b->state && a->time_us == b->time_us &&
               a->since_us == b->since_us && a->raised_us == b->raised_us && a->ended_us == b->ended_us &&
               a->value == b->value && strcmp(a->who, b->who) == 0;
}

static void compare(const Run *r, uint64_t seed) {
        _cleanup_free_ Line *wanted = in_order(r->wards[0]), *got = in_order(r->wards[1]);

        for (size_t i = 0; i < r->wards[0]->count || i < r->wards[1]->count; i++) {
                const AlertEvent *w = &wanted[i].event, *g = &got[i].event;

                if (i == r->wards[0]->count || i == r->wards[1]->count || !says_the_same(w, g))
                        fail_msg("seed %llu, event %zu: wanted %s/%u %s at %.6f, got %s/%u %s at %.6f",
                                        (unsigned long long) seed, i, w->rule, w->subject,
                                        alert_transition_name(w->transition),
                                        (double) (w->time_us - WALL) / (double) S, g->rule, g->subject,
                                        alert_transition_name(g->transition),
                                        (double) (g->time_us - WALL) / (double) S);
        }
}

static void ward_begin(Ward *w, const Bench *b) {
        w->registry = b->registry;
        w->count = 0;
        w->boot = 0;
        assert_int_equal(alert_manager_new(w->registry, log_event, w, &w->manager), 0);
}

static void live_through(
                Run *r, const Bench *b, uint64_t seed, unsigned counts[static TRANSITION_RERAISED + 1]) {
        double earliest = 20;

        r->random = seed;
        for (size_t i = 0; i < 2; i++)
                ward_begin(r->wards[i], b);
        make_facts(r);
        qsort(r->facts, r->count, sizeof *r->facts, fact_order);
        for (size_t next = 0; next < r->count;) {
                double at = r->facts[next].at;

                for (size_t i = 0; i < 2; i++)
                        ward_tell(r->wards[i], &r->facts[next], at);
                next++;
                if (roll(r, 30) == 0)
                        acknowledge_one(r, at);
                if (roll(r, 3) == 0)
                        ward_tick(r->wards[roll(r, 2)], at);
                if (roll(r, 300) == 0 && at > earliest) {
                        next = restart(r, next, at);
                        /* each rule has been heard of again by the next one */
                        earliest = next < r->count ? r->facts[next].at + 20 : SECONDS;
                }
        }
        for (size_t i = 0; i < 2; i++) {
                ward_tick(r->wards[i], SECONDS * 2);
                alert_manager_free(r->wards[i]->manager);
        }
        compare(r, seed);
        for (size_t i = 0; i < r->wards[0]->count; i++)
                counts[r->wards[0]->log[i].transition]++;
}

static void restarts_at_random_change_nothing(void **state) {
        const Bench *b = *state;
        unsigned counts[TRANSITION_RERAISED + 1] = { 0 };
        Run *r = calloc(1, sizeof *r);

        assert_non_null(r);
        for (size_t i = 0; i < 2; i++) {
                r->wards[i] = calloc(1, sizeof *r->wards[i]);
                assert_non_null(r->wards[i]);
        }
        for (uint64_t seed = 1; seed <= SEEDS; seed++)
                live_through(r, b, seed, counts);
        for (size_t t = 0; t < ELEMENTS(counts); t++)
                assert_true(counts[t] > SEEDS);
        for (size_t i = 0; i < 2; i++)
                free(r->wards[i]);
        free(r);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                restarts_at_random_change_nothing, bench_setup, bench_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
