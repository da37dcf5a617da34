/* The characteristics that the gateway knows what to do with (Bluetooth Assigned Numbers, 3.8). */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

enum {
        BLE_DATE_TIME = 0x2a08,
        BLE_GLUCOSE = 0x2a18,
        BLE_CURRENT_TIME = 0x2a2b,
        BLE_RECORD_ACCESS = 0x2a52,
};

typedef struct BleProfile {
        uint16_t code;
        bool is_reading, wants_notify, wants_read;
        bool carries_time; /* its values may be stored ones, with the time of the device's clock */
        unsigned regular; /* after so many intervals its values are expected to go on; 0: they come when they come */
} BleProfile;

/* NULL: of no interest. */
const BleProfile *ble_profile_find(uint16_t code);
