#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "base/file.h"
#include "ledger/verify.h"

int verify_new(Ledger *l, VerifyReport *report, Verify **ret) {
        _cleanup_(verify_freep) Verify *v = calloc(1, sizeof *v);

        if (!v)
                return -ENOMEM;
        v->ledger = l;
        v->report = report;
        v->bounds = ledger_bounds(l);
        v->size = v->bounds.size;
        v->edge = calloc(1, sizeof *v->edge);
        v->salvaged_next = calloc(STREAMS_MAX, sizeof *v->salvaged_next);
        if (!v->edge || !v->salvaged_next)
                return -ENOMEM;
        int r = writer_new(NULL, l->options.keyring, BLOCK_ENTRIES_MAX, l->epoch, &v->shadow);
        if (r < 0)
                return r;
        *ret = TAKE(v);
        return 0;
}

Verify *verify_free(Verify *v) {
        if (!v)
                return NULL;
        writer_free(v->shadow);
        free(v->edge);
        free(v->salvaged_next);
        free(v);
        return NULL;
}

static bool is_pruned(const Verify *v, uint64_t index) {
        return index < ledger_bounds(v->ledger).pruned_size;
}

/* --- entries --- */

/* Begins an epoch that took over entries of older ones? */
static void take_first(Verify *v, const EntryView *view) {
        GapBody gap;

        if (!view_is_recovery(view, &gap))
                return;
        v->salvaged = v->salvaged_left = gap.count;
        v->gap_seq = v->shadow->state.streams[0].next = be64_read(view->head + 8);
}

/* Without holes; but those of older epochs have lost some, and of pruned ones some are gone. */
static void check_sequence(Verify *v, const EntryView *view, const Entry *e) {
        const StreamRow *row = state_stream(&v->shadow->state, e->stream);
        bool salvaged = v->salvaged_left > 0 && view->index > 0 && e->type != ENTRY_SEAL;
        GapBody gap;
        bool good;

        if (!row) {
                verify_fault(v, "entry %llu: stream %u is beyond all limits",
                                (unsigned long long) view->index, e->stream);
                return;
        }
        if (salvaged) {
                good = e->seq >= v->salvaged_next[e->stream] && (e->stream > 0 || e->seq < v->gap_seq);
                /* An older epoch's own recovery has a sequence behind what that epoch took over. */
                if (!view_is_recovery(view, &gap))
                        v->salvaged_next[e->stream] = e->seq + 1;
                v->salvaged_left--;
        } else if (is_pruned(v, view->index)) {
                good = e->seq >= row->next;
        } else {
                good = e->seq == row->next;
        }
        if (!good)
                verify_fault(v, "entry %llu: sequence %llu of stream %u does not follow",
                                (unsigned long long) view->index, (unsigned long long) e->seq, e->stream);
}

static void check_key(Verify *v, const EntryView *view) {
        char subject[NAME_MAX_LENGTH];
        SubjectKey key;
        KeyBody body;
        Hash commitment;

        if (body_get_key(view->body, &body) < 0) {
                verify_fault(v, "entry %llu: its body is malformed", (unsigned long long) view->index);
                return;
        }
        if (keyring_find(v->ledger->options.keyring, &body.key, &key, subject) < 0)
                return;
        keyring_commitment(&key, &commitment);
        sodium_memzero(&key, sizeof key);
        if (!hash_equal(&commitment, &body.commitment))
                verify_fault(v, "entry %llu: the subject's key is another one",
                                (unsigned long long) view->index);
}

/* The body's time, TIME_NONE where it can't be read any more. */
static int64_t check_body(Verify *v, const EntryView *view, const Entry *e) {
        char subject[NAME_MAX_LENGTH];
        uint8_t plain[BODY_MAX];
        int64_t wall_us = TIME_NONE;
        size_t len;

        int r = view_open(view, v->ledger->options.keyring, plain, &len, subject);
        if (r == 0 && e->flags & ENTRY_SEALED_BODY)
                v->report->sealed_bodies_opened++;
        if (r == 0)
                r = body_wall_time(BYTES(plain, len), &wall_us);
        sodium_memzero(plain, sizeof plain);
        if (r == -ENOKEY)
                v->report->erased++;
        else if (r < 0)
                verify_fault(v, "entry %llu: its body is damaged", (unsigned long long) view->index);
        if (e->type == ENTRY_KEY)
                check_key(v, view);
        return wall_us;
}

