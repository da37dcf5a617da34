#include "ledger/block.h"

#include <errno.h>

void block_done(Block *b) {
        free(b->record);
        *b = (Block){ 0 };
}

void block_pack(const Block *b, Pack *to) {
        pack_uint(to, b->height);
        pack_uint(to, b->first);
        pack_uint(to, b->count);
        pack_int(to, b->min_us);
        pack_int(to, b->max_us);
        pack_int(to, b->newest_us);
        pack_uint(to, b->regress);
        pack_uint(to, b->full_state);
        pack_uint(to, b->jump_count);
        for (unsigned i = 0; i < b->jump_count; i++)
                pack_uint(to, b->jumps[i]);
        pack_counted(to, b->streams);
        pack_counted(to, b->keys);
}

int block_unpack(Bytes record, Block *ret) {
        Unpack u = unpack(record);
        Block b = { 0 };

        b.height = unpack_uint(&u);
        b.first = unpack_uint(&u);
        b.count = unpack_uint(&u);
        b.min_us = unpack_int(&u);
        b.max_us = unpack_int(&u);
        b.newest_us = unpack_int(&u);
        b.regress = unpack_uint(&u);
        b.full_state = unpack_uint(&u);
        b.jump_count = (unsigned) MIN(unpack_count(&u, 1), (uint64_t) BLOCK_JUMPS_MAX);
        for (unsigned i = 0; i < b.jump_count; i++)
                b.jumps[i] = unpack_uint(&u);
        b.streams = unpack_counted(&u);
        b.keys = unpack_counted(&u);
        if (u.failed || u.len > 0 || b.count == 0)
                return -EBADMSG;
        *ret = b;
        return 0;
}

int block_load(Store *s, uint64_t seal, Block *ret, Error *e) {
        uint8_t *data = NULL;
        size_t len;

        int r = store_get(s, (StoreKey){ .index = seal, .kind = RECORD_BLOCK }, &data, &len, e);
        if (r < 0)
                return r == -ENOENT ? -EBADMSG : r;
        if (block_unpack(BYTES(data, len), ret) < 0 || block_seal(ret) != seal) {
                free(data);
                return error_set(e, -EBADMSG, "block that ends at entry %llu: its record is damaged",
                                (unsigned long long) seal);
        }
        ret->record = data;
        return 0;
}

int block_link(Store *s, const Block *previous, Block *b, Error *e) {
        b->height = 0;
        b->jump_count = 0;
        b->newest_us = b->max_us;
        b->regress = 0;
        if (!previous)
                return 0;

        b->height = previous->height + 1;
        b->newest_us = MAX(b->max_us, previous->newest_us);
        b->regress = b->min_us < previous->newest_us ? b->height : previous->regress;
        b->jumps[b->jump_count++] = block_seal(previous);
        /* 2^i below is 2^(i-1) below what is 2^(i-1) below. */
        for (unsigned i = 1; b->height >> i > 0; i++) {
                _cleanup_(block_done) Block half = { 0 };
                int r = block_load(s, b->jumps[i - 1], &half, e);
                if (r < 0)
                        return r;
                if (half.jump_count < i)
                        return error_set(e, -EBADMSG, "block %llu: its record is damaged",
                                        (unsigned long long) half.height);
                b->jumps[b->jump_count++] = half.jumps[i - 1];
        }
        return 0;
}

int block_search(Store *s, uint64_t newest_seal, BlockFits fits, uint64_t number, Block *ret, Error *e) {
        _cleanup_(block_done) Block at = { 0 };

        int r = block_load(s, newest_seal, &at, e);
        if (r < 0)
                return r;
        if (!fits(&at, number))
                return error_set(e, -ENOENT, "no such block");
        for (unsigned i = at.jump_count; i-- > 0;) {
                _cleanup_(block_done) Block below = { 0 };
                if (i >= at.jump_count)
                        continue;
                r = block_load(s, at.jumps[i], &below, e);
                if (r < 0)
                        return r;
                if (!fits(&below, number))
                        continue;
                Block old = at;
                at = below;
                below = old;
        }
        *ret = at;
        at.record = NULL;
        return 0;
}

bool block_is_from(const Block *b, uint64_t height) {
        return b->height >= height;
}

bool block_is_above(const Block *b, uint64_t size) {
        return block_size(b) > size;
}

bool block_has_since(const Block *b, uint64_t us) {
        return b->newest_us >= (int64_t) us;
}
