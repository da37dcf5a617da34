#include "ledger/run.h"

#include <errno.h>
#include <sodium.h>

#include "ledger/merkle.h"
#include "store/pack.h"

static void view_entry(const EntryView *v, uint8_t ret[static ENTRY_SIZE]) {
        Hash body;

        sha256(v->body, &body);
        memcpy(ret, v->head, ENTRY_HEAD_SIZE);
        memcpy(ret + ENTRY_HEAD_SIZE, body.bytes, SHA256_SIZE);
}

bool view_is_recovery(const EntryView *v, GapBody *ret) {
        return view_type(v) == ENTRY_GAP && body_get_gap(v->body, ret) == 0 && ret->reason == GAP_RECOVERY;
}

int view_decode(const EntryView *v, Entry *ret) {
        uint8_t data[ENTRY_SIZE];

        view_entry(v, data);
        return entry_decode(data, ret);
}

void view_leaf(const EntryView *v, Hash *ret) {
        uint8_t data[ENTRY_SIZE];

        view_entry(v, data);
        merkle_leaf(BYTES(data, sizeof data), ret);
}

int view_open(const EntryView *v, Keyring *k, uint8_t ret[static BODY_MAX], size_t *ret_len,
                char ret_subject[static NAME_MAX_LENGTH]) {
        KeyId id = view_key(v);
        SubjectKey key;

        if (!(be16_read(v->head + 2) & ENTRY_SEALED_BODY)) {
                memcpy(ret, v->body.data, v->body.len);
                *ret_len = v->body.len;
                ret_subject[0] = '\0';
                return 0;
        }
        int r = keyring_find(k, &id, &key, ret_subject);
        if (r < 0)
                return r == -ENOENT ? -ENOKEY : r;
        r = body_open(&key, v->head, v->body, ret);
        sodium_memzero(&key, sizeof key);
        if (r == 0)
                *ret_len = v->body.len - SEAL_OVERHEAD;
        return r;
}

int body_wall_time(Bytes plain, int64_t *ret_us) {
        CborReader r = cbor_reader(plain);
        uint64_t key;
        size_t pairs;

        if (cbor_take_map(&r, &pairs) < 0 || cbor_take_uint(&r, &key) < 0 || key != 1)
                return -EBADMSG;
        return cbor_take_int(&r, ret_us);
}

int run_parse(uint64_t first, Bytes record, EntryView ret[static RUN_ENTRIES_MAX], unsigned *ret_n) {
        Unpack u = unpack(record);
        unsigned n = 0;

        while (u.len > 0 && !u.failed && n < RUN_ENTRIES_MAX) {
                size_t len = unpack_count(&u, 1);
                Bytes head = unpack_raw(&u, ENTRY_HEAD_SIZE);
                Bytes body = unpack_raw(&u, len);
                u.failed |= len > BODY_MAX;
                ret[n] = (EntryView){ .index = first + n, .head = head.data, .body = body };
                n++;
        }
        if (u.failed || u.len > 0 || n == 0)
                return -EBADMSG;
        *ret_n = n;
        return 0;
}

int run_cursor_open(RunCursor *c, Store *s) {
        *c = (RunCursor){ 0 };
        return store_cursor_new(s, &c->cursor);
}

void run_cursor_done(RunCursor *c) {
        c->cursor = store_cursor_free(c->cursor);
}

static bool is_run(const StoreCursor *c) {
        uint8_t kind = store_cursor_key(c).kind;
        return kind == RECORD_ENTRIES || kind == RECORD_KEPT;
}

static bool holds(const RunCursor *c, uint64_t index) {
        return c->count > 0 && index >= c->views[0].index && index - c->views[0].index < c->count;
}

/* Goes to the last run that starts at or before index: where that is the one behind the present one, by a step. */
static int find_run(RunCursor *c, uint64_t index, Error *e) {
        int r;

        if (c->count > 0 && index == c->views[0].index + c->count) {
                do
                        r = store_cursor_next(c->cursor, e);
                while (r > 0 && !is_run(c->cursor));
                if (r != 0 && (r < 0 || store_cursor_key(c->cursor).index <= index))
                        return r;
        }
        r = store_cursor_before(c->cursor, (StoreKey){ .index = index, .kind = RECORD_TILE }, e);
        while (r > 0 && !is_run(c->cursor))
                r = store_cursor_previous(c->cursor, e);
        return r;
}

int run_cursor_get(RunCursor *c, uint64_t index, EntryView *ret, Error *e) {
        if (!holds(c, index)) {
                int r = find_run(c, index, e);
                c->count = 0;
                if (r < 0)
                        return r;
                if (r == 0)
                        return error_set(e, -ENOENT, "entry %llu: not there", (unsigned long long) index);
                uint64_t first = store_cursor_key(c->cursor).index;
                if (run_parse(first, store_cursor_value(c->cursor), c->views, &c->count) < 0) {
                        c->count = 0;
                        return error_set(e, -EBADMSG, "entry %llu: its record is damaged",
                                        (unsigned long long) first);
                }
        }
        if (!holds(c, index))
                return error_set(e, -ENOENT, "entry %llu: not there", (unsigned long long) index);
        *ret = c->views[index - c->views[0].index];
        return 0;
}
