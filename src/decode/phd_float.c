#include "decode/phd_float.h"

#include <math.h>
#include <stdio.h>

enum { POWERS = 23 }; /* of ten that a double holds exactly */

/* Special values have the exponent 0 and mantissas around the largest: limit - 1 is the largest positive one. */
static PhdFloat make(int32_t mantissa, int exponent, int32_t limit) {
        PhdFloat f = { .kind = PHD_NUMBER, .mantissa = mantissa, .exponent = exponent };

        if (exponent != 0)
                return f;
        if (mantissa == limit - 1)
                f.kind = PHD_NAN;
        else if (mantissa == limit - 2)
                f.kind = PHD_POSITIVE_INFINITY;
        else if (mantissa == -limit)
                f.kind = PHD_NRES;
        else if (mantissa == -limit + 1)
                f.kind = PHD_RESERVED;
        else if (mantissa == -limit + 2)
                f.kind = PHD_NEGATIVE_INFINITY;
        return f;
}

static int32_t sign_extend(uint32_t bits, unsigned width) {
        uint32_t sign = UINT32_C(1) << (width - 1);

        return (int32_t) (bits & (sign - 1)) - (int32_t) (bits & sign);
}

PhdFloat phd_float(uint32_t bits) {
        return make(sign_extend(bits & 0xffffff, 24), (int) sign_extend(bits >> 24, 8), 0x800000);
}

PhdFloat phd_sfloat(uint16_t bits) {
        return make(sign_extend(bits & 0xfffU, 12), (int) sign_extend(bits >> 12, 4), 0x800);
}

double phd_value(PhdFloat f) {
        static const double powers[POWERS] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
        char text[32];

        if (f.kind != PHD_NUMBER)
                return (double) NAN;
        /* One operation on two exact numbers rounds once, as a decimal literal does. */
        if (f.exponent >= 0 && f.exponent < POWERS)
                return f.mantissa * powers[f.exponent];
        if (f.exponent < 0 && -f.exponent < POWERS)
                return f.mantissa / powers[-f.exponent];
        (void) snprintf(text, sizeof text, "%de%d", f.mantissa, f.exponent);
        return strtod(text, NULL);
}