static void check_seal(Verify *v, const EntryView *view, VerifyLeaf *leaf) {
        const OpenBlock *o = &v->shadow->open;

        if (body_get_seal(view->body, &v->seal) < 0) {
                verify_fault(v, "entry %llu: its body is malformed", (unsigned long long) view->index);
                return;
        }
        leaf->is_seal = true;
        leaf->previous_size = v->seal.previous_size;
        leaf->previous_root = v->seal.previous_root;
        if (v->seal.height != v->seals || v->seal.first != o->first ||
                        v->seal.count != view->index - o->first + 1)
                verify_fault(v, "entry %llu: its block's header does not fit the block",
                                (unsigned long long) view->index);
        if (o->timed && v->unread == 0 && o->count + 1 == v->seal.count &&
                        (v->seal.first_us != o->first_us || v->seal.last_us != o->last_us))
                verify_fault(v, "entry %llu: its block's header has other times than its entries",
                                (unsigned long long) view->index);
        v->seals++;
        v->seal_index = view->index;
        v->block_due = true;
}

void verify_entry(Verify *v, const EntryView *view, bool kept, VerifyLeaf *leaf) {
        Entry e;

        if (v->block_due) {
                verify_fault(v, "entry %llu: its block's record is missing",
                                (unsigned long long) v->seal_index);
                v->block_due = false;
        }
        view_leaf(view, &leaf->hash);
        leaf->there = true;
        v->report->entries++;
        if (view_decode(view, &e) < 0 || kept != entry_is_kept(e.type, view->index)) {
                verify_fault(v, "entry %llu: malformed", (unsigned long long) view->index);
                return;
        }
        if (view->index == 0)
                take_first(v, view);
        check_sequence(v, view, &e);
        int64_t wall_us = check_body(v, view, &e);
        if (e.type == ENTRY_SEAL)
                check_seal(v, view, leaf);
        v->unread += wall_us == TIME_NONE;
        if (writer_count_entry(v->shadow, view->head, wall_us) < 0)
                verify_fault(v, "entry %llu: its block is too large", (unsigned long long) view->index);
}

/* --- what lies beside entries --- */

/* Of a pruned block only the record knows how far its streams came. */
static void take_streams(Verify *v, const Block *b) {
        Unpack u = unpack(b->streams);

        for (uint64_t n = unpack_count(&u, 2); n > 0; n--) {
                uint64_t number = unpack_uint(&u), next = unpack_uint(&u);
                StreamRow *row = number < STREAMS_MAX ? state_stream(&v->shadow->state, (uint32_t) number)
                                                      : NULL;
                if (!row || next < row->next)
                        u.failed = true;
                else
                        row->next = next;
        }
        if (u.failed || u.len > 0)
                verify_fault(v, "block %llu: its record is damaged", (unsigned long long) b->height);
}

static bool same_block(const Block *a, const Block *b) {
        return a->height == b->height && a->first == b->first && a->count == b->count &&
               a->min_us == b->min_us && a->max_us == b->max_us && a->newest_us == b->newest_us &&
               a->regress == b->regress && a->full_state == b->full_state &&
               a->jump_count == b->jump_count &&
               memcmp(a->jumps, b->jumps, a->jump_count * sizeof *a->jumps) == 0 &&
               bytes_equal(a->streams, b->streams) && bytes_equal(a->keys, b->keys);
}

