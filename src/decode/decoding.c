/* The names by which operators call what decode_payload() reads. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "base/yaml.h"
#include "decode/advert.h"
#include "decode/decode.h"
#include "decode/gatt.h"

enum { NAMES_MAX = 64, CODE_DIGITS = 4 };

/* Names of their own beside the codes. */
static const struct {
        const char *name;
        DecodeFormat format;
        uint16_t code;
} aliases[] = {
        { "bthome", DECODE_SERVICE, 0xfcd2 },
};

static DecodeFormat format_of(AdvertKind kind) {
        return kind == ADVERT_MANUFACTURER ? DECODE_MANUFACTURER : DECODE_SERVICE;
}

bool decoding_at(size_t i, char ret_name[static DECODING_NAME_MAX], Decoding *ret) {
        const char *name;
        AdvertKind kind;
        uint16_t code;

        *ret = (Decoding){ .format = DECODE_GATT };
        for (size_t k = 0; decode_format_names[k]; k++)
                if (i-- == 0) {
                        ret->format = (DecodeFormat) k;
                        (void) snprintf(ret_name, DECODING_NAME_MAX, "%s", decode_format_names[k]);
                        return true;
                }
        if (i < ELEMENTS(aliases)) {
                ret->format = aliases[i].format;
                ret->code = aliases[i].code;
                (void) snprintf(ret_name, DECODING_NAME_MAX, "%s", aliases[i].name);
                return true;
        }
        i -= ELEMENTS(aliases);
        size_t gatt = 0;
        while (gatt_at(gatt, &code, &name) && gatt < i)
                gatt++;
        if (!gatt_at(i, &code, &name)) {
                if (!advert_at(i - gatt, &kind, &code, &name))
                        return false;
                ret->format = format_of(kind);
        }
        ret->code = code;
        (void) snprintf(ret_name, DECODING_NAME_MAX, "%s:%04X", decode_format_name(ret->format), code);
        return true;
}

/* "gatt:2A37" and "GATT:0x2a37" are one; anything that is no code is compared as it is. */
static void fold(const char *text, char ret[static DECODING_NAME_MAX]) {
        const char *colon = strchr(text, ':');
        size_t n = 0;

        for (const char *p = text; *p && n < DECODING_NAME_MAX - 1; p++) {
                if (colon && p == colon + 1 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
                        p += 2;
                if (!*p)
                        break;
                ret[n++] = (char) (colon && p > colon ? toupper((unsigned char) *p)
                                                      : tolower((unsigned char) *p));
        }
        ret[n] = '\0';
}

int decoding_parse(const char *text, Decoding *ret, Error *e) {
        char names[NAMES_MAX][DECODING_NAME_MAX], folded[DECODING_NAME_MAX];
        char list[NAMES_MAX * (DECODING_NAME_MAX + 2)] = "", *end = list;
        const char *candidates[NAMES_MAX];
        Decoding d;
        size_t n = 0;

        fold(text, folded);
        for (; n < NAMES_MAX && decoding_at(n, names[n], &d); n++) {
                if (streq(folded, names[n])) {
                        *ret = d;
                        return 0;
                }
                candidates[n] = names[n];
                end = stpcpy(stpcpy(end, n > 0 ? ", " : ""), names[n]);
        }
        const char *nearest = nearest_word(folded, candidates, n);
        return error_set(e, -EINVAL, "expected %s; got \"%.32s\"%s%s%s", list, text,
                        nearest ? ": did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}
