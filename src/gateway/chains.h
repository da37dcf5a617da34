/* Each chain connector: an outbox and the worker that it talks through. */
#pragma once

#include <jansson.h>

#include "base/error.h"

typedef struct Gateway Gateway;
typedef struct Chains Chains;

int chains_new(Gateway *g, Chains **ret, Error *e) _must_check_;
Chains *chains_free(Chains *c);

/* There is a new checkpoint. */
void chains_wake(Chains *c);
/* A list of {name, health, policy, anchored_size, anchored_height, pending_size, anchors, failures, reason, receipt}. */
json_t *chains_status(const Chains *c);
