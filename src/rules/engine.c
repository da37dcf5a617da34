/* Per-subject state of one rule set. A reading is written into its vital's place, then the rules that use that vital
 * are evaluated. Time is seen by one timer a subject and vital, which waits for the next age that matters to a rule. A
 * reading does not move its timer back, which would cost a heap operation each time: the timer wakes too early once and
 * sets itself anew. */
#include <errno.h>
#include <math.h>

#include "rules/rule_set.h"

/* A subject that has had a reading of a vital that rules use. */
typedef struct Watched {
        SubjectId subject;
        uint64_t *matches; /* a bit a group of rules: they are for this subject */
        Latest latest[];   /* one a slot */
} Watched;

struct RuleEngine {
        const RuleSet *set;
        Registry *registry;
        RuleOutcomeFn fn;
        void *userdata;
        Watched **subjects;                 /* by id, NULL where nothing was had */
        size_t subject_room, subject_count; /* count: those not NULL */
        Heap timers;                        /* of Latest, tie: subject and slot */
        int64_t now_us;                     /* of the newest reading or tick */
};

int rule_engine_new(const RuleSet *s, Registry *registry, RuleOutcomeFn fn, void *userdata,
                RuleEngine **ret) {
        RuleEngine *e = calloc(1, sizeof *e);

        if (!e)
                return -ENOMEM;
        e->set = s;
        e->registry = registry;
        e->fn = fn;
        e->userdata = userdata;
        *ret = e;
        return 0;
}

static Watched *watched_free(Watched *w) {
        if (w)
                free(w->matches);
        free(w);
        return NULL;
}
DEFINE_CLEANUP(Watched *, watched_free);

RuleEngine *rule_engine_free(RuleEngine *e) {
        if (!e)
                return NULL;
        for (size_t i = 0; i < e->subject_room; i++)
                watched_free(e->subjects[i]);
        free((void *) e->subjects);
        heap_done(&e->timers);
        free(e);
        return NULL;
}

static Watched *find(const RuleEngine *e, SubjectId subject) {
        return subject < e->subject_room ? e->subjects[subject] : NULL;
}

static void match(const RuleEngine *e, Watched *w) {
        const Subject *s = registry_subject(e->registry, w->subject);

        for (size_t i = 0; i < e->set->match_count; i++) {
                uint64_t bit = UINT64_C(1) << (i % 64);
                if (match_subject(&e->set->matches[i], s))
                        w->matches[i / 64] |= bit;
                else
                        w->matches[i / 64] &= ~bit;
        }
}

static int make_room(RuleEngine *e, SubjectId subject) {
        if (subject < e->subject_room)
                return 0;
        size_t room = MAX((size_t) subject + 1, e->subject_room * 2 + 16);
        Watched **subjects = reallocarray((void *) e->subjects, room, sizeof(Watched *));
        if (!subjects)
                return -ENOMEM;
        memset((void *) (subjects + e->subject_room), 0, (room - e->subject_room) * sizeof(Watched *));
        e->subjects = subjects;
        e->subject_room = room;
        return 0;
}

static int watch(RuleEngine *e, SubjectId subject, Watched **ret) {
        size_t slots = e->set->slot_count;

        if (subject >= registry_subject_count(e->registry))
                return -EINVAL;
        if (make_room(e, subject) < 0 || heap_reserve(&e->timers, (e->subject_count + 1) * slots) < 0)
                return -ENOMEM;
        _cleanup_(watched_freep) Watched *w = calloc(1, sizeof *w + slots * sizeof(Latest));
        if (!w || !(w->matches = calloc(e->set->match_count / 64 + 1, sizeof *w->matches)))
                return -ENOMEM;
        w->subject = subject;
        for (size_t i = 0; i < slots; i++) {
                w->latest[i].seen_us = TIME_NONE;
                w->latest[i].timer.tie = (uint64_t) subject << 16 | i;
        }
        match(e, w);
        e->subjects[subject] = w;
        e->subject_count++;
        *ret = TAKE(w);
        return 0;
}

static bool is_matched(const RuleEngine *e, const Watched *w, uint32_t rule) {
        uint32_t i = e->set->rules[rule].match;
        return w->matches[i / 64] >> (i % 64) & 1;
}

static void evaluate(
                const RuleEngine *e, const Watched *w, uint32_t number, int64_t now_us, int64_t time_us) {
        RuleOutcome o = { .rule = number, .subject = w->subject, .time_us = time_us, .mono_us = now_us };

        if (!is_matched(e, w, number))
                return;
        o.truth = expression_evaluate(&e->set->rules[number].condition, w->latest, now_us, &o.value);
        e->fn(e->userdata, &o);
}

