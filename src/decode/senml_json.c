/* application/senml+json (RFC 8428 5). */
#include <errno.h>

#include "decode/json_token.h"
#include "decode/senml.h"

/* Texts with escapes, undone, by label: the base name and unit stay good until the next ones. */
typedef struct Texts {
        char bytes[SENML_LABEL_COUNT + 1][SAMPLE_NAME_MAX]; /* the last one is for keys */
} Texts;

static int malformed(Error *e) {
        return error_set(e, -EBADMSG, "not well-formed JSON, or cut off");
}

static int undo_escapes(const JsonToken *t, Texts *texts, SenmlLabel l, Bytes *ret, Error *e) {
        *ret = t->text;
        if (!t->escaped)
                return 0;
        if (t->text.len > sizeof texts->bytes[l])
                return error_set(e, -EBADMSG, "a text with escapes of more than %zu bytes",
                                sizeof texts->bytes[l]);
        *ret = BYTES(texts->bytes[l], json_token_unescape(t, texts->bytes[l]));
        return 0;
}

static int read_value(const JsonToken *t, Texts *texts, SenmlRecord *r, SenmlLabel l, Error *e) {
        bool fits = false;

        switch (senml_label_type(l)) {
        case SENML_NUMBER:
                r->number[l] = t->number;
                fits = t->type == JSON_TOKEN_NUMBER;
                break;
        case SENML_TEXT:
                if (t->type == JSON_TOKEN_STRING)
                        return undo_escapes(t, texts, l, &r->text[l], e);
                break;
        case SENML_DATA:
                fits = t->type == JSON_TOKEN_STRING;
                break;
        case SENML_BOOLEAN:
                r->boolean = t->type == JSON_TOKEN_TRUE;
                fits = t->type == JSON_TOKEN_TRUE || t->type == JSON_TOKEN_FALSE;
                break;
        }
        return fits ? 0
                    : error_set(e, -EBADMSG, "the field '%s' has a value of the wrong type",
                                      senml_label_name(l));
}

/* From the key, which is t, to the end of its value. */
static int read_field(Bytes *at, JsonToken *t, Texts *texts, SenmlRecord *r, Error *e) {
        Bytes key;
        int k;

        if (t->type != JSON_TOKEN_STRING)
                return malformed(e);
        if ((k = undo_escapes(t, texts, SENML_LABEL_COUNT, &key, e)) < 0)
                return k;
        SenmlLabel l = senml_find_label(key);
        k = l == SENML_LABEL_COUNT ? senml_check_unknown(key, e) : senml_mark(r, l, e);
        if (k < 0)
                return k;
        if (json_token_next(at, t) < 0 || t->type != JSON_TOKEN_COLON || json_token_next(at, t) < 0)
                return malformed(e);
        if (l != SENML_LABEL_COUNT)
                return read_value(t, texts, r, l, e);
        return json_token_skip(at, t) < 0 ? malformed(e) : 0;
}

static int read_record(Bytes *at, JsonToken *t, Texts *texts, SenmlRecord *r, Error *e) {
        if (t->type != JSON_TOKEN_OPEN_OBJECT)
                return error_set(e, -EBADMSG, "a SenML record is an object");
        r->present = 0;
        if (json_token_next(at, t) < 0)
                return malformed(e);
        if (t->type == JSON_TOKEN_CLOSE_OBJECT)
                return 0;
        for (;;) {
                int k = read_field(at, t, texts, r, e);
                if (k < 0)
                        return k;
                if (json_token_next(at, t) < 0)
                        return malformed(e);
                if (t->type == JSON_TOKEN_CLOSE_OBJECT)
                        return 0;
                if (t->type != JSON_TOKEN_COMMA || json_token_next(at, t) < 0)
                        return malformed(e);
        }
}

/* From the first record, or the bracket that closes an empty pack, which is t, to the closing bracket. */
static int read_records(Bytes *at, JsonToken *t, SenmlPack *pack, Error *e) {
        SenmlRecord record;
        Texts texts;
        int k;

        if (t->type == JSON_TOKEN_CLOSE_ARRAY)
                return 0;
        for (;;) {
                if ((k = read_record(at, t, &texts, &record, e)) < 0 ||
                                (k = senml_resolve(pack, &record, e)) < 0)
                        return k;
                if (json_token_next(at, t) < 0)
                        return malformed(e);
                if (t->type == JSON_TOKEN_CLOSE_ARRAY)
                        return 0;
                if (t->type != JSON_TOKEN_COMMA || json_token_next(at, t) < 0)
                        return malformed(e);
        }
}

int senml_json_decode(Bytes payload, int64_t now_us, SampleList *list, Error *e) {
        SenmlPack pack = { .now_us = now_us, .list = list };
        Bytes at = payload;
        JsonToken t;
        int k;

        if (json_token_next(&at, &t) < 0)
                return malformed(e);
        if (t.type != JSON_TOKEN_OPEN_ARRAY)
                return error_set(e, -EBADMSG, "a SenML pack is an array of records");
        if (json_token_next(&at, &t) < 0)
                return malformed(e);
        if ((k = read_records(&at, &t, &pack, e)) < 0)
                return k;
        if (json_token_next(&at, &t) < 0 || t.type != JSON_TOKEN_END)
                return error_set(e, -EBADMSG, "something follows the SenML pack");
        return senml_finish(&pack, e);
}
