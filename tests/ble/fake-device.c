/* A device: its properties, connecting step by step, pairing, losing the link. */
#include <errno.h>
#include <stdio.h>

#include "ble/fake.h"

static const Device *device_of(const Object *o) {
        return container_of(o, Device, object);
}

static int append_address(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "s", device_of(o)->address);
}

static int append_address_type(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "s", device_of(o)->public_address ? "public" : "random");
}

static bool is_named(const Object *o) {
        return device_of(o)->named;
}

static int append_name(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "s", device_of(o)->name);
}

static int append_alias(sd_bus_message *m, const Object *o) {
        char dashes[18];

        if (is_named(o))
                return append_name(m, o);
        (void) snprintf(dashes, sizeof(dashes), "%s", device_of(o)->address);
        for (char *p = dashes; *p; p++)
                if (*p == ':')
                        *p = '-';
        return sd_bus_message_append(m, "s", dashes);
}

static int append_adapter(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "o", device_of(o)->fake->adapter.path);
}

static int append_uuids(sd_bus_message *m, const Object *o) {
        const Device *d = device_of(o);
        int r = sd_bus_message_open_container(m, 'a', "s");

        for (size_t i = 0; r >= 0 && i < d->n_services; i++)
                r = sd_bus_message_append(m, "s", d->services[i].uuid);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

#define BOOL_PROPERTY(field)                                                                                \
        static int append_##field(sd_bus_message *m, const Object *o) {                                     \
                return sd_bus_message_append(m, "b", device_of(o)->field);                                  \
        }
BOOL_PROPERTY(paired)
BOOL_PROPERTY(bonded)
BOOL_PROPERTY(trusted)
BOOL_PROPERTY(connected)
BOOL_PROPERTY(resolved)

static int append_no(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "b", false);
}

static int set_trusted(Fake *f, Object *o, sd_bus_message *m) {
        Device *d = container_of(o, Device, object);
        int trusted, r = sd_bus_message_read(m, "b", &trusted);

        if (r < 0)
                return r;
        d->trusted = trusted;
        object_changed(f, o, "Trusted");
        return 0;
}

static bool has_rssi(const Object *o) {
        return device_of(o)->has_rssi;
}

static int append_rssi(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "n", device_of(o)->rssi);
}

static bool has_manufacturer(const Object *o) {
        return device_of(o)->n_manufacturer > 0;
}

static bool has_service_data(const Object *o) {
        return device_of(o)->n_services_data > 0;
}

