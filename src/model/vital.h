/* The catalogue of vitals: what can be measured, its public codes, its unit and what is plausible. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/yaml.h"

enum {
        VITAL_NAME_MAX = 24, /* with the NUL */
        VITAL_UNIT_MAX = 16,
        VITAL_LOINC_MAX = 12,
        VITAL_DISPLAY_MAX = 48,
        VITALS_MAX = 256, /* rows of a catalogue, built-in and operator-defined together */
};

typedef uint16_t VitalId; /* row of the catalogue; stable within one run of the process only */

typedef struct Vital {
        VitalId id;
        char name[VITAL_NAME_MAX];       /* "spo2": [a-z][a-z0-9_]* */
        char display[VITAL_DISPLAY_MAX]; /* "oxygen saturation" */
        char unit[VITAL_UNIT_MAX];       /* canonical unit, UCUM: "%", "/min", "Cel", "mm[Hg]" */
        char loinc[VITAL_LOINC_MAX];     /* "59408-5", empty where there is none */
        uint32_t mdc;    /* IEEE 11073-10101 code with its partition (ref id), 0 where there is none */
        double min, max; /* plausible range in the canonical unit, inclusive */
} Vital;

typedef struct Catalogue Catalogue;

/* The built-in vitals: hr spo2 rr temp sbp dbp map pulse glucose weight height acvpu o2 pi battery
 * ambient_temp humidity pressure ... acvpu is coded 0 A, 1 C, 2 V, 3 P, 4 U; o2 is 1 for supplemental oxygen. */
int catalogue_new(Catalogue **ret) _must_check_;
Catalogue *catalogue_free(Catalogue *c);
DEFINE_CLEANUP(Catalogue *, catalogue_free);

/* Adds the rows of a `vitals:` list (name, display, unit, loinc, mdc, min, max). A name that exists is refused. */
int catalogue_read(Catalogue *c, const YamlNode *list, Error *e) _must_check_;

const Vital *catalogue_find(const Catalogue *c, const char *name); /* NULL where unknown */
const Vital *catalogue_at(const Catalogue *c, VitalId id);         /* id < catalogue_count() */
size_t catalogue_count(const Catalogue *c);
/* The built-in vital that a name used by devices or by LOINC code means ("SpO2", "heart_rate", "8867-4"), or NULL. */
const Vital *catalogue_find_alias(const Catalogue *c, const char *name);
/* The nearest name, for "did you mean". */
const char *catalogue_nearest(const Catalogue *c, const char *name);

/* Converts value from unit (UCUM or a SenML unit of RFC 8428/8798, or a common spelling such as "degF") to the vital's
 * canonical unit. An empty unit is taken as canonical. -EINVAL where no conversion is known. Molar conversions are
 * the vital's own (glucose mg/dL <-> mmol/L, factor 18.0156). */
int unit_convert(const char *unit, const Vital *to, double value, double *ret) _must_check_;
