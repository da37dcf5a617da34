/* Old entries go, in groups of blocks: deletions reach back into tables that are long settled, and each group costs one
 * compaction of its range. Tiles stay, and with them every proof; so do SEAL, KEY, ERASE and ASSIGN.
 *
 * Age is measured only by a synchronised clock: one that has jumped years ahead would prune everything. */
#include <errno.h>

#include "ledger/ledger_internal.h"

enum { PRUNE_BLOCKS = 16 };

typedef struct Prune {
        Ledger *ledger;
        Store *store;
        StoreBatch *batch;
        uint64_t limit; /* nothing at or above this index */
        uint64_t end;   /* of the group */
        Error *error;
} Prune;

static uint64_t prune_limit(Ledger *l) {
        _cleanup_(ledger_unlockp) _unused_ pthread_mutex_t *locked = ledger_lock(l);
        uint64_t limit = l->options.prune_unanchored ? UINT64_MAX : l->shared.anchored;

        /* The tree's edge is rebuilt from the entries behind the last full tile. */
        return MIN(limit, writer_size(l->writer) / TILE_WIDTH * TILE_WIDTH);
}

static int next_block(const Prune *p, uint64_t size, Block *ret) {
        return block_search(p->store, block_seal(&p->ledger->writer->sealed), block_is_above, size, ret,
                        p->error);
}

static bool is_due(const Ledger *l, const Block *b, const EntryTime *when, bool over_budget) {
        return over_budget || (l->options.retention_us > 0 && when->synchronised &&
                                              b->max_us < when->wall_us - l->options.retention_us);
}

/* 1 where a whole group is due. */
static int find_group(Prune *p, const EntryTime *when) {
        const LedgerOptions *o = &p->ledger->options;
        bool over = o->size_budget > 0 &&
                    store_size(p->store, (StoreKey){ 0 }, (StoreKey){ .index = UINT64_MAX }) >
                                    o->size_budget;

        p->end = p->ledger->writer->state.pruned_size;
        for (unsigned i = 0; i < PRUNE_BLOCKS; i++) {
                _cleanup_(block_done) Block b = { 0 };
                int r = next_block(p, p->end, &b);
                if (r < 0)
                        return r == -ENOENT ? 0 : r;
                if (block_size(&b) > p->limit || !is_due(p->ledger, &b, when, over))
                        return 0;
                p->end = block_size(&b);
        }
        return 1;
}

/* What is left of a block's record says nothing of subjects. */
static int strip_block(Prune *p, uint64_t seal, Bytes record) {
        _cleanup_(pack_done) Pack pack = { 0 };
        Block b;

        int r = block_unpack(record, &b);
        if (r < 0)
                return error_set(p->error, r, "block that ends at entry %llu: its record is damaged",
                                (unsigned long long) seal);
        b.keys = BYTES(NULL, 0);
        block_pack(&b, &pack);
        if (pack.failed)
                return -ENOMEM;
        store_batch_put(p->batch, (StoreKey){ .index = seal, .kind = RECORD_BLOCK }, pack_bytes(&pack));
        return 0;
}

static int drop_record(Prune *p, StoreKey key, Bytes value) {
        if (key.kind == RECORD_BLOCK)
                return strip_block(p, key.index, value);
        /* State is read from the newest full record on. */
        bool old_state = (key.kind == RECORD_STATE || key.kind == RECORD_CHANGES) &&
                         key.index < p->ledger->writer->sealed.full_state;
        if (key.kind == RECORD_ENTRIES || old_state)
                store_batch_delete(p->batch, key);
        return 0;
}

static int drop_group(Prune *p, uint64_t first) {
        _cleanup_(store_cursor_freep) StoreCursor *c = NULL;

        int r = store_cursor_new(p->store, &c);
        if (r < 0)
                return r;
        for (r = store_cursor_seek(c, (StoreKey){ .index = first }, p->error); r > 0;
                        r = store_cursor_next(c, p->error)) {
                StoreKey key = store_cursor_key(c);
                if (key.index >= p->end)
                        return 0;
                int q = drop_record(p, key, store_cursor_value(c));
                if (q < 0)
                        return q;
        }
        return r;
}

static int write_group(Prune *p) {
        _cleanup_(pack_done) Pack record = { 0 };
        Writer *w = p->ledger->writer;
        StoreKey from = { .index = w->state.pruned_size }, to = { .index = p->end };

        state_pack_changes(&record, p->end, 0, BYTES(NULL, 0), 0, BYTES(NULL, 0));
        int r = record.failed ? -ENOMEM : writer_put_changes(w, pack_bytes(&record));
        if (r == 0)
                r = writer_commit(w, p->error);
        /* Readers are told before the entries go: then what they miss is pruned, not damaged. */
        if (r == 0)
                ledger_publish(p->ledger);
        if (r == 0)
                r = store_write(p->store, p->batch, false, p->error);
        if (r == 0)
                store_compact(p->store, from, to);
        return r;
}

int ledger_prune(Ledger *l, const EntryTime *when, Error *e) {
        _cleanup_(store_batch_freep) StoreBatch *batch = NULL;

        if ((l->options.retention_us == 0 && l->options.size_budget == 0) || writer_height(l->writer) == 0)
                return 0;
        Prune p = { .ledger = l, .store = l->store, .limit = prune_limit(l), .error = e };
        int r = find_group(&p, when);
        if (r <= 0)
                return r;
        r = store_batch_new(&batch);
        if (r < 0)
                return r;
        p.batch = batch;
        r = drop_group(&p, l->writer->state.pruned_size);
        return r < 0 ? r : write_group(&p);
}
