/* The inside of a rule set: rules with their programs, and the index by vital that makes a reading cost only what the
 * rules that use its vital cost.
 *
 * What is evaluated for a subject is a condition: a rule's own, or one inside a count of a rule across subjects. */
#pragma once

#include "base/sha256.h"
#include "rules/expression.h"
#include "rules/match.h"
#include "rules/rules.h"
#include "rules/template.h"

enum {
        GROUPS_MAX = 1024,
        WINDOWS_MAX = 256, /* different ones: vital and duration */
        LIMITS_MAX = 256,  /* different ones: name and number */
        COUNTS_MAX = 256,  /* across subjects, of all rules */
        PROBES_MAX = 1024,
};

typedef struct Group {
        Match match, except;
        bool has_except;
} Group;

typedef struct Rule {
        AlertRule alert; /* owns its strings */
        Expression expression;
        Template summary;
        uint32_t group;
        uint32_t first_count; /* of the set's counts, where it is across subjects */
} Rule;

#define COUNT_NONE UINT32_MAX

typedef struct Condition {
        uint32_t rule;
        uint32_t count; /* of the set's counts that it is inside of; COUNT_NONE: it is the rule's own */
} Condition;

/* When a vital's last value is that old, that condition has to be looked at again. */
typedef struct Expiry {
        int64_t age_us;
        uint32_t condition;
} Expiry;

typedef struct Numbers {
        uint32_t *items; /* ascending */
        size_t count;
} Numbers;

/* A vital that is used, and its place among a subject's latest values. */
typedef struct Slot {
        VitalId vital;
        Numbers conditions;
        Numbers windows;
        Expiry *expiries; /* by age, then condition */
        size_t expiry_count;
} Slot;

typedef struct WindowSpec {
        VitalId vital;
        bool sorted;
        int64_t length_us;
        Numbers leaving; /* conditions that are looked at again when a value leaves */
} WindowSpec;

typedef struct CountSpec {
        uint32_t rule;
        int64_t duration_us;
} CountSpec;

typedef struct LimitSpec {
        char name[ATTRIBUTE_NAME_MAX];
        double number;
} LimitSpec;

enum { SLOT_NONE = UINT16_MAX };

struct RuleSet {
        const Catalogue *catalogue;
        Group *groups;
        Rule *rules;
        Condition *conditions;
        CountSpec *counts;
        Slot *slots;
        WindowSpec *windows;
        LimitSpec *limits;
        Expression *probes;
        Hash *hashes; /* the rules' hashes once more, in a row */
        size_t group_count, count, condition_count, count_count, slot_count, window_count, limit_count;
        size_t probe_count;
        uint16_t slot_of[VITALS_MAX]; /* SLOT_NONE: nothing uses it */
        int64_t warmup_us, holding_us;
        Vocabulary words; /* of the newest group; probes are read with it, too */
};

const Expression *rule_set_condition(const RuleSet *s, const Condition *c);
static inline bool rule_is_across(const Rule *r) {
        return r->expression.count_count > 0;
}

/* Takes ownership of what is inside the object on success, not on failure. -ENOSPC: see the maxima above. */
int rule_set_add_group(RuleSet *s, const Group *g) _must_check_;
int rule_set_add_limit(RuleSet *s, const char *name, double number, uint16_t *ret_row) _must_check_;
/* The newest group is the rule's. Programs' places are filled in. e has what is wrong. */
int rule_set_add_rule(RuleSet *s, const Rule *rule, Error *e) _must_check_;
const Rule *rule_set_find(const RuleSet *s, const char *name);

/* index.c: fills the places of the expression in, and notes what has to be looked at when. condition: COUNT_NONE where
 * nothing has (summaries, probes). */
int index_expression(RuleSet *s, const Expression *x, uint32_t condition, Error *e) _must_check_;
/* How far back the expression looks beyond the last values. */
int64_t index_reach(const Expression *x);

/* One more item at the end of an array of count items. */
int array_grow(void **items, size_t count, size_t size) _must_check_;
