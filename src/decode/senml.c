#include "decode/senml.h"

#include <errno.h>
#include <math.h>
#include <strings.h>

#include "decode/acvpu.h"

enum { SENML_VERSION = 10 };

#define BIT(l) (1U << (l))

/* Exactly one of these, or none where there is a sum (4.2). */
static const unsigned value_labels = BIT(SENML_VALUE) | BIT(SENML_STRING_VALUE) | BIT(SENML_BOOLEAN_VALUE) |
                                     BIT(SENML_DATA_VALUE);
static const unsigned base_labels = BIT(SENML_BASE_SUM) | BIT(SENML_BASE_VALUE) | BIT(SENML_BASE_UNIT) |
                                    BIT(SENML_BASE_TIME) | BIT(SENML_BASE_NAME) | BIT(SENML_BASE_VERSION);

static const struct {
        const char *name;
        SenmlType type;
} labels[] = {
        [SENML_BASE_SUM] = { "bs", SENML_NUMBER },
        [SENML_BASE_VALUE] = { "bv", SENML_NUMBER },
        [SENML_BASE_UNIT] = { "bu", SENML_TEXT },
        [SENML_BASE_TIME] = { "bt", SENML_NUMBER },
        [SENML_BASE_NAME] = { "bn", SENML_TEXT },
        [SENML_BASE_VERSION] = { "bver", SENML_NUMBER },
        [SENML_NAME] = { "n", SENML_TEXT },
        [SENML_UNIT] = { "u", SENML_TEXT },
        [SENML_VALUE] = { "v", SENML_NUMBER },
        [SENML_STRING_VALUE] = { "vs", SENML_TEXT },
        [SENML_BOOLEAN_VALUE] = { "vb", SENML_BOOLEAN },
        [SENML_SUM] = { "s", SENML_NUMBER },
        [SENML_TIME] = { "t", SENML_NUMBER },
        [SENML_UPDATE_TIME] = { "ut", SENML_NUMBER },
        [SENML_DATA_VALUE] = { "vd", SENML_DATA },
};

SenmlType senml_label_type(SenmlLabel l) {
        return labels[l].type;
}

const char *senml_label_name(SenmlLabel l) {
        return labels[l].name;
}

SenmlLabel senml_find_label(Bytes name) {
        SenmlLabel l = 0;

        for (; l < SENML_LABEL_COUNT; l++) {
                const char *label = labels[l].name;
                /* the first character decides nearly always, before anything is called */
                if (name.len > 0 && (char) name.data[0] == label[0] &&
                                bytes_equal(name, BYTES_STRING(label)))
                        break;
        }
        return l;
}

int senml_mark(SenmlRecord *r, SenmlLabel l, Error *e) {
        if (senml_has(r, l))
                return error_set(e, -EBADMSG, "the field '%s' is given twice in one record",
                                senml_label_name(l));
        r->present |= BIT(l);
        return 0;
}

int senml_check_unknown(Bytes label, Error *e) {
        if (label.len > 0 && label.data[label.len - 1] == '_')
                return error_set(e, -EBADMSG, "the field '%.*s' must be understood and is not",
                                (int) MIN(label.len, (size_t) 32), (const char *) label.data);
        return 0;
}

static int apply_version(SenmlPack *p, double v, Error *e) {
        if (!(v >= 1 && v <= SENML_VERSION && v == floor(v)))
                return error_set(e, -EBADMSG,
                                "SenML version (bver) %.15g: expected a whole number from 1 to %d", v,
                                SENML_VERSION);
        /* All records of a pack have one version, 10 where nothing is said (4.4). */
        unsigned before = p->version ? p->version : p->records > 0 ? SENML_VERSION : (unsigned) v;
        if (before != (unsigned) v)
                return error_set(e, -EBADMSG, "SenML version (bver) changes from %u to %u", before,
                                (unsigned) v);
        p->version = before;
        return 0;
}

static int apply_base(SenmlPack *p, const SenmlRecord *r, Error *e) {
        if (senml_has(r, SENML_BASE_VERSION)) {
                int k = apply_version(p, r->number[SENML_BASE_VERSION], e);
                if (k < 0)
                        return k;
        }
        if (senml_has(r, SENML_BASE_NAME))
                p->base_name = r->text[SENML_BASE_NAME];
        if (senml_has(r, SENML_BASE_UNIT))
                p->base_unit = r->text[SENML_BASE_UNIT];
        if (senml_has(r, SENML_BASE_TIME))
                p->base_time = r->number[SENML_BASE_TIME];
        if (senml_has(r, SENML_BASE_VALUE))
                p->base_value = r->number[SENML_BASE_VALUE];
        if (senml_has(r, SENML_BASE_SUM)) {
                p->base_sum = r->number[SENML_BASE_SUM];
                p->has_base_sum = true;
        }
        return 0;
}

