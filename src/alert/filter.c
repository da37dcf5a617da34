#include "alert/filter.h"

static bool fits_name(const char *pattern, const char *name) {
        size_t len = strlen(pattern);

        if (len > 0 && pattern[len - 1] == '*')
                return strncmp(pattern, name, len - 1) == 0;
        return streq(pattern, name);
}

/* Whether "name=value" (of that length) is one of the labels. */
static bool has_label(const char *labels, const char *label, size_t len) {
        for (const char *at = labels; *at; at += strcspn(at, ","), at += *at == ',')
                if (strcspn(at, ",") == len && memcmp(at, label, len) == 0)
                        return true;
        return false;
}

static bool has_labels(const char *labels, const char *wanted) {
        for (const char *at = wanted; *at; at += strcspn(at, ","), at += *at == ',')
                if (!has_label(labels, at, strcspn(at, ",")))
                        return false;
        return true;
}

static bool fits_subject(const AlertFilter *f, const Subject *s) {
        if (!s)
                return !f->subject[0] && !f->label[0] && f->kinds == 0;
        return (!f->subject[0] || streq(f->subject, s->name)) &&
               (!f->label[0] || streq(f->label, s->label)) && (f->kinds == 0 || f->kinds & 1U << s->kind);
}

bool alert_filter_fits(const AlertFilter *f, const AlertEvent *e, const Subject *subject) {
        return (!f->rule[0] || fits_name(f->rule, e->rule)) &&
               (f->priorities == 0 || f->priorities & 1U << e->priority) && fits_subject(f, subject) &&
               has_labels(e->labels, f->labels);
}
