/* The items of a rule test's lists: each adds to the test what it says. */
#pragma once

#include "cli/test_rules.h"

/* A text that is not empty; where the node is absent, *ret stays. */
int read_text(const YamlNode *n, const char *key, const char **ret, Error *e) _must_check_;

int read_test_series(const TestFile *f, RuleTest *t, const YamlNode *n, Error *e) _must_check_;
int read_test_set(const TestFile *f, RuleTest *t, const YamlNode *n, Error *e) _must_check_;
int read_test_acknowledge(const TestFile *f, RuleTest *t, const YamlNode *n, Error *e) _must_check_;
int read_test_expected(const TestFile *f, RuleTest *t, const YamlNode *n, Error *e) _must_check_;
int read_test_probe(const TestFile *f, RuleTest *t, const YamlNode *n, Error *e) _must_check_;
