/* A rule's summary: a text with placeholders, parsed when the rule file is read, written when an alert shows it. */
#pragma once

#include "rules/expression.h"

enum { TEMPLATE_LENGTH_MAX = 1024, TEMPLATE_DECIMALS_MAX = 6 };

typedef enum PartType {
        PART_TEXT,
        PART_VALUE,
        PART_LABEL, /* the subject's; its id where there is none */
        PART_ID,
        PART_ATTRIBUTE,
        PART_RULE,
        PART_NUMBER,
} PartType;

typedef struct Part {
        PartType type;
        int decimals;       /* of a number; -1: as many as it has */
        size_t offset, len; /* PART_TEXT: in the template's text */
        char attribute[ATTRIBUTE_NAME_MAX];
        Expression number; /* its places are set by the rule set */
} Part;

typedef struct Template {
        char *text;
        Part *parts;
        size_t count;
} Template;

/* -EINVAL with what is wrong, and where: the byte of text. across: of a rule across subjects, whose subject has no
 * vitals. */
int template_parse(const char *text, Vocabulary *words, bool across, Template *ret, size_t *ret_offset,
                Error *e) _must_check_;
void template_done(Template *t);

typedef struct TemplateFields {
        double value; /* NaN is written "unknown", as each number and attribute that is not there */
        const Subject *subject;
        const char *rule;
        const Scope *scope; /* NULL where the template is of a rule across subjects */
} TemplateFields;

/* What is too long is cut at a character's end (UTF-8). */
void template_render(const Template *t, const TemplateFields *f, char ret[static ALERT_SUMMARY_MAX]);
