#include "decode/json.h"

#include <errno.h>

int json_parse(Bytes payload, json_t **ret, Error *e) {
        size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_DECODE_ANY;
        json_error_t error;

        /* jansson takes a NUL byte for the end and does not look behind it. */
        if (payload.len > 0 && memchr(payload.data, '\0', payload.len))
                return error_set(e, -EBADMSG, "not JSON: a NUL byte");
        json_t *root = json_loadb((const char *) payload.data, payload.len, flags, &error);
        if (!root)
                return error_set(e, -EBADMSG, "not JSON: line %d column %d: %s", error.line, error.column,
                                error.text);
        *ret = root;
        return 0;
}
