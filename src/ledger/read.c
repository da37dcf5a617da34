/* What any thread may ask: the head, entries, blocks and proofs. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "ledger/ledger_internal.h"

enum { ENTRIES_A_LOCK = 1024 };

TileSource ledger_tiles(Ledger *l) {
        return (TileSource){ .store = l->store, .edge = &l->shared.edge, .lock = &l->lock };
}

int ledger_head(Ledger *l, LedgerHead *ret) {
        _cleanup_(ledger_unlock_storep) Ledger *open = ledger_lock_store(l);
        uint64_t bytes = open ? store_size(l->store, (StoreKey){ 0 }, (StoreKey){ .index = UINT64_MAX }) : 0;
        _cleanup_(ledger_unlockp) _unused_ pthread_mutex_t *locked = ledger_lock(l);

        *ret = (LedgerHead){
                .size = l->shared.edge.frontier.size,
                .height = l->shared.height,
                .epoch = l->epoch,
                .pruned_size = l->shared.pruned_size,
                .bytes = bytes,
                .checkpoint = l->shared.checkpoint,
        };
        if (ret->checkpoint.size > 0)
                memcpy(ret->note, l->shared.note, sizeof ret->note);
        return 0;
}

Bounds ledger_bounds(Ledger *l) {
        _cleanup_(ledger_unlockp) _unused_ pthread_mutex_t *locked = ledger_lock(l);

        return (Bounds){
                .size = l->shared.edge.frontier.size,
                .height = l->shared.height,
                .newest_seal = l->shared.newest_seal,
                .pruned_size = l->shared.pruned_size,
        };
}

/* --- entries --- */

static int copy_entry(const EntryView *v, StoredEntry *ret) {
        int r = view_decode(v, &ret->entry);

        if (r < 0)
                return r;
        ret->index = v->index;
        memcpy(ret->head, v->head, ENTRY_HEAD_SIZE);
        memcpy(ret->body, v->body.data, v->body.len);
        ret->body_len = v->body.len;
        return 0;
}

/* -ENODATA where pruned, -EBADMSG where an entry that should be there isn't. */
static int get_entry(Ledger *l, RunCursor *c, uint64_t index, EntryView *ret) {
        Error e;

        int r = run_cursor_get(c, index, ret, &e);
        if (r != -ENOENT)
                return r;
        return index < ledger_bounds(l).pruned_size ? -ENODATA : -EBADMSG;
}

int ledger_entry(Ledger *l, uint64_t index, StoredEntry *ret) {
        _cleanup_(ledger_unlock_storep) Ledger *open = ledger_lock_store(l);
        _cleanup_(run_cursor_done) RunCursor c = { 0 };
        EntryView v;

        if (!open)
                return -EIO;
        if (index >= ledger_bounds(l).size)
                return -ENOENT;
        int r = run_cursor_open(&c, l->store);
        if (r == 0)
                r = get_entry(l, &c, index, &v);
        return r == 0 ? copy_entry(&v, ret) : r;
}

int ledger_open_body(Ledger *l, const StoredEntry *s, uint8_t ret[static BODY_MAX], size_t *ret_len,
                char ret_subject[static NAME_MAX_LENGTH]) {
        EntryView v = { .index = s->index, .head = s->head, .body = BYTES(s->body, s->body_len) };

        return view_open(&v, l->options.keyring, ret, ret_len, ret_subject);
}

/* Some entries, then the lock is given back. */
static int visit_some(Ledger *l, uint64_t first, uint64_t end, EntryFn fn, void *userdata) {
        _cleanup_(ledger_unlock_storep) Ledger *open = ledger_lock_store(l);
        _cleanup_(run_cursor_done) RunCursor c = { 0 };
        StoredEntry s;
        EntryView v;

        if (!open)
                return -EIO;
        int r = run_cursor_open(&c, l->store);
        for (uint64_t i = first; r == 0 && i < end; i++) {
                r = get_entry(l, &c, i, &v);
                if (r == -ENODATA) {
                        r = 0;
                        continue;
                }
                if (r == 0)
                        r = copy_entry(&v, &s);
                if (r == 0)
                        r = fn(userdata, &s);
        }
        return r;
}

int ledger_entries(Ledger *l, uint64_t first, uint64_t count, EntryFn fn, void *userdata) {
        uint64_t size = ledger_bounds(l).size;
        uint64_t end = first < size ? first + MIN(count, size - first) : first;
        int r = 0;

        for (uint64_t i = first; r == 0 && i < end; i += ENTRIES_A_LOCK)
                r = visit_some(l, i, MIN(end, i + ENTRIES_A_LOCK), fn, userdata);
        return r;
}

/* --- blocks --- */

static int find_block(Ledger *l, BlockFits fits, uint64_t number, Block *ret) {
        Bounds b = ledger_bounds(l);
        Error e;

        return b.height > 0 ? block_search(l->store, b.newest_seal, fits, number, ret, &e) : -ENOENT;
}

static int find_seal(Ledger *l, uint64_t height, uint64_t *ret) {
        _cleanup_(block_done) Block b = { 0 };

        int r = find_block(l, block_is_from, height, &b);
        if (r == 0)
                *ret = block_seal(&b);
        return r;
}

