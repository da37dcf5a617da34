/* What the files of the dispatch share: alerts with who knows of them, and what waits for whom.
 *
 * A telling is one receiver's news of one alert. tell() decides what becomes of it: told at once, put off into the
 * subject's group (group.c) or held back for the receiver's digest (held.c). What waits is told as it stands by then. */
#pragma once

#include "alert/dispatch.h"
#include "base/heap.h"

enum { HELD_PRIORITIES = PRIORITY_HIGH /* those below it can be held back */ };

typedef struct Telling {
        AlertTransition transition;
        uint32_t step;
} Telling;

/* An alert and who was told of it. Receivers are bits 1 << number. */
typedef struct Told {
        AlertEvent event; /* as the manager's last transition left it */
        struct Told *chain;
        HeapNode timer;     /* the next step or repetition; tie: the hash of its id */
        const Route *route; /* NULL: none fits */
        int64_t raised_us;  /* monotonic */
        int64_t repeat_us;  /* monotonic, INT64_MAX: never */
        uint32_t steps;     /* reached since it was raised (again) */
        uint32_t repeats;   /* likewise */
        bool reraised;      /* raised again at least once: keys say which time it is */
        bool silenced;      /* now: nothing is told but its end */
        bool retell;        /* restored: those who know are told once more with the next tick */
        bool silence_recorded, held_recorded;
        bool dirty;       /* to be saved */
        unsigned known;   /* was told */
        unsigned stale;   /* was told, but nothing since it was raised again: last is of before */
        unsigned waiting; /* will be told with its subject's group */
        unsigned held;    /* will be told in a digest */
        Telling last[ROUTING_RECEIVERS_MAX];   /* the newest news for each, told or not */
        uint32_t place[ROUTING_RECEIVERS_MAX]; /* in each receiver's held list */
        struct Told *previous, *next;          /* of its subject's group, or of those that are over */
} Told;

typedef struct ToldList {
        Told *first, *last;
        size_t count;
} ToldList;

/* Alerts by id, chained; as many chains as there is room. */
typedef struct ToldTable {
        Told **chains;
        Told **order; /* room for told_sorted() */
        size_t count, room;
} ToldTable;

/* What waits of one subject. */
typedef struct Group {
        HeapNode timer;
        int64_t until_us[ROUTING_RECEIVERS_MAX]; /* what is raised before then waits until then */
        uint32_t count[ROUTING_RECEIVERS_MAX];   /* waiting */
        uint64_t over[ROUTING_RECEIVERS_MAX];    /* waited, and ended before it was told */
        ToldList waiting;
} Group;

typedef struct HeldList {
        Told **items;
        size_t count, room;
        uint64_t over; /* ended before they were told */
} HeldList;

/* One receiver's side. */
typedef struct Outlet {
        HeldList held[HELD_PRIORITIES];
        int64_t bucket_us; /* when its token bucket is full again */
        uint64_t waiting;  /* in groups */
        uint64_t total;    /* held back or put off since the start */
} Outlet;

struct Dispatch {
        const Routing *routing;
        const Registry *registry;
        DispatchCallbacks callbacks;
        ToldTable table;
        Heap timers, group_timers;
        Group **groups; /* by subject, from 1; 0: the gateway's own */
        size_t group_room;
        Outlet outlets[ROUTING_RECEIVERS_MAX];
        SilenceList silences;
        ToldList over; /* resolved, and somebody who knew is still to be told */
        int64_t local_offset_us;
        int64_t quiet_until_us; /* monotonic; INT64_MIN: these are no quiet hours */
        AlertEvent shown[NOTICE_ALERTS_MAX];
};

static inline const Subject *told_subject(const Dispatch *d, const AlertEvent *e) {
        return e->subject == SUBJECT_NONE ? NULL : registry_subject(d->registry, e->subject);
}

/* When it was by the monotonic clock; now where that can't be. */
static inline int64_t dispatch_mono(int64_t wall_us, const Stamp *now) {
        int64_t age_us;

        if (__builtin_sub_overflow(now->wall_us, wall_us, &age_us) || age_us < 0)
                return now->mono_us;
        return now->mono_us - age_us;
}

