/* The record that lies beside each SEAL: how to find other blocks, and what is in this one. All of it follows from the
 * entries, so that verification can compare it. */
#pragma once

#include "ledger/entry.h"
#include "store/pack.h"
#include "store/store.h"

enum { BLOCK_JUMPS_MAX = 64, FULL_STATE_EVERY = 64 };

typedef struct Block {
        uint64_t height, first, count; /* count with the SEAL, which is the last */
        int64_t min_us, max_us; /* gateway wall time of the entries; of those known, after a crash within the block */
        int64_t newest_us; /* the latest time of this and all blocks before */
        uint64_t regress; /* height of the last block that has a time before the newest of those before it */
        uint64_t full_state;             /* SEAL of the newest block that comes with all state */
        uint64_t jumps[BLOCK_JUMPS_MAX]; /* SEAL of the block 2^i below */
        unsigned jump_count;
        Bytes streams; /* count, then (stream, next sequence) of those in the block */
        Bytes keys;    /* count, then (id, count, positions, each less the one before); empty where pruned */
        uint8_t *record; /* what the two borrow from */
} Block;

static inline uint64_t block_seal(const Block *b) {
        return b->first + b->count - 1;
}
static inline uint64_t block_size(const Block *b) { /* of the tree */
        return b->first + b->count;
}

void block_done(Block *b);
void block_pack(const Block *b, Pack *to);
int block_unpack(Bytes record, Block *ret) _must_check_; /* borrows; -EBADMSG */
int block_load(Store *s, uint64_t seal, Block *ret, Error *e) _must_check_;

/* Fills regress, newest_us, height, jumps of a block from the one before (NULL for the first one). */
int block_link(Store *s, const Block *previous, Block *b, Error *e) _must_check_;

/* The lowest block for which fits() holds, given that it holds for all above it, in O(log n) reads. -ENOENT where it
 * doesn't hold for `newest`. */
typedef bool (*BlockFits)(const Block *b, uint64_t number);
int block_search(Store *s, uint64_t newest_seal, BlockFits fits, uint64_t number, Block *ret,
                Error *e) _must_check_;
bool block_is_from(const Block *b, uint64_t height); /* height or above */
bool block_is_above(const Block *b, uint64_t size);  /* tree size above size */
bool block_has_since(
                const Block *b, uint64_t us); /* something at or after that wall time is in it or below */
