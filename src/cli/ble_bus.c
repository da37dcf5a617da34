#include "cli/ble.h"

#include <errno.h>

#include "base/clock.h"
#include "cli/text.h"

int ble_address_operand(const char *text, BleAddress *ret, Error *e) {
        return ble_address_parse(text, ret) < 0
                               ? error_set(e, CLI_USAGE,
                                                 "\"%.64s\": expected an address such as C0:01:02:03:04:05",
                                                 text)
                               : 0;
}

int ble_bus_error(const sd_bus_error *error, int r, const char *what, Error *e) {
        char text[256];

        if (sd_bus_error_has_name(error, "org.freedesktop.DBus.Error.ServiceUnknown") ||
                        sd_bus_error_has_name(error, "org.freedesktop.DBus.Error.NameHasNoOwner"))
                return error_set(e, -EHOSTDOWN, "bluetoothd does not run: systemctl start bluetooth");
        if (sd_bus_error_has_name(error, "org.freedesktop.DBus.Error.AccessDenied"))
                return error_set(e, -EACCES,
                                "the bus lets only root, bluetooth and wardstone speak to bluetoothd");
        text_clean(error->message ? error->message : strerror(-r), text, sizeof text);
        return error_set(e, r < 0 ? r : -EIO, "%s: %s", what, text);
}

void ble_bus_done(BleBus *b) {
        sd_bus_flush_close_unref(b->bus);
        sd_event_unref(b->event);
        free(b->known);
}

int ble_bus_connect(const BleValues *v, BleBus *ret, Error *e) {
        BleBus b = { .timeout_us = v->timeout_us };

        (void) snprintf(b.adapter, sizeof b.adapter, "/org/bluez/%s", v->adapter);
        if (!sd_bus_object_path_is_valid(b.adapter))
                return error_set(e, CLI_USAGE, "--adapter: expected a name such as hci0");
        b.known = calloc(BLE_KNOWN_MAX, sizeof *b.known);
        int r = b.known ? sd_event_new(&b.event) : -ENOMEM;
        if (r >= 0)
                r = sd_bus_open_system(&b.bus);
        if (r >= 0)
                r = sd_bus_attach_event(b.bus, b.event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0) {
                ble_bus_done(&b);
                return error_set(e, r, "no connection to the system bus: %s", strerror(-r));
        }
        *ret = b;
        return 0;
}

/* --- what is there --- */

BleKnown *ble_bus_find(BleBus *b, const BleAddress *a) {
        for (size_t i = 0; i < b->count; i++)
                if (ble_address_equal(&b->known[i].address, a))
                        return &b->known[i];
        return NULL;
}

static BleKnown *find_path(BleBus *b, const char *path) {
        for (size_t i = 0; i < b->count; i++)
                if (streq(b->known[i].path, path))
                        return &b->known[i];
        if (b->count == BLE_KNOWN_MAX || strlen(path) >= BLE_PATH_MAX)
                return NULL;
        BleKnown *d = &b->known[b->count++];
        *d = (BleKnown){ 0 };
        memcpy(d->path, path, strlen(path) + 1);
        return d;
}

static void take(BleKnown *d, const BleNews *n) {
        const struct {
                bool *member;
                BleSaid said;
        } flags[] = {
                { &d->connected, n->connected },
                { &d->paired, n->paired },
                { &d->bonded, n->bonded },
                { &d->trusted, n->trusted },
        };

        for (size_t i = 0; i < ELEMENTS(flags); i++)
                if (flags[i].said != BLE_UNSAID)
                        *flags[i].member = flags[i].said == BLE_YES;
        if (n->has_address) {
                d->address = n->address;
                d->is_random = n->is_random;
        }
        if (n->name)
                text_clean(n->name, d->name, sizeof d->name);
        if (n->has_rssi) {
                d->has_rssi = true;
                d->rssi = n->rssi;
        }
}

typedef struct Load {
        BleBus *bus;
        bool has_adapter, is_powered;
} Load;

static void object_there(void *userdata, const char *path, BleInterface interface, const BleNews *n) {
        Load *l = userdata;
        BlePath p = ble_path_parse(l->bus->adapter, path);

        if (interface == BLE_ADAPTER && p.kind == BLE_PATH_ADAPTER) {
                l->has_adapter = true;
                l->is_powered = n->powered == BLE_YES;
        }
        BleKnown *d = interface == BLE_DEVICE && p.kind == BLE_PATH_DEVICE ? find_path(l->bus, path) : NULL;
        if (d)
                take(d, n);
}

static int call(BleBus *b, const char *path, const char *interface, const char *method, int64_t timeout_us,
                sd_bus_message **ret, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        int r = sd_bus_message_new_method_call(b->bus, &m, "org.bluez", path, interface, method);
        return r < 0 ? r : sd_bus_call(b->bus, m, (uint64_t) timeout_us, error, ret);
}

