#include <errno.h>
#include <stdio.h>

#include "base/backoff.h"
#include "ingest/ble.h"

static BleDevice *device_at(BleSource *s, const BleAddress *object) {
        for (size_t i = 0; i < s->device_count; i++) {
                BleDevice *d = s->devices[i];
                if (d->path.kind == BLE_PATH_DEVICE && ble_address_equal(&d->path.device, object))
                        return d;
        }
        return NULL;
}

static BleDevice *device_of(BleSource *s, const BleNews *n) {
        for (size_t i = 0; n->has_address && i < s->device_count; i++)
                if (ble_device_is_it(s->devices[i], n))
                        return s->devices[i];
        return NULL;
}

/* Only BlueZ's own word counts: the bus lets anybody send a signal in any shape. */
static bool is_from_bluez(BleSource *s, sd_bus_message *m) {
        const char *sender = sd_bus_message_get_sender(m);

        if (sender && streq(sender, s->owner))
                return true;
        /* Of the bluetoothd before, what was still on its way; of anybody else, an attempt. */
        s->counters.foreign++;
        return false;
}

static void device_object(BleSource *s, const BlePath *p, const BleNews *n, bool is_fresh) {
        BleDevice *d = device_of(s, n);

        if (is_fresh)
                ble_recovery_heard(s);
        if (!d) {
                s->counters.unlisted++;
                return;
        }
        ble_device_appear(d, p, n);
        if (is_fresh && d->config.mode == BLE_MODE_ADVERT)
                ble_adverts_take(d, n);
}

static void object_there(
                BleSource *s, const char *path, BleInterface interface, const BleNews *n, bool is_fresh) {
        BlePath p = ble_path_parse(s->adapter, path);
        BleDevice *d;

        switch (interface) {
        case BLE_ADAPTER:
                if (p.kind == BLE_PATH_ADAPTER)
                        ble_adapter_news(s, n);
                return;
        case BLE_DEVICE:
                if (p.kind == BLE_PATH_DEVICE)
                        device_object(s, &p, n, is_fresh);
                return;
        case BLE_CHARACTERISTIC:
                d = p.kind == BLE_PATH_CHARACTERISTIC ? device_at(s, &p.device) : NULL;
                if (d)
                        ble_gatt_add(d, &p, n);
                return;
        case BLE_OTHER_INTERFACE:
                return;
        }
}

static void added(void *userdata, const char *path, BleInterface interface, const BleNews *n) {
        object_there(userdata, path, interface, n, true);
}

static void loaded(void *userdata, const char *path, BleInterface interface, const BleNews *n) {
        object_there(userdata, path, interface, n, false);
}

static void removed(void *userdata, const char *path, BleInterface interface, const BleNews *n) {
        BleSource *s = userdata;
        BlePath p = ble_path_parse(s->adapter, path);
        BleDevice *d = p.kind == BLE_PATH_OTHER ? NULL : device_at(s, &p.device);

        if (interface == BLE_ADAPTER && p.kind == BLE_PATH_ADAPTER) {
                for (size_t i = 0; i < s->device_count; i++)
                        ble_device_reset(s->devices[i]);
                ble_adapter_gone(s);
        } else if (interface == BLE_DEVICE && p.kind == BLE_PATH_DEVICE && d) {
                ble_device_event(d, BLE_VANISHED);
                if (d->config.has_irk) /* it may have another one, of its newer address */
                        ble_objects_load(s);
        } else if (interface == BLE_CHARACTERISTIC && p.kind == BLE_PATH_CHARACTERISTIC && d)
                ble_gatt_remove(d, &p);
}

static int on_added(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleSource *s = userdata;

        if (is_from_bluez(s, m) && ble_read_added(m, added, s) < 0)
                s->counters.malformed++;
        return 0;
}

static int on_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleSource *s = userdata;

        if (is_from_bluez(s, m) && ble_read_removed(m, removed, s) < 0)
                s->counters.malformed++;
        return 0;
}

/* --- properties --- */

