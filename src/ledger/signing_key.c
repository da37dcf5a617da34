/* The log's key pair and the names that notes give it. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "ledger/note.h"

enum {
        ED25519 = 0x01, /* signature type of c2sp.org/signed-note */
        PUBLIC_SIZE = 32,
        SEED_TEXT_SIZE = sodium_base64_ENCODED_LEN(crypto_sign_SEEDBYTES, sodium_base64_VARIANT_ORIGINAL),
        KEY_TEXT_SIZE = sodium_base64_ENCODED_LEN(1 + PUBLIC_SIZE, sodium_base64_VARIANT_ORIGINAL),
        HASH_DIGITS = 8,
};

static const char seed_prefix[] = "wardstone-signing-key-v1 ";

int signing_key_generate(SigningKey *ret) {
        if (sodium_init() < 0)
                return -EIO;
        (void) crypto_sign_keypair(ret->public, ret->secret);
        return 0;
}

int signing_key_parse(const char *text, SigningKey *ret, Error *e) {
        uint8_t seed[crypto_sign_SEEDBYTES];
        size_t len;

        if (!startswith(text, seed_prefix))
                return error_set(e, -EINVAL, "signing key: expected one line, \"%s<base64 seed>\"",
                                seed_prefix);
        text += sizeof seed_prefix - 1;
        size_t text_len = strcspn(text, "\n");
        if (text[text_len] == '\n' && text[text_len + 1] != '\0')
                return error_set(e, -EINVAL, "signing key: expected one line only");
        int r = sodium_base642bin(
                        seed, sizeof seed, text, text_len, NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL);
        if (r < 0 || len != sizeof seed) {
                sodium_memzero(seed, sizeof seed);
                return error_set(e, -EINVAL, "signing key: expected the base64 of a seed of %zu bytes",
                                sizeof seed);
        }
        (void) crypto_sign_seed_keypair(ret->public, ret->secret, seed);
        sodium_memzero(seed, sizeof seed);
        return 0;
}

int signing_key_format(const SigningKey *k, char *ret, size_t size) {
        const size_t prefix_len = sizeof seed_prefix - 1;

        if (size < prefix_len + SEED_TEXT_SIZE)
                return -ENOSPC;
        memcpy(ret, seed_prefix, prefix_len);
        /* libsodium's secret key is the seed followed by the public key. */
        (void) sodium_bin2base64(ret + prefix_len, size - prefix_len, k->secret, crypto_sign_SEEDBYTES,
                        sodium_base64_VARIANT_ORIGINAL);
        return 0;
}

void signing_key_done(SigningKey *k) {
        sodium_memzero(k, sizeof *k);
}

uint32_t note_key_hash(const char *name, const uint8_t public[static PUBLIC_SIZE]) {
        crypto_hash_sha256_state s;
        uint8_t hash[crypto_hash_sha256_BYTES];
        static const uint8_t type[] = { '\n', ED25519 };

        crypto_hash_sha256_init(&s);
        crypto_hash_sha256_update(&s, (const uint8_t *) name, strlen(name));
        crypto_hash_sha256_update(&s, type, sizeof type);
        crypto_hash_sha256_update(&s, public, PUBLIC_SIZE);
        crypto_hash_sha256_final(&s, hash);
        return be32_read(hash);
}

int note_verifier_key(const char *name, const uint8_t public[static PUBLIC_SIZE], char *ret, size_t size) {
        uint8_t key[1 + PUBLIC_SIZE] = { ED25519 };
        char text[KEY_TEXT_SIZE];

        memcpy(key + 1, public, PUBLIC_SIZE);
        (void) sodium_bin2base64(text, sizeof text, key, sizeof key, sodium_base64_VARIANT_ORIGINAL);
        if (strlen(name) + 1 + HASH_DIGITS + 1 + strlen(text) >= size)
                return -ENOSPC;
        (void) snprintf(ret, size, "%s+%08x+%s", name, note_key_hash(name, public), text);
        return 0;
}

int note_verifier_key_parse(const char *text, char *ret_name, size_t name_size,
                uint8_t ret_public[static PUBLIC_SIZE], Error *e) {
        uint8_t key[1 + PUBLIC_SIZE], hash[4];
        char name[ORIGIN_MAX];
        size_t name_len = strcspn(text, "+"), len;

        const char *digits = text + name_len + 1;
        if (name_len == 0 || name_len >= MIN(name_size, sizeof name) || text[name_len] != '+' ||
                        strlen(digits) < HASH_DIGITS + 1 || digits[HASH_DIGITS] != '+' ||
                        sodium_hex2bin(hash, sizeof hash, digits, HASH_DIGITS, NULL, &len, NULL) < 0 ||
                        len != sizeof hash)
                return error_set(e, -EINVAL, "verifier key: expected \"<name>+<hash>+<base64 key>\"");
        memcpy(name, text, name_len);
        name[name_len] = '\0';

        const char *base64 = digits + HASH_DIGITS + 1;
        if (sodium_base642bin(key, sizeof key, base64, strlen(base64), NULL, &len, NULL,
                            sodium_base64_VARIANT_ORIGINAL) < 0 ||
                        len != sizeof key || key[0] != ED25519)
                return error_set(e, -EINVAL,
                                "verifier key: expected the base64 of an Ed25519 key after \"%s+...+\"",
                                name);
        if (be32_read(hash) != note_key_hash(name, key + 1))
                return error_set(e, -EINVAL, "verifier key: its hash does not match its name \"%s\" and key",
                                name);
        memcpy(ret_name, name, name_len + 1);
        memcpy(ret_public, key + 1, PUBLIC_SIZE);
        return 0;
}
