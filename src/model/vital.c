#include "model/vital.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <stdio.h>

#include "model/name_index.h"

/* Codes: IEEE 11073-10101 (partition * 65536 + term) and LOINC as in the FHIR vital signs profiles.
 *
 * The range is what a sensor can report of a living patient or a working asset, far wider than what is healthy: a value
 * outside is a fault of the measurement. Where zero is how devices say "not measured" (rates, saturation, pressures)
 * the range begins above it; a rule asks absent() for that. Sources: the display ranges that IEC 60601-2-27 (ECG),
 * ISO 80601-2-61 (oximeter), IEC 80601-2-30 (cuff), ISO 80601-2-56 (thermometer), ISO 80601-2-55 (capnography) and ISO
 * 15197 (glucose) ask for at least, widened to reported human extremes (core temperature 13.7 to 46.5 Cel); for the
 * surroundings the rated range of usual sensors and of freezers. */
static const Vital builtin[] = {
        /* id, name, display, unit, LOINC, MDC, min, max */
        { 0, "hr", "heart rate", "/min", "8867-4", 147842, 10, 350 },
        { 0, "spo2", "oxygen saturation", "%", "59408-5", 150456, 10, 100 },
        { 0, "rr", "respiration rate", "/min", "9279-1", 151578, 1, 150 },
        { 0, "temp", "body temperature", "Cel", "8310-5", 150364, 13, 47 },
        { 0, "sbp", "systolic blood pressure", "mm[Hg]", "8480-6", 150021, 20, 320 },
        { 0, "dbp", "diastolic blood pressure", "mm[Hg]", "8462-4", 150022, 10, 250 },
        { 0, "map", "mean blood pressure", "mm[Hg]", "8478-0", 150023, 10, 280 },
        { 0, "pulse", "pulse rate", "/min", "8867-4", 149530, 10, 350 },
        /* the same by another averaging time, where an oximeter gives more than one */
        { 0, "spo2_fast", "oxygen saturation, fast", "%", "", 0, 10, 100 },
        { 0, "spo2_slow", "oxygen saturation, slow", "%", "", 0, 10, 100 },
        { 0, "pulse_fast", "pulse rate, fast", "/min", "", 0, 10, 350 },
        { 0, "pulse_slow", "pulse rate, slow", "/min", "", 0, 10, 350 },
        { 0, "rr_interval", "time between heartbeats", "ms", "8637-9", 147240, 150, 6000 },
        { 0, "cuff_pressure", "pressure in the cuff", "mm[Hg]", "", 150300, 0, 330 },
        { 0, "glucose", "blood glucose", "mmol/L", "15074-8", 160184, 0.3, 90 },
        { 0, "weight", "body weight", "kg", "29463-7", 188736, 0.2, 650 },
        { 0, "height", "body height", "cm", "8302-2", 188740, 20, 280 },
        { 0, "bmi", "body mass index", "kg/m2", "39156-5", 188752, 5, 150 },
        { 0, "acvpu", "consciousness (ACVPU)", "1", "", 0, 0, 4 },
        { 0, "o2", "supplemental oxygen", "1", "", 0, 0, 1 },
        { 0, "o2_flow", "oxygen flow", "L/min", "3151-8", 0, 0, 100 },
        { 0, "fio2", "inspired oxygen", "%", "3150-6", 0, 10, 100 },
        { 0, "etco2", "end-tidal carbon dioxide", "mm[Hg]", "19891-1", 151708, 0, 150 },
        { 0, "pi", "perfusion index", "%", "", 150488, 0, 30 },
        { 0, "battery", "battery charge", "%", "", 67996, 0, 100 },
        { 0, "ambient_temp", "ambient temperature", "Cel", "", 0, -200, 150 },
        { 0, "humidity", "relative humidity", "%", "", 0, 0, 100 },
        { 0, "pressure", "air pressure", "hPa", "", 0, 300, 1100 },
        { 0, "door", "door open", "1", "", 0, 0, 1 },
};

