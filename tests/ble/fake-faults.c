/* What goes wrong on purpose, and what is counted. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "ble/fake.h"

int fault_add(Fake *f, FaultKind kind, const char *point_and_address, const char *error, unsigned count) {
        const char *at = strchr(point_and_address, '@');
        Fault *fault;

        if (count == 0 || f->n_faults == FAKE_FAULTS_MAX || strlen(error) >= sizeof(fault->error))
                return -EINVAL;
        fault = &f->faults[f->n_faults++];
        *fault = (Fault){ .kind = kind, .left = count };
        (void) snprintf(fault->point, sizeof(fault->point), "%.*s",
                        at ? (int) (at - point_and_address) : (int) strlen(point_and_address),
                        point_and_address);
        (void) snprintf(fault->address, sizeof(fault->address), "%s", at ? at + 1 : "");
        (void) snprintf(fault->error, sizeof(fault->error), "%s", error);
        return 0;
}

const Fault *fault_take(Fake *f, FaultKind kind, const char *point, const Device *d) {
        for (size_t i = 0; i < f->n_faults; i++) {
                Fault *fault = &f->faults[i];

                if (fault->left == 0 || fault->kind != kind || !streq(fault->point, point) ||
                                (*fault->address && (!d || !streq(fault->address, d->address))))
                        continue;
                fault->left--;
                fake_log(f, "fault at %s", point);
                return fault;
        }
        return NULL;
}

void fake_log(Fake *f, const char *format, ...) {
        char *line = NULL;
        va_list arguments;

        va_start(arguments, format);
        if (vasprintf(&line, format, arguments) < 0)
                line = NULL;
        va_end(arguments);
        if (!line)
                return;
        if (f->n_log == FAKE_LOG_MAX) { /* the oldest half goes */
                for (size_t i = 0; i < FAKE_LOG_MAX / 2; i++)
                        free(f->log[i]);
                f->n_log = FAKE_LOG_MAX - FAKE_LOG_MAX / 2;
                memmove(f->log, f->log + FAKE_LOG_MAX / 2, f->n_log * sizeof(char *));
        }
        f->log[f->n_log++] = line;
}

void fake_log_clear(Fake *f) {
        for (size_t i = 0; i < f->n_log; i++)
                free(f->log[i]);
        f->n_log = f->n_counters = 0;
}

/* "ADDRESS Method 2a37", without what does not apply. */
void fake_count(Fake *f, const Device *d, const char *what, const char *uuid) {
        char key[sizeof(f->counters->what)], number[8] = "";
        size_t i = 0;

        if (uuid && profile_uuid_parse(uuid))
                (void) snprintf(number, sizeof(number), " %04x", profile_uuid_parse(uuid));
        (void) snprintf(key, sizeof(key), "%s%s%s%s%s", d ? d->address : "", d ? " " : "", what,
                        uuid && !*number ? " " : "", uuid && !*number ? uuid : number);
        fake_log(f, "%s", key);
        while (i < f->n_counters && !streq(f->counters[i].what, key))
                i++;
        if (i == FAKE_COUNTERS_MAX)
                return;
        if (i == f->n_counters) {
                f->counters[i] = (Counter){ 0 };
                memcpy(f->counters[i].what, key, sizeof(key));
                f->n_counters++;
        }
        f->counters[i].n++;
}

/* ---- signals with wrong types ---- */

static int changed(Fake *f, const Object *o, const char *types, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        va_list arguments;
        int r = sd_bus_message_new_signal(
                        f->bus, &m, o->path, "org.freedesktop.DBus.Properties", "PropertiesChanged");

        va_start(arguments, types);
        if (r >= 0)
                r = sd_bus_message_appendv(m, types, arguments);
        va_end(arguments);
        return r < 0 ? r : sd_bus_send(f->bus, m, NULL);
}

