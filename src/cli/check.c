/* check: is this a configuration that the daemon would start with, are these rules that it would take? */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>

#include "cli/caret.h"
#include "cli/cli.h"
#include "cli/rule_paths.h"
#include "gateway/config.h"

typedef struct Values {
        const char *config;
} Values;

static const Option options[] = {
        { "config", 'c', OPTION_TEXT, offsetof(Values, config), .argument = "FILE",
                        .help = "the same as CONFIG" },
        { NULL },
};

static void print_rules(const char *path, size_t rules, size_t files) {
        printf("%s: %zu rule%s in %zu file%s", path, rules, rules == 1 ? "" : "s", files,
                        files == 1 ? "" : "s");
}

/* --- rules --- */

/* Each file's first mistake, then those between files: names are unique over all of them. */
static int check_rules(const char *path, const Catalogue *c, const RulePaths *files, size_t *ret_rules) {
        _cleanup_(rule_set_freep) RuleSet *all = NULL;
        size_t wrong = 0;
        Error e;

        for (size_t i = 0; i < files->count; i++) {
                _cleanup_(rule_set_freep) RuleSet *one = NULL;
                if (rule_set_new(c, &one) < 0)
                        return -ENOMEM;
                if (rule_path_read(files->items[i], one, &e) < 0) {
                        caret_print(stderr, "", e.message);
                        wrong++;
                }
        }
        if (wrong == 0 && rule_paths_read(files, c, &all, &e) < 0) {
                caret_print(stderr, "", e.message);
                wrong++;
        }
        if (wrong > 0) {
                fprintf(stderr, "%s: mistakes in %zu of %zu file%s\n", path, wrong, files->count,
                                files->count == 1 ? "" : "s");
                return CLI_NO;
        }
        *ret_rules = rule_set_count(all);
        return 0;
}

/* Rules by themselves, with the vitals that every ward has. */
static int check_rule_path(const char *path, Error *e) {
        _cleanup_(catalogue_freep) Catalogue *c = NULL;
        _cleanup_(rule_paths_done) RulePaths files = { 0 };
        size_t rules;

        int r = catalogue_new(&c);
        if (r < 0)
                return error_set(e, r, "out of memory");
        r = rule_paths_add(&files, path, e);
        if (r == 0)
                r = check_rules(path, c, &files, &rules);
        if (r != 0)
                return r;
        print_rules(path, rules, files.count);
        puts(": ok");
        return 0;
}

/* --- a configuration --- */

/* What check_rules() needs, of a configuration that may be wrong elsewhere. */
typedef struct Basis {
        YamlDocument *document;
        Catalogue *catalogue;
        RulePaths files;
} Basis;

static void basis_done(Basis *b) {
        rule_paths_done(&b->files);
        catalogue_free(b->catalogue);
        yaml_unload(b->document);
}

static YamlNode member(const YamlNode *n, const char *name) {
        YamlNode key, value;

        for (size_t i = 0; i < yaml_length(n) && yaml_is_mapping(n); i++) {
                yaml_pair(n, i, &key, &value);
                if (yaml_text(&key) && streq(yaml_text(&key), name))
                        return value;
        }
        return (YamlNode){ 0 };
}

static int find_rules(const char *config, const YamlNode *rules, RulePaths *ret) {
        char folder[PATH_MAX], path[PATH_MAX * 2];
        const char *name = yaml_text(rules);

        if (!name || !realpath(config, folder))
                return -ENOENT;
        if (name[0] == '/')
                (void) snprintf(path, sizeof path, "%s", name);
        else
                (void) snprintf(path, sizeof path, "%s/%s", dirname(folder), name);
        return rule_paths_add(ret, path, NULL);
}

/* -errno where the configuration's own file has a mistake that is in the way. */
static int find_basis(const char *config, Basis *ret) {
        int r = yaml_load_file(config, &ret->document, NULL);
        if (r == 0)
                r = catalogue_new(&ret->catalogue);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(ret->document), vitals = member(&root, "vitals"),
                 rules = member(&root, "rules");
        if (yaml_present(&vitals))
                r = catalogue_read(ret->catalogue, &vitals, NULL);
        return r < 0 ? r : find_rules(config, &rules, &ret->files);
}

static bool is_rule_file(const RulePaths *files, const char *path) {
        for (size_t i = 0; i < files->count; i++)
                if (streq(files->items[i], path))
                        return true;
        return false;
}

static int check_config(const char *path, Error *e) {
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_(basis_done) Basis basis = { 0 };
        size_t rules;
        Place at;

        int found = find_basis(path, &basis);
        int r = config_load(path, &config, e);
        if (r < 0 && !caret_place(e->message, &at))
                return r;
        if (r < 0 && (found < 0 || !is_rule_file(&basis.files, at.path))) {
                caret_print(stderr, "", e->message);
                return CLI_NO;
        }
        if (r < 0)
                return check_rules(path, basis.catalogue, &basis.files, &rules);
        print_rules(path, rule_set_count(config->rules), basis.files.count);
        printf(", %zu device%s: ok\n", config->device_count, config->device_count == 1 ? "" : "s");
        return 0;
}

/* A file of rules has `groups`, and nothing else has. */
static bool has_rules(const char *path) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;

        if (yaml_load_file(path, &d, NULL) < 0)
                return false;
        YamlNode root = yaml_root(d), groups = member(&root, "groups");
        return yaml_present(&groups);
}

static int run_check(const Invocation *in, Error *e) {
        const Values *v = in->values;
        const char *path = in->operand_count > 0 ? in->operands[0] : v->config;
        struct stat st;

        if (in->operand_count > 0 && v->config)
                return error_set(e, CLI_USAGE, "--config: what is to be checked is given twice");
        if (!path)
                path = "/etc/wardstone/wardstone.yaml";
        if (stat(path, &st) == 0 && (S_ISDIR(st.st_mode) || has_rules(path)))
                return check_rule_path(path, e);
        return check_config(path, e);
}

const Command command_check = {
        .name = "check",
        .operands = "[CONFIG | FILE | FOLDER]",
        .summary = "Check a configuration with its devices and rules, or rules alone",
        .details = "CONFIG is a configuration (default /etc/wardstone/wardstone.yaml), FILE a file of "
                   "rules, FOLDER a\n"
                   "folder of them. The first mistake of each file is shown with its line.",
        .operands_max = 1,
        .options = options,
        .values_size = sizeof(Values),
        .run = run_check,
};
