/* What happens in a rule test, and what is expected: the items of its lists. */
#include <errno.h>
#include <math.h>

#include "cli/series.h"
#include "cli/test_rules_item.h"

static int no_memory(const YamlNode *n, Error *e) {
        return yaml_error(n, e, -ENOMEM, "out of memory");
}

/* --- words --- */

int read_text(const YamlNode *n, const char *key, const char **ret, Error *e) {
        if (!yaml_present(n))
                return 0;
        const char *text = yaml_text(n);
        if (!text || !*text)
                return yaml_error(n, e, -EINVAL, "%s: expected a text", key);
        *ret = text;
        return 0;
}

/* The subject of that name; the only one where nothing is said. */
static int find_subject(const RuleTest *t, const YamlNode *item, const YamlNode *n, int *ret, Error *e) {
        const char *name = NULL;

        int r = read_text(n, "subject", &name, e);
        if (r < 0)
                return r;
        if (!name && t->subject_count != 1)
                return yaml_error(item, e, -EINVAL, "key 'subject' is missing: the test has %zu of them",
                                t->subject_count);
        for (size_t i = 0; i < t->subject_count; i++)
                if (!name || streq(name, t->subjects[i].name)) {
                        *ret = (int) i;
                        return 0;
                }
        return yaml_error(n, e, -EINVAL, "unknown subject '%.60s': expected one of `subjects`", name);
}

static int find_alert(const RuleTest *t, const YamlNode *n, const char **ret, Error *e) {
        const size_t count = rule_set_count(t->rules);

        *ret = "";
        int r = read_text(n, "alert", ret, e);
        if (r < 0)
                return r;
        for (uint32_t i = 0; i < count; i++)
                if (streq(rule_set_rule(t->rules, i)->name, *ret))
                        return 0;
        _cleanup_free_ const char **names = calloc(count + 1, sizeof(char *));
        if (!names)
                return no_memory(n, e);
        for (uint32_t i = 0; i < count; i++)
                names[i] = rule_set_rule(t->rules, i)->name;
        const char *near = nearest_word(*ret, names, count);
        return yaml_error(n, e, -EINVAL, "unknown alert '%.60s'%s%s%s", *ret, near ? ": did you mean '" : "",
                        near ? near : "", near ? "'?" : "");
}

