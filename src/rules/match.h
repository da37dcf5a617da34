/* For whom a group's rules are. */
#pragma once

#include "base/cbor.h"
#include "model/registry.h"

typedef struct Match {
        int kind;              /* SubjectKind; -1: any but groups */
        char *subject, *label; /* NULL: any */
        Attribute *attributes; /* by name; "": those without it */
        size_t attribute_count;
} Match;

/* An absent node is for all. */
int match_read(const YamlNode *n, Match *ret, Error *e) _must_check_;
void match_done(Match *m);
bool match_is_for(const Match *m, const Subject *s);
/* As docs/rules.md lays it out. */
void match_put(CborWriter *w, const Match *m);
