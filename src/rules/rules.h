/* Rule files -> an engine that answers, for each reading and timer, which rules are true for which subject. Pure.
 *
 * Memory of an engine: for each subject that has had a reading of a vital that rules use, what is stated below, and for
 * each window with values in it up to RULES_WINDOW_MAX_BYTES (96 bytes a value, room for 8 to 256). A ward of 30 with 10
 * vitals and 20 windows that each hold 60 values: 4 MiB. For rules across subjects 112 bytes a group and rule. */
#pragma once

#include "model/alert.h"

typedef struct RuleSet RuleSet;       /* immutable once loaded */
typedef struct RuleEngine RuleEngine; /* per-subject state of one rule set */

enum { RULES_MAX = 4096 };

/* Bytes of a subject's state. */
enum {
        RULES_SUBJECT_BYTES = 72, /* and 8 for each 64 groups of rules beyond the first */
        RULES_VITAL_BYTES = 56,   /* each vital that rules use, */
        RULES_WINDOW_BYTES = 40,  /* each different window (vital and duration), */
        RULES_LIMIT_BYTES = 8,    /* each different limit, */
        RULES_COUNT_BYTES = 48,   /* each count across subjects: whether the subject has it or not */
        RULES_WINDOW_MAX_BYTES = 25 * 1024,
};

/* Reads one rule file's root (`groups:`) into the set; call for each file of rules.d in order of name. Names of alerts
 * are unique over all files. After an error the set holds what came before it: free it. The catalogue outlives the set.
 * The language is described in docs/rules.md. */
int rule_set_new(const Catalogue *c, RuleSet **ret) _must_check_;
RuleSet *rule_set_free(RuleSet *s);
DEFINE_CLEANUP(RuleSet *, rule_set_free);
int rule_set_read(RuleSet *s, const YamlNode *root, Error *e) _must_check_;

size_t rule_set_count(const RuleSet *s);
const AlertRule *rule_set_rule(const RuleSet *s, uint32_t i);             /* borrowed */
const AlertRule *rule_set_find_alert(const RuleSet *s, const char *name); /* NULL where there is none */
/* How far back readings have to be replayed after a restart, so that windows, `for` and `keep_firing_for` are what they
 * would have been: microseconds. Ages (freshness, absent) are not in it: see rule_engine_prime(). */
int64_t rule_set_horizon(const RuleSet *s);
/* The first part of that, in which windows and counts only fill: what rules say in it is not what they said then. */
int64_t rule_set_warmup(const RuleSet *s);
/* An expression that no rule has, for rule_engine_probe(), read with the freshness, assumptions and limits of the newest
 * group; *ret is its number. To be added before an engine is made. */
int rule_set_add_probe(RuleSet *s, const char *expression, size_t *ret, Error *e) _must_check_;
/* SHA-256 over the rules' hashes in order: what SEAL and CONFIG entries carry. */
void rule_set_hash(const RuleSet *s, uint8_t ret[static 32]);

/* Must not call the engine. */
typedef void (*RuleOutcomeFn)(void *userdata, const RuleOutcome *o);

/* registry: rows of groups are made in it for rules across subjects. */
int rule_engine_new(const RuleSet *s, Registry *registry, RuleOutcomeFn fn, void *userdata,
                RuleEngine **ret) _must_check_;
RuleEngine *rule_engine_free(RuleEngine *e);
DEFINE_CLEANUP(RuleEngine *, rule_engine_free);

/* Evaluates the rules that use the reading's vital for its subject and reports each outcome (fn is called for each such
 * rule, also where the truth did not change). Readings with FLAGS_UNUSABLE or FLAG_LATE are ignored. O(rules that use the
 * vital). now_us is the gateway's monotonic microseconds: freshness and absent() count in it. What ran out before now_us
 * is reported first, as rule_engine_tick() would have, and with a subject's first reading each rule that is not for it as
 * false, which ends what it raised before a reload. -EINVAL for a subject that the registry doesn't have. -ENOMEM: what
 * could not be kept is missing from windows, all else was done; -ENOSPC: likewise from counts, because the registry has
 * no room for another group. */
int rule_engine_reading(RuleEngine *e, const Reading *r, int64_t now_us);
/* Lets time pass: freshness, absent(), age(), values that leave a window, counts over a duration. Reports the rules that
 * wait for what came to be, in order of time, with the time at which it did. */
void rule_engine_tick(RuleEngine *e, int64_t now_us, int64_t wall_us);
/* When rule_engine_tick() next has something to do (monotonic us), INT64_MAX for never. */
int64_t rule_engine_deadline(const RuleEngine *e);
/* The subject's devices changed: nothing that was measured before counts for it. Whom groups match is looked up again;
 * all rules are reported, unknown where they are for the subject, else false (with time TIME_NONE). Rules across subjects
 * do not count it any more, and are reported for its group. */
void rule_engine_forget(RuleEngine *e, SubjectId subject);
/* The subject's attributes or label changed: groups that match it and its limits are looked up again, and all rules that
 * have something to look at are evaluated. */
void rule_engine_refresh(RuleEngine *e, SubjectId subject, int64_t now_us, int64_t wall_us);

/* After a restart: the last value of a vital, seen at seen_us (monotonic, may be negative), before the readings that are
 * replayed. Nothing is evaluated, but rules across subjects count it once time has passed until then. Before that it is
 * unknown: a value that came while what is replayed was going on does no harm. A vital that no rule uses is nothing.
 * -ENOMEM, -EINVAL, -ENOSPC as rule_engine_reading(). */
int rule_engine_prime(
                RuleEngine *e, SubjectId subject, VitalId vital, double value, int64_t seen_us) _must_check_;
/* The last values, for the next restart: each subject's of each vital that rules use. */
typedef void (*RuleLatestFn)(
                void *userdata, SubjectId subject, VitalId vital, double value, int64_t seen_us);
void rule_engine_visit(const RuleEngine *e, RuleLatestFn fn, void *userdata);

/* What the probe says for the subject now; truths are 0 and 1; NaN: unknown, or a subject without readings. */
double rule_engine_probe(RuleEngine *e, size_t probe, SubjectId subject, int64_t now_us);
/* Bytes of all subjects' state. */
size_t rule_engine_memory(const RuleEngine *e);
