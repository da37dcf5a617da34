/* A ward in virtual time, for the command line: rules and alerts as the daemon runs them, without its ledger, receivers
 * and clocks. All times are microseconds of one virtual clock, which stands for both the wall's and the monotonic one. */
#pragma once

#include "alert/alert.h"
#include "rules/rules.h"

typedef struct Trial Trial;

typedef struct TrialOptions {
        const Catalogue *catalogue; /* outlives the trial, as the rules do */
        const RuleSet *rules;
        int64_t acknowledge_after_us; /* somebody acknowledges each alert that long after it was raised; 0: never */
        bool without_holdoff;         /* `for` and `keep_firing_for` count as nothing */
        AlertEventFn fn;
        void *userdata;
} TrialOptions;

enum { TRIAL_IMPLAUSIBLE = 1 };

int trial_new(const TrialOptions *o, Trial **ret) _must_check_;
Trial *trial_free(Trial *t);
DEFINE_CLEANUP(Trial *, trial_free);

const Subject *trial_subject(const Trial *t, SubjectId id);
/* A subject with a device of its own; of kind device: "device:<name>". -EINVAL where name or label is not valid, -ENOSPC
 * beyond DEVICES_MAX. */
int trial_add_subject(Trial *t, const char *name, SubjectKind kind, const char *label,
                SubjectId *ret) _must_check_;
/* As registry_set_attribute(), at a time. */
int trial_set_attribute(
                Trial *t, SubjectId s, const char *name, const char *value, int64_t time_us) _must_check_;

/* Time does not go back in any of these. What runs out before a reading comes first, what runs out with it after it.
 * TRIAL_IMPLAUSIBLE: no rule has seen it. */
int trial_feed(Trial *t, SubjectId s, VitalId v, double value, int64_t time_us) _must_check_;
/* Up to and with time_us. */
int trial_advance(Trial *t, int64_t time_us) _must_check_;
/* Acknowledges the rule's alert; subject SUBJECT_NONE: the oldest of any. -ENOENT where none is active. */
int trial_acknowledge(Trial *t, const char *rule, SubjectId subject, int64_t time_us) _must_check_;
/* What a probe of the rules says now. */
double trial_probe(Trial *t, size_t probe, SubjectId s);
