/* A kind (0 manufacturer data, 1 service data; 2 and 3 with a key), a 16-bit code, most significant byte first, and data.
 * Whatever they are: samples are of vitals that exist, in units that convert, of finite values. What a key decrypts no
 * fuzzer finds: with one, the data after an 'x' are encrypted first. */
#include <openssl/evp.h>
#include <stdlib.h>

#include "../fuzz/fuzz.h"
#include "decode/advert.h"
#include "decode/decode.h"
#include "../fuzz/fuzz-samples.h"

enum { HEAD = 3, KIND_KEY = 2, ROOM = 512 };

static const AdvertSecret secret = { .key = { 1, 2, 3 }, .address = { 4, 5, 6 } };

/* BTHome: information, cipher text, counter, tag. */
static size_t encrypt(Bytes plain, uint8_t ret[static ROOM]) {
        static const uint8_t nonce[] = { 4, 5, 6, 0, 0, 0, 0xd2, 0xfc, 0x41, 7, 0, 0, 0 };
        EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
        uint8_t *p = ret;
        int n;

        if (!c || EVP_EncryptInit_ex(c, EVP_aes_128_ccm(), NULL, NULL, NULL) != 1 ||
                        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, sizeof nonce, NULL) != 1 ||
                        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, 4, NULL) != 1 ||
                        EVP_EncryptInit_ex(c, NULL, NULL, secret.key, nonce) != 1)
                abort();
        *p++ = 0x41;
        if (EVP_EncryptUpdate(c, p, &n, plain.data, (int) plain.len) != 1)
                abort();
        p += n;
        p = mempcpy(p, nonce + 9, 4);
        if (EVP_EncryptFinal_ex(c, p, &n) != 1 || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 4, p) != 1)
                abort();
        EVP_CIPHER_CTX_free(c);
        return (size_t) (p + 4 - ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t encrypted[ROOM];
        SampleList list = { 0 };
        Error e;

        if (size < HEAD)
                return 0;
        const Decoding d = {
                .format = data[0] & 1 ? DECODE_SERVICE : DECODE_MANUFACTURER,
                .code = be16_read(data + 1),
                .secret = data[0] & KIND_KEY ? &secret : NULL,
        };
        Bytes value = BYTES(data + HEAD, size - HEAD);
        if (d.secret && value.len > 1 && value.len < ROOM - 16 && value.data[0] == 'x')
                value = BYTES(encrypted, encrypt(BYTES(value.data + 1, value.len - 1), encrypted));
        if (decode_payload(&d, value, 0, &list, &e) == 0)
                check_samples(&list);
        else if (list.count > 0)
                abort();
        sample_list_done(&list);
        return 0;
}
