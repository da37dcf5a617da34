/* YAML files whose every mistake has a place.
 *
 * A document is loaded whole (libyaml), then read through tables of fields: an unknown key, a key given twice, a
 * wrong type or a number out of range is refused with file, line, column and what was expected. Nodes borrow from
 * their document. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

typedef struct YamlDocument YamlDocument;

typedef struct YamlNode {
        YamlDocument *document; /* NULL: absent */
        int id;
} YamlNode;

enum { YAML_FILE_MAX = 4 * 1024 * 1024, YAML_DEPTH_MAX = 32 };

/* Loads one document of at most YAML_FILE_MAX bytes; aliases, a second document and nesting deeper than
 * YAML_DEPTH_MAX are refused. An empty file is an empty mapping. */
int yaml_load_file(const char *path, YamlDocument **ret, Error *e) _must_check_;
/* The same from memory; name stands where a path would in messages. */
int yaml_load(const char *name, Bytes text, YamlDocument **ret, Error *e) _must_check_;
YamlDocument *yaml_unload(YamlDocument *d);
DEFINE_CLEANUP(YamlDocument *, yaml_unload);

YamlNode yaml_root(YamlDocument *d);
const char *yaml_path(const YamlNode *n);
unsigned yaml_line(const YamlNode *n);   /* from 1 */
unsigned yaml_column(const YamlNode *n); /* from 1 */
/* The column of byte i of an ASCII scalar on one line; 0 where it cannot be told (folded over lines, escapes). */
unsigned yaml_column_at(const YamlNode *n, size_t i);

/* "file:line:column: ..." at the node; returns code. */
int yaml_error(const YamlNode *n, Error *e, int code, const char *format, ...) _printf_(4, 5);

static inline bool yaml_present(const YamlNode *n) {
        return n->document != NULL;
}
bool yaml_is_mapping(const YamlNode *n);
bool yaml_is_sequence(const YamlNode *n);
bool yaml_is_scalar(const YamlNode *n);
bool yaml_is_quoted(const YamlNode *n); /* a scalar in quotes or a block: a text whatever it looks like */

/* Number of items of a sequence or of pairs of a mapping; 0 for a scalar or an absent node. */
size_t yaml_length(const YamlNode *n);
YamlNode yaml_item(const YamlNode *n, size_t i);                                     /* sequence */
void yaml_pair(const YamlNode *n, size_t i, YamlNode *ret_key, YamlNode *ret_value); /* mapping */
const char *yaml_text(const YamlNode *n); /* a scalar's text, else NULL */
/* The value of a mapping's key; absent where there is none, or no mapping. */
YamlNode yaml_get(const YamlNode *n, const char *key);

typedef enum YamlType {
        YAML_STRING,   /* char *: allocated, not empty */
        YAML_INT,      /* int64_t in [min, max] */
        YAML_DOUBLE,   /* double in [min, max] */
        YAML_BOOL,     /* bool: true or false */
        YAML_DURATION, /* int64_t microseconds in [min, max]: "10s", "1h30m" */
        YAML_BYTES,    /* int64_t bytes in [min, max]: "64M", "2G" (powers of 1024) */
        YAML_CHOICE,   /* int: index into choices */
        YAML_NODE,     /* YamlNode: for the caller to read further */
} YamlType;

typedef struct YamlField {
        const char *key;
        YamlType type;
        size_t offset; /* of the member in the object */
        bool required;
        double min, max;            /* both 0: any */
        const char *const *choices; /* NULL-terminated, for YAML_CHOICE */
} YamlField;

/* Reads mapping n into object as the table (ended by a field with key NULL) says; members whose key is absent are
 * left as they are. An existing string member is freed and replaced. -EINVAL with a place on any mistake. */
int yaml_read(const YamlNode *n, const YamlField *fields, void *object, Error *e) _must_check_;

/* One scalar by itself. */
int yaml_read_value(const YamlNode *n, const YamlField *field, void *member, Error *e) _must_check_;

/* n itself where it is a sequence (or absent, which counts as empty); otherwise an error that names what. */
int yaml_expect_sequence(const YamlNode *n, const char *what, Error *e) _must_check_;

/* The candidate nearest to word (edit distance at most a third of its length), or NULL: for "did you mean". */
const char *nearest_word(const char *word, const char *const *candidates, size_t n);
