#include "ingest/ble_message.h"

#include <errno.h>

/* sd-bus says -ENXIO or -EINVAL for a type that isn't the one that was asked for. */
static int bad(int r) {
        return r == -ENOMEM ? r : -EBADMSG;
}

int ble_read_bytes(sd_bus_message *m, Bytes *ret) {
        const void *data = NULL;
        size_t n = 0;

        int r = sd_bus_message_read_array(m, 'y', &data, &n);
        if (r <= 0)
                return bad(r);
        *ret = BYTES(data, n);
        return 0;
}

static int read_bool(sd_bus_message *m, void *member, BleNews *n) {
        int yes;

        int r = sd_bus_message_read_basic(m, 'b', &yes);
        if (r <= 0)
                return bad(r);
        *(BleSaid *) member = yes ? BLE_YES : BLE_NO;
        return 0;
}

static int read_address(sd_bus_message *m, void *member, BleNews *n) {
        const char *text;

        if (sd_bus_message_read_basic(m, 's', &text) <= 0 || ble_address_parse(text, member) < 0)
                return -EBADMSG;
        n->has_address = true;
        return 0;
}

static int read_address_type(sd_bus_message *m, void *member, BleNews *n) {
        const char *text;

        if (sd_bus_message_read_basic(m, 's', &text) <= 0)
                return -EBADMSG;
        n->is_random = streq(text, "random");
        return 0;
}

static int read_rssi(sd_bus_message *m, void *member, BleNews *n) {
        if (sd_bus_message_read_basic(m, 'n', member) <= 0)
                return -EBADMSG;
        n->has_rssi = true;
        return 0;
}

static int read_text(sd_bus_message *m, void *member, BleNews *n) {
        return sd_bus_message_read_basic(m, 's', member) > 0 ? 0 : -EBADMSG;
}

static int read_uuid(sd_bus_message *m, void *member, BleNews *n) {
        const char *text;

        if (sd_bus_message_read_basic(m, 's', &text) <= 0)
                return -EBADMSG;
        n->uuid = ble_uuid_parse(text);
        return 0;
}

static int read_flags(sd_bus_message *m, void *member, BleNews *n) {
        const char *flag;
        int r;

        if (sd_bus_message_enter_container(m, 'a', "s") <= 0)
                return -EBADMSG;
        while ((r = sd_bus_message_read_basic(m, 's', &flag)) > 0) {
                n->can_notify |= streq(flag, "notify") || streq(flag, "indicate");
                n->can_read |= streq(flag, "read");
                n->can_write |= streq(flag, "write");
        }
        return r < 0 ? bad(r) : sd_bus_message_exit_container(m);
}

static int read_value(sd_bus_message *m, void *member, BleNews *n) {
        n->has_value = true;
        return ble_read_bytes(m, member);
}

/* The key of one entry: a company id, or a UUID as text. 0 for one that is of no interest. */
static int read_code(sd_bus_message *m, bool is_service, uint16_t *ret) {
        const char *text;

        if (!is_service)
                return sd_bus_message_read_basic(m, 'q', ret) > 0 ? 0 : -EBADMSG;
        if (sd_bus_message_read_basic(m, 's', &text) <= 0)
                return -EBADMSG;
        *ret = ble_uuid_parse(text);
        return 0;
}

static int read_advert(sd_bus_message *m, bool is_service, BleNews *n) {
        BleAdvert a = { .is_service = is_service };

        if (read_code(m, is_service, &a.code) < 0 || sd_bus_message_enter_container(m, 'v', "ay") <= 0 ||
                        ble_read_bytes(m, &a.data) < 0 || sd_bus_message_exit_container(m) < 0)
                return -EBADMSG;
        /* Company 0 is Ericsson's; service data has none. */
        if (n->advert_count < BLE_ADVERTS_MAX && (!is_service || a.code != 0))
                n->adverts[n->advert_count++] = a;
        return 0;
}

static int read_adverts(sd_bus_message *m, bool is_service, BleNews *n) {
        const char *pair = is_service ? "sv" : "qv";
        int r;

        if (sd_bus_message_enter_container(m, 'a', is_service ? "{sv}" : "{qv}") <= 0)
                return -EBADMSG;
        while ((r = sd_bus_message_enter_container(m, 'e', pair)) > 0)
                if (read_advert(m, is_service, n) < 0 || sd_bus_message_exit_container(m) < 0)
                        return -EBADMSG;
        return r < 0 ? bad(r) : sd_bus_message_exit_container(m);
}

static int read_manufacturer_data(sd_bus_message *m, void *member, BleNews *n) {
        return read_adverts(m, false, n);
}

static int read_service_data(sd_bus_message *m, void *member, BleNews *n) {
        return read_adverts(m, true, n);
}

