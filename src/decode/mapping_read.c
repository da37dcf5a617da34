/* Mappings from configuration. */
#include <errno.h>
#include <stdio.h>

#include "decode/mapping_table.h"

struct MappingSet {
        Mapping *items;
        size_t count;
};

static int read_pointer(const YamlNode *n, JsonPointer *ret, Error *e) {
        const char *text = yaml_text(n);
        Error why;

        if (!text)
                return yaml_error(n, e, -EINVAL, "pointer: expected a text such as /temperature");
        int r = json_pointer_parse(text, ret, &why);
        return r < 0 ? yaml_error(n, e, r, "%s", why.message) : 0;
}

typedef struct TimeFields {
        YamlNode pointer;
        int format;
        bool assume_utc;
} TimeFields;

static int read_time(const YamlNode *n, Mapping *m, Error *e) {
        static const char *const formats[] = {
                [MAPPING_UNIX_S] = "unix_s",
                [MAPPING_UNIX_MS] = "unix_ms",
                [MAPPING_UNIX_US] = "unix_us",
                [MAPPING_ISO8601] = "iso8601",
                NULL,
        };
        static const YamlField fields[] = {
                { "pointer", YAML_NODE, offsetof(TimeFields, pointer), .required = true },
                { "format", YAML_CHOICE, offsetof(TimeFields, format), .required = true,
                                .choices = formats },
                { "assume_utc", YAML_BOOL, offsetof(TimeFields, assume_utc) },
                { NULL },
        };
        TimeFields f = { .format = 0 };

        if (!yaml_present(n))
                return 0;
        int r = yaml_read(n, fields, &f, e);
        if (r < 0)
                return r;
        if (f.assume_utc && f.format != MAPPING_ISO8601)
                return yaml_error(n, e, -EINVAL, "assume_utc: belongs to format iso8601 only");
        m->has_time = true;
        m->time_format = f.format;
        m->assume_utc = f.assume_utc;
        return read_pointer(&f.pointer, &m->time, e);
}

static int read_sequence(const YamlNode *n, Mapping *m, Error *e) {
        static const YamlField fields[] = { { "pointer", YAML_NODE, 0, .required = true }, { NULL } };
        YamlNode pointer = { 0 };

        if (!yaml_present(n))
                return 0;
        int r = yaml_read(n, fields, &pointer, e);
        if (r < 0)
                return r;
        m->has_sequence = true;
        return read_pointer(&pointer, &m->sequence, e);
}

static int read_missing(const YamlNode *list, MappingReading *m, Error *e) {
        static const YamlField number = { .key = "missing", .type = YAML_DOUBLE };

        int r = yaml_expect_sequence(list, "a list of numbers", e);
        if (r < 0)
                return r;
        if (yaml_length(list) > MAPPING_MISSING_MAX)
                return yaml_error(list, e, -EINVAL, "missing: more than %d numbers", MAPPING_MISSING_MAX);
        for (; m->missing_count < yaml_length(list); m->missing_count++) {
                YamlNode item = yaml_item(list, m->missing_count);
                if ((r = yaml_read_value(&item, &number, m->missing + m->missing_count, e)) < 0)
                        return r;
        }
        return 0;
}

typedef struct ReadingFields {
        YamlNode pointer, vital, unit, missing;
        double scale, offset;
        bool optional;
} ReadingFields;

static const YamlField reading_fields[] = {
        { "pointer", YAML_NODE, offsetof(ReadingFields, pointer), .required = true },
        { "vital", YAML_NODE, offsetof(ReadingFields, vital), .required = true },
        { "unit", YAML_NODE, offsetof(ReadingFields, unit) },
        { "scale", YAML_DOUBLE, offsetof(ReadingFields, scale) },
        { "offset", YAML_DOUBLE, offsetof(ReadingFields, offset) },
        { "optional", YAML_BOOL, offsetof(ReadingFields, optional) },
        { "missing", YAML_NODE, offsetof(ReadingFields, missing) },
        { NULL },
};

