#include "ingest/ble_devices.h"

#include <errno.h>
#include <stdio.h>

#include "base/file.h"

enum { KEY_FILE_MAX = 256 };

/* A device's `ble:` as it stands in the file. */
typedef struct Item {
        char *address, *irk_file, *key_file, *source;
        int mode, address_type, bond;
        bool set_time;
} Item;

static void item_done(Item *i) {
        free(i->address);
        free(i->irk_file);
        free(i->key_file);
        free(i->source);
}

SourceDevices *ble_devices_free(SourceDevices *d) {
        if (!d)
                return NULL;
        if (d->items)
                explicit_bzero(d->items, d->count * sizeof *d->items);
        free(d->items);
        free(d);
        return NULL;
}

static int read_key(const YamlNode *node, const char *path, uint8_t ret[static BLE_IRK_SIZE], Error *e) {
        char *text = NULL;
        Error why;

        int r = file_read_secret(path, KEY_FILE_MAX, &text, NULL, &why);
        if (r < 0)
                return yaml_error(node, e, r, "%s", why.message);
        r = ble_irk_parse(text, ret);
        explicit_bzero(text, strlen(text));
        free(text);
        return r < 0 ? yaml_error(node, e, r, "%s: expected one line of %d hexadecimal digits", path,
                                       2 * BLE_IRK_SIZE)
                     : 0;
}

static int take_identity(const Item *i, const YamlNode *node, BleDeviceConfig *d, Error *e) {
        if (!i->address && !i->irk_file)
                return yaml_error(node, e, -EINVAL, "ble: expected address or irk_file");
        if (i->address && ble_address_parse(i->address, &d->address) < 0)
                return yaml_error(node, e, -EINVAL,
                                "address '%.64s': expected six bytes such as C0:01:02:03:04:05", i->address);
        d->has_address = i->address != NULL;
        d->has_irk = i->irk_file != NULL;
        return i->irk_file ? read_key(node, i->irk_file, d->irk, e) : 0;
}

static int take_secret(const Item *i, const YamlNode *node, BleDeviceConfig *d, Error *e) {
        if (!i->key_file)
                return 0;
        if (d->mode != BLE_MODE_ADVERT)
                return yaml_error(node, e, -EINVAL, "key_file: only mode advert has one");
        if (!i->address)
                return yaml_error(node, e, -EINVAL,
                                "key_file: expected address too, which is part of what is encrypted");
        d->has_secret = true;
        memcpy(d->secret.address, d->address.bytes, sizeof d->secret.address);
        return read_key(node, i->key_file, d->secret.key, e);
}

static int check_mode(const Item *i, const YamlNode *node, Error *e) {
        if (i->mode != BLE_MODE_ADVERT)
                return 0;
        if (i->set_time)
                return yaml_error(node, e, -EINVAL, "set_time: a device in mode advert is not connected");
        if (i->bond != BLE_BOND_OPTIONAL)
                return yaml_error(node, e, -EINVAL, "pair: a device in mode advert is not connected");
        return 0;
}

static int read_item(const YamlNode *node, Item *i, Error *e) {
        static const char *const modes[] = { "connect", "spot", "advert", NULL };
        static const char *const types[] = { "any", "public", "random", NULL };
        static const char *const bonds[] = { "optional", "required", NULL };
        static const YamlField fields[] = {
                { "address", YAML_STRING, offsetof(Item, address) },
                { "address_type", YAML_CHOICE, offsetof(Item, address_type), .choices = types },
                { "irk_file", YAML_STRING, offsetof(Item, irk_file) },
                { "mode", YAML_CHOICE, offsetof(Item, mode), .choices = modes },
                { "key_file", YAML_STRING, offsetof(Item, key_file) },
                { "set_time", YAML_BOOL, offsetof(Item, set_time) },
                { "pair", YAML_CHOICE, offsetof(Item, bond), .choices = bonds },
                { "source", YAML_STRING, offsetof(Item, source) },
                { NULL },
        };

        int r = yaml_read(node, fields, i, e);
        if (r < 0)
                return r;
        if (i->source && !name_is_valid(i->source))
                return yaml_error(node, e, -EINVAL, "source '%.64s': expected the name of a source",
                                i->source);
        return check_mode(i, node, e);
}

static int check_unique(
                const SourceDevices *list, const BleDeviceConfig *d, const YamlNode *node, Error *e) {
        for (size_t i = 0; i < list->count; i++) {
                const BleDeviceConfig *o = &list->items[i];
                if ((d->has_address && o->has_address && ble_address_equal(&d->address, &o->address)) ||
                                (d->has_irk && o->has_irk && memcmp(d->irk, o->irk, sizeof d->irk) == 0))
                        return yaml_error(node, e, -EINVAL, "ble: device '%s' has the same address or key",
                                        o->id);
        }
        return 0;
}

static int add_device(void *userdata, const char *id, const YamlNode *node, Error *e) {
        _cleanup_(item_done) Item item = { 0 };
        SourceDevices *list = userdata;
        BleDeviceConfig d;

        memset(&d, 0, sizeof d); /* with its padding: it is compared whole */
        int r = read_item(node, &item, e);
        if (r < 0)
                return r;
        (void) snprintf(d.id, sizeof d.id, "%s", id);
        (void) snprintf(d.source, sizeof d.source, "%s", item.source ? item.source : "");
        d.mode = (BleMode) item.mode;
        d.address_type = (BleAddressType) item.address_type;
        d.bond = (BleBond) item.bond;
        d.set_time = item.set_time;
        r = take_identity(&item, node, &d, e);
        if (r == 0)
                r = take_secret(&item, node, &d, e);
        if (r == 0)
                r = check_unique(list, &d, node, e);
        if (r == 0 && list->count == BLE_DEVICES_MAX)
                r = yaml_error(node, e, -EINVAL, "ble: more than %d devices", BLE_DEVICES_MAX);
        if (r == 0)
                list->items[list->count++] = d;
        explicit_bzero(&d, sizeof d);
        return r;
}

static int count_device(void *userdata, const char *id, const YamlNode *node, Error *e) {
        ++*(size_t *) userdata;
        return 0;
}

int ble_devices_read(const YamlNode *root, SourceDevices **ret, Error *e) {
        _cleanup_(ble_devices_freep) SourceDevices *d = calloc(1, sizeof *d);
        size_t count = 0;

        int r = source_device_sections(root, "ble", count_device, &count, e);
        if (r < 0)
                return r;
        if (d && count > 0)
                d->items = calloc(MIN(count, (size_t) BLE_DEVICES_MAX), sizeof *d->items);
        if (!d || (count > 0 && !d->items))
                return error_set(e, -ENOMEM, "out of memory");
        r = source_device_sections(root, "ble", add_device, d, e);
        if (r == 0)
                *ret = count > 0 ? TAKE(d) : NULL;
        return r;
}
