/* Notices that wait for one receiver, in order. */
#pragma once

#include "alert/dispatch.h"

typedef struct Delivery {
        Notice notice; /* its alerts are the delivery's own */
        int64_t queued_us;
        unsigned refusals; /* by the plugin, as something that an operator has to change */
        AlertEvent alerts[];
} Delivery;

typedef struct DeliveryQueue {
        Delivery **items;
        size_t count, room; /* room: at most one more than RECEIVER_QUEUE_MAX */
        bool in_flight;     /* the first is with the worker: it stays */
} DeliveryQueue;

/* Called for each alert of a delivery that is given up. */
typedef void (*DeliveryDroppedFn)(void *userdata, const Delivery *d, const char *why);

void delivery_queue_done(DeliveryQueue *q);
/* Copies the notice to the end. What it makes superfluous is given up: notices of its alert that wait, where the alert is
 * resolved; an earlier repetition; where the queue is full the oldest of the lowest priority, which may be the new one.
 * -ENOMEM. */
int delivery_queue_add(DeliveryQueue *q, const Notice *n, size_t max, int64_t now_us, DeliveryDroppedFn fn,
                void *userdata) _must_check_;
/* Gives up what is older than expire_us and not of high priority. */
void delivery_queue_expire(
                DeliveryQueue *q, int64_t expire_us, int64_t now_us, DeliveryDroppedFn fn, void *userdata);
/* The first was refused: it lets the next one go first that has nothing to do with what waits before it. */
void delivery_queue_step_back(DeliveryQueue *q);
/* Gives up what was refused as often as that, others being taken: it is the notice's own fault. */
void delivery_queue_drop_refused(DeliveryQueue *q, unsigned refusals, DeliveryDroppedFn fn, void *userdata);
/* The first is done: the caller frees it. */
Delivery *delivery_queue_take(DeliveryQueue *q);
bool delivery_queue_has(const DeliveryQueue *q, const char *alert);
