/* org.wardstone.Fake, with the object /org/wardstone/Fake and the interface org.wardstone.Fake1: how a test steers the
 * devices, makes things fail, and asks what was done to them. Devices are named by address, characteristics by UUID
 * ("2a37" or all of it).
 *
 *   Notify(s device, s uuid, ay value) -> b     false: not subscribed, or stale
 *   Sample(s device, s uuid) -> b               the next value of profile.h
 *   Stream(u hz, u count)                       so often the next value of each subscribed measurement
 *   Advert(s device, s key, ay value)           key: a company ("0x0499") or the UUID of service data
 *   Range(s device, b in)                       out: the link is lost, connecting fails
 *   DropLink(s device)
 *   Vanish(s device)                            the object goes, as that of a device not seen for long
 *   Stale(s device, s until)                    notifies no more until "resubscribe", "reconnect", "power" or "never"
 *   AddRecord(s device)                         one more reading in a glucose meter
 *   SetClock(s device, x offset)                seconds
 *   FalseBond(s device, b on)                   pairs, without a bond
 *   FailNext(s point, s error, u count)         point: METHOD or METHOD@ADDRESS; the error "malformed" answers with
 *                                               wrong types
 *   Hang(s point, u count)                      never answers; also the points "resolving" and "pairing"
 *   DropAt(s point, u count)                    the link is lost there; also the points "connecting", "connected",
 *                                               "resolving", "resolved" and "report"
 *   SuppressConnected(b on)                     Connected=true is not signalled
 *   StopScanSilently(s until)                   hears no adverts until "restart" (of discovery), "power" or "never"
 *   RemoveAdapter(), AddAdapter(b powered)
 *   Restart(t down)                             microseconds; UINT64_MAX: until Return()
 *   Return()
 *   Malformed(s device, s uuid, s kind)         see fake-faults.c; with an empty uuid the kinds of the device itself
 *   Counters() -> a{su}                         "ADDRESS Method uuid": calls since Clear()
 *   Log() -> as
 *   Clear()                                     counters and log, and faults that are left
 *   State(s device) -> bbbbbxas                 connected, resolved, paired, bonded, trusted, clock's offset, notifying
 *   Adapter() -> bbs                            powered, discovering, the agent's capability ("": there is none) */
#include <errno.h>
#include <stdio.h>

#include "ble/fake.h"

static int no_such(sd_bus_message *m, const char *what) {
        return sd_bus_reply_method_errorf(m, "org.wardstone.Fake.Error", "no such %s", what);
}

static int done(sd_bus_message *m) {
        return sd_bus_reply_method_return(m, "");
}

static Trouble trouble_parse(const char *until) {
        static const char *const names[] = {
                [TROUBLE_RESUBSCRIBE] = "resubscribe",
                [TROUBLE_RECONNECT] = "reconnect",
                [TROUBLE_RESTART] = "restart",
                [TROUBLE_POWER] = "power",
                [TROUBLE_POWER + 1] = "never",
        };

        for (size_t i = 1; i < ELEMENTS(names); i++)
                if (streq(until, names[i]))
                        return (Trouble) i;
        return TROUBLE_NONE;
}

/* ---- values ---- */

static int on_notify(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *address, *uuid;
        const void *data;
        size_t n;
        Device *d;
        Characteristic *c;
        int r = sd_bus_message_read(m, "ss", &address, &uuid);

        if (r >= 0)
                r = sd_bus_message_read_array(m, 'y', &data, &n);
        if (r < 0)
                return r;
        d = device_find(userdata, address);
        c = d ? gatt_find(d, uuid) : NULL;
        if (!c)
                return no_such(m, "characteristic");
        return sd_bus_reply_method_return(m, "b", gatt_notify(c, BYTES(data, n)));
}

static int on_sample(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *address, *uuid;
        Device *d;
        Characteristic *c;
        int r = sd_bus_message_read(m, "ss", &address, &uuid);

        if (r < 0)
                return r;
        d = device_find(userdata, address);
        c = d ? gatt_find(d, uuid) : NULL;
        if (!c)
                return no_such(m, "characteristic");
        return sd_bus_reply_method_return(m, "b", gatt_notify_sample(c));
}

static int on_stream_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        Fake *f = userdata;

        for (size_t i = 0; i < f->n_devices; i++)
                for (size_t k = 0; k < f->devices[i].n_characteristics; k++) {
                        Characteristic *c = &f->devices[i].characteristics[k];

                        if (gatt_notify_sample(c))
                                fake_count(f, &f->devices[i], "sent", c->uuid);
                }
        if (--f->stream_left == 0) {
                f->stream = sd_event_source_disable_unref(f->stream);
                return 0;
        }
        /* by the plan, not by when this came to run: what is late is made up for */
        (void) sd_event_source_set_time(source, usec + f->stream_period_us);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_stream(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Fake *f = userdata;
        uint32_t hz, count;
        int r = sd_bus_message_read(m, "uu", &hz, &count);

        if (r < 0)
                return r;
        f->stream = sd_event_source_disable_unref(f->stream);
        if (hz > 0 && count > 0) {
                f->stream_period_us = 1000000 / hz;
                f->stream_left = count;
                r = sd_event_add_time_relative(f->event, &f->stream, CLOCK_MONOTONIC, f->stream_period_us, 1,
                                on_stream_tick, f);
                if (r < 0)
                        return r;
        }
        return done(m);
}

