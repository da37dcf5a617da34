#include "rules/match.h"

#include <errno.h>
#include <stdio.h>

void match_done(Match *m) {
        free(m->subject);
        free(m->label);
        free(m->attributes);
        *m = (Match){ 0 };
}

/* Keeps them in order of name. */
static int add_attribute(Match *m, const YamlNode *key, const YamlNode *value, Error *e) {
        const char *name = yaml_text(key) ? yaml_text(key) : "", *text = yaml_text(value);
        Attribute a = { .name = "" };
        size_t i = m->attribute_count;

        if (!attribute_is_valid(name, ""))
                return yaml_error(key, e, -EINVAL,
                                "attributes: '%.40s': expected a small letter, then up to %d small letters, "
                                "digits or '_'",
                                name, ATTRIBUTE_NAME_MAX - 2);
        if (!text || !attribute_is_valid(name, text))
                return yaml_error(value, e, -EINVAL,
                                "%s: '%.40s': expected 1 to %d of A-Z, a-z, 0-9, '.', '_', ':', '-', or "
                                "\"\" "
                                "for those without it",
                                name, text ? text : "a list or mapping", ATTRIBUTE_VALUE_MAX - 1);
        (void) snprintf(a.name, sizeof a.name, "%s", name);
        (void) snprintf(a.value, sizeof a.value, "%s", text);
        while (i > 0 && strcmp(m->attributes[i - 1].name, name) > 0)
                i--;
        if (i > 0 && streq(m->attributes[i - 1].name, name))
                return yaml_error(key, e, -EINVAL, "attribute '%s' is given twice", name);
        memmove(&m->attributes[i + 1], &m->attributes[i], (m->attribute_count - i) * sizeof a);
        m->attributes[i] = a;
        m->attribute_count++;
        return 0;
}

static int read_attributes(const YamlNode *n, Match *m, Error *e) {
        YamlNode key, value;
        int r = 0;

        if (!yaml_present(n))
                return 0;
        if (!yaml_is_mapping(n) || yaml_length(n) > ATTRIBUTES_MAX)
                return yaml_error(n, e, -EINVAL,
                                "attributes: expected up to %d names and values, such as {ward: 7}",
                                ATTRIBUTES_MAX);
        m->attributes = calloc(yaml_length(n) + 1, sizeof *m->attributes);
        if (!m->attributes)
                return yaml_error(n, e, -ENOMEM, "out of memory");
        for (size_t i = 0; r == 0 && i < yaml_length(n); i++) {
                yaml_pair(n, i, &key, &value);
                r = add_attribute(m, &key, &value, e);
        }
        return r;
}

int match_read(const YamlNode *n, Match *ret, Error *e) {
        static const char *const kinds[] = {
                [SUBJECT_PATIENT] = "patient",
                [SUBJECT_ASSET] = "asset",
                [SUBJECT_DEVICE] = "device",
                [SUBJECT_GROUP] = "group",
                NULL,
        };
        typedef struct MatchText {
                Match m;
                YamlNode attributes;
        } MatchText;
        static const YamlField fields[] = {
                { "kind", YAML_CHOICE, offsetof(MatchText, m.kind), .choices = kinds },
                { "subject", YAML_STRING, offsetof(MatchText, m.subject) },
                { "label", YAML_STRING, offsetof(MatchText, m.label) },
                { "attributes", YAML_NODE, offsetof(MatchText, attributes) },
                { NULL },
        };
        MatchText t = { .m.kind = -1 };

        int r = yaml_present(n) ? yaml_read(n, fields, &t, e) : 0;
        if (r == 0)
                r = read_attributes(&t.attributes, &t.m, e);
        if (r < 0) {
                match_done(&t.m);
                return r;
        }
        *ret = t.m;
        return 0;
}

bool match_is_for(const Match *m, const Subject *s) {
        if (m->kind < 0 ? s->kind == SUBJECT_GROUP : m->kind != (int) s->kind)
                return false;
        if ((m->subject && !streq(m->subject, s->name)) || (m->label && !streq(m->label, s->label)))
                return false;
        for (size_t i = 0; i < m->attribute_count; i++)
                if (!streq(subject_attribute(s, m->attributes[i].name), m->attributes[i].value))
                        return false;
        return true;
}

static void put_text(CborWriter *w, const char *text) {
        if (text)
                cbor_put_text(w, text);
        else
                cbor_put_null(w);
}

void match_put(CborWriter *w, const Match *m) {
        cbor_put_array(w, 4);
        put_text(w, m->kind < 0 ? NULL : subject_kind_name((SubjectKind) m->kind));
        put_text(w, m->subject);
        put_text(w, m->label);
        cbor_put_array(w, m->attribute_count);
        for (size_t i = 0; i < m->attribute_count; i++) {
                cbor_put_array(w, 2);
                cbor_put_text(w, m->attributes[i].name);
                cbor_put_text(w, m->attributes[i].value);
        }
}
