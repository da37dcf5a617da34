/* What is of interest in BlueZ's messages. All of it is hostile: wrong types are -EBADMSG, what is unknown is skipped.
 * Texts and bytes are borrowed from the message. */
#pragma once

#include <systemd/sd-bus.h>

#include "base/macro.h"
#include "ingest/ble_address.h"

enum { BLE_ADVERTS_MAX = 8, BLE_TEXT_MAX = 64 };

typedef struct BleAdvert {
        bool is_service; /* service data, else manufacturer data */
        uint16_t code;
        Bytes data;
} BleAdvert;

typedef enum BleSaid { BLE_UNSAID, BLE_NO, BLE_YES } BleSaid;

/* Properties of org.bluez.Device1, Adapter1 and GattCharacteristic1, as far as they were in a message. */
typedef struct BleNews {
        BleSaid connected, resolved, paired, bonded, trusted; /* Device1 */
        BleSaid powered, discovering;                         /* Adapter1 */
        BleAddress address;
        bool has_address, is_random;
        bool has_rssi, lost_rssi;
        int16_t rssi;
        const char *name; /* Device1's Name or Alias; NULL */
        BleAdvert adverts[BLE_ADVERTS_MAX];
        size_t advert_count;
        uint16_t uuid; /* GattCharacteristic1 */
        bool can_notify, can_read, can_write;
        bool has_value;
        Bytes value;
} BleNews;

/* a{sv}, at which m stands. */
int ble_read_properties(sd_bus_message *m, BleNews *ret) _must_check_;
/* The body of PropertiesChanged: sa{sv}as. */
int ble_read_changed(sd_bus_message *m, BleNews *ret) _must_check_;

typedef enum BleInterface { BLE_OTHER_INTERFACE, BLE_ADAPTER, BLE_DEVICE, BLE_CHARACTERISTIC } BleInterface;

BleInterface ble_interface_parse(const char *name);

typedef void (*BleObjectFn)(void *userdata, const char *path, BleInterface interface, const BleNews *news);

/* The body of InterfacesAdded: oa{sa{sv}}. */
int ble_read_added(sd_bus_message *m, BleObjectFn fn, void *userdata) _must_check_;
/* The answer to GetManagedObjects: a{oa{sa{sv}}}. */
int ble_read_objects(sd_bus_message *m, BleObjectFn fn, void *userdata) _must_check_;
/* The body of InterfacesRemoved: oas. news is NULL. */
int ble_read_removed(sd_bus_message *m, BleObjectFn fn, void *userdata) _must_check_;
/* "ay": the answer to ReadValue. */
int ble_read_bytes(sd_bus_message *m, Bytes *ret) _must_check_;
