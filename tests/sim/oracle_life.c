/* The oracle's second half: wards, and what becomes of conditions. */
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "oracle.h"

static bool same(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

/* --- one alert's life --- */

typedef struct Life {
        const World *world;
        const OracleRule *rule;
        const char *subject;
        Expected *expected;
        AlertState state;
        int64_t since_us;                   /* wall */
        int64_t true_us, false_us;          /* monotonic: when it became so; TIME_NONE: it isn't */
        int64_t raised_us, acknowledged_us; /* monotonic */
        int64_t ended_us;                   /* monotonic: latched since, TIME_NONE: not, or true again */
        bool latched;                       /* was told as such since it was raised */
} Life;

static int64_t wall_of(const Life *l, int64_t mono_us) {
        return mono_us == TIME_NONE ? TIME_NONE : world_wall(l->world, mono_us);
}

static void expect(Life *l, AlertTransition t, int64_t at_us, int64_t ended_us) {
        Expected *e = l->expected;

        if (e->count == e->room) {
                e->room = e->room * 2 + 256;
                e->rows = reallocarray(e->rows, e->room, sizeof *e->rows);
                if (!e->rows)
                        abort();
        }
        AlertRow *row = &e->rows[e->count++];
        *row = (AlertRow){ .transition = t,
                .since_us = l->since_us,
                .time_us = wall_of(l, at_us),
                .ended_us = wall_of(l, ended_us) };
        (void) snprintf(row->rule, sizeof row->rule, "%s", l->rule->name);
        (void) snprintf(row->subject, sizeof row->subject, "%s", l->subject);
}

static void raise(Life *l, AlertTransition t, int64_t at_us) {
        l->state = ALERT_ACTIVE;
        l->raised_us = at_us;
        l->latched = false;
        l->ended_us = TIME_NONE;
        expect(l, t, at_us, TIME_NONE);
}

static void resolve(Life *l, int64_t at_us, int64_t ended_us) {
        expect(l, TRANSITION_RESOLVED, at_us, ended_us);
        l->state = ALERT_INACTIVE;
}

/* What time alone does next, and when. */
static int64_t due(const Life *l) {
        if (l->state == ALERT_PENDING)
                return l->true_us + l->rule->for_us;
        if (l->state == ALERT_INACTIVE || l->ended_us != TIME_NONE)
                return INT64_MAX;
        if (l->false_us != TIME_NONE)
                return l->false_us + l->rule->keep_us;
        if (l->state == ALERT_ACKNOWLEDGED)
                return l->rule->reraise_us ? l->acknowledged_us + l->rule->reraise_us : INT64_MAX;
        return l->latched ? l->raised_us + MINUTE : INT64_MAX;
}

static void happen(Life *l, int64_t at_us) {
        if (l->state == ALERT_PENDING) {
                raise(l, TRANSITION_RAISED, at_us);
        } else if (l->false_us == TIME_NONE) {
                raise(l, TRANSITION_RERAISED, at_us);
        } else if (l->state == ALERT_ACKNOWLEDGED || !l->rule->latch) {
                resolve(l, at_us, l->false_us);
        } else {
                l->ended_us = l->false_us;
                l->false_us = TIME_NONE;
                if (!l->latched)
                        expect(l, TRANSITION_LATCHED, at_us, l->ended_us);
                l->latched = true;
        }
}

/* Up to the moment, or with it. */
static void pass(Life *l, int64_t until_us, bool with) {
        for (int64_t at_us = due(l); at_us < until_us || (with && at_us <= until_us); at_us = due(l))
                happen(l, at_us);
}

static void see(Life *l, const Moment *m) {
        if (m->truth == TRUTH_TRUE && l->state == ALERT_INACTIVE) {
                l->state = ALERT_PENDING;
                l->since_us = m->time_us;
                l->true_us = m->mono_us;
                l->false_us = l->ended_us = TIME_NONE;
        } else if (m->truth != TRUTH_TRUE && l->state == ALERT_PENDING) {
                l->state = ALERT_INACTIVE;
        } else if (m->truth == TRUTH_TRUE) {
                l->false_us = l->ended_us = TIME_NONE;
        } else if (m->truth == TRUTH_UNKNOWN) {
                l->false_us = TIME_NONE;
        } else if (l->ended_us == TIME_NONE && l->false_us == TIME_NONE) {
                l->false_us = m->mono_us;
        }
        /* what was due long ago happens when it can */
        while (due(l) <= m->mono_us)
                happen(l, m->mono_us);
}

static void acknowledge(Life *l, int64_t at_us) {
        if (l->state != ALERT_ACTIVE)
                return; /* the comparison will show it */
        l->state = ALERT_ACKNOWLEDGED;
        l->acknowledged_us = at_us;
        expect(l, TRANSITION_ACKNOWLEDGED, at_us, l->ended_us);
        if (l->ended_us != TIME_NONE)
                resolve(l, at_us, l->ended_us);
}

void oracle_live(const World *w, const OracleRule *rule, const char *subject, const Moments *moments,
                const Book *b, Expected *ret) {
        Life l = { .world = w, .rule = rule, .subject = subject, .expected = ret, .state = ALERT_INACTIVE };
        size_t next = 0;

        for (size_t i = 0; i < b->alert_count; i++) {
                const AlertRow *a = &b->alerts[i];
                if (a->transition != TRANSITION_ACKNOWLEDGED || !same(a->rule, rule->name) ||
                                !same(a->subject, subject))
                        continue;
                for (; next < moments->count && moments->items[next].mono_us <= a->mono_us; next++) {
                        pass(&l, moments->items[next].mono_us, false);
                        see(&l, &moments->items[next]);
                }
                pass(&l, a->mono_us, false);
                acknowledge(&l, a->mono_us);
        }
        for (; next < moments->count && moments->items[next].mono_us <= w->end_us; next++) {
                pass(&l, moments->items[next].mono_us, false);
                see(&l, &moments->items[next]);
        }
        pass(&l, w->end_us, true);
}

/* --- wards --- */

/* Which of the two wards the patient belongs to by then; -1: none. */
static int ward_of(const History *h, const Moment *m) {
        const char *ward = oracle_attribute(h, m, "ward");
        return ward[0] ? ward[0] - '7' : -1;
}

/* Whether the patient counts: has it, or had it a short time before. */
static bool counts(const OracleRule *rule, const Moments *member, size_t i, int64_t mono_us) {
        if (member->items[i].truth == TRUTH_TRUE)
                return true;
        for (; i > 0 && !member->items[i].forgets; i--)
                if (member->items[i - 1].truth == TRUTH_TRUE)
                        return mono_us - member->items[i].mono_us < rule->within_us;
        return false;
}

/* Also when a patient does not count any more because it is too long ago. */
static void add_ends(const World *w, const OracleRule *rule, Moments *member) {
        size_t count = member->count;

        for (size_t i = 1; rule->within_us > 0 && i < count; i++) {
                Moment m = member->items[i];
                if (m.truth == TRUTH_TRUE || member->items[i - 1].truth != TRUTH_TRUE)
                        continue;
                m.mono_us += rule->within_us;
                m.order = SIZE_MAX;
                m.time_us = world_wall(w, m.mono_us);
                m.forgets = false;
                moments_add(member, &m);
        }
}

static int by_time(const void *x, const void *y) {
        const Moment *a = x, *b = y;

        if (a->mono_us != b->mono_us)
                return a->mono_us < b->mono_us ? -1 : 1;
        return a->order < b->order ? -1 : a->order > b->order;
}

typedef struct Ward {
        const World *world;
        const OracleRule *rule;
        const History *patients;
        Moments members[WARD_PATIENTS];
        size_t known[WARD_PATIENTS]; /* how many of the member's moments have been */
        int group;
} Ward;

static Truth ward_truth(Ward *w, const Moment *m) {
        unsigned n = 0;

        for (size_t p = 0; p < WARD_PATIENTS; p++) {
                const Moments *list = &w->members[p];
                while (w->known[p] < list->count && by_time(&list->items[w->known[p]], m) <= 0)
                        w->known[p]++;
                if (w->known[p] > 0 && ward_of(&w->patients[p], &list->items[w->known[p] - 1]) == w->group &&
                                counts(w->rule, list, w->known[p] - 1, m->mono_us))
                        n++;
        }
        return n >= w->rule->least ? TRUTH_TRUE : TRUTH_FALSE;
}

static void live_ward(Ward *w, const Book *b, Expected *ret) {
        Moments all = { 0 }, ends = { 0 };
        char subject[32];

        memset(w->known, 0, sizeof w->known);
        for (size_t p = 0; p < WARD_PATIENTS; p++) {
                for (size_t i = 0; i < w->members[p].count; i++)
                        moments_add(&all, &w->members[p].items[i]);
                ends = (Moments){ 0 };
                for (size_t i = 0; i < w->members[p].count; i++)
                        moments_add(&ends, &w->members[p].items[i]);
                size_t before = ends.count;
                add_ends(w->world, w->rule, &ends);
                for (size_t i = before; i < ends.count; i++)
                        moments_add(&all, &ends.items[i]);
                free(ends.items);
        }
        if (all.count > 0)
                qsort(all.items, all.count, sizeof *all.items, by_time);
        for (size_t i = 0; i < all.count; i++) {
                all.items[i].truth = ward_truth(w, &all.items[i]);
                all.items[i].forgets = false;
        }
        (void) snprintf(subject, sizeof subject, "group:ward:%d", 7 + w->group);
        oracle_live(w->world, w->rule, subject, &all, b, ret);
        free(all.items);
}

/* --- all --- */

static void gather(const Book *b, History *h, int number) {
        *h = (History){ .number = number };
        (void) snprintf(h->subject, sizeof h->subject, "p%02d", number);
        h->facts = calloc(b->fact_count, sizeof(Fact *));
        h->said = calloc(b->fact_count, sizeof(Fact *));
        h->order = calloc(b->fact_count, sizeof *h->order);
        if (!h->facts || !h->said || !h->order)
                abort();
        for (size_t i = 0; i < b->fact_count; i++) {
                const Fact *f = &b->facts[i];
                if (!same(f->subject, h->subject) && !(f->type == FACT_ASSIGN && f->was == number))
                        continue;
                if (f->type == FACT_ATTRIBUTE)
                        h->said[h->said_count++] = f;
                h->order[h->count] = i;
                h->facts[h->count++] = f;
        }
}

/* Whose each device was before. */
static void follow_devices(Book *b) {
        for (size_t i = 0; i < b->fact_count; i++) {
                Fact *f = &b->facts[i];

                f->was = -1;
                if (f->type != FACT_ASSIGN)
                        continue;
                for (size_t j = i; j-- > 0 && f->was < 0;)
                        if (b->facts[j].type == FACT_ASSIGN && same(b->facts[j].device, f->device))
                                f->was = atoi(b->facts[j].subject + 1);
        }
}

AlertRow *oracle_expect(const World *w, Book *b, size_t *ret_count) {
        History patients[WARD_PATIENTS];
        Expected e = { 0 };

        follow_devices(b);
        for (int p = 0; p < WARD_PATIENTS; p++)
                gather(b, &patients[p], p);
        for (size_t r = 0; r < ORACLE_RULES; r++) {
                Ward ward = { .world = w, .rule = &oracle_rules[r], .patients = patients };

                for (size_t p = 0; p < WARD_PATIENTS; p++) {
                        oracle_moments(w, &patients[p], ward.rule, &ward.members[p]);
                        if (ward.rule->least == 0)
                                oracle_live(w, ward.rule, patients[p].subject, &ward.members[p], b, &e);
                }
                for (ward.group = 0; ward.rule->least > 0 && ward.group < ORACLE_GROUPS; ward.group++)
                        live_ward(&ward, b, &e);
                for (size_t p = 0; p < WARD_PATIENTS; p++)
                        free(ward.members[p].items);
        }
        for (size_t p = 0; p < WARD_PATIENTS; p++) {
                free((void *) patients[p].facts);
                free((void *) patients[p].said);
                free(patients[p].order);
        }
        *ret_count = e.count;
        return e.rows;
}
