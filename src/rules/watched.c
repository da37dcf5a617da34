#include "rules/watched.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

static_assert(sizeof(Watched) + sizeof(uint64_t) <= RULES_SUBJECT_BYTES, "as rules.h states it");
static_assert(sizeof(Latest) + sizeof(HeapNode *) <= RULES_VITAL_BYTES, "as rules.h states it");
static_assert(sizeof(Recent) + sizeof(HeapNode *) <= RULES_WINDOW_BYTES, "as rules.h states it");
static_assert(sizeof(Member) + sizeof(HeapNode *) <= RULES_COUNT_BYTES, "as rules.h states it");

Watched *watched_free(Watched *w) {
        if (!w)
                return NULL;
        for (size_t i = 0; w->recent && i < w->recent_count; i++)
                window_free(w->recent[i].window);
        free(w->groups);
        free(w->latest);
        free(w->recent);
        free(w->limits);
        free(w->members);
        free(w);
        return NULL;
}

size_t watched_timers(const RuleSet *s) {
        return s->slot_count + s->window_count + s->count_count;
}

static uint64_t tie(SubjectId subject, size_t number) {
        return (uint64_t) subject << 16 | number;
}

SubjectId timer_subject(const HeapNode *n) {
        return (SubjectId) (n->tie >> 16);
}

TimerType timer_type(const RuleSet *s, const HeapNode *n, uint32_t *ret_number) {
        size_t number = n->tie & UINT16_MAX, windows = s->slot_count, counts = windows + s->window_count;

        if (number < windows) {
                *ret_number = (uint32_t) number;
                return TIMER_LATEST;
        }
        if (number < counts) {
                *ret_number = (uint32_t) (number - windows);
                return TIMER_RECENT;
        }
        *ret_number = (uint32_t) (number - counts);
        return TIMER_MEMBER;
}

int watched_new(const RuleSet *s, SubjectId subject, Watched **ret) {
        _cleanup_(watched_freep) Watched *w = calloc(1, sizeof *w);
        size_t number = 0;

        if (!w)
                return -ENOMEM;
        w->subject = subject;
        w->o2 = (double) NAN;
        w->recent_count = s->window_count;
        w->groups = calloc(s->group_count / 64 + 1, sizeof *w->groups);
        w->latest = calloc(MAX(s->slot_count, (size_t) 1), sizeof *w->latest);
        w->recent = calloc(MAX(s->window_count, (size_t) 1), sizeof *w->recent);
        w->limits = calloc(MAX(s->limit_count, (size_t) 1), sizeof *w->limits);
        w->members = calloc(MAX(s->count_count, (size_t) 1), sizeof *w->members);
        if (!w->groups || !w->latest || !w->recent || !w->limits || !w->members)
                return -ENOMEM;
        for (size_t i = 0; i < s->slot_count; i++) {
                w->latest[i].seen_us = TIME_NONE;
                w->latest[i].timer.tie = tie(subject, number++);
        }
        for (size_t i = 0; i < s->window_count; i++)
                w->recent[i].timer.tie = tie(subject, number++);
        for (size_t i = 0; i < s->count_count; i++)
                w->members[i].timer.tie = tie(subject, number++);
        *ret = TAKE(w);
        return 0;
}

/* --- what is looked up --- */

static bool group_is_for(const Group *g, const Subject *s) {
        return match_is_for(&g->match, s) && !(g->has_except && match_is_for(&g->except, s));
}

/* An attribute's finite number, else the other one. */
static double attribute_number(const Subject *s, const char *name, double other) {
        const char *text = subject_attribute(s, name);
        char *end;

        if (!text[0] || strspn(text, "0123456789.eE-") != strlen(text))
                return other;
        double v = strtod(text, &end);
        return *end == '\0' && isfinite(v) ? v : other;
}

void watched_match(Watched *w, const RuleSet *s, const Subject *subject) {
        const char *o2 = subject_attribute(subject, "o2");

        for (size_t i = 0; i < s->group_count; i++) {
                uint64_t bit = UINT64_C(1) << (i % 64);
                if (group_is_for(&s->groups[i], subject))
                        w->groups[i / 64] |= bit;
                else
                        w->groups[i / 64] &= ~bit;
        }
        for (size_t i = 0; i < s->limit_count; i++)
                w->limits[i] = attribute_number(subject, s->limits[i].name, s->limits[i].number);
        w->scale2 = streq(subject_attribute(subject, "spo2_scale"), "2");
        w->o2 = streq(o2, "1") ? 1 : streq(o2, "0") ? 0 : (double) NAN;
}

bool watched_has_any(const Watched *w, const Expression *x) {
        for (size_t i = 0; i < x->count; i++) {
                const Op *op = &x->ops[i];

                switch ((OpCode) op->code) {
                case OP_VITAL:
                case OP_ABSENT:
                case OP_AGE:
                        if (w->latest[op->slot].seen_us != TIME_NONE)
                                return true;
                        break;
                case OP_WINDOW:
                        if (w->recent[op->slot].window)
                                return true;
                        break;
                case OP_NUMBER:
                case OP_LIMIT:
                case OP_O2:
                case OP_COUNT:
                case OP_NEGATE:
                case OP_NOT:
                case OP_ABS:
                case OP_BINARY:
                case OP_NEWS2:
                        break;
                }
        }
        return false;
}

Scope watched_scope(const Watched *w, int64_t now_us) {
        return (Scope){
                .latest = w->latest,
                .recent = w->recent,
                .limits = w->limits,
                .o2 = w->o2,
                .scale2 = w->scale2,
                .now_us = now_us,
        };
}

/* --- values --- */

int watched_add(Watched *w, const RuleSet *s, uint16_t slot, double value, int64_t now_us, Heap *timers) {
        const Numbers *windows = &s->slots[slot].windows;
        int r = 0;

        for (size_t i = 0; i < windows->count; i++) {
                const WindowSpec *spec = &s->windows[windows->items[i]];
                Recent *recent = &w->recent[windows->items[i]];

                if ((!recent->window && window_new(spec->length_us, spec->sorted, &recent->window) < 0) ||
                                window_add(recent->window, value, now_us) < 0) {
                        r = -ENOMEM;
                        continue;
                }
                if (spec->leaving.count > 0 && recent->timer.place == 0)
                        heap_set(timers, &recent->timer, window_leaves(recent->window));
        }
        return r;
}

void watched_forget(Watched *w, const RuleSet *s, TallyTable *t, Heap *timers) {
        for (size_t i = 0; i < s->slot_count; i++) {
                heap_remove(timers, &w->latest[i].timer);
                w->latest[i].seen_us = TIME_NONE;
        }
        for (size_t i = 0; i < s->window_count; i++) {
                heap_remove(timers, &w->recent[i].timer);
                w->recent[i].window = window_free(w->recent[i].window);
        }
        for (size_t i = 0; i < s->count_count; i++)
                member_move(t, &w->members[i], (uint32_t) i - s->rules[s->counts[i].rule].first_count, NULL,
                                timers);
}

size_t watched_memory(const Watched *w, const RuleSet *s) {
        size_t bytes = sizeof *w + (s->group_count / 64 + 1) * sizeof *w->groups +
                       s->slot_count * sizeof *w->latest + s->window_count * sizeof *w->recent +
                       s->limit_count * sizeof *w->limits + s->count_count * sizeof *w->members +
                       watched_timers(s) * sizeof(HeapNode *);

        for (size_t i = 0; i < s->window_count; i++)
                if (w->recent[i].window)
                        bytes += window_memory(w->recent[i].window);
        return bytes;
}
