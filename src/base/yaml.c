#include "base/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#include "base/file.h"

struct YamlDocument {
        char *path;
        yaml_document_t document;
        bool loaded;
};

YamlDocument *yaml_unload(YamlDocument *d) {
        if (!d)
                return NULL;
        if (d->loaded)
                yaml_document_delete(&d->document);
        free(d->path);
        free(d);
        return NULL;
}

static yaml_node_t *node_of(const YamlNode *n) {
        return n->document ? yaml_document_get_node(&n->document->document, n->id) : NULL;
}

static int parser_error(const yaml_parser_t *p, const char *path, Error *e) {
        const char *problem = p->problem ? p->problem : "cannot be read as YAML";

        if (p->error == YAML_READER_ERROR)
                return error_set(e, -EINVAL, "%s: %s at byte %zu", path, problem, p->problem_offset);
        return error_at(e, -EINVAL, path, (unsigned) p->problem_mark.line + 1,
                        (unsigned) p->problem_mark.column + 1, "%s%s%s", problem, p->context ? " " : "",
                        p->context ? p->context : "");
}

/* Counts aliases and depth before a tree is built: a document of aliases can be small and its tree enormous. */
static int check_events(const char *path, Bytes text, Error *e) {
        yaml_parser_t p;
        yaml_event_t event;
        unsigned depth = 0, documents = 0;
        bool done = false;
        int r = 0;

        if (!yaml_parser_initialize(&p))
                return error_set(e, -ENOMEM, "%s: out of memory", path);
        yaml_parser_set_input_string(&p, text.data, text.len);
        while (!done && r == 0) {
                if (!yaml_parser_parse(&p, &event)) {
                        r = parser_error(&p, path, e);
                        break;
                }
                unsigned line = (unsigned) event.start_mark.line + 1,
                         column = (unsigned) event.start_mark.column + 1;
                if (event.type == YAML_MAPPING_START_EVENT || event.type == YAML_SEQUENCE_START_EVENT)
                        depth++;
                if (event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT)
                        depth--;
                if (event.type == YAML_DOCUMENT_START_EVENT)
                        documents++;
                done = event.type == YAML_STREAM_END_EVENT;
                if (event.type == YAML_ALIAS_EVENT)
                        r = error_at(e, -EINVAL, path, line, column,
                                        "aliases are not supported: write the value out");
                else if (depth > YAML_DEPTH_MAX)
                        r = error_at(e, -EINVAL, path, line, column, "nested deeper than %d levels",
                                        YAML_DEPTH_MAX);
                else if (documents > 1)
                        r = error_at(e, -EINVAL, path, line, column,
                                        "a second document: expected one in a file");
                yaml_event_delete(&event);
        }
        yaml_parser_delete(&p);
        return r;
}

int yaml_load(const char *name, Bytes text, YamlDocument **ret, Error *e) {
        static const uint8_t empty[] = "{}";
        _cleanup_(yaml_unloadp) YamlDocument *d = calloc(1, sizeof *d);
        yaml_parser_t p;

        if (!d || !(d->path = strdup(name)))
                return error_set(e, -ENOMEM, "%s: out of memory", name);
        int r = check_events(name, text, e);
        if (r < 0)
                return r;
        if (!yaml_parser_initialize(&p))
                return error_set(e, -ENOMEM, "%s: out of memory", name);
        yaml_parser_set_input_string(&p, text.data, text.len);
        if (!yaml_parser_load(&p, &d->document)) {
                r = parser_error(&p, name, e);
                yaml_parser_delete(&p);
                return r;
        }
        yaml_parser_delete(&p);
        d->loaded = true;
        if (!yaml_document_get_root_node(&d->document)) {
                yaml_document_delete(&d->document);
                d->loaded = false;
                if (text.len == sizeof empty - 1 && memcmp(text.data, empty, text.len) == 0)
                        return error_set(e, -EINVAL, "%s: cannot be read as YAML", name);
                return yaml_load(name, BYTES(empty, sizeof empty - 1), ret, e);
        }
        *ret = TAKE(d);
        return 0;
}

int yaml_load_file(const char *path, YamlDocument **ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t len;

        int r = file_read(path, YAML_FILE_MAX, &text, &len, e);
        if (r < 0)
                return r;
        return yaml_load(path, BYTES(text, len), ret, e);
}

