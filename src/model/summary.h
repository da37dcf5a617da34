/* An alert's summary: a template with placeholders, checked when the rule file is loaded, filled in when the alert is
 * raised. */
#pragma once

#include "base/error.h"
#include "model/alert.h"

typedef struct SummaryFields {
        double value; /* NaN is written "unknown" */
        const char *subject_id, *subject_label, *rule;
} SummaryFields;

/* -EINVAL with what is wrong: an unknown or unfinished placeholder, a template of ALERT_SUMMARY_MAX bytes or more. */
int summary_check(const char *template, Error *e) _must_check_;

/* Fills in {{ value }}, {{ subject.label }} (the id where the label is empty), {{ subject.id }} and {{ rule }}. What
 * is too long is cut at a character's end (UTF-8). The template has passed summary_check(). */
void summary_render(const char *template, const SummaryFields *f, char ret[static ALERT_SUMMARY_MAX]);

/* A finished text, cut in the same way. */
void summary_copy(const char *text, char ret[static ALERT_SUMMARY_MAX]);