/* Lower case, '_' for '-' and blanks. A bare "temperature" on a ward is a patient's. */
static const struct {
        const char *alias, *name;
} aliases[] = {
        { "heart_rate", "hr" },
        { "heartrate", "hr" },
        { "oxygen_saturation", "spo2" },
        { "2708-6", "spo2" },
        { "resp", "rr" },
        { "resp_rate", "rr" },
        { "respiration", "rr" },
        { "respiration_rate", "rr" },
        { "respiratory_rate", "rr" },
        { "temperature", "temp" },
        { "body_temp", "temp" },
        { "body_temperature", "temp" },
        { "8331-1", "temp" },
        { "sys", "sbp" },
        { "systolic", "sbp" },
        { "dia", "dbp" },
        { "diastolic", "dbp" },
        { "mean_arterial_pressure", "map" },
        { "pulse_rate", "pulse" },
        { "blood_glucose", "glucose" },
        { "body_weight", "weight" },
        { "body_height", "height" },
        { "avpu", "acvpu" },
        { "supplemental_oxygen", "o2" },
        { "perfusion_index", "pi" },
        { "battery_level", "battery" },
        { "ambient_temperature", "ambient_temp" },
        { "room_temperature", "ambient_temp" },
        { "relative_humidity", "humidity" },
        { "air_pressure", "pressure" },
        { "barometric_pressure", "pressure" },
};

struct Catalogue {
        Vital rows[VITALS_MAX];
        size_t count;
        NameIndex names, aliases; /* borrow from the rows and from the table above */
};

static int add_alias(Catalogue *c, const char *alias, uint32_t row) {
        uint32_t taken;

        /* Vitals share LOINC codes (heart rate and pulse): the first row has it. */
        if (name_index_find(&c->aliases, alias, &taken))
                return 0;
        return name_index_add(&c->aliases, alias, row);
}

/* The last row's names become known. */
static int publish_row(Catalogue *c) {
        Vital *v = c->rows + c->count;

        v->id = (VitalId) c->count;
        int r = name_index_add(&c->names, v->name, v->id);
        if (r == 0 && v->loinc[0] != '\0')
                r = add_alias(c, v->loinc, v->id);
        if (r == 0)
                c->count++;
        return r;
}

int catalogue_new(Catalogue **ret) {
        _cleanup_(catalogue_freep) Catalogue *c = calloc(1, sizeof *c);
        uint32_t row;
        int r = 0;

        if (!c)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTS(builtin) && r == 0; i++) {
                c->rows[i] = builtin[i];
                r = publish_row(c);
        }
        for (size_t i = 0; i < ELEMENTS(aliases) && r == 0; i++)
                if (name_index_find(&c->names, aliases[i].name, &row))
                        r = add_alias(c, aliases[i].alias, row);
        if (r < 0)
                return r;
        *ret = TAKE(c);
        return 0;
}

Catalogue *catalogue_free(Catalogue *c) {
        if (!c)
                return NULL;
        name_index_done(&c->names);
        name_index_done(&c->aliases);
        free(c);
        return NULL;
}

typedef struct VitalFields {
        char *name, *display, *unit, *loinc;
        int64_t mdc;
        double min, max;
} VitalFields;

static const YamlField vital_fields[] = {
        { "name", YAML_STRING, offsetof(VitalFields, name), .required = true },
        { "display", YAML_STRING, offsetof(VitalFields, display) },
        { "unit", YAML_STRING, offsetof(VitalFields, unit), .required = true },
        { "loinc", YAML_STRING, offsetof(VitalFields, loinc) },
        { "mdc", YAML_INT, offsetof(VitalFields, mdc), .min = 0, .max = UINT32_MAX },
        { "min", YAML_DOUBLE, offsetof(VitalFields, min) },
        { "max", YAML_DOUBLE, offsetof(VitalFields, max) },
        { NULL },
};

