/* The log's records on LevelDB: an ordered map from positions in the log to bytes.
 *
 * Every key is a position: the index of an entry and what is kept there. So keys only grow, each memory table is
 * written behind the one before, and LevelDB moves it down its levels without writing it again. Only pruning reaches
 * back.
 *
 * Errors: -EBADMSG damaged, -EBUSY another process has it, -ENOSPC disk full, -EIO and others as the system said.
 * Thread-safe, but a cursor belongs to one thread, and none may be left when the store is freed. After a failed write
 * LevelDB refuses all others: free the store and open it anew. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

typedef enum RecordKind {
        RECORD_META = 0,      /* at index 0: version and epoch */
        RECORD_ENTRIES = 1,   /* a run of entries, the first one at the key's index; pruning drops it */
        RECORD_KEPT = 2,      /* one entry that pruning leaves */
        RECORD_TILE = 0x10,   /* + level: a full tile, at the last leaf that it covers */
        RECORD_BLOCK = 0x20,  /* at the block's SEAL: where to find what */
        RECORD_STATE = 0x30,  /* at the block's SEAL: state that changed in the block, or all of it */
        RECORD_CHANGES = 0x31 /* at the log's size when it was written: state changed by one batch */
} RecordKind;

typedef struct StoreKey {
        uint64_t index;
        uint8_t kind;     /* RecordKind, plus the level of a tile */
        uint32_t ordinal; /* of RECORD_CHANGES, else 0 */
} StoreKey;

typedef struct Store Store;

/* -ENOENT where there is none and create is false. */
int store_open(const char *path, bool create, Store **ret, Error *e) _must_check_;
Store *store_free(Store *s);
DEFINE_CLEANUP(Store *, store_free);

/* Makes what is left of a damaged database readable. What can't be read goes to its lost/ folder. */
int store_repair(const char *path, Error *e) _must_check_;

/* -ENOENT; free() *ret_data. */
int store_get(Store *s, StoreKey key, uint8_t **ret_data, size_t *ret_len, Error *e) _must_check_;

/* Bytes in tables from one key up to another; what was written last is not counted yet. */
uint64_t store_size(Store *s, StoreKey from, StoreKey to);
/* Gives the room of deleted records from one key up to another back. Takes a while. */
void store_compact(Store *s, StoreKey from, StoreKey to);
/* LevelDB's own diary grows for as long as the store is open: call this now and then. */
void store_trim_diary(const Store *s);
/* Records looked at so far, by get and by cursors. */
uint64_t store_reads(const Store *s);

/* --- several changes as one --- */

typedef struct StoreBatch StoreBatch;

int store_batch_new(StoreBatch **ret) _must_check_;
StoreBatch *store_batch_free(StoreBatch *b);
DEFINE_CLEANUP(StoreBatch *, store_batch_free);
void store_batch_put(StoreBatch *b, StoreKey key, Bytes value);
void store_batch_delete(StoreBatch *b, StoreKey key);
void store_batch_clear(StoreBatch *b);
/* All of it or nothing, durable on return where sync. The batch stays as it is. */
int store_write(Store *s, const StoreBatch *b, bool sync, Error *e) _must_check_;

/* --- in order --- */

/* Sees the store as it was when the cursor was made. Moving and seeking return 1 on a record, 0 beyond the ends. */
typedef struct StoreCursor StoreCursor;

int store_cursor_new(Store *s, StoreCursor **ret) _must_check_;
StoreCursor *store_cursor_free(StoreCursor *c);
DEFINE_CLEANUP(StoreCursor *, store_cursor_free);
int store_cursor_seek(StoreCursor *c, StoreKey key, Error *e) _must_check_; /* the first at or behind key */
int store_cursor_before(StoreCursor *c, StoreKey key, Error *e) _must_check_; /* the last in front of key */
int store_cursor_last(StoreCursor *c, Error *e) _must_check_;
int store_cursor_next(StoreCursor *c, Error *e) _must_check_;
int store_cursor_previous(StoreCursor *c, Error *e) _must_check_;
/* On a record; the value is borrowed until the cursor moves. */
StoreKey store_cursor_key(const StoreCursor *c);
Bytes store_cursor_value(const StoreCursor *c);
