#include "keystore.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "base/file.h"
#include "hex.h"
#include "keccak.h"
#include "transfer.h"

enum { DERIVED = 32, CIPHER_KEY = 16, IV = 16, SALT_MAX = 64, HEX_DIGITS_MAX = 2 * SALT_MAX };

/* --- 64 digits --- */

/* Digits without "0x", as keystores have them; with it is fine too. */
static int read_hex(const char *digits, uint8_t *ret, size_t size, size_t *ret_len) {
        char text[HEX_DIGITS_MAX + 3] = "0x";
        size_t len;

        if (startswith(digits, "0x"))
                digits += 2;
        len = strlen(digits);
        if (len > HEX_DIGITS_MAX)
                return -EMSGSIZE;
        memcpy(text + 2, digits, len + 1);
        int r = hex_read(text, ret, size, ret_len);
        sodium_memzero(text, sizeof text);
        return r;
}

static int read_hex_exact(const char *digits, uint8_t *ret, size_t size) {
        size_t len;

        int r = read_hex(digits, ret, size, &len);
        if (r == 0 && len != size)
                r = -EBADMSG;
        return r;
}

static int take_secret(const uint8_t secret[static SECRET_SIZE], Account *ret, Error *e) {
        int r = account_from_secret(secret, ret);

        if (r == -EINVAL)
                return error_set(e, r, "the key is none: it has to be from 1 up to the curve's order");
        return r < 0 ? error_set(e, r, "cannot work with the key") : 0;
}

int key_parse(const char *text, Account *ret, Error *e) {
        uint8_t secret[SECRET_SIZE];
        int r = read_hex_exact(text, secret, sizeof secret);

        if (r < 0)
                r = error_set(e, -EBADMSG, "expected a key of 64 hexadecimal digits");
        else
                r = take_secret(secret, ret, e);
        sodium_memzero(secret, sizeof secret);
        return r;
}

/* --- a keystore --- */

typedef struct Keystore {
        const char *kdf;
        json_t *params;
        uint8_t iv[IV], sealed[SECRET_SIZE], mac[SHA256_SIZE];
        uint8_t salt[SALT_MAX];
        size_t salt_len;
} Keystore;

static int read_shape(json_t *object, Keystore *ret, Error *e) {
        const char *cipher, *iv, *sealed, *mac, *salt;
        json_int_t version, length;
        json_t *crypto = json_object_get(object, "crypto");
        json_error_t why;

        if (!crypto) /* geth wrote it so once */
                crypto = json_object_get(object, "Crypto");
        if (json_unpack_ex(object, &why, 0, "{s:I}", "version", &version) < 0 ||
                        json_unpack_ex(crypto, &why, 0, "{s:s,s:{s:s},s:s,s:s,s:s,s:{s:s,s:I}}", "cipher",
                                        &cipher, "cipherparams", "iv", &iv, "ciphertext", &sealed, "mac",
                                        &mac, "kdf", &ret->kdf, "kdfparams", "salt", &salt, "dklen",
                                        &length) < 0)
                return error_set(e, -EBADMSG, "not a Web3 keystore: %s", why.text);
        if (version != 3 || !streq(cipher, "aes-128-ctr") || length != DERIVED)
                return error_set(e, -ENOTSUP,
                                "expected a keystore of version 3 with aes-128-ctr and a dklen of 32");
        ret->params = json_object_get(crypto, "kdfparams");
        if (read_hex_exact(iv, ret->iv, sizeof ret->iv) < 0 ||
                        read_hex_exact(sealed, ret->sealed, sizeof ret->sealed) < 0 ||
                        read_hex_exact(mac, ret->mac, sizeof ret->mac) < 0 ||
                        read_hex(salt, ret->salt, sizeof ret->salt, &ret->salt_len) < 0)
                return error_set(e, -EBADMSG,
                                "not a Web3 keystore: iv, ciphertext, mac or salt has another length");
        return 0;
}

/* All are positive, and products are taken only of what cannot overflow them. */
static bool scrypt_is_bounded(json_int_t n, json_int_t r, json_int_t p) {
        const json_int_t blocks = KEYSTORE_MEMORY_MAX / 128;

        return n > 1 && r > 0 && p > 0 && r <= blocks / n && r <= KEYSTORE_LANES_MAX / p &&
               n * r <= KEYSTORE_WORK_MAX / p;
}

static int derive_scrypt(const Keystore *k, Bytes password, uint8_t ret[static DERIVED], Error *e) {
        json_int_t n, r, p;

        if (json_unpack(k->params, "{s:I,s:I,s:I}", "n", &n, "r", &r, "p", &p) < 0)
                return error_set(e, -EBADMSG, "not a Web3 keystore: scrypt needs n, r and p");
        if (!scrypt_is_bounded(n, r, p))
                return error_set(
                                e, -E2BIG, "the keystore's scrypt wants more than 256 MiB or too much time");
        /* libcrypto holds to RFC 7914's limit of n for small r, the Web3 definition's own example does not */
        if (crypto_pwhash_scryptsalsa208sha256_ll(password.data, password.len, k->salt, k->salt_len,
                            (uint64_t) n, (uint32_t) r, (uint32_t) p, ret, DERIVED) != 0)
                return error_set(e, -EBADMSG, "not a Web3 keystore: scrypt can't have such an n, r and p");
        return 0;
}

