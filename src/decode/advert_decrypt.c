#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>

#include "decode/advert_internal.h"

static void cipher_freep(EVP_CIPHER_CTX **c) {
        EVP_CIPHER_CTX_free(*c);
}

static bool prepare(EVP_CIPHER_CTX *c, const AdvertSecret *secret, Bytes nonce, Bytes tag) {
        return EVP_DecryptInit_ex(c, EVP_aes_128_ccm(), NULL, NULL, NULL) == 1 &&
               EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, (int) nonce.len, NULL) == 1 &&
               EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, (int) tag.len, (void *) tag.data) == 1 &&
               EVP_DecryptInit_ex(c, NULL, NULL, secret->key, nonce.data) == 1;
}

static bool associate(EVP_CIPHER_CTX *c, Bytes associated, size_t cipher_len) {
        int n;

        if (associated.len == 0)
                return true;
        /* CCM wants the length of all that follows first. */
        return EVP_DecryptUpdate(c, NULL, &n, NULL, (int) cipher_len) == 1 &&
               EVP_DecryptUpdate(c, NULL, &n, associated.data, (int) associated.len) == 1;
}

int advert_decrypt(const AdvertSecret *secret, Bytes nonce, Bytes associated, Bytes cipher, Bytes tag,
                uint8_t *ret, Error *e) {
        _cleanup_(cipher_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
        int n;

        if (!c || !prepare(c, secret, nonce, tag) || !associate(c, associated, cipher.len))
                return error_set(e, -EBADMSG, "can't decrypt: out of memory, or AES-CCM is not available");
        if (EVP_DecryptUpdate(c, ret, &n, cipher.data, (int) cipher.len) != 1)
                return error_set(e, -EBADMSG, "not encrypted with this key for this address");
        return 0;
}