static int read_vital(const ReadingFields *f, const Catalogue *catalogue, MappingReading *m, Error *e) {
        const char *name = yaml_text(&f->vital), *unit = yaml_present(&f->unit) ? yaml_text(&f->unit) : "";
        double converted;

        const Vital *vital = name ? catalogue_find(catalogue, name) : NULL;
        if (!vital) {
                const char *near = name ? catalogue_nearest(catalogue, name) : NULL;
                return yaml_error(&f->vital, e, -EINVAL, "vital: '%s' is unknown%s%s%s", name ? name : "",
                                near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        if (!unit || strlen(unit) >= sizeof m->unit || unit_convert(unit, vital, 1, &converted) < 0)
                return yaml_error(&f->unit, e, -EINVAL,
                                "unit: '%s': expected '%s' or a unit that converts to it", unit ? unit : "",
                                vital->unit);
        (void) snprintf(m->vital, sizeof m->vital, "%s", vital->name);
        (void) snprintf(m->unit, sizeof m->unit, "%s", unit);
        m->letters = streq(vital->name, "acvpu");
        return 0;
}

static int read_reading(const YamlNode *n, const Catalogue *catalogue, MappingReading *m, Error *e) {
        ReadingFields f = { .scale = 1 };
        int r;

        if ((r = yaml_read(n, reading_fields, &f, e)) < 0 || (r = read_vital(&f, catalogue, m, e)) < 0 ||
                        (r = read_missing(&f.missing, m, e)) < 0)
                return r;
        m->scale = f.scale;
        m->offset = f.offset;
        m->optional = f.optional;
        return read_pointer(&f.pointer, &m->pointer, e);
}

typedef struct MapFields {
        YamlNode time, sequence, readings;
} MapFields;

static const YamlField map_fields[] = {
        { "time", YAML_NODE, offsetof(MapFields, time) },
        { "sequence", YAML_NODE, offsetof(MapFields, sequence) },
        { "readings", YAML_NODE, offsetof(MapFields, readings), .required = true },
        { NULL },
};

static int read_map(const YamlNode *n, const Catalogue *catalogue, Mapping *m, Error *e) {
        MapFields f = { 0 };
        int r;

        if ((r = yaml_read(n, map_fields, &f, e)) < 0 || (r = read_time(&f.time, m, e)) < 0 ||
                        (r = read_sequence(&f.sequence, m, e)) < 0 ||
                        (r = yaml_expect_sequence(&f.readings, "a list of readings", e)) < 0)
                return r;
        size_t count = yaml_length(&f.readings);
        if (count == 0 || count > SAMPLES_MAX)
                return yaml_error(&f.readings, e, -EINVAL, "readings: expected 1 to %d", SAMPLES_MAX);
        m->readings = calloc(count, sizeof *m->readings);
        if (!m->readings)
                return error_set(e, -ENOMEM, "out of memory");
        for (; m->count < count; m->count++) {
                YamlNode item = yaml_item(&f.readings, m->count);
                if ((r = read_reading(&item, catalogue, m->readings + m->count, e)) < 0)
                        return r;
        }
        return 0;
}

int mapping_set_read(const YamlNode *node, const Catalogue *catalogue, MappingSet **ret, Error *e) {
        _cleanup_(mapping_set_freep) MappingSet *s = calloc(1, sizeof *s);
        YamlNode key, value;

        if (yaml_present(node) && !yaml_is_mapping(node))
                return yaml_error(node, e, -EINVAL, "maps: expected a mapping from names to maps");
        if (!s || !(s->items = calloc(yaml_length(node) + 1, sizeof *s->items)))
                return error_set(e, -ENOMEM, "out of memory");
        for (size_t i = 0; i < yaml_length(node); i++) {
                yaml_pair(node, i, &key, &value);
                const char *name = yaml_text(&key);
                if (!name || *name == '\0')
                        return yaml_error(&key, e, -EINVAL, "expected a map's name");
                if (mapping_set_find(s, name))
                        return yaml_error(&key, e, -EINVAL, "the map '%s' is given twice", name);
                Mapping *m = s->items + s->count++;
                if (!(m->name = strdup(name)))
                        return error_set(e, -ENOMEM, "out of memory");
                int r = read_map(&value, catalogue, m, e);
                if (r < 0)
                        return r;
        }
        *ret = TAKE(s);
        return 0;
}

static void mapping_done(Mapping *m) {
        for (size_t i = 0; i < m->count; i++)
                json_pointer_done(&m->readings[i].pointer);
        json_pointer_done(&m->time);
        json_pointer_done(&m->sequence);
        free(m->readings);
        free(m->name);
}

MappingSet *mapping_set_free(MappingSet *s) {
        if (!s)
                return NULL;
        for (size_t i = 0; i < s->count; i++)
                mapping_done(s->items + i);
        free(s->items);
        free(s);
        return NULL;
}

const Mapping *mapping_set_find(const MappingSet *s, const char *name) {
        for (size_t i = 0; i < s->count; i++)
                if (streq(s->items[i].name, name))
                        return s->items + i;
        return NULL;
}
