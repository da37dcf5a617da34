/* Per-subject state of one rule set. A reading is written into its vital's place and windows, then the conditions that
 * use that vital are evaluated. Time is seen by timers: one a subject and vital, which waits for the next age that
 * matters to a condition, one a window whose values are waited for to leave, and one a count. A reading does not move
 * its vital's timer back, which would cost a heap operation each time: the timer wakes too early once and sets itself
 * anew. */
#include <errno.h>
#include <math.h>

#include "rules/watched.h"

/* Latest.next of a value that was primed: its timer is set to when it came. */
#define NEXT_COMES UINT32_MAX

struct RuleEngine {
        const RuleSet *set;
        Registry *registry;
        RuleOutcomeFn fn;
        void *userdata;
        Watched **subjects;                 /* by id, NULL where nothing was had */
        size_t subject_room, subject_count; /* count: those not NULL */
        Heap timers;
        TallyTable tallies;
        int64_t now_us, wall_us; /* of the newest reading or tick */
};

int rule_engine_new(
                const RuleSet *s, Registry *registry, RuleOutcomeFn fn, void *userdata, RuleEngine **ret) {
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

RuleEngine *rule_engine_free(RuleEngine *e) {
        if (!e)
                return NULL;
        for (size_t i = 0; i < e->subject_room; i++)
                watched_free(e->subjects[i]);
        free((void *) e->subjects);
        heap_done(&e->timers);
        tally_table_done(&e->tallies);
        free(e);
        return NULL;
}

/* --- outcomes --- */

/* What a summary is written from. */
typedef struct Telling {
        const RuleEngine *engine;
        const Watched *watched; /* NULL: of a rule across subjects */
} Telling;

static void summarise(const RuleOutcome *o, char ret[static ALERT_SUMMARY_MAX]) {
        const Telling *t = o->context;
        const Rule *rule = &t->engine->set->rules[o->rule];
        TemplateFields f = {
                .value = o->value,
                .subject = registry_subject(t->engine->registry, o->subject),
                .rule = rule->alert.name,
        };
        Scope scope;

        if (t->watched) {
                scope = watched_scope(t->watched, o->mono_us);
                f.scope = &scope;
        }
        template_render(&rule->summary, &f, ret);
}

static void tell(const RuleEngine *e, const Watched *w, const RuleOutcome *o) {
        const Telling t = { .engine = e, .watched = w };
        RuleOutcome told = *o;

        told.summarise = e->set->rules[o->rule].summary.count > 0 ? summarise : NULL;
        told.context = &t;
        e->fn(e->userdata, &told);
}

static uint32_t part_of(const RuleSet *s, uint32_t count) {
        return count - s->rules[s->counts[count].rule].first_count;
}

static void evaluate(RuleEngine *e, Watched *w, uint32_t number, int64_t now_us, int64_t time_us) {
        const RuleSet *s = e->set;
        const Condition *c = &s->conditions[number];
        RuleOutcome o = { .rule = c->rule, .subject = w->subject, .time_us = time_us, .mono_us = now_us };
        const Scope scope = watched_scope(w, now_us);

        if (!watched_has_rule(w, s, c->rule))
                return;
        o.truth = truth_of(expression_evaluate(rule_set_condition(s, c), &scope, &o.value));
        if (c->count == COUNT_NONE)
                tell(e, w, &o);
        else if (w->members[c->count].tally)
                member_set(&e->tallies, &w->members[c->count], part_of(s, c->count),
                                s->counts[c->count].duration_us, o.truth == TRUTH_TRUE, now_us, &e->timers);
}

/* What the rules across subjects say, once all that happened at the moment has been counted. */
static void tell_tallies(RuleEngine *e, int64_t now_us, int64_t time_us) {
        for (const Tally *y; (y = tally_next_changed(&e->tallies));) {
                const Scope scope = { .counts = y->numbers, .now_us = now_us };
                RuleOutcome o = {
                        .rule = y->rule, .subject = y->group, .time_us = time_us, .mono_us = now_us
                };

                o.truth = truth_of(
                                expression_evaluate(&e->set->rules[y->rule].expression, &scope, &o.value));
                tell(e, NULL, &o);
        }
}

/* What needs no evaluation: a rule that is not for the subject (any more) is false of it, so that what it raised before
 * a reload or a move ends; where all is set, the others are unknown. */
static void tell_unevaluated(const RuleEngine *e, const Watched *w, bool all) {
        RuleOutcome o = {
                .subject = w->subject, .value = (double) NAN, .time_us = TIME_NONE, .mono_us = e->now_us
        };

        for (o.rule = 0; o.rule < e->set->count; o.rule++) {
                bool matched = watched_has_rule(w, e->set, o.rule);

                if (rule_is_across(&e->set->rules[o.rule]) || (matched && !all))
                        continue;
                o.truth = matched ? TRUTH_UNKNOWN : TRUTH_FALSE;
                tell(e, w, &o);
        }
}

/* --- subjects --- */

static Watched *find(const RuleEngine *e, SubjectId subject) {
        return subject < e->subject_room ? e->subjects[subject] : NULL;
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

/* Looks up what is said of the subject, and moves it to the tallies that it belongs to by that. -ENOSPC, -ENOMEM: it is
 * not in all of them. */
static int match(RuleEngine *e, Watched *w) {
        const Subject *subject = registry_subject(e->registry, w->subject);
        const RuleSet *s = e->set;
        int result = 0;

        watched_match(w, s, subject);
        for (uint32_t i = 0; i < s->count_count; i++) {
                uint32_t rule = s->counts[i].rule;
                Tally *to = NULL;

                if (watched_has_rule(w, s, rule)) {
                        const char *value = subject_attribute(subject, s->rules[rule].expression.by);
                        int r = tally_find(&e->tallies, s, e->registry, rule, value, &to);
                        result = r < 0 ? r : result;
                }
                member_move(&e->tallies, &w->members[i], part_of(s, i), to, &e->timers);
        }
        return result;
}

/* Where *ret is set and it fails, the subject is not in all tallies. */
static int watch(RuleEngine *e, SubjectId subject, Watched **ret) {
        Watched *w;

        if (subject >= registry_subject_count(e->registry))
                return -EINVAL;
        if (make_room(e, subject) < 0 ||
                        heap_reserve(&e->timers, (e->subject_count + 1) * watched_timers(e->set)) < 0 ||
                        watched_new(e->set, subject, &w) < 0)
                return -ENOMEM;
        e->subjects[subject] = *ret = w;
        e->subject_count++;
        return match(e, w);
}

/* The value counts from now on, also where not all of it could be kept: alerts come first. */
static int observe(RuleEngine *e, const Reading *r, int64_t now_us, Watched **ret) {
        uint16_t slot = e->set->slot_of[r->vital];
        const Slot *spec = &e->set->slots[slot];
        Watched *w = find(e, r->subject);
        int code = 0;

        if (!w) {
                code = watch(e, r->subject, &w);
                if (!w)
                        return code;
        }
        if (!w->begun) {
                w->begun = true;
                tell_unevaluated(e, w, false);
        }
        int added = watched_add(w, e->set, slot, r->value, now_us, &e->timers);
        Latest *l = &w->latest[slot];
        l->value = r->value;
        l->seen_us = now_us;
        l->next = 0;
        if (spec->expiry_count > 0) {
                int64_t due = now_us + spec->expiries[0].age_us;
                if (l->timer.place == 0 || due < l->timer.key)
                        heap_set(&e->timers, &l->timer, due);
        }
        *ret = w;
        return added < 0 ? added : code;
}

static bool is_usable(const RuleEngine *e, const Reading *r) {
        return !(r->flags & (FLAGS_UNUSABLE | FLAG_LATE)) && r->vital < VITALS_MAX &&
               e->set->slot_of[r->vital] != SLOT_NONE;
}

/* --- time --- */

/* A primed value comes to be: it counts, nothing is told of it. */
static void arrive(RuleEngine *e, Watched *w, const Slot *slot, Latest *l) {
        l->next = 0;
        heap_set(&e->timers, &l->timer, l->seen_us + slot->expiries[0].age_us);
        for (size_t i = 0; i < slot->conditions.count; i++)
                if (e->set->conditions[slot->conditions.items[i]].count != COUNT_NONE)
                        evaluate(e, w, slot->conditions.items[i], l->seen_us, TIME_NONE);
}

/* The value has reached an age that conditions wait for. */
static void expire(RuleEngine *e, Watched *w, const Slot *slot, Latest *l, int64_t due_us, int64_t time_us) {
        size_t i = l->next, end = i;

        while (end < slot->expiry_count && slot->expiries[end].age_us == slot->expiries[i].age_us)
                end++;
        l->next = (uint32_t) end;
        if (end < slot->expiry_count)
                heap_set(&e->timers, &l->timer, l->seen_us + slot->expiries[end].age_us);
        else
                heap_remove(&e->timers, &l->timer);
        for (; i < end; i++)
                evaluate(e, w, slot->expiries[i].condition, due_us, time_us);
}

static void wake_latest(RuleEngine *e, Watched *w, uint32_t number, int64_t due_us, int64_t time_us) {
        const Slot *slot = &e->set->slots[number];
        Latest *l = &w->latest[number];

        if (l->next == NEXT_COMES) {
                arrive(e, w, slot, l);
                return;
        }
        int64_t due = l->seen_us + slot->expiries[l->next].age_us;
        if (due > due_us)
                heap_set(&e->timers, &l->timer, due);
        else
                expire(e, w, slot, l, due_us, time_us);
}

/* The oldest value has left. */
static void wake_recent(RuleEngine *e, Watched *w, uint32_t number, int64_t due_us, int64_t time_us) {
        const WindowSpec *spec = &e->set->windows[number];
        Recent *recent = &w->recent[number];

        window_advance(recent->window, due_us);
        int64_t leaves = window_leaves(recent->window);
        if (leaves == INT64_MAX)
                heap_remove(&e->timers, &recent->timer);
        else
                heap_set(&e->timers, &recent->timer, leaves);
        for (size_t i = 0; i < spec->leaving.count; i++)
                evaluate(e, w, spec->leaving.items[i], due_us, time_us);
}

/* What ran out before the moment, in order. */
static void run_timers(RuleEngine *e, int64_t before_us, int64_t now_us, int64_t wall_us) {
        while (heap_key(&e->timers) < before_us) {
                HeapNode *n = heap_top(&e->timers);
                int64_t due_us = n->key, time_us = wall_us - (now_us - due_us);
                Watched *w = find(e, timer_subject(n));
                uint32_t number;

                switch (timer_type(e->set, n, &number)) {
                case TIMER_LATEST:
                        wake_latest(e, w, number, due_us, time_us);
                        break;
                case TIMER_RECENT:
                        wake_recent(e, w, number, due_us, time_us);
                        break;
                case TIMER_MEMBER:
                        member_end(&e->tallies, &w->members[number], part_of(e->set, number), &e->timers);
                        break;
                }
                tell_tallies(e, due_us, time_us);
        }
        e->now_us = now_us;
        e->wall_us = wall_us;
}

int rule_engine_reading(RuleEngine *e, const Reading *r, int64_t now_us) {
        Watched *w = NULL;

        /* what ran out before comes first, however late the timer is */
        run_timers(e, now_us, now_us, r->stamp.wall_us);
        if (!is_usable(e, r))
                return 0;
        int code = observe(e, r, now_us, &w);
        if (!w)
                return code;
        const Slot *slot = &e->set->slots[e->set->slot_of[r->vital]];
        int64_t time_us = reading_time(r);
        for (size_t i = 0; i < slot->conditions.count; i++)
                evaluate(e, w, slot->conditions.items[i], now_us, time_us);
        tell_tallies(e, now_us, time_us);
        return code;
}

void rule_engine_tick(RuleEngine *e, int64_t now_us, int64_t wall_us) {
        run_timers(e, now_us + 1, now_us, wall_us);
}

int64_t rule_engine_deadline(const RuleEngine *e) {
        return heap_key(&e->timers);
}

/* --- what else happens to subjects --- */

void rule_engine_forget(RuleEngine *e, SubjectId subject) {
        Watched *w = find(e, subject);

        if (!w)
                return;
        watched_forget(w, e->set, &e->tallies, &e->timers);
        (void) match(e, w);
        tell_unevaluated(e, w, true);
        tell_tallies(e, e->now_us, e->wall_us);
}

void rule_engine_refresh(RuleEngine *e, SubjectId subject, int64_t now_us, int64_t wall_us) {
        Watched *w = find(e, subject);

        run_timers(e, now_us, now_us, wall_us);
        if (!w)
                return;
        (void) match(e, w);
        tell_unevaluated(e, w, false);
        for (uint32_t i = 0; i < e->set->condition_count; i++)
                if (watched_has_any(w, rule_set_condition(e->set, &e->set->conditions[i])))
                        evaluate(e, w, i, now_us, wall_us);
        for (size_t i = 0; i < e->set->count_count; i++)
                if (w->members[i].tally)
                        tally_note(&e->tallies, w->members[i].tally);
        tell_tallies(e, now_us, wall_us);
}

int rule_engine_prime(RuleEngine *e, SubjectId subject, VitalId vital, double value, int64_t seen_us) {
        uint16_t slot = vital < VITALS_MAX ? e->set->slot_of[vital] : SLOT_NONE;
        Watched *w = find(e, subject);

        if (slot == SLOT_NONE)
                return 0;
        if (!w) {
                int r = watch(e, subject, &w);
                if (!w)
                        return r;
        }
        Latest *l = &w->latest[slot];
        l->value = value;
        l->seen_us = seen_us;
        l->next = 0;
        if (e->set->slots[slot].expiry_count > 0) {
                l->next = NEXT_COMES;
                heap_set(&e->timers, &l->timer, seen_us);
        }
        return 0;
}

void rule_engine_visit(const RuleEngine *e, RuleLatestFn fn, void *userdata) {
        for (size_t i = 0; i < e->subject_room; i++)
                for (size_t v = 0; e->subjects[i] && v < e->set->slot_count; v++) {
                        const Latest *l = &e->subjects[i]->latest[v];
                        if (l->seen_us != TIME_NONE)
                                fn(userdata, (SubjectId) i, e->set->slots[v].vital, l->value, l->seen_us);
                }
}

double rule_engine_probe(RuleEngine *e, size_t probe, SubjectId subject, int64_t now_us) {
        const Watched *w = find(e, subject);
        double value;

        if (!w)
                return (double) NAN;
        const Scope scope = watched_scope(w, now_us);
        return expression_evaluate(&e->set->probes[probe], &scope, &value);
}

size_t rule_engine_memory(const RuleEngine *e) {
        size_t bytes = 0;

        for (size_t i = 0; i < e->subject_room; i++)
                if (e->subjects[i])
                        bytes += watched_memory(e->subjects[i], e->set);
        return bytes + e->tallies.count * (sizeof(Tally) + sizeof(Tally *));
}
