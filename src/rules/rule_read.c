#include "rules/rule_read.h"

#include <errno.h>
#include <stdio.h>

enum { RULE_LABELS_MAX = 6 }; /* beside the priority */

#define RERAISE_DEFAULT (INT64_C(1800) * USEC_PER_SEC)

typedef struct RuleText {
        char *name;
        YamlNode expr, labels, annotations, latch, reraise;
        int64_t for_us, keep_firing_us;
} RuleText;

static int no_memory(const YamlNode *n, Error *e) {
        return yaml_error(n, e, -ENOMEM, "out of memory");
}

static void rule_done(Rule *r) {
        free((char *) r->alert.name);
        free((char *) r->alert.labels);
        expression_done(&r->expression);
        template_done(&r->summary);
}

int rule_text_error(
                const YamlNode *n, const char *key, size_t offset, int code, const Error *why, Error *e) {
        unsigned column = yaml_column_at(n, offset);

        if (column > 0)
                return error_at(e, code, yaml_path(n), yaml_line(n), column, "%s", why->message);
        return yaml_error(n, e, code, "%s: at its character %zu: %s", key, offset + 1, why->message);
}

/* --- labels --- */

typedef struct Labels {
        struct {
                const char *name, *value; /* the document's */
        } items[RULE_LABELS_MAX];         /* by name */
        size_t count;
} Labels;

static int check_label(const YamlNode *key, const YamlNode *value, Error *e) {
        static const char *const names[] = { "priority" };
        const char *name = yaml_text(key) ? yaml_text(key) : "", *text = yaml_text(value);
        const char *near = nearest_word(name, names, ELEMENTS(names));

        if (near)
                return yaml_error(key, e, -EINVAL, "label '%.40s': did you mean '%s'?", name, near);
        if (!attribute_is_valid(name, ""))
                return yaml_error(key, e, -EINVAL,
                                "label '%.40s': expected a small letter, then up to %d small letters, "
                                "digits "
                                "or '_'",
                                name, ATTRIBUTE_NAME_MAX - 2);
        if (!text || !name_is_valid(text))
                return yaml_error(value, e, -EINVAL,
                                "label %.40s: '%.64s': expected 1 to %d of A-Z, a-z, 0-9, '.', '_', ':', "
                                "'-'",
                                name, text ? text : "a list or mapping", NAME_MAX_LENGTH - 1);
        return 0;
}

/* Keeps them in order of name. */
static int add_label(Labels *l, const YamlNode *key, const YamlNode *value, Error *e) {
        size_t i = l->count;

        int r = check_label(key, value, e);
        if (r < 0)
                return r;
        const char *name = yaml_text(key);
        if (l->count == RULE_LABELS_MAX)
                return yaml_error(
                                key, e, -EINVAL, "more than %d labels beside the priority", RULE_LABELS_MAX);
        while (i > 0 && strcmp(l->items[i - 1].name, name) > 0)
                i--;
        if (i > 0 && streq(l->items[i - 1].name, name))
                return yaml_error(key, e, -EINVAL, "label '%s' is given twice", name);
        memmove(&l->items[i + 1], &l->items[i], (l->count - i) * sizeof *l->items);
        l->items[i].name = name;
        l->items[i].value = yaml_text(value);
        l->count++;
        return 0;
}

static int read_priority(const YamlNode *n, int *ret, Error *e) {
        static const char *const priorities[] = {
                [PRIORITY_TECHNICAL] = "technical",
                [PRIORITY_LOW] = "low",
                [PRIORITY_MEDIUM] = "medium",
                [PRIORITY_HIGH] = "high",
                NULL,
        };
        static const YamlField field = { "priority", YAML_CHOICE, 0, .choices = priorities };

        return yaml_read_value(n, &field, ret, e);
}

/* "floor=3,team=icu" */
static int write_labels(const YamlNode *n, const Labels *l, const char **ret, Error *e) {
        char text[ALERT_LABELS_MAX] = "";
        size_t used = 0;

        for (size_t i = 0; i < l->count && used < sizeof text; i++)
                used += (size_t) snprintf(text + used, sizeof text - used, "%s%s=%s", i ? "," : "",
                                l->items[i].name, l->items[i].value);
        if (used >= sizeof text)
                return yaml_error(n, e, -EINVAL, "labels are longer than %d characters together",
                                ALERT_LABELS_MAX - 1);
        *ret = strdup(text);
        return *ret ? 0 : no_memory(n, e);
}

static int read_labels(const YamlNode *n, AlertRule *a, Error *e) {
        Labels labels = { .count = 0 };
        int priority = PRIORITY_MEDIUM, r = 0;
        bool given = false;

        if (yaml_present(n) && !yaml_is_mapping(n))
                return yaml_error(n, e, -EINVAL,
                                "labels: expected names and values, such as {priority: high}");
        for (size_t i = 0; r == 0 && i < yaml_length(n); i++) {
                YamlNode key, value;
                yaml_pair(n, i, &key, &value);
                if (!yaml_text(&key) || !streq(yaml_text(&key), "priority")) {
                        r = add_label(&labels, &key, &value, e);
                } else if (given) {
                        r = yaml_error(&key, e, -EINVAL, "label 'priority' is given twice");
                } else {
                        given = true;
                        r = read_priority(&value, &priority, e);
                }
        }
        if (r < 0)
                return r;
        a->priority = (Priority) priority;
        return write_labels(n, &labels, &a->labels, e);
}

/* --- the other keys --- */

