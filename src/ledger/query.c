/* Readings by subject, vital and time. Blocks that can't hold any are passed over by their records; of the others only
 * the subject's entries are read. */
#include <errno.h>
#include <sodium.h>

#include "ledger/ledger_internal.h"

typedef struct Query {
        Ledger *ledger;
        const ReadingFilter *filter;
        ReadingFn fn;
        void *userdata;
        uint64_t first, end; /* indices asked for */
        uint64_t found;
        uint32_t *positions; /* of the subject's entries in a block */
        int answer;          /* where it ends early: -ECANCELED inside, this outside */
        Error error;
} Query;

static bool time_fits(const ReadingFilter *f, int64_t from_us, int64_t to_us) {
        return (f->from_us == TIME_NONE || to_us >= f->from_us) &&
               (f->to_us == TIME_NONE || from_us <= f->to_us);
}

/* --- entries --- */

static int open_reading(const Query *q, const EntryView *v, StoredReading *ret) {
        uint8_t plain[BODY_MAX];
        size_t len;

        int r = view_open(v, q->ledger->options.keyring, plain, &len, ret->subject);
        if (r == 0)
                r = body_get_reading(BYTES(plain, len), &ret->body);
        sodium_memzero(plain, sizeof plain);
        ret->index = v->index;
        return r;
}

static int offer(Query *q, const EntryView *v) {
        const ReadingFilter *f = q->filter;
        StoredReading reading;

        if (view_type(v) != ENTRY_READING)
                return 0;
        int r = open_reading(q, v, &reading);
        if (r < 0)
                return r == -ENOKEY ? 0 : r;
        if ((f->subject && !streq(f->subject, reading.subject)) ||
                        (f->vital && !streq(f->vital, reading.body.vital)) ||
                        !time_fits(f, reading.body.when.wall_us, reading.body.when.wall_us))
                return 0;
        r = q->fn(q->userdata, &reading);
        if (r != 0) {
                q->answer = r;
                return -ECANCELED;
        }
        return ++q->found == f->limit ? -ECANCELED : 0;
}

static int offer_at(Query *q, RunCursor *c, uint64_t index) {
        EntryView v;

        if (index < q->first || index >= q->end)
                return 0;
        int r = run_cursor_get(c, index, &v, &q->error);
        if (r == 0)
                return offer(q, &v);
        if (r != -ENOENT)
                return r;
        return index < ledger_bounds(q->ledger).pruned_size ? 0 : -EBADMSG;
}

/* count entries from first on; positions, where given, say which ones. */
static int offer_range(Query *q, uint64_t first, const uint32_t *positions, uint64_t count) {
        _cleanup_(run_cursor_done) RunCursor c = { 0 };

        int r = run_cursor_open(&c, q->ledger->store);
        for (uint64_t i = 0; r == 0 && i < count; i++) {
                uint64_t n = q->filter->newest_first ? count - 1 - i : i;
                r = offer_at(q, &c, first + (positions ? positions[n] : n));
        }
        return r;
}

/* --- blocks --- */

static int compare_positions(const void *a, const void *b) {
        uint32_t x, y;

        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        return (x > y) - (x < y);
}

static bool is_subject(const Query *q, Bytes id_bytes) {
        char subject[NAME_MAX_LENGTH];
        SubjectKey key;
        KeyId id;

        memcpy(id.bytes, id_bytes.data, sizeof id);
        int r = keyring_find(q->ledger->options.keyring, &id, &key, subject);
        sodium_memzero(&key, sizeof key);
        return r == 0 && streq(subject, q->filter->subject);
}

/* More than one key may be the subject's. */
static int find_positions(Query *q, const Block *b, uint64_t *ret_count) {
        Unpack u = unpack(b->keys);
        uint64_t count = 0;

        for (uint64_t keys = unpack_count(&u, KEY_ID_SIZE); keys > 0; keys--) {
                Bytes id = unpack_raw(&u, KEY_ID_SIZE);
                uint64_t n = unpack_count(&u, 1), position = 0;
                bool take = !u.failed && is_subject(q, id);
                for (; n > 0; n--) {
                        position += unpack_uint(&u);
                        if (position >= b->count || count == BLOCK_ENTRIES_MAX)
                                return -EBADMSG;
                        if (take)
                                q->positions[count++] = (uint32_t) position;
                }
        }
        if (u.failed)
                return -EBADMSG;
        qsort(q->positions, count, sizeof *q->positions, compare_positions);
        *ret_count = count;
        return 0;
}

