/* The inside of a rule set: rules with their programs, and the index by vital that makes a reading cost only the rules
 * that use its vital. */
#pragma once

#include "base/sha256.h"
#include "rules/expression.h"
#include "rules/rules.h"

/* Whom a group's rules are for. */
typedef struct Match {
        int kind;              /* SubjectKind; -1: any */
        char *subject, *label; /* NULL: any */
} Match;

typedef struct Rule {
        AlertRule alert; /* owns its strings */
        Expression condition;
        uint32_t match;
} Rule;

/* When a vital's last value is that old, that rule has to be looked at again. */
typedef struct Expiry {
        int64_t age_us;
        uint32_t rule;
} Expiry;

/* A vital that rules use, and its place among a subject's latest values. */
typedef struct Slot {
        uint32_t *rules; /* ascending */
        size_t rule_count;
        Expiry *expiries; /* by age, then rule */
        size_t expiry_count;
} Slot;

enum { SLOT_NONE = UINT16_MAX };

struct RuleSet {
        const Catalogue *catalogue;
        Match *matches; /* one a group */
        size_t match_count;
        Rule *rules;
        Hash *hashes; /* the rules' hashes once more, in a row */
        size_t count;
        Slot *slots;
        size_t slot_count;
        uint16_t slot_of[VITALS_MAX]; /* SLOT_NONE: no rule uses it */
};

bool match_subject(const Match *m, const Subject *s);
void match_done(Match *m);

/* Both take ownership of what is inside the object on success, none on failure. */
int rule_set_add_match(RuleSet *s, const Match *m) _must_check_;
/* The newest match is the rule's. Programs' slots are filled in. */
int rule_set_add_rule(RuleSet *s, const Rule *rule) _must_check_;
const Rule *rule_set_find(const RuleSet *s, const char *name);
