/* Services and characteristics of a device: reading, writing, notifying, and the glucose meter's control point. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "ble/fake.h"

int64_t fake_now_s(void) {
        return time(NULL);
}

static const Characteristic *characteristic_of(const Object *o) {
        return container_of(o, Characteristic, object);
}

static int append_service_uuid(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "s", container_of(o, Service, object)->uuid);
}

static int append_device(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "o", o->device->object.path);
}

static int append_yes(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "b", true);
}

static int append_no_paths(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "ao", 0);
}

static const Property service_properties[] = {
        { "UUID", "s", append_service_uuid },
        { "Device", "o", append_device },
        { "Primary", "b", append_yes },
        { "Includes", "ao", append_no_paths },
        {},
};
const Interface service_interface = { "org.bluez.GattService1", service_properties, NULL };

static int append_descriptor_uuid(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "s", "00002902-0000-1000-8000-00805f9b34fb");
}

static int append_characteristic(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "o", container_of(o, Characteristic, descriptor)->object.path);
}

static const Property descriptor_properties[] = {
        { "UUID", "s", append_descriptor_uuid },
        { "Characteristic", "o", append_characteristic },
        {},
};
const Interface descriptor_interface = { "org.bluez.GattDescriptor1", descriptor_properties, NULL };

static int append_uuid(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "s", characteristic_of(o)->uuid);
}

static int append_service(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "o", characteristic_of(o)->service->object.path);
}

static int append_value(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append_array(
                        m, 'y', characteristic_of(o)->value, characteristic_of(o)->value_len);
}

static bool notifies(const Object *o) {
        return profile_notifies(characteristic_of(o)->profile);
}

static int append_notifying(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "b", characteristic_of(o)->notifying);
}

static int append_flags(sd_bus_message *m, const Object *o) {
        _cleanup_free_ char *copy = strdup(characteristic_of(o)->profile->flags);
        char *rest = copy, *flag;
        int r = copy ? sd_bus_message_open_container(m, 'a', "s") : -ENOMEM;

        while (r >= 0 && (flag = strsep(&rest, ",")))
                r = sd_bus_message_append(m, "s", flag);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_mtu(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "q", 185);
}

/* ---- who may ---- */

/* What BlueZ does when the device wants encryption: with an agent it pairs by itself; without one the request fails and
 * the link goes. Returns > 0 after it has answered the call so. */
static int want_bond(Characteristic *c, sd_bus_message *call) {
        Device *d = c->object.device;
        Fake *f = d->fake;

        if (!(d->sealed || c->profile->secret) || d->bonded)
                return 0;
        if (*f->agent_owner && !d->paired && d->passkey == 0) {
                (void) device_pair_now(d);
                if (d->bonded)
                        return 0;
        }
        device_drop(d);
        return sd_bus_reply_method_errorf(
                               call, "org.bluez.Error.Failed", "Operation failed with ATT error: 0x0e") < 0
                               ? -EIO
                               : 1;
}

static int reply_att(sd_bus_message *call, unsigned code) {
        return sd_bus_reply_method_errorf(
                        call, "org.bluez.Error.Failed", "Operation failed with ATT error: 0x%02x", code);
}

/* ---- notifying ---- */

bool gatt_notify(Characteristic *c, Bytes value) {
        if (!c->notifying || c->stale || value.len > sizeof(c->value))
                return false;
        c->value_len = value.len;
        memcpy(c->value, value.data, value.len);
        object_changed(c->object.device->fake, &c->object, "Value");
        return true;
}

bool gatt_notify_sample(Characteristic *c) {
        uint8_t value[PROFILE_VALUE_MAX];
        const Device *d = c->object.device;
        size_t n = profile_sample(c->profile->uuid, c->n_samples, device_clock(d, fake_now_s()), value);

        if (n == 0 || !gatt_notify(c, BYTES(value, n)))
                return false;
        c->n_samples++;
        return true;
}