/* --- told.c --- */
Told *told_find(const Dispatch *d, const char *id);
int told_add(Dispatch *d, const AlertEvent *e, Told **ret) _must_check_;
/* Takes it out of everything and frees it. */
void told_drop(Dispatch *d, Told *t);
/* All of them, oldest first; good until the next told_add(). */
Told **told_sorted(const Dispatch *d);
void told_done(Dispatch *d);
/* In a notice of several: the highest priority first, what is over last, then the oldest. */
bool told_before(const Told *a, const Told *b);
/* changed(), where there is something to save. */
void told_changed(Dispatch *d, Told *t);
void told_list_add(ToldList *l, Told *t);
void told_list_remove(ToldList *l, Told *t);

/* --- telling.c --- */
void tell(Dispatch *d, Told *t, unsigned receiver, Telling news, const Stamp *now);
void tell_known(Dispatch *d, Told *t, Telling news, const Stamp *now);
/* It is over: to those who knew; the others are not told any more. May free it. */
void tell_resolved(Dispatch *d, Told *t, const Stamp *now);
/* Nobody is told what waits. */
void tell_withdraw(Dispatch *d, Told *t);
/* One receiver is not told what waits. */
void tell_forget(Dispatch *d, Told *t, unsigned receiver);
/* One notice about these now, whatever the limits; they are known by then. */
void telling_send(Dispatch *d, unsigned receiver, NoticeKind kind, Told *const *items, size_t count,
                uint64_t more, const Stamp *now);
void telling_record(Dispatch *d, const Told *t, Telling news, const char *receiver, const char *note,
                const Stamp *now);
/* Puts it in order among the first NOTICE_ALERTS_MAX where it is one of them. */
void telling_pick(Told *shown[static NOTICE_ALERTS_MAX], size_t *count, Told *t);

/* --- group.c --- */
/* Whether what is raised now waits; it is put off then. */
bool group_wait(Dispatch *d, Told *t, unsigned receiver, const Stamp *now);
void group_leave(Dispatch *d, Told *t, unsigned receiver);
/* Something of the subject was told as raised: the interval begins. */
void group_told(Dispatch *d, const Told *t, unsigned receiver, const Stamp *now);
void group_over(Dispatch *d, const Told *t, unsigned receiver);
int group_reserve(Dispatch *d, SubjectId subject) _must_check_;
void group_tick(Dispatch *d, const Stamp *now);
/* Receivers have new numbers: of[new] is the old one, or -1. */
void group_renumber(Dispatch *d, const int of[static ROUTING_RECEIVERS_MAX]);
void group_done(Dispatch *d);

/* --- held.c --- */
/* Whether quiet hours hold it back, where it is below high. */
bool held_is_quiet(const Dispatch *d, Priority priority);
/* Holds it back where it is below high priority and has to wait. */
bool held_put(Dispatch *d, Told *t, unsigned receiver, const Stamp *now);
/* A notice goes: takes a token. */
void held_take(Dispatch *d, unsigned receiver, const Stamp *now);
void held_remove(Dispatch *d, Told *t, unsigned receiver);
void held_over(Dispatch *d, const Told *t, unsigned receiver);
void held_quiet(Dispatch *d, const Stamp *now);
void held_tick(Dispatch *d, const Stamp *now);
int64_t held_deadline(const Dispatch *d);
void held_done(Outlet *o);

/* --- escalation.c --- */
unsigned escalation_wanted(const Dispatch *d, Priority priority); /* receivers that want alerts of it */
/* It was raised (again): from the first step. */
void escalation_begin(Dispatch *d, Told *t, const Stamp *now);
/* Takes the steps whose time has come. again: those who know of it are reminded. */
void escalation_run(Dispatch *d, Told *t, bool again, const Stamp *now);
void escalation_schedule(Dispatch *d, Told *t);
void escalation_tick(Dispatch *d, const Stamp *now);
int64_t escalation_repeat(const Told *t, const Stamp *now); /* the first repetition from now on */

/* --- silencing.c --- */
/* Whether a silence holds it back now; where it is active that is put on record. */
bool silencing_begin(Dispatch *d, Told *t, const Stamp *now);
void silencing_tick(Dispatch *d, const Stamp *now);
