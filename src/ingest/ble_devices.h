/* What devices.yaml says of Bluetooth devices: the `ble:` of each. */
#pragma once

#include "decode/advert.h"
#include "ingest/ble_address.h"
#include "ingest/source.h"

typedef enum BleMode {
        BLE_MODE_CONNECT, /* connected for as long as it is there */
        BLE_MODE_SPOT,    /* connected now and then, in turn with others */
        BLE_MODE_ADVERT,  /* never connected: its adverts are its readings */
} BleMode;

typedef enum BleAddressType { BLE_ADDRESS_ANY, BLE_ADDRESS_PUBLIC, BLE_ADDRESS_RANDOM } BleAddressType;

typedef enum BleBond {
        BLE_BOND_OPTIONAL, /* where the device asks for it */
        BLE_BOND_REQUIRED, /* without one it is not connected */
} BleBond;

/* Plain data: equal where all bytes are. */
typedef struct BleDeviceConfig {
        char id[NAME_MAX_LENGTH];
        char source[NAME_MAX_LENGTH]; /* which source it is for; "": each */
        BleAddress address;
        uint8_t irk[BLE_IRK_SIZE];
        AdvertSecret secret;
        BleMode mode;
        BleAddressType address_type;
        BleBond bond;
        bool has_address, has_irk, has_secret, set_time;
} BleDeviceConfig;

enum { BLE_DEVICES_MAX = 1024 };

struct SourceDevices {
        BleDeviceConfig *items;
        size_t count;
};

/* The root of devices.yaml. Opens files with keys. *ret is NULL where no device has a `ble:`. */
int ble_devices_read(const YamlNode *root, SourceDevices **ret, Error *e) _must_check_;
SourceDevices *ble_devices_free(SourceDevices *d);
DEFINE_CLEANUP(SourceDevices *, ble_devices_free);
