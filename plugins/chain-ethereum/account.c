#include "account.h"

#include <ctype.h>
#include <errno.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <sodium.h>
#include <stdbool.h>

#include "hex.h"
#include "keccak.h"

/* --- addresses --- */

void address_format(const Address *a, char ret[static ADDRESS_TEXT_SIZE]) {
        Hash hash;

        hex_write(BYTES(a->bytes, sizeof a->bytes), ret);
        /* EIP-55: a letter is upper case where the hash of the lower-case digits has 8 or more at its place */
        keccak256(BYTES(ret + 2, 2 * sizeof a->bytes), &hash);
        for (size_t i = 0; i < 2 * sizeof a->bytes; i++)
                if ((hash.bytes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15) >= 8)
                        ret[2 + i] = (char) toupper((unsigned char) ret[2 + i]);
}

static bool has(const char *text, int (*kind)(int)) {
        for (; *text; text++)
                if (kind((unsigned char) *text))
                        return true;
        return false;
}

int address_parse(const char *text, Address *ret) {
        char right[ADDRESS_TEXT_SIZE];
        Address a;

        if (hex_read_exact(text, a.bytes, sizeof a.bytes) < 0)
                return -EBADMSG;
        address_format(&a, right);
        if (has(text + 2, isupper) && has(text + 2, islower) && !streq(text, right))
                return -EILSEQ;
        *ret = a;
        return 0;
}

/* --- keys --- */

static void context_free(secp256k1_context *c) {
        secp256k1_context_destroy(c);
}
DEFINE_CLEANUP(secp256k1_context *, context_free);

/* Blinded anew for each use, so that what a signature takes says nothing about the key. */
static secp256k1_context *context_new(void) {
        secp256k1_context *c = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
        uint8_t seed[32];

        randombytes_buf(seed, sizeof seed);
        int blinded = secp256k1_context_randomize(c, seed);
        sodium_memzero(seed, sizeof seed);
        if (blinded)
                return c;
        secp256k1_context_destroy(c);
        return NULL;
}

int account_from_secret(const uint8_t secret[static SECRET_SIZE], Account *ret) {
        _cleanup_(context_freep) secp256k1_context *c = context_new();
        uint8_t point[65];
        size_t len = sizeof point;
        secp256k1_pubkey key;
        Hash hash;

        if (!c)
                return -EIO;
        if (!secp256k1_ec_pubkey_create(c, &key, secret))
                return -EINVAL;
        (void) secp256k1_ec_pubkey_serialize(c, point, &len, &key, SECP256K1_EC_UNCOMPRESSED);
        keccak256(BYTES(point + 1, sizeof point - 1), &hash);
        memcpy(ret->address.bytes, hash.bytes + SHA256_SIZE - ADDRESS_SIZE, ADDRESS_SIZE);
        memcpy(ret->secret, secret, SECRET_SIZE);
        return 0;
}

void account_forget(Account *a) {
        sodium_memzero(a, sizeof *a);
}

int account_sign(const Account *a, const Hash *digest, uint8_t ret[static SIGNATURE_SIZE]) {
        _cleanup_(context_freep) secp256k1_context *c = context_new();
        secp256k1_ecdsa_recoverable_signature signature;
        uint8_t compact[SIGNATURE_SIZE - 1];
        int id;

        if (!c || !secp256k1_ecdsa_sign_recoverable(c, &signature, digest->bytes, a->secret, NULL, NULL))
                return -EIO;
        (void) secp256k1_ecdsa_recoverable_signature_serialize_compact(c, compact, &id, &signature);
        /* 2 and 3 are for an r beyond the curve's order, which nobody has ever seen, and Ethereum does not know */
        if (id > 1)
                return -EIO;
        memcpy(ret, compact, sizeof compact);
        ret[SIGNATURE_SIZE - 1] = (uint8_t) id;
        return 0;
}
