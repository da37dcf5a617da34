/* One walk over all records, in bounded memory: what the entries say is computed anew and compared with everything that
 * is stored beside them.
 *
 * Leaves are held back until their tile is complete: where bodies are pruned the tile is all that is left of them, and
 * only together do they make the tree. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "ledger/ledger_internal.h"
#include "ledger/verify.h"

void verify_fault(Verify *v, const char *format, ...) {
        va_list args;

        if (v->report->bad++ > 0)
                return;
        va_start(args, format);
        (void) vsnprintf(v->report->first_fault, sizeof v->report->first_fault, format, args);
        va_end(args);
}

/* --- the tree --- */

/* The tree has grown to a SEAL: its root is what the next SEAL and the checkpoint must have. */
static void grow(Verify *v, const VerifyLeaf *leaf) {
        uint64_t index = v->edge->frontier.size;

        if (leaf->is_seal) {
                Hash root;
                frontier_root(&v->root_frontier, &root);
                if (leaf->previous_size != v->root_frontier.size || !hash_equal(&leaf->previous_root, &root))
                        verify_fault(v, "entry %llu: the block's previous tree is another one",
                                        (unsigned long long) index);
        }
        v->full_tiles = edge_append(v->edge, &leaf->hash);
        if (leaf->is_seal)
                v->root_frontier = v->edge->frontier;
        if (v->edge->frontier.size == v->checkpoint.size) {
                Hash root;
                frontier_root(&v->edge->frontier, &root);
                if (!hash_equal(&root, &v->checkpoint.root))
                        verify_fault(v, "checkpoint: signed for another tree of %llu entries",
                                        (unsigned long long) v->checkpoint.size);
        }
}

static void grow_all(Verify *v, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                if (!v->leaves[i].there)
                        verify_fault(v, "entry %llu: missing", (unsigned long long) v->edge->frontier.size);
                grow(v, &v->leaves[i]);
        }
        memset(v->leaves, 0, sizeof v->leaves);
}

/* A full tile of the lowest level: pruned leaves are in it alone. */
static void take_tile(Verify *v, const Hash *stored) {
        unsigned long long first = v->edge->frontier.size;
        uint64_t pruned_size = ledger_bounds(v->ledger).pruned_size;

        for (unsigned i = 0; i < TILE_WIDTH; i++) {
                VerifyLeaf *leaf = &v->leaves[i];
                if (leaf->there) {
                        if (!hash_equal(&leaf->hash, &stored[i]))
                                verify_fault(v, "entry %llu: not what its tile has", first + i);
                } else if (first + i < pruned_size) {
                        leaf->there = true;
                        leaf->hash = stored[i];
                        v->report->pruned++;
                }
        }
        grow_all(v, TILE_WIDTH);
}

static void check_tile(Verify *v, StoreKey key, Bytes value) {
        unsigned level = key.kind - RECORD_TILE;
        Hash tile[TILE_WIDTH];

        if (value.len != sizeof tile || key.index % TILE_WIDTH != TILE_WIDTH - 1) {
                verify_fault(v, "tile of level %u at entry %llu: malformed", level,
                                (unsigned long long) key.index);
                return;
        }
        memcpy(tile, value.data, sizeof tile);
        if (level == 0 && key.index - v->edge->frontier.size == TILE_WIDTH - 1) {
                take_tile(v, tile);
                v->tiles_seen = 1;
                return;
        }
        if (level != v->tiles_seen || level >= v->full_tiles || key.index + 1 != v->edge->frontier.size ||
                        memcmp(tile, v->edge->rows[level], sizeof tile) != 0)
                verify_fault(v, "tile of level %u at entry %llu: not what its entries make", level,
                                (unsigned long long) key.index);
        v->tiles_seen++;
}

/* Before something behind a full tile's place: all its tiles must have come. */
static void finish_tiles(Verify *v, uint64_t index) {
        if (index >= v->edge->frontier.size + TILE_WIDTH) {
                verify_fault(v, "tile of level 0 at entry %llu: missing",
                                (unsigned long long) (v->edge->frontier.size + TILE_WIDTH - 1));
                while (index >= v->edge->frontier.size + TILE_WIDTH)
                        grow_all(v, TILE_WIDTH);
                v->tiles_seen = v->full_tiles;
        }
        if (v->tiles_seen < v->full_tiles && index >= v->edge->frontier.size)
                verify_fault(v, "tile of level %u at entry %llu: missing", v->tiles_seen,
                                (unsigned long long) (v->edge->frontier.size - 1));
        if (index >= v->edge->frontier.size)
                v->tiles_seen = v->full_tiles = 0;
}

