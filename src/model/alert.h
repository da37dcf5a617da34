/* What rules say and what alerts become: the words that rules, alert and gateway share. */
#pragma once

#include "model/registry.h"

typedef enum Priority { PRIORITY_TECHNICAL, PRIORITY_LOW, PRIORITY_MEDIUM, PRIORITY_HIGH } Priority;

const char *priority_name(Priority p);
int priority_parse(const char *text, Priority *ret) _must_check_;

enum {
        ALERT_NAME_MAX = 64,
        ALERT_SUMMARY_MAX = 256,
        ALERT_ID_MAX = 40,
        ALERT_LABELS_MAX = 160, /* bytes of all labels of a rule but its priority, with the NUL */
        ALERT_WHO_MAX = 64,
        ALERT_NOTE_MAX = 160,
};

/* A rule's answer for one subject at one time. Unknown (a vital is missing or stale) never fires and never resolves. */
typedef enum Truth { TRUTH_FALSE, TRUTH_TRUE, TRUTH_UNKNOWN } Truth;

typedef struct RuleOutcome RuleOutcome;

struct RuleOutcome {
        uint32_t rule; /* index in the rule set */
        SubjectId subject;
        Truth truth;
        double value;    /* of the vital that the rule compares, NaN where there is none */
        int64_t time_us; /* of the reading or the timer that made it */
        int64_t mono_us; /* when it came to be, monotonic: a late timer tells of what was before now */
        /* Writes the rule's summary as of this outcome; NULL: there is none. Good for the call only. */
        void (*summarise)(const RuleOutcome *o, char ret[static ALERT_SUMMARY_MAX]);
        const void *context; /* summarise's own */
};

/* What lifecycle needs to know of a rule. Strings belong to the rule set. */
typedef struct AlertRule {
        const char *name; /* "SpO2Low" */
        Priority priority;
        int64_t for_us;         /* true that long before it is active */
        int64_t keep_firing_us; /* false that long before it is resolved */
        int64_t reraise_us;     /* acknowledged and still true that long: active again; 0: never */
        bool latch;             /* stays until acknowledged, also where the condition has ended */
        const char *summary;    /* template, see docs/rules.md; may be empty */
        const char *labels;     /* for routes: "floor=3,team=respiratory", by name; may be empty */
        uint8_t hash[32];       /* SHA-256 of the rule's canonical text */
} AlertRule;

/* ACTIVE: nobody has acknowledged it; it is latched where ended_us is set. ACKNOWLEDGED: the condition still holds, or
 * its keep_firing_for runs. */
typedef enum AlertState {
        ALERT_INACTIVE,
        ALERT_PENDING,
        ALERT_ACTIVE,
        ALERT_RESOLVED,
        ALERT_ACKNOWLEDGED,
} AlertState;

const char *alert_state_name(AlertState s); /* "inactive", "pending", "active", "resolved", "acknowledged" */

/* What an event tells of: the first five change the alert, the others are what was done about it. */
typedef enum AlertTransition {
        TRANSITION_RAISED,
        TRANSITION_RESOLVED,
        TRANSITION_ACKNOWLEDGED,
        TRANSITION_LATCHED,     /* the condition has ended, nobody has acknowledged yet */
        TRANSITION_RERAISED,    /* true again while latched, or acknowledged too long ago */
        TRANSITION_ESCALATED,   /* another step of its route was reached: step */
        TRANSITION_REPEATED,    /* told again: step is the count */
        TRANSITION_SILENCED,    /* nobody is told because of a silence: note is its id */
        TRANSITION_HELD,        /* a receiver is not told now: note says why (rate limit, quiet hours) */
        TRANSITION_DELIVERED,   /* the receiver took it: note is the delivery's key */
        TRANSITION_UNDELIVERED, /* given up: note is the delivery's key and why */
} AlertTransition;

const char *alert_transition_name(AlertTransition t); /* "raised", "resolved", ... */

/* One transition: what goes into the ledger and to the receivers. */
typedef struct AlertEvent {
        char id[ALERT_ID_MAX]; /* the same from raise to resolve, over restarts: an idempotency key */
        char rule[ALERT_NAME_MAX];
        uint8_t rule_hash[32];
        Priority priority;
        AlertState state; /* after the transition */
        AlertTransition transition;
        SubjectId subject; /* SUBJECT_NONE for a technical alert of the gateway itself */
        double value;      /* NaN where there is none */
        int64_t since_us;  /* when the condition began */
        int64_t raised_us; /* when it was raised, or raised again */
        int64_t ended_us;  /* when the condition ended; TIME_NONE while it holds */
        int64_t time_us;   /* of this transition */
        /* When it was raised and acknowledged last, as monotonic time of this boot: right whatever the wall clock is set to.
         * Not on record, and 0 where that is read. */
        int64_t raised_mono_us, acknowledged_mono_us;
        char summary[ALERT_SUMMARY_MAX];
        char labels[ALERT_LABELS_MAX]; /* as AlertRule's */
        char who[ALERT_WHO_MAX]; /* who acknowledged: "uid:1000", "webhook:anna"; kept while acknowledged */
        char note[ALERT_NOTE_MAX];      /* of this transition */
        char receiver[NAME_MAX_LENGTH]; /* of this transition, where it concerns one */
        uint32_t step;                  /* of this transition, where it counts */
} AlertEvent;

/* The value of a label in a labels text: "" where there is none. */
void alert_label(const char *labels, const char *name, char ret[static NAME_MAX_LENGTH]);
