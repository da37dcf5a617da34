/* Weight Measurement, Weight Scale Service 1.0, 3.2. */
#include <math.h>

#include "decode/gatt_internal.h"
#include "decode/gatt_time.h"

enum { IMPERIAL = 1 << 0, TIME_PRESENT = 1 << 1, USER_PRESENT = 1 << 2, INDEX_PRESENT = 1 << 3 };
enum { UNSUCCESSFUL = 0xffff };

void gatt_weight(Packet *p, unsigned flags) {
        uint32_t raw = packet_le(p, 2);
        /* steps of 0.005 kg or 0.01 lb */
        double weight = raw == UNSUCCESSFUL ? (double) NAN : raw / (flags & IMPERIAL ? 100.0 : 200.0);

        (void) packet_add_value(p, "weight", flags & IMPERIAL ? "[lb_av]" : "kg", weight);
        if (flags & TIME_PRESENT)
                gatt_take_time(p);
        if (flags & USER_PRESENT)
                (void) packet_u8(p); /* of the device's own users */
        if (flags & INDEX_PRESENT) {
                (void) packet_add_value(p, "bmi", "kg/m2", packet_le(p, 2) / 10.0);
                /* steps of 0.001 m or 0.1 inch */
                (void) packet_add_value(p, "height", flags & IMPERIAL ? "[in_i]" : "m",
                                packet_le(p, 2) / (flags & IMPERIAL ? 10.0 : 1000.0));
        }
}