/* --- records --- */

static void check_run(Verify *v, StoreKey key, Bytes value) {
        EntryView views[RUN_ENTRIES_MAX];
        unsigned n;

        if (run_parse(key.index, value, views, &n) < 0) {
                verify_fault(v, "entry %llu: its record is damaged", (unsigned long long) key.index);
                return;
        }
        for (unsigned i = 0; i < n && views[i].index < v->size; i++) {
                uint64_t place = views[i].index - v->edge->frontier.size;
                VerifyLeaf *leaf = &v->leaves[place % TILE_WIDTH];
                if (place >= TILE_WIDTH || leaf->there) {
                        verify_fault(v, "entry %llu: out of place", (unsigned long long) views[i].index);
                        return;
                }
                verify_entry(v, &views[i], key.kind == RECORD_KEPT, leaf);
        }
}

static void check_record(Verify *v, StoreKey key, Bytes value) {
        if (key.kind != RECORD_CHANGES)
                finish_tiles(v, key.index);
        if (key.kind == RECORD_META && key.index == 0)
                verify_meta(v, value);
        else if (key.kind == RECORD_ENTRIES || key.kind == RECORD_KEPT)
                check_run(v, key, value);
        else if (key.kind >= RECORD_TILE && key.kind < RECORD_TILE + TILE_LEVELS)
                check_tile(v, key, value);
        else if (key.kind == RECORD_BLOCK)
                verify_block(v, key.index, value);
        else if (key.kind == RECORD_STATE)
                verify_state(v, key.index, value);
        else if (key.kind != RECORD_CHANGES)
                verify_fault(v, "a record of unknown kind %u at entry %llu", key.kind,
                                (unsigned long long) key.index);
}

/* A block's worth of records, then the lock is given back. 1: there is more. */
static int check_some(Verify *v) {
        enum { RECORDS_A_LOCK = 256 };
        _cleanup_(ledger_unlock_storep) Ledger *open = ledger_lock_store(v->ledger);
        _cleanup_(store_cursor_freep) StoreCursor *c = NULL;
        Error e;

        if (!open)
                return -EIO;
        int r = store_cursor_new(v->ledger->store, &c);
        if (r < 0)
                return r;
        v->shadow->store = v->ledger->store;
        r = store_cursor_seek(c, v->next, &e);
        for (unsigned n = 0; r > 0 && n < RECORDS_A_LOCK; n++) {
                v->next = store_cursor_key(c);
                if (v->next.index >= v->size)
                        return 0;
                check_record(v, v->next, store_cursor_value(c));
                r = store_cursor_next(c, &e);
        }
        if (r > 0)
                v->next = store_cursor_key(c);
        if (r == -EBADMSG)
                verify_fault(v, "%.200s", e.message);
        return r;
}

static void check_end(Verify *v) {
        uint64_t rest = v->size - v->edge->frontier.size;

        if (rest >= TILE_WIDTH) {
                finish_tiles(v, v->size);
                rest = v->size - v->edge->frontier.size;
        }
        grow_all(v, (unsigned) rest);
        if (!v->has_meta && v->size > 0)
                verify_fault(v, "the ledger's first record is missing");
        if (v->block_due)
                verify_fault(v, "entry %llu: its block's record is missing",
                                (unsigned long long) v->seal_index);
        if (v->seals != v->bounds.height)
                verify_fault(v, "%llu blocks instead of %llu", (unsigned long long) v->seals,
                                (unsigned long long) v->bounds.height);
        v->report->blocks = v->seals;
}

static int walk(Verify *v, int (*progress)(void *userdata, uint64_t done, uint64_t total), void *userdata) {
        int r;

        verify_checkpoint(v);
        do {
                r = check_some(v);
                if (progress && r >= 0) {
                        int q = progress(userdata, MIN(v->next.index, v->size), v->size);
                        if (q != 0)
                                return q;
                }
        } while (r > 0);
        if (r < 0)
                return r == -EBADMSG ? 0 : r;
        check_end(v);
        return 0;
}

int ledger_verify_all(Ledger *l, int (*progress)(void *userdata, uint64_t done, uint64_t total),
                void *userdata, VerifyReport *ret) {
        _cleanup_(verify_freep) Verify *v = NULL;
        VerifyReport report = { 0 };

        int r = verify_new(l, &report, &v);
        if (r == 0)
                r = walk(v, progress, userdata);
        if (r == 0)
                *ret = report;
        return r;
}
