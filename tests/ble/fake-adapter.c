/* The adapter, its discovery, and the agent manager. */
#include <errno.h>
#include <stdio.h>

#include "ble/fake.h"

static Fake *fake_of(const Object *o) {
        return container_of(o, Fake, adapter);
}

static int append_text(sd_bus_message *m, const char *text) {
        return sd_bus_message_append(m, "s", text);
}

static int append_address(sd_bus_message *m, const Object *o) {
        return append_text(m, "00:AA:01:00:00:00");
}

static int append_address_type(sd_bus_message *m, const Object *o) {
        return append_text(m, "public");
}

static int append_name(sd_bus_message *m, const Object *o) {
        return append_text(m, "gateway");
}

static int append_powered(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "b", fake_of(o)->powered);
}

static int append_discovering(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "b", fake_of(o)->discovering);
}

static int append_no(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "b", false);
}

static int append_roles(sd_bus_message *m, const Object *o) {
        return sd_bus_message_append(m, "as", 2, "central", "peripheral");
}

static int set_powered(Fake *f, Object *o, sd_bus_message *m) {
        int powered, r = sd_bus_message_read(m, "b", &powered);

        if (r < 0)
                return r;
        adapter_set_powered(f, powered);
        return 0;
}

/* Adverts are heard as long as this holds. */
static bool scanning(const Fake *f) {
        return f->powered && f->discovering && f->scan_trouble == TROUBLE_NONE;
}

/* The filter's UUIDs: one of them in what the device advertises. */
static bool passes_filter(const Fake *f, const Device *d) {
        if (f->n_filter == 0)
                return true;
        for (size_t i = 0; i < f->n_filter; i++) {
                for (size_t s = 0; s < d->n_services; s++)
                        if (streq(f->filter[i], d->services[s].uuid))
                                return true;
                for (size_t s = 0; s < d->n_services_data; s++)
                        if (streq(f->filter[i], d->services_data[s].key))
                                return true;
        }
        return false;
}

void adapter_advertise(Device *d, bool data) {
        Fake *f = d->fake;

        if (!f->adapter.visible || !scanning(f) || (d->hidden && !data) || d->out_of_range || d->connected ||
                        !passes_filter(f, d))
                return;
        d->has_rssi = true;
        if (!d->object.visible)
                object_show(f, &d->object);
        else if (data)
                object_changed(f, &d->object, "RSSI", "ManufacturerData", "ServiceData");
        else
                object_changed(f, &d->object, "RSSI");
}

static void stop_discovery(Fake *f) {
        if (!f->discovering)
                return;
        f->discovering = false;
        *f->discoverer = '\0';
        object_changed(f, &f->adapter, "Discovering");
        for (size_t i = 0; i < f->n_devices; i++)
                f->devices[i].has_rssi = false;
}

static int start_discovery(Fake *f, Object *o, sd_bus_message *call) {
        if (!f->powered)
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.NotReady", "Resource Not Ready");
        if (f->discovering)
                return sd_bus_reply_method_errorf(
                                call, "org.bluez.Error.InProgress", "Operation already in progress");
        f->discovering = true;
        if (f->scan_trouble == TROUBLE_RESTART)
                f->scan_trouble = TROUBLE_NONE;
        (void) snprintf(f->discoverer, sizeof(f->discoverer), "%s", sd_bus_message_get_sender(call));
        (void) sd_bus_reply_method_return(call, "");
        object_changed(f, &f->adapter, "Discovering");
        for (size_t i = 0; i < f->n_devices; i++)
                adapter_advertise(&f->devices[i], false);
        return 0;
}

static int stop_discovery_call(Fake *f, Object *o, sd_bus_message *call) {
        if (!f->discovering)
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.Failed", "No discovery started");
        if (!streq(f->discoverer, sd_bus_message_get_sender(call)))
                return sd_bus_reply_method_errorf(
                                call, "org.bluez.Error.NotAuthorized", "Operation Not Authorized");
        (void) sd_bus_reply_method_return(call, "");
        stop_discovery(f);
        return 0;
}

static int read_filter_value(Fake *f, const char *key, sd_bus_message *m) {
        const char *text;
        int duplicates, r;

        if (streq(key, "DuplicateData")) {
                r = sd_bus_message_read(m, "v", "b", &duplicates);
                if (r >= 0)
                        f->duplicates = duplicates;
                return r;
        }
        if (streq(key, "Transport")) {
                r = sd_bus_message_read(m, "v", "s", &text);
                return r < 0 ? r : streq(text, "le") || streq(text, "auto") ? 0 : -EINVAL;
        }
        if (!streq(key, "UUIDs"))
                return sd_bus_message_skip(m, "v");
        r = sd_bus_message_enter_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(m, "s", &text)) > 0) {
                if (f->n_filter == ELEMENTS(f->filter))
                        return -E2BIG;
                (void) snprintf(f->filter[f->n_filter++], PROFILE_UUID_SIZE, "%s", text);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int set_discovery_filter(Fake *f, Object *o, sd_bus_message *call) {
        const char *key;
        int r = sd_bus_message_enter_container(call, 'a', "{sv}");

        f->duplicates = false;
        f->n_filter = 0;
        while (r >= 0 && (r = sd_bus_message_enter_container(call, 'e', "sv")) > 0) {
                r = sd_bus_message_read(call, "s", &key);
                if (r >= 0)
                        r = read_filter_value(f, key, call);
                if (r >= 0)
                        r = sd_bus_message_exit_container(call);
        }
        if (r < 0)
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.InvalidArguments",
                                "Invalid arguments in method call");
        return sd_bus_reply_method_return(call, "");
}

