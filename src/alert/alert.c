#include "alert/alert.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "alert/life.h"
#include "model/summary.h"

int alert_manager_new(const Registry *registry, AlertEventFn fn, void *userdata, AlertManager **ret) {
        AlertManager *m = calloc(1, sizeof *m);

        if (!m)
                return -ENOMEM;
        m->registry = registry;
        m->fn = fn;
        m->userdata = userdata;
        m->recorded_us = INT64_MIN;
        *ret = m;
        return 0;
}

AlertManager *alert_manager_free(AlertManager *m) {
        if (!m)
                return NULL;
        alert_table_done(&m->table);
        heap_done(&m->timers);
        free(m);
        return NULL;
}

/* --- outcomes of rules --- */

static void note_rule(Alert *a, const AlertRule *rule) {
        memcpy(a->event.rule_hash, rule->hash, sizeof a->event.rule_hash);
        a->reraise_us = rule->reraise_us;
        a->latch = rule->latch;
}

/* For an alert that may be raised now or later without a further outcome. */
static void describe(Alert *a, const RuleOutcome *o, const AlertRule *rule) {
        a->event.summary[0] = '\0';
        if (o->summarise)
                o->summarise(o, a->event.summary);
        (void) snprintf(a->event.labels, sizeof a->event.labels, "%s", rule->labels ? rule->labels : "");
}

static bool may_be_raised(const Alert *a) {
        return a->event.state == ALERT_PENDING || a->latched ||
               (a->event.state == ALERT_ACKNOWLEDGED && a->reraise_us > 0);
}

static int begin(
                AlertManager *m, const RuleOutcome *o, const AlertRule *rule, const Stamp *at, Alert **ret) {
        AlertEvent e = { .priority = rule->priority, .subject = o->subject, .since_us = o->time_us };

        return alert_begin(m, &e, rule->name, at, ret);
}

static int is_true(AlertManager *m, Alert *a, const RuleOutcome *o, const AlertRule *rule, const Stamp *at) {
        int64_t for_us = rule->for_us;
        bool is_new = !a;

        if (a && alert_is_spent(a) && !alert_on_record(m, at->mono_us)) {
                /* it has been true for long enough, but its id may be that of an alert that is over */
                alert_drop(m, a);
                is_new = true;
                for_us = 0;
        }
        if (is_new) {
                int r = begin(m, o, rule, at, &a);
                if (r < 0 || !a)
                        return r;
        }
        note_rule(a, rule);
        a->event.value = o->value;
        if (may_be_raised(a))
                describe(a, o, rule);
        if (is_new) {
                alert_schedule(m, a, at->mono_us + for_us, at);
        } else if (alert_is_told(a)) {
                a->event.ended_us = a->false_us = TIME_NONE;
                alert_hold(m, a, at);
        }
        return 0;
}

static void is_false(
                AlertManager *m, Alert *a, const RuleOutcome *o, const AlertRule *rule, const Stamp *at) {
        if (a->event.state == ALERT_PENDING) {
                alert_drop(m, a);
                return;
        }
        note_rule(a, rule);
        a->event.value = o->value;
        if (a->event.ended_us != TIME_NONE || a->false_us != TIME_NONE)
                return;
        a->false_us = at->wall_us;
        alert_schedule(m, a, at->mono_us + rule->keep_firing_us, at);
}

static void is_unknown(AlertManager *m, Alert *a, const Stamp *at) {
        if (a->event.state == ALERT_PENDING) {
                alert_drop(m, a);
        } else if (a->event.ended_us == TIME_NONE) {
                a->false_us = TIME_NONE;
                alert_hold(m, a, at);
        }
}

/* Replayed, and on record since before the alert was raised: it tells nothing but what its rule is. */
static bool is_from_before(const AlertManager *m, const Alert *a, const RuleOutcome *o) {
        return alert_is_told(a) && alert_on_record(m, o->mono_us) && o->mono_us < a->event.raised_mono_us;
}

int alert_manager_outcome(AlertManager *m, const RuleOutcome *o, const AlertRule *rule, const Stamp *now) {
        const Stamp at = {
                .wall_us = now->wall_us - (now->mono_us - o->mono_us),
                .mono_us = o->mono_us,
        };

        if (o->truth != TRUTH_TRUE && !alert_table_has(&m->table, o->subject))
                return 0;
        alert_run_timers(m, o->mono_us, now);
        Alert *a = alert_table_find(&m->table, alert_hash(rule->name, o->subject), rule->name, o->subject);
        if (a && is_from_before(m, a, o)) {
                note_rule(a, rule);
                is_unknown(m, a, &at);
                return 0;
        }
        switch (o->truth) {
        case TRUTH_TRUE:
                return is_true(m, a, o, rule, &at);
        case TRUTH_FALSE:
                if (a)
                        is_false(m, a, o, rule, &at);
                return 0;
        case TRUTH_UNKNOWN:
                if (a) {
                        note_rule(a, rule);
                        is_unknown(m, a, &at);
                }
                return 0;
        }
        return -EINVAL;
}

