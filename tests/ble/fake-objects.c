/* Objects on the bus: method calls find their object and method in tables; ObjectManager and Properties are written by
 * hand, because BlueZ leaves out properties that have no value, and faults need a hand on every answer. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "ble/fake.h"

static const char properties_name[] = "org.freedesktop.DBus.Properties";
static const char manager_name[] = "org.freedesktop.DBus.ObjectManager";

void object_init(Fake *f, Object *o, const Interface *interface, Device *d, const char *path_format, ...) {
        va_list arguments;

        va_start(arguments, path_format);
        (void) vsnprintf(o->path, sizeof(o->path), path_format, arguments);
        va_end(arguments);
        o->interface = interface;
        o->device = d;
        f->objects[f->n_objects++] = o;
}

static Object *find_object(Fake *f, const char *path) {
        for (size_t i = 0; i < f->n_objects; i++)
                if (f->objects[i]->visible && streq(f->objects[i]->path, path))
                        return f->objects[i];
        return NULL;
}

static bool present(const Property *p, const Object *o) {
        return !p->present || p->present(o);
}

static int append_variant(sd_bus_message *m, const Property *p, const Object *o) {
        int r = sd_bus_message_open_container(m, 'v', p->type);

        if (r >= 0)
                r = p->append(m, o);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_entry(sd_bus_message *m, const Property *p, const Object *o) {
        int r = sd_bus_message_open_container(m, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append(m, "s", p->name);
        if (r >= 0)
                r = append_variant(m, p, o);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_properties(sd_bus_message *m, const Object *o) {
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        for (const Property *p = o->interface->properties; r >= 0 && p && p->name; p++)
                if (present(p, o))
                        r = append_entry(m, p, o);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* a{sa{sv}}: its own interface, and the one that every object of BlueZ has. */
static int append_interfaces(sd_bus_message *m, const Object *o) {
        int r = sd_bus_message_open_container(m, 'a', "{sa{sv}}");

        if (r >= 0)
                r = sd_bus_message_append(m, "{sa{sv}}", properties_name, 0);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'e', "sa{sv}");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", o->interface->name);
        if (r >= 0)
                r = append_properties(m, o);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

void object_show(Fake *f, Object *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        if (o->visible)
                return;
        o->visible = true;
        if (sd_bus_message_new_signal(f->bus, &m, "/", manager_name, "InterfacesAdded") >= 0 &&
                        sd_bus_message_append(m, "o", o->path) >= 0 && append_interfaces(m, o) >= 0)
                (void) sd_bus_send(f->bus, m, NULL);
}

void object_hide(Fake *f, Object *o) {
        if (!o->visible)
                return;
        o->visible = false;
        (void) sd_bus_emit_signal(f->bus, "/", manager_name, "InterfacesRemoved", "oas", o->path, 2,
                        properties_name, o->interface->name);
}

void object_changed_names(Fake *f, const Object *o, const char *const *names) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        if (!o->visible)
                return;
        r = sd_bus_message_new_signal(f->bus, &m, o->path, properties_name, "PropertiesChanged");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", o->interface->name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        for (; *names; names++)
                for (const Property *p = o->interface->properties; r >= 0 && p->name; p++)
                        if (streq(p->name, *names) && present(p, o))
                                r = append_entry(m, p, o);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_append(m, "as", 0);
        if (r >= 0)
                (void) sd_bus_send(f->bus, m, NULL);
}

static int get_managed_objects(Fake *f, Object *o, sd_bus_message *call) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_return(call, &m);

        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{oa{sa{sv}}}");
        for (size_t i = 0; r >= 0 && i < f->n_objects; i++) {
                if (!f->objects[i]->visible || f->objects[i] == &f->root)
                        continue;
                r = sd_bus_message_open_container(m, 'e', "oa{sa{sv}}");
                if (r >= 0)
                        r = sd_bus_message_append(m, "o", f->objects[i]->path);
                if (r >= 0)
                        r = append_interfaces(m, f->objects[i]);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_send(f->bus, m, NULL);
}

static const Method root_methods[] = { { "GetManagedObjects", "", get_managed_objects }, {} };
const Interface root_interface = { manager_name, NULL, root_methods };

static const Property *find_property(const Object *o, const char *interface, const char *name) {
        if (streq(interface, o->interface->name))
                for (const Property *p = o->interface->properties; p && p->name; p++)
                        if (streq(p->name, name))
                                return present(p, o) ? p : NULL;
        return NULL;
}

