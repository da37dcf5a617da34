/* After a start or a reload the newest part of the log goes through what looks back: identities of readings, the rules'
 * windows and what they were waiting for. So a restart in the middle of a `for: 10s` is not noticed. */
#pragma once

#include "base/clock.h"

typedef struct Gateway Gateway;

enum {
        REPLAY_ENTRIES_MAX =
                        4000000, /* some ten seconds; a warning says where windows stay short because of it */
};
#define REPLAY_MIN_US (300 * USEC_PER_SEC)

/* The newest readings' identities go to the validator. */
void replay_identities(Gateway *g);
/* At start, after alerts are restored. The readings of as long as the rules look back go through rules and alerts in their
 * own time, with the board; assignments and attributes that changed in between, and rules that did, are heeded: what
 * other rules than those in force would have said is nothing. Only what happened while nobody watched is told. */
void replay_at_start(Gateway *g, const Stamp *now);
/* After a reload, alerts being retained already: the new engine is filled, then every rule is evaluated now. */
void replay_after_reload(Gateway *g, const Stamp *now);
