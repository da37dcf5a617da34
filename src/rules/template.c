#include "rules/template.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "model/summary.h"

static const struct {
        const char *name;
        PartType type;
} words[] = {
        { "value", PART_VALUE },
        { "rule", PART_RULE },
        { "subject.label", PART_LABEL },
        { "subject.id", PART_ID },
};

static const char attribute_prefix[] = "subject.";

typedef struct TemplateParser {
        Template t;
        Vocabulary *words;
        bool across;
        size_t *offset;
        Error *e;
} TemplateParser;

static int fail(TemplateParser *p, size_t offset) {
        *p->offset = offset;
        return -EINVAL;
}

static Part *add_part(TemplateParser *p, PartType type) {
        Part *parts = reallocarray(p->t.parts, p->t.count + 1, sizeof *parts);

        if (!parts)
                return NULL;
        p->t.parts = parts;
        parts[p->t.count] = (Part){ .type = type, .decimals = -1 };
        return &parts[p->t.count++];
}

static int no_memory(TemplateParser *p) {
        *p->offset = 0;
        return error_set(p->e, -ENOMEM, "out of memory");
}

static int add_text(TemplateParser *p, size_t offset, size_t len) {
        if (len == 0)
                return 0;
        Part *part = add_part(p, PART_TEXT);
        if (!part)
                return no_memory(p);
        part->offset = offset;
        part->len = len;
        return 0;
}

/* " .1 " */
static int read_decimals(TemplateParser *p, const char *format, size_t offset, int *ret) {
        const char *at = format + strspn(format, " ");

        if (at[0] != '.' || at[1] < '0' || at[1] > '0' + TEMPLATE_DECIMALS_MAX ||
                        at[2 + strspn(at + 2, " ")] != '\0') {
                (void) error_set(p->e, -EINVAL, "expected decimals from .0 to .%d behind '|', such as .1",
                                TEMPLATE_DECIMALS_MAX);
                return fail(p, offset + (size_t) (at - format));
        }
        *ret = at[1] - '0';
        return 0;
}

static int refuse_attribute(TemplateParser *p, const char *name, size_t offset) {
        (void) error_set(p->e, -EINVAL,
                        "'%.40s': expected subject.label, subject.id or subject. and the name of an "
                        "attribute",
                        name);
        return fail(p, offset);
}

/* The nearest of the words, where the whole placeholder is one that means nothing. */
static const char *nearest_placeholder(const TemplateParser *p, const char *text) {
        const char *names[ELEMENTS(words)];

        if (catalogue_nearest(p->words->catalogue, text) || strcspn(text, " (") != strlen(text))
                return NULL;
        for (size_t i = 0; i < ELEMENTS(words); i++)
                names[i] = words[i].name;
        return nearest_word(text, names, ELEMENTS(names));
}

static bool has_vitals(const Expression *x) {
        for (size_t i = 0; i < x->count; i++)
                if (x->ops[i].code != OP_NUMBER && x->ops[i].code != OP_BINARY &&
                                x->ops[i].code != OP_NEGATE && x->ops[i].code != OP_ABS &&
                                x->ops[i].code != OP_LIMIT)
                        return true;
        return false;
}

/* offset: of text in the template */
static int read_number(TemplateParser *p, const char *text, size_t offset, Part *part) {
        size_t at;
        const char *near;

        int r = expression_parse(text, EXPRESSION_SUMMARY, p->words, &part->number, &at, p->e);
        if (r < 0) {
                if ((near = nearest_placeholder(p, text)))
                        (void) error_set(p->e, -EINVAL, "unknown placeholder '%s': did you mean '%s'?", text,
                                        near);
                *p->offset = offset + at;
                return r;
        }
        if (!p->across)
                return 0;
        if (has_vitals(&part->number)) {
                (void) error_set(p->e, -EINVAL,
                                "a rule that counts subjects has no vital of its own: {{ value }} shows its "
                                "first count");
                return fail(p, offset);
        }
        for (Op *op = part->number.ops; op < part->number.ops + part->number.count; op++)
                if (op->code == OP_LIMIT)
                        op->code = OP_NUMBER;
        return 0;
}

