/* Texts that become a part of a line: of a header, of a message for the operator. Pure. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

/* No control characters; UTF-8 may be in it. */
bool text_is_one_line(const char *text);
/* Printable ASCII, and not empty. */
bool text_is_printable(const char *text);
/* Control characters become spaces. */
void text_make_one_line(char *text);
/* As much of it as there is room for, with '?' for what is not printable ASCII; for texts of strangers. */
void text_copy_printable(Bytes text, char *ret, size_t size);
