#include "alert/dispatch.h"

#include <errno.h>
#include <stdio.h>

#include "alert/dispatch_internal.h"

int dispatch_new(const Routing *routing, const Registry *registry, const DispatchCallbacks *c,
                Dispatch **ret) {
        Dispatch *d = calloc(1, sizeof *d);

        if (!d)
                return -ENOMEM;
        d->routing = routing;
        d->registry = registry;
        d->callbacks = *c;
        d->quiet_until_us = INT64_MIN;
        *ret = d;
        return 0;
}

Dispatch *dispatch_free(Dispatch *d) {
        if (!d)
                return NULL;
        told_done(d);
        group_done(d);
        for (size_t r = 0; r < ELEMENTS(d->outlets); r++)
                held_done(&d->outlets[r]);
        heap_done(&d->timers);
        silence_list_done(&d->silences);
        free(d);
        return NULL;
}

/* --- events --- */

/* Without memory to follow it. */
static void tell_unfollowed(Dispatch *d, const AlertEvent *e, const Stamp *now) {
        const Subject *subject = told_subject(d, e);
        const Route *route = routing_find(d->routing, e, subject);
        Told t = { .event = *e, .reraised = e->transition == TRANSITION_RERAISED };
        Told *const items[] = { &t };

        if (!route || silence_find(&d->silences, e, subject))
                return;
        for (unsigned r = 0; r < d->routing->receiver_count; r++)
                if (route->steps[0].receivers & escalation_wanted(d, e->priority) & 1U << r) {
                        t.last[r].transition = e->transition;
                        telling_send(d, r, NOTICE_ALERT, items, 1, 0, now);
                }
}

static int raised(Dispatch *d, Told *t, const AlertEvent *e, const Stamp *now) {
        int r = t ? 0 : told_add(d, e, &t);

        if (r < 0) {
                tell_unfollowed(d, e, now);
                return r;
        }
        t->reraised |= e->transition == TRANSITION_RERAISED;
        t->route = routing_find(d->routing, e, told_subject(d, e));
        escalation_begin(d, t, now);
        told_changed(d, t);
        return 0;
}

/* Acknowledged or latched. */
static void news(Dispatch *d, Told *t, const Stamp *now) {
        const Telling what = { t->event.transition, 0 };

        t->dirty = true;
        if (!t->silenced) {
                tell_known(d, t, what, now);
        } else {
                t->stale = 0;
                for (unsigned r = 0; r < d->routing->receiver_count; r++)
                        t->last[r] = what;
        }
        escalation_schedule(d, t);
        told_changed(d, t);
}

int dispatch_event(Dispatch *d, const AlertEvent *e, const Stamp *now) {
        Told *t = told_find(d, e->id);

        held_quiet(d, now);
        if (t && t->event.state == ALERT_RESOLVED) {
                told_drop(d, t);
                t = NULL;
        }
        if (t) {
                /* what waits does so by its priority */
                if (t->event.priority != e->priority)
                        tell_withdraw(d, t);
                t->event = *e;
        }
        switch (e->transition) {
        case TRANSITION_RAISED:
        case TRANSITION_RERAISED:
                return raised(d, t, e, now);
        case TRANSITION_ACKNOWLEDGED:
        case TRANSITION_LATCHED:
                if (t)
                        news(d, t, now);
                return 0;
        case TRANSITION_RESOLVED:
                if (t)
                        tell_resolved(d, t, now);
                return 0;
        case TRANSITION_ESCALATED:
        case TRANSITION_REPEATED:
        case TRANSITION_SILENCED:
        case TRANSITION_HELD:
        case TRANSITION_DELIVERED:
        case TRANSITION_UNDELIVERED:
                break;
        }
        return -EINVAL;
}

void dispatch_tick(Dispatch *d, const Stamp *now, int64_t local_offset_us) {
        d->local_offset_us = local_offset_us;
        held_quiet(d, now);
        silencing_tick(d, now);
        escalation_tick(d, now);
        group_tick(d, now);
        held_tick(d, now);
}

int64_t dispatch_deadline(const Dispatch *d) {
        int64_t timers = MIN(heap_key(&d->timers), heap_key(&d->group_timers));
        int64_t others = MIN(silence_deadline(&d->silences), held_deadline(d));

        return MIN(timers, others);
}

/* --- another configuration --- */

