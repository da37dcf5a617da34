/* Files of rule tests: YAML -> what happens when, each mistake with its place. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>

#include "cli/test_rules_item.h"

static int no_memory(const YamlNode *n, Error *e) {
        return yaml_error(n, e, -ENOMEM, "out of memory");
}

/* --- the file --- */

static int add_rule_file(TestFile *f, const char *folder, const YamlNode *n, Error *e) {
        char path[PATH_MAX];
        const char *name = yaml_text(n);
        Error why;

        if (!name || !*name)
                return yaml_error(n, e, -EINVAL, "rule_files: expected the name of a file");
        if (name[0] == '/')
                (void) snprintf(path, sizeof path, "%s", name);
        else
                (void) snprintf(path, sizeof path, "%s/%s", folder, name);
        int r = rule_paths_add(&f->rules, path, &why);
        return r < 0 ? yaml_error(n, e, r, "%s", why.message) : 0;
}

int test_file_read(const char *path, TestFile *ret, Error *e) {
        struct {
                YamlNode rule_files, vitals, tests;
        } nodes = { 0 };
        const YamlField fields[] = {
                { "rule_files", YAML_NODE, offsetof(typeof(nodes), rule_files), .required = true },
                { "vitals", YAML_NODE, offsetof(typeof(nodes), vitals) },
                { "tests", YAML_NODE, offsetof(typeof(nodes), tests), .required = true },
                { NULL },
        };
        _cleanup_(test_file_done) TestFile f = { 0 };

        int r = yaml_load_file(path, &f.document, e);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(f.document);
        r = yaml_read(&root, fields, &nodes, e);
        if (r == 0)
                r = yaml_expect_sequence(&nodes.rule_files, "rule files", e);
        if (r == 0)
                r = yaml_expect_sequence(&nodes.tests, "tests", e);
        if (r == 0 && (r = catalogue_new(&f.catalogue)) < 0)
                r = no_memory(&root, e);
        if (r == 0 && yaml_present(&nodes.vitals))
                r = catalogue_read(f.catalogue, &nodes.vitals, e);
        _cleanup_free_ char *copy = strdup(path);
        if (r == 0 && !copy)
                r = no_memory(&root, e);
        const char *folder = copy ? dirname(copy) : "";
        for (size_t i = 0; r == 0 && i < yaml_length(&nodes.rule_files); i++) {
                YamlNode item = yaml_item(&nodes.rule_files, i);
                r = add_rule_file(&f, folder, &item, e);
        }
        if (r < 0)
                return r;
        f.tests = nodes.tests;
        *ret = f;
        f = (TestFile){ 0 };
        return 0;
}

void test_file_done(TestFile *f) {
        rule_paths_done(&f->rules);
        catalogue_free(f->catalogue);
        yaml_unload(f->document);
        *f = (TestFile){ 0 };
}

/* --- a test --- */

static int read_subject(const YamlNode *key, const YamlNode *n, TestSubject *ret, Error *e) {
        static const char *const kinds[] = {
                [SUBJECT_PATIENT] = "patient",
                [SUBJECT_ASSET] = "asset",
                [SUBJECT_DEVICE] = "device",
                NULL,
        };
        struct {
                int kind;
                YamlNode label, attributes;
        } nodes = { 0 };
        const YamlField fields[] = {
                { "kind", YAML_CHOICE, offsetof(typeof(nodes), kind), .choices = kinds },
                { "label", YAML_NODE, offsetof(typeof(nodes), label) },
                { "attributes", YAML_NODE, offsetof(typeof(nodes), attributes) },
                { NULL },
        };

        *ret = (TestSubject){ .label = "" };
        int r = yaml_read(n, fields, &nodes, e);
        if (r == 0)
                r = read_text(key, "subjects", &ret->name, e);
        if (r == 0)
                r = read_text(&nodes.label, "label", &ret->label, e);
        if (r < 0)
                return r;
        if (!name_is_valid(ret->name))
                return yaml_error(key, e, -EINVAL,
                                "subject '%.60s': expected 1 to %d of A-Z, a-z, 0-9, '.', '_', ':', '-'",
                                ret->name, NAME_MAX_LENGTH - 1);
        if (yaml_present(&nodes.attributes) && !yaml_is_mapping(&nodes.attributes))
                return yaml_error(&nodes.attributes, e, -EINVAL,
                                "attributes: expected a mapping (name: value)");
        ret->kind = nodes.kind;
        ret->attributes = nodes.attributes;
        return 0;
}

