/* What can happen to an alert, one function each. For alert.c and replay.c. */
#pragma once

#include "alert/alert.h"
#include "alert/table.h"

enum {
        PRIORITY_COUNT = PRIORITY_HIGH + 1,
        RECENT_MAX = 64,
        RECENT_SPAN_US = 1000, /* how far since is moved on at most from what the device says */
};

/* An alert that is over: another one with its since would have its id. */
typedef struct RecentAlert {
        uint32_t hash; /* of rule and subject */
        SubjectId subject;
        int64_t since_us;
} RecentAlert;

/* Alerts of one priority, ordered by when they began. */
typedef struct AlertList {
        Alert *oldest, *newest;
} AlertList;

struct AlertManager {
        const Registry *registry;
        AlertEventFn fn;
        void *userdata;
        AlertTable table;
        AlertList lists[PRIORITY_COUNT];
        Heap timers;
        uint64_t begun; /* timers that run out together do so in this order */
        uint64_t shed;
        RecentAlert recent[RECENT_MAX]; /* a ring of the newest */
        size_t recent_next, recent_count;
        int64_t recorded_us; /* monotonic: while readings are replayed, what they do up to then is on record; else INT64_MIN */
};

/* Whether somebody was told of it. */
static inline bool alert_is_told(const Alert *a) {
        return a->event.state != ALERT_PENDING;
}

/* A pending one whose `for` ran out while readings were replayed, on record: see alert_manager_replay_begin(). */
static inline bool alert_is_spent(const Alert *a) {
        return a->event.state == ALERT_PENDING && a->timer.place == 0;
}

static inline bool alert_on_record(const AlertManager *m, int64_t mono_us) {
        return mono_us <= m->recorded_us;
}

/* Puts one with that event in. -ENOMEM. */
int alert_add(AlertManager *m, const AlertEvent *e, Alert **ret) _must_check_;
/* A new pending one; its id and since are made. *ret is NULL where it is shed. -EINVAL, -ENOMEM. */
int alert_begin(AlertManager *m, AlertEvent *e, const char *rule, const Stamp *at, Alert **ret) _must_check_;
/* A pending one is over: nobody is told. */
void alert_drop(AlertManager *m, Alert *a);
void alert_raise(AlertManager *m, Alert *a, const Stamp *at);
void alert_resolve(AlertManager *m, Alert *a, int64_t wall_us, const char *note);
void alert_acknowledge(AlertManager *m, Alert *a, const char *who, const char *note, const Stamp *now);

/* What comes next comes at due_us, at once where that is not after the moment. */
void alert_schedule(AlertManager *m, Alert *a, int64_t due_us, const Stamp *at);
/* It is not known to be over: what comes next is that it is raised again, where it ever is. */
void alert_hold(AlertManager *m, Alert *a, const Stamp *at);
/* All that is due before the moment. */
void alert_run_timers(AlertManager *m, int64_t before_us, const Stamp *now);
