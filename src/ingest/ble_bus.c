#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/backoff.h"
#include "ingest/ble.h"

enum { BACKOFF_MIN_US = 500 * 1000, BACKOFF_MAX_US = 30 * 1000 * 1000 };

void ble_bus_close(BleSource *s) {
        s->objects_call = sd_bus_slot_unref(s->objects_call);
        s->adapter_call = sd_bus_slot_unref(s->adapter_call);
        for (size_t i = 0; i < s->device_count; i++)
                ble_device_reset(s->devices[i]);
        ble_adapter_gone(s);
        s->loaded = s->loading = s->asking = false;
        s->owner[0] = '\0';
        if (s->bus) {
                (void) sd_bus_detach_event(s->bus);
                s->bus = sd_bus_close_unref(s->bus);
        }
}

static void lose(BleSource *s, const char *what, int r) {
        char reason[sizeof s->reason];

        (void) snprintf(reason, sizeof reason, "the system bus: %s%s%s", what, r < 0 ? ": " : "",
                        r < 0 ? strerror(-r) : "");
        ble_bus_close(s);
        s->bus_due_us = ble_now() +
                        (int64_t) backoff_delay(BACKOFF_MIN_US, BACKOFF_MAX_US, ++s->bus_failures);
        ble_tell(s, reason);
        ble_wake(s);
}

/* --- who org.bluez is --- */

static void use_owner(BleSource *s, const char *owner) {
        if (streq(s->owner, owner))
                return;
        if (s->owner[0] != '\0') {
                s->counters.daemon_restarts++;
                s->objects_call = sd_bus_slot_unref(s->objects_call);
                s->adapter_call = sd_bus_slot_unref(s->adapter_call);
                for (size_t i = 0; i < s->device_count; i++)
                        ble_device_reset(s->devices[i]);
                ble_adapter_gone(s);
                s->loaded = s->loading = false;
        }
        (void) snprintf(s->owner, sizeof s->owner, "%s", owner);
        if (owner[0] == '\0')
                ble_tell(s, "bluetoothd does not run");
        else
                ble_objects_load(s);
        ble_wake(s);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleSource *s = userdata;
        const char *name, *before, *after;

        if (sd_bus_message_read(m, "sss", &name, &before, &after) < 0 || !streq(name, "org.bluez"))
                s->counters.malformed++;
        else
                use_owner(s, after);
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleSource *s = userdata;
        const char *owner;

        s->bus_failures = 0;
        s->asking = false;
        if (sd_bus_message_is_method_error(m, "org.freedesktop.DBus.Error.NameHasNoOwner"))
                ble_tell(s, "bluetoothd does not run");
        else if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "s", &owner) < 0)
                lose(s, "nobody can say who org.bluez is", 0);
        else
                use_owner(s, owner);
        return 0;
}

/* The bus is given up in the next turn: this one is in its hands. */
static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleSource *s = userdata;

        s->bus_due_us = 0;
        s->bus_failures++;
        ble_wake(s);
        return 0;
}

static int on_watching(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleSource *s = userdata;

        if (!sd_bus_message_is_method_error(m, NULL))
                return 0;
        s->counters.call_errors++;
        s->bus_due_us = 0;
        (void) sd_bus_detach_event(s->bus);
        sd_bus_close(s->bus);
        ble_wake(s);
        return 0;
}

