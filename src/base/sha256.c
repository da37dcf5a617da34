/* The one-shot SHA256() of OpenSSL 3 looks its algorithm up on each call, which costs as much as hashing a
 * ledger entry, and EVP contexts want an owner a thread. The plain functions do neither; they are in every
 * OpenSSL that Debian 12 and 13 ship, and only this file calls them. */
#define OPENSSL_API_COMPAT 0x10101000L

#include <assert.h>
#include <openssl/sha.h>

#include "base/sha256.h"

static_assert(SHA256_SIZE == SHA256_DIGEST_LENGTH, "a SHA-256 hash is 32 bytes");

void sha256(Bytes data, Hash *ret) {
        SHA256_CTX c;

        SHA256_Init(&c);
        SHA256_Update(&c, data.data, data.len);
        SHA256_Final(ret->bytes, &c);
}

void sha256_prefixed(uint8_t prefix, Bytes a, Bytes b, Hash *ret) {
        SHA256_CTX c;

        SHA256_Init(&c);
        SHA256_Update(&c, &prefix, 1);
        SHA256_Update(&c, a.data, a.len);
        SHA256_Update(&c, b.data, b.len);
        SHA256_Final(ret->bytes, &c);
}
