/* What rules say and what alerts become: the words that rules, alert and gateway share. */
#pragma once

#include "model/registry.h"

typedef enum Priority { PRIORITY_TECHNICAL, PRIORITY_LOW, PRIORITY_MEDIUM, PRIORITY_HIGH } Priority;

const char *priority_name(Priority p);
int priority_parse(const char *text, Priority *ret) _must_check_;

enum { ALERT_NAME_MAX = 64, ALERT_SUMMARY_MAX = 256, ALERT_ID_MAX = 40 };

/* A rule's answer for one subject at one time. Unknown (a vital is missing or stale) never fires and never resolves. */
typedef enum Truth { TRUTH_FALSE, TRUTH_TRUE, TRUTH_UNKNOWN } Truth;

typedef struct RuleOutcome {
        uint32_t rule; /* index in the rule set */
        SubjectId subject;
        Truth truth;
        double value;    /* of the vital that the rule compares, NaN where there is none */
        int64_t time_us; /* of the reading or the timer that made it */
        int64_t mono_us; /* when it came to be, monotonic: a late timer tells of what was before now */
} RuleOutcome;

/* What lifecycle needs to know of a rule. Strings belong to the rule set. */
typedef struct AlertRule {
        const char *name; /* "SpO2Low" */
        Priority priority;
        int64_t for_us;         /* true that long before it is active */
        int64_t keep_firing_us; /* false that long before it is resolved */
        const char *summary; /* template: {{ value }}, {{ subject.label }}, {{ subject.id }}, {{ rule }}; may be empty */
        uint8_t hash[32]; /* SHA-256 of the rule's canonical text */
} AlertRule;

typedef enum AlertState { ALERT_INACTIVE, ALERT_PENDING, ALERT_ACTIVE, ALERT_RESOLVED } AlertState;

const char *alert_state_name(AlertState s); /* "inactive", "pending", "active", "resolved" */

/* One transition: what goes into the ledger and to the receivers. */
typedef struct AlertEvent {
        char id[ALERT_ID_MAX]; /* the same from raise to resolve, over restarts: an idempotency key */
        char rule[ALERT_NAME_MAX];
        uint8_t rule_hash[32];
        Priority priority;
        AlertState state;  /* ALERT_ACTIVE (raised) or ALERT_RESOLVED */
        SubjectId subject; /* SUBJECT_NONE for a technical alert of the gateway itself */
        double value;      /* NaN where there is none */
        int64_t since_us;  /* when the condition began */
        int64_t time_us;   /* of this transition */
        char summary[ALERT_SUMMARY_MAX];
} AlertEvent;
