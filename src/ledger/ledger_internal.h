/* What the parts of the ledger share. */
#pragma once

#include <limits.h>
#include <pthread.h>

#include "ledger/batch.h"
#include "ledger/ledger.h"
#include "ledger/writer.h"

enum { DIR_MAX = PATH_MAX - 64 };

/* What readers see: what is durable. */
typedef struct Shared {
        Edge edge;
        uint64_t height;      /* blocks sealed */
        uint64_t newest_seal; /* where height > 0 */
        uint64_t pruned_size;
        uint64_t anchored;
        Checkpoint checkpoint;
        char note[NOTE_TEXT_MAX];
} Shared;

struct Ledger {
        LedgerOptions options; /* strings: the two below */
        char dir[DIR_MAX];
        char name[ORIGIN_MAX - 12]; /* leaves room for "/<epoch>" */
        uint32_t epoch;
        int dir_fd; /* of the state folder, locked */

        /* the loop's */
        Batch *open, *writing; /* writing: with the commit thread where is_writing, else spare */
        bool is_writing;
        char (*devices)[NAME_MAX_LENGTH]; /* by stream */
        size_t device_count, device_room;
        int64_t open_since_us; /* monotonic time of the open block's first entry, TIME_NONE where it is empty */
        int64_t idle_since_us;
        EntryTime last_when;
        Hash last_rules;

        /* between the loop and the commit thread, under lock */
        pthread_mutex_t lock;
        pthread_cond_t submitted_cond, finished_cond;
        bool has_locks, has_thread;
        bool submitted, finished, stop;
        bool idle; /* the commit thread has nothing in hand */
        LedgerResult result;
        bool block_open; /* after the batch */
        pthread_t thread;
        int event_fd;
        Shared shared;

        /* the commit thread's; readers hold store_lock for reading while they use store */
        Writer *writer; /* NULL after a failure */
        bool checkpoint_due;
        pthread_rwlock_t store_lock;
        Store *store; /* NULL after a failure */
};

/* Held over each use of the store. NULL where it is closed after a failure. Not for long: a failed store is opened anew
 * only when no reader is left. */
Ledger *ledger_lock_store(Ledger *l);
void ledger_unlock_storep(Ledger **l);

/* The numbers that readers go by. */
typedef struct Bounds {
        uint64_t size, height, newest_seal, pruned_size;
} Bounds;

Bounds ledger_bounds(Ledger *l);

pthread_mutex_t *ledger_lock(Ledger *l);
void ledger_unlockp(pthread_mutex_t **m);

void ledger_path(const Ledger *l, const char *name, char ret[static PATH_MAX]);
/* The writer's durable end becomes what readers see. */
void ledger_publish(Ledger *l);
/* Signs the newest block's tree and replaces the checkpoint file: only when it is durable. */
int ledger_write_checkpoint(Ledger *l, Error *e) _must_check_;
/* A source of nodes of what readers see. */
TileSource ledger_tiles(Ledger *l);

/* recovery.c: opens the store, compares it with the checkpoint file and begins a new epoch where it must. */
int ledger_start(Ledger *l, LedgerRecovery *ret, Error *e) _must_check_;
/* salvage.c: fills the empty store of a new epoch with what can be read of `from` (NULL: nothing). note: of the old
 * checkpoint, may be empty; old_size: its size. -EBADMSG where `from` is damaged. */
int ledger_salvage(Ledger *l, Store *from, Store *to, const char *note, uint64_t old_size,
                LedgerRecovery *ret, Error *e) _must_check_;
/* The commit thread. */
void *ledger_commit_thread(void *userdata);
/* One bounded step; after a SEAL. */
int ledger_prune(Ledger *l, const EntryTime *when, Error *e) _must_check_;
