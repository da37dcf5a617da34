/* What can be read of a database that can't go on becomes the beginning of the next epoch: a GAP that says so, then the
 * old entries with head and body as they were, so that bodies still open. Old SEALs are passed over, as the tree is
 * another one. The sequences of streams go on behind the largest seen.
 *
 * The store is walked twice: the GAP comes first and says how many follow. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "ledger/ledger_internal.h"

enum { PROGRESS_EVERY = 4096 };

typedef struct Salvage {
        Ledger *ledger;
        Store *from;
        State state; /* carried over, and how far each stream has come in this walk */
        uint64_t old_size;
        uint64_t entries;  /* taken */
        uint64_t pruned;   /* bodies below this were dropped on purpose */
        uint64_t gap_next; /* behind the recoveries of older epochs */
        uint64_t there;    /* from there to old_size, SEALs too */
        Writer *writer;    /* second walk */
        EntryTime when;
        Error *error;
} Salvage;

/* Time of the entry; -EBADMSG where its body is not what was once appended. */
static int check_entry(Salvage *s, const EntryView *v, int64_t *ret_us) {
        char subject[NAME_MAX_LENGTH];
        uint8_t plain[BODY_MAX];
        ReadingBody reading;
        Entry entry;
        size_t len;

        if (view_decode(v, &entry) < 0)
                return -EBADMSG;
        int r = view_open(v, s->ledger->options.keyring, plain, &len, subject);
        *ret_us = TIME_NONE;
        if (r == 0)
                r = body_wall_time(BYTES(plain, len), ret_us);
        StreamRow *row = state_stream(&s->state, entry.stream);
        if (!row)
                r = entry.stream < STREAMS_MAX ? -ENOMEM : -EBADMSG;
        else if (r == 0 && entry.type == ENTRY_READING && row->device[0] == '\0' &&
                        body_get_reading(BYTES(plain, len), &reading) == 0)
                memcpy(row->device, reading.device, sizeof row->device);
        sodium_memzero(plain, sizeof plain);
        return r == -ENOKEY ? 0 : r;
}

static int take_entry(Salvage *s, const EntryView *v) {
        int64_t wall_us;
        GapBody gap;

        s->there += v->index >= s->pruned && v->index < s->old_size;
        int r = check_entry(s, v, &wall_us);
        if (r < 0)
                return r == -EBADMSG ? 0 : r;
        StreamRow *row = state_stream(&s->state, be32_read(v->head + 4));
        uint64_t seq = be64_read(v->head + 8);
        if (seq < row->next || seq == UINT64_MAX)
                return 0;
        /* The GAP that an older epoch began with stands in front of what that one took over, with a sequence behind it. */
        if (view_is_recovery(v, &gap))
                s->gap_next = MAX(s->gap_next, seq + 1);
        else
                row->next = seq + 1;
        if (view_type(v) == ENTRY_SEAL)
                return 0;
        s->entries++;
        if (s->ledger->options.progress && s->entries % PROGRESS_EVERY == 0)
                s->ledger->options.progress(s->ledger->options.userdata,
                                s->writer ? "salvaging" : "reading what is left", s->entries);
        if (!s->writer)
                return 0;
        r = writer_append_stored(s->writer, v, wall_us);
        if (r < 0 || !writer_is_full(s->writer))
                return r;
        r = writer_seal(s->writer, &s->when, &(Hash){ 0 }, s->error);
        return r < 0 ? r : writer_commit(s->writer, s->error);
}