/* Which number a receiver of the new routing had, -1 where it is new. */
static void find_old(const Routing *old, const Routing *new, int of[static ROUTING_RECEIVERS_MAX]) {
        for (size_t i = 0; i < ROUTING_RECEIVERS_MAX; i++) {
                of[i] = -1;
                for (size_t j = 0; i < new->receiver_count &&j < old->receiver_count; j++)
                        if (streq(new->receivers[i].name, old->receivers[j].name))
                                of[i] = (int) j;
        }
}

static unsigned renumber_bits(unsigned bits, const int of[static ROUTING_RECEIVERS_MAX]) {
        unsigned result = 0;

        for (size_t i = 0; i < ROUTING_RECEIVERS_MAX; i++)
                if (of[i] >= 0 && bits & 1U << of[i])
                        result |= 1U << i;
        return result;
}

static void renumber(Told *t, const int of[static ROUTING_RECEIVERS_MAX]) {
        const Told old = *t;

        t->known = renumber_bits(old.known, of);
        t->stale = renumber_bits(old.stale, of);
        t->waiting = renumber_bits(old.waiting, of);
        t->held = renumber_bits(old.held, of);
        for (size_t i = 0; i < ROUTING_RECEIVERS_MAX; i++)
                if (of[i] >= 0) {
                        t->last[i] = old.last[of[i]];
                        t->place[i] = old.place[of[i]];
                }
}

static void renumber_outlets(Dispatch *d, const Routing *routing, const int of[static ROUTING_RECEIVERS_MAX],
                const Stamp *now) {
        Outlet old[ROUTING_RECEIVERS_MAX];

        memcpy(old, d->outlets, sizeof old);
        memset(d->outlets, 0, sizeof d->outlets);
        for (size_t i = 0; i < ROUTING_RECEIVERS_MAX; i++)
                if (of[i] >= 0) {
                        Outlet *o = &d->outlets[i];
                        *o = old[of[i]];
                        old[of[i]] = (Outlet){ 0 };
                        /* a slower rate's debt does not outlive it */
                        o->bucket_us = MIN(o->bucket_us, now->mono_us + routing->receivers[i].rate_per_us);
                }
        for (size_t i = 0; i < ROUTING_RECEIVERS_MAX; i++)
                held_done(&old[i]);
}

static void reroute(Dispatch *d, Told *t, const Stamp *now) {
        t->route = routing_find(d->routing, &t->event, told_subject(d, &t->event));
        t->repeat_us = MIN(t->repeat_us, escalation_repeat(t, now));
        if (escalation_repeat(t, now) == INT64_MAX)
                t->repeat_us = INT64_MAX;
        if (t->event.state == ALERT_ACTIVE && !t->silenced)
                escalation_run(d, t, false, now);
        escalation_schedule(d, t);
        told_changed(d, t);
}

void dispatch_use(Dispatch *d, const Routing *routing, const Stamp *now) {
        int of[ROUTING_RECEIVERS_MAX], gone[ROUTING_RECEIVERS_MAX];
        Told **all = told_sorted(d);
        size_t n = d->table.count;

        find_old(d->routing, routing, of);
        find_old(routing, d->routing, gone);
        for (size_t i = 0; i < n; i++) {
                for (unsigned r = 0; r < d->routing->receiver_count; r++)
                        if (gone[r] < 0)
                                tell_forget(d, all[i], r);
                renumber(all[i], of);
        }
        group_renumber(d, of);
        renumber_outlets(d, routing, of, now);
        d->routing = routing;
        held_quiet(d, now);
        for (size_t i = 0; i < n; i++)
                if (all[i]->event.state != ALERT_RESOLVED)
                        reroute(d, all[i], now);
                else if (all[i]->held == 0 && !all[i]->retell) {
                        all[i]->dirty = true;
                        told_changed(d, all[i]);
                        told_drop(d, all[i]);
                }
}

/* --- views --- */

void dispatch_visit(const Dispatch *d, unsigned receiver, AlertVisitFn fn, void *userdata) {
        Told **all = told_sorted(d);

        for (size_t i = 0; i < d->table.count; i++)
                if (all[i]->known & 1U << receiver && all[i]->event.state != ALERT_RESOLVED)
                        fn(userdata, &all[i]->event);
}

void dispatch_held(const Dispatch *d, unsigned receiver, uint64_t *ret_now, uint64_t *ret_total) {
        const Outlet *o = &d->outlets[receiver];

        *ret_now = o->waiting;
        for (size_t p = 0; p < HELD_PRIORITIES; p++)
                *ret_now += o->held[p].count;
        *ret_total = o->total;
}