static int append_data(sd_bus_message *m, const Data *data, size_t n, bool numbers) {
        int r = sd_bus_message_open_container(m, 'a', numbers ? "{qv}" : "{sv}");

        for (size_t i = 0; r >= 0 && i < n; i++) {
                r = sd_bus_message_open_container(m, 'e', numbers ? "qv" : "sv");
                if (r >= 0 && numbers)
                        r = sd_bus_message_append(m, "q", (uint16_t) strtoul(data[i].key, NULL, 10));
                else if (r >= 0)
                        r = sd_bus_message_append(m, "s", data[i].key);
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'v', "ay");
                if (r >= 0)
                        r = sd_bus_message_append_array(m, 'y', data[i].value, data[i].len);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_manufacturer(sd_bus_message *m, const Object *o) {
        return append_data(m, device_of(o)->manufacturer, device_of(o)->n_manufacturer, true);
}

static int append_service_data(sd_bus_message *m, const Object *o) {
        return append_data(m, device_of(o)->services_data, device_of(o)->n_services_data, false);
}

Device *device_find(Fake *f, const char *address) {
        for (size_t i = 0; i < f->n_devices; i++)
                if (streq(f->devices[i].address, address) || streq(f->devices[i].identity, address))
                        return &f->devices[i];
        return NULL;
}

/* ---- connecting ---- */

/* Answers a call that waits; NULL: with success. */
static void answer(sd_bus_message **call, const char *error, const char *message) {
        if (*call && error)
                (void) sd_bus_reply_method_errorf(*call, error, "%s", message);
        else if (*call)
                (void) sd_bus_reply_method_return(*call, "");
        *call = sd_bus_message_unref(*call);
}

static unsigned connections(const Fake *f) {
        unsigned n = 0;

        for (size_t i = 0; i < f->n_devices; i++)
                n += f->devices[i].stage != STAGE_IDLE;
        return n;
}

static void wait_step(Device *d, Stage stage) {
        d->stage = stage;
        (void) sd_event_source_set_time_relative(d->step, FAKE_STEP_US);
        (void) sd_event_source_set_enabled(d->step, SD_EVENT_ONESHOT);
}

static void refuse_connection(Device *d) {
        d->stage = STAGE_IDLE;
        answer(&d->connecting, "org.bluez.Error.Failed", "le-connection-abort-by-local");
        answer(&d->pairing, "org.bluez.Error.ConnectionAttemptFailed", "Page Timeout");
}

static void step_connected(Device *d) {
        Fake *f = d->fake;
        bool renamed = !d->named;

        if (d->out_of_range) {
                refuse_connection(d);
                return;
        }
        d->connected = true;
        d->named = true;
        if (renamed)
                object_changed(f, &d->object, "Name", "Alias");
        if (!f->suppress_connected)
                object_changed(f, &d->object, "Connected");
        answer(&d->connecting, NULL, NULL);
        fake_log(f, "%s connected", d->address);
        wait_step(d, STAGE_CONNECTED);
}

static void step_resolving(Device *d) {
        if (d->pairing)
                (void) device_pair_now(d);
        if (d->stage == STAGE_IDLE || fault_take(d->fake, FAULT_HANG, "resolving", d))
                return;
        gatt_show(d, 0, d->n_services / 2);
        wait_step(d, STAGE_RESOLVING);
}

static int on_step(sd_event_source *source, uint64_t usec, void *userdata) {
        Device *d = userdata;
        static const char *points[] = {
                [STAGE_CONNECTING] = "connecting",
                [STAGE_CONNECTED] = "connected",
                [STAGE_RESOLVING] = "resolving",
        };

        if (d->stage == STAGE_IDLE || d->stage == STAGE_RESOLVED)
                return 0;
        if (fault_take(d->fake, FAULT_DROP, points[d->stage], d)) {
                device_drop(d);
                return 0;
        }
        if (d->stage == STAGE_CONNECTING) {
                step_connected(d);
        } else if (d->stage == STAGE_CONNECTED) {
                step_resolving(d);
        } else {
                gatt_show(d, d->n_services / 2, d->n_services);
                d->stage = STAGE_RESOLVED;
                d->resolved = true;
                object_changed(d->fake, &d->object, "ServicesResolved");
                if (fault_take(d->fake, FAULT_DROP, "resolved", d))
                        device_drop(d);
        }
        return 0;
}

static bool begin_connection(Device *d) {
        const Fake *f = d->fake;

        if (f->connections_max > 0 && connections(f) >= f->connections_max)
                return false;
        wait_step(d, STAGE_CONNECTING);
        return true;
}

static int connect_call(Fake *f, Object *o, sd_bus_message *call) {
        Device *d = container_of(o, Device, object);

        if (!f->powered)
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.NotReady", "Resource Not Ready");
        if (d->connected)
                return sd_bus_reply_method_return(call, "");
        if (d->stage != STAGE_IDLE)
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.InProgress", "In Progress");
        d->connecting = sd_bus_message_ref(call);
        if (!begin_connection(d))
                refuse_connection(d);
        return 0;
}

void device_drop(Device *d) {
        bool was_connected = d->connected;

        if (d->stage == STAGE_IDLE)
                return;
        d->stage = STAGE_IDLE;
        d->connected = d->resolved = false;
        glucose_reset(&d->glucose);
        gatt_hide(d);
        if (was_connected)
                object_changed(d->fake, &d->object, "ServicesResolved", "Connected");
        answer(&d->connecting, "org.bluez.Error.Failed", "le-connection-abort-by-local");
        answer(&d->pairing, "org.bluez.Error.AuthenticationCanceled", "Authentication Canceled");
        d->leave = sd_event_source_disable_unref(d->leave);
        answer(&d->leaving, NULL, NULL);
        if (d->stale_until == TROUBLE_RECONNECT)
                gatt_set_trouble(d, TROUBLE_NONE);
        fake_log(d->fake, "%s disconnected", d->address);
}

static int on_leave(sd_event_source *source, uint64_t usec, void *userdata) {
        device_drop(userdata);
        return 0;
}

/* As with BlueZ the link stays for a while, and the answer comes when it is gone. Until then the device counts as
 * connected, Connect succeeds at once, and StartNotify does not. */
static int disconnect_call(Fake *f, Object *o, sd_bus_message *call) {
        Device *d = container_of(o, Device, object);

        if (d->stage == STAGE_IDLE)
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.NotConnected", "Not Connected");
        if (!d->connected) {
                device_drop(d);
                return sd_bus_reply_method_return(call, "");
        }
        if (d->leaving)
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.InProgress", "In Progress");
        d->leaving = sd_bus_message_ref(call);
        return sd_event_add_time_relative(
                        f->event, &d->leave, CLOCK_MONOTONIC, FAKE_LEAVE_US, 1, on_leave, d);
}

void device_forget(Device *d) {
        device_drop(d);
        object_hide(d->fake, &d->object);
        d->paired = d->bonded = d->trusted = d->has_rssi = false;
}

/* ---- pairing ---- */

static void pairing_done(Device *d) {
        d->paired = true;
        d->bonded = !d->false_bond;
        if (*d->identity) {
                /* the private address has been resolved: the path keeps the old one */
                (void) snprintf(d->address, sizeof(d->address), "%s", d->identity);
                object_changed(d->fake, &d->object, "Address", "AddressType");
        }
        object_changed(d->fake, &d->object, "Paired", "Bonded");
        answer(&d->pairing, NULL, NULL);
}

static void pairing_failed(Device *d) {
        answer(&d->pairing, "org.bluez.Error.AuthenticationFailed", "Authentication Failed");
        device_drop(d);
}

static int on_passkey(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Device *d = userdata;
        uint32_t passkey;

        if (!d->connected || d->paired)
                return 0;
        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "u", &passkey) < 0 ||
                        passkey != d->passkey)
                pairing_failed(d);
        else
                pairing_done(d);
        return 0;
}

