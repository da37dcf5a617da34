/* A sensor with every service of profile.h, put on the air by the real BlueZ:
 *
 *   peripheral [--adapter hci1] [--period MILLISECONDS] [--records N] [--clock SECONDS] [--away MILLISECONDS]
 *
 * What a central has subscribed to is notified every period with the next value of profile.h, indications (spot
 * measurements, which carry a time) every 50 periods; glucose readings wait for the record access control point, behind
 * an encrypted link. --records says how many of them there are, --clock by how much the device's clock is ahead. SIGUSR1
 * takes it out of range for a while (--away), by switching its radio off.
 *
 * SIGUSR2 is its button: from then on it pairs with whoever asks (its agent becomes the default one, without keys or
 * display). Before, nobody is there who would say yes.
 *
 * It registers again when bluetoothd comes back. Says on its standard output what happens to it: "address ADDRESS" once
 * it is on the air, "clock SECONDS" when its clock is set, "bluetoothd is gone", "out of range". */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "ble/glucose.h"

enum {
        CHARACTERISTICS_MAX = 24,
        REGISTER_US = 100000, /* between two tries to register */
        REPORT_US = 100000,   /* between two stored readings */
        SPOT_PERIODS = 50,    /* between two measurements of what doesn't measure all the time */
        CALL_US = 5000000,
};

static const char app_path[] = "/org/wardstone/peripheral";
static const char advert_path[] = "/org/wardstone/advert";
static const char agent_path[] = "/org/wardstone/agent";

typedef struct Peripheral Peripheral;

typedef struct Attribute {
        Peripheral *peripheral;
        const ProfileService *service;
        const ProfileCharacteristic *profile; /* NULL: the service itself */
        char path[64], service_path[64];
        bool notifying;
        unsigned n_samples, n_periods; /* since it was subscribed to */
        uint8_t value[PROFILE_VALUE_MAX];
        size_t value_len;
} Attribute;

struct Peripheral {
        sd_event *event;
        sd_bus *bus;
        char adapter[32];
        uint64_t period_us, away_us;
        int64_t clock_offset_s;
        Glucose glucose;
        Attribute services[16], attributes[CHARACTERISTICS_MAX];
        size_t n_services, n_attributes;
        bool on_air;
        sd_event_source *registering, *sampling, *report, *away;
};

_printf_(1, 2) static void say(const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void) vprintf(format, arguments);
        va_end(arguments);
        (void) putchar('\n');
        (void) fflush(stdout);
}

static int64_t device_clock(const Peripheral *p) {
        return time(NULL) + p->clock_offset_s;
}

