/* The life of alerts: pending, active, acknowledged, resolved. Pure: time is an argument, transitions go to a callback.
 * Durations are of monotonic time, what is recorded is wall time.
 *
 * What an outcome does to the alert of its rule and subject:
 *
 *             none                pending              active                          acknowledged
 *   true      pending, or raised  raised after `for`   stays; raised again (RERAISED)  stays; after `reraise_after`
 *             without `for`                            where it was latched            active again (RERAISED)
 *   false     nothing             dropped              after `keep_firing_for` of      after `keep_firing_for` of
 *                                                      false: resolved, or latched     false: resolved
 *   unknown   nothing             dropped              stays; `keep_firing_for`        stays; `keep_firing_for`
 *                                                      starts anew                     starts anew
 *
 * A rule that latches keeps its alert active after the condition has ended, until somebody has acknowledged it; then it
 * is resolved at once. `for` means that fresh values were true all that time: a sensor that falls off in the middle does
 * not raise an alert from a stale value (absent() in a rule covers its silence). Nor does unknown ever resolve one, or
 * keep one that is acknowledged from being raised again: what isn't known to be over goes on.
 *
 * A latched alert whose condition flaps is raised again at most once in ALERT_RERAISE_PAUSE_US: true sooner than that
 * after it was raised last, it goes on untold, and is raised again when the pause is over if it is true then. It is told
 * as latched once each time that it was raised.
 *
 * In an event, ended_us is when the condition became false (before `keep_firing_for`), value the newest one, and summary
 * and labels are as of when it was raised last, or could have been. who stays with the event that resolves it. */
#pragma once

#include "model/alert.h"

typedef struct AlertManager AlertManager;

/* Called for each of the first five transitions, in order. May raise technical alerts, nothing else of the manager. */
typedef void (*AlertEventFn)(void *userdata, const AlertEvent *e);

enum {
        /* Alerts in any state but inactive (about 1 KiB each). Beyond it the newest alert of the lowest priority is shed
         * for one of a higher priority (with a resolving event whose note says so, where it was told of); where there is
         * none lower, the new one is not begun. Both are counted. */
        ALERTS_MAX = 16384,
        ALERT_ID_SIZE = 16, /* bytes, twice as many hexadecimal digits */
};

#define ALERT_RERAISE_PAUSE_US (60 * USEC_PER_SEC)

int alert_manager_new(
                const Registry *registry, AlertEventFn fn, void *userdata, AlertManager **ret) _must_check_;
AlertManager *alert_manager_free(AlertManager *m);
DEFINE_CLEANUP(AlertManager *, alert_manager_free);

/* What a rule says; rule strings are copied where needed. What ran out before the outcome's mono_us comes first, so that
 * events do not depend on how late a timer is; outcomes come in order of mono_us. An alert's since is the outcome's time
 * of its first truth, its id SHA-256 over rule name, NUL, subject name, NUL and since (8 bytes big-endian), cut to
 * ALERT_ID_SIZE: the same reading gives the same id again after a crash. Where that very alert has just been resolved (a
 * device whose clock is coarse), since is moved on by a microsecond. -ENOMEM. */
int alert_manager_outcome(AlertManager *m, const RuleOutcome *o, const AlertRule *rule, const Stamp *now);
/* A technical alert of the gateway itself, by name; it does not latch. Raising what is active or clearing what is not is
 * nothing. -EINVAL for a name of ALERT_NAME_MAX bytes or more, -ENOMEM. */
int alert_manager_raise(AlertManager *m, const char *name, const char *summary, const Stamp *now);
void alert_manager_clear(AlertManager *m, const char *name, const Stamp *now);
/* Somebody has seen it and takes care. who and note are cut to their lengths. -ENOENT where no such alert is active or
 * acknowledged, -EALREADY where it is acknowledged. */
int alert_manager_acknowledge(
                AlertManager *m, const char *id, const char *who, const char *note, const Stamp *now);
/* `for`, `keep_firing_for` and `reraise_after` running out. The event's time is when they did, however late the call. */
void alert_manager_tick(AlertManager *m, const Stamp *now);
int64_t alert_manager_deadline(const AlertManager *m); /* monotonic us; INT64_MAX: never */

/* Over a restart: an active, latched or acknowledged alert as the store kept it, its last event of those that change it.
 * No event is made. Its monotonic times are those of now's boot, whatever the wall clock has been set to since; an
 * acknowledged one is raised again `reraise_after` after that. rule: as in force now, NULL where there is none any more.
 * -EINVAL, -ENOSPC, -EEXIST, -ENOMEM. */
int alert_manager_restore(AlertManager *m, const AlertEvent *event, const AlertRule *rule) _must_check_;
/* Then the readings of the last while are replayed between these two. What they did to alerts up to recorded_us (the
 * monotonic time of the newest recorded entry) is on record and not told again: only what was pending and which
 * `keep_firing_for` was running is found out. What runs out later, also while nobody watched, is told with its time.
 * - Outcomes from before a restored alert was raised do nothing to it.
 * - What would have been raised by recorded_us and is not among the restored has been over since: false and unknown end it
 *   untold. Where neither comes (rules are new, it was shed), its next true outcome after recorded_us raises it, as an
 *   alert of its own.
 * - What would have ended a restored alert by recorded_us, and did not, ends it right after. */
void alert_manager_replay_begin(AlertManager *m, int64_t recorded_us);
void alert_manager_replay_end(AlertManager *m, const Stamp *now);

/* After a reload: alerts of rules that are gone are resolved, with an event; to those of rules that are kept it is as an
 * unknown outcome, because the new rules have seen nothing yet. The gateway's own are not asked for. */
void alert_manager_retain(AlertManager *m, bool (*keep)(void *userdata, const char *rule), void *userdata,
                const Stamp *now);
/* The subject left its last device, no reading will end its alerts: they are resolved, with an event, latched or not. */
void alert_manager_release(AlertManager *m, SubjectId subject, const Stamp *now);
/* Active and acknowledged alerts, oldest first. */
typedef void (*AlertVisitFn)(void *userdata, const AlertEvent *e);
void alert_manager_visit(const AlertManager *m, AlertVisitFn fn, void *userdata);
/* How many were shed since the start. */
uint64_t alert_manager_shed(const AlertManager *m);