static int derive_pbkdf2(const Keystore *k, Bytes password, uint8_t ret[static DERIVED], Error *e) {
        const char *prf;
        json_int_t rounds;

        if (json_unpack(k->params, "{s:s,s:I}", "prf", &prf, "c", &rounds) < 0 || rounds < 1)
                return error_set(e, -EBADMSG, "not a Web3 keystore: pbkdf2 needs prf and c");
        if (!streq(prf, "hmac-sha256"))
                return error_set(e, -ENOTSUP, "expected hmac-sha256 of the keystore's pbkdf2");
        if (rounds > KEYSTORE_ROUNDS_MAX)
                return error_set(e, -E2BIG, "the keystore's pbkdf2 wants more than %d rounds",
                                KEYSTORE_ROUNDS_MAX);
        if (PKCS5_PBKDF2_HMAC((const char *) password.data, (int) password.len, k->salt, (int) k->salt_len,
                            (int) rounds, EVP_sha256(), DERIVED, ret) != 1)
                return error_set(e, -EIO, "pbkdf2 failed");
        return 0;
}

static int derive(const Keystore *k, Bytes password, uint8_t ret[static DERIVED], Error *e) {
        if (streq(k->kdf, "scrypt"))
                return derive_scrypt(k, password, ret, e);
        if (streq(k->kdf, "pbkdf2"))
                return derive_pbkdf2(k, password, ret, e);
        return error_set(e, -ENOTSUP, "expected scrypt or pbkdf2 as the keystore's kdf");
}

/* The MAC is over the second half of the derived key and the ciphertext. */
static bool mac_is_right(const Keystore *k, const uint8_t derived[static DERIVED]) {
        uint8_t text[CIPHER_KEY + SECRET_SIZE];
        Hash mac;

        memcpy(text, derived + CIPHER_KEY, CIPHER_KEY);
        memcpy(text + CIPHER_KEY, k->sealed, SECRET_SIZE);
        keccak256(BYTES(text, sizeof text), &mac);
        sodium_memzero(text, sizeof text);
        return sodium_memcmp(mac.bytes, k->mac, sizeof k->mac) == 0;
}

DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free);

static int decrypt(
                const Keystore *k, const uint8_t derived[static DERIVED], uint8_t ret[static SECRET_SIZE]) {
        _cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
        int n;

        return c && EVP_DecryptInit_ex(c, EVP_aes_128_ctr(), NULL, derived, k->iv) == 1 &&
                                               EVP_DecryptUpdate(c, ret, &n, k->sealed, SECRET_SIZE) == 1 &&
                                               n == SECRET_SIZE
                               ? 0
                               : -EIO;
}

static int unseal(const Keystore *k, Bytes password, Account *ret, Error *e) {
        uint8_t derived[DERIVED], secret[SECRET_SIZE];

        int r = derive(k, password, derived, e);
        if (r == 0 && !mac_is_right(k, derived))
                r = error_set(e, -EACCES, "the keystore's password is another");
        if (r == 0 && decrypt(k, derived, secret) < 0)
                r = error_set(e, -EIO, "cannot decrypt the keystore");
        if (r == 0)
                r = take_secret(secret, ret, e);
        sodium_memzero(derived, sizeof derived);
        sodium_memzero(secret, sizeof secret);
        return r;
}

int keystore_open(Bytes json, Bytes password, Account *ret, Error *e) {
        json_error_t why;
        Keystore k = { 0 };

        json_t *object = json_loadb((const char *) json.data, json.len, JSON_REJECT_DUPLICATES, &why);
        if (!object)
                return error_set(e, -EBADMSG, "not a Web3 keystore: %s", why.text);
        int r = read_shape(object, &k, e);
        if (r == 0)
                r = unseal(&k, password, ret, e);
        json_decref(object);
        return r;
}

/* --- what an operator names --- */

static int refuse(const struct wardstone_host *host, const char *what) {
        return host->fail(host, WARDSTONE_CONFIGURATION, "%s", what);
}

static int load_keystore(const struct wardstone_host *host, const KeyOptions *o, Account *ret) {
        _cleanup_(transfer_forgetp) char *password = NULL;
        _cleanup_free_ char *json = NULL;
        size_t len;
        Error e;

        int r = transfer_secret(host, "password", o->password_file, o->password_credential, &password);
        if (r != WARDSTONE_OK)
                return r;
        if (!password)
                return refuse(host, "keystore: password_file or password_credential is missing");
        if (file_read_secret(o->keystore, KEYSTORE_MAX, &json, &len, &e) < 0)
                return refuse(host, e.message);
        if (keystore_open(BYTES(json, len), BYTES_STRING(password), ret, &e) < 0)
                return host->fail(host, WARDSTONE_CONFIGURATION, "%s: %s", o->keystore, e.message);
        return WARDSTONE_OK;
}

int key_load(const struct wardstone_host *host, const KeyOptions *o, Account *ret) {
        _cleanup_(transfer_forgetp) char *digits = NULL;
        Error e;

        if (o->keystore && (o->key_file || o->credential))
                return refuse(host, "key: a keystore or a key, not both");
        if (!o->keystore && (o->password_file || o->password_credential))
                return refuse(host, "key: a password is a keystore's");
        if (o->keystore)
                return load_keystore(host, o, ret);
        int r = transfer_secret(host, "key", o->key_file, o->credential, &digits);
        if (r != WARDSTONE_OK)
                return r;
        if (!digits)
                return refuse(host, "key: key_file, credential or keystore is missing");
        return key_parse(digits, ret, &e) < 0
                               ? host->fail(host, WARDSTONE_CONFIGURATION, "key: %s", e.message)
                               : WARDSTONE_OK;
}