static int on_advert(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *address, *key;
        char text[PROFILE_UUID_SIZE];
        const void *value;
        size_t n, i = 0, *count;
        bool company;
        Data *data;
        Device *d;
        int r = sd_bus_message_read(m, "ss", &address, &key);

        if (r >= 0)
                r = sd_bus_message_read_array(m, 'y', &value, &n);
        if (r < 0)
                return r;
        d = device_find(userdata, address);
        if (!d || n > sizeof(data->value))
                return no_such(m, "device");
        company = startswith(key, "0x");
        if (company)
                (void) snprintf(text, sizeof(text), "%lu", strtoul(key, NULL, 16));
        else if (profile_uuid_parse(key))
                profile_uuid(profile_uuid_parse(key), text);
        else
                (void) snprintf(text, sizeof(text), "%s", key);
        data = company ? d->manufacturer : d->services_data;
        count = company ? &d->n_manufacturer : &d->n_services_data;
        while (i < *count && !streq(data[i].key, text))
                i++;
        if (i == FAKE_DATA_MAX)
                return no_such(m, "room for more data");
        *count = MAX(*count, i + 1);
        memcpy(data[i].key, text, sizeof(text));
        memcpy(data[i].value, value, n);
        data[i].len = n;
        r = done(m);
        adapter_advertise(d, true);
        return r;
}

/* ---- devices ---- */

typedef void (*DeviceFunc)(Device *d, sd_bus_message *m);

static int with_device(sd_bus_message *m, Fake *f, DeviceFunc func) {
        const char *address;
        Device *d;
        int r = sd_bus_message_read(m, "s", &address);

        if (r < 0)
                return r;
        d = device_find(f, address);
        if (!d)
                return no_such(m, "device");
        func(d, m);
        return done(m);
}

static void drop_link(Device *d, sd_bus_message *m) {
        device_drop(d);
}

static void vanish(Device *d, sd_bus_message *m) {
        device_drop(d);
        object_hide(d->fake, &d->object);
}

static void add_record(Device *d, sd_bus_message *m) {
        if (glucose_add(&d->glucose, device_clock(d, fake_now_s())) < 0)
                fake_log(d->fake, "%s has no room for another reading", d->address);
}

static void set_range(Device *d, sd_bus_message *m) {
        int in = 1;

        (void) sd_bus_message_read(m, "b", &in);
        d->out_of_range = !in;
        if (!in)
                device_drop(d);
}

static void set_stale(Device *d, sd_bus_message *m) {
        const char *until = "";

        (void) sd_bus_message_read(m, "s", &until);
        gatt_set_trouble(d, trouble_parse(until));
}

static void set_clock(Device *d, sd_bus_message *m) {
        (void) sd_bus_message_read(m, "x", &d->clock_offset_s);
}

static void set_false_bond(Device *d, sd_bus_message *m) {
        int on = 0;

        (void) sd_bus_message_read(m, "b", &on);
        d->false_bond = on;
}

#define DEVICE_METHOD(name, func)                                                                           \
        static int name(sd_bus_message *m, void *userdata, sd_bus_error *error) {                           \
                return with_device(m, userdata, func);                                                      \
        }
DEVICE_METHOD(on_drop_link, drop_link)
DEVICE_METHOD(on_vanish, vanish)
DEVICE_METHOD(on_add_record, add_record)
DEVICE_METHOD(on_range, set_range)
DEVICE_METHOD(on_stale, set_stale)
DEVICE_METHOD(on_set_clock, set_clock)
DEVICE_METHOD(on_false_bond, set_false_bond)

/* ---- faults ---- */

static int on_fail_next(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *point, *name;
        uint32_t count;
        int r = sd_bus_message_read(m, "ssu", &point, &name, &count);

        if (r >= 0)
                r = fault_add(userdata, FAULT_FAIL, point, name, count);
        return r < 0 ? r : done(m);
}

static int add_fault(sd_bus_message *m, Fake *f, FaultKind kind) {
        const char *point;
        uint32_t count;
        int r = sd_bus_message_read(m, "su", &point, &count);

        if (r >= 0)
                r = fault_add(f, kind, point, "", count);
        return r < 0 ? r : done(m);
}

static int on_hang(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return add_fault(m, userdata, FAULT_HANG);
}

static int on_drop_at(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return add_fault(m, userdata, FAULT_DROP);
}

static int on_suppress_connected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Fake *f = userdata;
        int on, r = sd_bus_message_read(m, "b", &on);

        if (r < 0)
                return r;
        f->suppress_connected = on;
        return done(m);
}

static int on_stop_scan(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Fake *f = userdata;
        const char *until;
        int r = sd_bus_message_read(m, "s", &until);

        if (r < 0)
                return r;
        f->scan_trouble = trouble_parse(until);
        return done(m);
}

