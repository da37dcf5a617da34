#include "model/summary.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

typedef enum Placeholder {
        SUMMARY_VALUE,
        SUMMARY_LABEL,
        SUMMARY_ID,
        SUMMARY_RULE,
        SUMMARY_COUNT
} Placeholder;

static const char *const names[SUMMARY_COUNT] = {
        [SUMMARY_VALUE] = "value",
        [SUMMARY_LABEL] = "subject.label",
        [SUMMARY_ID] = "subject.id",
        [SUMMARY_RULE] = "rule",
};

/* The name between the braces that open at text, without its blanks; NULL where they don't close. */
static const char *read_name(const char *text, Bytes *ret_name) {
        const char *start = text + 2, *end = strstr(start, "}}");

        if (!end)
                return NULL;
        size_t blank = strspn(start, " ");
        size_t len = (size_t) (end - start);
        blank = MIN(blank, len);
        while (len > blank && start[len - 1] == ' ')
                len--;
        *ret_name = BYTES(start + blank, len - blank);
        return end + 2;
}

static Placeholder find(Bytes name) {
        Placeholder p = SUMMARY_VALUE;

        while (p < SUMMARY_COUNT && !bytes_equal(name, BYTES_STRING(names[p])))
                p++;
        return p;
}

int summary_check(const char *template, Error *e) {
        Bytes name;

        if (strlen(template) >= ALERT_SUMMARY_MAX)
                return error_set(e, -EINVAL, "summary is longer than %d bytes", ALERT_SUMMARY_MAX - 1);
        for (const char *at = strstr(template, "{{"); at; at = strstr(at, "{{")) {
                at = read_name(at, &name);
                if (!at)
                        return error_set(e, -EINVAL, "summary: '{{' without '}}'");
                if (find(name) == SUMMARY_COUNT)
                        return error_set(e, -EINVAL,
                                        "summary: unknown placeholder '%.*s': expected one of: %s, %s, %s, "
                                        "%s",
                                        (int) MIN(name.len, (size_t) 40), (const char *) name.data,
                                        names[SUMMARY_VALUE], names[SUMMARY_LABEL], names[SUMMARY_ID],
                                        names[SUMMARY_RULE]);
        }
        return 0;
}

typedef struct Output {
        char *text;
        size_t used;
        bool full;
} Output;

/* Appends what fits, never half a character (continuation bytes are 10xxxxxx), and nothing more after a cut. */
static void append(Output *o, Bytes text) {
        size_t n = o->full ? 0 : MIN(text.len, ALERT_SUMMARY_MAX - 1 - o->used);

        if (n < text.len) {
                o->full = true;
                while (n > 0 && (text.data[n] & 0xC0) == 0x80)
                        n--;
        }
        memcpy(o->text + o->used, text.data, n);
        o->used += n;
}

static Bytes field(Placeholder p, const SummaryFields *f, char *number, size_t size) {
        switch (p) {
        case SUMMARY_VALUE:
                if (isnan(f->value))
                        return BYTES_STRING("unknown");
                (void) snprintf(number, size, "%.6g", f->value);
                return BYTES_STRING(number);
        case SUMMARY_LABEL:
                return BYTES_STRING(f->subject_label[0] ? f->subject_label : f->subject_id);
        case SUMMARY_ID:
                return BYTES_STRING(f->subject_id);
        case SUMMARY_RULE:
                return BYTES_STRING(f->rule);
        case SUMMARY_COUNT:
                break;
        }
        return BYTES_STRING("");
}

void summary_render(const char *template, const SummaryFields *f, char ret[static ALERT_SUMMARY_MAX]) {
        Output o = { .text = ret };
        const char *at = template, *open;
        char number[32];
        Bytes name;

        while ((open = strstr(at, "{{"))) {
                append(&o, BYTES(at, (size_t) (open - at)));
                at = read_name(open, &name);
                if (!at)
                        break;
                append(&o, field(find(name), f, number, sizeof number));
        }
        append(&o, BYTES_STRING(at ? at : open));
        ret[o.used] = '\0';
}

void summary_copy(const char *text, char ret[static ALERT_SUMMARY_MAX]) {
        Output o = { .text = ret };

        append(&o, BYTES_STRING(text));
        ret[o.used] = '\0';
}