static int no_property(sd_bus_message *call, const char *name) {
        return sd_bus_reply_method_errorf(
                        call, "org.freedesktop.DBus.Error.InvalidArgs", "No such property '%s'", name);
}

static int get(Fake *f, Object *o, sd_bus_message *call) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *interface, *name;
        const Property *p;
        int r = sd_bus_message_read(call, "ss", &interface, &name);

        if (r < 0)
                return r;
        p = find_property(o, interface, name);
        if (!p)
                return no_property(call, name);
        r = sd_bus_message_new_method_return(call, &m);
        if (r >= 0)
                r = append_variant(m, p, o);
        return r < 0 ? r : sd_bus_send(f->bus, m, NULL);
}

static int get_all(Fake *f, Object *o, sd_bus_message *call) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_return(call, &m);

        if (r >= 0)
                r = append_properties(m, o);
        return r < 0 ? r : sd_bus_send(f->bus, m, NULL);
}

static int set(Fake *f, Object *o, sd_bus_message *call) {
        const char *interface, *name;
        const Property *p;
        int r = sd_bus_message_read(call, "ss", &interface, &name);

        if (r < 0)
                return r;
        p = find_property(o, interface, name);
        if (!p)
                return no_property(call, name);
        if (!p->set)
                return sd_bus_reply_method_errorf(call, "org.freedesktop.DBus.Error.PropertyReadOnly",
                                "Property '%s' is not writable", name);
        fake_count(f, o->device, "Set", name);
        r = sd_bus_message_enter_container(call, 'v', p->type);
        if (r < 0)
                return r;
        r = p->set(f, o, call);
        return r < 0 ? r : sd_bus_reply_method_return(call, "");
}

static const Method properties_methods[] = {
        { "Get", "ss", get },
        { "GetAll", "s", get_all },
        { "Set", "ssv", set },
        {},
};

/* Faults that stand before any method. Returns > 0 where one was at work. */
static int handle_faults(Fake *f, const Object *o, const Method *method, sd_bus_message *call) {
        const Fault *fault;

        if (fault_take(f, FAULT_HANG, method->name, o->device))
                return 1;
        fault = fault_take(f, FAULT_FAIL, method->name, o->device);
        if (fault && streq(fault->error, "malformed"))
                return sd_bus_reply_method_return(call, "a{us}", 1, 1U, "not what was asked for") < 0 ? -EIO
                                                                                                      : 1;
        if (fault)
                return sd_bus_reply_method_errorf(call, fault->error, "as the test wants it") < 0 ? -EIO : 1;
        if (o->device && fault_take(f, FAULT_DROP, method->name, o->device)) {
                device_drop(o->device);
                /* ATT's "unlikely error": so ends what was under way when the link went, whatever the reason */
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.Failed", "%s",
                                       o->interface == &characteristic_interface
                                                       ? "Operation failed with ATT error: 0x0e"
                                                       : "Not connected") < 0
                                       ? -EIO
                                       : 1;
        }
        return 0;
}

static const char *uuid_of(const Object *o) {
        return o->interface == &characteristic_interface ? container_of(o, Characteristic, object)->uuid
                                                         : NULL;
}

static int dispatch(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Fake *f = userdata;
        Object *o = find_object(f, sd_bus_message_get_path(call));
        const char *interface = sd_bus_message_get_interface(call),
                   *member = sd_bus_message_get_member(call);
        const Method *method = NULL;
        int r;

        if (!o || !interface)
                return 0;
        if (streq(interface, properties_name))
                method = properties_methods;
        else if (streq(interface, o->interface->name))
                method = o->interface->methods;
        while (method && method->name && !streq(method->name, member))
                method++;
        if (!method || !method->name)
                return 0;
        fake_count(f, o->device, member, uuid_of(o));
        if (!sd_bus_message_has_signature(call, method->signature))
                return sd_bus_reply_method_errorf(
                                call, "org.bluez.Error.InvalidArguments", "Invalid arguments");
        r = handle_faults(f, o, method, call);
        if (r != 0)
                return r;
        r = method->handle(f, o, call);
        return r < 0 ? r : 1;
}

/* Discovery and agents belong to a client and end with it. */
static int name_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *old_owner, *new_owner;

        if (sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner) >= 0 && !*new_owner)
                adapter_forget_client(userdata, name);
        return 0;
}

int objects_open(Fake *f) {
        int r = sd_bus_add_fallback(f->bus, NULL, "/", dispatch, f);

        if (r < 0)
                return r;
        return sd_bus_match_signal(f->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                        "org.freedesktop.DBus", "NameOwnerChanged", name_owner_changed, f);
}
