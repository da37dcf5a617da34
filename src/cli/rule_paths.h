/* Rule files as the command line names them: a file, or a folder, whose *.yaml are read in order of name. */
#pragma once

#include "rules/rules.h"

typedef struct RulePaths {
        char **items;
        size_t count;
} RulePaths;

int rule_paths_add(RulePaths *p, const char *path, Error *e) _must_check_;
void rule_paths_done(RulePaths *p);

/* Adds the rules of one file to a set. */
int rule_path_read(const char *path, RuleSet *s, Error *e) _must_check_;
/* All of them as one set. */
int rule_paths_read(const RulePaths *p, const Catalogue *c, RuleSet **ret, Error *e) _must_check_;
