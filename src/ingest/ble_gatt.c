#include <errno.h>
#include <stdio.h>

#include "base/backoff.h"
#include "ingest/ble.h"
#include "ingest/ble_profile.h"

enum { SUSPICIONS = 3 };

BleCharacteristic *ble_gatt_at(BleDevice *d, uint16_t handle) {
        for (size_t i = 0; i < d->characteristic_count; i++)
                if (d->characteristics[i].path.handle == handle)
                        return &d->characteristics[i];
        return NULL;
}

BleCharacteristic *ble_gatt_find(BleDevice *d, uint16_t code) {
        for (size_t i = 0; i < d->characteristic_count; i++)
                if (d->characteristics[i].code == code)
                        return &d->characteristics[i];
        return NULL;
}

void ble_gatt_add(BleDevice *d, const BlePath *p, const BleNews *n) {
        BleCharacteristic *c = ble_gatt_at(d, p->handle);
        char address[BLE_ADDRESS_TEXT];

        if (!ble_profile_find(n->uuid))
                return;
        if (!c && d->characteristic_count < BLE_CHARACTERISTICS_MAX) {
                c = &d->characteristics[d->characteristic_count++];
                *c = (BleCharacteristic){ .path = *p };
        }
        if (!c || c->code == n->uuid)
                return;
        c->code = n->uuid;
        ble_address_format(d->config.has_address ? &d->config.address : &d->path.device, address);
        (void) snprintf(c->origin, sizeof c->origin, "%s/%04X", address, c->code);
        c->can_notify = n->can_notify;
        c->can_read = n->can_read;
        c->can_write = n->can_write;
        c->subscribed = c->failed = false;
        ble_device_event(d, BLE_CHANGED);
}

static size_t count_subscribed(const BleDevice *d) {
        size_t n = 0;

        for (size_t i = 0; i < d->characteristic_count; i++)
                n += d->characteristics[i].subscribed;
        return n;
}

/* When a link is lost BlueZ takes these away before it says so. */
void ble_gatt_remove(BleDevice *d, const BlePath *p) {
        BleCharacteristic *c = ble_gatt_at(d, p->handle);

        if (!c)
                return;
        size_t i = (size_t) (c - d->characteristics);
        memmove(c, c + 1, (--d->characteristic_count - i) * sizeof *c);
        if (d->step > i)
                d->step--;
        if (d->state == BLE_STREAMING && count_subscribed(d) == 0)
                ble_device_event(d, BLE_LOST);
}

void ble_gatt_lost(BleDevice *d) {
        for (size_t i = 0; i < d->characteristic_count; i++)
                d->characteristics[i].subscribed = d->characteristics[i].failed =
                                d->characteristics[i].reading = false;
        d->again_us = INT64_MAX;
        d->again = 0;
        d->anew = false;
}

/* --- calls --- */

BleFault ble_gatt_fault(BleDevice *d, sd_bus_message *answer, const char *signature) {
        BleFault fault = ble_fault(d->source, answer, signature);

        if (fault != BLE_FAULT_LINK)
                return fault;
        return !d->bonded && ++d->suspected >= SUSPICIONS ? BLE_FAULT_BOND : BLE_FAULT_GONE;
}

static int call(BleDevice *d, const BleCharacteristic *c, const char *name, sd_bus_slot **slot,
                sd_bus_message_handler_t handler) {
        char path[BLE_PATH_MAX];

        ble_characteristic_path(d->source->adapter, &c->path, path);
        const BleMethod method = { path, "org.bluez.GattCharacteristic1", name };
        return ble_call(d->source, slot, &method, handler, d, d->source->options->call_timeout_us, NULL);
}

int ble_gatt_read(BleDevice *d, BleCharacteristic *c, sd_bus_slot **slot, sd_bus_message_handler_t handler) {
        char path[BLE_PATH_MAX];

        ble_characteristic_path(d->source->adapter, &c->path, path);
        const BleMethod method = { path, "org.bluez.GattCharacteristic1", "ReadValue" };
        return ble_call(d->source, slot, &method, handler, d, d->source->options->call_timeout_us, "a{sv}",
                        0);
}

int ble_gatt_write(BleDevice *d, const BleCharacteristic *c, sd_bus_slot **slot, Bytes value,
                sd_bus_message_handler_t handler) {
        BleSource *s = d->source;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char path[BLE_PATH_MAX];

        if (!s->bus || s->owner[0] == '\0')
                return -ENOTCONN;
        ble_characteristic_path(s->adapter, &c->path, path);
        int r = sd_bus_message_new_method_call(
                        s->bus, &m, s->owner, path, "org.bluez.GattCharacteristic1", "WriteValue");
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', value.data, value.len);
        if (r >= 0)
                r = sd_bus_message_append(m, "a{sv}", 1, "type", "s", "request");
        if (r < 0)
                return r;
        *slot = sd_bus_slot_unref(*slot);
        return sd_bus_call_async(s->bus, slot, m, handler, d, (uint64_t) s->options->call_timeout_us);
}

/* --- subscribing, one after the other --- */

static void next_step(BleDevice *d);