/* Base name and name; only the characters of 4.5.1. */
static int resolve_name(const SenmlPack *p, const SenmlRecord *r, Sample *s, Error *e) {
        Bytes base = p->base_name, own = senml_has(r, SENML_NAME) ? r->text[SENML_NAME] : BYTES(NULL, 0);
        size_t len = base.len + own.len;

        if (len == 0)
                return error_set(e, -EBADMSG, "a record has neither a name nor a base name");
        if (len >= sizeof s->name)
                return error_set(e, -EBADMSG, "a name of %zu characters: expected at most %zu", len,
                                sizeof s->name - 1);
        if (base.len > 0)
                memcpy(s->name, base.data, base.len);
        if (own.len > 0)
                memcpy(s->name + base.len, own.data, own.len);
        for (size_t i = 0; i < len; i++) {
                char c = s->name[i];
                bool alphanumeric =
                                (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
                if (!alphanumeric && (i == 0 || (c != '-' && c != ':' && c != '.' && c != '/' && c != '_')))
                        return error_set(e, -EBADMSG,
                                        "a name with byte 0x%02x at %zu: expected letters, digits and, not "
                                        "first, - : . / _",
                                        (unsigned char) c, i);
        }
        return 0;
}

/* RFC 8428 4.5.3: below 2^28 seconds the time is relative to now; zero says that the device knows no time. */
static int resolve_time(const SenmlPack *p, const SenmlRecord *r, Sample *s, Error *e) {
        double seconds = p->base_time + (senml_has(r, SENML_TIME) ? r->number[SENML_TIME] : 0);
        int64_t us;

        if (seconds == 0)
                return 0;
        if (!(fabs(seconds) < 1e12))
                return error_set(e, -EBADMSG, "a time of %.15g s is out of range", seconds);
        us = llround(seconds * (double) USEC_PER_SEC);
        if (seconds < 0x1p28 && __builtin_add_overflow(us, p->now_us, &us))
                return error_set(e, -EBADMSG, "a time of %.15g s is out of range", seconds);
        s->time_us = us;
        return 0;
}

static int resolve_unit(const SenmlPack *p, const SenmlRecord *r, Sample *s, Error *e) {
        Bytes unit = senml_has(r, SENML_UNIT) ? r->text[SENML_UNIT] : p->base_unit;

        if (unit.len >= sizeof s->unit)
                return error_set(e, -EBADMSG, "a unit of %zu bytes: expected at most %zu", unit.len,
                                sizeof s->unit - 1);
        if (unit.len > 0)
                memcpy(s->unit, unit.data, unit.len);
        return 0;
}

/* Booleans and coded texts are numbers of their own: the base value and the units in force are not theirs. */
static int resolve_value(const SenmlPack *p, const SenmlRecord *r, Sample *s, Error *e) {
        if (senml_has(r, SENML_VALUE)) {
                s->value = p->base_value + r->number[SENML_VALUE];
                s->has_value = true;
                return resolve_unit(p, r, s, e);
        }
        if (senml_has(r, SENML_BOOLEAN_VALUE)) {
                s->value = r->boolean;
                s->has_value = true;
        } else if (senml_has(r, SENML_STRING_VALUE)) {
                const char *vital = sample_vital(s);
                if (strcasecmp(vital, "acvpu") == 0 || strcasecmp(vital, "avpu") == 0)
                        s->has_value = acvpu_parse(r->text[SENML_STRING_VALUE], &s->value);
        } else if (s->has_sum)
                return resolve_unit(p, r, s, e);
        return 0;
}

int senml_resolve(SenmlPack *p, const SenmlRecord *r, Error *e) {
        unsigned values = r->present & value_labels;
        int k;

        if ((k = apply_base(p, r, e)) < 0)
                return k;
        p->records++;
        if ((r->present & ~base_labels) == 0) /* base fields alone measure nothing (5.1.7) */
                return 0;
        bool has_sum = p->has_base_sum || senml_has(r, SENML_SUM);
        if ((values & (values - 1)) != 0)
                return error_set(e, -EBADMSG, "a record has more than one value");
        if (values == 0 && !has_sum)
                return error_set(e, -EBADMSG, "a record has neither a value nor a sum");
        Sample *s = sample_list_add(p->list);
        if (!s)
                return error_set(e, -EBADMSG, "more than %d records, or out of memory", SAMPLES_MAX);
        s->has_sum = has_sum;
        if (has_sum)
                s->sum = p->base_sum + (senml_has(r, SENML_SUM) ? r->number[SENML_SUM] : 0);
        if ((k = resolve_name(p, r, s, e)) < 0 || (k = resolve_time(p, r, s, e)) < 0 ||
                        (k = resolve_value(p, r, s, e)) < 0)
                return k;
        return 0;
}

int senml_finish(const SenmlPack *p, Error *e) {
        return p->records > 0 ? 0 : error_set(e, -EBADMSG, "a SenML pack without records");
}
