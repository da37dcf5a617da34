#include "cli/burden.h"

#include <errno.h>
#include <math.h>

#include "model/name_index.h"

struct Burden {
        const RuleSet *set;
        NameIndex names;   /* of rules */
        RuleBurden *rules; /* and one for all but technical ones together */
        size_t count;
        BurdenTotal total;
        int64_t horizon_us, label_us;
        bool in_horizon; /* of the subject in hand */
};

/* --- spreads --- */

/* xorshift64*: which values a sample keeps does not have to be a secret. */
static uint64_t next_random(Spread *s) {
        uint64_t x = s->random ? s->random : UINT64_C(0x9E3779B97F4A7C15);

        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        s->random = x;
        return x * UINT64_C(0x2545F4914F6CDD1D);
}

int spread_add(Spread *s, double v) {
        s->seen++;
        if (s->count == SPREAD_MAX) { /* each of those seen is kept with the same chance */
                uint64_t place = next_random(s) % s->seen;
                if (place < SPREAD_MAX)
                        s->values[place] = v;
                return 0;
        }
        if ((s->count & (s->count - 1)) == 0) { /* full at each power of two */
                double *values = reallocarray(s->values, s->count * 2 + 1, sizeof *values);
                if (!values)
                        return -ENOMEM;
                s->values = values;
        }
        s->values[s->count++] = v;
        return 0;
}

static int compare_numbers(const void *a, const void *b) {
        const double x = *(const double *) a, y = *(const double *) b;

        return (x > y) - (x < y);
}

double spread_quantile(Spread *s, double q) {
        if (s->count == 0)
                return (double) NAN;
        qsort(s->values, s->count, sizeof *s->values, compare_numbers);
        double at = q * (double) (s->count - 1);
        size_t low = (size_t) at;
        size_t high = MIN(low + 1, s->count - 1);
        return s->values[low] + (at - (double) low) * (s->values[high] - s->values[low]);
}

void spread_done(Spread *s) {
        free(s->values);
        *s = (Spread){ 0 };
}

/* --- rules --- */

int burden_new(const RuleSet *rules, int64_t horizon_us, Burden **ret) {
        _cleanup_(burden_freep) Burden *b = calloc(1, sizeof *b);
        int r = 0;

        if (!b)
                return -ENOMEM;
        b->set = rules;
        b->count = rule_set_count(rules);
        b->horizon_us = horizon_us;
        b->rules = calloc(b->count + 1, sizeof *b->rules);
        if (!b->rules)
                return -ENOMEM;
        for (uint32_t i = 0; r == 0 && i < b->count; i++)
                r = name_index_add(&b->names, rule_set_rule(rules, i)->name, i);
        if (r < 0)
                return r;
        *ret = TAKE(b);
        return 0;
}

Burden *burden_free(Burden *b) {
        if (!b)
                return NULL;
        for (size_t i = 0; b->rules && i <= b->count; i++) {
                spread_done(&b->rules[i].durations);
                spread_done(&b->rules[i].leads);
        }
        free(b->rules);
        name_index_done(&b->names);
        free(b);
        return NULL;
}

RuleBurden *burden_rule(Burden *b, size_t i) {
        return &b->rules[i];
}

const BurdenTotal *burden_total(const Burden *b) {
        return &b->total;
}

/* --- subjects --- */

void burden_begin(Burden *b, int64_t label_us) {
        b->label_us = label_us;
        b->in_horizon = false;
        for (size_t i = 0; i <= b->count; i++) {
                b->rules[i].open_us = TIME_NONE;
                b->rules[i].is_found = b->rules[i].is_alarmed = false;
        }
}

/* The rule's alert is active from then until at least now. */
static int note_active(Burden *b, RuleBurden *rule, int64_t from_us, int64_t now_us) {
        if (b->label_us == TIME_NONE) {
                rule->alarmed += !rule->is_alarmed;
                rule->is_alarmed = true;
                return 0;
        }
        const int64_t start_us = b->label_us - b->horizon_us;
        if (rule->is_found || now_us < start_us)
                return 0;
        rule->is_found = true;
        rule->found++;
        return spread_add(&rule->leads, (double) (b->label_us - MAX(from_us, start_us)) / 1e6);
}

static int close_alert(RuleBurden *rule, int64_t now_us) {
        if (rule->open_us == TIME_NONE)
                return 0;
        int r = spread_add(&rule->durations, (double) (now_us - rule->open_us) / 1e6);
        rule->open_us = TIME_NONE;
        return r;
}

/* Of the rule, and of all but technical ones together. */
static int note_open(Burden *b, RuleBurden *rule, Priority priority, int64_t now_us) {
        if (rule->open_us == TIME_NONE)
                return 0;
        int r = note_active(b, rule, rule->open_us, now_us);
        if (r == 0 && priority != PRIORITY_TECHNICAL)
                r = note_active(b, &b->rules[b->count], rule->open_us, now_us);
        return r;
}

static int note_all(Burden *b, int64_t now_us) {
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < b->count; i++)
                r = note_open(b, &b->rules[i], rule_set_rule(b->set, i)->priority, now_us);
        return r;
}

int burden_event(Burden *b, const AlertEvent *e) {
        const bool raised = e->transition == TRANSITION_RAISED, again = e->transition == TRANSITION_RERAISED;
        uint32_t i;

        if (!name_index_find(&b->names, e->rule, &i))
                return -ENOENT;
        if (b->label_us != TIME_NONE && !b->in_horizon && e->time_us >= b->label_us - b->horizon_us) {
                b->in_horizon = true; /* what is active already is so from its beginning on */
                int k = note_all(b, e->time_us);
                if (k < 0)
                        return k;
        }
        RuleBurden *rule = &b->rules[i];
        if (raised && rule->open_us == TIME_NONE)
                rule->open_us = e->time_us;
        rule->raised += raised;
        rule->again += again;
        if (raised || again) {
                b->total.by_priority[e->priority]++;
                if (b->label_us == TIME_NONE) {
                        rule->false_raised++;
                        b->rules[b->count].false_raised += e->priority != PRIORITY_TECHNICAL;
                }
        }
        int r = note_open(b, rule, e->priority, e->time_us);
        if (r == 0 && e->transition == TRANSITION_RESOLVED)
                r = close_alert(rule, e->time_us);
        return r;
}

int burden_end(Burden *b, int64_t end_us, int64_t monitored_us) {
        b->total.subjects++;
        b->total.monitored_us += monitored_us;
        if (b->label_us == TIME_NONE)
                b->total.unlabelled_us += monitored_us;
        else
                b->total.labelled++;
        int r = note_all(b, end_us);
        for (size_t i = 0; r == 0 && i < b->count; i++)
                r = close_alert(&b->rules[i], end_us);
        return r;
}
