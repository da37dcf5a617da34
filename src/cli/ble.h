/* `wardstone ble`: an operator's word to BlueZ. It speaks to bluetoothd itself; the daemon need not run. */
#pragma once

#include <systemd/sd-bus.h>

#include "cli/cli.h"
#include "ingest/ble_message.h"

typedef struct BleValues {
        const char *adapter; /* "hci0" */
        int64_t for_us;      /* how long to listen */
        int64_t timeout_us;
        bool yes;
} BleValues;

enum { BLE_KNOWN_MAX = 512, BLE_NAME_TEXT_MAX = 64 };

/* One device that BlueZ has an object for. */
typedef struct BleKnown {
        BleAddress address;
        char path[BLE_PATH_MAX], name[BLE_NAME_TEXT_MAX];
        bool is_random, connected, paired, bonded, trusted, has_rssi;
        int16_t rssi;
} BleKnown;

typedef struct BleBus {
        sd_bus *bus;
        sd_event *event;
        char adapter[48]; /* its object's path */
        int64_t timeout_us;
        bool is_over; /* ble_bus_run() ends */
        BleKnown *known;
        size_t count;
} BleBus;

int ble_bus_connect(const BleValues *v, BleBus *ret, Error *e) _must_check_;
void ble_bus_done(BleBus *b);
/* Asks BlueZ for all objects. -ENODEV where the adapter is not there. */
int ble_bus_load(BleBus *b, Error *e) _must_check_;
/* Hears adverts for so long, or until the device (may be NULL) has been heard. */
int ble_bus_listen(BleBus *b, int64_t us, const BleAddress *until, Error *e) _must_check_;
/* Hears the bus until is_over is set or the time is up. */
int ble_bus_run(BleBus *b, int64_t us) _must_check_;
BleKnown *ble_bus_find(BleBus *b, const BleAddress *a);
/* An operand; CLI_USAGE where it is no address. */
int ble_address_operand(const char *text, BleAddress *ret, Error *e) _must_check_;
/* What BlueZ answered, for people. */
int ble_bus_error(const sd_bus_error *error, int r, const char *what, Error *e);
int ble_bus_trust(BleBus *b, const BleKnown *d, Error *e) _must_check_;
int ble_bus_remove(BleBus *b, const BleKnown *d, Error *e) _must_check_;

/* In ble_pair.c. */
int ble_pair(const Invocation *in, const BleValues *v, Error *e);
