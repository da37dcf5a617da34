/* Structs as deterministic CBOR maps with small integer keys, by tables: one row a member, in the order of keys.
 * What a struct holds is written and read by the same row, and reading writes it again and compares, so there is
 * exactly one encoding of each body. */
#pragma once

#include "base/cbor.h"

typedef enum FieldKind {
        FIELD_UINT64,
        FIELD_UINT32,
        FIELD_UINT16,
        FIELD_ENUM, /* an enum without negative values; size: its largest value */
        FIELD_INT64,
        FIELD_TIME,   /* int64_t; where optional, TIME_NONE is left out */
        FIELD_DOUBLE, /* finite; where optional, NaN is left out */
        FIELD_BOOL,
        FIELD_TEXT,  /* a char array of size bytes */
        FIELD_BYTES, /* exactly size bytes */
} FieldKind;

typedef struct Field {
        uint8_t key;
        FieldKind kind;
        size_t offset, size;
        bool optional; /* left out where zero, empty or absent */
        size_t given;  /* offset of the bool that says whether the member has a value; 0: no such bool */
} Field;

typedef struct Layout {
        const Field *fields;
        size_t count;
        size_t size; /* of the struct */
} Layout;

enum { LAYOUT_SIZE_MAX = 1536 };

/* Marks w as overflown where a member can't be read back: text that isn't UTF-8, a number that isn't finite. */
void layout_put(CborWriter *w, const Layout *l, const void *from);
/* -EBADMSG for all that layout_put() would not have written. */
int layout_get(const Layout *l, Bytes data, void *ret) _must_check_;
