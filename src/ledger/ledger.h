/* The ledger: an append-only Merkle log in LevelDB with group commit, blocks, signed checkpoints and epochs.
 *
 * One thread appends (the loop): entries go into an open batch; ledger_close_batch() hands it to the commit thread, which
 * seals bodies, hashes, writes one synced LevelDB batch and reports through an eventfd. While one batch is written the
 * next one fills; at most one is being written. Reading functions may be called from any thread at any time.
 *
 * Start-up time and memory do not depend on how much the ledger holds. */
#pragma once

#include "ledger/entry.h"
#include "ledger/keyring.h"
#include "ledger/merkle.h"
#include "ledger/note.h"
#include "ledger/proof.h"

typedef struct Ledger Ledger;

typedef struct LedgerOptions {
        const char *state_dir; /* holds ledger/ (LevelDB), checkpoint, keys/ */
        const char *name;      /* gateway's name: the origin is "<name>/<epoch>" */
        const SigningKey *signing_key;
        Keyring *keyring; /* borrowed */
        const Catalogue *catalogue;
        uint32_t block_entries; /* 4096 */
        int64_t block_age_us;   /* 10 s after its first entry */
        int64_t block_idle_us;  /* 1 h: proof of life */
        int64_t retention_us;   /* 0: no limit by age */
        uint64_t size_budget;   /* bytes of the database; 0: no limit */
        bool prune_unanchored;
        bool create;    /* make a new ledger where there is none, else -ENOENT */
        bool read_only; /* for the command line with no daemon running: nothing is repaired or appended */
        /* Salvage of a damaged database can be long: called now and then with entries done. May be NULL. */
        void (*progress)(void *userdata, const char *what, uint64_t done);
        void *userdata;
} LedgerOptions;

/* What had to be done at start. */
typedef enum LedgerStart {
        LEDGER_CLEAN, /* as it was left, or a crash that lost nothing acknowledged */
        LEDGER_CREATED,
        LEDGER_ROLLBACK, /* the database was behind the checkpoint file: new epoch */
        LEDGER_CORRUPT,  /* the database was damaged: moved aside, salvaged into a new epoch */
        LEDGER_FORKED,   /* the database contradicts the checkpoint file: new epoch */
} LedgerStart;

typedef struct LedgerRecovery {
        LedgerStart start;
        uint32_t epoch;
        uint64_t salvaged, lost; /* entries; lost counts up to the old checkpoint's size */
        char message[512];       /* for the journal and the technical alert; empty when clean */
} LedgerRecovery;

/* Opens or makes the ledger and starts the commit thread. -EKEYREJECTED where the checkpoint file was signed by another
 * key; -EBUSY where another process has it open. */
int ledger_open(const LedgerOptions *o, Ledger **ret, LedgerRecovery *ret_recovery, Error *e) _must_check_;
/* Writes what is in the open batch, seals the block, waits for the commit thread (bounded: 10 s), closes. */
Ledger *ledger_free(Ledger *l);
DEFINE_CLEANUP(Ledger *, ledger_free);

/* --- appending: loop thread only --- */

/* The stream number of a device, the same for ever; a new one is made with the open batch. */
int ledger_stream(Ledger *l, const char *device, uint32_t *ret) _must_check_;

typedef struct LedgerItem {
        EntryType type;
        uint32_t stream;     /* 0: the gateway's own */
        const char *subject; /* whose key seals the body; NULL: stored in the clear */
        SubjectKind kind;    /* of subject, for its KEY entry */
        int64_t wall_us;     /* gateway time as in the body, for the block's first and last time */
        Bytes body;          /* plain CBOR; copied */
} LedgerItem;

/* -ENOSPC where the open batch is full (LEDGER_BATCH_MAX entries or LEDGER_BATCH_BYTES): the caller closes it or sheds. */
enum { LEDGER_BATCH_MAX = 4096, LEDGER_BATCH_BYTES = 1024 * 1024 };
int ledger_append(Ledger *l, const LedgerItem *item) _must_check_;

/* Small mutable state beside the log (assignments, active alerts), written with the open batch. value.len 0 deletes. */
int ledger_put_state(Ledger *l, const char *key, Bytes value) _must_check_;
/* Visits state under a prefix, at start. -EBUSY while a batch is being written. */
typedef int (*LedgerStateFn)(void *userdata, const char *key, Bytes value);
int ledger_visit_state(Ledger *l, const char *prefix, LedgerStateFn fn, void *userdata) _must_check_;

size_t ledger_open_entries(const Ledger *l); /* in the open batch */
bool ledger_is_writing(const Ledger *l);     /* a batch is with the commit thread */
/* Hands the open batch over. seal: close the block with it. Boot, rules hash and clock for a SEAL come from *when and
 * *rules. -EBUSY while one is being written. */
int ledger_close_batch(Ledger *l, bool seal, const EntryTime *when, const Hash *rules) _must_check_;

