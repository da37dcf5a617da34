/* Rule files: YAML -> rules, each mistake with its place. The shape is that of Prometheus' alerting rules. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "rules/lexer.h"
#include "rules/parser.h"
#include "rules/rule_read.h"

typedef struct GroupText {
        char *name;
        YamlNode match, except, freshness, assume, limits, rules;
} GroupText;

static void group_text_done(GroupText *g) {
        free(g->name);
}

/* --- whom it is for --- */

static int read_except(const YamlNode *n, Group *g, Error *e) {
        g->has_except = yaml_present(n);
        if (g->has_except && yaml_is_mapping(n) && yaml_length(n) == 0)
                return yaml_error(n, e, -EINVAL,
                                "except: expected at least one of: kind, subject, label, attributes");
        return match_read(n, &g->except, e);
}

static int read_whom(RuleSet *s, const YamlNode *n, const GroupText *t, Error *e) {
        Group g = { 0 };

        int r = match_read(&t->match, &g.match, e);
        if (r == 0)
                r = read_except(&t->except, &g, e);
        if (r == 0) {
                r = rule_set_add_group(s, &g);
                if (r == -ENOSPC)
                        (void) yaml_error(n, e, r, "more than %d groups", GROUPS_MAX);
                else if (r < 0)
                        (void) yaml_error(n, e, r, "out of memory");
        }
        if (r < 0) {
                match_done(&g.match);
                match_done(&g.except);
        }
        return r;
}

/* --- what its words mean --- */

/* A mapping from vitals. */
static int expect_vitals(const YamlNode *n, const char *key, const char *example, Error *e) {
        if (!yaml_present(n) || yaml_is_mapping(n))
                return 0;
        return yaml_error(n, e, -EINVAL, "%s: expected vitals and %s", key, example);
}

static int read_vital(const Catalogue *c, const YamlNode *key, const Vital **ret, Error *e) {
        const char *name = yaml_text(key) ? yaml_text(key) : "", *near = catalogue_nearest(c, name);

        *ret = catalogue_find(c, name);
        if (*ret)
                return 0;
        if (near)
                return yaml_error(key, e, -EINVAL, "unknown vital '%.40s': did you mean '%s'?", name, near);
        return yaml_error(key, e, -EINVAL, "unknown vital '%.40s'", name);
}

static int read_freshness(const YamlNode *n, Vocabulary *w, Error *e) {
        static const YamlField field = { "freshness", YAML_DURATION, 0, .min = (double) AGE_MIN,
                .max = (double) AGE_MAX };
        bool given[VITALS_MAX] = { false };
        const Vital *v;

        int r = expect_vitals(n, "freshness", "durations, such as {sbp: 30m}", e);
        for (size_t i = 0; r == 0 && i < yaml_length(n); i++) {
                YamlNode key, value;
                yaml_pair(n, i, &key, &value);
                r = read_vital(w->catalogue, &key, &v, e);
                if (r < 0)
                        return r;
                if (given[v->id])
                        return yaml_error(&key, e, -EINVAL, "freshness of '%s' is given twice", v->name);
                given[v->id] = true;
                r = yaml_read_value(&value, &field, &w->fresh_us[v->id], e);
        }
        return r;
}

static int read_assume(const YamlNode *n, Vocabulary *w, Error *e) {
        const Vital *v;

        int r = expect_vitals(n, "assume", "numbers, such as {acvpu: 0}", e);
        for (size_t i = 0; r == 0 && i < yaml_length(n); i++) {
                YamlNode key, value;
                yaml_pair(n, i, &key, &value);
                r = read_vital(w->catalogue, &key, &v, e);
                if (r < 0)
                        return r;
                if (!isnan(w->assume[v->id]))
                        return yaml_error(
                                        &key, e, -EINVAL, "what is assumed of '%s' is given twice", v->name);
                const YamlField field = { v->name, YAML_DOUBLE, 0, .min = v->min, .max = v->max };
                r = yaml_read_value(&value, &field, &w->assume[v->id], e);
        }
        return r;
}

static int check_limit_name(const Vocabulary *w, const YamlNode *key, const char *name, Error *e) {
        static const char *const placeholders[] = { "value", "rule" };
        const char *taken = NULL;

        if (!attribute_is_valid(name, ""))
                return yaml_error(key, e, -EINVAL,
                                "limits: '%.40s': expected a small letter, then up to %d small letters, "
                                "digits or '_'",
                                name, ATTRIBUTE_NAME_MAX - 2);
        if (catalogue_find(w->catalogue, name))
                taken = "a vital";
        else if (function_arguments(name))
                taken = "a function";
        else if (token_is_keyword(name))
                taken = "a keyword";
        for (size_t i = 0; i < ELEMENTS(placeholders); i++)
                if (streq(name, placeholders[i]))
                        taken = "a placeholder";
        if (taken)
                return yaml_error(key, e, -EINVAL,
                                "limits: '%s' is the name of %s: choose another, such as "
                                "%s_low",
                                name, taken, name);
        for (size_t i = 0; i < w->limit_count; i++)
                if (streq(w->limits[i].name, name))
                        return yaml_error(key, e, -EINVAL, "limit '%s' is given twice", name);
        return 0;
}

