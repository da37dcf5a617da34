/* The numbers of personal health devices: FLOAT-Type and SFLOAT-Type of IEEE 11073-20601 (Annex F.7), a decimal mantissa
 * and exponent. */
#pragma once

#include "base/macro.h"

typedef enum PhdKind {
        PHD_NUMBER,
        PHD_NAN,  /* "not a number": the device has none */
        PHD_NRES, /* "not at this resolution" */
        PHD_POSITIVE_INFINITY,
        PHD_NEGATIVE_INFINITY,
        PHD_RESERVED,
} PhdKind;

typedef struct PhdFloat {
        PhdKind kind;
        int32_t mantissa; /* of a number: mantissa * 10^exponent */
        int exponent;
} PhdFloat;

PhdFloat phd_float(uint32_t bits);  /* 8 bits exponent, 24 bits mantissa */
PhdFloat phd_sfloat(uint16_t bits); /* 4 bits exponent, 12 bits mantissa */
/* The double nearest to a number: 366 * 10^-1 is 36.6. NAN for every other kind: it is no value. */
double phd_value(PhdFloat f);
