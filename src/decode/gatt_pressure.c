/* Blood Pressure Measurement and Intermediate Cuff Pressure, Blood Pressure Service 1.1, 3.1 and 3.3. */
#include "decode/gatt_internal.h"
#include "decode/gatt_time.h"

enum {
        KILOPASCAL = 1 << 0,
        TIME_PRESENT = 1 << 1,
        PULSE_PRESENT = 1 << 2,
        USER_PRESENT = 1 << 3,
        STATUS_PRESENT = 1 << 4,
};

enum { PULSE_RANGE_SHIFT = 3, PULSE_RANGE_MASK = 3, PULSE_ABOVE = 1, PULSE_BELOW = 2 };

static const uint16_t status_meaning[] = {
        [0] = FLAG_QUESTIONABLE, /* body moved */
        [1] = FLAG_QUESTIONABLE, /* cuff too loose */
        [2] = FLAG_QUESTIONABLE, /* irregular pulse */
        [5] = FLAG_QUESTIONABLE, /* improper position */
};

/* The pulse's range is said of the pulse alone. */
static void take_status(Packet *p, Sample *pulse) {
        uint32_t status = packet_le(p, 2), range = status >> PULSE_RANGE_SHIFT & PULSE_RANGE_MASK;

        p->flags |= gatt_status_flags(status, status_meaning, ELEMENTS(status_meaning));
        if (pulse && (range == PULSE_ABOVE || range == PULSE_BELOW))
                pulse->flags |= FLAG_QUESTIONABLE;
}

static void take_rest(Packet *p, unsigned flags) {
        Sample *pulse = NULL;

        if (flags & TIME_PRESENT)
                gatt_take_time(p);
        if (flags & PULSE_PRESENT)
                pulse = packet_add_value(p, "pulse", "/min", phd_value(gatt_take_sfloat(p)));
        if (flags & USER_PRESENT)
                (void) packet_u8(p); /* of the device's own users */
        if (flags & STATUS_PRESENT)
                take_status(p, pulse);
}

static const char *unit_of(unsigned flags) {
        return flags & KILOPASCAL ? "kPa" : "mm[Hg]";
}

void gatt_blood_pressure(Packet *p, unsigned flags) {
        static const char *const vitals[] = { "sbp", "dbp", "map" };

        for (size_t i = 0; i < ELEMENTS(vitals); i++)
                (void) packet_add_value(p, vitals[i], unit_of(flags), phd_value(gatt_take_sfloat(p)));
        take_rest(p, flags);
}

/* What is in the cuff while it is pumped up or let out: no pressure of the patient's. */
void gatt_cuff_pressure(Packet *p, unsigned flags) {
        p->flags |= FLAG_PROVISIONAL;
        (void) packet_add_value(p, "cuff_pressure", unit_of(flags), phd_value(gatt_take_sfloat(p)));
        (void) packet_bytes(p, 4); /* the places of the other two, not used */
        take_rest(p, flags);
}