static int read_subjects(RuleTest *t, const YamlNode *test, const YamlNode *n, Error *e) {
        YamlNode key, value;
        int r = 0;

        if (yaml_present(n) && (!yaml_is_mapping(n) || yaml_length(n) == 0))
                return yaml_error(n, e, -EINVAL, "subjects: expected ids, such as {bed-7: {kind: patient}}");
        t->subjects = calloc(yaml_length(n) + 1, sizeof *t->subjects);
        if (!t->subjects)
                return no_memory(test, e);
        for (size_t i = 0; r == 0 && i < yaml_length(n); i++) {
                yaml_pair(n, i, &key, &value);
                r = read_subject(&key, &value, &t->subjects[t->subject_count++], e);
        }
        if (t->subject_count == 0)
                t->subjects[t->subject_count++] = (TestSubject){ .name = "patient", .label = "" };
        return r;
}

static int compare_steps(const void *a, const void *b) {
        const Step *x = a, *y = b;

        if (x->time_us != y->time_us)
                return x->time_us < y->time_us ? -1 : 1;
        if (x->kind != y->kind)
                return x->kind < y->kind ? -1 : 1;
        return (x->order > y->order) - (x->order < y->order);
}

typedef int (*ItemFn)(const TestFile *f, RuleTest *t, const YamlNode *n, Error *e);

static int read_list(const TestFile *f, RuleTest *t, const YamlNode *list, const char *what, ItemFn fn,
                Error *e) {
        int r = yaml_expect_sequence(list, what, e);

        for (size_t i = 0; r == 0 && i < yaml_length(list); i++) {
                YamlNode item = yaml_item(list, i);
                r = fn(f, t, &item, e);
        }
        return r;
}

int rule_test_read(const TestFile *f, const YamlNode *n, RuleTest *ret, Error *e) {
        struct {
                YamlNode name, subjects, series, acknowledge, set, alerts, expect;
                int64_t interval_us;
        } nodes = { .interval_us = USEC_PER_SEC };
        const YamlField fields[] = {
                { "name", YAML_NODE, offsetof(typeof(nodes), name), .required = true },
                { "subjects", YAML_NODE, offsetof(typeof(nodes), subjects) },
                { "interval", YAML_DURATION, offsetof(typeof(nodes), interval_us),
                                .min = (double) USEC_PER_MSEC, .max = 86400.0 * USEC_PER_SEC },
                { "series", YAML_NODE, offsetof(typeof(nodes), series), .required = true },
                { "acknowledge", YAML_NODE, offsetof(typeof(nodes), acknowledge) },
                { "set", YAML_NODE, offsetof(typeof(nodes), set) },
                { "alerts", YAML_NODE, offsetof(typeof(nodes), alerts) },
                { "expect", YAML_NODE, offsetof(typeof(nodes), expect) },
                { NULL },
        };
        _cleanup_(rule_test_done) RuleTest t = { 0 };

        int r = yaml_read(n, fields, &nodes, e);
        if (r == 0)
                r = read_text(&nodes.name, "name", &t.name, e);
        if (r == 0)
                r = rule_paths_read(&f->rules, f->catalogue, &t.rules, e);
        if (r == 0)
                r = read_subjects(&t, n, &nodes.subjects, e);
        t.interval_us = nodes.interval_us;
        if (r == 0)
                r = read_list(f, &t, &nodes.series, "series", read_test_series, e);
        if (r == 0)
                r = read_list(f, &t, &nodes.acknowledge, "acknowledgements", read_test_acknowledge, e);
        if (r == 0)
                r = read_list(f, &t, &nodes.set, "attributes to set", read_test_set, e);
        if (r == 0)
                r = read_list(f, &t, &nodes.alerts, "expected transitions", read_test_expected, e);
        if (r == 0)
                r = read_list(f, &t, &nodes.expect, "expected values", read_test_probe, e);
        if (r < 0)
                return r;
        if (t.step_count > 0)
                qsort(t.steps, t.step_count, sizeof *t.steps, compare_steps);
        *ret = t;
        t = (RuleTest){ 0 };
        return 0;
}

void rule_test_done(RuleTest *t) {
        rule_set_free(t->rules);
        free(t->subjects);
        free(t->steps);
        free(t->expected);
        *t = (RuleTest){ 0 };
}
