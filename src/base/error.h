/* A message for a person, filled where the fault is found and printed once where it is decided.
 *
 * Functions that can fail for a reason a person has to act on take an Error * and return a negative errno;
 * the Error is only meaningful when they fail. NULL is accepted everywhere: nobody wants the text. */
#pragma once

#include "base/macro.h"

enum { ERROR_MESSAGE_MAX = 768 };

typedef struct Error {
        char message[ERROR_MESSAGE_MAX]; /* "file:line:column: what is wrong, what was expected" */
} Error;

/* Both return code, so that callers can `return error_set(e, -EINVAL, ...)`. */
int error_set(Error *e, int code, const char *format, ...) _printf_(3, 4);

/* As error_set, with "file:line:column: " in front; line and column count from 1. */
int error_at(Error *e, int code, const char *file, unsigned line, unsigned column, const char *format, ...)
                _printf_(6, 7);

/* Puts "context: " before what is there already. */
int error_prefix(Error *e, int code, const char *format, ...) _printf_(3, 4);
