#include "rlp.h"

enum { SHORT_MAX = 55, HEAD_MAX = 9, STRING = 0x80, LIST = 0xc0 };

/* Of what has len bytes; returns its own length. */
static size_t format_head(uint8_t kind, size_t len, uint8_t ret[static HEAD_MAX]) {
        uint8_t big_endian[8];
        size_t zeros = 0;

        if (len <= SHORT_MAX) {
                ret[0] = (uint8_t) (kind + len);
                return 1;
        }
        be64_write(big_endian, len);
        while (big_endian[zeros] == 0)
                zeros++;
        ret[0] = (uint8_t) (kind + SHORT_MAX + (sizeof big_endian - zeros));
        memcpy(ret + 1, big_endian + zeros, sizeof big_endian - zeros);
        return 1 + sizeof big_endian - zeros;
}

static void put(RlpWriter *w, const uint8_t *data, size_t len) {
        if (w->overflow || len > w->size - w->len) {
                w->overflow = true;
                return;
        }
        if (len > 0)
                memcpy(w->data + w->len, data, len);
        w->len += len;
}

void rlp_put_bytes(RlpWriter *w, Bytes b) {
        uint8_t head[HEAD_MAX];

        if (b.len != 1 || b.data[0] >= STRING)
                put(w, head, format_head(STRING, b.len, head));
        put(w, b.data, b.len);
}

void rlp_put_number(RlpWriter *w, Bytes big_endian) {
        while (big_endian.len > 0 && big_endian.data[0] == 0)
                big_endian = BYTES(big_endian.data + 1, big_endian.len - 1);
        rlp_put_bytes(w, big_endian);
}

void rlp_put_uint(RlpWriter *w, uint64_t v) {
        uint8_t big_endian[8];

        be64_write(big_endian, v);
        rlp_put_number(w, BYTES(big_endian, sizeof big_endian));
}

size_t rlp_begin_list(const RlpWriter *w) {
        return w->len;
}

void rlp_end_list(RlpWriter *w, size_t mark) {
        uint8_t head[HEAD_MAX];
        size_t len = w->len - mark, head_len = format_head(LIST, len, head);

        put(w, head, head_len); /* makes room for it */
        if (w->overflow)
                return;
        memmove(w->data + mark + head_len, w->data + mark, len);
        memcpy(w->data + mark, head, head_len);
}