/* What stands between the braces, without its blanks, is a word or a number. */
static int read_inner(TemplateParser *p, char *text, size_t offset, int decimals) {
        size_t len = strlen(text);

        while (len > 0 && text[len - 1] == ' ')
                text[--len] = '\0';
        Part *part = add_part(p, PART_NUMBER);
        if (!part)
                return no_memory(p);
        part->decimals = decimals;
        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (streq(text, words[i].name)) {
                        part->type = words[i].type;
                        return 0;
                }
        if (!startswith(text, attribute_prefix))
                return read_number(p, text, offset, part);
        const char *name = text + strlen(attribute_prefix);
        if (!attribute_is_valid(name, ""))
                return refuse_attribute(p, text, offset);
        part->type = PART_ATTRIBUTE;
        memcpy(part->attribute, name, strlen(name) + 1);
        return 0;
}

/* at: behind the opening braces */
static int read_placeholder(TemplateParser *p, size_t at, size_t len) {
        size_t blanks = strspn(p->t.text + at, " ");
        char text[TEMPLATE_LENGTH_MAX];
        int decimals = -1;

        blanks = MIN(blanks, len);
        memcpy(text, p->t.text + at + blanks, len - blanks);
        text[len - blanks] = '\0';
        char *bar = strrchr(text, '|');
        if (bar) {
                *bar = '\0';
                int r = read_decimals(p, bar + 1, at + blanks + (size_t) (bar + 1 - text), &decimals);
                if (r < 0)
                        return r;
        }
        return read_inner(p, text, at + blanks, decimals);
}

static int parse(TemplateParser *p) {
        const char *text = p->t.text, *open;
        size_t at = 0;

        while ((open = strstr(text + at, "{{"))) {
                size_t start = (size_t) (open - text) + 2;
                const char *close = strstr(open + 2, "}}");
                if (!close) {
                        (void) error_set(p->e, -EINVAL, "'{{' without '}}'");
                        return fail(p, start - 2);
                }
                int r = add_text(p, at, start - 2 - at);
                if (r == 0)
                        r = read_placeholder(p, start, (size_t) (close - text) - start);
                if (r < 0)
                        return r;
                at = (size_t) (close - text) + 2;
        }
        return add_text(p, at, strlen(text) - at);
}

int template_parse(const char *text, Vocabulary *vocabulary, bool across, Template *ret, size_t *ret_offset,
                Error *e) {
        TemplateParser p = { .words = vocabulary, .across = across, .offset = ret_offset, .e = e };

        *ret_offset = 0;
        if (strlen(text) >= TEMPLATE_LENGTH_MAX) {
                (void) error_set(e, -EINVAL, "longer than %d bytes", TEMPLATE_LENGTH_MAX - 1);
                return fail(&p, 0);
        }
        p.t.text = strdup(text);
        if (!p.t.text)
                return no_memory(&p);
        int r = parse(&p);
        if (r < 0) {
                template_done(&p.t);
                return r;
        }
        *ret = p.t;
        return 0;
}

void template_done(Template *t) {
        for (size_t i = 0; i < t->count; i++)
                expression_done(&t->parts[i].number);
        free(t->parts);
        free(t->text);
        *t = (Template){ 0 };
}

/* --- writing --- */

static void write_number(SummaryText *s, double v, int decimals) {
        char text[350]; /* DBL_MAX has 309 digits */

        if (isnan(v))
                (void) snprintf(text, sizeof text, "unknown");
        else if (decimals < 0)
                (void) snprintf(text, sizeof text, "%.6g", v);
        else
                (void) snprintf(text, sizeof text, "%.*f", decimals, v);
        summary_append(s, BYTES_STRING(text));
}

static void write_part(SummaryText *s, const Template *t, const Part *part, const TemplateFields *f) {
        const char *text = "";
        double shown;

        switch (part->type) {
        case PART_TEXT:
                summary_append(s, BYTES(t->text + part->offset, part->len));
                return;
        case PART_VALUE:
                write_number(s, f->value, part->decimals);
                return;
        case PART_NUMBER:
                write_number(s, expression_evaluate(&part->number, f->scope, &shown), part->decimals);
                return;
        case PART_LABEL:
                text = f->subject->label[0] ? f->subject->label : f->subject->name;
                break;
        case PART_ID:
                text = f->subject->name;
                break;
        case PART_RULE:
                text = f->rule;
                break;
        case PART_ATTRIBUTE:
                text = subject_attribute(f->subject, part->attribute);
                if (!text[0])
                        text = "unknown";
                break;
        }
        summary_append(s, BYTES_STRING(text));
}

void template_render(const Template *t, const TemplateFields *f, char ret[static ALERT_SUMMARY_MAX]) {
        SummaryText s = summary_begin(ret);

        for (size_t i = 0; i < t->count; i++)
                write_part(&s, t, &t->parts[i], f);
        summary_end(&s);
}