static int offer_block(Query *q, const Block *b) {
        uint64_t count;

        if (!time_fits(q->filter, b->min_us, b->max_us))
                return 0;
        if (!q->filter->subject)
                return offer_range(q, b->first, NULL, b->count);
        int r = find_positions(q, b, &count);
        return r < 0 ? r : offer_range(q, b->first, q->positions, count);
}

static int offer_open_block(Query *q, const Bounds *at) {
        _cleanup_(ledger_unlock_storep) Ledger *open = ledger_lock_store(q->ledger);
        uint64_t first = at->height > 0 ? at->newest_seal + 1 : 0;

        if (!open)
                return -EIO;
        return at->size > first ? offer_range(q, first, NULL, at->size - first) : 0;
}

/* Clocks step: below the last block that went back in time, a later time does not end the search. */
static bool none_behind(const Query *q, const Block *b, uint64_t regress) {
        return q->filter->to_us != TIME_NONE && b->newest_us > q->filter->to_us && regress <= b->height;
}

static int search(Query *q, const Bounds *at, BlockFits fits, uint64_t number, Block *ret) {
        return block_search(q->ledger->store, at->newest_seal, fits, number, ret, &q->error);
}

/* One block; the lock is given back in between. */
static int step_up(Query *q, const Bounds *at, uint64_t height, uint64_t regress) {
        _cleanup_(ledger_unlock_storep) Ledger *open = ledger_lock_store(q->ledger);
        _cleanup_(block_done) Block b = { 0 };

        if (!open)
                return -EIO;
        int r = search(q, at, block_is_from, height, &b);
        if (r == 0)
                r = offer_block(q, &b);
        return r == 0 && none_behind(q, &b, regress) ? -ENOENT : r;
}

static int find_start(Query *q, const Bounds *at, uint64_t *ret_height, uint64_t *ret_regress) {
        _cleanup_(ledger_unlock_storep) Ledger *open = ledger_lock_store(q->ledger);
        _cleanup_(block_done) Block newest = { 0 }, b = { 0 };

        if (!open)
                return -EIO;
        int r = block_load(q->ledger->store, at->newest_seal, &newest, &q->error);
        if (r < 0)
                return r;
        *ret_regress = newest.regress;
        r = search(q, at, block_is_above, q->first, &b);
        if (r < 0)
                return r;
        *ret_height = b.height;
        if (q->filter->from_us == TIME_NONE)
                return 0;
        block_done(&b);
        r = search(q, at, block_has_since, (uint64_t) q->filter->from_us, &b);
        if (r == 0)
                *ret_height = MAX(*ret_height, b.height);
        return r;
}

static int oldest_first(Query *q, const Bounds *at) {
        uint64_t height = 0, regress = 0;
        int r = at->height > 0 ? find_start(q, at, &height, &regress) : -ENOENT;

        for (; r == 0 && height < at->height; height++)
                r = step_up(q, at, height, regress);
        return r == 0 || r == -ENOENT ? offer_open_block(q, at) : r;
}

static int step_down(Query *q, uint64_t *seal) {
        _cleanup_(ledger_unlock_storep) Ledger *open = ledger_lock_store(q->ledger);
        _cleanup_(block_done) Block b = { 0 };

        if (!open)
                return -EIO;
        int r = block_load(q->ledger->store, *seal, &b, &q->error);
        if (r < 0)
                return r;
        if (block_size(&b) <= q->first ||
                        (q->filter->from_us != TIME_NONE && b.newest_us < q->filter->from_us))
                return -ECANCELED;
        r = offer_block(q, &b);
        if (b.jump_count == 0)
                return r == 0 ? -ECANCELED : r;
        *seal = b.jumps[0];
        return r;
}

static int newest_first(Query *q, const Bounds *at) {
        uint64_t seal = at->newest_seal;
        int r = offer_open_block(q, at);

        if (at->height == 0)
                return r;
        while (r == 0)
                r = step_down(q, &seal);
        return r;
}

int ledger_readings(Ledger *l, const ReadingFilter *f, ReadingFn fn, void *userdata) {
        Bounds at = ledger_bounds(l);
        _cleanup_free_ uint32_t *positions = calloc(BLOCK_ENTRIES_MAX, sizeof *positions);
        Query q = { .ledger = l, .filter = f, .fn = fn, .userdata = userdata, .positions = positions };

        if (!positions)
                return -ENOMEM;
        q.first = MAX(at.pruned_size, f->after + 1); /* UINT64_MAX: from 0 */
        q.end = at.size;
        int r = f->newest_first ? newest_first(&q, &at) : oldest_first(&q, &at);
        return r == -ECANCELED ? q.answer : r;
}