/* Pairs, or has the agent asked for the passkey first. -EACCES: nobody is there to be asked. */
int device_pair_now(Device *d) {
        Fake *f = d->fake;

        if (fault_take(f, FAULT_HANG, "pairing", d))
                return 0;
        if (d->passkey == 0) {
                pairing_done(d);
                return 0;
        }
        if (!*f->agent_owner || streq(f->agent_capability, "NoInputNoOutput") ||
                        streq(f->agent_capability, "DisplayOnly")) {
                pairing_failed(d);
                return -EACCES;
        }
        return sd_bus_call_method_async(f->bus, NULL, f->agent_owner, f->agent_path, "org.bluez.Agent1",
                        "RequestPasskey", on_passkey, d, "o", d->object.path);
}

static int pair_call(Fake *f, Object *o, sd_bus_message *call) {
        Device *d = container_of(o, Device, object);

        if (!f->powered)
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.NotReady", "Resource Not Ready");
        if (d->bonded)
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.AlreadyExists", "Already Exists");
        if (d->pairing)
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.InProgress", "In Progress");
        d->pairing = sd_bus_message_ref(call);
        if (d->stage == STAGE_IDLE && !begin_connection(d))
                refuse_connection(d);
        else if (d->stage >= STAGE_RESOLVING)
                (void) device_pair_now(d);
        return 0;
}

static int cancel_pairing_call(Fake *f, Object *o, sd_bus_message *call) {
        Device *d = container_of(o, Device, object);

        if (!d->pairing)
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.DoesNotExist", "Does Not Exist");
        answer(&d->pairing, "org.bluez.Error.AuthenticationCanceled", "Authentication Canceled");
        return sd_bus_reply_method_return(call, "");
}

