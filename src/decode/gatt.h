/* Values of the Bluetooth SIG's characteristics -> samples. Pure. */
#pragma once

#include "model/sample.h"

/* characteristic: its 16-bit UUID, such as 0x2a37. -EBADMSG with the reason where it is not one that is known, or where
 * the value is too short for what its flags say. */
int gatt_decode(uint16_t characteristic, Bytes value, SampleList *list, Error *e) _must_check_;
