/* JSON pointers (RFC 6901), split once when they are loaded. */
#pragma once

#include <jansson.h>

#include "base/error.h"

enum { POINTER_STEPS_MAX = 16 };

typedef struct JsonPointer {
        char *text; /* the steps' keys, unescaped, each with its NUL */
        size_t count;
        struct {
                const char *key;
                size_t index; /* SIZE_MAX where the key can't be an array's index */
        } steps[POINTER_STEPS_MAX];
} JsonPointer;

/* -EINVAL with the reason. "" is the whole document. */
int json_pointer_parse(const char *text, JsonPointer *ret, Error *e) _must_check_;
void json_pointer_done(JsonPointer *p);
/* NULL where there is nothing. Borrows. */
const json_t *json_pointer_find(const JsonPointer *p, const json_t *root);
