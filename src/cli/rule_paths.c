#include "cli/rule_paths.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static int add(RulePaths *p, char *path) {
        char **items = reallocarray((void *) p->items, p->count + 1, sizeof(char *));

        if (!items) {
                free(path);
                return -ENOMEM;
        }
        p->items = items;
        p->items[p->count++] = path;
        return 0;
}

/* Those that the daemon reads. */
static int is_rule_file(const struct dirent *d) {
        size_t n = strlen(d->d_name);

        return d->d_name[0] != '.' && n > 5 && streq(d->d_name + n - 5, ".yaml");
}

static int add_folder(RulePaths *p, const char *folder, Error *e) {
        struct dirent **files;
        int r = 0, n = scandir(folder, &files, is_rule_file, alphasort);

        if (n < 0)
                return error_set(e, -errno, "%s: %s", folder, strerror(errno));
        for (int i = 0; i < n; i++) {
                char *path = NULL;
                if (r == 0 && asprintf(&path, "%s/%s", folder, files[i]->d_name) < 0)
                        r = -ENOMEM;
                if (r == 0)
                        r = add(p, path);
                free(files[i]);
        }
        free(files);
        return r < 0 ? error_set(e, r, "out of memory") : 0;
}

int rule_paths_add(RulePaths *p, const char *path, Error *e) {
        struct stat st;

        if (stat(path, &st) < 0)
                return error_set(e, -errno, "%s: %s", path, strerror(errno));
        if (S_ISDIR(st.st_mode))
                return add_folder(p, path, e);
        char *copy = strdup(path);
        return !copy || add(p, copy) < 0 ? error_set(e, -ENOMEM, "out of memory") : 0;
}

void rule_paths_done(RulePaths *p) {
        for (size_t i = 0; i < p->count; i++)
                free(p->items[i]);
        free((void *) p->items);
        *p = (RulePaths){ 0 };
}

int rule_path_read(const char *path, RuleSet *s, Error *e) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;

        int r = yaml_load_file(path, &d, e);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(d);
        return rule_set_read(s, &root, e);
}

int rule_paths_read(const RulePaths *p, const Catalogue *c, RuleSet **ret, Error *e) {
        _cleanup_(rule_set_freep) RuleSet *s = NULL;

        if (rule_set_new(c, &s) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        for (size_t i = 0; i < p->count; i++) {
                int r = rule_path_read(p->items[i], s, e);
                if (r < 0)
                        return r;
        }
        *ret = TAKE(s);
        return 0;
}
