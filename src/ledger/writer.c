#include "ledger/writer.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

bool entry_is_kept(EntryType type, uint64_t index) {
        return type == ENTRY_KEY || type == ENTRY_SEAL || type == ENTRY_ERASE || type == ENTRY_ASSIGN ||
               (type == ENTRY_GAP && index == 0);
}

int writer_new(Store *s, Keyring *k, uint32_t block_entries, uint32_t epoch, Writer **ret) {
        _cleanup_(writer_freep) Writer *w = calloc(1, sizeof *w);

        if (!w)
                return -ENOMEM;
        w->store = s;
        w->keyring = k;
        w->block_entries = MIN(block_entries, (uint32_t) BLOCK_ENTRIES_MAX);
        w->epoch = epoch;
        merkle_empty(&w->sealed_root);
        w->open.streams = calloc(BLOCK_ENTRIES_MAX, sizeof *w->open.streams);
        w->open.keys = calloc(BLOCK_ENTRIES_MAX, sizeof *w->open.keys);
        w->open.next = calloc(BLOCK_ENTRIES_MAX, sizeof *w->open.next);
        if (!w->open.streams || !w->open.keys || !w->open.next || !state_stream(&w->state, 0) ||
                        store_batch_new(&w->batch) < 0)
                return -ENOMEM;

        pack_uint(&w->pack, LEDGER_VERSION);
        pack_uint(&w->pack, epoch);
        if (w->pack.failed)
                return -ENOMEM;
        store_batch_put(w->batch, (StoreKey){ .kind = RECORD_META }, pack_bytes(&w->pack));
        *ret = TAKE(w);
        return 0;
}

Writer *writer_free(Writer *w) {
        if (!w)
                return NULL;
        store_batch_free(w->batch);
        state_done(&w->state);
        pack_done(&w->pack);
        free(w->open.streams);
        free(w->open.keys);
        free(w->open.next);
        sodium_memzero(&w->random, sizeof w->random);
        free(w);
        return NULL;
}

/* --- the open block --- */

static void count_time(OpenBlock *b, int64_t wall_us) {
        if (wall_us == TIME_NONE)
                return;
        if (!b->timed) {
                b->first_us = b->min_us = b->max_us = wall_us;
                b->timed = true;
        }
        b->last_us = wall_us;
        b->min_us = MIN(b->min_us, wall_us);
        b->max_us = MAX(b->max_us, wall_us);
}

static int count_key(Writer *w, const uint8_t *head) {
        OpenBlock *b = &w->open;
        EntryView v = { .head = head };
        KeyId id = view_key(&v);
        uint64_t height = writer_height(w);

        if (!key_id_is_set(&id))
                return 0;
        KeyRow *row = state_find_key(&w->state, &id);
        if (!row) {
                int r = state_add_key(&w->state, &id, &row);
                if (r < 0)
                        return r;
        }
        if (row->block != height) {
                row->block = height;
                row->count = 0;
                row->first = b->count;
                b->keys[b->key_count++] = (uint32_t) (row - w->state.keys);
        } else {
                b->next[row->last] = (uint16_t) b->count;
        }
        row->last = b->count;
        row->count++;
        if (view_type(&v) == ENTRY_KEY && !row->known)
                row->known = row->changed = true;
        return 0;
}

int writer_count_entry(Writer *w, const uint8_t *head, int64_t wall_us) {
        OpenBlock *b = &w->open;
        uint32_t stream = be32_read(head + 4);
        uint64_t height = writer_height(w);

        if (b->count >= BLOCK_ENTRIES_MAX)
                return -EOVERFLOW;
        StreamRow *row = state_stream(&w->state, stream);
        if (!row)
                return -ENOMEM;
        row->next = MAX(row->next, be64_read(head + 8) + 1);
        if (row->block != height) {
                row->block = height;
                b->streams[b->stream_count++] = stream;
        }
        count_time(b, wall_us);
        int r = count_key(w, head);
        if (r == 0)
                b->count++;
        return r;
}

/* --- entries --- */

static void close_run(Writer *w) {
        if (w->run_count == 0)
                return;
        store_batch_put(w->batch, (StoreKey){ .index = w->run_first, .kind = RECORD_ENTRIES },
                        BYTES(w->run, w->run_len));
        w->run_count = 0;
        w->run_len = 0;
}

/* Room in the run for an entry whose stored body has `len` bytes: its head goes to the returned place, the body right
 * behind it. */
static uint8_t *reserve(Writer *w, size_t len, bool kept) {
        if (kept || w->run_len >= RUN_BYTES || w->run_count == RUN_ENTRIES_MAX)
                close_run(w);
        if (w->run_count == 0)
                w->run_first = writer_size(w);
        uint8_t *to = w->run + w->run_len;
        size_t n = len;
        for (; n >= 0x80; n >>= 7)
                *to++ = (uint8_t) (n | 0x80);
        *to++ = (uint8_t) n;
        w->run_len = (size_t) (to - w->run) + ENTRY_HEAD_SIZE + len;
        w->run_count++;
        return to;
}

