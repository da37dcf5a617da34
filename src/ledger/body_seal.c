/* A body under its subject's key. The entry's head is associated data, so a sealed body can't be moved to another place,
 * type or key. */
#include <assert.h>
#include <errno.h>
#include <sodium.h>

#include "ledger/keyring.h"

enum { SUBKEY_INPUT = crypto_core_hchacha20_INPUTBYTES };

static_assert(SEAL_NONCE_SIZE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce of XChaCha20");
static_assert(SEAL_OVERHEAD == SEAL_NONCE_SIZE + crypto_aead_xchacha20poly1305_ietf_ABYTES, "nonce and tag");
static_assert(KEY_SIZE == crypto_core_hchacha20_KEYBYTES, "key of HChaCha20");
static_assert(KEY_SIZE == crypto_core_hchacha20_OUTPUTBYTES, "a subkey is a key");

void body_seal(const SubjectKey *k, RandomPool *random, const uint8_t head[static ENTRY_HEAD_SIZE],
                Bytes plain, uint8_t *ret) {
        random_pool_take(random, ret, SEAL_NONCE_SIZE);
        /* Can't fail: the library's limit on lengths is far above BODY_MAX. */
        (void) crypto_aead_xchacha20poly1305_ietf_encrypt(ret + SEAL_NONCE_SIZE, NULL, plain.data, plain.len,
                        head, ENTRY_HEAD_SIZE, NULL, ret, k->key);
}

int body_open(const SubjectKey *k, const uint8_t head[static ENTRY_HEAD_SIZE], Bytes sealed, uint8_t *ret) {
        if (sealed.len < SEAL_OVERHEAD)
                return -EBADMSG;
        if (crypto_aead_xchacha20poly1305_ietf_decrypt(ret, NULL, NULL, sealed.data + SEAL_NONCE_SIZE,
                            sealed.len - SEAL_NONCE_SIZE, head, ENTRY_HEAD_SIZE, sealed.data, k->key) < 0)
                return -EBADMSG;
        return 0;
}

int body_disclose(const SubjectKey *k, Bytes sealed, uint8_t ret[static KEY_SIZE]) {
        if (sealed.len < SEAL_OVERHEAD)
                return -EBADMSG;
        (void) crypto_core_hchacha20(ret, sealed.data, k->key, NULL);
        return 0;
}

/* XChaCha20-Poly1305 is ChaCha20-Poly1305 under the subkey with what the subkey has not used of the nonce
 * (draft-irtf-cfrg-xchacha 2.3). */
int body_open_disclosed(const uint8_t subkey[static KEY_SIZE], const uint8_t head[static ENTRY_HEAD_SIZE],
                Bytes sealed, uint8_t *ret) {
        uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = { 0 };

        if (sealed.len < SEAL_OVERHEAD)
                return -EBADMSG;
        memcpy(nonce + 4, sealed.data + SUBKEY_INPUT, SEAL_NONCE_SIZE - SUBKEY_INPUT);
        if (crypto_aead_chacha20poly1305_ietf_decrypt(ret, NULL, NULL, sealed.data + SEAL_NONCE_SIZE,
                            sealed.len - SEAL_NONCE_SIZE, head, ENTRY_HEAD_SIZE, nonce, subkey) < 0)
                return -EBADMSG;
        return 0;
}