int fault_malformed(Characteristic *c, const char *kind) {
        Fake *f = c->object.device->fake;
        const Object *o = &c->object;
        const char *name = o->interface->name;
        uint8_t huge[32768] = { 0x16, 72 };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        if (streq(kind, "string"))
                return changed(f, o, "sa{sv}as", name, 1, "Value", "s", "72", 0);
        if (streq(kind, "numbers"))
                return changed(f, o, "sa{sv}as", name, 1, "Value", "au", 2, 0x16U, 72U, 0);
        if (streq(kind, "nested"))
                return changed(f, o, "sa{sv}as", name, 1, "Value", "v", "ay", 2, 0x16, 72, 0);
        if (streq(kind, "none"))
                return changed(f, o, "sa{sv}as", name, 0, 1, "Value");
        if (streq(kind, "empty"))
                return changed(f, o, "sa{sv}as", name, 1, "Value", "ay", 0, 0);
        if (streq(kind, "twice"))
                return changed(f, o, "sa{sv}as", name, 2, "Value", "s", "72", "Value", "b", 1, 0);
        if (streq(kind, "interface"))
                return changed(f, o, "sa{sv}as", "org.example.Other1", 1, "Value", "ay", 2, 0x16, 72, 0);
        if (streq(kind, "body"))
                return changed(f, o, "u", 72U);
        if (streq(kind, "no-body"))
                return changed(f, o, "");
        if (streq(kind, "huge")) {
                int r = sd_bus_message_new_signal(
                                f->bus, &m, o->path, "org.freedesktop.DBus.Properties", "PropertiesChanged");

                if (r >= 0)
                        r = sd_bus_message_append(m, "s", name);
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'a', "{sv}");
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", "Value");
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'v', "ay");
                if (r >= 0)
                        r = sd_bus_message_append_array(m, 'y', huge, sizeof(huge));
                for (int i = 0; r >= 0 && i < 3; i++)
                        r = sd_bus_message_close_container(m);
                if (r >= 0)
                        r = sd_bus_message_append(m, "as", 0);
                return r < 0 ? r : sd_bus_send(f->bus, m, NULL);
        }
        return -EINVAL;
}

int fault_malformed_advert(Device *d, const char *kind) {
        Fake *f = d->fake;
        const Object *o = &d->object;
        const char *name = o->interface->name;

        if (streq(kind, "manufacturer-string"))
                return changed(f, o, "sa{sv}as", name, 1, "ManufacturerData", "s", "0499", 0);
        if (streq(kind, "manufacturer-keys"))
                return changed(f, o, "sa{sv}as", name, 1, "ManufacturerData", "a{sv}", 1, "0499", "ay", 2, 5,
                                0, 0);
        if (streq(kind, "manufacturer-values"))
                return changed(f, o, "sa{sv}as", name, 1, "ManufacturerData", "a{qv}", 1, 0x0499, "s", "05",
                                0);
        if (streq(kind, "service-values"))
                return changed(f, o, "sa{sv}as", name, 1, "ServiceData", "a{sv}", 1, "fcd2", "u", 64U, 0);
        if (streq(kind, "rssi"))
                return changed(f, o, "sa{sv}as", name, 1, "RSSI", "s", "-60", 0);
        if (streq(kind, "connected"))
                return changed(f, o, "sa{sv}as", name, 1, "Connected", "s", "yes", 0);
        if (streq(kind, "added"))
                return sd_bus_emit_signal(f->bus, "/", "org.freedesktop.DBus.ObjectManager",
                                "InterfacesAdded", "s", o->path);
        if (streq(kind, "added-properties"))
                return sd_bus_emit_signal(f->bus, "/", "org.freedesktop.DBus.ObjectManager",
                                "InterfacesAdded", "oa{sa{sv}}", "/org/bluez/hci0/dev_FF_FF", 1, name, 2,
                                "Address", "u", 7U, "UUIDs", "s", "");
        if (streq(kind, "removed"))
                return sd_bus_emit_signal(f->bus, "/", "org.freedesktop.DBus.ObjectManager",
                                "InterfacesRemoved", "ou", o->path, 1U);
        return -EINVAL;
}
