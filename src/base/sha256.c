/* The one-shot SHA256() of OpenSSL 3 looks its algorithm up on each call, which costs as much as hashing a
 * ledger entry, and EVP contexts want an owner a thread. The plain functions do neither; they are in every
 * OpenSSL that Debian 12 and 13 ship, and only this file calls them.
 *
 * Nearly all that is hashed here is short: a leaf, a node, a body. Such a message is padded here, so that OpenSSL is given
 * its two blocks at once and works on them side by side. */
#define OPENSSL_API_COMPAT 0x10101000L

#include <assert.h>
#include <openssl/sha.h>

#include "base/sha256.h"

enum { LENGTH_SIZE = 8, SHORT_MAX = 2 * SHA256_CBLOCK - LENGTH_SIZE - 1 };

static_assert(SHA256_SIZE == SHA256_DIGEST_LENGTH, "a SHA-256 hash is 32 bytes");

/* The message stands in blocks[0..len); pads it (FIPS 180-4, 5.1.1). */
static void sha256_short(uint8_t blocks[static 2 * SHA256_CBLOCK], size_t len, Hash *ret) {
        size_t size = len < SHA256_CBLOCK - LENGTH_SIZE ? SHA256_CBLOCK : 2 * SHA256_CBLOCK;
        SHA256_CTX c;

        memset(blocks + len, 0, size - len);
        blocks[len] = 0x80;
        be64_write(blocks + size - LENGTH_SIZE, (uint64_t) len * 8);
        SHA256_Init(&c);
        SHA256_Update(&c, blocks, size);
        for (size_t i = 0; i < SHA256_SIZE / 4; i++)
                be32_write(ret->bytes + 4 * i, c.h[i]);
}

void sha256(Bytes data, Hash *ret) {
        uint8_t blocks[2 * SHA256_CBLOCK];
        SHA256_CTX c;

        if (data.len <= SHORT_MAX) {
                if (data.len > 0)
                        memcpy(blocks, data.data, data.len);
                sha256_short(blocks, data.len, ret);
                return;
        }
        SHA256_Init(&c);
        SHA256_Update(&c, data.data, data.len);
        SHA256_Final(ret->bytes, &c);
}

void sha256_prefixed(uint8_t prefix, Bytes a, Bytes b, Hash *ret) {
        uint8_t blocks[2 * SHA256_CBLOCK];
        SHA256_CTX c;

        if (a.len <= SHORT_MAX && b.len <= SHORT_MAX && 1 + a.len + b.len <= SHORT_MAX) {
                blocks[0] = prefix;
                if (a.len > 0)
                        memcpy(blocks + 1, a.data, a.len);
                if (b.len > 0)
                        memcpy(blocks + 1 + a.len, b.data, b.len);
                sha256_short(blocks, 1 + a.len + b.len, ret);
                return;
        }
        SHA256_Init(&c);
        SHA256_Update(&c, &prefix, 1);
        SHA256_Update(&c, a.data, a.len);
        SHA256_Update(&c, b.data, b.len);
        SHA256_Final(ret->bytes, &c);
}
