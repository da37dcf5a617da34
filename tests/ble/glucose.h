/* A glucose meter's memory behind the Record Access Control Point (Glucose Service 1.0.1, 3.3): what is stored, which of
 * it a central asks for, and the answers. Pure: whoever serves the characteristic sends what comes out.
 *
 * Record i (from 0) has sequence number i + 1, the concentration 90 + i % 60 mg/dL, and was taken a minute after the one
 * before it. */
#pragma once

#include "ble/profile.h"

enum { GLUCOSE_RECORDS_MAX = 500 };

typedef struct Glucose {
        int64_t times_s[GLUCOSE_RECORDS_MAX]; /* by the device's clock when it was taken */
        size_t n_records;
        size_t next, end; /* what is left of the report that is being sent; next == end: none is */
} Glucose;

/* One more record. -1: the memory is full. */
int glucose_add(Glucose *g, int64_t clock_s) _must_check_;

typedef enum GlucoseAnswer {
        GLUCOSE_RESPONSE, /* ret is to be indicated */
        GLUCOSE_REPORT,   /* glucose_take() until it gives the response */
        GLUCOSE_BUSY,     /* ATT error 0xfe: a procedure is in progress */
} GlucoseAnswer;

/* A write to the control point. ret holds PROFILE_VALUE_MAX bytes. */
GlucoseAnswer glucose_request(Glucose *g, Bytes request, uint8_t *ret, size_t *ret_len);

/* The next measurement (true), or the response that ends the report (false). */
bool glucose_take(Glucose *g, uint8_t *ret, size_t *ret_len);

/* The link was lost: a report ends where it is. */
static inline void glucose_reset(Glucose *g) {
        g->next = g->end = 0;
}