typedef struct LedgerResult {
        int r;             /* 0: all of the batch is durable */
        size_t entries;    /* of the batch, without SEAL and KEY */
        size_t dropped;    /* after a failure: entries other than readings that were too many to keep */
        bool sealed;       /* a new checkpoint exists */
        char message[256]; /* why not; also where all is durable but the checkpoint could not be replaced */
} LedgerResult;

int ledger_fd(const Ledger *l); /* readable when a batch is finished */
/* Takes the finished batch's result; -EAGAIN where there is none. After a failure the readings of that batch are gone (the
 * sources keep them), its other entries and state are back at the front of the open batch, and the database is opened anew
 * with the next batch. */
int ledger_collect(Ledger *l, LedgerResult *ret) _must_check_;
/* When the open block wants its SEAL: monotonic us, as clock_now() gives; INT64_MAX: never. */
int64_t ledger_seal_deadline(const Ledger *l);

/* What connectors have for certain; pruning goes no further. Kept in memory: told anew after each start. */
void ledger_set_anchored(Ledger *l, uint64_t size);

/* --- reading: any thread --- */

typedef struct LedgerHead {
        uint64_t size;   /* entries on disk */
        uint64_t height; /* blocks sealed */
        uint32_t epoch;
        uint64_t pruned_size;  /* bodies below this index are gone */
        uint64_t bytes;        /* of the database on disk */
        Checkpoint checkpoint; /* newest; size 0 where none */
        char note[NOTE_TEXT_MAX];
} LedgerHead;

int ledger_head(Ledger *l, LedgerHead *ret) _must_check_;

typedef struct StoredEntry {
        uint64_t index;
        Entry entry;
        uint8_t head[ENTRY_HEAD_SIZE];
        uint8_t body[BODY_MAX]; /* as stored */
        size_t body_len;
} StoredEntry;

/* -ENOENT beyond the end, -ENODATA where pruned. */
int ledger_entry(Ledger *l, uint64_t index, StoredEntry *ret) _must_check_;
/* The body in the clear; *ret_subject empty for entries without a subject. -ENOKEY where the key was erased. */
int ledger_open_body(Ledger *l, const StoredEntry *s, uint8_t ret[static BODY_MAX], size_t *ret_len,
                char ret_subject[static NAME_MAX_LENGTH]) _must_check_;
/* Header of block `height` (from 0) and the index of its SEAL. */
int ledger_block(Ledger *l, uint64_t height, SealBody *ret, uint64_t *ret_index) _must_check_;
/* The signed checkpoint after block `height`, signed anew where only the newest is kept (same size and root). */
int ledger_block_checkpoint(Ledger *l, uint64_t height, Checkpoint *ret,
                char ret_note[static NOTE_TEXT_MAX]) _must_check_;
/* The first block whose tree size is above size; -ENOENT. */
int ledger_block_after(Ledger *l, uint64_t size, uint64_t *ret_height) _must_check_;
int ledger_consistency(Ledger *l, uint64_t old_size, uint64_t new_size, Hash ret[static MERKLE_PROOF_MAX],
                size_t *ret_n) _must_check_;
/* A proof to the newest checkpoint that covers index; -EAGAIN where its block is not sealed yet. disclose: with the key of
 * this one body. */
int ledger_prove(Ledger *l, uint64_t index, bool disclose, Proof *ret, Error *e) _must_check_;

typedef struct ReadingFilter {
        const char *subject, *vital; /* NULL: all */
        int64_t from_us, to_us;      /* gateway wall time, TIME_NONE: open */
        uint64_t after;              /* only indices above; UINT64_MAX: from the start */
        uint64_t limit;              /* 0: all */
        bool newest_first;
} ReadingFilter;

typedef struct StoredReading {
        uint64_t index;
        char subject[NAME_MAX_LENGTH];
        ReadingBody body;
} StoredReading;

/* fn returns 0 to go on, anything else stops and is returned. Erased and pruned readings are passed over. */
typedef int (*ReadingFn)(void *userdata, const StoredReading *r);
int ledger_readings(Ledger *l, const ReadingFilter *f, ReadingFn fn, void *userdata) _must_check_;

/* The newest entries (at most n), oldest first, for rebuilding identities and windows at start; and entries of a type. */
typedef int (*EntryFn)(void *userdata, const StoredEntry *s);
int ledger_entries(Ledger *l, uint64_t first, uint64_t count, EntryFn fn, void *userdata) _must_check_;

typedef struct VerifyReport {
        uint64_t entries, pruned, blocks, sealed_bodies_opened, erased;
        uint64_t bad;          /* faults found */
        char first_fault[256]; /* where and what */
} VerifyReport;

/* Recomputes everything from the entries: body hashes, leaf hashes, tiles, block headers, streams without holes, the
 * checkpoint's root and signature. progress may be NULL; returning non-zero stops. */
int ledger_verify_all(Ledger *l, int (*progress)(void *userdata, uint64_t done, uint64_t total),
                void *userdata, VerifyReport *ret) _must_check_;
