/* The inside of reading rule files: rule_file.c reads groups, rule_read.c one rule, rule_hash.c says what it is. */
#pragma once

#include "rules/rule_set.h"

/* One item of `rules:`, with the newest group, into the set. */
int rule_read(RuleSet *s, const YamlNode *n, Vocabulary *words, Error *e) _must_check_;

/* The SHA-256 of everything that decides what the rule does, as docs/rules.md lays it out. -EINVAL: it is too long. */
int rule_hash(const RuleSet *s, const Group *g, const Vocabulary *words, const Rule *rule, const char *expr,
                uint8_t ret[static 32]) _must_check_;

/* What is wrong at byte offset of a text in the file: points into it where the file shows it as it stands, else says
 * how far in it is. key: of the text. */
int rule_text_error(const YamlNode *n, const char *key, size_t offset, int code, const Error *why, Error *e);