static int remove_device(Fake *f, Object *o, sd_bus_message *call) {
        const char *path;
        int r = sd_bus_message_read(call, "o", &path);

        if (r < 0)
                return r;
        for (size_t i = 0; i < f->n_devices; i++)
                if (f->devices[i].object.visible && streq(f->devices[i].object.path, path)) {
                        fake_count(f, &f->devices[i], "RemoveDevice", NULL);
                        device_forget(&f->devices[i]);
                        return sd_bus_reply_method_return(call, "");
                }
        return sd_bus_reply_method_errorf(call, "org.bluez.Error.DoesNotExist", "Does Not Exist");
}

static const Property adapter_properties[] = {
        { "Address", "s", append_address },
        { "AddressType", "s", append_address_type },
        { "Name", "s", append_name },
        { "Alias", "s", append_name },
        { "Powered", "b", append_powered, .set = set_powered },
        { "Discoverable", "b", append_no },
        { "Pairable", "b", append_no },
        { "Discovering", "b", append_discovering },
        { "Roles", "as", append_roles },
        {},
};
static const Method adapter_methods[] = {
        { "StartDiscovery", "", start_discovery },
        { "StopDiscovery", "", stop_discovery_call },
        { "SetDiscoveryFilter", "a{sv}", set_discovery_filter },
        { "RemoveDevice", "o", remove_device },
        {},
};
const Interface adapter_interface = { "org.bluez.Adapter1", adapter_properties, adapter_methods };

void adapter_set_powered(Fake *f, bool powered) {
        if (f->powered == powered)
                return;
        f->powered = powered;
        if (!powered) {
                stop_discovery(f);
                for (size_t i = 0; i < f->n_devices; i++) {
                        device_drop(&f->devices[i]);
                        if (f->devices[i].stale_until == TROUBLE_POWER)
                                gatt_set_trouble(&f->devices[i], TROUBLE_NONE);
                }
                f->scan_trouble = TROUBLE_NONE;
        }
        object_changed(f, &f->adapter, "Powered");
}

void adapter_remove(Fake *f) {
        stop_discovery(f);
        for (size_t i = 0; i < f->n_devices; i++) {
                device_drop(&f->devices[i]);
                object_hide(f, &f->devices[i].object);
        }
        f->powered = false;
        f->scan_trouble = TROUBLE_NONE;
        object_hide(f, &f->adapter);
}

void adapter_add(Fake *f, bool powered) {
        object_show(f, &f->adapter);
        /* what bluetoothd has kept on disk */
        for (size_t i = 0; i < f->n_devices; i++)
                if (f->devices[i].bonded || f->devices[i].trusted)
                        object_show(f, &f->devices[i].object);
        adapter_set_powered(f, powered);
}

static int register_agent(Fake *f, Object *o, sd_bus_message *call) {
        const char *path, *capability;
        int r = sd_bus_message_read(call, "os", &path, &capability);

        if (r < 0)
                return r;
        if (*f->agent_owner)
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.AlreadyExists", "Already Exists");
        (void) snprintf(f->agent_owner, sizeof(f->agent_owner), "%s", sd_bus_message_get_sender(call));
        (void) snprintf(f->agent_path, sizeof(f->agent_path), "%s", path);
        (void) snprintf(f->agent_capability, sizeof(f->agent_capability), "%s",
                        *capability ? capability : "KeyboardDisplay");
        return sd_bus_reply_method_return(call, "");
}

static int agent_call(Fake *f, sd_bus_message *call, bool unregister) {
        const char *path;
        int r = sd_bus_message_read(call, "o", &path);

        if (r < 0)
                return r;
        if (!streq(f->agent_owner, sd_bus_message_get_sender(call)) || !streq(f->agent_path, path))
                return sd_bus_reply_method_errorf(call, "org.bluez.Error.DoesNotExist", "Does Not Exist");
        if (unregister)
                *f->agent_owner = '\0';
        return sd_bus_reply_method_return(call, "");
}

static int unregister_agent(Fake *f, Object *o, sd_bus_message *call) {
        return agent_call(f, call, true);
}

static int request_default_agent(Fake *f, Object *o, sd_bus_message *call) {
        return agent_call(f, call, false);
}

static const Method manager_methods[] = {
        { "RegisterAgent", "os", register_agent },
        { "UnregisterAgent", "o", unregister_agent },
        { "RequestDefaultAgent", "o", request_default_agent },
        {},
};
const Interface manager_interface = { "org.bluez.AgentManager1", NULL, manager_methods };

void adapter_forget_client(Fake *f, const char *owner) {
        if (streq(owner, f->discoverer))
                stop_discovery(f);
        if (streq(owner, f->agent_owner))
                *f->agent_owner = '\0';
}
