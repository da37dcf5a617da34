#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"

/* The analyzer's wrappers are for callers. */
#undef error_set
#undef error_at
#undef error_prefix

/* Formats cut what others wrote ("%.40s"), and messages go where only UTF-8 may: JSON, alerts. */
static int finish(Error *e, int code) {
        utf8_copy(e->message, e->message, sizeof e->message);
        return code;
}

int error_set(Error *e, int code, const char *format, ...) {
        va_list ap;

        if (!e)
                return code;
        va_start(ap, format);
        (void) vsnprintf(e->message, sizeof e->message, format, ap);
        va_end(ap);
        return finish(e, code);
}

int error_at(Error *e, int code, const char *file, unsigned line, unsigned column, const char *format, ...) {
        va_list ap;

        if (!e)
                return code;
        int n = snprintf(e->message, sizeof e->message, "%s:%u:%u: ", file, line, column);
        if (n < 0 || (size_t) n >= sizeof e->message)
                return finish(e, code);
        va_start(ap, format);
        (void) vsnprintf(e->message + n, sizeof e->message - (size_t) n, format, ap);
        va_end(ap);
        return finish(e, code);
}

int error_prefix(Error *e, int code, const char *format, ...) {
        char rest[ERROR_MESSAGE_MAX];
        va_list ap;

        if (!e)
                return code;
        memcpy(rest, e->message, sizeof rest);
        va_start(ap, format);
        int n = vsnprintf(e->message, sizeof e->message, format, ap);
        va_end(ap);
        if (n < 0 || (size_t) n >= sizeof e->message)
                return finish(e, code);
        (void) snprintf(e->message + n, sizeof e->message - (size_t) n, ": %s", rest);
        return finish(e, code);
}
