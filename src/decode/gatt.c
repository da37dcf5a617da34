#include "decode/gatt.h"

#include <errno.h>
#include <math.h>

#include "decode/gatt_internal.h"

enum { NO_FLAGS = 0 };

/* Battery Level (GATT Specification Supplement): percent, all above 100 is reserved. */
static void battery_level(Packet *p, _unused_ unsigned flags) {
        unsigned level = packet_u8(p);

        (void) packet_add_value(p, "battery", "%", level <= 100 ? level : (double) NAN);
}

static const struct Characteristic {
        uint16_t uuid;
        const char *name;
        unsigned flags; /* bits of its first byte that are defined; the others are of later revisions */
        void (*decode)(Packet *p, unsigned flags);
} characteristics[] = {
        { 0x2a18, "Glucose Measurement", 0x1f, gatt_glucose },
        { 0x2a19, "Battery Level", NO_FLAGS, battery_level },
        { 0x2a1c, "Temperature Measurement", 0x07, gatt_temperature },
        { 0x2a1e, "Intermediate Temperature", 0x07, gatt_intermediate_temperature },
        { 0x2a35, "Blood Pressure Measurement", 0x1f, gatt_blood_pressure },
        { 0x2a36, "Intermediate Cuff Pressure", 0x1f, gatt_cuff_pressure },
        { 0x2a37, "Heart Rate Measurement", 0x1f, gatt_heart_rate },
        { 0x2a5e, "PLX Spot-Check Measurement", 0x1f, gatt_oximeter_spot_check },
        { 0x2a5f, "PLX Continuous Measurement", 0x1f, gatt_oximeter_continuous },
        { 0x2a9d, "Weight Measurement", 0x0f, gatt_weight },
};

static const struct Characteristic *find(uint16_t uuid) {
        for (size_t i = 0; i < ELEMENTS(characteristics); i++)
                if (characteristics[i].uuid == uuid)
                        return characteristics + i;
        return NULL;
}

int gatt_decode(uint16_t characteristic, Bytes value, SampleList *list, Error *e) {
        const struct Characteristic *c = find(characteristic);
        Packet p = packet_open(value, list);

        if (!c)
                return error_set(e, -EBADMSG, "no reading is known of characteristic %04X", characteristic);
        if (value.len > GATT_VALUE_MAX)
                return error_set(e, -EBADMSG, "%s: %zu bytes: expected at most %d", c->name, value.len,
                                GATT_VALUE_MAX);
        unsigned flags = c->flags == NO_FLAGS ? 0 : packet_u8(&p);
        c->decode(&p, flags);
        /* An undefined flag says that a later revision has added a field, which comes last. */
        int r = packet_close(&p, (flags & ~c->flags) != 0, e);
        return r < 0 ? error_prefix(e, r, "%s", c->name) : 0;
}

bool gatt_at(size_t i, uint16_t *ret_characteristic, const char **ret_name) {
        if (i >= ELEMENTS(characteristics))
                return false;
        *ret_characteristic = characteristics[i].uuid;
        *ret_name = characteristics[i].name;
        return true;
}