/* The entry reserved last is complete: into the tree with it. */
static int finish(Writer *w, const uint8_t *head, size_t len, bool kept, int64_t wall_us) {
        EntryView v = { .index = writer_size(w), .head = head, .body = BYTES(head + ENTRY_HEAD_SIZE, len) };
        Hash leaf;

        int r = writer_count_entry(w, head, wall_us);
        if (r < 0)
                return r;
        view_leaf(&v, &leaf);
        unsigned full = edge_append(&w->edge, &leaf);
        if (kept) {
                store_batch_put(w->batch, (StoreKey){ .index = v.index, .kind = RECORD_KEPT },
                                BYTES(w->run, w->run_len));
                w->run_count = 0;
                w->run_len = 0;
        } else if (full > 0) {
                close_run(w);
        }
        for (unsigned i = 0; i < full; i++)
                store_batch_put(w->batch,
                                (StoreKey){ .index = v.index, .kind = (uint8_t) (RECORD_TILE + i) },
                                BYTES(w->edge.rows[i], sizeof w->edge.rows[i]));
        return 0;
}

int writer_append(Writer *w, EntryType type, uint32_t stream, const SubjectKey *key, Bytes body,
                int64_t wall_us) {
        Entry e = { .type = type, .stream = stream, .flags = key ? ENTRY_SEALED_BODY : 0 };
        size_t len = body.len + (key ? SEAL_OVERHEAD : 0);
        bool kept = entry_is_kept(type, writer_size(w));

        assert(len <= BODY_MAX);
        const StreamRow *row = state_stream(&w->state, stream);
        if (!row)
                return -ENOMEM;
        e.seq = row->next;
        if (key)
                e.key = key->id;
        uint8_t *head = reserve(w, len, kept);
        entry_encode_head(&e, head);
        if (key)
                body_seal(key, &w->random, head, body, head + ENTRY_HEAD_SIZE);
        else
                memcpy(head + ENTRY_HEAD_SIZE, body.data, body.len);
        return finish(w, head, len, kept, wall_us);
}

int writer_append_stored(Writer *w, const EntryView *v, int64_t wall_us) {
        bool kept = entry_is_kept(view_type(v), writer_size(w));
        uint8_t *head = reserve(w, v->body.len, kept);

        memcpy(head, v->head, ENTRY_HEAD_SIZE);
        memcpy(head + ENTRY_HEAD_SIZE, v->body.data, v->body.len);
        return finish(w, head, v->body.len, kept, wall_us);
}

/* The KEY entry's head names the key, though its body is in the clear: so it is found again without reading the body. */
static int append_key(Writer *w, const SubjectKey *key, const char *subject, SubjectKind kind,
                const EntryTime *when) {
        Entry e = { .type = ENTRY_KEY, .key = key->id };
        KeyBody body = { .when = *when, .kind = kind, .key = key->id };
        uint8_t head[ENTRY_HEAD_SIZE], data[512];
        CborWriter c = cbor_writer(data, sizeof data);

        memcpy(body.subject, subject, strnlen(subject, sizeof body.subject - 1));
        keyring_commitment(key, &body.commitment);
        body_put_key(&c, &body);
        if (c.overflow)
                return -EINVAL;
        e.seq = w->state.streams[0].next;
        entry_encode_head(&e, head);
        EntryView v = { .head = head, .body = BYTES(data, c.len) };
        return writer_append_stored(w, &v, when->wall_us);
}

int writer_subject_key(Writer *w, const char *subject, SubjectKind kind, const EntryTime *when,
                SubjectKey *ret, Error *e) {
        bool is_new;

        int r = keyring_subject(w->keyring, subject, ret, &is_new, e);
        if (r < 0)
                return r;
        /* Not is_new: a crash may have come between the key's file and its entry. */
        const KeyRow *row = state_find_key(&w->state, &ret->id);
        return row && row->known ? 0 : append_key(w, ret, subject, kind, when);
}

bool writer_is_full(const Writer *w) {
        return w->open.count + 1 >= w->block_entries;
}

/* --- the end of a block --- */

static void pack_streams(const Writer *w, Pack *to) {
        const OpenBlock *b = &w->open;

        pack_uint(to, b->stream_count);
        for (uint32_t i = 0; i < b->stream_count; i++) {
                pack_uint(to, b->streams[i]);
                pack_uint(to, w->state.streams[b->streams[i]].next);
        }
}

static void pack_keys(const Writer *w, Pack *to) {
        const OpenBlock *b = &w->open;

        pack_uint(to, b->key_count);
        for (uint32_t i = 0; i < b->key_count; i++) {
                const KeyRow *row = &w->state.keys[b->keys[i]];
                uint32_t position = row->first, before = 0;
                pack_raw(to, BYTES(row->id.bytes, KEY_ID_SIZE));
                pack_uint(to, row->count);
                for (uint32_t n = 0; n < row->count; n++) {
                        pack_uint(to, position - before);
                        before = position;
                        position = b->next[position];
                }
        }
}

