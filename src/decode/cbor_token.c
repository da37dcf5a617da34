#include "decode/cbor_token.h"

#include <cbor.h>
#include <errno.h>

static void put(void *token, CborType type, uint64_t number) {
        *(CborToken *) token = (CborToken){ .type = type, .number = number };
}

static void put_indefinite(void *token, CborType type) {
        *(CborToken *) token = (CborToken){ .type = type, .indefinite = true };
}

static void put_bytes(void *token, CborType type, cbor_data data, size_t len) {
        *(CborToken *) token = (CborToken){ .type = type, .bytes = BYTES(data, len) };
}

static void put_real(void *token, double v) {
        *(CborToken *) token = (CborToken){ .type = CBOR_TOKEN_REAL, .real = v };
}

static void on_uint8(void *token, uint8_t v) {
        put(token, CBOR_TOKEN_UINT, v);
}

static void on_uint16(void *token, uint16_t v) {
        put(token, CBOR_TOKEN_UINT, v);
}

static void on_uint32(void *token, uint32_t v) {
        put(token, CBOR_TOKEN_UINT, v);
}

static void on_uint64(void *token, uint64_t v) {
        put(token, CBOR_TOKEN_UINT, v);
}

static void on_negative8(void *token, uint8_t v) {
        put(token, CBOR_TOKEN_NEGATIVE, v);
}

static void on_negative16(void *token, uint16_t v) {
        put(token, CBOR_TOKEN_NEGATIVE, v);
}

static void on_negative32(void *token, uint32_t v) {
        put(token, CBOR_TOKEN_NEGATIVE, v);
}

static void on_negative64(void *token, uint64_t v) {
        put(token, CBOR_TOKEN_NEGATIVE, v);
}

static void on_bytes(void *token, cbor_data data, size_t len) {
        put_bytes(token, CBOR_TOKEN_BYTES, data, len);
}

static void on_bytes_chunks(void *token) {
        put_indefinite(token, CBOR_TOKEN_BYTES);
}

static void on_text(void *token, cbor_data data, size_t len) {
        put_bytes(token, CBOR_TOKEN_TEXT, data, len);
}

static void on_text_chunks(void *token) {
        put_indefinite(token, CBOR_TOKEN_TEXT);
}

static void on_array(void *token, size_t items) {
        put(token, CBOR_TOKEN_ARRAY, items);
}

static void on_open_array(void *token) {
        put_indefinite(token, CBOR_TOKEN_ARRAY);
}

static void on_map(void *token, size_t pairs) {
        put(token, CBOR_TOKEN_MAP, pairs);
}

static void on_open_map(void *token) {
        put_indefinite(token, CBOR_TOKEN_MAP);
}

static void on_tag(void *token, uint64_t v) {
        put(token, CBOR_TOKEN_TAG, v);
}

static void on_float(void *token, float v) {
        put_real(token, (double) v);
}

static void on_double(void *token, double v) {
        put_real(token, v);
}

static void on_bool(void *token, bool v) {
        put(token, CBOR_TOKEN_BOOL, v);
}

static void on_null(void *token) {
        put(token, CBOR_TOKEN_NULL, 0);
}

static void on_break(void *token) {
        put(token, CBOR_TOKEN_BREAK, 0);
}

static const struct cbor_callbacks callbacks = {
        .uint8 = on_uint8,
        .uint16 = on_uint16,
        .uint32 = on_uint32,
        .uint64 = on_uint64,
        .negint8 = on_negative8,
        .negint16 = on_negative16,
        .negint32 = on_negative32,
        .negint64 = on_negative64,
        .byte_string = on_bytes,
        .byte_string_start = on_bytes_chunks,
        .string = on_text,
        .string_start = on_text_chunks,
        .array_start = on_array,
        .indef_array_start = on_open_array,
        .map_start = on_map,
        .indef_map_start = on_open_map,
        .tag = on_tag,
        .float2 = on_float,
        .float4 = on_float,
        .float8 = on_double,
        .boolean = on_bool,
        .null = on_null,
        .undefined = on_null,
        .indef_break = on_break,
};

int cbor_token_next(Bytes *at, CborToken *ret) {
        struct cbor_decoder_result r = cbor_stream_decode(at->data, at->len, &callbacks, ret);

        if (r.status != CBOR_DECODER_FINISHED)
                return -EBADMSG;
        *at = BYTES(at->data + r.read, at->len - r.read);
        return 0;
}

/* The definite strings of the same type that make up an indefinite one. */
static int skip_chunks(Bytes *at, CborType type) {
        CborToken t;

        for (;;) {
                if (cbor_token_next(at, &t) < 0)
                        return -EBADMSG;
                if (t.type == CBOR_TOKEN_BREAK)
                        return 0;
                if (t.type != type || t.indefinite)
                        return -EBADMSG;
        }
}

static int skip(Bytes *at, const CborToken *t, unsigned depth);

/* width items for each of the container's entries: 1 for an array, 2 for a map. */
static int skip_items(Bytes *at, const CborToken *t, unsigned width, unsigned depth) {
        CborToken item;

        for (uint64_t i = 0; t->indefinite || i < t->number; i++)
                for (unsigned k = 0; k < width; k++) {
                        if (cbor_token_next(at, &item) < 0)
                                return -EBADMSG;
                        if (k == 0 && t->indefinite && item.type == CBOR_TOKEN_BREAK)
                                return 0;
                        if (skip(at, &item, depth + 1) < 0)
                                return -EBADMSG;
                }
        return 0;
}

static int skip(Bytes *at, const CborToken *t, unsigned depth) {
        CborToken tagged;

        if (depth > CBOR_TOKEN_DEPTH_MAX)
                return -EBADMSG;
        switch (t->type) {
        case CBOR_TOKEN_UINT:
        case CBOR_TOKEN_NEGATIVE:
        case CBOR_TOKEN_REAL:
        case CBOR_TOKEN_BOOL:
        case CBOR_TOKEN_NULL:
                return 0;
        case CBOR_TOKEN_BYTES:
        case CBOR_TOKEN_TEXT:
                return t->indefinite ? skip_chunks(at, t->type) : 0;
        case CBOR_TOKEN_ARRAY:
                return skip_items(at, t, 1, depth);
        case CBOR_TOKEN_MAP:
                return skip_items(at, t, 2, depth);
        case CBOR_TOKEN_TAG:
                return cbor_token_next(at, &tagged) < 0 ? -EBADMSG : skip(at, &tagged, depth + 1);
        case CBOR_TOKEN_BREAK:
                return -EBADMSG;
        }
        return -EBADMSG;
}

int cbor_token_skip(Bytes *at, const CborToken *t) {
        return skip(at, t, 0);
}