/* How much of the record can be told from what is left of the block. */
static int expect_block(Verify *v, const Block *stored, Block *ret, Pack *streams, Pack *keys) {
        OpenBlock *o = &v->shadow->open;
        bool pruned = v->seal_index < ledger_bounds(v->ledger).pruned_size;
        Error e;

        if (pruned || v->unread > 0) {
                o->min_us = stored->min_us;
                o->max_us = stored->max_us;
        }
        if (pruned)
                o->count = (uint32_t) v->seal.count;
        int r = writer_describe_block(v->shadow, ret, streams, keys, &e);
        if (r == 0 && pruned) {
                take_streams(v, stored);
                ret->streams = stored->streams;
                /* It may have been pruned since the walk began. */
                ret->keys = v->seal_index < v->bounds.pruned_size ? BYTES(NULL, 0) : stored->keys;
        }
        return r;
}

static void count_salvaged(Verify *v) {
        uint64_t done = v->seal_index - v->seals; /* entries so far without SEALs and the GAP */

        v->salvaged_left = v->salvaged > done ? v->salvaged - done : 0;
}

void verify_block(Verify *v, uint64_t index, Bytes record) {
        _cleanup_(pack_done) Pack streams = { 0 }, keys = { 0 };
        Block stored, expected;

        if (!v->block_due || index != v->seal_index) {
                verify_fault(v, "a block's record without a SEAL at entry %llu", (unsigned long long) index);
                return;
        }
        v->block_due = false;
        if (block_unpack(record, &stored) < 0)
                stored = (Block){ 0 };
        if (expect_block(v, &stored, &expected, &streams, &keys) < 0) {
                verify_fault(v, "entry %llu: its block's record can't be compared",
                                (unsigned long long) index);
                expected = stored;
        } else if (!same_block(&stored, &expected)) {
                verify_fault(v, "entry %llu: its block's record is not what its entries make",
                                (unsigned long long) index);
        }
        writer_next_block(v->shadow, &expected);
        v->unread = 0;
        count_salvaged(v);
        /* They matter within a block only. */
        state_forget_keys(&v->shadow->state);
}

void verify_state(Verify *v, uint64_t index, Bytes record) {
        _cleanup_(state_done) State s = { 0 };
        const State *have = &v->shadow->state;

        if (state_apply(&s, record, false) < 0) {
                verify_fault(v, "entry %llu: the state kept with it is damaged", (unsigned long long) index);
                return;
        }
        if (v->shadow->sealed.full_state != index)
                return;
        for (size_t i = 0; i < MAX(s.stream_count, have->stream_count); i++) {
                uint64_t a = i < s.stream_count ? s.streams[i].next : 0;
                uint64_t b = i < have->stream_count ? have->streams[i].next : 0;
                if (a != b)
                        verify_fault(v,
                                        "entry %llu: the state kept with it has another sequence for stream "
                                        "%zu",
                                        (unsigned long long) index, i);
        }
}

void verify_meta(Verify *v, Bytes record) {
        Unpack u = unpack(record);

        v->has_meta = true;
        if (unpack_uint(&u) != LEDGER_VERSION || unpack_uint(&u) != v->ledger->epoch || u.failed ||
                        u.len > 0)
                verify_fault(v, "the ledger's first record is damaged");
}

void verify_checkpoint(Verify *v) {
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX], origin[ORIGIN_MAX];
        Hash empty;
        size_t len;
        Error e;

        ledger_path(v->ledger, "checkpoint", path);
        int r = file_read(path, NOTE_TEXT_MAX - 1, &text, &len, &e);
        if (r == 0)
                r = checkpoint_open(BYTES(text, len), v->ledger->options.signing_key->public, &v->checkpoint,
                                &e);
        if (r < 0) {
                verify_fault(v, "checkpoint: %.200s", e.message);
                return;
        }
        (void) snprintf(origin, sizeof origin, "%s/%u", v->ledger->name, v->ledger->epoch);
        if (!streq(v->checkpoint.origin, origin))
                verify_fault(v, "checkpoint: its origin is %s instead of %s", v->checkpoint.origin, origin);
        merkle_empty(&empty);
        if (v->checkpoint.size == 0 && !hash_equal(&empty, &v->checkpoint.root))
                verify_fault(v, "checkpoint: signed for another tree of no entries");
}
