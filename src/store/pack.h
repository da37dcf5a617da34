/* Small records: LEB128 numbers and counted bytes, one after the other. A failure stays: pack or unpack all, then look
 * once. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

typedef struct Pack {
        uint8_t *data;
        size_t len, room;
        bool failed; /* no memory */
} Pack;

void pack_done(Pack *p);
static inline void pack_clear(Pack *p) {
        p->len = 0;
        p->failed = false;
}
static inline Bytes pack_bytes(const Pack *p) {
        return BYTES(p->data, p->len);
}
void pack_uint(Pack *p, uint64_t v);
void pack_int(Pack *p, int64_t v);   /* small numbers of either sign are short */
void pack_raw(Pack *p, Bytes b);     /* without its length */
void pack_counted(Pack *p, Bytes b); /* length, bytes */

typedef struct Unpack {
        const uint8_t *data;
        size_t len;
        bool failed; /* what was asked for isn't there */
} Unpack;

static inline Unpack unpack(Bytes b) {
        return (Unpack){ .data = b.data, .len = b.len };
}
/* 0 or empty after a failure. Bytes are borrowed. */
uint64_t unpack_uint(Unpack *u);
int64_t unpack_int(Unpack *u);
Bytes unpack_raw(Unpack *u, size_t n);
Bytes unpack_counted(Unpack *u);
/* A number of things of at least `least` bytes each that follow. */
uint64_t unpack_count(Unpack *u, size_t least);
