#include "ingest/ble_profile.h"

static const BleProfile table[] = {
        /* The clock first: what is indicated as soon as it is subscribed to may carry its time. */
        { .code = BLE_CURRENT_TIME }, { .code = BLE_DATE_TIME },
        { 0x2a37, .is_reading = true, .wants_notify = true, .regular = 3 },         /* heart rate */
        { 0x2a5f, .is_reading = true, .wants_notify = true, .regular = 3 },         /* oximeter */
        { 0x2a5e, .is_reading = true, .wants_notify = true, .carries_time = true }, /* spot check */
        { 0x2a1c, .is_reading = true, .wants_notify = true, .regular = 8,
                        .carries_time = true },                                     /* temperature */
        { 0x2a1e, .is_reading = true, .wants_notify = true },                       /* while measuring */
        { 0x2a35, .is_reading = true, .wants_notify = true, .carries_time = true }, /* blood pressure */
        { 0x2a36, .is_reading = true, .wants_notify = true },                       /* cuff */
        { 0x2a9d, .is_reading = true, .wants_notify = true, .carries_time = true }, /* weight */
        { BLE_GLUCOSE, .is_reading = true, .wants_notify = true, .carries_time = true },
        { BLE_RECORD_ACCESS, .wants_notify = true },
        { 0x2a19, .is_reading = true, .wants_notify = true, .wants_read = true }, /* battery */
};

const BleProfile *ble_profile_find(uint16_t code) {
        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (table[i].code == code)
                        return &table[i];
        return NULL;
}
