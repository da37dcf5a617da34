/* Clocks of Bluetooth devices: Date Time (0x2A08) and Current Time (0x2A2B), to measure how wrong one is and to set it.
 * They know no zone: a time is taken as if it were UTC. */
#pragma once

#include "base/clock.h"
#include "decode/packet.h"

enum { GATT_DATE_TIME = 0x2a08, GATT_CURRENT_TIME = 0x2a2b };
enum { GATT_CLOCK_MAX = 10 /* bytes of the longer one */ };

/* The time that a clock showed when it was read. -EBADMSG for another characteristic, another length, or a time that is
 * not known to the device (year, month or day zero) or impossible. */
int gatt_clock_decode(uint16_t characteristic, Bytes value, int64_t *ret_wall_us, Error *e) _must_check_;

/* What to write to set a clock; its length, or -ERANGE for a year before 1583 or after 9999, which can't be written. The
 * adjust reason of Current Time is "external reference time update". */
int gatt_clock_encode(
                uint16_t characteristic, int64_t wall_us, uint8_t ret[static GATT_CLOCK_MAX]) _must_check_;

/* The time stamp field of a measurement: becomes the time of all samples. One that the device does not know leaves them
 * without a time; one that is impossible does too, and marks them with FLAG_TIME_SKEWED. */
void gatt_take_time(Packet *p);
