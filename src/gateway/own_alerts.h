/* The gateway's own alerts over starts and reloads: who raised them may be there no more to end them. */
#pragma once

#include "base/clock.h"

typedef struct Gateway Gateway;

/* At start, once alerts are restored, and after a reload: those end whose source, receiver or chain is no longer
 * configured, those of a reload that was refused before, and of a store that works. That the ledger had to be recovered
 * goes on until somebody has acknowledged it. */
void own_alerts_review(Gateway *g, const Stamp *now);
