/* An alert's summary as it is written: what is too long is cut at a character's end (UTF-8). */
#pragma once

#include <stdbool.h>

#include "model/alert.h"

typedef struct SummaryText {
        char *text; /* ALERT_SUMMARY_MAX bytes */
        size_t used;
        bool full; /* something was cut: nothing more comes */
} SummaryText;

static inline SummaryText summary_begin(char ret[static ALERT_SUMMARY_MAX]) {
        return (SummaryText){ .text = ret };
}
void summary_append(SummaryText *s, Bytes text);
void summary_end(SummaryText *s);

/* A finished text, which may have been cut already or be no UTF-8: see utf8_copy(). */
void summary_copy(const char *text, char ret[static ALERT_SUMMARY_MAX]);
