/* Which requests of one peer are known already, with what was answered (RFC 7252 4.2, 4.3, 4.5).
 *
 * A retransmission is the same datagram again. Message ids alone don't say so: a device that began anew uses the same ones
 * for new readings, and taking those for repetitions would acknowledge what nobody stored. So an entry also has a digest of
 * the message, and both must agree. Pure: time is an argument. */
#pragma once

#include <stdbool.h>

#include "ingest/coap_answer.h"

enum { DEDUP_SIZE = 32 };

/* RFC 7252 4.8.2, with the default transmission parameters. */
#define COAP_EXCHANGE_LIFETIME_US (INT64_C(247) * 1000000)

typedef enum DedupState {
        DEDUP_FREE,
        DEDUP_PENDING, /* handed over, not answered yet */
        DEDUP_ANSWERED,
} DedupState;

typedef struct DedupEntry {
        int64_t until_us;
        uint64_t digest;
        uint16_t mid;
        DedupState state;
        CoapAnswer answer; /* DEDUP_ANSWERED */
} DedupEntry;

typedef struct DedupRing {
        DedupEntry entries[DEDUP_SIZE];
} DedupRing;

/* The message's entry, or NULL where it is new. */
DedupEntry *dedup_find(DedupRing *r, uint16_t mid, uint64_t digest, int64_t now_us);
/* An entry for a message that is new, pending; the one that ends first is given up for it. NULL where all are pending: the
 * peer has to wait. */
DedupEntry *dedup_begin(DedupRing *r, uint16_t mid, uint64_t digest, int64_t now_us);
/* What was answered, to be said again. */
void dedup_answered(DedupRing *r, uint16_t mid, uint64_t digest, const CoapAnswer *a, int64_t now_us);
void dedup_done(DedupRing *r);
