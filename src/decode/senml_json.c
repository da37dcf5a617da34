/* application/senml+json (RFC 8428 5). */
#include <errno.h>

#include "decode/json.h"
#include "decode/senml.h"

/* SENML_LABEL_COUNT for a label that RFC 8428 doesn't know. */
static SenmlLabel find_label(const char *key) {
        for (SenmlLabel l = 0; l < SENML_LABEL_COUNT; l++)
                if (streq(key, senml_label_name(l)))
                        return l;
        return SENML_LABEL_COUNT;
}

static bool take_value(SenmlRecord *r, SenmlLabel l, const json_t *value) {
        switch (senml_label_type(l)) {
        case SENML_NUMBER:
                r->number[l] = json_number_value(value);
                return json_is_number(value);
        case SENML_TEXT:
        case SENML_DATA:
                r->text[l] = BYTES(json_string_value(value), json_string_length(value));
                return json_is_string(value);
        case SENML_BOOLEAN:
                r->boolean = json_is_true(value);
                return json_is_boolean(value);
        }
        return false;
}

static int read_record(json_t *object, SenmlRecord *r, Error *e) {
        r->present = 0;
        for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
                const char *key = json_object_iter_key(i);
                SenmlLabel l = find_label(key);
                int k = l == SENML_LABEL_COUNT ? senml_check_unknown(BYTES_STRING(key), e)
                                               : senml_mark(r, l, e);
                if (k < 0)
                        return k;
                if (l != SENML_LABEL_COUNT && !take_value(r, l, json_object_iter_value(i)))
                        return error_set(e, -EBADMSG, "the field '%s' has a value of the wrong type", key);
        }
        return 0;
}

int senml_json_decode(Bytes payload, int64_t now_us, SampleList *list, Error *e) {
        SenmlPack pack = { .now_us = now_us, .list = list };
        json_auto_t *root = NULL;
        SenmlRecord record;

        int k = json_parse(payload, false, &root, e);
        if (k < 0)
                return k;
        if (!json_is_array(root))
                return error_set(e, -EBADMSG, "a SenML pack is an array of records");
        for (size_t i = 0; i < json_array_size(root); i++) {
                json_t *object = json_array_get(root, i);
                if (!json_is_object(object))
                        return error_set(e, -EBADMSG, "a SenML record is an object");
                if ((k = read_record(object, &record, e)) < 0 || (k = senml_resolve(&pack, &record, e)) < 0)
                        return k;
        }
        return senml_finish(&pack, e);
}
