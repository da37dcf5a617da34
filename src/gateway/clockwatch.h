/* Honest about time: boots, steps of the wall clock, synchronised or not, each a CLOCK entry. */
#pragma once

#include "ledger/entry.h"

typedef struct Gateway Gateway;

typedef struct ClockWatch {
        Stamp now; /* the last full look: its synchronised goes with every reading */
        BootId boot_id;
        uint32_t boot;     /* number of this boot */
        int64_t offset_us; /* wall less monotonic at the last look */
} ClockWatch;

/* Reads the clocks and the boot's number from the ledger's state; a new boot is recorded. */
int clockwatch_start(Gateway *g) _must_check_;
/* The last entry of the run before: a step of the wall clock since then, within the same boot, is recorded. */
void clockwatch_resume(Gateway *g, const EntryTime *last);
/* Compares the clocks: call about once a second. */
void clockwatch_tick(Gateway *g, Stamp *now);
