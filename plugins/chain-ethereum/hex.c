#include "hex.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

void hex_write(Bytes data, char *ret) {
        static const char digits[] = "0123456789abcdef";

        *ret++ = '0';
        *ret++ = 'x';
        for (size_t i = 0; i < data.len; i++) {
                *ret++ = digits[data.data[i] >> 4];
                *ret++ = digits[data.data[i] & 15];
        }
        *ret = '\0';
}

static int digit_of(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int hex_read(const char *text, uint8_t *ret, size_t size, size_t *ret_len) {
        if (!startswith(text, "0x"))
                return -EBADMSG;
        text += 2;
        size_t digits = strlen(text);
        if (digits % 2 != 0 || strspn(text, "0123456789abcdefABCDEF") != digits)
                return -EBADMSG;
        if (digits / 2 > size)
                return -EMSGSIZE;
        for (size_t i = 0; i < digits / 2; i++)
                ret[i] = (uint8_t) (digit_of(text[2 * i]) << 4 | digit_of(text[2 * i + 1]));
        *ret_len = digits / 2;
        return 0;
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
        uint64_t v = 0;

        if (!startswith(text, "0x") || !text[2])
                return -EBADMSG;
        text += 2;
        if (strspn(text, "0123456789abcdefABCDEF") != strlen(text))
                return -EBADMSG;
        for (; *text; text++) {
                if (v >> 60 != 0)
                        return -ERANGE;
                v = v << 4 | (uint64_t) digit_of(*text);
        }
        *ret = v;
        return 0;
}
