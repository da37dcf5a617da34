/* A writer from what is in the store: state from the newest block that has all of it and at most 63 blocks behind, the
 * tree's edge from tiles, the open block from its entries. What it reads does not grow with the log. */
#include <errno.h>
#include <sodium.h>

#include "ledger/writer.h"

typedef struct Loader {
        Writer *writer;
        Error *error;
} Loader;

static int damaged(Loader *l, uint64_t index, const char *what) {
        return error_set(l->error, -EBADMSG, "entry %llu: %s", (unsigned long long) index, what);
}

/* Absence of what another record names is damage. */
static int must_be_there(int r) {
        return r == -ENOENT ? -EBADMSG : r;
}

static int load_meta(Store *s, uint32_t *ret_epoch, Error *e) {
        _cleanup_free_ uint8_t *data = NULL;
        size_t len;

        int r = store_get(s, (StoreKey){ .kind = RECORD_META }, &data, &len, e);
        if (r < 0)
                return r == -ENOENT ? -ENODATA : r;
        Unpack u = unpack(BYTES(data, len));
        uint64_t version = unpack_uint(&u), epoch = unpack_uint(&u);
        if (u.failed || u.len > 0 || epoch == 0 || epoch > UINT32_MAX)
                return error_set(e, -EBADMSG, "the ledger's first record is damaged");
        if (version != LEDGER_VERSION)
                return error_set(e, -EPROTONOSUPPORT, "the ledger has format %llu, this program reads %d",
                                (unsigned long long) version, LEDGER_VERSION);
        *ret_epoch = (uint32_t) epoch;
        return 0;
}

/* Walks back over the open block to the newest SEAL's record. */
static int find_end(Loader *l, uint64_t *ret_size, Block *ret_block) {
        _cleanup_(store_cursor_freep) StoreCursor *c = NULL;
        EntryView views[RUN_ENTRIES_MAX];
        bool sized = false;
        unsigned n;

        int r = store_cursor_new(l->writer->store, &c);
        if (r < 0)
                return r;
        *ret_size = 0;
        for (r = store_cursor_last(c, l->error); r > 0; r = store_cursor_previous(c, l->error)) {
                StoreKey k = store_cursor_key(c);
                if (!sized && (k.kind == RECORD_ENTRIES || k.kind == RECORD_KEPT)) {
                        if (run_parse(k.index, store_cursor_value(c), views, &n) < 0)
                                return damaged(l, k.index, "its record is damaged");
                        *ret_size = k.index + n;
                        sized = true;
                }
                if (k.kind == RECORD_BLOCK) {
                        r = block_load(l->writer->store, k.index, ret_block, l->error);
                        if (r == 0 && !sized)
                                *ret_size = block_size(ret_block);
                        return r;
                }
        }
        return r;
}

/* --- state --- */

static int apply_record(Loader *l, StoreKey key) {
        _cleanup_free_ uint8_t *data = NULL;
        size_t len;

        int r = store_get(l->writer->store, key, &data, &len, l->error);
        if (r < 0)
                return must_be_there(r);
        r = state_apply(&l->writer->state, BYTES(data, len), key.kind == RECORD_CHANGES);
        return r == -EBADMSG ? damaged(l, key.index, "the state kept with it is damaged") : r;
}

static int apply_block(Loader *l, const Block *b) {
        Unpack u = unpack(b->streams);

        for (uint64_t n = unpack_count(&u, 2); n > 0; n--) {
                uint64_t number = unpack_uint(&u), next = unpack_uint(&u);
                StreamRow *row = number < STREAMS_MAX ? state_stream(&l->writer->state, (uint32_t) number)
                                                      : NULL;
                if (!row)
                        return damaged(l, block_seal(b), "its block's record is damaged");
                row->next = next;
        }
        if (u.failed || u.len > 0)
                return damaged(l, block_seal(b), "its block's record is damaged");
        return apply_record(l, (StoreKey){ .index = block_seal(b), .kind = RECORD_STATE });
}

