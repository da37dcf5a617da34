#include "hex.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

void hex_write(Bytes data, char *ret) {
        ret[0] = '0';
        ret[1] = 'x';
        (void) sodium_bin2hex(ret + 2, 2 * data.len + 1, data.data, data.len);
}

int hex_read(const char *text, uint8_t *ret, size_t size, size_t *ret_len) {
        if (!startswith(text, "0x"))
                return -EBADMSG;
        text += 2;
        size_t digits = strlen(text);
        if (digits % 2 != 0 || strspn(text, "0123456789abcdefABCDEF") != digits)
                return -EBADMSG;
        return sodium_hex2bin(ret, size, text, digits, NULL, ret_len, NULL) == 0 ? 0 : -EMSGSIZE;
}

int hex_read_exact(const char *text, uint8_t *ret, size_t size) {
        size_t len;

        if (strlen(text) != 2 + 2 * size)
                return -EBADMSG;
        return hex_read(text, ret, size, &len);
}

void quantity_write(uint64_t v, char ret[static QUANTITY_SIZE]) {
        (void) snprintf(ret, QUANTITY_SIZE, "0x%" PRIx64, v);
}

int quantity_read(const char *text, uint64_t *ret) {
        if (!startswith(text, "0x") || !text[2])
                return -EBADMSG;
        text += 2;
        if (strspn(text, "0123456789abcdefABCDEF") != strlen(text))
                return -EBADMSG;
        errno = 0;
        unsigned long long v = strtoull(text, NULL, 16);
        if (errno == ERANGE)
                return -ERANGE;
        *ret = v;
        return 0;
}