/* The source fires once more after so long. */
static int again(sd_event_source *source, uint64_t us) {
        int r = sd_event_source_set_time_relative(source, us);

        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ---- the attributes ---- */

static int get_uuid(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const Attribute *a = userdata;
        char uuid[PROFILE_UUID_SIZE];

        profile_uuid(a->profile ? a->profile->uuid : a->service->uuid, uuid);
        return sd_bus_message_append(m, "s", uuid);
}

static int get_primary(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(m, "b", true);
}

static int get_service(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(m, "o", ((const Attribute *) userdata)->service_path);
}

/* What is secret is so for reading, writing and subscribing alike. */
static int get_flags(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const Attribute *a = userdata;
        _cleanup_free_ char *copy = strdup(a->profile->flags);
        char *rest = copy, *flag, name[32];
        int r = copy ? sd_bus_message_open_container(m, 'a', "s") : -ENOMEM;

        while (r >= 0 && (flag = strsep(&rest, ","))) {
                r = sd_bus_message_append(m, "s", flag);
                (void) snprintf(name, sizeof(name), "encrypt-%s", flag);
                if (r >= 0 && a->profile->secret)
                        r = sd_bus_message_append(m, "s", name);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int get_value(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const Attribute *a = userdata;

        return sd_bus_message_append_array(m, 'y', a->value, a->value_len);
}

static void notify(Attribute *a, const uint8_t *value, size_t len) {
        if (!a->notifying)
                return;
        memcpy(a->value, value, len);
        a->value_len = len;
        (void) sd_bus_emit_properties_changed(
                        a->peripheral->bus, a->path, "org.bluez.GattCharacteristic1", "Value", NULL);
}

static Attribute *find(Peripheral *p, uint16_t uuid) {
        for (size_t i = 0; i < p->n_attributes; i++)
                if (p->attributes[i].profile->uuid == uuid)
                        return &p->attributes[i];
        return NULL;
}

static int on_read(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Attribute *a = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_return(call, &m);

        if (a->profile->value) {
                a->value_len = a->profile->value_len;
                memcpy(a->value, a->profile->value, a->value_len);
        } else {
                a->value_len = profile_sample(
                                a->profile->uuid, a->n_samples, device_clock(a->peripheral), a->value);
        }
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'y', a->value, a->value_len);
        return r < 0 ? r : sd_bus_send(NULL, m, NULL);
}

static int on_report(sd_event_source *source, uint64_t usec, void *userdata) {
        Peripheral *p = userdata;
        uint8_t value[PROFILE_VALUE_MAX];
        size_t n;

        if (p->glucose.end == 0)
                return 0;
        if (glucose_take(&p->glucose, value, &n)) {
                notify(find(p, 0x2a18), value, n);
                return again(source, REPORT_US);
        }
        notify(find(p, 0x2a52), value, n);
        glucose_reset(&p->glucose);
        return 0;
}

static int write_access(Attribute *a, sd_bus_message *m, Bytes request) {
        Peripheral *p = a->peripheral;
        uint8_t value[PROFILE_VALUE_MAX];
        size_t n;
        int r = sd_bus_reply_method_return(m, "");

        switch (glucose_request(&p->glucose, request, value, &n)) {
        case GLUCOSE_BUSY:
                break;
        case GLUCOSE_RESPONSE:
                notify(a, value, n);
                break;
        case GLUCOSE_REPORT:
                r = again(p->report, REPORT_US);
                break;
        }
        return r;
}

static int on_write(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Attribute *a = userdata;
        const void *data;
        size_t n;
        int64_t clock_s;
        int r = sd_bus_message_read_array(m, 'y', &data, &n);

        if (r < 0)
                return r;
        if (a->profile->uuid == 0x2a52)
                return write_access(a, m, BYTES(data, n));
        if (n != PROFILE_CURRENT_TIME_SIZE || profile_take_time(BYTES(data, n), &clock_s) < 0)
                return sd_bus_reply_method_errorf(
                                m, "org.bluez.Error.InvalidValueLength", "no current time");
        a->peripheral->clock_offset_s = clock_s - time(NULL);
        say("clock %lld", (long long) a->peripheral->clock_offset_s);
        return sd_bus_reply_method_return(m, "");
}

static int on_start_notify(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Attribute *a = userdata;

        a->notifying = true;
        a->n_periods = 0;
        return sd_bus_reply_method_return(m, "");
}

static int on_stop_notify(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        ((Attribute *) userdata)->notifying = false;
        return sd_bus_reply_method_return(m, "");
}

static int on_yes(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(m, "");
}

#define METHOD(name, in, out, handler) SD_BUS_METHOD(name, in, out, handler, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable service_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("UUID", "s", get_uuid, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Primary", "b", get_primary, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable characteristic_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("UUID", "s", get_uuid, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Service", "o", get_service, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Flags", "as", get_flags, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Value", "ay", get_value, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        METHOD("ReadValue", "a{sv}", "ay", on_read),
        METHOD("WriteValue", "aya{sv}", "", on_write),
        METHOD("StartNotify", "", "", on_start_notify),
        METHOD("StopNotify", "", "", on_stop_notify),
        METHOD("Confirm", "", "", on_yes), /* of an indication */
        SD_BUS_VTABLE_END,
};

_printf_(2, 3) static void set_path(Attribute *a, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(a->path, sizeof(a->path), format, arguments);
        va_end(arguments);
}

static int add_service(Peripheral *p, const ProfileService *profile) {
        Attribute *s = &p->services[p->n_services++];
        int r;

        *s = (Attribute){ .peripheral = p, .service = profile };
        set_path(s, "%s/service%02zu", app_path, p->n_services);
        r = sd_bus_add_object_vtable(p->bus, NULL, s->path, "org.bluez.GattService1", service_vtable, s);
        for (size_t i = 0; r >= 0 && i < profile->n_characteristics; i++) {
                Attribute *a = &p->attributes[p->n_attributes++];

                *a = (Attribute){
                        .peripheral = p, .service = profile, .profile = &profile->characteristics[i]
                };
                memcpy(a->service_path, s->path, sizeof(a->service_path));
                set_path(a, "%s/char%02zu", s->path, i);
                r = sd_bus_add_object_vtable(p->bus, NULL, a->path, "org.bluez.GattCharacteristic1",
                                characteristic_vtable, a);
        }
        return r;
}

/* ---- the advert ---- */

static int get_type(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(m, "s", "peripheral");
}

static int get_name(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(m, "s", "WS-1");
}

static int get_discoverable(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(m, "b", true);
}

/* As many as an advert has room for: those that measure. */
static int get_uuids(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *m, void *userdata, sd_bus_error *error) {
        char uuid[PROFILE_UUID_SIZE];
        int r = sd_bus_message_open_container(m, 'a', "s");

        for (size_t i = 0; r >= 0 && i < MIN(n_profile_services, (size_t) 6); i++) {
                profile_uuid(profile_services[i].uuid, uuid);
                r = sd_bus_message_append(m, "s", uuid);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static const sd_bus_vtable advert_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Type", "s", get_type, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("LocalName", "s", get_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Discoverable", "b", get_discoverable, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("ServiceUUIDs", "as", get_uuids, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        METHOD("Release", "", "", on_yes),
        SD_BUS_VTABLE_END,
};

/* ---- the agent ---- */

static const sd_bus_vtable agent_vtable[] = {
        SD_BUS_VTABLE_START(0),
        METHOD("Release", "", "", on_yes),
        METHOD("Cancel", "", "", on_yes),
        METHOD("RequestAuthorization", "o", "", on_yes),
        METHOD("RequestConfirmation", "ou", "", on_yes),
        METHOD("AuthorizeService", "os", "", on_yes),
        SD_BUS_VTABLE_END,
};

/* ---- being on the air ---- */

static int on_advertised(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Peripheral *p = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error wrong = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *address = NULL;

        if (sd_bus_message_is_method_error(m, NULL) ||
                        sd_bus_get_property_string(p->bus, "org.bluez", p->adapter, "org.bluez.Adapter1",
                                        "Address", &wrong, &address) < 0)
                return again(p->registering, REGISTER_US);
        p->on_air = true;
        say("address %s", address);
        return 0;
}

static int advertise(Peripheral *p) {
        return sd_bus_call_method_async(p->bus, NULL, "org.bluez", p->adapter,
                        "org.bluez.LEAdvertisingManager1", "RegisterAdvertisement", on_advertised, p,
                        "oa{sv}", advert_path, 0);
}

static int on_registered(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Peripheral *p = userdata;

        /* the application may be there from a try whose advert was too early */
        if (sd_bus_message_is_method_error(m, NULL) &&
                        !sd_bus_message_is_method_error(m, "org.bluez.Error.AlreadyExists"))
                return again(p->registering, REGISTER_US);
        return advertise(p);
}

static int on_registering(sd_event_source *source, uint64_t usec, void *userdata) {
        const Peripheral *p = userdata;

        return sd_bus_call_method_async(p->bus, NULL, "org.bluez", p->adapter, "org.bluez.GattManager1",
                        "RegisterApplication", on_registered, userdata, "oa{sv}", app_path, 0);
}

static void end_subscriptions(Peripheral *p) {
        for (size_t i = 0; i < p->n_attributes; i++)
                p->attributes[i].notifying = false;
        glucose_reset(&p->glucose);
        p->on_air = false;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Peripheral *p = userdata;
        const char *name, *old_owner, *new_owner;

        if (sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner) < 0 || !streq(name, "org.bluez"))
                return 0;
        end_subscriptions(p);
        if (*new_owner)
                return again(p->registering, REGISTER_US);
        say("bluetoothd is gone");
        return 0;
}

static int set_powered(Peripheral *p, bool on) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_set_property(
                        p->bus, "org.bluez", p->adapter, "org.bluez.Adapter1", "Powered", &error, "b", on);

        if (r < 0)
                say("can't switch the radio: %s", error.message);
        return r;
}

static int on_away(sd_event_source *source, uint64_t usec, void *userdata) {
        Peripheral *p = userdata;

        if (set_powered(p, true) < 0)
                return again(source, REGISTER_US);
        (void) sd_bus_call_method(p->bus, "org.bluez", p->adapter, "org.bluez.LEAdvertisingManager1",
                        "UnregisterAdvertisement", NULL, NULL, "o", advert_path);
        return again(p->registering, 1);
}

static int on_leave(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Peripheral *p = userdata;

        if (set_powered(p, false) < 0)
                return 0;
        end_subscriptions(p);
        say("out of range");
        return again(p->away, p->away_us);
}

static int on_button(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Peripheral *p = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(p->bus, "org.bluez", "/org/bluez", "org.bluez.AgentManager1",
                        "RegisterAgent", &error, NULL, "os", agent_path, "NoInputNoOutput");

        if (r >= 0)
                r = sd_bus_call_method(p->bus, "org.bluez", "/org/bluez", "org.bluez.AgentManager1",
                                "RequestDefaultAgent", &error, NULL, "o", agent_path);
        say("%s", r < 0 ? error.message : "ready to pair");
        return 0;
}

static int on_sampling(sd_event_source *source, uint64_t usec, void *userdata) {
        Peripheral *p = userdata;
        uint8_t value[PROFILE_VALUE_MAX];

        for (size_t i = 0; i < p->n_attributes; i++) {
                Attribute *a = &p->attributes[i];
                bool spot = profile_has_flag(a->profile, "indicate") || a->profile->uuid == 0x2a2b;
                size_t n;

                if (!a->notifying || (a->n_periods++ % SPOT_PERIODS > 0 && spot))
                        continue;
                n = profile_sample(a->profile->uuid, a->n_samples, device_clock(p), value);
                if (n == 0)
                        continue;
                a->n_samples++;
                notify(a, value, n);
        }
        return again(source, p->period_us);
}

static int open_events(Peripheral *p) {
        sigset_t mask;
        int r = sd_event_default(&p->event);

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGUSR1);
        (void) sigaddset(&mask, SIGUSR2);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        if (r >= 0)
                r = sd_event_add_signal(p->event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(p->event, NULL, SIGUSR1, on_leave, p);
        if (r >= 0)
                r = sd_event_add_signal(p->event, NULL, SIGUSR2, on_button, p);
        if (r >= 0)
                r = sd_event_add_time_relative(
                                p->event, &p->registering, CLOCK_MONOTONIC, 1, 1, on_registering, p);
        if (r >= 0)
                r = sd_event_add_time_relative(
                                p->event, &p->sampling, CLOCK_MONOTONIC, p->period_us, 1, on_sampling, p);
        if (r >= 0)
                r = sd_event_add_time_relative(p->event, &p->report, CLOCK_MONOTONIC, 0, 1, on_report, p);
        if (r >= 0)
                r = sd_event_add_time_relative(p->event, &p->away, CLOCK_MONOTONIC, 0, 1, on_away, p);
        if (r >= 0)
                r = sd_event_source_set_enabled(p->report, SD_EVENT_OFF);
        return r < 0 ? r : sd_event_source_set_enabled(p->away, SD_EVENT_OFF);
}

static int open_bus(Peripheral *p) {
        int r = sd_bus_open_system(&p->bus);

        if (r >= 0)
                r = sd_bus_set_method_call_timeout(p->bus, CALL_US);
        if (r >= 0)
                r = sd_bus_add_object_manager(p->bus, NULL, app_path);
        for (size_t i = 0; r >= 0 && i < n_profile_services; i++)
                r = add_service(p, &profile_services[i]);
        if (r >= 0)
                r = sd_bus_add_object_vtable(
                                p->bus, NULL, advert_path, "org.bluez.LEAdvertisement1", advert_vtable, p);
        if (r >= 0)
                r = sd_bus_add_object_vtable(p->bus, NULL, agent_path, "org.bluez.Agent1", agent_vtable, p);
        if (r >= 0)
                r = sd_bus_match_signal(p->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                "org.freedesktop.DBus", "NameOwnerChanged", on_owner_changed, p);
        return r < 0 ? r : sd_bus_attach_event(p->bus, p->event, SD_EVENT_PRIORITY_NORMAL);
}

static int read_arguments(Peripheral *p, int argc, char **argv) {
        long records = 0;

        for (int i = 1; i < argc; i += 2) {
                const char *value = i + 1 < argc ? argv[i + 1] : "";

                if (streq(argv[i], "--adapter"))
                        (void) snprintf(p->adapter, sizeof(p->adapter), "/org/bluez/%.16s", value);
                else if (streq(argv[i], "--period"))
                        p->period_us = 1000 * strtoul(value, NULL, 10);
                else if (streq(argv[i], "--away"))
                        p->away_us = 1000 * strtoul(value, NULL, 10);
                else if (streq(argv[i], "--records"))
                        records = strtol(value, NULL, 10);
                else if (streq(argv[i], "--clock"))
                        p->clock_offset_s = strtoll(value, NULL, 10);
                else
                        return -EINVAL;
        }
        for (long i = 0; i < records; i++)
                if (glucose_add(&p->glucose, device_clock(p) - 60 * (records - i)) < 0)
                        return -EINVAL;
        return 0;
}

static void close_all(Peripheral *p) {
        (void) sd_event_source_disable_unref(p->registering);
        (void) sd_event_source_disable_unref(p->sampling);
        (void) sd_event_source_disable_unref(p->report);
        (void) sd_event_source_disable_unref(p->away);
        (void) sd_bus_flush_close_unref(p->bus);
        (void) sd_event_unref(p->event);
}

int main(int argc, char **argv) {
        Peripheral p = { .adapter = "/org/bluez/hci1", .period_us = 200000, .away_us = 1500000 };
        int r = read_arguments(&p, argc, argv);

        if (r >= 0)
                r = open_events(&p);
        if (r >= 0)
                r = open_bus(&p);
        if (r >= 0)
                r = sd_event_loop(p.event);
        if (r < 0)
                (void) fprintf(stderr, "peripheral: %s\n", strerror(-r));
        close_all(&p);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