static int on_malformed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *address, *uuid, *kind;
        Device *d;
        Characteristic *c;
        int r = sd_bus_message_read(m, "sss", &address, &uuid, &kind);

        if (r < 0)
                return r;
        d = device_find(userdata, address);
        c = d && *uuid ? gatt_find(d, uuid) : NULL;
        if (!d || (*uuid && !c))
                return no_such(m, "characteristic");
        r = c ? fault_malformed(c, kind) : fault_malformed_advert(d, kind);
        return r < 0 ? no_such(m, "kind") : done(m);
}

/* ---- adapter and daemon ---- */

static int on_remove_adapter(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        adapter_remove(userdata);
        return done(m);
}

static int on_add_adapter(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        int powered, r = sd_bus_message_read(m, "b", &powered);

        if (r < 0)
                return r;
        adapter_add(userdata, powered);
        return done(m);
}

static int on_restart(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        uint64_t down_us;
        int r = sd_bus_message_read(m, "t", &down_us);

        if (r < 0)
                return r;
        fake_restart(userdata, down_us);
        return done(m);
}

static int on_return(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        int r = fake_open(userdata);

        return r < 0 ? r : done(m);
}

/* ---- what was done ---- */

static int on_counters(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const Fake *f = userdata;
        int r = sd_bus_message_new_method_return(call, &m);

        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{su}");
        for (size_t i = 0; r >= 0 && i < f->n_counters; i++)
                r = sd_bus_message_append(m, "{su}", f->counters[i].what, f->counters[i].n);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_send(NULL, m, NULL);
}

static int on_log(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const Fake *f = userdata;
        int r = sd_bus_message_new_method_return(call, &m);

        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; r >= 0 && i < f->n_log; i++)
                r = sd_bus_message_append(m, "s", f->log[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_send(NULL, m, NULL);
}

static int on_clear(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Fake *f = userdata;

        fake_log_clear(f);
        f->n_faults = 0;
        return done(m);
}

static int on_state(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *address;
        const Device *d;
        int r = sd_bus_message_read(call, "s", &address);

        if (r < 0)
                return r;
        d = device_find(userdata, address);
        if (!d)
                return no_such(call, "device");
        r = sd_bus_message_new_method_return(call, &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "bbbbbx", d->connected, d->resolved, d->paired, d->bonded,
                                d->trusted, d->clock_offset_s);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; r >= 0 && i < d->n_characteristics; i++)
                if (d->characteristics[i].notifying)
                        r = sd_bus_message_append(m, "s", d->characteristics[i].uuid);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_send(NULL, m, NULL);
}

static int on_adapter(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const Fake *f = userdata;

        return sd_bus_reply_method_return(
                        m, "bbs", f->powered, f->discovering, *f->agent_owner ? f->agent_capability : "");
}

#define METHOD(name, in, out, handler) SD_BUS_METHOD(name, in, out, handler, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable control_vtable[] = {
        SD_BUS_VTABLE_START(0),
        METHOD("Notify", "ssay", "b", on_notify),
        METHOD("Sample", "ss", "b", on_sample),
        METHOD("Stream", "uu", "", on_stream),
        METHOD("Advert", "ssay", "", on_advert),
        METHOD("Range", "sb", "", on_range),
        METHOD("DropLink", "s", "", on_drop_link),
        METHOD("Vanish", "s", "", on_vanish),
        METHOD("Stale", "ss", "", on_stale),
        METHOD("AddRecord", "s", "", on_add_record),
        METHOD("SetClock", "sx", "", on_set_clock),
        METHOD("FalseBond", "sb", "", on_false_bond),
        METHOD("FailNext", "ssu", "", on_fail_next),
        METHOD("Hang", "su", "", on_hang),
        METHOD("DropAt", "su", "", on_drop_at),
        METHOD("SuppressConnected", "b", "", on_suppress_connected),
        METHOD("StopScanSilently", "s", "", on_stop_scan),
        METHOD("RemoveAdapter", "", "", on_remove_adapter),
        METHOD("AddAdapter", "b", "", on_add_adapter),
        METHOD("Restart", "t", "", on_restart),
        METHOD("Return", "", "", on_return),
        METHOD("Malformed", "sss", "", on_malformed),
        METHOD("Counters", "", "a{su}", on_counters),
        METHOD("Log", "", "as", on_log),
        METHOD("Clear", "", "", on_clear),
        METHOD("State", "s", "bbbbbxas", on_state),
        METHOD("Adapter", "", "bbs", on_adapter),
        SD_BUS_VTABLE_END,
};

int control_open(Fake *f) {
        int r = sd_bus_open_system(&f->control);

        if (r >= 0)
                r = sd_bus_add_object_vtable(f->control, NULL, "/org/wardstone/Fake", "org.wardstone.Fake1",
                                control_vtable, f);
        if (r >= 0)
                r = sd_bus_request_name(f->control, "org.wardstone.Fake", 0);
        return r < 0 ? r : sd_bus_attach_event(f->control, f->event, SD_EVENT_PRIORITY_NORMAL);
}
