#include "cli/ble.h"

#include <errno.h>

#include "base/clock.h"
#include "cli/table.h"

static int compare(const void *a, const void *b) {
        const BleKnown *x = a, *y = b;

        if (x->has_rssi != y->has_rssi)
                return x->has_rssi ? -1 : 1;
        if (x->rssi != y->rssi)
                return x->rssi > y->rssi ? -1 : 1;
        return memcmp(x->address.bytes, y->address.bytes, BLE_ADDRESS_SIZE);
}

static json_t *row_of(const BleKnown *d) {
        char address[BLE_ADDRESS_TEXT];

        ble_address_format(&d->address, address);
        json_t *row = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "address", address, "type",
                        d->is_random ? "random" : "public", "name", d->name, "bond",
                        d->bonded   ? "bonded"
                        : d->paired ? "paired"
                                    : "",
                        "trust", d->trusted ? "trusted" : "", "link", d->connected ? "connected" : "");
        if (row && d->has_rssi)
                (void) json_object_set_new(row, "signal", json_integer(d->rssi));
        return row;
}

static int print(BleBus *b, bool (*is_shown)(const BleKnown *d), Error *e) {
        static const Column columns[] = {
                { "ADDRESS", "address" },
                { "TYPE", "type" },
                { "SIGNAL", "signal", COLUMN_NUMBER },
                { "BOND", "bond" },
                { "TRUST", "trust" },
                { "LINK", "link" },
                { "NAME", "name" },
        };
        _cleanup_(table_freep) Table *table = NULL;

        qsort(b->known, b->count, sizeof *b->known, compare);
        int r = table_new(stdout, columns, ELEMENTS(columns), &table);
        for (size_t i = 0; r == 0 && i < b->count; i++) {
                if (!is_shown(&b->known[i]))
                        continue;
                json_t *row = row_of(&b->known[i]);
                r = row ? table_add(table, row) : -ENOMEM;
                json_decref(row);
        }
        if (r < 0)
                return error_set(e, r, "%s", strerror(-r));
        table_flush(table);
        return 0;
}

static bool is_heard(const BleKnown *d) {
        return d->has_rssi;
}

static bool is_kept(const BleKnown *d) {
        return d->paired || d->bonded || d->trusted || d->connected;
}

static int scan(const Invocation *in, const BleValues *v, Error *e) {
        _cleanup_(ble_bus_done) BleBus b = { 0 };

        int r = ble_bus_connect(v, &b, e);
        if (r == 0)
                r = ble_bus_load(&b, e);
        for (size_t i = 0; i < b.count; i++)
                b.known[i].has_rssi = false; /* heard by somebody else, who knows when */
        if (r == 0)
                r = ble_bus_listen(&b, v->for_us, NULL, e);
        return r == 0 ? print(&b, is_heard, e) : r;
}

static int list(const Invocation *in, const BleValues *v, Error *e) {
        _cleanup_(ble_bus_done) BleBus b = { 0 };

        int r = ble_bus_connect(v, &b, e);
        if (r == 0)
                r = ble_bus_load(&b, e);
        return r == 0 ? print(&b, is_kept, e) : r;
}

typedef int (*DeviceFn)(BleBus *b, const BleKnown *d, Error *e);

static int with_device(const Invocation *in, const BleValues *v, DeviceFn fn, Error *e) {
        _cleanup_(ble_bus_done) BleBus b = { 0 };
        BleAddress address;

        int r = ble_address_operand(in->operands[0], &address, e);
        if (r == 0)
                r = ble_bus_connect(v, &b, e);
        if (r == 0)
                r = ble_bus_load(&b, e);
        if (r != 0)
                return r;
        BleKnown *d = ble_bus_find(&b, &address);
        return d ? fn(&b, d, e)
                 : error_set(e, -ENOENT, "bluetoothd knows no device %s; see wardstone ble list",
                                   in->operands[0]);
}

static int trust(const Invocation *in, const BleValues *v, Error *e) {
        return with_device(in, v, ble_bus_trust, e);
}

static int forget(const Invocation *in, const BleValues *v, Error *e) {
        return with_device(in, v, ble_bus_remove, e);
}

static const struct {
        const char *name;
        int operands;
        int (*run)(const Invocation *in, const BleValues *v, Error *e);
} actions[] = {
        { "scan", 0, scan },
        { "list", 0, list },
        { "pair", 1, ble_pair },
        { "trust", 1, trust },
        { "forget", 1, forget },
};

static int run_ble(const Invocation *in, Error *e) {
        Invocation rest = *in;

        rest.operands++;
        rest.operand_count--;
        for (size_t i = 0; i < ELEMENTS(actions); i++) {
                if (!streq(in->operands[0], actions[i].name))
                        continue;
                if (rest.operand_count != actions[i].operands)
                        return error_set(e, CLI_USAGE, "%s: expected %s", actions[i].name,
                                        actions[i].operands ? "an address" : "no operand");
                return actions[i].run(&rest, in->values, e);
        }
        return error_set(e, CLI_USAGE, "expected scan, list, pair, trust or forget, got \"%.64s\"",
                        in->operands[0]);
}

static const Option options[] = {
        { "adapter", 'a', OPTION_TEXT, offsetof(BleValues, adapter), .argument = "NAME",
                        .help = "of the gateway's adapter (default hci0)" },
        { "for", 0, OPTION_DURATION, offsetof(BleValues, for_us), .argument = "TIME",
                        .help = "scan: how long to listen (default 10s)" },
        { "timeout", 0, OPTION_DURATION, offsetof(BleValues, timeout_us), .argument = "TIME",
                        .help = "wait for the device and for bluetoothd no longer (default 60s)" },
        { "yes", 'y', OPTION_FLAG, offsetof(BleValues, yes),
                        .help = "pair: also a device that has nothing to compare or to enter" },
        { NULL },
};

static const BleValues defaults = {
        .adapter = "hci0", .for_us = 10 * USEC_PER_SEC, .timeout_us = 60 * USEC_PER_SEC
};

const Command command_ble = {
        .name = "ble",
        .operands = "scan | list | pair ADDRESS | trust ADDRESS | forget ADDRESS",
        .summary = "Bluetooth sensors: find, pair, forget",
        .details = "scan    who is heard, the nearest first\n"
                   "list    whom bluetoothd keeps: bonded, trusted, connected\n"
                   "pair    make a bond, with the passkey that is asked for or to be compared\n"
                   "trust   let a device use services without asking\n"
                   "forget  take bond and trust away",
        .options = options,
        .values_size = sizeof(BleValues),
        .values = &defaults,
        .operands_min = 1,
        .operands_max = 2,
        .run = run_ble,
};
