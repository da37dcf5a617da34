/* Alert events -> notices to receivers: routes, escalation, repetition, grouping, quiet hours, rate limits, silences. Pure:
 * time is an argument, notices go to a callback.
 *
 * The rules that it follows:
 * - An alert is told to its route's first step when it is raised or raised again (steps start anew then), to each further
 *   step once that step's time is over and nobody has acknowledged it, to those who know of it when it is acknowledged,
 *   latched or resolved. A receiver that several steps name is told again at each. While the alert is active (not
 *   acknowledged) it is told again to those who know after each `repeat`. min_priority counts for all but its end.
 * - Nothing of high priority is ever held back. What else is raised of one subject for one receiver within
 *   `group_interval` after the last goes together in one notice when the interval is over (alerts of the gateway itself
 *   count as of one subject). What is over a receiver's rate, or in quiet hours, is held and goes in one digest when there
 *   is room: as it stands by then, and what is over by then is only counted, unless the receiver knew of it. In a digest
 *   of more than NOTICE_ALERTS_MAX the others are told by number alone, but those of medium priority come in the next
 *   one. Held is on record (TRANSITION_HELD) once an alert; waiting for a group is not.
 * - A silenced alert is told to nobody; on record once (TRANSITION_SILENCED). Steps' times run on. When the silence is
 *   over it is as if it were raised then: who did not know is told by the last step that has come, who knew is reminded
 *   (TRANSITION_REPEATED). That it is resolved is told to those who knew.
 * - A key says what a notice is about, the same again after a restart: "<alert id>:raised", "...:escalated-2" (the second
 *   step; raising is the first), "...:repeated-3", "...:acknowledged", "...:reraised-<raised_us>", "...:latched",
 *   "...:resolved"; once an alert was raised again, "-<raised_us>" ends all of them but the first and the last. Of
 *   several: "group-" or "digest-" and SHA-256 of their keys, each with a newline; of a digest that only counts, of the
 *   time.
 * - Limits: ALERTS_MAX alerts, as many that are over but still to be told, and a few bytes a subject; what is held for
 *   one receiver is a count and the alerts themselves. An event costs O(log n). Where memory ends, nothing is held. */
#pragma once

#include "alert/alert.h"
#include "alert/routing.h"
#include "alert/silence.h"
#include "base/cbor.h"

enum {
        NOTICE_ALERTS_MAX = 20, /* shown in one notice; more are counted */
        NOTICE_KEY_MAX = 96,
        DISPATCH_MEMORY_MAX = 256, /* bytes of dispatch_save() */
};

typedef enum NoticeKind { NOTICE_ALERT, NOTICE_GROUP, NOTICE_DIGEST } NoticeKind;

const char *notice_kind_name(NoticeKind k); /* "alert", "group", "digest" */

typedef struct Notice {
        unsigned receiver; /* its number in the routing */
        NoticeKind kind;
        char key[NOTICE_KEY_MAX];
        Priority priority;        /* the highest of its alerts */
        const AlertEvent *alerts; /* borrowed for the call; transition and step say why it is told */
        size_t count;
        uint64_t more; /* held back and not among alerts: over by now, or beyond NOTICE_ALERTS_MAX */
} Notice;

typedef struct DispatchCallbacks {
        /* Tell a receiver. */
        void (*notify)(void *userdata, const Notice *n);
        /* TRANSITION_ESCALATED, REPEATED, SILENCED, HELD: for the record. */
        void (*record)(void *userdata, const AlertEvent *e);
        /* What is known of the alert changed: dispatch_save() it, now or later. */
        void (*changed)(void *userdata, const AlertEvent *e);
        /* A silence ended by itself. */
        void (*silence_over)(void *userdata, const Silence *s);
        void *userdata;
} DispatchCallbacks; /* none may call the dispatch, but to look at it */

typedef struct Dispatch Dispatch;

/* routing and registry are borrowed. */
int dispatch_new(const Routing *routing, const Registry *registry, const DispatchCallbacks *c,
                Dispatch **ret) _must_check_;
Dispatch *dispatch_free(Dispatch *d);
DEFINE_CLEANUP(Dispatch *, dispatch_free);
/* After a reload: routes are looked up again; receivers are known by name. Both routings are valid for the call. */
void dispatch_use(Dispatch *d, const Routing *routing, const Stamp *now);

/* An event of the alert manager, in order. -ENOMEM: it was told to its route's first step nevertheless. -EINVAL: none of
 * the manager's transitions. */
int dispatch_event(Dispatch *d, const AlertEvent *e, const Stamp *now);
/* local_offset_us: of local time against UTC, for quiet hours; it counts until the next tick. Tick once before the first
 * event. */
void dispatch_tick(Dispatch *d, const Stamp *now, int64_t local_offset_us);
int64_t dispatch_deadline(const Dispatch *d); /* monotonic us; INT64_MAX: never */

/* As silence_add(), and -EINVAL where it is over or longer than silence_max. */
int dispatch_silence(Dispatch *d, const Silence *s, const Stamp *now) _must_check_;
int dispatch_unsilence(Dispatch *d, const char *id, const Stamp *now) _must_check_; /* -ENOENT */
const SilenceList *dispatch_silences(const Dispatch *d);
/* The silence that holds an active alert back, or NULL. */
const Silence *dispatch_silence_of(const Dispatch *d, const AlertEvent *e);

/* Over a restart: what is known of an alert (who was told, which step was reached), as CBOR; w has room for
 * DISPATCH_MEMORY_MAX bytes. Of one that is resolved: who is still to be told that it is. -ENOENT: nothing. */
int dispatch_save(const Dispatch *d, const char *alert, CborWriter *w) _must_check_;
/* The alert as the store kept it, with what dispatch_save() wrote (may be empty: then nobody knows of it). With the next
 * tick those who knew are told once more of its last transition, with the same key (the end may have come before they
 * were), and steps whose time has come meanwhile are taken. What waited for a group or a digest is told anew. One that is
 * resolved is told to those who knew, and forgotten. -EBADMSG: nobody knows of it, but it is followed; -EINVAL, -EEXIST,
 * -ENOSPC, -ENOMEM: it is not. */
int dispatch_restore(Dispatch *d, const AlertEvent *e, Bytes memory, const Stamp *now) _must_check_;

/* Active and acknowledged alerts that a receiver was told of, for its refresh; oldest first. */
void dispatch_visit(const Dispatch *d, unsigned receiver, AlertVisitFn fn, void *userdata);
/* Alerts that are held back or wait for a group now, and how often that was since the start. */
void dispatch_held(const Dispatch *d, unsigned receiver, uint64_t *ret_now, uint64_t *ret_total);
