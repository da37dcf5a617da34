/* Each subject's last values, kept beside the log: after a restart rules need the temperature of two hours ago as well, and
 * the readings of that time are too many to be replayed. */
#pragma once

#include "base/clock.h"
#include "base/error.h"

typedef struct Gateway Gateway;

/* Rebuilt from here on: at least the readings since the last latest_save() are to be replayed. */
int latest_restore(Gateway *g, const Stamp *now, Error *e) _must_check_;
/* The subject's devices changed: nothing that was measured before counts for it. Removed with the open batch. */
void latest_forget(Gateway *g, const char *subject);
/* Writes them with the open batch, where the last time is LATEST_EVERY_US ago; force: at the end. */
void latest_save(Gateway *g, const Stamp *now, bool force);

#define LATEST_EVERY_US (240 * USEC_PER_SEC)
