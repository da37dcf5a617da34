/* Payloads that come in blocks (RFC 7959, Block1), put together here, within limits, and not in libcoap, whose own assembly
 * crashes on blocks without Size1 (4.3.1). Pure: time is an argument.
 *
 * One transfer is what one owner sends to one device. A first block begins anew; each further one must continue where the
 * last one ended. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"
#include "model/registry.h"

typedef struct BlockStore BlockStore;

typedef struct BlockLimits {
        size_t payload;         /* bytes of one */
        size_t bytes;           /* of all together */
        size_t transfers;       /* at a time */
        size_t owner_transfers; /* of one owner at a time */
} BlockLimits;

typedef struct BlockOption {
        uint32_t number;
        bool more;
        unsigned exponent; /* szx: a block has 2^(szx + 4) bytes */
} BlockOption;

enum { BLOCK_EXPONENT_MAX = 6, BLOCK_NUMBER_MAX = (1 << 20) - 1 };

/* The option's value, 0 to 3 bytes. False where it is longer or has the reserved size. */
bool block_option_read(Bytes value, BlockOption *ret);
uint32_t block_option_value(BlockOption o);

/* A transfer that no block came for so long is dropped: MAX_TRANSMIT_WAIT of RFC 7252 4.8.2. */
#define BLOCK_PATIENCE_US (INT64_C(93) * 1000000)

typedef enum BlockResult {
        BLOCK_MORE,       /* kept: 2.31 */
        BLOCK_COMPLETE,   /* the whole payload is there */
        BLOCK_MALFORMED,  /* a size that is not the block's: 4.00 */
        BLOCK_INCOMPLETE, /* not the block that comes next: 4.08 */
        BLOCK_TOO_LARGE,  /* 4.13 */
        BLOCK_NO_ROOM,    /* too many transfers or bytes: 5.03 */
} BlockResult;

typedef struct BlockPart {
        const void *owner;
        const char *device;
        int format; /* the same for all blocks of one payload */
        BlockOption option;
        int64_t size1; /* -1 where it was not said */
        Bytes payload;
} BlockPart;

int block_store_new(const BlockLimits *limits, BlockStore **ret) _must_check_;
BlockStore *block_store_free(BlockStore *s);
DEFINE_CLEANUP(BlockStore *, block_store_free);

/* ret_payload is set for BLOCK_COMPLETE and good until the next call. Whatever is not BLOCK_MORE ends the transfer. */
BlockResult block_store_add(BlockStore *s, const BlockPart *part, int64_t now_us, Bytes *ret_payload);
/* The owner is gone. */
void block_store_forget(BlockStore *s, const void *owner);

size_t block_store_transfers(const BlockStore *s);
size_t block_store_bytes(const BlockStore *s);
uint64_t block_store_expired(const BlockStore *s); /* transfers that were given up */
