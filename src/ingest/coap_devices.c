#include "ingest/coap_devices.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "model/name_index.h"

enum {
        PORT_PLAIN = 5683, /* RFC 7252 6.1, 6.2 */
        PORT_SECURE = 5684,
        KEY_FILE_MAX = 4096,
        SEGMENT_MAX = 255,  /* RFC 7252 5.10 */
        OBSERVED_MAX = 512, /* each has a socket */
};

struct SourceDevices {
        CoapDevice *items;
        size_t count, observed;
        NameIndex ids, identities;
        const MappingSet *maps; /* only while it is read */
};

static void device_done(CoapDevice *d) {
        free(d->identity);
        free(d->map);
        free(d->target.path);
        free(d->target.query);
        explicit_bzero(d->key, sizeof d->key);
}

SourceDevices *coap_devices_free(SourceDevices *d) {
        if (!d)
                return NULL;
        name_index_done(&d->ids);
        name_index_done(&d->identities);
        for (size_t i = 0; i < d->count; i++)
                device_done(&d->items[i]);
        free(d->items);
        free(d);
        return NULL;
}
DEFINE_CLEANUP(SourceDevices *, coap_devices_free);

/* --- where it is --- */

/* Copies up to one of the characters in end; NULL where it doesn't fit. */
static const char *take(const char *text, const char *end, char *ret, size_t size) {
        size_t n = strcspn(text, end);

        if (n >= size)
                return NULL;
        memcpy(ret, text, n);
        ret[n] = '\0';
        return text + n;
}

static const char *take_host(const char *at, CoapTarget *t) {
        struct in6_addr unused;
        bool six = *at == '[';

        at = take(at + six, six ? "]" : ":/?", t->host, sizeof t->host);
        if (!at || (six && *at != ']') || inet_pton(six ? AF_INET6 : AF_INET, t->host, &unused) != 1)
                return NULL;
        return at + six;
}

static const char *take_port(const char *at, CoapTarget *t) {
        char digits[6], *end;

        t->port = t->secure ? PORT_SECURE : PORT_PLAIN;
        if (*at != ':')
                return at;
        at = take(at + 1, "/?", digits, sizeof digits);
        if (!at || strspn(digits, "0123456789") != strlen(digits))
                return NULL;
        unsigned long port = strtoul(digits, &end, 10);
        if (port < 1 || port > UINT16_MAX)
                return NULL;
        t->port = (uint16_t) port;
        return at;
}

/* Visible ASCII without what would need an escape, in parts that fit an option. */
static bool parts_are_valid(const char *text, char separator) {
        size_t n = 0;

        for (; *text; text++) {
                n = *text == separator ? 0 : n + 1;
                if (*text <= ' ' || *text > '~' || strchr("%#\"<>\\^`{|}", *text) || n > SEGMENT_MAX)
                        return false;
        }
        return true;
}

int coap_target_parse(const char *uri, CoapTarget *ret, Error *e) {
        CoapTarget t = { .secure = startswith(uri, "coaps://") };
        const char *at = strstr(uri, "://");

        if (!t.secure && !startswith(uri, "coap://"))
                return error_set(e, -EINVAL, "'%.100s': expected coap:// or coaps://", uri);
        at = take_host(at + 3, &t);
        if (!at)
                return error_set(e, -EINVAL, "'%.100s': expected an IPv4 address, or an IPv6 address in []",
                                uri);
        at = take_port(at, &t);
        if (!at)
                return error_set(e, -EINVAL, "'%.100s': expected a port from 1 to 65535", uri);
        const char *query = strchr(at, '?');
        size_t len = query ? (size_t) (query - at) : strlen(at);
        bool slash = len > 0 && *at == '/';
        t.path = strndup(at + slash, len - slash);
        t.query = query ? strdup(query + 1) : NULL;
        if (!t.path || (query && !t.query) || (len > 0 && !slash) || !parts_are_valid(t.path, '/') ||
                        (query && !parts_are_valid(t.query, '&'))) {
                free(t.path);
                free(t.query);
                return error_set(e, -EINVAL,
                                "'%.100s': expected a path of visible characters without escapes", uri);
        }
        *ret = t;
        return 0;
}

/* --- one device --- */

typedef struct DeviceItem {
        CoapDevice device;
        char *observe, *key_file;
        YamlNode format_node;
} DeviceItem;

static void item_done(DeviceItem *i) {
        device_done(&i->device);
        free(i->observe);
        free(i->key_file);
}

static int read_key(DeviceItem *item, const YamlNode *node, Error *e) {
        CoapDevice *d = &item->device;
        char *text;
        size_t len;
        Error why;

        int r = file_read_secret(item->key_file, KEY_FILE_MAX, &text, &len, &why);
        if (r < 0)
                return yaml_error(node, e, r, "%s", why.message);
        r = psk_key_parse(text, d->key, &d->key_len);
        explicit_bzero(text, len);
        free(text);
        return r < 0 ? yaml_error(node, e, r, "%s: expected %d to %d hexadecimal digits", item->key_file,
                                       2 * PSK_KEY_MIN, 2 * PSK_KEY_MAX)
                     : 0;
}

