/* What a request is answered with, apart from how it is sent. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

/* Codes as they stand in a message: class << 5 | detail (RFC 7252 3, RFC 7959 2.9, RFC 8516). */
#define COAP_CODE(class, detail) ((class) << 5 | (detail))
enum {
        ANSWER_CHANGED = COAP_CODE(2, 4),
        ANSWER_CONTINUE = COAP_CODE(2, 31),
        ANSWER_BAD_REQUEST = COAP_CODE(4, 0),
        ANSWER_UNAUTHORIZED = COAP_CODE(4, 1),
        ANSWER_BAD_OPTION = COAP_CODE(4, 2),
        ANSWER_FORBIDDEN = COAP_CODE(4, 3),
        ANSWER_NOT_FOUND = COAP_CODE(4, 4),
        ANSWER_METHOD_NOT_ALLOWED = COAP_CODE(4, 5),
        ANSWER_INCOMPLETE = COAP_CODE(4, 8),
        ANSWER_TOO_LARGE = COAP_CODE(4, 13),
        ANSWER_UNSUPPORTED_FORMAT = COAP_CODE(4, 15),
        ANSWER_TOO_MANY = COAP_CODE(4, 29),
        ANSWER_UNAVAILABLE = COAP_CODE(5, 3),
};

enum { ANSWER_TEXT_MAX = 160 };

/* A zeroed answer is none. */
typedef struct CoapAnswer {
        uint8_t code;
        bool has_block;   /* Block1 is repeated */
        uint32_t block;   /* as the option's number */
        uint32_t max_age; /* seconds; 0: no option */
        uint32_t size1;   /* 0: no option */
        char *text;       /* diagnostic payload; NULL: none */
} CoapAnswer;

/* One with a text of its own: printable ASCII, cut at ANSWER_TEXT_MAX. */
CoapAnswer coap_answer(unsigned code, const char *format, ...) _printf_(2, 3);
void coap_answer_done(CoapAnswer *a);
/* What *to has is freed. Without memory the copy has no text. */
void coap_answer_copy(CoapAnswer *to, const CoapAnswer *from);