void alert_manager_tick(AlertManager *m, const Stamp *now) {
        alert_run_timers(m, now->mono_us + 1, now);
}

int64_t alert_manager_deadline(const AlertManager *m) {
        return heap_key(&m->timers);
}

/* --- people --- */

int alert_manager_acknowledge(
                AlertManager *m, const char *id, const char *who, const char *note, const Stamp *now) {
        alert_run_timers(m, now->mono_us, now);
        for (size_t p = 0; p < PRIORITY_COUNT; p++)
                for (Alert *a = m->lists[p].oldest; a; a = a->newer) {
                        if (!alert_is_told(a) || !streq(a->event.id, id))
                                continue;
                        if (a->event.state == ALERT_ACKNOWLEDGED)
                                return -EALREADY;
                        alert_acknowledge(m, a, who, note, now);
                        return 0;
                }
        return -ENOENT;
}

/* --- the gateway's own --- */

static Alert *find_technical(const AlertManager *m, const char *name) {
        return alert_table_find(&m->table, alert_hash(name, SUBJECT_NONE), name, SUBJECT_NONE);
}

int alert_manager_raise(AlertManager *m, const char *name, const char *summary, const Stamp *now) {
        AlertEvent e = {
                .priority = PRIORITY_TECHNICAL,
                .subject = SUBJECT_NONE,
                .value = (double) NAN,
                .since_us = now->wall_us,
        };
        Alert *a;

        if (find_technical(m, name))
                return 0;
        summary_copy(summary, e.summary);
        int r = alert_begin(m, &e, name, now, &a);
        if (r < 0 || !a)
                return r;
        alert_raise(m, a, now);
        return 0;
}

void alert_manager_clear(AlertManager *m, const char *name, const Stamp *now) {
        Alert *a = find_technical(m, name);

        if (!a)
                return;
        a->event.ended_us = now->wall_us;
        alert_resolve(m, a, now->wall_us, "");
}

/* --- reloads, subjects that go --- */

static void end(AlertManager *m, Alert *a, const Stamp *now, const char *note) {
        if (alert_is_told(a))
                alert_resolve(m, a, now->wall_us, note);
        else
                alert_drop(m, a);
}

void alert_manager_retain(AlertManager *m, bool (*keep)(void *userdata, const char *rule), void *userdata,
                const Stamp *now) {
        alert_run_timers(m, now->mono_us, now);
        for (size_t p = PRIORITY_COUNT; p-- > 0;)
                for (Alert *a = m->lists[p].oldest, *newer; a; a = newer) {
                        newer = a->newer;
                        if (a->event.subject == SUBJECT_NONE)
                                continue;
                        if (keep(userdata, a->event.rule))
                                is_unknown(m, a, now);
                        else
                                end(m, a, now, "The rule is gone");
                }
}

void alert_manager_release(AlertManager *m, SubjectId subject, const Stamp *now) {
        alert_run_timers(m, now->mono_us, now);
        for (size_t p = PRIORITY_COUNT; p-- > 0;)
                for (Alert *a = m->lists[p].oldest, *newer; a; a = newer) {
                        newer = a->newer;
                        if (a->event.subject == subject)
                                end(m, a, now, "The subject has no device any more");
                }
}

/* --- views --- */

void alert_manager_visit(const AlertManager *m, AlertVisitFn fn, void *userdata) {
        const Alert *at[PRIORITY_COUNT];

        for (size_t p = 0; p < PRIORITY_COUNT; p++)
                at[p] = m->lists[p].oldest;
        for (;;) {
                const Alert **oldest = NULL;

                for (size_t p = 0; p < PRIORITY_COUNT; p++)
                        if (at[p] && (!oldest || at[p]->event.since_us < (*oldest)->event.since_us))
                                oldest = &at[p];
                if (!oldest)
                        return;
                if (alert_is_told(*oldest))
                        fn(userdata, &(*oldest)->event);
                *oldest = (*oldest)->newer;
        }
}

uint64_t alert_manager_shed(const AlertManager *m) {
        return m->shed;
}