static int take_record(Salvage *s, StoreKey key, Bytes value) {
        EntryView views[RUN_ENTRIES_MAX];
        unsigned n;

        if ((key.kind == RECORD_STATE || key.kind == RECORD_CHANGES) && !s->writer) {
                int r = state_apply(&s->state, value, false);
                return r == -EBADMSG ? 0 : r;
        }
        if (key.kind != RECORD_ENTRIES && key.kind != RECORD_KEPT)
                return 0;
        if (run_parse(key.index, value, views, &n) < 0)
                return 0;
        for (unsigned i = 0; i < n; i++) {
                int r = take_entry(s, &views[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void rewind_streams(State *s) {
        for (size_t i = 0; i < s->stream_count; i++)
                s->streams[i].next = 0;
}

/* State records of the log reset the sequences that the walk counts: so they are counted in a walk of their own. */
static int walk(Salvage *s, bool entries) {
        _cleanup_(store_cursor_freep) StoreCursor *c = NULL;

        int r = store_cursor_new(s->from, &c);
        if (r < 0)
                return r;
        s->entries = s->there = 0;
        for (r = store_cursor_seek(c, (StoreKey){ 0 }, s->error); r > 0;
                        r = store_cursor_next(c, s->error)) {
                StoreKey key = store_cursor_key(c);
                bool is_state = key.kind == RECORD_STATE || key.kind == RECORD_CHANGES;
                if (is_state == entries)
                        continue;
                int q = take_record(s, key, store_cursor_value(c));
                if (q < 0)
                        return q;
        }
        return r;
}

static int append_gap(Salvage *s, const char *note) {
        GapBody gap = {
                .when = s->when,
                .reason = GAP_RECOVERY,
                .what = "ledger",
                .from_us = TIME_NONE,
                .to_us = TIME_NONE,
                .first = 1,
                .count = s->entries,
        };
        uint8_t data[2048];
        CborWriter c = cbor_writer(data, sizeof data);

        (void) snprintf(gap.detail, sizeof gap.detail, "%s", note);
        body_put_gap(&c, &gap);
        if (c.overflow)
                return error_set(s->error, -EINVAL, "the old checkpoint does not fit in an entry");
        return writer_append(s->writer, ENTRY_GAP, 0, NULL, BYTES(data, c.len), s->when.wall_us);
}

/* The first block's record carries all state, so it needs no record of its own. */
static int carry_state(Salvage *s) {
        State *to = &s->writer->state;

        state_done(to);
        *to = s->state;
        s->state = (State){ 0 };
        state_forget_keys(to); /* known again by their KEY entries, where those are left */
        to->pruned_size = 0;
        for (size_t i = 0; i < to->stream_count; i++) {
                to->streams[i].block = NOT_IN_BLOCK;
                if (i > 0) /* counted again; the gateway's own must begin behind all of the old ones */
                        to->streams[i].next = 0;
                StreamRow *row = state_stream(&s->state, (uint32_t) i);
                if (!row)
                        return -ENOMEM;
        }
        return 0;
}

static int write_epoch(Salvage *s, const char *note) {
        int r = carry_state(s);

        if (r == 0)
                r = append_gap(s, note);
        if (r == 0 && s->from)
                r = walk(s, true);
        if (r == 0)
                r = writer_seal(s->writer, &s->when, &(Hash){ 0 }, s->error);
        return r < 0 ? r : writer_commit(s->writer, s->error);
}

int ledger_salvage(Ledger *l, Store *from, Store *to, const char *note, uint64_t old_size,
                LedgerRecovery *ret, Error *e) {
        _cleanup_(writer_freep) Writer *writer = NULL;
        Salvage s = { .ledger = l, .from = from, .old_size = old_size, .error = e };
        Stamp now = { 0 };

        clock_now_full(&now);
        s.when = (EntryTime){
                .wall_us = now.wall_us, .mono_us = now.mono_us, .synchronised = now.synchronised
        };
        int r = writer_new(to, l->options.keyring, l->options.block_entries, l->epoch, &writer);
        if (r == 0 && !state_stream(&s.state, 0))
                r = -ENOMEM;
        if (r == 0 && from) {
                r = walk(&s, false);
                rewind_streams(&s.state);
                s.pruned = MIN(s.state.pruned_size, old_size);
                if (r == 0 && !state_stream(&s.state, 0))
                        r = -ENOMEM;
                if (r == 0)
                        r = walk(&s, true);
                StreamRow *own = state_stream(&s.state, 0);
                if (own)
                        own->next = MAX(own->next, s.gap_next);
        }
        s.writer = writer;
        if (r == 0)
                r = write_epoch(&s, note);
        state_done(&s.state);
        if (r < 0)
                return r == -ENOMEM ? error_set(e, r, "out of memory") : r;
        ret->salvaged = s.entries;
        ret->lost = old_size - s.pruned - s.there;
        return 0;
}
