#define SD_JOURNAL_SUPPRESS_LOCATION
#include "gateway/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

/* As sd_journal says: stderr is the journal's stream if its device and inode are those of $JOURNAL_STREAM. */
static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        char own[64];
        struct stat st;

        if (!stream || fstat(STDERR_FILENO, &st) < 0)
                return false;
        (void) snprintf(own, sizeof own, "%llu:%llu", (unsigned long long) st.st_dev,
                        (unsigned long long) st.st_ino);
        return streq(stream, own);
}

void log_message(int priority, const char *const *fields, const char *format, ...) {
        char message[1024], text[sizeof message + 8], level[16];
        struct iovec items[16];
        int n = 0;
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(message, sizeof message, format, ap);
        va_end(ap);
        if (!stderr_is_journal()) {
                (void) fprintf(stderr, "%s%s\n",
                                priority <= LOG_ERR       ? "error: "
                                : priority == LOG_WARNING ? "warning: "
                                                          : "",
                                message);
                return;
        }
        (void) snprintf(text, sizeof text, "MESSAGE=%s", message);
        (void) snprintf(level, sizeof level, "PRIORITY=%d", priority);
        items[n++] = (struct iovec){ text, strlen(text) };
        items[n++] = (struct iovec){ level, strlen(level) };
        for (; fields && *fields && n < (int) ELEMENTS(items); fields++)
                items[n++] = (struct iovec){ (void *) (uintptr_t) *fields, strlen(*fields) };
        (void) sd_journal_sendv(items, n);
}
