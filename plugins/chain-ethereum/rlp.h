/* Recursive length prefix (Ethereum yellow paper, appendix B), written into a buffer that the caller owns. Overflow is
 * remembered: write all, then check once. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

typedef struct RlpWriter {
        uint8_t *data;
        size_t size, len;
        bool overflow;
} RlpWriter;

static inline RlpWriter rlp_writer(uint8_t *data, size_t size) {
        return (RlpWriter){ .data = data, .size = size };
}

void rlp_put_bytes(RlpWriter *w, Bytes b);
/* A number: big-endian without leading zeros, 0 is the empty string. */
void rlp_put_uint(RlpWriter *w, uint64_t v);
void rlp_put_number(RlpWriter *w, Bytes big_endian);
/* What is put between the two is the list's. begin's answer is end's mark; lists may be in lists. */
size_t rlp_begin_list(const RlpWriter *w);
void rlp_end_list(RlpWriter *w, size_t mark);