static bool key_is_gone(void *userdata, const KeyId *id) {
        char subject[NAME_MAX_LENGTH];
        SubjectKey key;

        int r = keyring_find(userdata, id, &key, subject);
        sodium_memzero(&key, sizeof key);
        return r == -ENOENT;
}

int writer_describe_block(const Writer *w, Block *ret, Pack *streams, Pack *keys, Error *e) {
        Block b = {
                .first = w->open.first,
                .count = w->open.count,
                .min_us = w->open.min_us,
                .max_us = w->open.max_us,
        };

        int r = block_link(w->store, w->sealed.count > 0 ? &w->sealed : NULL, &b, e);
        if (r < 0)
                return r;
        b.full_state = b.height % FULL_STATE_EVERY == 0 ? block_seal(&b) : w->sealed.full_state;
        pack_streams(w, streams);
        pack_keys(w, keys);
        if (streams->failed || keys->failed)
                return -ENOMEM;
        b.streams = pack_bytes(streams);
        b.keys = pack_bytes(keys);
        *ret = b;
        return 0;
}

void writer_next_block(Writer *w, const Block *b) {
        OpenBlock *o = &w->open;

        w->sealed = *b;
        w->sealed.streams = w->sealed.keys = BYTES(NULL, 0);
        w->sealed.record = NULL;
        *o = (OpenBlock){ .first = block_size(b), .streams = o->streams, .keys = o->keys, .next = o->next };
}

static int put_block(Writer *w, const Block *b) {
        bool all = b->full_state == block_seal(b);

        pack_clear(&w->pack);
        block_pack(b, &w->pack);
        if (w->pack.failed)
                return -ENOMEM;
        store_batch_put(w->batch, (StoreKey){ .index = block_seal(b), .kind = RECORD_BLOCK },
                        pack_bytes(&w->pack));
        /* Erased keys need no memory of their KEY entry: nothing is sealed with them again. */
        if (all)
                state_drop_keys(&w->state, key_is_gone, w->keyring);
        pack_clear(&w->pack);
        state_pack(&w->state, all, &w->pack);
        if (w->pack.failed)
                return -ENOMEM;
        store_batch_put(w->batch, (StoreKey){ .index = block_seal(b), .kind = RECORD_STATE },
                        pack_bytes(&w->pack));
        state_settle(&w->state);
        return 0;
}

static int append_seal(Writer *w, const EntryTime *when, const Hash *rules) {
        const OpenBlock *o = &w->open;
        uint8_t data[512];
        CborWriter c = cbor_writer(data, sizeof data);
        SealBody body = {
                .when = *when,
                .height = writer_height(w),
                .first = o->first,
                .count = (uint64_t) o->count + 1,
                .previous_size = w->sealed.count > 0 ? block_size(&w->sealed) : 0,
                .previous_root = w->sealed_root,
                .first_us = o->timed ? o->first_us : when->wall_us,
                .last_us = o->timed ? o->last_us : when->wall_us,
                .rules = *rules,
        };

        body_put_seal(&c, &body);
        return c.overflow ? -EINVAL
                          : writer_append(w, ENTRY_SEAL, 0, NULL, BYTES(data, c.len), when->wall_us);
}

int writer_seal(Writer *w, const EntryTime *when, const Hash *rules, Error *e) {
        _cleanup_(pack_done) Pack streams = { 0 }, keys = { 0 };
        Block b = { 0 };
        int r = 0;

        /* A block's record looks others up in the store. */
        if (w->seal_pending)
                r = writer_commit(w, e);
        if (r == 0)
                r = append_seal(w, when, rules);
        if (r == 0)
                r = writer_describe_block(w, &b, &streams, &keys, e);
        if (r == 0)
                r = put_block(w, &b);
        if (r < 0)
                return r;
        writer_next_block(w, &b);
        frontier_root(&w->edge.frontier, &w->sealed_root);
        w->seal_pending = true;
        return 0;
}

/* --- to the store --- */

int writer_put_changes(Writer *w, Bytes record) {
        if (w->ordinal_size != writer_size(w)) {
                w->ordinal_size = writer_size(w);
                w->next_ordinal = 0;
        }
        store_batch_put(w->batch,
                        (StoreKey){
                                        .index = w->ordinal_size,
                                        .kind = RECORD_CHANGES,
                                        .ordinal = w->next_ordinal++,
                        },
                        record);
        return state_apply(&w->state, record, true);
}

int writer_commit(Writer *w, Error *e) {
        close_run(w);
        int r = store_write(w->store, w->batch, true, e);
        if (r < 0)
                return r;
        store_batch_clear(w->batch);
        w->seal_pending = false;
        return 0;
}
