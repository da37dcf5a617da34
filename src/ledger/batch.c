#include "ledger/batch.h"

#include <errno.h>

#include "ledger/state.h"

int batch_new(Batch **ret) {
        _cleanup_(batch_freep) Batch *b = calloc(1, sizeof *b);

        if (!b)
                return -ENOMEM;
        /* Pages that are never used are never there. */
        b->items = malloc((LEDGER_BATCH_MAX + BATCH_CARRIED_MAX) * sizeof *b->items);
        if (!b->items)
                return -ENOMEM;
        b->first_mono_us = TIME_NONE;
        *ret = TAKE(b);
        return 0;
}

Batch *batch_free(Batch *b) {
        if (!b)
                return NULL;
        free(b->items);
        pack_done(&b->bytes);
        pack_done(&b->streams);
        pack_done(&b->state);
        free(b);
        return NULL;
}

void batch_clear(Batch *b) {
        b->count = b->stream_count = b->state_count = 0;
        pack_clear(&b->bytes);
        pack_clear(&b->streams);
        pack_clear(&b->state);
        b->seal = false;
        b->first_mono_us = TIME_NONE;
}

/* A part that could not grow is as long as before. */
static int checked(Pack *p, size_t before) {
        if (!p->failed)
                return 0;
        p->len = before;
        p->failed = false;
        return -ENOMEM;
}

static int add(Batch *b, const BatchItem *item, const char *subject, Bytes body) {
        size_t before = b->bytes.len;

        pack_raw(&b->bytes, BYTES(subject, item->subject_len));
        pack_raw(&b->bytes, body);
        int r = checked(&b->bytes, before);
        if (r < 0)
                return r;
        b->items[b->count] = *item;
        b->items[b->count++].offset = (uint32_t) before + item->subject_len;
        return 0;
}

int batch_add(Batch *b, const LedgerItem *item, int64_t mono_us) {
        size_t name = item->subject ? strlen(item->subject) + 1 : 0;

        if (name == 1 || name > NAME_MAX_LENGTH)
                return -EINVAL;
        if (item->body.len + (name ? SEAL_OVERHEAD : 0) > BODY_MAX)
                return -EMSGSIZE;
        if (b->count >= LEDGER_BATCH_MAX || b->bytes.len + name + item->body.len > LEDGER_BATCH_BYTES)
                return -ENOSPC;
        BatchItem i = {
                .wall_us = item->wall_us,
                .stream = item->stream,
                .len = (uint16_t) item->body.len,
                .type = (uint8_t) item->type,
                .kind = (uint8_t) item->kind,
                .subject_len = (uint8_t) name,
        };
        int r = add(b, &i, item->subject, item->body);
        if (r == 0 && b->first_mono_us == TIME_NONE)
                b->first_mono_us = mono_us;
        return r;
}

const char *batch_item_subject(const Batch *b, const BatchItem *i) {
        return i->subject_len > 0 ? (const char *) b->bytes.data + i->offset - i->subject_len : NULL;
}

Bytes batch_item_body(const Batch *b, const BatchItem *i) {
        return BYTES(b->bytes.data + i->offset, i->len);
}

int batch_put_stream(Batch *b, uint32_t number, const char *device) {
        size_t before = b->streams.len;

        state_pack_stream(&b->streams, number, device);
        int r = checked(&b->streams, before);
        if (r == 0)
                b->stream_count++;
        return r;
}

int batch_put_state(Batch *b, const char *key, Bytes value) {
        size_t before = b->state.len;

        if (strlen(key) >= STATE_KEY_MAX || value.len > STATE_VALUE_MAX)
                return -EMSGSIZE;
        if (before + value.len > BATCH_STATE_BYTES)
                return -ENOSPC;
        state_pack_item(&b->state, key, value);
        int r = checked(&b->state, before);
        if (r == 0)
                b->state_count++;
        return r;
}

/* --- after a failure --- */

/* In place: what is kept only moves to the front. */
static size_t keep_carried(Batch *b) {
        size_t kept = 0, bytes = 0, dropped = 0, from = b->count;

        /* The newest that fit. */
        for (size_t n = 0; from > 0; from--) {
                const BatchItem *i = &b->items[from - 1];
                if (i->type == ENTRY_READING)
                        continue;
                bytes += i->subject_len + (size_t) i->len;
                if (++n > BATCH_CARRIED_MAX || bytes > BATCH_CARRIED_BYTES)
                        break;
        }
        size_t at = 0;
        for (size_t n = 0; n < b->count; n++) {
                BatchItem i = b->items[n];
                if (i.type == ENTRY_READING)
                        continue;
                if (n < from) {
                        dropped++;
                        continue;
                }
                size_t len = i.subject_len + (size_t) i.len;
                memmove(b->bytes.data + at, b->bytes.data + i.offset - i.subject_len, len);
                i.offset = (uint32_t) at + i.subject_len;
                at += len;
                b->items[kept++] = i;
        }
        b->count = kept;
        b->bytes.len = at;
        return dropped;
}

/* Only the last value of each item matters. */
static int squeeze_state(Batch *b) {
        _cleanup_(state_done) State s = { 0 };
        _cleanup_(pack_done) Pack record = { 0 };

        state_pack_changes(&record, 0, 0, BYTES(NULL, 0), b->state_count, pack_bytes(&b->state));
        int r = record.failed ? -ENOMEM : state_apply(&s, pack_bytes(&record), true);
        if (r < 0)
                return r;
        pack_clear(&b->state);
        for (size_t i = 0; i < s.item_count; i++)
                state_pack_item(&b->state, s.items[i].key, BYTES(s.items[i].value, s.items[i].len));
        b->state_count = s.item_count;
        return 0;
}

ssize_t batch_carry(Batch *failed, const Batch *open) {
        size_t dropped = keep_carried(failed);

        for (size_t n = 0; n < open->count; n++) {
                const BatchItem *i = &open->items[n];
                int r = add(failed, i, batch_item_subject(open, i), batch_item_body(open, i));
                if (r < 0)
                        return r;
        }
        pack_raw(&failed->streams, pack_bytes(&open->streams));
        pack_raw(&failed->state, pack_bytes(&open->state));
        if (failed->streams.failed || failed->state.failed)
                return -ENOMEM;
        failed->stream_count += open->stream_count;
        failed->state_count += open->state_count;
        failed->seal = false;
        if (failed->state.len > BATCH_STATE_BYTES) {
                int r = squeeze_state(failed);
                if (r < 0)
                        return r;
        }
        return (ssize_t) dropped;
}
