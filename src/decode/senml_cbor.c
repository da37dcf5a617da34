/* application/senml+cbor (RFC 8428 6): integers for labels, numbers also as decimal fractions (tag 4). Arrays and maps
 * of indefinite length are accepted, as streams use them. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "decode/cbor_token.h"
#include "decode/senml.h"

enum { TAG_DECIMAL_FRACTION = 4 };

static int malformed(Error *e) {
        return error_set(e, -EBADMSG, "not well-formed CBOR, or cut off");
}

static int wrong_type(SenmlLabel l, Error *e) {
        return error_set(e, -EBADMSG, "the field '%s' has a value of the wrong type", senml_label_name(l));
}

/* "-123": the integer's digits. */
static bool format_integer(const CborToken *t, char *ret, size_t size) {
        if (t->type == CBOR_TOKEN_UINT)
                (void) snprintf(ret, size, "%llu", (unsigned long long) t->number);
        else if (t->type == CBOR_TOKEN_NEGATIVE && t->number < UINT64_MAX)
                (void) snprintf(ret, size, "-%llu", (unsigned long long) t->number + 1);
        else
                return false;
        return true;
}

/* [exponent, mantissa] to the nearest double (RFC 8949 3.4.4): strtod rounds correctly where a power of ten does not. */
static bool read_decimal_fraction(Bytes *at, double *ret) {
        CborToken array, exponent, mantissa;
        char digits[24], power[24], text[64];

        if (cbor_token_next(at, &array) < 0 || array.type != CBOR_TOKEN_ARRAY || array.indefinite ||
                        array.number != 2 || cbor_token_next(at, &exponent) < 0 ||
                        cbor_token_next(at, &mantissa) < 0 ||
                        !format_integer(&exponent, power, sizeof power) ||
                        !format_integer(&mantissa, digits, sizeof digits))
                return false;
        (void) snprintf(text, sizeof text, "%se%s", digits, power);
        *ret = strtod(text, NULL);
        return true;
}

static bool read_number(Bytes *at, const CborToken *t, double *ret) {
        if (t->type == CBOR_TOKEN_UINT)
                *ret = (double) t->number;
        else if (t->type == CBOR_TOKEN_NEGATIVE)
                *ret = -1 - (double) t->number;
        else if (t->type == CBOR_TOKEN_REAL)
                *ret = t->real;
        else if (t->type != CBOR_TOKEN_TAG || t->number != TAG_DECIMAL_FRACTION ||
                        !read_decimal_fraction(at, ret))
                return false;
        return isfinite(*ret);
}

/* Texts that are kept are names and units, which are ASCII (RFC 8428 4.5.1, 12.1). */
static bool text_is_ascii(Bytes text) {
        for (size_t i = 0; i < text.len; i++)
                if (text.data[i] < 0x20 || text.data[i] > 0x7e)
                        return false;
        return true;
}

static int read_value(Bytes *at, SenmlRecord *r, SenmlLabel l, Error *e) {
        CborToken t;

        if (cbor_token_next(at, &t) < 0)
                return malformed(e);
        switch (senml_label_type(l)) {
        case SENML_NUMBER:
                if (l == SENML_BASE_VERSION && t.type != CBOR_TOKEN_UINT)
                        return wrong_type(l, e);
                return read_number(at, &t, &r->number[l]) ? 0 : wrong_type(l, e);
        case SENML_TEXT:
                r->text[l] = t.bytes;
                if (t.type != CBOR_TOKEN_TEXT || t.indefinite)
                        return wrong_type(l, e);
                if (l != SENML_STRING_VALUE && !text_is_ascii(t.bytes))
                        return error_set(e, -EBADMSG, "the field '%s' is not printable ASCII",
                                        senml_label_name(l));
                return 0;
        case SENML_DATA:
                return t.type == CBOR_TOKEN_BYTES && !t.indefinite ? 0 : wrong_type(l, e);
        case SENML_BOOLEAN:
                r->boolean = t.number != 0;
                return t.type == CBOR_TOKEN_BOOL ? 0 : wrong_type(l, e);
        }
        return wrong_type(l, e);
}

/* A label that is not in table 4 of RFC 8428: texts are extensions; integers will never mean anything. */
static int skip_unknown(Bytes *at, const CborToken *key, Error *e) {
        CborToken value;
        int k;

        if (key->type == CBOR_TOKEN_TEXT && (k = senml_check_unknown(key->bytes, e)) < 0)
                return k;
        if (cbor_token_next(at, &value) < 0 || cbor_token_skip(at, &value) < 0)
                return malformed(e);
        return 0;
}

static int read_field(Bytes *at, const CborToken *key, SenmlRecord *r, Error *e) {
        int64_t label = INT64_MAX;
        int k;

        if (key->type == CBOR_TOKEN_UINT && key->number <= SENML_LABEL_COUNT)
                label = (int64_t) key->number;
        else if (key->type == CBOR_TOKEN_NEGATIVE && key->number <= SENML_LABEL_COUNT)
                label = -1 - (int64_t) key->number;
        else if (key->type != CBOR_TOKEN_UINT && key->type != CBOR_TOKEN_NEGATIVE &&
                        (key->type != CBOR_TOKEN_TEXT || key->indefinite))
                return error_set(e, -EBADMSG, "a label is an integer or a text of definite length");
        if (label < SENML_CBOR_FIRST || label >= SENML_CBOR_FIRST + SENML_LABEL_COUNT)
                return skip_unknown(at, key, e);
        SenmlLabel l = (SenmlLabel) (label - SENML_CBOR_FIRST);
        if ((k = senml_mark(r, l, e)) < 0)
                return k;
        return read_value(at, r, l, e);
}

static int read_record(Bytes *at, const CborToken *map, SenmlRecord *r, Error *e) {
        CborToken key;

        if (map->type != CBOR_TOKEN_MAP)
                return error_set(e, -EBADMSG, "a SenML record is a map");
        r->present = 0;
        for (uint64_t i = 0; map->indefinite || i < map->number; i++) {
                if (cbor_token_next(at, &key) < 0)
                        return malformed(e);
                if (map->indefinite && key.type == CBOR_TOKEN_BREAK)
                        return 0;
                int k = read_field(at, &key, r, e);
                if (k < 0)
                        return k;
        }
        return 0;
}

int senml_cbor_decode(Bytes payload, int64_t now_us, SampleList *list, Error *e) {
        SenmlPack pack = { .now_us = now_us, .list = list };
        CborToken array, item;
        SenmlRecord record;
        Bytes at = payload;
        int k;

        if (cbor_token_next(&at, &array) < 0)
                return malformed(e);
        if (array.type != CBOR_TOKEN_ARRAY)
                return error_set(e, -EBADMSG, "a SenML pack is an array of records");
        for (uint64_t i = 0; array.indefinite || i < array.number; i++) {
                if (cbor_token_next(&at, &item) < 0)
                        return malformed(e);
                if (array.indefinite && item.type == CBOR_TOKEN_BREAK)
                        break;
                if ((k = read_record(&at, &item, &record, e)) < 0 ||
                                (k = senml_resolve(&pack, &record, e)) < 0)
                        return k;
        }
        if (at.len > 0)
                return error_set(e, -EBADMSG, "%zu bytes follow the SenML pack", at.len);
        return senml_finish(&pack, e);
}
