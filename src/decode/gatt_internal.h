/* The handlers of gatt_decode(): one takes its characteristic's fields from a packet that stands behind the flags. */
#pragma once

#include "decode/packet.h"
#include "decode/phd_float.h"

void gatt_heart_rate(Packet *p, unsigned flags);
void gatt_temperature(Packet *p, unsigned flags);
void gatt_intermediate_temperature(Packet *p, unsigned flags);
void gatt_oximeter_spot_check(Packet *p, unsigned flags);
void gatt_oximeter_continuous(Packet *p, unsigned flags);
void gatt_blood_pressure(Packet *p, unsigned flags);
void gatt_cuff_pressure(Packet *p, unsigned flags);
void gatt_glucose(Packet *p, unsigned flags);
void gatt_weight(Packet *p, unsigned flags);

static inline PhdFloat gatt_take_sfloat(Packet *p) {
        return phd_sfloat((uint16_t) packet_le(p, 2));
}

static inline PhdFloat gatt_take_float(Packet *p) {
        return phd_float(packet_le(p, 4));
}

/* The ReadingFlags of a status field: row i is what its bit i means. */
static inline uint16_t gatt_status_flags(uint32_t status, const uint16_t *meaning, size_t bits) {
        unsigned flags = 0;

        for (size_t i = 0; i < bits; i++)
                if (status >> i & 1)
                        flags |= meaning[i];
        return (uint16_t) flags;
}
