/* SHA-256 (FIPS 180-4), on OpenSSL's assembly. */
#pragma once

#include "base/macro.h"

enum { SHA256_SIZE = 32 };

typedef struct Hash {
        uint8_t bytes[SHA256_SIZE];
} Hash;

void sha256(Bytes data, Hash *ret);
/* The hash of one byte followed by two runs: what RFC 6962's leaf and node hashes need. */
void sha256_prefixed(uint8_t prefix, Bytes a, Bytes b, Hash *ret);

static inline int hash_equal(const Hash *a, const Hash *b) {
        return memcmp(a->bytes, b->bytes, SHA256_SIZE) == 0;
}
