/* Hashes as text. */
#pragma once

#include "base/macro.h"

/* ret holds 2 * len + 1 bytes. */
static inline void hex_encode(Bytes b, char *ret) {
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < b.len; i++) {
                ret[2 * i] = digits[b.data[i] >> 4];
                ret[2 * i + 1] = digits[b.data[i] & 15];
        }
        ret[2 * b.len] = '\0';
}