/* What needs no evaluation: a rule that is not for the subject (any more) is false of it, so that what it raised before
 * a reload or a move ends; where all is set, the others are unknown. */
static void report_unevaluated(const RuleEngine *e, const Watched *w, bool all) {
        RuleOutcome o = {
                .subject = w->subject, .value = (double) NAN, .time_us = TIME_NONE, .mono_us = e->now_us
        };

        for (o.rule = 0; o.rule < e->set->count; o.rule++) {
                bool matched = is_matched(e, w, o.rule);

                o.truth = matched ? TRUTH_UNKNOWN : TRUTH_FALSE;
                if (all || !matched)
                        e->fn(e->userdata, &o);
        }
}

/* The value counts from now on. */
static int observe(RuleEngine *e, const Reading *r, int64_t now_us, Watched **ret) {
        uint16_t slot = e->set->slot_of[r->vital];
        Watched *w = find(e, r->subject);

        if (!w) {
                int code = watch(e, r->subject, &w);
                if (code < 0)
                        return code;
                report_unevaluated(e, w, false);
        }
        Latest *l = &w->latest[slot];
        l->value = r->value;
        l->seen_us = now_us;
        l->next = 0;
        int64_t due = now_us + e->set->slots[slot].expiries[0].age_us;
        if (l->timer.place == 0 || due < l->timer.key)
                heap_set(&e->timers, &l->timer, due);
        *ret = w;
        return 0;
}

static bool is_usable(const RuleEngine *e, const Reading *r) {
        return !(r->flags & (FLAGS_UNUSABLE | FLAG_LATE)) && r->vital < VITALS_MAX &&
               e->set->slot_of[r->vital] != SLOT_NONE;
}

/* The value has reached an age that rules wait for. */
static void expire(RuleEngine *e, Latest *l, int64_t due_us, int64_t time_us) {
        const Slot *slot = &e->set->slots[l->timer.tie & UINT16_MAX];
        const Watched *w = find(e, (SubjectId) (l->timer.tie >> 16));
        size_t i = l->next, end = i;

        while (end < slot->expiry_count && slot->expiries[end].age_us == slot->expiries[i].age_us)
                end++;
        l->next = (uint32_t) end;
        if (end < slot->expiry_count)
                heap_set(&e->timers, &l->timer, l->seen_us + slot->expiries[end].age_us);
        else
                heap_remove(&e->timers, &l->timer);
        for (; i < end; i++)
                evaluate(e, w, slot->expiries[i].rule, due_us, time_us);
}

/* What ran out before the moment, in order. */
static void run_timers(RuleEngine *e, int64_t before_us, int64_t now_us, int64_t wall_us) {
        while (heap_key(&e->timers) < before_us) {
                Latest *l = container_of(heap_top(&e->timers), Latest, timer);
                const Slot *slot = &e->set->slots[l->timer.tie & UINT16_MAX];
                int64_t due = l->seen_us + slot->expiries[l->next].age_us;

                if (due > l->timer.key)
                        heap_set(&e->timers, &l->timer, due);
                else
                        expire(e, l, due, wall_us - (now_us - due));
        }
        e->now_us = now_us;
}

int rule_engine_reading(RuleEngine *e, const Reading *r, int64_t now_us) {
        Watched *w;

        /* what ran out before comes first, however late the timer is */
        run_timers(e, now_us, now_us, r->stamp.wall_us);
        if (!is_usable(e, r))
                return 0;
        int code = observe(e, r, now_us, &w);
        if (code < 0)
                return code;
        const Slot *slot = &e->set->slots[e->set->slot_of[r->vital]];
        int64_t time_us = reading_time(r);
        for (size_t i = 0; i < slot->rule_count; i++)
                evaluate(e, w, slot->rules[i], now_us, time_us);
        return 0;
}

void rule_engine_tick(RuleEngine *e, int64_t now_us, int64_t wall_us) {
        run_timers(e, now_us + 1, now_us, wall_us);
}

int64_t rule_engine_deadline(const RuleEngine *e) {
        return heap_key(&e->timers);
}

void rule_engine_forget(RuleEngine *e, SubjectId subject) {
        Watched *w = find(e, subject);

        if (!w)
                return;
        for (size_t i = 0; i < e->set->slot_count; i++) {
                heap_remove(&e->timers, &w->latest[i].timer);
                w->latest[i].seen_us = TIME_NONE;
        }
        match(e, w);
        report_unevaluated(e, w, true);
}
