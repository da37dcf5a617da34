#include "ingest/ble_address.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool take_byte(const char *text, uint8_t *ret) {
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

        if (low >= 0)
                *ret = (uint8_t) (high << 4 | low);
        return low >= 0;
}

/* Six bytes with that character in between. */
static bool take_address(const char *text, char between, BleAddress *ret) {
        for (size_t i = 0; i < BLE_ADDRESS_SIZE; i++) {
                if (!take_byte(text + 3 * i, &ret->bytes[i]))
                        return false;
                if (i + 1 < BLE_ADDRESS_SIZE && text[3 * i + 2] != between)
                        return false;
        }
        return true;
}

int ble_address_parse(const char *text, BleAddress *ret) {
        BleAddress a;

        if (strnlen(text, BLE_ADDRESS_TEXT) != BLE_ADDRESS_TEXT - 1 || !take_address(text, ':', &a))
                return -EINVAL;
        *ret = a;
        return 0;
}

void ble_address_format(const BleAddress *a, char ret[static BLE_ADDRESS_TEXT]) {
        const uint8_t *b = a->bytes;

        (void) snprintf(ret, BLE_ADDRESS_TEXT, "%02X:%02X:%02X:%02X:%02X:%02X", b[0], b[1], b[2], b[3], b[4],
                        b[5]);
}

int ble_irk_parse(const char *text, uint8_t ret[static BLE_IRK_SIZE]) {
        const size_t digits = 2; /* of a byte */

        if (strlen(text) != digits * BLE_IRK_SIZE)
                return -EINVAL;
        for (size_t i = 0; i < BLE_IRK_SIZE; i++)
                if (!take_byte(text + digits * i, &ret[i]))
                        return -EINVAL;
        return 0;
}

/* ah(k, r) = e(k, r') mod 2^24, r' being r with zeros in front (Core Specification, Vol 3, Part H, 2.2.2). */
static bool hash_prand(const uint8_t irk[static BLE_IRK_SIZE], const uint8_t prand[static 3],
                uint8_t ret[static 3]) {
        EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        uint8_t block[16] = { 0 }, out[32];
        int n = 0;

        memcpy(block + 13, prand, 3);
        bool done = context && EVP_EncryptInit_ex(context, EVP_aes_128_ecb(), NULL, irk, NULL) == 1 &&
                    EVP_EncryptUpdate(context, out, &n, block, sizeof block) == 1 && n == sizeof block;
        EVP_CIPHER_CTX_free(context);
        if (done)
                memcpy(ret, out + 13, 3);
        return done;
}

bool ble_irk_resolves(const uint8_t irk[static BLE_IRK_SIZE], const BleAddress *a) {
        uint8_t hash[3];

        return (a->bytes[0] & 0xc0) == 0x40 && hash_prand(irk, a->bytes, hash) &&
               memcmp(hash, a->bytes + 3, sizeof hash) == 0;
}

uint16_t ble_uuid_parse(const char *text) {
        static const char base[] = "-0000-1000-8000-00805f9b34fb";
        uint8_t high, low;

        if (strnlen(text, 37) != 36 || !startswith(text, "0000") || !take_byte(text + 4, &high) ||
                        !take_byte(text + 6, &low) || strcasecmp(text + 8, base) != 0)
                return 0;
        return (uint16_t) (high << 8 | low);
}

static bool take_handle(const char **text, const char *word, uint16_t *ret) {
        size_t n = strlen(word);
        uint8_t high, low;

        if (strncmp(*text, word, n) != 0 || !take_byte(*text + n, &high) || !take_byte(*text + n + 2, &low))
                return false;
        *text += n + 4;
        *ret = (uint16_t) (high << 8 | low);
        return true;
}

BlePath ble_path_parse(const char *adapter, const char *path) {
        static const char device_word[] = "/dev_";
        size_t n = strlen(adapter);
        BlePath p = { .kind = BLE_PATH_OTHER };

        if (strncmp(path, adapter, n) != 0)
                return p;
        path += n;
        if (*path == '\0') {
                p.kind = BLE_PATH_ADAPTER;
                return p;
        }
        if (!startswith(path, device_word) || !take_address(path + sizeof device_word - 1, '_', &p.device))
                return p;
        path += sizeof device_word - 1 + BLE_ADDRESS_TEXT - 1;
        if (*path == '\0')
                p.kind = BLE_PATH_DEVICE;
        else if (take_handle(&path, "/service", &p.service) && take_handle(&path, "/char", &p.handle) &&
                        *path == '\0')
                p.kind = BLE_PATH_CHARACTERISTIC;
        return p;
}

void ble_device_path(const char *adapter, const BleAddress *device, char ret[static BLE_PATH_MAX]) {
        const uint8_t *b = device->bytes;

        (void) snprintf(ret, BLE_PATH_MAX, "%.64s/dev_%02X_%02X_%02X_%02X_%02X_%02X", adapter, b[0], b[1],
                        b[2], b[3], b[4], b[5]);
}

void ble_characteristic_path(const char *adapter, const BlePath *p, char ret[static BLE_PATH_MAX]) {
        ble_device_path(adapter, &p->device, ret);
        size_t n = strlen(ret);
        (void) snprintf(ret + n, BLE_PATH_MAX - n, "/service%04x/char%04x", p->service, p->handle);
}
