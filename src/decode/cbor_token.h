/* CBOR one item's head at a time, through libcbor's streaming decoder: nothing is allocated, so no length that a
 * payload claims can size anything. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

typedef enum CborType {
        CBOR_TOKEN_UINT,     /* number */
        CBOR_TOKEN_NEGATIVE, /* -1 - number */
        CBOR_TOKEN_REAL,     /* real: half, single or double */
        CBOR_TOKEN_BOOL,     /* number is 0 or 1 */
        CBOR_TOKEN_NULL,     /* or undefined */
        CBOR_TOKEN_BYTES,    /* bytes; where indefinite, chunks follow up to the break */
        CBOR_TOKEN_TEXT,     /* likewise */
        CBOR_TOKEN_ARRAY,    /* number of items; where indefinite, up to the break */
        CBOR_TOKEN_MAP,      /* number of pairs; likewise */
        CBOR_TOKEN_TAG,      /* number; the tagged item follows */
        CBOR_TOKEN_BREAK,
} CborType;

typedef struct CborToken {
        CborType type;
        bool indefinite;
        uint64_t number;
        double real;
        Bytes bytes; /* borrows from the input */
} CborToken;

/* Moves *at behind the head (for definite strings: behind the string). -EBADMSG where there is none or it is not
 * well-formed (RFC 8949 3). */
int cbor_token_next(Bytes *at, CborToken *ret) _must_check_;
/* Steps over the rest of the item that begins with t, nested at most CBOR_TOKEN_DEPTH_MAX deep. */
enum { CBOR_TOKEN_DEPTH_MAX = 16 };
int cbor_token_skip(Bytes *at, const CborToken *t) _must_check_;
