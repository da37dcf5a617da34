#include "alert/life.h"

#include <errno.h>
#include <stdio.h>

#include "base/sha256.h"
#include "base/utf8.h"

/* --- identity --- */

static const char *subject_name(const AlertManager *m, SubjectId subject) {
        return subject == SUBJECT_NONE ? "" : registry_subject(m->registry, subject)->name;
}

static void make_id(const AlertManager *m, AlertEvent *e) {
        uint8_t text[ALERT_NAME_MAX + NAME_MAX_LENGTH + sizeof(int64_t)];
        const char *subject = subject_name(m, e->subject);
        size_t n = 0;
        Hash h;

        memcpy(text, e->rule, strlen(e->rule) + 1);
        n += strlen(e->rule) + 1;
        memcpy(text + n, subject, strlen(subject) + 1);
        n += strlen(subject) + 1;
        be64_write(text + n, (uint64_t) e->since_us);
        sha256(BYTES(text, n + sizeof(int64_t)), &h);
        for (size_t i = 0; i < ALERT_ID_SIZE; i++)
                (void) snprintf(e->id + 2 * i, 3, "%02x", h.bytes[i]);
}

/* since, or a microsecond after the newest alert of the rule and subject that is over and had it, or was moved on from it. */
static int64_t unused_since(const AlertManager *m, uint32_t hash, SubjectId subject, int64_t since_us) {
        int64_t unused_us = since_us;

        for (size_t i = 0; i < m->recent_count; i++) {
                const RecentAlert *r = &m->recent[i];
                if (r->hash == hash && r->subject == subject && r->since_us >= since_us &&
                                r->since_us - since_us < RECENT_SPAN_US)
                        unused_us = MAX(unused_us, r->since_us + 1);
        }
        return unused_us;
}

static void remember(AlertManager *m, const Alert *a) {
        m->recent[m->recent_next] = (RecentAlert){
                .hash = a->hash, .subject = a->event.subject, .since_us = a->event.since_us
        };
        m->recent_next = (m->recent_next + 1) % RECENT_MAX;
        m->recent_count = MIN(m->recent_count + 1, (size_t) RECENT_MAX);
}

/* --- the alerts that there are --- */

static void list_add(AlertList *l, Alert *a) {
        Alert *older = l->newest;

        while (older && older->event.since_us > a->event.since_us)
                older = older->older;
        a->older = older;
        a->newer = older ? older->newer : l->oldest;
        *(a->older ? &a->older->newer : &l->oldest) = a;
        *(a->newer ? &a->newer->older : &l->newest) = a;
}

static void list_remove(AlertList *l, const Alert *a) {
        *(a->older ? &a->older->newer : &l->oldest) = a->newer;
        *(a->newer ? &a->newer->older : &l->newest) = a->older;
}

/* Takes it out of everything: the caller frees it. */
static void detach(AlertManager *m, Alert *a) {
        heap_remove(&m->timers, &a->timer);
        list_remove(&m->lists[a->event.priority], a);
        alert_table_remove(&m->table, a);
}

/* Makes room for an alert of that priority, see ALERTS_MAX. What is on record of that already is not done again: an
 * alert that is still there then was not shed. */
static bool make_room(AlertManager *m, Priority priority, const Stamp *at) {
        bool on_record = alert_on_record(m, at->mono_us);

        if (m->table.count < ALERTS_MAX)
                return true;
        m->shed += !on_record;
        for (size_t p = 0; p < priority; p++) {
                Alert *victim = m->lists[p].newest;
                if (!victim)
                        continue;
                if (!alert_is_told(victim))
                        alert_drop(m, victim);
                else if (on_record)
                        return false;
                else
                        alert_resolve(m, victim, at->wall_us, "Not followed any more: too many alerts");
                return true;
        }
        return false;
}

int alert_add(AlertManager *m, const AlertEvent *e, Alert **ret) {
        Alert *a = calloc(1, sizeof *a);

        if (!a)
                return -ENOMEM;
        a->event = *e;
        a->false_us = TIME_NONE;
        a->timer.tie = m->begun++;
        if (heap_reserve(&m->timers, m->table.count + 1) < 0 || alert_table_add(&m->table, a) < 0) {
                free(a);
                return -ENOMEM;
        }
        list_add(&m->lists[e->priority], a);
        *ret = a;
        return 0;
}

int alert_begin(AlertManager *m, AlertEvent *e, const char *rule, const Stamp *at, Alert **ret) {
        if (strlen(rule) >= sizeof e->rule)
                return -EINVAL;
        memcpy(e->rule, rule, strlen(rule) + 1);
        e->state = ALERT_PENDING;
        e->raised_us = e->ended_us = TIME_NONE;
        *ret = NULL;
        if (!make_room(m, e->priority, at))
                return 0;
        e->since_us = unused_since(m, alert_hash(rule, e->subject), e->subject, e->since_us);
        make_id(m, e);
        return alert_add(m, e, ret);
}