YamlNode yaml_root(YamlDocument *d) {
        return (YamlNode){ .document = d, .id = 1 };
}

const char *yaml_path(const YamlNode *n) {
        return n->document ? n->document->path : "";
}

unsigned yaml_line(const YamlNode *n) {
        const yaml_node_t *y = node_of(n);
        return y ? (unsigned) y->start_mark.line + 1 : 0;
}

unsigned yaml_column(const YamlNode *n) {
        const yaml_node_t *y = node_of(n);
        return y ? (unsigned) y->start_mark.column + 1 : 0;
}

unsigned yaml_column_at(const YamlNode *n, size_t i) {
        const yaml_node_t *y = node_of(n);

        if (!y || y->type != YAML_SCALAR_NODE || y->start_mark.line != y->end_mark.line)
                return 0;
        /* what the text is longer by in the file is its quotes, or there are escapes in it */
        size_t extra = y->end_mark.column - y->start_mark.column - y->data.scalar.length;
        if (extra != 0 && extra != 2)
                return 0;
        return (unsigned) (y->start_mark.column + 1 + extra / 2 + i);
}

int yaml_error(const YamlNode *n, Error *e, int code, const char *format, ...) {
        char message[ERROR_MESSAGE_MAX];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(message, sizeof message, format, ap);
        va_end(ap);
        return error_at(e, code, yaml_path(n), yaml_line(n), yaml_column(n), "%s", message);
}

bool yaml_is_mapping(const YamlNode *n) {
        const yaml_node_t *y = node_of(n);
        return y && y->type == YAML_MAPPING_NODE;
}

bool yaml_is_sequence(const YamlNode *n) {
        const yaml_node_t *y = node_of(n);
        return y && y->type == YAML_SEQUENCE_NODE;
}

bool yaml_is_scalar(const YamlNode *n) {
        const yaml_node_t *y = node_of(n);
        return y && y->type == YAML_SCALAR_NODE;
}

bool yaml_is_quoted(const YamlNode *n) {
        const yaml_node_t *y = node_of(n);
        return y && y->type == YAML_SCALAR_NODE && y->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
}

size_t yaml_length(const YamlNode *n) {
        const yaml_node_t *y = node_of(n);

        if (y && y->type == YAML_SEQUENCE_NODE)
                return (size_t) (y->data.sequence.items.top - y->data.sequence.items.start);
        if (y && y->type == YAML_MAPPING_NODE)
                return (size_t) (y->data.mapping.pairs.top - y->data.mapping.pairs.start);
        return 0;
}

YamlNode yaml_item(const YamlNode *n, size_t i) {
        const yaml_node_t *y = node_of(n);

        if (i >= yaml_length(n) || y->type != YAML_SEQUENCE_NODE)
                return (YamlNode){ 0 };
        return (YamlNode){ .document = n->document, .id = y->data.sequence.items.start[i] };
}

void yaml_pair(const YamlNode *n, size_t i, YamlNode *ret_key, YamlNode *ret_value) {
        const yaml_node_t *y = node_of(n);

        *ret_key = *ret_value = (YamlNode){ 0 };
        if (i >= yaml_length(n) || y->type != YAML_MAPPING_NODE)
                return;
        *ret_key = (YamlNode){ .document = n->document, .id = y->data.mapping.pairs.start[i].key };
        *ret_value = (YamlNode){ .document = n->document, .id = y->data.mapping.pairs.start[i].value };
}

YamlNode yaml_get(const YamlNode *n, const char *key) {
        YamlNode name, value;

        for (size_t i = 0; yaml_is_mapping(n) && i < yaml_length(n); i++) {
                yaml_pair(n, i, &name, &value);
                const char *text = yaml_text(&name);
                if (text && streq(text, key))
                        return value;
        }
        return (YamlNode){ 0 };
}

const char *yaml_text(const YamlNode *n) {
        const yaml_node_t *y = node_of(n);
        return y && y->type == YAML_SCALAR_NODE ? (const char *) y->data.scalar.value : NULL;
}

int yaml_expect_sequence(const YamlNode *n, const char *what, Error *e) {
        if (!yaml_present(n) || yaml_is_sequence(n))
                return 0;
        return yaml_error(n, e, -EINVAL, "expected a list of %s", what);
}
