/* Words of an expression: names, numbers, durations and operators. Pure. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

enum { WORD_MAX = 64 }; /* of a name, a number or a duration, with the NUL */

typedef enum TokenType {
        TOKEN_END,
        TOKEN_NAME,     /* text */
        TOKEN_NUMBER,   /* number */
        TOKEN_DURATION, /* duration_us */
        TOKEN_AND,
        TOKEN_OR,
        TOKEN_NOT,
        TOKEN_BY,
        TOKEN_LT,
        TOKEN_LE,
        TOKEN_GT,
        TOKEN_GE,
        TOKEN_EQ,
        TOKEN_NE,
        TOKEN_PLUS,
        TOKEN_MINUS,
        TOKEN_TIMES,
        TOKEN_DIVIDE,
        TOKEN_OPEN,
        TOKEN_CLOSE,
        TOKEN_COMMA,
} TokenType;

typedef struct Token {
        TokenType type;
        size_t offset; /* of its first byte in the expression */
        size_t len;
        char text[WORD_MAX];
        double number;
        int64_t duration_us;
} Token;

bool token_is_keyword(const char *word);
/* The keyword that a word is in capitals, or nearly; NULL: none. */
const char *token_nearest_keyword(const char *word);
/* The token at or after byte offset of text. -EINVAL with what is wrong, at ret->offset. */
int token_read(const char *text, size_t offset, Token *ret, Error *e) _must_check_;
