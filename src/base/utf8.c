#include "base/utf8.h"

size_t utf8_length(Bytes text) {
        const uint8_t *p = text.data;
        uint8_t low = 0x80, high = 0xbf;
        size_t n;

        if (text.len == 0 || p[0] < 0x80)
                return text.len > 0;
        if (p[0] < 0xc2 || p[0] > 0xf4)
                return 0;
        if (p[0] < 0xe0) {
                n = 2;
        } else if (p[0] < 0xf0) {
                n = 3;
                if (p[0] == 0xe0)
                        low = 0xa0; /* overlong below */
                else if (p[0] == 0xed)
                        high = 0x9f; /* surrogates above */
        } else {
                n = 4;
                if (p[0] == 0xf0)
                        low = 0x90; /* overlong below */
                else if (p[0] == 0xf4)
                        high = 0x8f; /* beyond U+10FFFF above */
        }
        if (text.len < n || p[1] < low || p[1] > high)
                return 0;
        for (size_t i = 2; i < n; i++)
                if (p[i] < 0x80 || p[i] > 0xbf)
                        return 0;
        return n;
}

bool utf8_is_valid(Bytes text) {
        for (size_t at = 0; at < text.len;) {
                size_t n = utf8_length(BYTES(text.data + at, text.len - at));
                if (n == 0)
                        return false;
                at += n;
        }
        return true;
}

void utf8_copy(const char *text, char *ret, size_t size) {
        const size_t len = strlen(text);
        size_t at = 0; /* of both: what is replaced is a byte for a byte */

        while (at < len) {
                size_t n = utf8_length(BYTES(text + at, len - at));
                if (MAX(n, (size_t) 1) >= size - at)
                        break;
                if (n > 0)
                        memmove(ret + at, text + at, n);
                else
                        ret[at] = '?';
                at += MAX(n, (size_t) 1);
        }
        ret[at] = '\0';
}
