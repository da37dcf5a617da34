/* What the parts of verification share. */
#pragma once

#include "ledger/ledger_internal.h"

typedef struct VerifyLeaf {
        Hash hash;
        bool there, is_seal;
        uint64_t previous_size; /* as the SEAL says */
        Hash previous_root;
} VerifyLeaf;

typedef struct Verify {
        Ledger *ledger;
        VerifyReport *report;
        Bounds bounds; /* when it began */
        uint64_t size;
        Checkpoint checkpoint;
        StoreKey next;
        bool has_meta;

        Edge *edge;             /* up to the last full tile */
        Frontier root_frontier; /* up to the last SEAL in it */
        unsigned full_tiles, tiles_seen;
        VerifyLeaf leaves[TILE_WIDTH]; /* behind it */

        /* Counts entries and blocks as the one that wrote them did. */
        Writer *shadow;
        uint64_t unread; /* entries of the open block whose time is not known */
        SealBody seal;   /* the newest, at ... */
        uint64_t seal_index;
        uint64_t seals;
        bool block_due; /* ... and its record has not come yet */

        uint64_t salvaged, salvaged_left; /* entries of older epochs in all, and those that follow */
        uint64_t *salvaged_next;          /* by stream: how far they have come */
        uint64_t gap_seq;                 /* of the GAP in front of them, behind all of its stream */
} Verify;

void verify_fault(Verify *v, const char *format, ...) _printf_(2, 3);

int verify_new(Ledger *l, VerifyReport *report, Verify **ret) _must_check_;
Verify *verify_free(Verify *v);
DEFINE_CLEANUP(Verify *, verify_free);

/* verify_entry.c: one record each. */
void verify_entry(Verify *v, const EntryView *view, bool kept, VerifyLeaf *leaf);
void verify_block(Verify *v, uint64_t index, Bytes record);
void verify_state(Verify *v, uint64_t index, Bytes record);
void verify_meta(Verify *v, Bytes record);
/* The file as it is now; what it says of the tree is checked on the way. */
void verify_checkpoint(Verify *v);
