/* Heart Rate Measurement, Heart Rate Service 1.0, 3.1. */
#include "decode/gatt_internal.h"

enum {
        RATE_16_BIT = 1 << 0,
        CONTACT_DETECTED = 1 << 1,
        CONTACT_SUPPORTED = 1 << 2,
        ENERGY_PRESENT = 1 << 3,
        INTERVALS_PRESENT = 1 << 4,
};

void gatt_heart_rate(Packet *p, unsigned flags) {
        if (flags & CONTACT_SUPPORTED && !(flags & CONTACT_DETECTED))
                p->flags |= FLAG_SENSOR_OFF;
        (void) packet_add_value(p, "hr", "/min", packet_le(p, flags & RATE_16_BIT ? 2 : 1));
        if (flags & ENERGY_PRESENT)
                (void) packet_bytes(p, 2); /* kilojoules since some reset: of athletes, not of patients */
        /* As many as there are, the oldest first. The flag promises one; sensors that had no beat to tell of send none. */
        while (flags & INTERVALS_PRESENT && p->left.len > 0)
                (void) packet_add_value(p, "rr_interval", "ms", packet_le(p, 2) * 1000 / 1024.0);
}
