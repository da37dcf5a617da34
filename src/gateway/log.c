#define SD_JOURNAL_SUPPRESS_LOCATION
#include "gateway/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

enum { LOG_MESSAGE_MAX = 1024 };

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

static void send_to_journal(int priority, const LogField *fields, const char *message) {
        char texts[LOG_FIELDS_MAX][192], text[LOG_MESSAGE_MAX + 8], level[16];
        struct iovec items[LOG_FIELDS_MAX + 2];
        int n = 0;

        (void) snprintf(text, sizeof text, "MESSAGE=%s", message);
        (void) snprintf(level, sizeof level, "PRIORITY=%d", priority);
        items[n++] = (struct iovec){ text, strlen(text) };
        items[n++] = (struct iovec){ level, strlen(level) };
        for (size_t i = 0; fields && fields[i].name && i < LOG_FIELDS_MAX; i++) {
                (void) snprintf(texts[i], sizeof texts[i], "WARDSTONE_%s=%s", fields[i].name,
                                fields[i].value);
                items[n++] = (struct iovec){ texts[i], strlen(texts[i]) };
        }
        (void) sd_journal_sendv(items, n);
}

void log_message(int priority, const LogField *fields, const char *format, ...) {
        char message[LOG_MESSAGE_MAX];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(message, sizeof message, format, ap);
        va_end(ap);
        if (stderr_is_journal()) {
                send_to_journal(priority, fields, message);
                return;
        }
        (void) fprintf(stderr, "%s%s\n",
                        priority <= LOG_ERR       ? "error: "
                        : priority == LOG_WARNING ? "warning: "
                                                  : "",
                        message);
}
