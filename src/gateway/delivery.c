#include "gateway/delivery.h"

#include <errno.h>

void delivery_queue_done(DeliveryQueue *q) {
        for (size_t i = 0; i < q->count; i++)
                free(q->items[i]);
        free((void *) q->items);
        *q = (DeliveryQueue){ 0 };
}

static Delivery *take(DeliveryQueue *q, size_t i) {
        Delivery *d = q->items[i];

        q->count--;
        memmove((void *) &q->items[i], (void *) &q->items[i + 1], (q->count - i) * sizeof(Delivery *));
        return d;
}

static void give_up(DeliveryQueue *q, size_t i, const char *why, DeliveryDroppedFn fn, void *userdata) {
        Delivery *d = take(q, i);

        fn(userdata, d, why);
        free(d);
}

static size_t first_waiting(const DeliveryQueue *q) {
        return q->in_flight ? 1 : 0;
}

/* What waits of the one alert that n tells of, and has nothing more to say once n is told. */
static void drop_superseded(DeliveryQueue *q, const Notice *n, DeliveryDroppedFn fn, void *userdata) {
        bool over = n->alerts[0].state == ALERT_RESOLVED,
             repeated = n->alerts[0].transition == TRANSITION_REPEATED;

        if (n->kind != NOTICE_ALERT || (!over && !repeated))
                return;
        for (size_t i = q->count; i-- > first_waiting(q);) {
                const Notice *waiting = &q->items[i]->notice;
                if (waiting->kind != NOTICE_ALERT || !streq(waiting->alerts[0].id, n->alerts[0].id))
                        continue;
                if (over)
                        give_up(q, i, "the alert is over", fn, userdata);
                else if (waiting->alerts[0].transition == TRANSITION_REPEATED)
                        give_up(q, i, "repeated again", fn, userdata);
        }
}

/* The lowest priority goes, the oldest of it, be it the newest notice of all; never the one that is with the worker. */
static void shed(DeliveryQueue *q, DeliveryDroppedFn fn, void *userdata) {
        size_t victim = first_waiting(q);

        for (size_t i = victim + 1; i < q->count; i++)
                if (q->items[i]->notice.priority < q->items[victim]->notice.priority)
                        victim = i;
        give_up(q, victim, "too many wait", fn, userdata);
}

/* One more than the maximum: the new one is there when it is decided which one goes. */
static int make_room(DeliveryQueue *q, size_t max) {
        if (q->count < q->room)
                return 0;
        size_t room = MIN(max + 1, q->room * 2 + 16);
        Delivery **items = reallocarray((void *) q->items, room, sizeof(Delivery *));
        if (!items)
                return -ENOMEM;
        q->items = items;
        q->room = room;
        return 0;
}

int delivery_queue_add(DeliveryQueue *q, const Notice *n, size_t max, int64_t now_us, DeliveryDroppedFn fn,
                void *userdata) {
        if (n->count > 0)
                drop_superseded(q, n, fn, userdata);
        if (make_room(q, max) < 0)
                return -ENOMEM;
        Delivery *d = malloc(sizeof *d + n->count * sizeof d->alerts[0]);
        if (!d)
                return -ENOMEM;
        d->notice = *n;
        d->queued_us = now_us;
        d->refusals = 0;
        if (n->count > 0)
                memcpy(d->alerts, n->alerts, n->count * sizeof d->alerts[0]);
        d->notice.alerts = d->alerts;
        q->items[q->count++] = d;
        if (q->count > max)
                shed(q, fn, userdata);
        return 0;
}

void delivery_queue_expire(
                DeliveryQueue *q, int64_t expire_us, int64_t now_us, DeliveryDroppedFn fn, void *userdata) {
        for (size_t i = first_waiting(q); i < q->count;) {
                const Delivery *d = q->items[i];
                if (d->notice.priority == PRIORITY_HIGH || now_us - d->queued_us < expire_us)
                        i++;
                else
                        give_up(q, i, "expired", fn, userdata);
        }
}

static bool same_alert(const Delivery *a, const Delivery *b) {
        for (size_t i = 0; i < a->notice.count; i++)
                for (size_t j = 0; j < b->notice.count; j++)
                        if (streq(a->alerts[i].id, b->alerts[j].id))
                                return true;
        return false;
}

/* Whether something about one of its alerts waits before it. */
static bool comes_after_its_own(const DeliveryQueue *q, size_t at) {
        for (size_t i = 0; i < at; i++)
                if (same_alert(q->items[i], q->items[at]))
                        return true;
        return false;
}

void delivery_queue_step_back(DeliveryQueue *q) {
        q->items[0]->refusals++;
        for (size_t i = 1; i < q->count; i++) {
                Delivery *next = q->items[i];
                if (comes_after_its_own(q, i))
                        continue;
                memmove((void *) &q->items[1], (void *) &q->items[0], i * sizeof(Delivery *));
                q->items[0] = next;
                return;
        }
}

void delivery_queue_drop_refused(DeliveryQueue *q, unsigned refusals, DeliveryDroppedFn fn, void *userdata) {
        for (size_t i = q->count; i-- > first_waiting(q);)
                if (q->items[i]->refusals >= refusals)
                        give_up(q, i, "refused", fn, userdata);
}

Delivery *delivery_queue_take(DeliveryQueue *q) {
        q->in_flight = false;
        return take(q, 0);
}

bool delivery_queue_has(const DeliveryQueue *q, const char *alert) {
        for (size_t i = 0; i < q->count; i++)
                for (size_t j = 0; j < q->items[i]->notice.count; j++)
                        if (streq(q->items[i]->alerts[j].id, alert))
                                return true;
        return false;
}
