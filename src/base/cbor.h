/* Deterministic CBOR (RFC 8949 4.2.1) into a buffer that the caller owns, and a bounded reader for our own bodies. Both
 * are a few lines around one head: what comes from outside is read by libcbor (decode/senml_cbor.c).
 *
 * Writer: maps must be written with their keys in order (all our keys are small unsigned integers, so ascending
 * numbers are the bytewise order). Overflow is remembered: write all, then check once. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

typedef struct CborWriter {
        uint8_t *data;
        size_t size, len;
        bool overflow;
} CborWriter;

static inline CborWriter cbor_writer(uint8_t *data, size_t size) {
        return (CborWriter){ .data = data, .size = size };
}

void cbor_put_uint(CborWriter *w, uint64_t v);
void cbor_put_int(CborWriter *w, int64_t v);
void cbor_put_bytes(CborWriter *w, Bytes b);
void cbor_put_text(CborWriter *w, const char *s);
void cbor_put_map(CborWriter *w, size_t pairs);
void cbor_put_array(CborWriter *w, size_t items);
void cbor_put_bool(CborWriter *w, bool v);
void cbor_put_null(CborWriter *w);
/* The shortest of half, single and double that holds the value exactly; NaN is 0x7e00. */
void cbor_put_double(CborWriter *w, double v);

/* A cursor over well-formed definite-length CBOR. Each take returns 0 and moves on, or -EBADMSG and stays. */
typedef struct CborReader {
        const uint8_t *data;
        size_t len;
} CborReader;

static inline CborReader cbor_reader(Bytes b) {
        return (CborReader){ .data = b.data, .len = b.len };
}

int cbor_take_uint(CborReader *r, uint64_t *ret) _must_check_;
int cbor_take_int(CborReader *r, int64_t *ret) _must_check_;
int cbor_take_bytes(CborReader *r, Bytes *ret) _must_check_; /* borrows */
/* Copies into ret, always NUL-terminated; a text of size bytes or more, or with a NUL in it, is -EBADMSG. */
int cbor_take_text(CborReader *r, char *ret, size_t size) _must_check_;
int cbor_take_map(CborReader *r, size_t *ret_pairs) _must_check_;
int cbor_take_array(CborReader *r, size_t *ret_items) _must_check_;
int cbor_take_bool(CborReader *r, bool *ret) _must_check_;
int cbor_take_null(CborReader *r) _must_check_;
int cbor_take_double(CborReader *r, double *ret) _must_check_; /* any float or integer */
/* Steps over one item, nested at most 16 deep. */
int cbor_skip(CborReader *r) _must_check_;
