/* What the engine keeps of one subject. */
#pragma once

#include "rules/tally.h"

/* A subject that has had a reading of a vital that is used, or was primed with one. Its timers are told apart by their
 * tie: the subject's id, then the number of the vital, window or count. */
typedef struct Watched {
        SubjectId subject;
        bool begun; /* it has had a reading */
        bool scale2;
        double o2;
        uint64_t *groups; /* a bit a group of rules: they are for this subject */
        Latest *latest;   /* one a vital that is used */
        Recent *recent;   /* one a window */
        size_t recent_count;
        double *limits;
        Member *members; /* one a count */
} Watched;

typedef enum TimerType { TIMER_LATEST, TIMER_RECENT, TIMER_MEMBER } TimerType;

Watched *watched_free(Watched *w);
DEFINE_CLEANUP(Watched *, watched_free);
/* Nothing is looked up yet: see watched_match(). */
int watched_new(const RuleSet *s, SubjectId subject, Watched **ret) _must_check_;
/* How many timers a subject has at most. */
size_t watched_timers(const RuleSet *s);
SubjectId timer_subject(const HeapNode *n);
TimerType timer_type(const RuleSet *s, const HeapNode *n, uint32_t *ret_number);

/* Looks up whom groups match, limits and attributes. */
void watched_match(Watched *w, const RuleSet *s, const Subject *subject);
static inline bool watched_has_group(const Watched *w, uint32_t group) {
        return w->groups[group / 64] >> (group % 64) & 1;
}
static inline bool watched_has_rule(const Watched *w, const RuleSet *s, uint32_t rule) {
        return watched_has_group(w, s->rules[rule].group);
}
/* The expression names something that the subject has had. */
bool watched_has_any(const Watched *w, const Expression *x);
Scope watched_scope(const Watched *w, int64_t now_us);
/* Into the windows of the vital. -ENOMEM: not into all. */
int watched_add(Watched *w, const RuleSet *s, uint16_t slot, double value, int64_t now_us, Heap *timers);
/* All values and what was counted of them. */
void watched_forget(Watched *w, const RuleSet *s, TallyTable *t, Heap *timers);
size_t watched_memory(const Watched *w, const RuleSet *s);
