/* Values of the Bluetooth SIG's characteristics -> samples. Pure. docs/ble-formats.md says what becomes of each field.
 *
 * What a device says of its own measurement becomes flags (ReadingFlag); a special value (NaN, NRes, infinity) becomes a
 * sample without a value. Device times are taken as if they were UTC. */
#pragma once

#include <stdbool.h>

#include "model/sample.h"

enum { GATT_VALUE_MAX = 512 /* bytes of any attribute (Core Specification, Vol 3, Part F, 3.2.9) */ };

/* characteristic: its 16-bit UUID, such as 0x2a37. list is cleared first. -EBADMSG with the reason where it is not one that
 * is known, where the value is shorter than its flags say, or longer though no flag announces an unknown field. */
int gatt_decode(uint16_t characteristic, Bytes value, SampleList *list, Error *e) _must_check_;

/* The characteristics that are known, for those who list them: false beyond the last. */
bool gatt_at(size_t i, uint16_t *ret_characteristic, const char **ret_name);