static bool read_changed(BleSource *s, sd_bus_message *m, BlePath *ret_path, BleNews *ret) {
        if (!is_from_bluez(s, m))
                return false;
        *ret_path = ble_path_parse(s->adapter, sd_bus_message_get_path(m));
        if (ret_path->kind == BLE_PATH_OTHER)
                return false;
        if (ble_read_changed(m, ret) == 0)
                return true;
        s->counters.malformed++;
        return false;
}

static int on_adapter(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleSource *s = userdata;
        BleNews n;
        BlePath p;

        if (read_changed(s, m, &p, &n) && p.kind == BLE_PATH_ADAPTER)
                ble_adapter_news(s, &n);
        return 0;
}

static int on_device(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleSource *s = userdata;
        BleNews n;
        BlePath p;

        if (!read_changed(s, m, &p, &n) || p.kind != BLE_PATH_DEVICE)
                return 0;
        if (n.has_rssi || n.advert_count > 0)
                ble_recovery_heard(s);
        BleDevice *d = device_at(s, &p.device);
        if (!d && (d = device_of(s, &n))) /* its identity is known now */
                ble_device_appear(d, &p, &n);
        if (!d)
                return 0;
        ble_device_news(d, &n);
        if (d->config.mode == BLE_MODE_ADVERT)
                ble_adverts_take(d, &n);
        return 0;
}

static int on_characteristic(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleSource *s = userdata;
        BleNews n;
        BlePath p;

        if (!read_changed(s, m, &p, &n) || p.kind != BLE_PATH_CHARACTERISTIC || !n.has_value)
                return 0;
        BleDevice *d = device_at(s, &p.device);
        BleCharacteristic *c = d ? ble_gatt_at(d, p.handle) : NULL;
        if (c && !c->reading)
                ble_gatt_value(d, c, n.value);
        return 0;
}

static int on_watching(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleSource *s = userdata;

        if (sd_bus_message_is_method_error(m, NULL)) { /* without signals nothing is known */
                s->counters.call_errors++;
                s->bus_due_us = 0;
                sd_bus_close(s->bus);
                ble_wake(s);
        }
        return 0;
}

int ble_objects_watch(BleSource *s) {
        static const struct {
                const char *match;
                sd_bus_message_handler_t handler;
                bool of_adapter;
        } signals[] = {
                { "interface='org.freedesktop.DBus.ObjectManager',member='InterfacesAdded'", on_added,
                                false },
                { "interface='org.freedesktop.DBus.ObjectManager',member='InterfacesRemoved'", on_removed,
                                false },
                { "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',"
                  "arg0='org.bluez.GattCharacteristic1'",
                                on_characteristic, true },
                { "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='org.bluez."
                  "Device1'",
                                on_device, true },
                { "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='org.bluez."
                  "Adapter1'",
                                on_adapter, true },
        };
        char text[320];
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTS(signals); i++) {
                (void) snprintf(text, sizeof text, "type='signal',sender='org.bluez',%s%s%s%s",
                                signals[i].match, signals[i].of_adapter ? ",path_namespace='" : "",
                                signals[i].of_adapter ? s->adapter : "", signals[i].of_adapter ? "'" : "");
                r = sd_bus_add_match_async(s->bus, NULL, text, signals[i].handler, on_watching, s);
        }
        return r;
}

static int on_objects(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleSource *s = userdata;

        s->objects_call = sd_bus_slot_unref(s->objects_call);
        s->loading = false;
        if (ble_fault(s, m, "a{oa{sa{sv}}}") == BLE_FAULT_NONE) {
                bool is_good = ble_read_objects(m, loaded, s) == 0;
                s->counters.malformed += !is_good;
                s->loaded |= is_good;
        }
        s->bus_failures = s->loaded ? 0 : s->bus_failures + 1;
        s->load_due_us = s->loaded ? INT64_MAX
                                   : ble_now() + (int64_t) backoff_delay(s->options->retry_min_us,
                                                                 s->options->retry_max_us, s->bus_failures);
        ble_wake(s);
        return 0;
}

void ble_objects_load(BleSource *s) {
        static const BleMethod method = { "/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects" };

        if (s->loading || s->owner[0] == '\0')
                return;
        s->loading = ble_call(s, &s->objects_call, &method, on_objects, s, s->options->call_timeout_us,
                                     NULL) >= 0;
}
