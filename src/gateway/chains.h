/* Each chain connector: an outbox and the worker that it talks through. */
#pragma once

#include <jansson.h>

#include "base/clock.h"
#include "base/error.h"

typedef struct Gateway Gateway;
typedef struct Chains Chains;

int chains_new(Gateway *g, Chains **ret, Error *e) _must_check_;
Chains *chains_free(Chains *c);

/* Once a second: what waits too long for the chain becomes an alert. */
void chains_tick(Chains *c, const Stamp *now);
/* One chain, or all (NULL), is asked now what it has, whatever was being waited for, and anchoring goes on from there; also
 * one that was stopped by a contradiction. -ENOENT: there is no such chain. */
int chains_resubmit(Chains *c, const char *name) _must_check_;
/* There is a new checkpoint. */
void chains_wake(Chains *c);
/* A list of {name, health, policy, anchored_size, anchored_height, pending_size, anchors, failures, lag (entries that
 * are sealed and not final), lag_us (age of the oldest block of them), reason, receipt}. */
json_t *chains_status(const Chains *c);