static int load_state(Loader *l, const Block *newest) {
        uint64_t seals[FULL_STATE_EVERY];
        unsigned n = 0;
        int r;

        for (uint64_t seal = block_seal(newest); seal != newest->full_state;) {
                _cleanup_(block_done) Block b = { 0 };
                r = block_load(l->writer->store, seal, &b, l->error);
                if (r < 0)
                        return r;
                if (n == FULL_STATE_EVERY || b.jump_count == 0)
                        return damaged(l, seal, "its block's record is damaged");
                seals[n++] = seal;
                seal = b.jumps[0];
        }
        r = apply_record(l, (StoreKey){ .index = newest->full_state, .kind = RECORD_STATE });
        while (r == 0 && n > 0) {
                _cleanup_(block_done) Block b = { 0 };
                r = block_load(l->writer->store, seals[--n], &b, l->error);
                if (r == 0)
                        r = apply_block(l, &b);
        }
        return r;
}

/* --- the open block --- */

static int count_entry(Loader *l, const EntryView *v) {
        Writer *w = l->writer;
        char subject[NAME_MAX_LENGTH];
        uint8_t plain[BODY_MAX];
        int64_t wall_us = TIME_NONE;
        size_t len;

        int r = view_open(v, w->keyring, plain, &len, subject);
        if (r == 0)
                r = body_wall_time(BYTES(plain, len), &wall_us);
        sodium_memzero(plain, sizeof plain);
        if (r == -EBADMSG)
                return damaged(l, v->index, "its body is damaged");
        if (r < 0 && r != -ENOKEY)
                return r;
        const StreamRow *row = state_stream(&w->state, be32_read(v->head + 4));
        if (!row || row->next != be64_read(v->head + 8))
                return damaged(l, v->index, "its stream's sequence does not go on");
        return writer_count_entry(w, v->head, wall_us);
}

static int load_open_block(Loader *l, uint64_t size) {
        uint64_t first = l->writer->open.first;
        RunCursor c;
        EntryView v;

        int r = run_cursor_open(&c, l->writer->store);
        for (uint64_t i = first; r == 0 && i < size; i++) {
                r = run_cursor_get(&c, i, &v, l->error);
                if (r == 0)
                        r = count_entry(l, &v);
        }
        run_cursor_done(&c);
        return must_be_there(r);
}

static int load_changes(Loader *l, uint64_t size) {
        _cleanup_(store_cursor_freep) StoreCursor *c = NULL;
        Writer *w = l->writer;

        int r = store_cursor_new(w->store, &c);
        if (r < 0)
                return r;
        w->ordinal_size = size;
        for (r = store_cursor_seek(c, (StoreKey){ .index = w->open.first }, l->error); r > 0;
                        r = store_cursor_next(c, l->error)) {
                StoreKey k = store_cursor_key(c);
                if (k.kind != RECORD_CHANGES)
                        continue;
                int q = apply_record(l, k);
                if (q < 0)
                        return q;
                if (k.index == size)
                        w->next_ordinal = k.ordinal + 1;
        }
        return r;
}

static int load_log(Loader *l) {
        _cleanup_(block_done) Block newest = { 0 };
        Writer *w = l->writer;
        TileSource source = { .store = w->store, .edge = &w->edge };
        uint64_t size;

        int r = find_end(l, &size, &newest);
        if (r < 0)
                return r;
        if (newest.count > 0) {
                r = load_state(l, &newest);
                if (r < 0)
                        return r;
                w->open.first = block_size(&newest);
                w->sealed = newest;
                w->sealed.record = NULL;
                w->sealed.streams = w->sealed.keys = BYTES(NULL, 0);
        }
        if (size < w->open.first)
                return damaged(l, size, "entries are missing before the end of their block");
        r = load_changes(l, size);
        if (r == 0)
                r = edge_load(w->store, size, &w->edge, l->error);
        if (r == 0)
                r = load_open_block(l, size);
        if (r < 0)
                return r;
        NodeSource nodes = { tile_source_node, &source };
        r = merkle_root_at(&nodes, w->open.first, &w->sealed_root);
        return r < 0 ? error_set(l->error, r, "%s", source.error.message) : 0;
}

int writer_load(Store *s, Keyring *k, uint32_t block_entries, Writer **ret, Error *e) {
        _cleanup_(writer_freep) Writer *w = NULL;
        uint32_t epoch = 0;

        int r = load_meta(s, &epoch, e);
        if (r < 0)
                return r;
        r = writer_new(s, k, block_entries, epoch, &w);
        if (r < 0)
                return error_set(e, r, "out of memory");
        store_batch_clear(w->batch);
        Loader l = { .writer = w, .error = e };
        r = load_log(&l);
        if (r < 0)
                return r;
        *ret = TAKE(w);
        return 0;
}
