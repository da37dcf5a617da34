/* Steps and repetitions. */
#include "alert/dispatch_internal.h"

unsigned escalation_wanted(const Dispatch *d, Priority priority) {
        unsigned bits = 0;

        for (unsigned r = 0; r < d->routing->receiver_count; r++)
                if (priority >= d->routing->receivers[r].min_priority)
                        bits |= 1U << r;
        return bits;
}

static int64_t period(const Told *t) {
        if (!t->route)
                return 0;
        if (t->event.priority == PRIORITY_TECHNICAL || t->event.subject == SUBJECT_NONE)
                return t->route->repeat_all ? t->route->repeat_us : 0;
        return t->route->repeat_us;
}

int64_t escalation_repeat(const Told *t, const Stamp *now) {
        return period(t) > 0 ? now->mono_us + period(t) : INT64_MAX;
}

/* The last step up to `due` that names the receiver, from 1; 0: none. */
static uint32_t step_of(const Route *route, uint32_t due, unsigned receiver) {
        while (due > 0 && !(route->steps[due - 1].receivers & 1U << receiver))
                due--;
        return due;
}

static Telling news_of(const Told *t, uint32_t step) {
        if (step > 1)
                return (Telling){ TRANSITION_ESCALATED, step };
        return (Telling){ t->reraised ? TRANSITION_RERAISED : TRANSITION_RAISED, 0 };
}

/* Takes the steps whose time has come; returns how many there were before. */
static uint32_t reach(Dispatch *d, Told *t, const Stamp *now) {
        const Route *route = t->route;
        uint32_t before = MIN(t->steps, (uint32_t) route->step_count);

        t->steps = before;
        while (t->steps < route->step_count &&
                        t->raised_us + route->steps[t->steps].after_us <= now->mono_us) {
                t->steps++;
                t->dirty = true;
                if (t->steps > 1)
                        telling_record(d, t, (Telling){ TRANSITION_ESCALATED, t->steps }, "", "", now);
        }
        return before;
}

static void remind(Dispatch *d, Told *t, unsigned receivers, const Stamp *now) {
        if (receivers == 0)
                return;
        const Telling news = { TRANSITION_REPEATED, ++t->repeats };
        t->dirty = true;
        telling_record(d, t, news, "", "", now);
        for (unsigned r = 0; r < d->routing->receiver_count; r++)
                if (receivers & 1U << r)
                        tell(d, t, r, news, now);
}

void escalation_run(Dispatch *d, Told *t, bool again, const Stamp *now) {
        const unsigned wanted = escalation_wanted(d, t->event.priority);
        unsigned reminded = again ? t->known & wanted : 0;
        uint32_t before = t->route ? reach(d, t, now) : 0;

        for (unsigned r = 0; r < d->routing->receiver_count; r++) {
                const unsigned bit = 1U << r;
                uint32_t step = t->route && wanted & bit ? step_of(t->route, t->steps, r) : 0;

                /* a new step; or one that a reload, a restart or a silence kept from the receiver */
                if (step > before || (step > 0 && !((t->known | t->waiting | t->held) & bit))) {
                        tell(d, t, r, news_of(t, step), now);
                        reminded &= ~bit;
                }
        }
        remind(d, t, reminded, now);
}

void escalation_begin(Dispatch *d, Told *t, const Stamp *now) {
        t->raised_us = dispatch_mono(t->event.raised_us, now);
        t->steps = t->repeats = 0;
        t->stale = t->known;
        t->dirty = true;
        t->repeat_us = escalation_repeat(t, now);
        if (!silencing_begin(d, t, now))
                escalation_run(d, t, false, now);
        escalation_schedule(d, t);
}

void escalation_schedule(Dispatch *d, Told *t) {
        int64_t next_us = t->repeat_us;

        if (t->event.state != ALERT_ACTIVE || t->silenced) {
                heap_remove(&d->timers, &t->timer);
                return;
        }
        if (t->route && t->steps < t->route->step_count)
                next_us = MIN(next_us, t->raised_us + t->route->steps[t->steps].after_us);
        if (next_us == INT64_MAX)
                heap_remove(&d->timers, &t->timer);
        else
                heap_set(&d->timers, &t->timer, next_us);
}

/* Restored: they may not have had it before the end. */
static void tell_again(Dispatch *d, Told *t, const Stamp *now) {
        t->retell = false;
        if (t->event.state != ALERT_RESOLVED && silencing_begin(d, t, now))
                return;
        for (unsigned r = 0; r < d->routing->receiver_count; r++)
                if (t->known & ~t->stale & 1U << r)
                        tell(d, t, r, t->last[r], now);
}

/* Once for all repetitions whose time is over. */
static void repeat(Dispatch *d, Told *t, const Stamp *now) {
        const int64_t every_us = period(t);

        if (every_us == 0 || t->repeat_us > now->mono_us)
                return;
        remind(d, t, t->known & escalation_wanted(d, t->event.priority), now);
        t->repeat_us += every_us * ((now->mono_us - t->repeat_us) / every_us + 1);
        t->dirty = true;
}

static void wake(Dispatch *d, Told *t, const Stamp *now) {
        if (t->retell)
                tell_again(d, t, now);
        if (t->event.state == ALERT_RESOLVED && t->held == 0) {
                told_changed(d, t);
                told_drop(d, t);
                return;
        }
        if (t->event.state == ALERT_ACTIVE && !silencing_begin(d, t, now)) {
                escalation_run(d, t, false, now);
                repeat(d, t, now);
        }
        escalation_schedule(d, t);
        told_changed(d, t);
}

void escalation_tick(Dispatch *d, const Stamp *now) {
        while (heap_key(&d->timers) <= now->mono_us)
                wake(d, container_of(heap_top(&d->timers), Told, timer), now);
}
