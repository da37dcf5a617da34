#include "decode/json_token.h"

#include <errno.h>
#include <math.h>

#include "base/utf8.h"

/* The byte at i, or 0, which no token has, beyond the end. */
static uint8_t peek(const Bytes *at, size_t i) {
        return i < at->len ? at->data[i] : 0;
}

static void step(Bytes *at, size_t n) {
        at->data += n;
        at->len -= n;
}

static bool is_digit(uint8_t c) {
        return c >= '0' && c <= '9';
}

static bool is_space(uint8_t c) {
        return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* In a string: neither its end nor an escape, a control character or more than one byte. */
static bool is_plain(uint8_t c) {
        return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static size_t count_digits(const Bytes *at, size_t i) {
        size_t n = 0;

        while (is_digit(peek(at, i + n)))
                n++;
        return n;
}

/* Digits and at most 22 decimals whose whole number a double holds exactly: one division rounds correctly. */
static bool small_decimal(const uint8_t *digits, size_t whole, size_t decimals, double *ret) {
        static const double powers[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
                1e13, 1e14, 1e15 };
        uint64_t v = 0;

        if (whole + decimals >= ELEMENTS(powers))
                return false;
        for (size_t i = 0; i < whole; i++)
                v = v * 10 + (uint64_t) (digits[i] - '0');
        for (size_t i = 0; i < decimals; i++)
                v = v * 10 + (uint64_t) (digits[whole + 1 + i] - '0');
        *ret = (double) v / powers[decimals];
        return true;
}

/* RFC 8259 6. */
static int take_number(Bytes *at, JsonToken *ret) {
        bool negative = peek(at, 0) == '-';
        size_t whole, decimals = 0, exponent = 0, i = negative;

        whole = count_digits(at, i);
        if (whole == 0 || (whole > 1 && peek(at, i) == '0'))
                return -EBADMSG;
        i += whole;
        if (peek(at, i) == '.') {
                decimals = count_digits(at, i + 1);
                if (decimals == 0)
                        return -EBADMSG;
                i += 1 + decimals;
        }
        if (peek(at, i) == 'e' || peek(at, i) == 'E') {
                i += peek(at, i + 1) == '+' || peek(at, i + 1) == '-' ? 2 : 1;
                exponent = count_digits(at, i);
                if (exponent == 0)
                        return -EBADMSG;
                i += exponent;
        }
        /* What follows also ends strtod(), which knows no length. */
        uint8_t next = peek(at, i);
        if (next != ',' && next != '}' && next != ']' && !is_space(next))
                return -EBADMSG;
        if (exponent == 0 && small_decimal(at->data + negative, whole, decimals, &ret->number))
                ret->number = negative ? -ret->number : ret->number;
        else
                ret->number = strtod((const char *) at->data, NULL);
        ret->type = JSON_TOKEN_NUMBER;
        step(at, i);
        return isfinite(ret->number) ? 0 : -EBADMSG;
}

/* Four hexadecimal digits, or -1. */
static int32_t hex4(const Bytes *at, size_t i) {
        int32_t v = 0;

        for (size_t end = i + 4; i < end; i++) {
                uint8_t c = peek(at, i), lower = c | 0x20;
                if (!is_digit(c) && (lower < 'a' || lower > 'f'))
                        return -1;
                v = v << 4 | (is_digit(c) ? c - '0' : lower - 'a' + 10);
        }
        return v;
}

/* The escape at i: its length, 0 where it is not legal, and the character. A surrogate pair is one escape of twelve
 * bytes. */
static size_t read_escape(const Bytes *at, size_t i, uint32_t *ret) {
        static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
        uint8_t c = peek(at, i + 1);

        if (c != 'u') {
                const char *letter = c ? strchr(letters, c) : NULL;
                if (!letter)
                        return 0;
                *ret = (uint8_t) meanings[letter - letters];
                return 2;
        }
        int32_t v = hex4(at, i + 2), low;
        if (v <= 0 || (v >= 0xdc00 && v <= 0xdfff))
                return 0;
        *ret = (uint32_t) v;
        if (v < 0xd800 || v > 0xdbff)
                return 6;
        if (peek(at, i + 6) != '\\' || peek(at, i + 7) != 'u')
                return 0;
        low = hex4(at, i + 8);
        if (low < 0xdc00 || low > 0xdfff)
                return 0;
        *ret = 0x10000 + ((uint32_t) (v - 0xd800) << 10 | (uint32_t) (low - 0xdc00));
        return 12;
}

/* RFC 8259 7. */
static int take_string(Bytes *at, JsonToken *ret) {
        uint32_t ignored;
        size_t i = 1;

        ret->type = JSON_TOKEN_STRING;
        ret->escaped = false;
        for (;;) {
                while (is_plain(peek(at, i)))
                        i++;
                uint8_t c = peek(at, i);
                if (c == '"')
                        break;
                size_t n = c == '\\'   ? read_escape(at, i, &ignored)
                           : c >= 0x80 ? utf8_length(BYTES(at->data + i, at->len - i))
                                       : 0;
                if (n == 0)
                        return -EBADMSG;
                ret->escaped |= c == '\\';
                i += n;
        }
        ret->text = BYTES(at->data + 1, i - 1);
        step(at, i + 1);
        return 0;
}

static int take_word(Bytes *at, const char *word, JsonTokenType type, JsonToken *ret) {
        size_t len = strlen(word);

        if (at->len < len || memcmp(at->data, word, len) != 0)
                return -EBADMSG;
        step(at, len);
        ret->type = type;
        return 0;
}

int json_token_next(Bytes *at, JsonToken *ret) {
        while (is_space(peek(at, 0)))
                step(at, 1);
        if (at->len == 0) {
                ret->type = JSON_TOKEN_END;
                return 0;
        }
        switch (at->data[0]) {
        case '[':
                return take_word(at, "[", JSON_TOKEN_OPEN_ARRAY, ret);
        case ']':
                return take_word(at, "]", JSON_TOKEN_CLOSE_ARRAY, ret);
        case '{':
                return take_word(at, "{", JSON_TOKEN_OPEN_OBJECT, ret);
        case '}':
                return take_word(at, "}", JSON_TOKEN_CLOSE_OBJECT, ret);
        case ':':
                return take_word(at, ":", JSON_TOKEN_COLON, ret);
        case ',':
                return take_word(at, ",", JSON_TOKEN_COMMA, ret);
        case '"':
                return take_string(at, ret);
        case 't':
                return take_word(at, "true", JSON_TOKEN_TRUE, ret);
        case 'f':
                return take_word(at, "false", JSON_TOKEN_FALSE, ret);
        case 'n':
                return take_word(at, "null", JSON_TOKEN_NULL, ret);
        default:
                return take_number(at, ret);
        }
}

static int skip(Bytes *at, const JsonToken *t, unsigned depth);

/* What is between the brackets: values, in an object each behind its key and a colon. */
static int skip_members(Bytes *at, JsonTokenType close, unsigned depth) {
        JsonToken t;

        if (json_token_next(at, &t) < 0)
                return -EBADMSG;
        if (t.type == close)
                return 0;
        for (;;) {
                if (close == JSON_TOKEN_CLOSE_OBJECT &&
                                (t.type != JSON_TOKEN_STRING || json_token_next(at, &t) < 0 ||
                                                t.type != JSON_TOKEN_COLON || json_token_next(at, &t) < 0))
                        return -EBADMSG;
                if (skip(at, &t, depth + 1) < 0 || json_token_next(at, &t) < 0)
                        return -EBADMSG;
                if (t.type == close)
                        return 0;
                if (t.type != JSON_TOKEN_COMMA || json_token_next(at, &t) < 0)
                        return -EBADMSG;
        }
}

static int skip(Bytes *at, const JsonToken *t, unsigned depth) {
        if (depth > JSON_TOKEN_DEPTH_MAX)
                return -EBADMSG;
        switch (t->type) {
        case JSON_TOKEN_STRING:
        case JSON_TOKEN_NUMBER:
        case JSON_TOKEN_TRUE:
        case JSON_TOKEN_FALSE:
        case JSON_TOKEN_NULL:
                return 0;
        case JSON_TOKEN_OPEN_ARRAY:
                return skip_members(at, JSON_TOKEN_CLOSE_ARRAY, depth);
        case JSON_TOKEN_OPEN_OBJECT:
                return skip_members(at, JSON_TOKEN_CLOSE_OBJECT, depth);
        case JSON_TOKEN_CLOSE_ARRAY:
        case JSON_TOKEN_CLOSE_OBJECT:
        case JSON_TOKEN_COLON:
        case JSON_TOKEN_COMMA:
        case JSON_TOKEN_END:
                return -EBADMSG;
        }
        return -EBADMSG;
}

int json_token_skip(Bytes *at, const JsonToken *t) {
        return skip(at, t, 0);
}

static size_t put_utf8(char *p, uint32_t c) {
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

        if (n == 1) {
                *p = (char) c;
                return 1;
        }
        for (size_t i = n - 1; i > 0; i--, c >>= 6)
                p[i] = (char) (0x80 | (c & 0x3f));
        p[0] = (char) (0xf00 >> n | c);
        return n;
}

size_t json_token_unescape(const JsonToken *t, char *ret) {
        size_t len = 0;
        uint32_t c = 0;

        for (size_t i = 0; i < t->text.len;) {
                if (t->text.data[i] != '\\') {
                        ret[len++] = (char) t->text.data[i++];
                        continue;
                }
                i += read_escape(&t->text, i, &c);
                len += put_utf8(ret + len, c);
        }
        return len;
}
