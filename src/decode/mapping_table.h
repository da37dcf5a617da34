/* A mapping as it is in memory: written by mapping_read.c, followed by mapping.c. */
#pragma once

#include "decode/mapping.h"
#include "decode/pointer.h"

typedef enum MappingTime { MAPPING_UNIX_S, MAPPING_UNIX_MS, MAPPING_UNIX_US, MAPPING_ISO8601 } MappingTime;

typedef struct MappingReading {
        JsonPointer pointer;
        char vital[VITAL_NAME_MAX];
        char unit[VITAL_UNIT_MAX];
        double scale, offset;
        bool optional;
        bool letters; /* acvpu: one letter is a value too */
        double missing[MAPPING_MISSING_MAX];
        size_t missing_count;
} MappingReading;

struct Mapping {
        char *name;
        bool has_time, has_sequence;
        JsonPointer time, sequence;
        int time_format; /* MappingTime */
        bool assume_utc;
        MappingReading *readings;
        size_t count;
};
