/* Temperature Measurement and Intermediate Temperature, Health Thermometer Service 1.0, 3.1 and 3.3. */
#include "decode/gatt_internal.h"
#include "decode/gatt_time.h"

enum { FAHRENHEIT = 1 << 0, TIME_PRESENT = 1 << 1, TYPE_PRESENT = 1 << 2 };

void gatt_temperature(Packet *p, unsigned flags) {
        const char *unit = flags & FAHRENHEIT ? "[degF]" : "Cel";

        (void) packet_add_value(p, "temp", unit, phd_value(gatt_take_float(p)));
        if (flags & TIME_PRESENT)
                gatt_take_time(p);
        if (flags & TYPE_PRESENT)
                (void) packet_u8(p); /* where on the body */
}

/* What the display shows while the thermometer still warms up. */
void gatt_intermediate_temperature(Packet *p, unsigned flags) {
        p->flags |= FLAG_PROVISIONAL;
        gatt_temperature(p, flags);
}