static const Property properties[] = {
        { "Address", "s", append_address },
        { "AddressType", "s", append_address_type },
        { "Name", "s", append_name, .present = is_named },
        { "Alias", "s", append_alias },
        { "Paired", "b", append_paired },
        { "Bonded", "b", append_bonded },
        { "Trusted", "b", append_trusted, .set = set_trusted },
        { "Blocked", "b", append_no },
        { "LegacyPairing", "b", append_no },
        { "RSSI", "n", append_rssi, .present = has_rssi },
        { "Connected", "b", append_connected },
        { "UUIDs", "as", append_uuids },
        { "Adapter", "o", append_adapter },
        { "ManufacturerData", "a{qv}", append_manufacturer, .present = has_manufacturer },
        { "ServiceData", "a{sv}", append_service_data, .present = has_service_data },
        { "ServicesResolved", "b", append_resolved },
        {},
};
static const Method methods[] = {
        { "Connect", "", connect_call },
        { "Disconnect", "", disconnect_call },
        { "Pair", "", pair_call },
        { "CancelPairing", "", cancel_pairing_call },
        {},
};
const Interface device_interface = { "org.bluez.Device1", properties, methods };

/* ---- descriptions: ADDRESS=NAME,WORD,... ---- */

static bool add_word(Device *d, const char *word) {
        const ProfileService *profile = profile_service(word);
        int64_t now_s = fake_now_s();

        if (profile && d->n_services < FAKE_SERVICES_MAX) {
                gatt_add(d, profile);
        } else if (streq(word, "public")) {
                d->public_address = true;
        } else if (streq(word, "sealed")) {
                d->sealed = true;
        } else if (streq(word, "late-name")) {
                d->named = false;
        } else if (streq(word, "hidden")) {
                d->hidden = true;
        } else if (streq(word, "clock-locked")) {
                d->clock_locked = true;
        } else if (startswith(word, "clock=")) {
                d->clock_offset_s = strtoll(word + 6, NULL, 10);
        } else if (startswith(word, "passkey=")) {
                d->passkey = (uint32_t) strtoul(word + 8, NULL, 10);
        } else if (startswith(word, "identity=")) {
                (void) snprintf(d->identity, sizeof(d->identity), "%s", word + 9);
        } else if (startswith(word, "records=")) {
                long n = strtol(word + 8, NULL, 10);

                for (long i = 0; i < n; i++)
                        if (glucose_add(&d->glucose, device_clock(d, now_s - 60 * (n - i))) < 0)
                                return false;
        } else {
                return false;
        }
        return true;
}

Device *device_add(Fake *f, const char *description, const char **ret_fault) {
        _cleanup_free_ char *copy = strdup(description);
        char *rest = copy, *address, *word, path[18];
        Device *d;

        if (!copy || f->n_devices == FAKE_DEVICES_MAX)
                return *ret_fault = "too many devices", NULL;
        d = &f->devices[f->n_devices];
        address = strsep(&rest, "=");
        if (strlen(address) != 17 || !rest)
                return *ret_fault = "wants ADDRESS=NAME,WORD,...", NULL;
        *d = (Device){ .fake = f, .named = true, .rssi = -60 };
        (void) snprintf(d->address, sizeof(d->address), "%s", address);
        (void) snprintf(d->name, sizeof(d->name), "%s", strsep(&rest, ","));
        memcpy(path, d->address, sizeof(path));
        for (char *p = path; *p; p++)
                if (*p == ':')
                        *p = '_';
        object_init(f, &d->object, &device_interface, d, "%s/dev_%s", f->adapter.path, path);
        while ((word = strsep(&rest, ",")))
                if (!add_word(d, word))
                        return *ret_fault = "has a word that is not known", NULL;
        if (sd_event_add_time_relative(f->event, &d->step, CLOCK_MONOTONIC, 0, 1, on_step, d) < 0)
                return *ret_fault = "no timer", NULL;
        (void) sd_event_source_set_enabled(d->step, SD_EVENT_OFF);
        f->n_devices++;
        return d;
}
