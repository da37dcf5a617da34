#include "ingest/coap_block.h"

#include <errno.h>
#include <stdio.h>

typedef struct Transfer {
        const void *owner;
        char device[NAME_MAX_LENGTH];
        int format;
        int64_t at_us; /* of the last block */
        uint8_t *data;
        size_t len, room;
} Transfer;

struct BlockStore {
        BlockLimits limits;
        size_t count, bytes; /* room of all */
        uint64_t expired;
        uint8_t *complete; /* of the last call */
        Transfer transfers[];
};

bool block_option_read(Bytes value, BlockOption *ret) {
        uint32_t v = 0;

        if (value.len > 3)
                return false;
        for (size_t i = 0; i < value.len; i++)
                v = v << 8 | value.data[i];
        *ret = (BlockOption){ .number = v >> 4, .more = v >> 3 & 1, .exponent = v & 7 };
        return ret->exponent <= BLOCK_EXPONENT_MAX;
}

uint32_t block_option_value(BlockOption o) {
        return o.number << 4 | (uint32_t) o.more << 3 | o.exponent;
}

int block_store_new(const BlockLimits *limits, BlockStore **ret) {
        BlockStore *s = calloc(1, sizeof *s + limits->transfers * sizeof s->transfers[0]);

        if (!s)
                return -ENOMEM;
        s->limits = *limits;
        *ret = s;
        return 0;
}

static void transfer_end(BlockStore *s, Transfer *t) {
        s->bytes -= t->room;
        free(t->data);
        *t = s->transfers[--s->count];
}

BlockStore *block_store_free(BlockStore *s) {
        if (!s)
                return NULL;
        while (s->count > 0)
                transfer_end(s, &s->transfers[0]);
        free(s->complete);
        free(s);
        return NULL;
}

void block_store_forget(BlockStore *s, const void *owner) {
        for (size_t i = s->count; i-- > 0;)
                if (s->transfers[i].owner == owner)
                        transfer_end(s, &s->transfers[i]);
}

static void expire(BlockStore *s, int64_t now_us) {
        for (size_t i = s->count; i-- > 0;)
                if (now_us - s->transfers[i].at_us >= BLOCK_PATIENCE_US) {
                        transfer_end(s, &s->transfers[i]);
                        s->expired++;
                }
}

static Transfer *find(BlockStore *s, const BlockPart *p) {
        for (size_t i = 0; i < s->count; i++)
                if (s->transfers[i].owner == p->owner && streq(s->transfers[i].device, p->device))
                        return &s->transfers[i];
        return NULL;
}

static Transfer *begin(BlockStore *s, const BlockPart *p) {
        size_t own = 0;

        for (size_t i = 0; i < s->count; i++)
                own += s->transfers[i].owner == p->owner;
        if (s->count == s->limits.transfers || own >= s->limits.owner_transfers)
                return NULL;
        Transfer *t = &s->transfers[s->count++];
        *t = (Transfer){ .owner = p->owner, .format = p->format };
        (void) snprintf(t->device, sizeof t->device, "%s", p->device);
        return t;
}

/* Room grows with what is really there: Size1 is the peer's word, and costs it nothing. */
static bool append(BlockStore *s, Transfer *t, Bytes b) {
        size_t need = t->len + b.len;

        if (need > t->room) {
                size_t room = MIN(MAX(need, 2 * t->room), s->limits.payload);
                if (s->bytes - t->room + room > s->limits.bytes)
                        return false;
                uint8_t *grown = realloc(t->data, room);
                if (!grown)
                        return false;
                s->bytes += room - t->room;
                t->data = grown;
                t->room = room;
        }
        memcpy(t->data + t->len, b.data, b.len);
        t->len = need;
        return true;
}

static BlockResult check(const BlockStore *s, const BlockPart *p) {
        size_t size = (size_t) 16 << p->option.exponent;

        if (p->payload.len > size || (p->option.more && p->payload.len != size) || p->payload.len == 0)
                return BLOCK_MALFORMED;
        if (p->size1 > (int64_t) s->limits.payload ||
                        (size_t) p->option.number * size + p->payload.len > s->limits.payload)
                return BLOCK_TOO_LARGE;
        return BLOCK_MORE;
}

BlockResult block_store_add(BlockStore *s, const BlockPart *p, int64_t now_us, Bytes *ret) {
        expire(s, now_us);
        Transfer *t = find(s, p);
        BlockResult r = check(s, p);
        if (t && (r != BLOCK_MORE || p->option.number == 0)) {
                transfer_end(s, t);
                t = NULL;
        }
        if (r != BLOCK_MORE)
                return r;
        if (p->option.number == 0) {
                t = begin(s, p);
                if (!t)
                        return BLOCK_NO_ROOM;
        }
        if (!t)
                return BLOCK_INCOMPLETE;
        r = BLOCK_INCOMPLETE;
        if ((size_t) p->option.number << (p->option.exponent + 4) == t->len && t->format == p->format)
                r = append(s, t, p->payload) ? BLOCK_MORE : BLOCK_NO_ROOM;
        t->at_us = now_us;
        if (r == BLOCK_MORE && p->option.more)
                return BLOCK_MORE;
        if (r == BLOCK_MORE) {
                free(s->complete);
                s->complete = t->data;
                *ret = BYTES(t->data, t->len);
                t->data = NULL;
                r = BLOCK_COMPLETE;
        }
        transfer_end(s, t);
        return r;
}

size_t block_store_transfers(const BlockStore *s) {
        return s->count;
}

size_t block_store_bytes(const BlockStore *s) {
        return s->bytes;
}

uint64_t block_store_expired(const BlockStore *s) {
        return s->expired;
}