/* The link went while it was asked for: only the reason may still be news. */
static bool is_over(BleDevice *d, BleFault fault) {
        if (d->state == BLE_SUBSCRIBING)
                return false;
        d->call = sd_bus_slot_unref(d->call);
        if (fault == BLE_FAULT_BOND)
                ble_device_event(d, BLE_REFUSED);
        return true;
}

static void step_failed(BleDevice *d) {
        d->characteristics[d->step].failed = true;
        d->source->counters.subscribe_failures++;
        next_step(d);
}

static int on_stopped(sd_bus_message *m, void *userdata, sd_bus_error *error);

static int on_subscribed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleDevice *d = userdata;
        BleFault fault = ble_gatt_fault(d, m, "");

        if (is_over(d, fault))
                return 0;
        BleCharacteristic *c = &d->characteristics[d->step];
        switch (fault) {
        case BLE_FAULT_NONE:
        case BLE_FAULT_DONE:
                c->subscribed = true;
                next_step(d);
                return 0;
        case BLE_FAULT_BOND:
                ble_device_event(d, BLE_REFUSED);
                return 0;
        case BLE_FAULT_BUSY: /* of an earlier life: nobody knows whether it still brings anything */
                if (!c->failed && call(d, c, "StopNotify", &d->call, on_stopped) >= 0) {
                        c->failed = true;
                        return 0;
                }
                break;
        case BLE_FAULT_LINK:
        case BLE_FAULT_GONE:
        case BLE_FAULT_OTHER:
                break;
        }
        step_failed(d);
        return 0;
}

static void start_notify(BleDevice *d) {
        if (call(d, &d->characteristics[d->step], "StartNotify", &d->call, on_subscribed) < 0)
                step_failed(d);
}

static int on_stopped(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleDevice *d = userdata;

        if (!is_over(d, ble_gatt_fault(d, m, "")))
                start_notify(d);
        return 0;
}

static int on_read(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleDevice *d = userdata;
        BleFault fault = ble_gatt_fault(d, m, "ay");
        Bytes value;

        if (is_over(d, fault))
                return 0;
        if (fault == BLE_FAULT_BOND) {
                ble_device_event(d, BLE_REFUSED);
                return 0;
        }
        BleCharacteristic *c = &d->characteristics[d->step];
        c->reading = false;
        if (fault == BLE_FAULT_NONE && ble_read_bytes(m, &value) == 0)
                ble_gatt_value(d, c, value);
        else
                d->source->counters.subscribe_failures++;
        d->step++;
        next_step(d);
        return 0;
}

static bool read_step(BleDevice *d, BleCharacteristic *c) {
        c->reading = true;
        if (ble_gatt_read(d, c, &d->call, on_read) >= 0)
                return true;
        c->reading = false;
        return false;
}

static void finish(BleDevice *d) {
        const BleOptions *o = d->source->options;
        size_t failed = 0;

        for (size_t i = 0; i < d->characteristic_count; i++)
                failed += d->characteristics[i].failed && !d->characteristics[i].subscribed;
        d->anew = false;
        d->again = failed > 0 ? d->again + 1 : 0;
        d->again_us = failed > 0 ? ble_now() + (int64_t) backoff_delay(
                                                               o->retry_min_us, o->retry_max_us, d->again)
                                 : INT64_MAX;
        ble_device_event(d, count_subscribed(d) > 0 ? BLE_ANSWERED : BLE_FAILED);
}

/* Each characteristic: given up first where its subscription has gone stale, subscribed to, read where that is a reading
 * too. */
static void next_step(BleDevice *d) {
        for (; d->step < d->characteristic_count; d->step++) {
                BleCharacteristic *c = &d->characteristics[d->step];
                const BleProfile *p = ble_profile_find(c->code);

                if (p->wants_notify && c->can_notify && !c->subscribed && !c->failed) {
                        if (!d->anew || call(d, c, "StopNotify", &d->call, on_stopped) < 0)
                                start_notify(d);
                        return;
                }
                if (p->wants_read && c->can_read && read_step(d, c))
                        return;
        }
        finish(d);
}

void ble_gatt_subscribe(BleDevice *d) {
        d->step = 0;
        for (size_t i = 0; i < d->characteristic_count; i++)
                d->characteristics[i].failed = false;
        next_step(d);
}

/* --- values --- */

void ble_gatt_value(BleDevice *d, BleCharacteristic *c, Bytes value) {
        const BleProfile *p = ble_profile_find(c->code);

        if (d->state != BLE_SUBSCRIBING && d->state != BLE_STREAMING)
                return;
        if (value.len == 0 || value.len > BLE_VALUE_MAX) {
                d->source->counters.malformed++;
                return;
        }
        if (c->code == BLE_RECORD_ACCESS)
                return ble_records_response(d, value);
        /* A record that nobody asked for is not the next one. */
        if (!p->is_reading || (c->code == BLE_GLUCOSE && d->records.phase != BLE_RECORDS_ASKED))
                return;
        BleValue v = {
                .device = d,
                .decoding = { .format = DECODE_GATT, .code = c->code },
                .stored = c->code == BLE_GLUCOSE,
                .clock = d->clock,
                .clock_offset_us = d->clock_offset_us,
        };
        memcpy(v.origin, c->origin, sizeof v.origin);
        ble_recovery_value(d, p->regular);
        if (p->carries_time)
                d->timed_us = d->value_us;
        ble_hand_over(&v, value);
}
