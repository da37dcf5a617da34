/* Glucose Measurement, Glucose Service 1.0, 3.1. A meter's records are all stored ones: what has no time is of unknown age. */
#include "base/clock.h"
#include "decode/gatt_internal.h"
#include "decode/gatt_time.h"

enum {
        OFFSET_PRESENT = 1 << 0,
        CONCENTRATION_PRESENT = 1 << 1,
        MOL_PER_LITRE = 1 << 2,
        STATUS_PRESENT = 1 << 3,
};

enum { OFFSET_OVERRUN = INT16_MAX, OFFSET_UNDERRUN = INT16_MIN };
enum { TYPE_CONTROL_SOLUTION = 10, LOCATION_CONTROL_SOLUTION = 4 };

static const uint16_t status_meaning[] = {
        [1] = FLAG_INVALID, /* sensor malfunction */
        [2] = FLAG_INVALID, /* sample too small */
        [3] = FLAG_INVALID, /* strip not inserted as it should be */
        [4] = FLAG_INVALID, /* wrong strip */
        [5] = FLAG_QUESTIONABLE, /* above what the meter measures: the value is a bound, and what an alert is for */
        [6] = FLAG_QUESTIONABLE, /* below it */
        [7] = FLAG_INVALID,      /* too warm to measure */
        [8] = FLAG_INVALID,      /* too cold to measure */
        [9] = FLAG_INVALID,      /* strip taken out too soon */
        [10] = FLAG_INVALID,     /* general fault */
};

enum { TIME_FAULT = 1 << 11 };

static void forget_time(Packet *p) {
        p->time_us = TIME_NONE;
        p->flags |= FLAG_TIME_SKEWED | FLAG_RETAINED;
}

/* When it was measured is the base time and the offset by which the user has moved the clock since. */
static void take_offset(Packet *p) {
        int32_t minutes = packet_le_signed(p, 2);

        if (minutes == OFFSET_OVERRUN || minutes == OFFSET_UNDERRUN)
                forget_time(p);
        else if (p->time_us != TIME_NONE)
                p->time_us += INT64_C(60) * minutes * USEC_PER_SEC;
}

/* kg/L and mol/L are a hundred thousand mg/dL and a thousand mmol/L, which a decimal exponent says exactly. */
static void take_concentration(Packet *p, unsigned flags) {
        const char *unit = flags & MOL_PER_LITRE ? "mmol/L" : "mg/dL";
        PhdFloat f = gatt_take_sfloat(p);
        unsigned where = packet_u8(p), type = where & 0xf, location = where >> 4;

        f.exponent += flags & MOL_PER_LITRE ? 3 : 5;
        (void) packet_add_value(p, "glucose", unit, phd_value(f));
        if (type == TYPE_CONTROL_SOLUTION || location == LOCATION_CONTROL_SOLUTION)
                p->flags |= FLAG_TEST;
}

static void take_status(Packet *p) {
        uint32_t status = packet_le(p, 2);

        p->flags |= gatt_status_flags(status, status_meaning, ELEMENTS(status_meaning));
        if (status & TIME_FAULT)
                forget_time(p);
}

void gatt_glucose(Packet *p, unsigned flags) {
        p->seq = packet_le(p, 2);
        p->has_seq = true;
        gatt_take_time(p);
        if (p->time_us == TIME_NONE)
                p->flags |= FLAG_RETAINED;
        if (flags & OFFSET_PRESENT)
                take_offset(p);
        if (flags & CONCENTRATION_PRESENT)
                take_concentration(p, flags);
        else
                (void) packet_add(p, "glucose", ""); /* its number has come, so it is no gap */
        if (flags & STATUS_PRESENT)
                take_status(p);
}
