/* The life of alerts: pending, active, resolved. Pure: time is an argument, transitions go to a callback.
 * (monotonic time is used for durations, wall time for what is recorded.) */
#pragma once

#include "model/alert.h"

typedef struct AlertManager AlertManager;

/* Called for each raise and resolve, in order. */
typedef void (*AlertEventFn)(void *userdata, const AlertEvent *e);

enum {
        ALERTS_MAX = 65536 /* alerts in any state but inactive; beyond it the lowest priority is shed and counted */
};

int alert_manager_new(
                const Registry *registry, AlertEventFn fn, void *userdata, AlertManager **ret) _must_check_;
AlertManager *alert_manager_free(AlertManager *m);
DEFINE_CLEANUP(AlertManager *, alert_manager_free);

/* What a rule says; rule strings are copied where needed. */
int alert_manager_outcome(AlertManager *m, const RuleOutcome *o, const AlertRule *rule, const Stamp *now);
/* A technical alert of the gateway itself, by name; raising what is active or clearing what is not is nothing. */
int alert_manager_raise(AlertManager *m, const char *name, const char *summary, const Stamp *now);
int alert_manager_clear(AlertManager *m, const char *name, const Stamp *now);
/* `for` and `keep_firing_for` running out. */
void alert_manager_tick(AlertManager *m, const Stamp *now);
int64_t alert_manager_deadline(const AlertManager *m); /* monotonic us; INT64_MAX: never */

/* Over a restart: an active alert as the store kept it (no event is made). */
int alert_manager_restore(AlertManager *m, const AlertEvent *active);
/* Rules that are gone after a reload: their alerts are resolved, with an event. */
void alert_manager_retain(AlertManager *m, bool (*keep)(void *userdata, const char *rule), void *userdata,
                const Stamp *now);
/* Active alerts, oldest first. */
typedef void (*AlertVisitFn)(void *userdata, const AlertEvent *e);
void alert_manager_visit(const AlertManager *m, AlertVisitFn fn, void *userdata);
