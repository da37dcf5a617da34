#include "ledger/lines.h"

#include <assert.h>
#include <sodium.h>

static_assert((int) HASH_TEXT_SIZE ==
                                (int) sodium_base64_ENCODED_LEN(SHA256_SIZE, sodium_base64_VARIANT_ORIGINAL),
                "base64 of a hash");

bool lines_take(Bytes *rest, Bytes *ret) {
        const uint8_t *end = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;

        if (!end)
                return false;
        size_t len = (size_t) (end - rest->data);
        *ret = BYTES(rest->data, len);
        *rest = BYTES(end + 1, rest->len - len - 1);
        return true;
}

bool line_after(Bytes line, const char *prefix, Bytes *ret) {
        size_t len = strlen(prefix);

        if (line.len < len || memcmp(line.data, prefix, len) != 0)
                return false;
        *ret = BYTES(line.data + len, line.len - len);
        return true;
}

bool decimal_parse(Bytes line, uint64_t *ret) {
        uint64_t v = 0;

        if (line.len == 0 || (line.len > 1 && line.data[0] == '0'))
                return false;
        for (size_t i = 0; i < line.len; i++) {
                if (line.data[i] < '0' || line.data[i] > '9' ||
                                __builtin_mul_overflow(v, UINT64_C(10), &v) ||
                                __builtin_add_overflow(v, (uint64_t) (line.data[i] - '0'), &v))
                        return false;
        }
        *ret = v;
        return true;
}

bool base64_parse(Bytes text, uint8_t *ret, size_t size, size_t *ret_len) {
        return sodium_base642bin(ret, size, (const char *) text.data, text.len, NULL, ret_len, NULL,
                               sodium_base64_VARIANT_ORIGINAL) == 0;
}

bool hash_parse(Bytes text, Hash *ret) {
        Hash h = { 0 };
        size_t len;

        if (!base64_parse(text, h.bytes, sizeof h.bytes, &len) || len != sizeof h.bytes)
                return false;
        *ret = h;
        return true;
}

void hash_format(const Hash *h, char ret[static HASH_TEXT_SIZE]) {
        (void) sodium_bin2base64(
                        ret, HASH_TEXT_SIZE, h->bytes, sizeof h->bytes, sodium_base64_VARIANT_ORIGINAL);
}