static int read_summary(const YamlNode *n, Vocabulary *words, Rule *rule, Error *e) {
        static const YamlField fields[] = {
                { "summary", YAML_NODE, 0 },
                { NULL },
        };
        YamlNode summary = { 0 };
        const char *text = "";
        size_t offset = 0;
        Error why;

        int r = yaml_present(n) ? yaml_read(n, fields, &summary, e) : 0;
        if (r < 0)
                return r;
        if (yaml_present(&summary) && (!(text = yaml_text(&summary)) || !text[0]))
                return yaml_error(&summary, e, -EINVAL,
                                "summary: expected a text such as \"In {{ subject.label }}\"");
        r = template_parse(text, words, rule_is_across(rule), &rule->summary, &offset, &why);
        return r < 0 ? rule_text_error(&summary, "summary", offset, r, &why, e) : 0;
}

static int read_expression(const YamlNode *n, Vocabulary *words, Expression *ret, Error *e) {
        const char *text = yaml_text(n);
        size_t offset = 0;
        Error why;

        if (!text)
                return yaml_error(n, e, -EINVAL, "expr: expected an expression such as spo2 < 90");
        int r = expression_parse(text, EXPRESSION_RULE, words, ret, &offset, &why);
        return r < 0 ? rule_text_error(n, "expr", offset, r, &why, e) : 0;
}

/* A high priority stays until somebody has acknowledged it, and what somebody acknowledged comes back while it lasts. */
static int read_holding(const RuleText *t, AlertRule *a, Error *e) {
        static const YamlField latch = { "latch", YAML_BOOL, 0 };
        static const YamlField reraise = { "reraise_after", YAML_DURATION, 0, .min = (double) AGE_MIN,
                .max = (double) AGE_MAX };
        const char *text = yaml_text(&t->reraise);
        int r = 0;

        a->latch = a->priority == PRIORITY_HIGH;
        a->reraise_us = a->priority >= PRIORITY_MEDIUM ? RERAISE_DEFAULT : 0;
        if (yaml_present(&t->latch))
                r = yaml_read_value(&t->latch, &latch, &a->latch, e);
        if (r < 0 || !yaml_present(&t->reraise))
                return r;
        if (text && streq(text, "never")) {
                a->reraise_us = 0;
                return 0;
        }
        if (yaml_read_value(&t->reraise, &reraise, &a->reraise_us, NULL) < 0)
                return yaml_error(&t->reraise, e, -EINVAL,
                                "reraise_after: '%.40s': expected a duration from 1s to 7d, or never",
                                text ? text : "a list or mapping");
        return 0;
}

static int check_name(const RuleSet *s, const YamlNode *n, const char *name, Error *e) {
        if (!name_is_valid(name))
                return yaml_error(n, e, -EINVAL,
                                "alert: '%.64s': expected 1 to %d of A-Z, a-z, 0-9, '.', '_', ':', '-'",
                                name, ALERT_NAME_MAX - 1);
        if (rule_set_find(s, name))
                return yaml_error(n, e, -EINVAL,
                                "alert '%s' is defined twice: names are unique over all rule files", name);
        if (rule_set_count(s) == RULES_MAX)
                return yaml_error(n, e, -EINVAL, "more than %d rules", RULES_MAX);
        return 0;
}

static int read_keys(const YamlNode *n, RuleText *t, Error *e) {
        static const YamlField fields[] = {
                { "alert", YAML_STRING, offsetof(RuleText, name), .required = true },
                { "expr", YAML_NODE, offsetof(RuleText, expr), .required = true },
                { "for", YAML_DURATION, offsetof(RuleText, for_us), .max = (double) AGE_MAX },
                { "keep_firing_for", YAML_DURATION, offsetof(RuleText, keep_firing_us),
                                .max = (double) AGE_MAX },
                { "latch", YAML_NODE, offsetof(RuleText, latch) },
                { "reraise_after", YAML_NODE, offsetof(RuleText, reraise) },
                { "labels", YAML_NODE, offsetof(RuleText, labels) },
                { "annotations", YAML_NODE, offsetof(RuleText, annotations) },
                { NULL },
        };

        return yaml_read(n, fields, t, e);
}

/* What was read of it is the rule's, also on failure. */
static int read_parts(const RuleText *t, Vocabulary *words, Rule *rule, Error *e) {
        rule->alert.for_us = t->for_us;
        rule->alert.keep_firing_us = t->keep_firing_us;
        int r = read_labels(&t->labels, &rule->alert, e);
        if (r == 0)
                r = read_holding(t, &rule->alert, e);
        if (r == 0)
                r = read_expression(&t->expr, words, &rule->expression, e);
        if (r == 0)
                r = read_summary(&t->annotations, words, rule, e);
        if (r == 0)
                rule->alert.summary = rule->summary.text;
        return r;
}

static int add(RuleSet *s, const YamlNode *expr, const Vocabulary *words, Rule *rule, Error *e) {
        Error why;

        if (rule_hash(s, &s->groups[s->group_count - 1], words, rule, yaml_text(expr), rule->alert.hash) < 0)
                return yaml_error(expr, e, -EINVAL, "rule is too long: split it into two rules");
        int r = rule_set_add_rule(s, rule, &why);
        return r < 0 ? yaml_error(expr, e, r, "%s", why.message) : 0;
}

int rule_read(RuleSet *s, const YamlNode *n, Vocabulary *words, Error *e) {
        RuleText t = { 0 };
        Rule rule = { 0 };

        int r = read_keys(n, &t, e);
        rule.alert.name = t.name;
        if (r == 0)
                r = check_name(s, n, t.name, e);
        if (r == 0)
                r = read_parts(&t, words, &rule, e);
        if (r == 0)
                r = add(s, &t.expr, words, &rule, e);
        if (r < 0)
                rule_done(&rule);
        return r;
}