static int read_limit(RuleSet *s, const YamlNode *key, const YamlNode *value, Vocabulary *w, Error *e) {
        const char *name = yaml_text(key) ? yaml_text(key) : "";

        int r = check_limit_name(w, key, name, e);
        if (r < 0)
                return r;
        if (w->limit_count == GROUP_LIMITS_MAX)
                return yaml_error(key, e, -EINVAL, "more than %d limits in a group", GROUP_LIMITS_MAX);
        Limit *l = &w->limits[w->limit_count];
        *l = (Limit){ .used = false };
        (void) snprintf(l->name, sizeof l->name, "%s", name);
        const YamlField field = { l->name, YAML_DOUBLE, 0 };
        r = yaml_read_value(value, &field, &l->number, e);
        if (r < 0)
                return r;
        r = rule_set_add_limit(s, name, l->number, &l->row);
        if (r == -ENOSPC)
                return yaml_error(key, e, r, "more than %d different limits in all rules", LIMITS_MAX);
        if (r < 0)
                return yaml_error(key, e, r, "out of memory");
        w->limit_count++;
        return 0;
}

static int read_limits(RuleSet *s, const YamlNode *n, Vocabulary *w, Error *e) {
        int r = 0;

        if (yaml_present(n) && !yaml_is_mapping(n))
                return yaml_error(
                                n, e, -EINVAL, "limits: expected names and numbers, such as {spo2_low: 91}");
        for (size_t i = 0; r == 0 && i < yaml_length(n); i++) {
                YamlNode key, value;
                yaml_pair(n, i, &key, &value);
                r = read_limit(s, &key, &value, w, e);
        }
        return r;
}

static int check_limits_used(const YamlNode *n, const Vocabulary *w, Error *e) {
        for (size_t i = 0; i < w->limit_count; i++) {
                YamlNode key, value;

                if (w->limits[i].used)
                        continue;
                yaml_pair(n, i, &key, &value);
                return yaml_error(&key, e, -EINVAL, "limit '%s' is used by no rule of the group",
                                w->limits[i].name);
        }
        return 0;
}

/* --- the group --- */

static int read_words(RuleSet *s, const GroupText *g, Vocabulary *w, Error *e) {
        vocabulary_init(w, s->catalogue);
        int r = read_freshness(&g->freshness, w, e);
        if (r == 0)
                r = read_assume(&g->assume, w, e);
        return r == 0 ? read_limits(s, &g->limits, w, e) : r;
}

static int read_keys(const YamlNode *n, GroupText *g, Error *e) {
        static const YamlField fields[] = {
                { "name", YAML_STRING, offsetof(GroupText, name), .required = true },
                { "match", YAML_NODE, offsetof(GroupText, match) },
                { "except", YAML_NODE, offsetof(GroupText, except) },
                { "freshness", YAML_NODE, offsetof(GroupText, freshness) },
                { "assume", YAML_NODE, offsetof(GroupText, assume) },
                { "limits", YAML_NODE, offsetof(GroupText, limits) },
                { "rules", YAML_NODE, offsetof(GroupText, rules), .required = true },
                { NULL },
        };

        int r = yaml_read(n, fields, g, e);
        return r < 0 ? r : yaml_expect_sequence(&g->rules, "rules", e);
}

static int read_group(RuleSet *s, const YamlNode *n, Error *e) {
        _cleanup_(group_text_done) GroupText g = { 0 };

        int r = read_keys(n, &g, e);
        if (r == 0)
                r = read_words(s, &g, &s->words, e);
        if (r == 0)
                r = read_whom(s, n, &g, e);
        for (size_t i = 0; r == 0 && i < yaml_length(&g.rules); i++) {
                YamlNode item = yaml_item(&g.rules, i);
                r = rule_read(s, &item, &s->words, e);
        }
        return r == 0 ? check_limits_used(&g.limits, &s->words, e) : r;
}

int rule_set_read(RuleSet *s, const YamlNode *root, Error *e) {
        static const YamlField fields[] = {
                { "groups", YAML_NODE, 0 },
                { NULL },
        };
        YamlNode groups = { 0 };

        int r = yaml_read(root, fields, &groups, e);
        if (r < 0)
                return r;
        r = yaml_expect_sequence(&groups, "groups", e);
        for (size_t i = 0; r == 0 && i < yaml_length(&groups); i++) {
                YamlNode item = yaml_item(&groups, i);
                r = read_group(s, &item, e);
        }
        return r;
}