static int find_vital(const Catalogue *c, const YamlNode *n, VitalId *ret, Error *e) {
        const char *name = "";

        int r = read_text(n, "vital", &name, e);
        if (r < 0)
                return r;
        const Vital *v = catalogue_find(c, name);
        const char *near = v ? NULL : catalogue_nearest(c, name);
        if (!v)
                return yaml_error(n, e, -EINVAL, "unknown vital '%.40s'%s%s%s", name,
                                near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
        *ret = v->id;
        return 0;
}

/* --- what happens --- */

static int add_step(RuleTest *t, const YamlNode *n, const Step *step, Error *e) {
        if (t->step_count == TEST_STEPS_MAX)
                return yaml_error(n, e, -EINVAL, "more than %d values in one test", TEST_STEPS_MAX);
        if ((t->step_count & (t->step_count - 1)) == 0) { /* full at each power of two */
                Step *steps = reallocarray(t->steps, t->step_count * 2 + 1, sizeof *steps);
                if (!steps)
                        return no_memory(n, e);
                t->steps = steps;
        }
        t->steps[t->step_count] = *step;
        t->steps[t->step_count].order = t->step_count;
        t->step_count++;
        t->end_us = MAX(t->end_us, step->time_us);
        return 0;
}

typedef struct ItemText {
        int64_t at_us;
        int state;
        double within;
        YamlNode subject, vital, values, alert, attributes, expr, value, summary;
} ItemText;

int read_test_series(const TestFile *f, RuleTest *t, const YamlNode *n, Error *e) {
        static const YamlField fields[] = {
                { "subject", YAML_NODE, offsetof(ItemText, subject) },
                { "vital", YAML_NODE, offsetof(ItemText, vital), .required = true },
                { "values", YAML_NODE, offsetof(ItemText, values), .required = true },
                { NULL },
        };
        _cleanup_(series_done) Series s = { 0 };
        Step step = { .kind = STEP_READING };
        const char *text = "";
        ItemText i = { 0 };
        size_t offset;
        Error why;

        int r = yaml_read(n, fields, &i, e);
        if (r == 0)
                r = find_subject(t, n, &i.subject, &step.subject, e);
        if (r == 0)
                r = find_vital(f->catalogue, &i.vital, &step.reading.vital, e);
        if (r == 0)
                r = read_text(&i.values, "values", &text, e);
        if (r < 0)
                return r;
        r = series_parse(text, &s, &offset, &why);
        if (r < 0) {
                unsigned column = yaml_column_at(&i.values, offset);
                return error_at(e, r, yaml_path(n), yaml_line(&i.values),
                                column ? column : yaml_column(&i.values), "values: %s", why.message);
        }
        for (size_t k = 0; r == 0 && k < s.count; k++) {
                step.time_us = (int64_t) k * t->interval_us;
                step.reading.value = s.values[k];
                if (!isnan(s.values[k]))
                        r = add_step(t, n, &step, e);
                t->end_us = MAX(t->end_us, step.time_us);
        }
        return r;
}

int read_test_set(const TestFile *f, RuleTest *t, const YamlNode *n, Error *e) {
        static const YamlField fields[] = {
                { "at", YAML_DURATION, offsetof(ItemText, at_us), .required = true },
                { "subject", YAML_NODE, offsetof(ItemText, subject) },
                { "attributes", YAML_NODE, offsetof(ItemText, attributes), .required = true },
                { NULL },
        };
        Step step = { .kind = STEP_SET };
        ItemText i = { 0 };

        int r = yaml_read(n, fields, &i, e);
        if (r == 0)
                r = find_subject(t, n, &i.subject, &step.subject, e);
        if (r < 0)
                return r;
        if (!yaml_is_mapping(&i.attributes))
                return yaml_error(&i.attributes, e, -EINVAL, "attributes: expected a mapping (name: value)");
        step.time_us = i.at_us;
        step.attributes = i.attributes;
        return add_step(t, n, &step, e);
}

int read_test_acknowledge(const TestFile *f, RuleTest *t, const YamlNode *n, Error *e) {
        static const YamlField fields[] = {
                { "at", YAML_DURATION, offsetof(ItemText, at_us), .required = true },
                { "subject", YAML_NODE, offsetof(ItemText, subject) },
                { "alert", YAML_NODE, offsetof(ItemText, alert), .required = true },
                { NULL },
        };
        Step step = { .kind = STEP_ACKNOWLEDGE, .subject = SUBJECT_ANY };
        ItemText i = { 0 };

        int r = yaml_read(n, fields, &i, e);
        if (r == 0 && yaml_present(&i.subject))
                r = find_subject(t, n, &i.subject, &step.subject, e);
        if (r == 0)
                r = find_alert(t, &i.alert, &step.alert, e);
        step.time_us = i.at_us;
        return r < 0 ? r : add_step(t, n, &step, e);
}

/* A number, true, false, or unknown. */
static int read_value(const YamlNode *n, double *ret, Error *e) {
        const char *text = yaml_text(n);

        if (text && (streq(text, "true") || streq(text, "false"))) {
                *ret = streq(text, "true");
                return 0;
        }
        if (text && streq(text, "unknown")) {
                *ret = (double) NAN;
                return 0;
        }
        static const YamlField number = { "value", YAML_DOUBLE, 0 };
        if (yaml_read_value(n, &number, ret, NULL) < 0)
                return yaml_error(n, e, -EINVAL, "value: expected a number, true, false or unknown");
        return 0;
}

int read_test_probe(const TestFile *f, RuleTest *t, const YamlNode *n, Error *e) {
        static const YamlField fields[] = {
                { "at", YAML_DURATION, offsetof(ItemText, at_us), .required = true },
                { "subject", YAML_NODE, offsetof(ItemText, subject) },
                { "expr", YAML_NODE, offsetof(ItemText, expr), .required = true },
                { "value", YAML_NODE, offsetof(ItemText, value), .required = true },
                { "within", YAML_DOUBLE, offsetof(ItemText, within) },
                { NULL },
        };
        Step step = { .kind = STEP_PROBE };
        ItemText i = { .within = -1 };
        Error why;

        int r = yaml_read(n, fields, &i, e);
        if (r == 0)
                r = find_subject(t, n, &i.subject, &step.subject, e);
        if (r == 0)
                r = read_text(&i.expr, "expr", &step.probe.expression, e);
        if (r == 0)
                r = read_value(&i.value, &step.probe.value, e);
        if (r < 0)
                return r;
        r = rule_set_add_probe(t->rules, step.probe.expression, &step.probe.number, &why);
        if (r < 0)
                return yaml_error(&i.expr, e, r, "expr: %s", why.message);
        /* what a person writes down has fewer digits than what is computed */
        step.probe.within = i.within >= 0 ? i.within : 1e-9 * MAX(1.0, fabs(step.probe.value));
        step.time_us = i.at_us;
        return add_step(t, n, &step, e);
}

int read_test_expected(const TestFile *f, RuleTest *t, const YamlNode *n, Error *e) {
        static const YamlField fields[] = {
                { "at", YAML_DURATION, offsetof(ItemText, at_us), .required = true },
                { "alert", YAML_NODE, offsetof(ItemText, alert), .required = true },
                { "state", YAML_CHOICE, offsetof(ItemText, state), .required = true,
                                .choices = moment_states },
                { "subject", YAML_NODE, offsetof(ItemText, subject) },
                { "summary", YAML_NODE, offsetof(ItemText, summary) },
                { NULL },
        };
        ItemText i = { 0 };
        Moment m = { 0 };

        int r = yaml_read(n, fields, &i, e);
        if (r == 0)
                r = find_alert(t, &i.alert, &m.alert, e);
        if (r == 0)
                r = read_text(&i.subject, "subject", &m.subject, e);
        if (r < 0)
                return r;
        m.time_us = i.at_us;
        m.transition = (AlertTransition) i.state;
        m.summary = yaml_present(&i.summary) ? yaml_text(&i.summary) : NULL;
        Moment *expected = reallocarray(t->expected, t->expected_count + 1, sizeof *expected);
        if (!expected)
                return no_memory(n, e);
        t->expected = expected;
        t->expected[t->expected_count++] = m;
        t->end_us = MAX(t->end_us, m.time_us);
        return 0;
}