static int read_target(DeviceItem *item, const YamlNode *node, Error *e) {
        CoapDevice *d = &item->device;
        Error why;

        if (!item->observe) {
                if (item->key_file || d->silence_us != 0)
                        return yaml_error(node, e, -EINVAL, "key_file and silence: only with observe");
                return 0;
        }
        int r = coap_target_parse(item->observe, &d->target, &why);
        if (r < 0)
                return yaml_error(node, e, r, "observe: %s", why.message);
        d->observed = true;
        if (!d->target.secure)
                return item->key_file ? yaml_error(node, e, -EINVAL, "key_file: only with coaps://") : 0;
        if (!item->key_file || !d->identity)
                return yaml_error(node, e, -EINVAL, "coaps:// needs identity and key_file");
        return read_key(item, node, e);
}

static int read_format(DeviceItem *item, const YamlNode *node, const MappingSet *maps, Error *e) {
        const YamlField field = { "format", YAML_CHOICE, 0, .choices = decode_format_names };
        CoapDevice *d = &item->device;

        d->format = COAP_FORMAT_NONE;
        if (yaml_present(&item->format_node)) {
                int r = yaml_read_value(&item->format_node, &field, &d->format, e);
                if (r < 0)
                        return r;
        }
        if (d->map && !mapping_set_find(maps, d->map))
                return yaml_error(node, e, -EINVAL, "map '%.64s': no such entry in maps", d->map);
        return 0;
}

static int add_device(SourceDevices *l, DeviceItem *item, const char *id, const YamlNode *node, Error *e) {
        CoapDevice *d = &l->items[l->count];

        *d = item->device;
        memset(&item->device, 0, sizeof item->device);
        (void) snprintf(d->id, sizeof d->id, "%s", id);
        l->count++;
        if (d->observed && ++l->observed > OBSERVED_MAX)
                return yaml_error(node, e, -EINVAL, "more than %d observed devices", OBSERVED_MAX);
        if (name_index_add(&l->ids, d->id, (uint32_t) l->count - 1) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        if (!d->identity || d->observed)
                return 0;
        const CoapDevice *other = coap_devices_identity(l, d->identity);
        if (other)
                return yaml_error(node, e, -EINVAL, "identity '%.128s' is the device %s's", d->identity,
                                other->id);
        if (name_index_add(&l->identities, d->identity, (uint32_t) l->count - 1) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        return 0;
}

static int read_device(void *userdata, const char *id, const YamlNode *node, Error *e) {
        static const YamlField fields[] = {
                { "identity", YAML_STRING, offsetof(DeviceItem, device.identity) },
                { "format", YAML_NODE, offsetof(DeviceItem, format_node) },
                { "map", YAML_STRING, offsetof(DeviceItem, device.map) },
                { "observe", YAML_STRING, offsetof(DeviceItem, observe) },
                { "key_file", YAML_STRING, offsetof(DeviceItem, key_file) },
                { "silence", YAML_DURATION, offsetof(DeviceItem, device.silence_us), .min = 1e6,
                                .max = 86400e6 },
                { NULL },
        };
        _cleanup_(item_done) DeviceItem item = { 0 };
        SourceDevices *l = userdata;

        int r = yaml_read(node, fields, &item, e);
        if (r == 0 && item.device.identity && !psk_identity_is_valid(item.device.identity))
                r = yaml_error(node, e, -EINVAL, "identity: expected 1 to %d visible characters",
                                PSK_IDENTITY_MAX - 1);
        if (r == 0)
                r = read_format(&item, node, l->maps, e);
        if (r == 0)
                r = read_target(&item, node, e);
        return r < 0 ? r : add_device(l, &item, id, node, e);
}

int coap_devices_read(const YamlNode *root, const MappingSet *maps, SourceDevices **ret, Error *e) {
        _cleanup_(coap_devices_freep) SourceDevices *d = calloc(1, sizeof *d);
        YamlNode list = yaml_get(root, "devices");

        if (d)
                d->items = calloc(yaml_length(&list) + 1, sizeof *d->items);
        if (!d || !d->items)
                return error_set(e, -ENOMEM, "out of memory");
        d->maps = maps;
        int r = source_device_sections(root, "coap", read_device, d, e);
        if (r < 0)
                return r;
        d->maps = NULL;
        *ret = TAKE(d);
        return 0;
}

const CoapDevice *coap_devices_find(const SourceDevices *d, const char *id) {
        uint32_t row;

        return d && name_index_find(&d->ids, id, &row) ? &d->items[row] : NULL;
}

const CoapDevice *coap_devices_identity(const SourceDevices *d, const char *identity) {
        uint32_t row;

        return d && name_index_find(&d->identities, identity, &row) ? &d->items[row] : NULL;
}

size_t coap_devices_count(const SourceDevices *d) {
        return d ? d->count : 0;
}

const CoapDevice *coap_devices_at(const SourceDevices *d, size_t i) {
        return &d->items[i];
}
