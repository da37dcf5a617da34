#include "ingest/coap_answer.h"

#include <stdarg.h>
#include <stdio.h>

CoapAnswer coap_answer(unsigned code, const char *format, ...) {
        char text[ANSWER_TEXT_MAX];
        va_list args;

        va_start(args, format);
        (void) vsnprintf(text, sizeof text, format, args);
        va_end(args);
        /* parts of it may come from the peer */
        for (char *c = text; *c; c++)
                if (*c < ' ' || *c > '~')
                        *c = '?';
        return (CoapAnswer){ .code = (uint8_t) code, .text = text[0] ? strdup(text) : NULL };
}

void coap_answer_done(CoapAnswer *a) {
        free(a->text);
        *a = (CoapAnswer){ 0 };
}

void coap_answer_copy(CoapAnswer *to, const CoapAnswer *from) {
        char *text = from->text ? strdup(from->text) : NULL;

        free(to->text);
        *to = *from;
        to->text = text;
}
