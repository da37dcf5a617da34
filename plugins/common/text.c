#include "text.h"

static bool is_control(char c) {
        return (unsigned char) c < ' ' || c == 0x7f;
}

bool text_is_one_line(const char *text) {
        while (*text && !is_control(*text))
                text++;
        return *text == '\0';
}

bool text_is_printable(const char *text) {
        const char *p = text;

        while (*p >= ' ' && *p <= '~')
                p++;
        return *p == '\0' && p > text;
}

void text_make_one_line(char *text) {
        for (; *text; text++)
                if (is_control(*text))
                        *text = ' ';
}

void text_copy_printable(Bytes text, char *ret, size_t size) {
        size_t len = MIN(text.len, size - 1);

        for (size_t i = 0; i < len; i++)
                ret[i] = (char) (text.data[i] >= ' ' && text.data[i] <= '~' ? text.data[i] : '?');
        ret[len] = '\0';
}
