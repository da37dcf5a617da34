/* Bluetooth device addresses and BlueZ's object paths. Pure. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

enum { BLE_ADDRESS_SIZE = 6, BLE_ADDRESS_TEXT = 18 /* with the NUL */, BLE_IRK_SIZE = 16 };

typedef struct BleAddress {
        uint8_t bytes[BLE_ADDRESS_SIZE]; /* as written: most significant first */
} BleAddress;

/* "C0:01:02:03:04:05"; -EINVAL for anything else. */
int ble_address_parse(const char *text, BleAddress *ret) _must_check_;
void ble_address_format(const BleAddress *a, char ret[static BLE_ADDRESS_TEXT]);

static inline bool ble_address_equal(const BleAddress *a, const BleAddress *b) {
        return memcmp(a->bytes, b->bytes, BLE_ADDRESS_SIZE) == 0;
}

/* An identity resolving key: 32 hexadecimal digits, most significant byte first; -EINVAL for anything else. */
int ble_irk_parse(const char *text, uint8_t ret[static BLE_IRK_SIZE]) _must_check_;
/* Whether whoever holds the key made up this resolvable private address (Core Specification, Vol 6, Part B, 1.3.2.3). */
bool ble_irk_resolves(const uint8_t irk[static BLE_IRK_SIZE], const BleAddress *a);

/* "0000180d-0000-1000-8000-00805f9b34fb" -> 0x180d; 0 for a UUID that isn't one of Bluetooth's own 16 bits. */
uint16_t ble_uuid_parse(const char *text);

typedef enum BlePathKind {
        BLE_PATH_OTHER, /* another adapter's, a service, a descriptor */
        BLE_PATH_ADAPTER,
        BLE_PATH_DEVICE,
        BLE_PATH_CHARACTERISTIC,
} BlePathKind;

/* What an object's path tells. device: the address that the device had when BlueZ made the object; a resolved one keeps
 * its path. service, handle: of a characteristic. */
typedef struct BlePath {
        BlePathKind kind;
        BleAddress device;
        uint16_t service, handle;
} BlePath;

/* adapter: the path of ours, "/org/bluez/hci0". */
BlePath ble_path_parse(const char *adapter, const char *path);

enum { BLE_PATH_MAX = 128 };

void ble_device_path(const char *adapter, const BleAddress *device, char ret[static BLE_PATH_MAX]);
void ble_characteristic_path(const char *adapter, const BlePath *p, char ret[static BLE_PATH_MAX]);
