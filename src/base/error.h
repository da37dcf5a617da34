/* A message for a person, filled where the fault is found and printed once where it is decided.
 *
 * Functions that can fail for a reason a person has to act on take an Error * and return a negative errno;
 * the Error is only meaningful when they fail. NULL is accepted everywhere: nobody wants the text. */
#pragma once

#include "base/macro.h"

enum { ERROR_MESSAGE_MAX = 768 };

typedef struct Error {
        char message[ERROR_MESSAGE_MAX]; /* "file:line:column: what is wrong, what was expected", UTF-8 */
} Error;

/* Both return code, so that callers can `return error_set(e, -EINVAL, ...)`. */
int error_set(Error *e, int code, const char *format, ...) _printf_(3, 4);

/* As error_set, with "file:line:column: " in front; line and column count from 1. */
int error_at(Error *e, int code, const char *file, unsigned line, unsigned column, const char *format, ...)
                _printf_(6, 7);

/* Puts "context: " before what is there already. */
int error_prefix(Error *e, int code, const char *format, ...) _printf_(3, 4);

#ifdef __clang_analyzer__
/* The analyzer does not see into error.c: after `return error_set(...)` the caller's "r < 0" holds. */
static inline int error_code(int code) {
        if (code >= 0)
                __builtin_unreachable();
        return code;
}
#define error_set(e, code, ...) error_code((error_set) (e, code, __VA_ARGS__))
#define error_at(e, code, file, line, column, ...)                                                          \
        error_code((error_at) (e, code, file, line, column, __VA_ARGS__))
#define error_prefix(e, code, ...) error_code((error_prefix) (e, code, __VA_ARGS__))
#endif