/* --- transitions --- */

static void tell(AlertManager *m, Alert *a, AlertTransition t, AlertState state, int64_t wall_us,
                const char *note) {
        a->event.transition = t;
        a->event.state = state;
        a->event.time_us = wall_us;
        utf8_copy(note, a->event.note, sizeof a->event.note);
        m->fn(m->userdata, &a->event);
}

void alert_drop(AlertManager *m, Alert *a) {
        if (alert_is_spent(a))
                remember(m, a);
        detach(m, a);
        free(a);
}

static void raise_as(AlertManager *m, Alert *a, AlertTransition t, const Stamp *at) {
        a->event.raised_mono_us = at->mono_us;
        a->latched = false;
        a->event.raised_us = at->wall_us;
        a->event.ended_us = TIME_NONE;
        a->event.who[0] = '\0';
        tell(m, a, t, ALERT_ACTIVE, at->wall_us, "");
}

void alert_raise(AlertManager *m, Alert *a, const Stamp *at) {
        raise_as(m, a, TRANSITION_RAISED, at);
}

void alert_resolve(AlertManager *m, Alert *a, int64_t wall_us, const char *note) {
        detach(m, a);
        remember(m, a);
        if (a->event.ended_us == TIME_NONE)
                a->event.ended_us = a->false_us;
        tell(m, a, TRANSITION_RESOLVED, ALERT_RESOLVED, wall_us, note);
        free(a);
}

/* It was told as latched already, was true again too soon to be told, and is over once more. */
static bool ends_untold(const Alert *a) {
        return a->false_us != TIME_NONE && a->event.state == ALERT_ACTIVE && a->latch && a->latched;
}

/* The condition is over. */
static void end(AlertManager *m, Alert *a, int64_t wall_us) {
        bool untold = ends_untold(a);

        if (a->event.state == ALERT_ACKNOWLEDGED || !a->latch) {
                alert_resolve(m, a, wall_us, "");
                return;
        }
        a->latched = true;
        a->event.ended_us = a->false_us;
        a->false_us = TIME_NONE;
        if (!untold)
                tell(m, a, TRANSITION_LATCHED, ALERT_ACTIVE, wall_us, "");
}

void alert_acknowledge(AlertManager *m, Alert *a, const char *who, const char *note, const Stamp *now) {
        a->event.acknowledged_mono_us = now->mono_us;
        utf8_copy(who, a->event.who, sizeof a->event.who);
        tell(m, a, TRANSITION_ACKNOWLEDGED, ALERT_ACKNOWLEDGED, now->wall_us, note);
        if (a->event.ended_us != TIME_NONE)
                alert_resolve(m, a, now->wall_us, "");
        else if (a->false_us == TIME_NONE)
                alert_hold(m, a, now);
}

/* --- time --- */

static void come_due(AlertManager *m, Alert *a, const Stamp *at) {
        if (alert_is_told(a) && !ends_untold(a) && alert_on_record(m, at->mono_us)) {
                /* it would be on record: rules or clocks are not what they were */
                heap_set(&m->timers, &a->timer, m->recorded_us + 1);
                return;
        }
        heap_remove(&m->timers, &a->timer);
        if (a->false_us != TIME_NONE)
                end(m, a, at->wall_us);
        else if (alert_is_told(a))
                raise_as(m, a, TRANSITION_RERAISED, at);
        else if (!alert_on_record(m, at->mono_us))
                alert_raise(m, a, at);
}

void alert_schedule(AlertManager *m, Alert *a, int64_t due_us, const Stamp *at) {
        if (due_us <= at->mono_us)
                come_due(m, a, at);
        else
                heap_set(&m->timers, &a->timer, due_us);
}

void alert_hold(AlertManager *m, Alert *a, const Stamp *at) {
        if (a->event.state == ALERT_ACKNOWLEDGED && a->reraise_us > 0)
                alert_schedule(m, a, a->event.acknowledged_mono_us + a->reraise_us, at);
        else if (a->event.state == ALERT_ACTIVE && a->latched)
                alert_schedule(m, a, a->event.raised_mono_us + ALERT_RERAISE_PAUSE_US, at);
        else
                heap_remove(&m->timers, &a->timer);
}

void alert_run_timers(AlertManager *m, int64_t before_us, const Stamp *now) {
        while (heap_key(&m->timers) < before_us) {
                Alert *a = container_of(heap_top(&m->timers), Alert, timer);
                const Stamp at = {
                        .wall_us = now->wall_us - (now->mono_us - a->timer.key),
                        .mono_us = a->timer.key,
                };

                come_due(m, a, &at);
        }
}