static int start_notify(Fake *f, Object *o, sd_bus_message *call) {
        Characteristic *c = container_of(o, Characteristic, object);
        int r;

        if (!notifies(o))
                return sd_bus_reply_method_errorf(
                                call, "org.bluez.Error.NotSupported", "Operation is not supported");
        if (o->device->leaving)
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.NotConnected", "Not Connected");
        r = want_bond(c, call);
        if (r != 0)
                return r;
        if (!c->notifying) {
                if (o->device->stale_until == TROUBLE_RESUBSCRIBE)
                        gatt_set_trouble(o->device, TROUBLE_NONE);
                c->notifying = true;
                c->stale = o->device->stale_until != TROUBLE_NONE;
                object_changed(f, o, "Notifying");
        }
        return sd_bus_reply_method_return(call, "");
}

static int stop_notify(Fake *f, Object *o, sd_bus_message *call) {
        Characteristic *c = container_of(o, Characteristic, object);

        if (!c->notifying)
                return sd_bus_reply_method_errorf(
                                call, "org.bluez.Error.Failed", "No notify session started");
        c->notifying = false;
        object_changed(f, o, "Notifying");
        return sd_bus_reply_method_return(call, "");
}

/* ---- reading and writing ---- */

static int read_value(Fake *f, Object *o, sd_bus_message *call) {
        Characteristic *c = container_of(o, Characteristic, object);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        if (!profile_has_flag(c->profile, "read"))
                return sd_bus_reply_method_errorf(
                                call, "org.bluez.Error.NotPermitted", "Read not permitted");
        r = want_bond(c, call);
        if (r != 0)
                return r;
        if (c->profile->value) {
                c->value_len = c->profile->value_len;
                memcpy(c->value, c->profile->value, c->value_len);
        } else {
                c->value_len = profile_sample(c->profile->uuid, c->n_samples,
                                device_clock(o->device, fake_now_s()), c->value);
        }
        object_changed(f, o, "Value"); /* so does BlueZ for a read */
        r = sd_bus_message_new_method_return(call, &m);
        if (r >= 0)
                r = append_value(m, o);
        return r < 0 ? r : sd_bus_send(f->bus, m, NULL);
}

static int on_report(sd_event_source *source, uint64_t usec, void *userdata) {
        Device *d = userdata;
        Characteristic *measurement = gatt_find(d, "2a18"), *control = gatt_find(d, "2a52");
        uint8_t value[PROFILE_VALUE_MAX];
        bool more;
        size_t n;

        d->report = sd_event_source_disable_unref(d->report);
        if (!d->connected || d->glucose.end == 0)
                return 0;
        if (fault_take(d->fake, FAULT_DROP, "report", d)) {
                device_drop(d);
                return 0;
        }
        more = glucose_take(&d->glucose, value, &n);
        (void) gatt_notify(more ? measurement : control, BYTES(value, n));
        if (!more) {
                glucose_reset(&d->glucose);
                return 0;
        }
        return sd_event_add_time_relative(
                        d->fake->event, &d->report, CLOCK_MONOTONIC, FAKE_STEP_US, 1, on_report, d);
}

static int write_access(Characteristic *c, sd_bus_message *call, Bytes request) {
        Device *d = c->object.device;
        const Characteristic *measurement = gatt_find(d, "2a18");
        uint8_t value[PROFILE_VALUE_MAX];
        size_t n;
        int r;

        if (!c->notifying || !measurement->notifying)
                return reply_att(call, 0xfd); /* CCCD improperly configured */
        switch (glucose_request(&d->glucose, request, value, &n)) {
        case GLUCOSE_BUSY:
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.InProgress", "In Progress");
        case GLUCOSE_RESPONSE:
                r = sd_bus_reply_method_return(call, "");
                (void) gatt_notify(c, BYTES(value, n));
                return r;
        case GLUCOSE_REPORT:
                r = sd_bus_reply_method_return(call, "");
                if (r >= 0 && !d->report)
                        r = sd_event_add_time_relative(d->fake->event, &d->report, CLOCK_MONOTONIC,
                                        FAKE_STEP_US, 1, on_report, d);
                return r;
        }
        return -EINVAL;
}

