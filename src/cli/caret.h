/* A mistake shown as compilers do: the message, then the line of the file that it is about, with a caret under the
 * column. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/macro.h"

enum { CARET_PATH_MAX = 512, CARET_WIDTH_MAX = 160 };

/* Where a message that begins with "file:line:column: " points; line and column count from 1. */
typedef struct Place {
        char path[CARET_PATH_MAX];
        unsigned line, column;
        size_t length; /* of "file:line:column:" */
} Place;

/* false where the message begins with no place. */
bool caret_place(const char *message, Place *ret);

/* The part of a line around its column, at most width (20 to CARET_WIDTH_MAX) columns wide: tabs become blanks, what
 * could steer a terminal '?', and what is cut off "...". *ret_caret is how many columns are left of the caret; a column
 * beyond the end is taken as just after the last character. */
void caret_render(Bytes line, unsigned column, size_t width, char ret[static CARET_WIDTH_MAX * 4 + 1],
                size_t *ret_caret);

/* prefix, message, and the line where the message has a place that can be read. Coloured on a terminal, unless NO_COLOR
 * is set. */
void caret_print(FILE *out, const char *prefix, const char *message);
