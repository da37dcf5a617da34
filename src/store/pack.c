#include "store/pack.h"

enum { LEB128_MAX = 10 };

void pack_done(Pack *p) {
        free(p->data);
        *p = (Pack){ 0 };
}

static uint8_t *reserve(Pack *p, size_t n) {
        if (p->failed)
                return NULL;
        if (p->room - p->len < n) {
                size_t room = MAX(2 * p->room, p->len + n + 256);
                uint8_t *grown = realloc(p->data, room);
                if (!grown) {
                        p->failed = true;
                        return NULL;
                }
                p->data = grown;
                p->room = room;
        }
        return p->data + p->len;
}

void pack_uint(Pack *p, uint64_t v) {
        uint8_t *to = reserve(p, LEB128_MAX);

        if (!to)
                return;
        for (; v >= 0x80; v >>= 7)
                *to++ = (uint8_t) (v | 0x80);
        *to++ = (uint8_t) v;
        p->len = (size_t) (to - p->data);
}

void pack_int(Pack *p, int64_t v) {
        /* The sign goes to the lowest bit. */
        pack_uint(p, (uint64_t) v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

void pack_raw(Pack *p, Bytes b) {
        if (b.len == 0)
                return;
        uint8_t *to = reserve(p, b.len);
        if (!to)
                return;
        memcpy(to, b.data, b.len);
        p->len += b.len;
}

void pack_counted(Pack *p, Bytes b) {
        pack_uint(p, b.len);
        pack_raw(p, b);
}

uint64_t unpack_uint(Unpack *u) {
        uint64_t v = 0;

        for (unsigned shift = 0; shift < 64 && u->len > 0 && !u->failed; shift += 7) {
                uint8_t b = *u->data++;
                u->len--;
                if (shift == 63 && b > 1)
                        break;
                v |= (uint64_t) (b & 0x7f) << shift;
                if (!(b & 0x80))
                        return v;
        }
        u->failed = true;
        return 0;
}

int64_t unpack_int(Unpack *u) {
        uint64_t v = unpack_uint(u);

        return (int64_t) (v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

Bytes unpack_raw(Unpack *u, size_t n) {
        if (u->failed || n > u->len) {
                u->failed = true;
                return BYTES(NULL, 0);
        }
        Bytes b = BYTES(u->data, n);
        u->data += n;
        u->len -= n;
        return b;
}

Bytes unpack_counted(Unpack *u) {
        return unpack_raw(u, unpack_count(u, 1));
}

uint64_t unpack_count(Unpack *u, size_t least) {
        uint64_t n = unpack_uint(u);

        if (n > u->len / least) {
                u->failed = true;
                return 0;
        }
        return n;
}
