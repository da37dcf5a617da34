/* JSON (RFC 8259) one token at a time, for SenML: a pack is flat and comes in great numbers, and building jansson's tree
 * of it costs ten times as much as reading it. Nothing is allocated. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

typedef enum JsonTokenType {
        JSON_TOKEN_OPEN_ARRAY,
        JSON_TOKEN_CLOSE_ARRAY,
        JSON_TOKEN_OPEN_OBJECT,
        JSON_TOKEN_CLOSE_OBJECT,
        JSON_TOKEN_COLON,
        JSON_TOKEN_COMMA,
        JSON_TOKEN_STRING,
        JSON_TOKEN_NUMBER,
        JSON_TOKEN_TRUE,
        JSON_TOKEN_FALSE,
        JSON_TOKEN_NULL,
        JSON_TOKEN_END, /* nothing but white space was left */
} JsonTokenType;

typedef struct JsonToken {
        JsonTokenType type;
        double number; /* finite, the nearest double */
        Bytes text;    /* what is between the quotes: UTF-8, borrowed */
        bool escaped; /* text has escapes, all of them legal; none of them is a NUL or half a surrogate pair */
} JsonToken;

enum { JSON_TOKEN_DEPTH_MAX = 16 };

/* Moves *at behind the token. -EBADMSG where there is none that is legal. A number must be followed by something: it
 * can't be a document by itself. */
int json_token_next(Bytes *at, JsonToken *ret) _must_check_;
/* Steps over the rest of the value that begins with t, nested at most JSON_TOKEN_DEPTH_MAX deep. */
int json_token_skip(Bytes *at, const JsonToken *t) _must_check_;
/* A string's escapes undone, which makes it shorter: at most t->text.len bytes are written. */
size_t json_token_unescape(const JsonToken *t, char *ret);
