/* What a replay of recordings tells about rules: how often, how long, for whom, how early. Pure; memory is bounded by the
 * number of rules. */
#pragma once

#include "model/alert.h"
#include "rules/rules.h"

enum { SPREAD_MAX = 16384 };

/* Numbers whose quantiles are wanted: beyond SPREAD_MAX a fair sample of them, the same in each run. */
typedef struct Spread {
        double *values;
        size_t count;
        uint64_t seen, random;
} Spread;

int spread_add(Spread *s, double v) _must_check_;
/* Between the two nearest ranks; NaN where there is nothing. Puts the values in order. */
double spread_quantile(Spread *s, double q);
void spread_done(Spread *s);

typedef struct RuleBurden {
        uint64_t raised, again; /* again: RERAISED */
        Spread durations;       /* s, from raised to resolved or to the recording's end */
        uint64_t found;         /* subjects with a label that had an alert in time, see below */
        Spread leads;           /* s, how long before the label, of those */
        uint64_t alarmed;       /* subjects without a label that had an alert */
        uint64_t false_raised;  /* alerts of those, again included */

        int64_t open_us; /* of the subject in hand: raised then; TIME_NONE: not active */
        bool is_found, is_alarmed;
} RuleBurden;

typedef struct BurdenTotal {
        uint64_t subjects, labelled;             /* labelled: with a positive label */
        int64_t monitored_us, unlabelled_us;     /* unlabelled: of those without */
        uint64_t by_priority[PRIORITY_HIGH + 1]; /* raised, again included */
} BurdenTotal;

typedef struct Burden Burden;

/* In time: active at or after horizon_us before the first positive label. */
int burden_new(const RuleSet *rules, int64_t horizon_us, Burden **ret) _must_check_;
Burden *burden_free(Burden *b);
DEFINE_CLEANUP(Burden *, burden_free);

/* A subject after the other. label_us: its first positive label, TIME_NONE where it has none. */
void burden_begin(Burden *b, int64_t label_us);
int burden_event(Burden *b, const AlertEvent *e) _must_check_;
int burden_end(Burden *b, int64_t end_us, int64_t monitored_us) _must_check_;

const BurdenTotal *burden_total(const Burden *b);
/* Of a rule; i = rule_set_count(): found, leads, alarmed and false_raised of all but technical rules together. */
RuleBurden *burden_rule(Burden *b, size_t i);
