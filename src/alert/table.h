/* The alerts that there are, by rule and subject. */
#pragma once

#include "base/heap.h"
#include "model/alert.h"

typedef struct Alert {
        AlertEvent event; /* the newest; state: pending, active or acknowledged */
        HeapNode timer; /* runs until what comes next: `for` is over, `keep_firing_for` is, it is raised again */
        int64_t false_us;   /* wall time since when `keep_firing_for` runs, TIME_NONE where it doesn't */
        int64_t reraise_us; /* as the rule said last */
        bool latch;         /* likewise */
        bool latched;       /* was told as such since it was raised last */
        uint32_t hash;
        struct Alert *older, *newer; /* of its priority */
} Alert;

/* Open addressing with linear probing; room is a power of two, at most half of it is used. */
typedef struct AlertTable {
        Alert **alerts;
        size_t count, room;
        uint32_t *of_subject; /* how many each subject has */
        size_t subject_room;
} AlertTable;

/* Whether the subject has any: on a quiet ward that answers most questions. */
static inline bool alert_table_has(const AlertTable *t, SubjectId subject) {
        return subject < t->subject_room && t->of_subject[subject] > 0;
}

uint32_t alert_hash(const char *rule, SubjectId subject);
Alert *alert_table_find(const AlertTable *t, uint32_t hash, const char *rule, SubjectId subject);
/* Its rule and subject aren't in yet; hash is filled in. */
int alert_table_add(AlertTable *t, Alert *a) _must_check_;
void alert_table_remove(AlertTable *t, const Alert *a);
void alert_table_done(AlertTable *t); /* frees the alerts, too */
