/* Entries as the store holds them: in runs of some kilobytes, so that a reading costs a fraction of a record.
 * A run is, for each of its entries, the length of the stored body (LEB128), the entry's head and the stored body. The
 * body's hash is not stored: whoever reads computes it. A run ends at the latest where a tile does. */
#pragma once

#include "ledger/entry.h"
#include "ledger/keyring.h"
#include "store/store.h"

enum {
        RUN_ENTRIES_MAX = 64,
        RUN_BYTES = 4096, /* a run that has reached it is closed */
        RUN_BYTES_MAX = RUN_BYTES + 5 + ENTRY_HEAD_SIZE + BODY_MAX,
};

/* Borrowed from the run's record. */
typedef struct EntryView {
        uint64_t index;
        const uint8_t *head;
        Bytes body;
} EntryView;

static inline EntryType view_type(const EntryView *v) {
        return (EntryType) v->head[1];
}
static inline KeyId view_key(const EntryView *v) {
        KeyId id;
        memcpy(id.bytes, v->head + 16, KEY_ID_SIZE);
        return id;
}
static inline bool key_id_is_set(const KeyId *id) {
        static const KeyId none;
        return memcmp(id, &none, sizeof none) != 0;
}

/* Reads all of an entry, with the hash of its body. -EBADMSG. */
int view_decode(const EntryView *v, Entry *ret) _must_check_;
/* The GAP that an epoch other than the first begins with; ret is set where it is one. */
bool view_is_recovery(const EntryView *v, GapBody *ret);
/* The leaf's hash: of the entry as it is, well-formed or not. */
void view_leaf(const EntryView *v, Hash *ret);
/* The body in the clear. -ENOKEY where its key was erased, -EBADMSG where it does not open. */
int view_open(const EntryView *v, Keyring *k, uint8_t ret[static BODY_MAX], size_t *ret_len,
                char ret_subject[static NAME_MAX_LENGTH]) _must_check_;
/* Gateway wall time out of a body in the clear: every body starts with it. -EBADMSG. */
int body_wall_time(Bytes plain, int64_t *ret_us) _must_check_;

/* The entries of a record of kind RECORD_ENTRIES or RECORD_KEPT. -EBADMSG. */
int run_parse(uint64_t first, Bytes record, EntryView ret[static RUN_ENTRIES_MAX],
                unsigned *ret_n) _must_check_;

/* Reads entries by index; cheap where they lie near each other. */
typedef struct RunCursor {
        StoreCursor *cursor;
        EntryView views[RUN_ENTRIES_MAX];
        unsigned count;
} RunCursor;

int run_cursor_open(RunCursor *c, Store *s) _must_check_;
void run_cursor_done(RunCursor *c);
/* -ENOENT where no record holds it. The view is good until the next call. */
int run_cursor_get(RunCursor *c, uint64_t index, EntryView *ret, Error *e) _must_check_;
