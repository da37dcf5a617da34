#include <errno.h>

#include "alert/life.h"

int alert_manager_restore(AlertManager *m, const AlertEvent *event, const AlertRule *rule) {
        bool acknowledged = event->state == ALERT_ACKNOWLEDGED;
        AlertEvent e = *event;
        Alert *a;

        if ((e.state != ALERT_ACTIVE && !acknowledged) || e.priority > PRIORITY_HIGH ||
                        strnlen(e.rule, sizeof e.rule) == sizeof e.rule ||
                        (e.subject != SUBJECT_NONE && e.subject >= registry_subject_count(m->registry)))
                return -EINVAL;
        if (e.raised_us == TIME_NONE) /* of a ledger that did not keep it: this event is the raise */
                e.raised_us = e.time_us;
        if (m->table.count == ALERTS_MAX)
                return -ENOSPC;
        if (alert_table_find(&m->table, alert_hash(e.rule, e.subject), e.rule, e.subject))
                return -EEXIST;
        int r = alert_add(m, &e, &a);
        if (r < 0)
                return r;
        a->reraise_us = rule ? rule->reraise_us : 0;
        a->latch = rule && rule->latch;
        a->latched = !acknowledged && e.ended_us != TIME_NONE;
        if (acknowledged && e.ended_us != TIME_NONE) {
                /* the end came between its last two events */
                a->false_us = e.ended_us;
                heap_set(&m->timers, &a->timer, e.acknowledged_mono_us);
        }
        return 0;
}

void alert_manager_replay_begin(AlertManager *m, int64_t recorded_us) {
        m->recorded_us = recorded_us;
        /* the wall clock may have been set back since: what is on record was before */
        for (size_t p = 0; p < PRIORITY_COUNT; p++)
                for (Alert *a = m->lists[p].oldest; a; a = a->newer) {
                        a->event.raised_mono_us = MIN(a->event.raised_mono_us, recorded_us);
                        a->event.acknowledged_mono_us = MIN(a->event.acknowledged_mono_us, recorded_us);
                }
}

/* An acknowledged one of which no outcome has told meanwhile waits to be raised again all the same. */
static void hold_acknowledged(AlertManager *m) {
        for (size_t p = 0; p < PRIORITY_COUNT; p++)
                for (Alert *a = m->lists[p].oldest; a; a = a->newer)
                        if (a->event.state == ALERT_ACKNOWLEDGED && a->reraise_us > 0 &&
                                        a->timer.place == 0 && a->event.ended_us == TIME_NONE)
                                heap_set(&m->timers, &a->timer,
                                                MAX(a->event.acknowledged_mono_us + a->reraise_us,
                                                                m->recorded_us + 1));
}

void alert_manager_replay_end(AlertManager *m, const Stamp *now) {
        hold_acknowledged(m);
        alert_manager_tick(m, now);
        m->recorded_us = INT64_MIN;
}
