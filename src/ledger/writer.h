/* Appends entries to the store: sequences, runs, tree, tiles, blocks. What has been appended counts only once
 * writer_commit() has returned 0; after any failure the writer is of no more use: load it anew from the store. */
#pragma once

#include "base/random.h"
#include "ledger/block.h"
#include "ledger/edge.h"
#include "ledger/keyring.h"
#include "ledger/run.h"
#include "ledger/state.h"

/* Positions in a block are kept in 16 bits while it is open. */
enum { BLOCK_ENTRIES_MAX = 32768, LEDGER_VERSION = 1 };

typedef struct OpenBlock {
        uint64_t first;
        uint32_t count;
        bool timed; /* at least one entry's time is known */
        int64_t first_us, last_us, min_us, max_us;
        uint32_t *streams; /* in order of appearance */
        uint32_t stream_count;
        uint32_t *keys; /* rows of the state's keys, likewise */
        uint32_t key_count;
        uint16_t *next; /* position of the same key's next entry, for each position */
} OpenBlock;

typedef struct Writer {
        Store *store;     /* borrowed */
        Keyring *keyring; /* borrowed */
        StoreBatch *batch;
        uint32_t block_entries;
        uint32_t epoch;
        Edge edge;
        State state;
        OpenBlock open;
        Block sealed; /* the newest; record is not kept, count 0 where there is none */
        Hash sealed_root;
        bool seal_pending;     /* a SEAL is in the batch */
        uint32_t next_ordinal; /* of RECORD_CHANGES at ... */
        uint64_t ordinal_size; /* ... this size */
        RandomPool random;
        Pack pack; /* scratch */
        uint64_t run_first;
        unsigned run_count;
        size_t run_len;
        uint8_t run[RUN_BYTES_MAX];
} Writer;

static inline uint64_t writer_size(const Writer *w) {
        return w->edge.frontier.size;
}
static inline uint64_t writer_height(const Writer *w) { /* blocks sealed */
        return w->sealed.count > 0 ? w->sealed.height + 1 : 0;
}

/* For the empty store of a new epoch. */
int writer_new(Store *s, Keyring *k, uint32_t block_entries, uint32_t epoch, Writer **ret) _must_check_;
/* From what is in the store. -ENODATA where it was never begun, -EBADMSG where it is damaged. */
int writer_load(Store *s, Keyring *k, uint32_t block_entries, Writer **ret, Error *e) _must_check_;
Writer *writer_free(Writer *w);
DEFINE_CLEANUP(Writer *, writer_free);

/* key: seals the body. -ENOMEM. */
int writer_append(Writer *w, EntryType type, uint32_t stream, const SubjectKey *key, Bytes body,
                int64_t wall_us) _must_check_;
/* An entry of another epoch as it is; wall_us may be TIME_NONE. */
int writer_append_stored(Writer *w, const EntryView *v, int64_t wall_us) _must_check_;
/* Makes the subject's KEY entry where it is owed, and gives the key. */
int writer_subject_key(Writer *w, const char *subject, SubjectKind kind, const EntryTime *when,
                SubjectKey *ret, Error *e) _must_check_;
/* Whether the block has room for nothing but its SEAL. */
bool writer_is_full(const Writer *w);
/* Closes the block. */
int writer_seal(Writer *w, const EntryTime *when, const Hash *rules, Error *e) _must_check_;
/* Changed state, as state_pack_changes() makes it. */
int writer_put_changes(Writer *w, Bytes record) _must_check_;
/* Writes all that was appended, durably. */
int writer_commit(Writer *w, Error *e) _must_check_;

/* Counts an entry in the open block, at append, at load and at verification. */
int writer_count_entry(Writer *w, const uint8_t *head, int64_t wall_us) _must_check_;
/* What the record of the open block, its SEAL counted, says; its two parts go to streams and keys. */
int writer_describe_block(const Writer *w, Block *ret, Pack *streams, Pack *keys, Error *e) _must_check_;
void writer_next_block(Writer *w, const Block *b);

/* GAP of recovery at index 0, KEY, SEAL, ERASE, ASSIGN: what pruning leaves. */
bool entry_is_kept(EntryType type, uint64_t index);