int ble_bus_load(BleBus *b, Error *e) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        Load l = { .bus = b };

        b->count = 0;
        int r = call(b, "/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", b->timeout_us, &m,
                        &error);
        if (r < 0)
                return ble_bus_error(&error, r, "bluetoothd", e);
        if (ble_read_objects(m, object_there, &l) < 0)
                return error_set(e, -EBADMSG, "bluetoothd's answer can't be read");
        if (!l.has_adapter)
                return error_set(e, -ENODEV, "there is no adapter %s", strrchr(b->adapter, '/') + 1);
        if (!l.is_powered)
                return error_set(e, -ENETDOWN, "the adapter %s is off", strrchr(b->adapter, '/') + 1);
        return 0;
}

int ble_bus_run(BleBus *b, int64_t us) {
        Stamp now;
        int r = 0;

        clock_now(&now);
        int64_t end = now.mono_us + us;
        for (b->is_over = false; r >= 0 && !b->is_over && now.mono_us < end; clock_now(&now))
                r = sd_event_run(b->event, (uint64_t) (end - now.mono_us));
        return r < 0 ? r : 0;
}

/* --- listening --- */

typedef struct Listening {
        BleBus *bus;
        const BleAddress *until;
} Listening;

static void end_where_heard(Listening *l) {
        BleKnown *d = l->until ? ble_bus_find(l->bus, l->until) : NULL;

        if (d && d->has_rssi)
                l->bus->is_over = true;
}

static void heard(void *userdata, const char *path, BleInterface interface, const BleNews *n) {
        Listening *l = userdata;
        Load load = { .bus = l->bus };

        object_there(&load, path, interface, n);
        end_where_heard(l);
}

static int on_added(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return ble_read_added(m, heard, userdata) == -ENOMEM ? -ENOMEM
                                                             : 0; /* what can't be read is no device */
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Listening *l = userdata;
        BleNews n;

        BleKnown *d = find_path(l->bus, sd_bus_message_get_path(m));
        if (d && ble_read_changed(m, &n) == 0)
                take(d, &n);
        end_where_heard(l);
        return 0;
}

static int watch(BleBus *b, Listening *l, sd_bus_slot **added, sd_bus_slot **changed) {
        char changes[256];

        (void) snprintf(changes, sizeof changes,
                        "type='signal',sender='org.bluez',interface='org.freedesktop.DBus.Properties',"
                        "member='PropertiesChanged',arg0='org.bluez.Device1',path_namespace='%s'",
                        b->adapter);
        int r = sd_bus_add_match(b->bus, added,
                        "type='signal',sender='org.bluez',interface='org.freedesktop.DBus.ObjectManager',"
                        "member='InterfacesAdded'",
                        on_added, l);
        return r < 0 ? r : sd_bus_add_match(b->bus, changed, changes, on_changed, l);
}

static int start(BleBus *b, sd_bus_error *error) {
        int r = sd_bus_call_method(b->bus, "org.bluez", b->adapter, "org.bluez.Adapter1",
                        "SetDiscoveryFilter", error, NULL, "a{sv}", 1, "Transport", "s", "le");

        return r < 0 ? r
                     : call(b, b->adapter, "org.bluez.Adapter1", "StartDiscovery", b->timeout_us, NULL,
                                       error);
}

int ble_bus_listen(BleBus *b, int64_t us, const BleAddress *until, Error *e) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *added = NULL;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *changed = NULL;
        Listening l = { .bus = b, .until = until };

        int r = watch(b, &l, &added, &changed);
        if (r >= 0)
                r = start(b, &error);
        if (r < 0)
                return ble_bus_error(&error, r, "listening", e);
        r = ble_bus_run(b, us);
        (void) call(b, b->adapter, "org.bluez.Adapter1", "StopDiscovery", b->timeout_us, NULL, NULL);
        return r < 0 ? error_set(e, r, "listening: %s", strerror(-r)) : 0;
}

/* --- what an operator does --- */

int ble_bus_trust(BleBus *b, const BleKnown *d, Error *e) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        int r = sd_bus_set_property(
                        b->bus, "org.bluez", d->path, "org.bluez.Device1", "Trusted", &error, "b", true);
        return r < 0 ? ble_bus_error(&error, r, "trusting it", e) : 0;
}

int ble_bus_remove(BleBus *b, const BleKnown *d, Error *e) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        int r = sd_bus_call_method(b->bus, "org.bluez", b->adapter, "org.bluez.Adapter1", "RemoveDevice",
                        &error, NULL, "o", d->path);
        return r < 0 ? ble_bus_error(&error, r, "forgetting it", e) : 0;
}
