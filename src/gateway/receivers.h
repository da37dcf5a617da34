/* Notices -> notify workers -> caregivers. In order for each receiver, at least once, with an idempotency key; the
 * outcome of each goes into the ledger. */
#pragma once

#include <jansson.h>

#include "alert/dispatch.h"

typedef struct Gateway Gateway;
typedef struct Receivers Receivers;

enum {
        /* Notices that wait for one receiver; beyond it the oldest of the lowest priority is given up. */
        RECEIVER_QUEUE_MAX = 1024,
        RECEIVER_REFRESH_PART = 32, /* alerts in one call of a plugin's refresh() */
};

/* What a notice that waits gives way to: the end of its alert, a later repetition, expiry (not of high priority), and
 * RECEIVER_QUEUE_MAX. Each is on record as undelivered. */
int receivers_new(Gateway *g, Receivers **ret, Error *e) _must_check_;
Receivers *receivers_free(Receivers *r);

/* What the old ones still had to deliver goes to those of the same name, and is on record as undelivered where there is
 * none. r is the gateway's by now. */
void receivers_adopt(Receivers *r, Receivers *old);

void receivers_notify(Receivers *r, const Notice *n);
/* Whether a notice about the alert waits for any receiver; and for which ones: how many, and their names. */
bool receivers_wait_for(const Receivers *r, const char *alert);
size_t receivers_waiting(
                const Receivers *r, const char *alert, const char *ret_names[static ROUTING_RECEIVERS_MAX]);
/* Retries, expiry and refreshes that are due: call about once a second. */
void receivers_tick(Receivers *r, const Stamp *now);
/* A list of {name, state, delivered, failed, undelivered, queued, held, held_total, reason}. New reference. */
json_t *receivers_status(const Receivers *r);
