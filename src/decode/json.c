#include "decode/json.h"

#include <errno.h>

int json_parse(Bytes payload, bool scalar, json_t **ret, Error *e) {
        size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | (scalar ? JSON_DECODE_ANY : 0);
        json_error_t error;

        json_t *root = json_loadb((const char *) payload.data, payload.len, flags, &error);
        if (!root)
                return error_set(e, -EBADMSG, "not JSON: line %d column %d: %s", error.line, error.column,
                                error.text);
        *ret = root;
        return 0;
}
