/* What SenML's JSON and CBOR forms have in common (RFC 8428 4): the fields of one record in, resolved samples out. */
#pragma once

#include "model/sample.h"

/* In the order of their CBOR labels (RFC 8428 6), which begin at SENML_CBOR_FIRST. */
typedef enum SenmlLabel {
        SENML_BASE_SUM,
        SENML_BASE_VALUE,
        SENML_BASE_UNIT,
        SENML_BASE_TIME,
        SENML_BASE_NAME,
        SENML_BASE_VERSION,
        SENML_NAME,
        SENML_UNIT,
        SENML_VALUE,
        SENML_STRING_VALUE,
        SENML_BOOLEAN_VALUE,
        SENML_SUM,
        SENML_TIME,
        SENML_UPDATE_TIME,
        SENML_DATA_VALUE,
        SENML_LABEL_COUNT,
} SenmlLabel;

enum { SENML_CBOR_FIRST = -6 };

typedef enum SenmlType { SENML_NUMBER, SENML_TEXT, SENML_BOOLEAN, SENML_DATA } SenmlType;

SenmlType senml_label_type(SenmlLabel l);
const char *senml_label_name(SenmlLabel l); /* as in JSON: "bn" */
SenmlLabel senml_find_label(Bytes name);    /* SENML_LABEL_COUNT where RFC 8428 doesn't know it */

/* One record as it came. Only members whose bit is in present are set; texts are borrowed for the pack's lifetime. */
typedef struct SenmlRecord {
        unsigned present; /* 1 << SenmlLabel */
        double number[SENML_LABEL_COUNT];
        Bytes text[SENML_LABEL_COUNT];
        bool boolean;
} SenmlRecord;

static inline bool senml_has(const SenmlRecord *r, SenmlLabel l) {
        return r->present >> l & 1;
}

/* The base fields in force, and where samples go. */
typedef struct SenmlPack {
        Bytes base_name, base_unit;
        double base_time, base_value, base_sum;
        bool has_base_sum;
        unsigned version; /* 0 until a record says it */
        size_t records;
        int64_t now_us;
        SampleList *list;
} SenmlPack;

/* Marks the label as present; -EBADMSG where it is there already. */
int senml_mark(SenmlRecord *r, SenmlLabel l, Error *e) _must_check_;
/* A label that is not of RFC 8428: ignored, but refused where it ends with '_' (4.4). */
int senml_check_unknown(Bytes label, Error *e) _must_check_;
/* Adds the record's sample, if it has any, to the list (4.5, 4.6). -EBADMSG with the reason. */
int senml_resolve(SenmlPack *p, const SenmlRecord *r, Error *e) _must_check_;
/* -EBADMSG for a pack without records. */
int senml_finish(const SenmlPack *p, Error *e) _must_check_;

/* Handlers of decode_payload(). */
int senml_json_decode(Bytes payload, int64_t now_us, SampleList *list, Error *e) _must_check_;
int senml_cbor_decode(Bytes payload, int64_t now_us, SampleList *list, Error *e) _must_check_;
