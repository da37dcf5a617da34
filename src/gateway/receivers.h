/* Alert events -> notify workers -> caregivers. In order for each receiver, at least once, with an idempotency key. */
#pragma once

#include <jansson.h>

#include "model/alert.h"

typedef struct Gateway Gateway;
typedef struct Receivers Receivers;

enum {
        RECEIVER_QUEUE_MAX =
                        1024 /* events a receiver; beyond it the oldest of the lowest priority is shed and counted */
};

int receivers_new(Gateway *g, Receivers **ret, Error *e) _must_check_;
Receivers *receivers_free(Receivers *r);

/* What the old ones still had to deliver goes to those of the same name. */
void receivers_adopt(Receivers *r, Receivers *old);

void receivers_deliver(Receivers *r, const AlertEvent *event);
/* Retries that are due: call about once a second. */
void receivers_tick(Receivers *r, const Stamp *now);
/* A list of {name, state, delivered, failed, queued, shed, reason}. New reference. */
json_t *receivers_status(const Receivers *r);
/* The event as operations and plugins see it. New reference. */
json_t *alert_to_json(const Gateway *g, const AlertEvent *event);
