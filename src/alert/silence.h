/* Silences: alerts that nobody is told of for a while, with who wanted that and why. Each ends. */
#pragma once

#include "alert/filter.h"
#include "base/clock.h"

enum { SILENCES_MAX = 256, SILENCE_ID_MAX = 24, SILENCE_WHY_MAX = 160 };

typedef struct Silence {
        char id[SILENCE_ID_MAX];
        AlertFilter filter;
        int64_t from_us, until_us; /* wall time */
        int64_t until_mono_us;     /* what counts: set by silence_add() */
        char who[ALERT_WHO_MAX];
        char why[SILENCE_WHY_MAX];
} Silence;

typedef struct SilenceList {
        Silence *items; /* SILENCES_MAX, made with the first */
        size_t count;
} SilenceList;

void silence_list_done(SilenceList *l);
/* -ENOSPC at SILENCES_MAX, -EEXIST where the id is there, -ENOMEM. */
int silence_add(SilenceList *l, const Silence *s, const Stamp *now) _must_check_;
int silence_remove(SilenceList *l, const char *id) _must_check_; /* -ENOENT */
/* The first that fits, or NULL. */
const Silence *silence_find(const SilenceList *l, const AlertEvent *e, const Subject *subject);
int64_t silence_deadline(const SilenceList *l); /* monotonic: the first end; INT64_MAX */