static int write_value(Fake *f, Object *o, sd_bus_message *call) {
        Characteristic *c = container_of(o, Characteristic, object);
        const void *data;
        size_t n;
        int64_t clock_s;
        int r = sd_bus_message_read_array(call, 'y', &data, &n);

        if (r < 0)
                return r;
        if (!profile_has_flag(c->profile, "write"))
                return sd_bus_reply_method_errorf(
                                call, "org.bluez.Error.NotPermitted", "Write not permitted");
        r = want_bond(c, call);
        if (r != 0)
                return r;
        if (c->profile->uuid == 0x2a52) {
                fake_log(f, "%s RACP %02x %02x %d", o->device->address,
                                n > 0 ? ((const uint8_t *) data)[0] : 0,
                                n > 1 ? ((const uint8_t *) data)[1] : 0,
                                n > 4 ? le16_read((const uint8_t *) data + 3) : -1);
                return write_access(c, call, BYTES(data, n));
        }
        if (o->device->clock_locked)
                return reply_att(call, 0x80); /* data field ignored */
        if (n != PROFILE_CURRENT_TIME_SIZE || profile_take_time(BYTES(data, n), &clock_s) < 0)
                return reply_att(call, 0x0d); /* invalid attribute value length */
        o->device->clock_offset_s = clock_s - fake_now_s();
        return sd_bus_reply_method_return(call, "");
}

static const Property characteristic_properties[] = {
        { "UUID", "s", append_uuid },
        { "Service", "o", append_service },
        { "Value", "ay", append_value },
        { "Notifying", "b", append_notifying, .present = notifies },
        { "Flags", "as", append_flags },
        { "MTU", "q", append_mtu },
        {},
};
static const Method characteristic_methods[] = {
        { "ReadValue", "a{sv}", read_value },
        { "WriteValue", "aya{sv}", write_value },
        { "StartNotify", "", start_notify },
        { "StopNotify", "", stop_notify },
        {},
};
const Interface characteristic_interface = { "org.bluez.GattCharacteristic1", characteristic_properties,
        characteristic_methods };

/* ---- a device's table of attributes ---- */

void gatt_add(Device *d, const ProfileService *profile) {
        Service *s = &d->services[d->n_services++];
        unsigned handle = 0x10 * (unsigned) d->n_services;

        *s = (Service){ .profile = profile };
        profile_uuid(profile->uuid, s->uuid);
        object_init(d->fake, &s->object, &service_interface, d, "%s/service%04x", d->object.path, handle);
        for (size_t i = 0; i < profile->n_characteristics && d->n_characteristics < FAKE_CHARACTERISTICS_MAX;
                        i++) {
                Characteristic *c = &d->characteristics[d->n_characteristics++];
                unsigned own = handle + 1 + 3 * (unsigned) i;

                *c = (Characteristic){ .profile = &profile->characteristics[i], .service = s };
                profile_uuid(c->profile->uuid, c->uuid);
                object_init(d->fake, &c->object, &characteristic_interface, d, "%s/char%04x", s->object.path,
                                own);
                if (profile_notifies(c->profile))
                        object_init(d->fake, &c->descriptor, &descriptor_interface, d, "%s/desc%04x",
                                        c->object.path, own + 2);
        }
}

void gatt_show(Device *d, size_t from, size_t to) {
        for (size_t i = from; i < to; i++) {
                object_show(d->fake, &d->services[i].object);
                for (size_t k = 0; k < d->n_characteristics; k++) {
                        Characteristic *c = &d->characteristics[k];

                        if (c->service != &d->services[i])
                                continue;
                        object_show(d->fake, &c->object);
                        if (*c->descriptor.path)
                                object_show(d->fake, &c->descriptor);
                }
        }
}

void gatt_hide(Device *d) {
        for (size_t k = 0; k < d->n_characteristics; k++) {
                Characteristic *c = &d->characteristics[k];

                c->notifying = c->stale = false;
                c->value_len = 0;
                object_hide(d->fake, &c->descriptor);
                object_hide(d->fake, &c->object);
        }
        for (size_t i = 0; i < d->n_services; i++)
                object_hide(d->fake, &d->services[i].object);
}

void gatt_set_trouble(Device *d, Trouble until) {
        d->stale_until = until;
        for (size_t k = 0; k < d->n_characteristics; k++)
                d->characteristics[k].stale = until != TROUBLE_NONE;
}

Characteristic *gatt_find(Device *d, const char *uuid) {
        for (size_t k = 0; k < d->n_characteristics; k++)
                if (d->characteristics[k].profile->uuid == profile_uuid_parse(uuid))
                        return &d->characteristics[k];
        return NULL;
}
