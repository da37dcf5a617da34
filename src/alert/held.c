/* What one receiver is not told now, because of its rate or of quiet hours, and the digest that tells it later.
 *
 * A rate is a token bucket, kept as the one time at which it is full again (the generic cell rate algorithm): each
 * notice moves that on by per / notices, and there is room while it is less than `per` ahead. */
#include <errno.h>

#include "alert/dispatch_internal.h"

static const int64_t minute_us = 60 * USEC_PER_SEC, day_us = 86400 * USEC_PER_SEC;

/* --- quiet hours --- */

void held_quiet(Dispatch *d, const Stamp *now) {
        const QuietHours *q = &d->routing->quiet;
        const int64_t from = q->from_min * minute_us, to = q->to_min * minute_us;
        int64_t at = (now->wall_us + d->local_offset_us) % day_us;

        at += at < 0 ? day_us : 0;
        bool quiet = from < to ? at >= from && at < to : from > to && (at >= from || at < to);
        d->quiet_until_us = quiet ? now->mono_us + (to - at + day_us) % day_us : INT64_MIN;
}

bool held_is_quiet(const Dispatch *d, Priority priority) {
        return d->quiet_until_us != INT64_MIN && priority <= d->routing->quiet.priority;
}

/* --- rates --- */

static int64_t token_us(const RoutingReceiver *r) {
        return r->rate_per_us / r->rate_notices;
}

/* When there is a token. */
static int64_t ready_us(const Dispatch *d, unsigned receiver) {
        const RoutingReceiver *r = &d->routing->receivers[receiver];

        return r->rate_notices == 0 ? INT64_MIN
                                    : d->outlets[receiver].bucket_us - token_us(r) * (r->rate_notices - 1);
}

void held_take(Dispatch *d, unsigned receiver, const Stamp *now) {
        const RoutingReceiver *r = &d->routing->receivers[receiver];
        Outlet *o = &d->outlets[receiver];

        if (r->rate_notices > 0)
                o->bucket_us = MAX(o->bucket_us, now->mono_us) + token_us(r);
}

/* --- the lists --- */

/* Whether there is something for a digest, apart from what quiet hours keep. */
static bool is_due(const Dispatch *d, const Outlet *o) {
        for (Priority p = PRIORITY_TECHNICAL; p < PRIORITY_HIGH; p++)
                if (!held_is_quiet(d, p) && (o->held[p].count > 0 || o->held[p].over > 0))
                        return true;
        return false;
}

static int add(Dispatch *d, Told *t, unsigned receiver) {
        Outlet *o = &d->outlets[receiver];
        HeldList *l = &o->held[t->event.priority];

        if (l->count == l->room) {
                size_t room = MAX(l->room * 2, (size_t) 16);
                Told **items = reallocarray((void *) l->items, room, sizeof(Told *));
                if (!items)
                        return -ENOMEM;
                l->items = items;
                l->room = room;
        }
        t->held |= 1U << receiver;
        t->place[receiver] = (uint32_t) l->count;
        l->items[l->count++] = t;
        o->total++;
        return 0;
}

bool held_put(Dispatch *d, Told *t, unsigned receiver, const Stamp *now) {
        bool quiet = held_is_quiet(d, t->event.priority);

        /* behind what waits for its digest already */
        if (!quiet && !is_due(d, &d->outlets[receiver]) && now->mono_us >= ready_us(d, receiver))
                return false;
        /* where there is no memory to hold it, it is told */
        if (add(d, t, receiver) < 0)
                return false;
        if (!t->held_recorded && t->event.state != ALERT_RESOLVED) {
                t->held_recorded = t->dirty = true;
                telling_record(d, t, (Telling){ TRANSITION_HELD, 0 }, d->routing->receivers[receiver].name,
                                quiet ? "quiet hours" : "rate limit", now);
        }
        return true;
}

void held_remove(Dispatch *d, Told *t, unsigned receiver) {
        HeldList *l = &d->outlets[receiver].held[t->event.priority];
        Told *last = l->items[--l->count];

        t->held &= ~(1U << receiver);
        l->items[t->place[receiver]] = last;
        last->place[receiver] = t->place[receiver];
}

void held_over(Dispatch *d, const Told *t, unsigned receiver) {
        d->outlets[receiver].held[t->event.priority].over++;
}

void held_done(Outlet *o) {
        for (size_t p = 0; p < HELD_PRIORITIES; p++)
                free((void *) o->held[p].items);
        *o = (Outlet){ 0 };
}

/* --- digests --- */

/* One that was in a digest, by name or by number. */
static void has_been_told(Dispatch *d, Told *t, unsigned receiver) {
        held_remove(d, t, receiver);
        t->known |= 1U << receiver;
        t->dirty = true;
        told_changed(d, t);
        if (t->event.state == ALERT_RESOLVED && t->held == 0)
                told_drop(d, t);
}

/* What was beyond NOTICE_ALERTS_MAX has been told by number, and that is enough; but each that is of medium priority
 * and not over is told by name, in the next digest. */
static void clear(Dispatch *d, unsigned receiver, Priority p) {
        HeldList *l = &d->outlets[receiver].held[p];

        for (size_t i = l->count; i-- > 0;)
                if (p < PRIORITY_MEDIUM || l->items[i]->event.state == ALERT_RESOLVED)
                        has_been_told(d, l->items[i], receiver);
}

static void digest(Dispatch *d, unsigned receiver, const Stamp *now) {
        Told *shown[NOTICE_ALERTS_MAX];
        Outlet *o = &d->outlets[receiver];
        uint64_t all = 0;
        size_t count = 0;

        for (Priority p = PRIORITY_TECHNICAL; p < PRIORITY_HIGH; p++) {
                HeldList *l = &o->held[p];
                if (held_is_quiet(d, p))
                        continue;
                for (size_t i = 0; i < l->count; i++)
                        telling_pick(shown, &count, l->items[i]);
                all += l->over + l->count;
                l->over = 0;
        }
        held_take(d, receiver, now);
        telling_send(d, receiver, NOTICE_DIGEST, shown, count, all - count, now);
        for (size_t i = 0; i < count; i++)
                has_been_told(d, shown[i], receiver);
        for (Priority p = PRIORITY_TECHNICAL; p < PRIORITY_HIGH; p++)
                if (!held_is_quiet(d, p))
                        clear(d, receiver, p);
}

void held_tick(Dispatch *d, const Stamp *now) {
        for (unsigned r = 0; r < d->routing->receiver_count; r++)
                if (is_due(d, &d->outlets[r]) && now->mono_us >= ready_us(d, r))
                        digest(d, r, now);
}

int64_t held_deadline(const Dispatch *d) {
        int64_t first_us = INT64_MAX;

        for (unsigned r = 0; r < d->routing->receiver_count; r++) {
                if (is_due(d, &d->outlets[r]))
                        first_us = MIN(first_us, ready_us(d, r));
                for (Priority p = PRIORITY_TECHNICAL; p < PRIORITY_HIGH; p++)
                        if (held_is_quiet(d, p) &&
                                        (d->outlets[r].held[p].count | d->outlets[r].held[p].over) != 0)
                                first_us = MIN(first_us, d->quiet_until_us);
        }
        return first_us;
}