int ledger_block(Ledger *l, uint64_t height, SealBody *ret, uint64_t *ret_index) {
        _cleanup_(ledger_unlock_storep) Ledger *open = ledger_lock_store(l);
        _cleanup_(run_cursor_done) RunCursor c = { 0 };
        uint64_t seal = 0;
        EntryView v;

        if (!open)
                return -EIO;
        int r = find_seal(l, height, &seal);
        if (r == 0)
                r = run_cursor_open(&c, l->store);
        if (r == 0)
                r = get_entry(l, &c, seal, &v);
        if (r == 0)
                r = body_get_seal(v.body, ret);
        if (r == 0)
                *ret_index = seal;
        return r;
}

int ledger_block_checkpoint(
                Ledger *l, uint64_t height, Checkpoint *ret, char ret_note[static NOTE_TEXT_MAX]) {
        _cleanup_(ledger_unlock_storep) Ledger *open = ledger_lock_store(l);
        Checkpoint c = { 0 };
        uint64_t seal = 0;

        if (!open)
                return -EIO;
        int r = find_seal(l, height, &seal);
        if (r < 0)
                return r;
        TileSource source = ledger_tiles(l);
        NodeSource nodes = { tile_source_node, &source };
        c.size = seal + 1;
        r = merkle_root_at(&nodes, c.size, &c.root);
        if (r < 0)
                return r;
        (void) snprintf(c.origin, sizeof c.origin, "%s/%u", l->name, l->epoch);
        r = checkpoint_sign(&c, l->options.signing_key, ret_note);
        if (r == 0)
                *ret = c;
        return r;
}

int ledger_block_after(Ledger *l, uint64_t size, uint64_t *ret_height) {
        _cleanup_(ledger_unlock_storep) Ledger *open = ledger_lock_store(l);
        _cleanup_(block_done) Block b = { 0 };

        if (!open)
                return -EIO;
        int r = find_block(l, block_is_above, size, &b);
        if (r == 0)
                *ret_height = b.height;
        return r;
}

/* --- proofs --- */

int ledger_consistency(Ledger *l, uint64_t old_size, uint64_t new_size, Hash ret[static MERKLE_PROOF_MAX],
                size_t *ret_n) {
        _cleanup_(ledger_unlock_storep) Ledger *open = ledger_lock_store(l);

        if (!open)
                return -EIO;
        if (old_size > new_size || new_size > ledger_bounds(l).size)
                return -ERANGE;
        TileSource source = ledger_tiles(l);
        NodeSource nodes = { tile_source_node, &source };
        return merkle_consistency_proof(&nodes, old_size, new_size, ret, ret_n);
}

static int disclose(Ledger *l, Proof *p, Error *e) {
        char subject[NAME_MAX_LENGTH];
        SubjectKey key;

        if (!(p->entry.flags & ENTRY_SEALED_BODY))
                return 0;
        int r = keyring_find(l->options.keyring, &p->entry.key, &key, subject);
        if (r == -ENOENT)
                return error_set(e, -ENOKEY, "entry %llu: its subject's key was erased",
                                (unsigned long long) p->index);
        if (r == 0)
                r = body_disclose(&key, BYTES(p->body, p->body_len), p->subkey);
        sodium_memzero(&key, sizeof key);
        p->has_subkey = r == 0;
        return r < 0 ? error_set(e, r, "entry %llu: cannot give the key of its body",
                                       (unsigned long long) p->index)
                     : 0;
}

static int prove_stored(Ledger *l, const StoredEntry *s, bool with_key, Proof *p, Error *e) {
        TileSource source = ledger_tiles(l);
        NodeSource nodes = { tile_source_node, &source };
        uint64_t size;

        p->index = s->index;
        p->entry = s->entry;
        memcpy(p->body, s->body, s->body_len);
        p->body_len = s->body_len;
        {
                _cleanup_(ledger_unlockp) _unused_ pthread_mutex_t *locked = ledger_lock(l);
                size = l->shared.checkpoint.size;
                memcpy(p->note, l->shared.note, sizeof l->shared.note);
        }
        if (s->index >= size)
                return error_set(e, -EAGAIN, "entry %llu: its block is not sealed yet",
                                (unsigned long long) s->index);
        int r = merkle_inclusion_proof(&nodes, s->index, size, p->hashes, &p->hash_count);
        if (r < 0)
                return error_set(
                                e, r, "entry %llu: %s", (unsigned long long) s->index, source.error.message);
        return with_key ? disclose(l, p, e) : 0;
}

int ledger_prove(Ledger *l, uint64_t index, bool with_key, Proof *ret, Error *e) {
        _cleanup_(ledger_unlock_storep) Ledger *open = ledger_lock_store(l);
        Proof p = { 0 };
        StoredEntry s;

        if (!open)
                return error_set(e, -EIO, "the store is closed after an error");
        int r = ledger_entry(l, index, &s);
        if (r != 0)
                return error_set(e, r, "entry %llu: %s", (unsigned long long) index,
                                r == -ENOENT    ? "not there"
                                : r == -ENODATA ? "its body was pruned"
                                                : "damaged");
        r = prove_stored(l, &s, with_key, &p, e);
        if (r == 0)
                *ret = p;
        return r;
}