static int set_up(BleSource *s) {
        int r = sd_bus_match_signal(s->bus, NULL, NULL, "/org/freedesktop/DBus/Local",
                        "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, s);

        if (r >= 0)
                r = sd_bus_attach_event(s->bus, s->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_add_match_async(s->bus, NULL,
                                "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop."
                                "DBus',"
                                "member='NameOwnerChanged',arg0='org.bluez'",
                                on_owner_changed, on_watching, s);
        if (r >= 0)
                r = ble_objects_watch(s);
        /* Asked for after the signal is subscribed to: no change falls in between. */
        if (r >= 0)
                r = sd_bus_call_method_async(s->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                "org.freedesktop.DBus", "GetNameOwner", on_owner, s, "s", "org.bluez");
        return r;
}

void ble_bus_open(BleSource *s) {
        if (s->bus) {
                if (sd_bus_is_open(s->bus) > 0)
                        return;
                lose(s, "the connection was closed", 0);
                return;
        }
        int r = sd_bus_open_system(&s->bus);
        if (r < 0)
                return lose(s, "no connection", r);
        s->bus_due_us = INT64_MAX;
        s->asking = true;
        r = set_up(s);
        if (r < 0)
                lose(s, "no signals", r);
}

/* --- calls --- */

static int new_call(BleSource *s, const BleMethod *method, sd_bus_message **ret) {
        if (!s->bus || s->owner[0] == '\0')
                return -ENOTCONN;
        /* By its unique name: what was meant for one bluetoothd never reaches the next one. */
        int r = sd_bus_message_new_method_call(
                        s->bus, ret, s->owner, method->path, method->interface, method->name);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(*ret, false);
        return r;
}

int ble_call(BleSource *s, sd_bus_slot **slot, const BleMethod *method, sd_bus_message_handler_t handler,
                void *userdata, int64_t timeout_us, const char *types, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        va_list arguments;

        int r = new_call(s, method, &m);
        if (r < 0)
                return r;
        if (types) {
                va_start(arguments, types);
                r = sd_bus_message_appendv(m, types, arguments);
                va_end(arguments);
                if (r < 0)
                        return r;
        }
        *slot = sd_bus_slot_unref(*slot);
        return sd_bus_call_async(s->bus, slot, m, handler, userdata, (uint64_t) timeout_us);
}

void ble_tell_bluez(BleSource *s, const BleMethod *method) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        if (new_call(s, method, &m) >= 0 && sd_bus_message_set_expect_reply(m, false) >= 0)
                (void) sd_bus_send(s->bus, m, NULL);
}

/* BlueZ passes the device's ATT error on as a text (Core Specification, Vol 3, Part F, 3.4.1.1): 05 insufficient
 * authentication, 08 authorization, 0c key size, 0f encryption. 0e, "unlikely", is how BlueZ ends what was under way when
 * the link went; a device that wants a bond and doesn't get it ends the link so. */
static BleFault fault_of_att(const char *text) {
        static const char *const codes[] = { "0x05", "0x08", "0x0c", "0x0f" };
        const char *code = text ? strstr(text, "ATT error: ") : NULL;

        if (!code)
                return BLE_FAULT_NONE;
        code += strlen("ATT error: ");
        for (size_t i = 0; i < ELEMENTS(codes); i++)
                if (startswith(code, codes[i]))
                        return BLE_FAULT_BOND;
        return startswith(code, "0x0e") ? BLE_FAULT_LINK : BLE_FAULT_NONE;
}

BleFault ble_fault(BleSource *s, sd_bus_message *answer, const char *signature) {
        static const struct {
                const char *name;
                BleFault fault;
        } known[] = {
                { "org.bluez.Error.NotAuthorized", BLE_FAULT_BOND },
                { "org.bluez.Error.AuthenticationFailed", BLE_FAULT_BOND },
                { "org.bluez.Error.InProgress", BLE_FAULT_BUSY },
                { "org.bluez.Error.AlreadyConnected", BLE_FAULT_DONE },
                { "org.bluez.Error.NotConnected", BLE_FAULT_GONE },
                { "org.bluez.Error.DoesNotExist", BLE_FAULT_GONE },
                { "org.freedesktop.DBus.Error.UnknownObject", BLE_FAULT_GONE },
        };
        const sd_bus_error *e = sd_bus_message_get_error(answer);

        if ((!e || !e->name) && sd_bus_message_has_signature(answer, signature))
                return BLE_FAULT_NONE;
        if (!e || !e->name) {
                s->counters.malformed++;
                return BLE_FAULT_OTHER;
        }
        s->counters.call_errors++;
        BleFault att = fault_of_att(e->message);
        if (att != BLE_FAULT_NONE)
                return att;
        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (streq(e->name, known[i].name))
                        return known[i].fault;
        return BLE_FAULT_OTHER;
}
