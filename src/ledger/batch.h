/* What one group commit takes: entries as the loop gave them, and changed state. */
#pragma once

#include <sys/types.h>

#include "ledger/ledger.h"
#include "store/pack.h"

typedef struct BatchItem {
        int64_t wall_us;
        uint32_t stream, offset; /* of the body in bytes; the subject's name and a NUL come before it */
        uint16_t len;
        uint8_t type, kind;
        uint8_t subject_len; /* with the NUL; 0: no subject */
} BatchItem;

enum {
        /* What failed batches leave behind may take this much beside what the loop may add. */
        BATCH_CARRIED_MAX = LEDGER_BATCH_MAX / 2,
        BATCH_CARRIED_BYTES = LEDGER_BATCH_BYTES / 2,
        BATCH_STATE_BYTES = 1024 * 1024,
};

typedef struct Batch {
        BatchItem *items; /* LEDGER_BATCH_MAX + BATCH_CARRIED_MAX */
        size_t count;
        Pack bytes;
        Pack streams, state; /* parts of a state record */
        size_t stream_count, state_count;
        bool seal;
        EntryTime when;
        Hash rules;
        int64_t first_mono_us; /* when its first entry came, TIME_NONE where it is empty */
} Batch;

int batch_new(Batch **ret) _must_check_;
Batch *batch_free(Batch *b);
DEFINE_CLEANUP(Batch *, batch_free);

int batch_add(Batch *b, const LedgerItem *item, int64_t mono_us) _must_check_;
int batch_put_stream(Batch *b, uint32_t number, const char *device) _must_check_;
int batch_put_state(Batch *b, const char *key, Bytes value) _must_check_;
void batch_clear(Batch *b);
static inline bool batch_is_empty(const Batch *b) {
        return b->count == 0 && b->stream_count == 0 && b->state_count == 0;
}
/* The subject's name, or NULL; the body. */
const char *batch_item_subject(const Batch *b, const BatchItem *i);
Bytes batch_item_body(const Batch *b, const BatchItem *i);

/* After a failure: drops the readings of failed and the oldest others that are too many, and puts all of open behind them.
 * Then failed is the open batch. Returns how many others were dropped, or -ENOMEM. */
ssize_t batch_carry(Batch *failed, const Batch *open);
