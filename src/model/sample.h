/* What a decoder found in a payload, before anything is believed. */
#pragma once

#include "model/reading.h"

enum { SAMPLE_NAME_MAX = 128, SAMPLES_MAX = 1024 /* of one payload */ };

typedef struct Sample {
        char name[SAMPLE_NAME_MAX]; /* vital as the payload or the mapping names it; SenML: the resolved name */
        char unit[VITAL_UNIT_MAX]; /* as the payload or the mapping says, may be empty */
        double value;
        bool has_value;
        double sum; /* SenML sum */
        bool has_sum;
        int64_t time_us; /* wall clock of the measurement, TIME_NONE where the payload says nothing */
        uint64_t seq;    /* device's own sequence, valid where has_seq */
        bool has_seq;
        uint16_t flags; /* ReadingFlag said by the device */
} Sample;

/* What of the name says the vital: all behind its last ':' or '/' ("urn:dev:ow:10e2073a01080063:hr", "bed7/hr"), which is
 * how RFC 8428's examples join a device's base name and a sensor's name. */
const char *sample_vital(const Sample *s);

/* Samples of one payload, in a buffer that is used again and again. */
typedef struct SampleList {
        Sample *items;
        size_t count, room;
} SampleList;

/* A sample at the end, zeroed but for its time, which is TIME_NONE; NULL where SAMPLES_MAX or memory is reached. */
Sample *sample_list_add(SampleList *l);
void sample_list_clear(SampleList *l);
void sample_list_done(SampleList *l);
