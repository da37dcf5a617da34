#include "model/summary.h"

#include "base/utf8.h"

/* Never half a character: continuation bytes are 10xxxxxx. */
void summary_append(SummaryText *s, Bytes text) {
        size_t n = s->full ? 0 : MIN(text.len, ALERT_SUMMARY_MAX - 1 - s->used);

        if (n < text.len) {
                s->full = true;
                while (n > 0 && (text.data[n] & 0xC0) == 0x80)
                        n--;
        }
        if (n > 0)
                memcpy(s->text + s->used, text.data, n);
        s->used += n;
}

void summary_end(SummaryText *s) {
        s->text[s->used] = '\0';
}

void summary_copy(const char *text, char ret[static ALERT_SUMMARY_MAX]) {
        utf8_copy(text, ret, ALERT_SUMMARY_MAX);
}