static const struct {
        const char *name, *type;
        size_t offset;
        int (*read)(sd_bus_message *m, void *member, BleNews *n);
} known[] = {
        { "Value", "ay", offsetof(BleNews, value), read_value },
        { "RSSI", "n", offsetof(BleNews, rssi), read_rssi },
        { "ManufacturerData", "a{qv}", 0, read_manufacturer_data },
        { "ServiceData", "a{sv}", 0, read_service_data },
        { "Connected", "b", offsetof(BleNews, connected), read_bool },
        { "ServicesResolved", "b", offsetof(BleNews, resolved), read_bool },
        { "Paired", "b", offsetof(BleNews, paired), read_bool },
        { "Bonded", "b", offsetof(BleNews, bonded), read_bool },
        { "Trusted", "b", offsetof(BleNews, trusted), read_bool },
        { "Powered", "b", offsetof(BleNews, powered), read_bool },
        { "Discovering", "b", offsetof(BleNews, discovering), read_bool },
        { "Address", "s", offsetof(BleNews, address), read_address },
        { "AddressType", "s", 0, read_address_type },
        { "Alias", "s", offsetof(BleNews, name), read_text },
        { "UUID", "s", offsetof(BleNews, uuid), read_uuid },
        { "Flags", "as", 0, read_flags },
};

/* One variant, by its name. A known property of another type is a fault, an unknown one is none. */
static int read_property(sd_bus_message *m, const char *name, BleNews *n) {
        for (size_t i = 0; i < ELEMENTS(known); i++) {
                if (!streq(known[i].name, name))
                        continue;
                if (sd_bus_message_enter_container(m, 'v', known[i].type) <= 0 ||
                                known[i].read(m, (char *) n + known[i].offset, n) < 0)
                        return -EBADMSG;
                return sd_bus_message_exit_container(m);
        }
        return sd_bus_message_skip(m, "v");
}

int ble_read_properties(sd_bus_message *m, BleNews *ret) {
        const char *name;
        int r;

        memset(ret, 0, sizeof *ret);
        if (sd_bus_message_enter_container(m, 'a', "{sv}") <= 0)
                return -EBADMSG;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                if (sd_bus_message_read_basic(m, 's', &name) <= 0 || read_property(m, name, ret) < 0 ||
                                sd_bus_message_exit_container(m) < 0)
                        return -EBADMSG;
        }
        r = r < 0 ? r : sd_bus_message_exit_container(m);
        return r < 0 ? bad(r) : 0;
}

int ble_read_changed(sd_bus_message *m, BleNews *ret) {
        const char *text;
        int r;

        if (sd_bus_message_read_basic(m, 's', &text) <= 0 || ble_read_properties(m, ret) < 0)
                return -EBADMSG;
        if (sd_bus_message_enter_container(m, 'a', "s") <= 0)
                return -EBADMSG;
        while ((r = sd_bus_message_read_basic(m, 's', &text)) > 0)
                ret->lost_rssi |= streq(text, "RSSI");
        r = r < 0 ? r : sd_bus_message_exit_container(m);
        return r < 0 ? bad(r) : 0;
}

BleInterface ble_interface_parse(const char *name) {
        if (streq(name, "org.bluez.Adapter1"))
                return BLE_ADAPTER;
        if (streq(name, "org.bluez.Device1"))
                return BLE_DEVICE;
        return streq(name, "org.bluez.GattCharacteristic1") ? BLE_CHARACTERISTIC : BLE_OTHER_INTERFACE;
}

/* a{sa{sv}} of one object. */
static int read_interfaces(sd_bus_message *m, const char *path, BleObjectFn fn, void *userdata) {
        const char *name;
        BleNews news;
        int r;

        if (sd_bus_message_enter_container(m, 'a', "{sa{sv}}") <= 0)
                return -EBADMSG;
        while ((r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
                if (sd_bus_message_read_basic(m, 's', &name) <= 0)
                        return -EBADMSG;
                BleInterface interface = ble_interface_parse(name);
                if (interface == BLE_OTHER_INTERFACE) {
                        if (sd_bus_message_skip(m, "a{sv}") < 0)
                                return -EBADMSG;
                } else {
                        if (ble_read_properties(m, &news) < 0)
                                return -EBADMSG;
                        fn(userdata, path, interface, &news);
                }
                if (sd_bus_message_exit_container(m) < 0)
                        return -EBADMSG;
        }
        r = r < 0 ? r : sd_bus_message_exit_container(m);
        return r < 0 ? bad(r) : 0;
}

int ble_read_added(sd_bus_message *m, BleObjectFn fn, void *userdata) {
        const char *path;

        if (sd_bus_message_read_basic(m, 'o', &path) <= 0)
                return -EBADMSG;
        return read_interfaces(m, path, fn, userdata);
}

int ble_read_objects(sd_bus_message *m, BleObjectFn fn, void *userdata) {
        int r;

        if (sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}") <= 0)
                return -EBADMSG;
        while ((r = sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}")) > 0)
                if (ble_read_added(m, fn, userdata) < 0 || sd_bus_message_exit_container(m) < 0)
                        return -EBADMSG;
        return r < 0 ? bad(r) : 0;
}

int ble_read_removed(sd_bus_message *m, BleObjectFn fn, void *userdata) {
        const char *path, *name;
        int r;

        if (sd_bus_message_read_basic(m, 'o', &path) <= 0 ||
                        sd_bus_message_enter_container(m, 'a', "s") <= 0)
                return -EBADMSG;
        while ((r = sd_bus_message_read_basic(m, 's', &name)) > 0)
                fn(userdata, path, ble_interface_parse(name), NULL);
        return r < 0 ? bad(r) : 0;
}
