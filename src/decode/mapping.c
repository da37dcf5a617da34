#include "decode/mapping.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "decode/acvpu.h"
#include "decode/json.h"
#include "decode/mapping_table.h"

static bool parse_number(const char *text, double *ret) {
        char *end;

        if (*text == '\0' || strspn(text, "+-.0123456789eE") != strlen(text))
                return false;
        double v = strtod(text, &end);
        if (*end != '\0' || !isfinite(v))
                return false;
        *ret = v;
        return true;
}

static bool find_number(const json_t *value, double *ret) {
        if (json_is_number(value)) {
                *ret = json_number_value(value);
                return true;
        }
        if (json_is_boolean(value)) {
                *ret = json_is_true(value);
                return true;
        }
        return json_is_string(value) && parse_number(json_string_value(value), ret);
}

static bool find_value(const MappingReading *m, const json_t *root, double *ret) {
        const json_t *value = json_pointer_find(&m->pointer, root);
        Bytes text = BYTES(json_string_value(value), json_string_length(value));
        double v;

        if (m->letters && acvpu_parse(text, ret))
                return true;
        if (!find_number(value, &v))
                return false;
        for (size_t i = 0; i < m->missing_count; i++)
                if (v == m->missing[i])
                        return false;
        *ret = v * m->scale + m->offset;
        return true;
}

static int parse_iso8601(const Mapping *m, const json_t *value, int64_t *ret) {
        const char *text = json_string_value(value);
        char zoned[48];

        if (!text)
                return -EINVAL;
        int r = clock_parse(text, ret);
        if (r == 0 || !m->assume_utc || strlen(text) + 2 > sizeof zoned)
                return r;
        (void) snprintf(zoned, sizeof zoned, "%sZ", text);
        return clock_parse(zoned, ret);
}

static int parse_time(const Mapping *m, const json_t *value, int64_t *ret) {
        static const double microseconds[] = {
                [MAPPING_UNIX_S] = 1e6,
                [MAPPING_UNIX_MS] = 1e3,
                [MAPPING_UNIX_US] = 1,
        };
        double v;

        if (m->time_format == MAPPING_ISO8601)
                return parse_iso8601(m, value, ret);
        if (!find_number(value, &v) || !(fabs(v * microseconds[m->time_format]) < 1e18))
                return -EINVAL;
        *ret = llround(v * microseconds[m->time_format]);
        return 0;
}

static int find_time(const Mapping *m, const json_t *root, int64_t *ret, Error *e) {
        *ret = TIME_NONE;
        if (!m->has_time)
                return 0;
        const json_t *value = json_pointer_find(&m->time, root);
        if (!value || json_is_null(value))
                return 0;
        if (parse_time(m, value, ret) < 0)
                return error_set(e, -EBADMSG, "the time cannot be read by map '%s'", m->name);
        return 0;
}

static int find_sequence(const Mapping *m, const json_t *root, bool *ret_has, uint64_t *ret, Error *e) {
        double v;

        *ret_has = false;
        if (!m->has_sequence)
                return 0;
        const json_t *value = json_pointer_find(&m->sequence, root);
        if (!value || json_is_null(value))
                return 0;
        if (!find_number(value, &v) || !(v >= 0 && v <= 0x1p53) || v != floor(v))
                return error_set(e, -EBADMSG,
                                "the sequence cannot be read by map '%s': expected a whole number", m->name);
        *ret_has = true;
        *ret = (uint64_t) v;
        return 0;
}

int mapping_decode(const Mapping *m, Bytes payload, SampleList *list, Error *e) {
        json_auto_t *root = NULL;
        uint64_t sequence = 0;
        bool has_sequence;
        int64_t time_us;
        int r;

        if (!m)
                return error_set(e, -EBADMSG, "format json needs a map");
        if ((r = json_parse(payload, &root, e)) < 0 || (r = find_time(m, root, &time_us, e)) < 0 ||
                        (r = find_sequence(m, root, &has_sequence, &sequence, e)) < 0)
                return r;
        for (const MappingReading *reading = m->readings; reading < m->readings + m->count; reading++) {
                double value = 0;
                bool found = find_value(reading, root, &value);
                if (!found && reading->optional)
                        continue;
                Sample *s = sample_list_add(list);
                if (!s)
                        return error_set(e, -EBADMSG, "out of memory");
                memcpy(s->name, reading->vital, sizeof reading->vital);
                memcpy(s->unit, reading->unit, sizeof reading->unit);
                s->value = value;
                s->has_value = found;
                s->time_us = time_us;
                s->seq = sequence;
                s->has_seq = has_sequence;
        }
        return 0;
}