static void vital_fields_done(VitalFields *f) {
        free(f->name);
        free(f->display);
        free(f->unit);
        free(f->loinc);
}

static int copy_text(
                const YamlNode *n, const char *key, const char *text, char *ret, size_t size, Error *e) {
        if (!text)
                return 0;
        if (strlen(text) >= size)
                return yaml_error(n, e, -EINVAL, "%s: '%s' is longer than %zu characters", key, text,
                                size - 1);
        (void) snprintf(ret, size, "%s", text);
        return 0;
}

static bool vital_name_is_valid(const char *name) {
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

        return islower((unsigned char) name[0]) && strspn(name, allowed) == strlen(name);
}

static int read_row(Catalogue *c, const YamlNode *n, Error *e) {
        _cleanup_(vital_fields_done) VitalFields f = { .min = -DBL_MAX, .max = DBL_MAX };
        Vital *v = c->rows + c->count;

        int r = yaml_read(n, vital_fields, &f, e);
        if (r < 0)
                return r;
        if (!vital_name_is_valid(f.name))
                return yaml_error(n, e, -EINVAL,
                                "name: '%s': expected a small letter, then small letters, digits or '_'",
                                f.name);
        if (catalogue_find(c, f.name))
                return yaml_error(n, e, -EINVAL, "name: the vital '%s' exists already", f.name);
        if (f.min > f.max)
                return yaml_error(n, e, -EINVAL, "min: %.15g is above max %.15g", f.min, f.max);
        if (c->count == VITALS_MAX)
                return yaml_error(n, e, -EINVAL, "more than %d vitals", VITALS_MAX);
        *v = (Vital){ .mdc = (uint32_t) f.mdc, .min = f.min, .max = f.max };
        if ((r = copy_text(n, "name", f.name, v->name, sizeof v->name, e)) < 0 ||
                        (r = copy_text(n, "display", f.display ? f.display : f.name, v->display,
                                         sizeof v->display, e)) < 0 ||
                        (r = copy_text(n, "unit", f.unit, v->unit, sizeof v->unit, e)) < 0 ||
                        (r = copy_text(n, "loinc", f.loinc, v->loinc, sizeof v->loinc, e)) < 0)
                return r;
        r = publish_row(c);
        return r < 0 ? error_set(e, r, "out of memory") : 0;
}

int catalogue_read(Catalogue *c, const YamlNode *list, Error *e) {
        int r = yaml_expect_sequence(list, "a list of vitals", e);

        for (size_t i = 0; i < yaml_length(list) && r == 0; i++) {
                YamlNode item = yaml_item(list, i);
                r = read_row(c, &item, e);
        }
        return r;
}

const Vital *catalogue_find(const Catalogue *c, const char *name) {
        uint32_t row;

        return name_index_find(&c->names, name, &row) ? c->rows + row : NULL;
}

const Vital *catalogue_at(const Catalogue *c, VitalId id) {
        return c->rows + id;
}

size_t catalogue_count(const Catalogue *c) {
        return c->count;
}

const Vital *catalogue_find_alias(const Catalogue *c, const char *name) {
        char folded[VITAL_DISPLAY_MAX];
        size_t n = 0;
        uint32_t row;

        if (name_index_find(&c->aliases, name, &row)) /* a LOINC code, or spelt as in the table */
                return c->rows + row;
        for (; name[n]; n++) {
                if (n == sizeof folded - 1)
                        return NULL;
                folded[n] = name[n] == '-' || name[n] == ' ' ? '_' : (char) tolower((unsigned char) name[n]);
        }
        folded[n] = '\0';
        if (name_index_find(&c->aliases, folded, &row) || name_index_find(&c->names, folded, &row))
                return c->rows + row;
        return NULL;
}

const char *catalogue_nearest(const Catalogue *c, const char *name) {
        const char *names[VITALS_MAX];

        for (size_t i = 0; i < c->count; i++)
                names[i] = c->rows[i].name;
        return nearest_word(name, names, c->count);
}
