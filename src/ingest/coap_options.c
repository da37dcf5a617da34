#include "ingest/coap_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"

enum { PORT_PLAIN = 5683, PORT_SECURE = 5684 /* RFC 7252 6.1, 6.2 */ };

static const CoapLimits default_limits = {
        .sessions = 1000,
        .handshakes = 5000, /* libcoap counts each first datagram for 30 s, whoever sent it */
        .outstanding = 4096,
        .payload = DECODE_PAYLOAD_MAX,
        .transfers = 64,
        .peer_transfers = 2,
        .block_bytes = 1 << 20,
        .device_rate = 100,
        .peer_rate = 200,
};

/* The item as it stands in the file. */
typedef struct Item {
        CoapOptions options;
        char *credential, *map;
        YamlNode plain, secure, limits;
} Item;

static void options_done(CoapOptions *o) {
        char *texts[] = { o->common.name, o->address, o->multicast, o->secure_address, o->psk_file, o->ca,
                o->cert, o->key };

        for (size_t i = 0; i < ELEMENTS(texts); i++)
                free(texts[i]);
        psk_table_free(o->keys);
}

static void item_done(Item *i) {
        options_done(&i->options);
        free(i->credential);
        free(i->map);
}

SourceOptions *coap_options_free(SourceOptions *common) {
        CoapOptions *o = (CoapOptions *) common;

        if (o)
                options_done(o);
        free(o);
        return NULL;
}

static bool address_is_valid(const char *text) {
        struct in6_addr unused;

        return inet_pton(AF_INET6, text, &unused) == 1 || inet_pton(AF_INET, text, &unused) == 1;
}

/* Sets the default; a name would have to be looked up, and could be another one tomorrow. */
static int check_address(char **address, const char *fallback, const YamlNode *node, Error *e) {
        if (!*address)
                *address = strdup(fallback);
        if (!*address)
                return -ENOMEM;
        return address_is_valid(*address)
                               ? 0
                               : yaml_error(node, e, -EINVAL,
                                                 "address '%.64s': expected an IPv4 or IPv6 address",
                                                 *address);
}

static bool is_multicast(const char *text) {
        struct in6_addr six;
        struct in_addr four;

        if (inet_pton(AF_INET6, text, &six) == 1)
                return IN6_IS_ADDR_MULTICAST(&six);
        return inet_pton(AF_INET, text, &four) == 1 && IN_MULTICAST(ntohl(four.s_addr));
}

static int read_plain(CoapOptions *o, const YamlNode *node, Error *e) {
        static const YamlField fields[] = {
                { "address", YAML_STRING, offsetof(CoapOptions, address) },
                { "port", YAML_INT, offsetof(CoapOptions, port), .min = 1, .max = 65535 },
                { "multicast", YAML_STRING, offsetof(CoapOptions, multicast) },
                { NULL },
        };

        int r = yaml_read(node, fields, o, e);
        if (r < 0)
                return r;
        o->plain = true;
        r = check_address(&o->address, "127.0.0.1", node, e);
        if (r == 0 && o->multicast && !is_multicast(o->multicast))
                r = yaml_error(node, e, -EINVAL, "multicast '%.64s': expected a group's address",
                                o->multicast);
        /* a socket with an address of its own hears nothing that is sent to a group */
        if (r == 0 && o->multicast && !streq(o->address, "0.0.0.0") && !streq(o->address, "::"))
                r = yaml_error(node, e, -EINVAL, "multicast: only with address 0.0.0.0 or ::");
        return r;
}

static int read_keys(Item *item, const YamlNode *node, Error *e) {
        CoapOptions *o = &item->options;
        Error why;

        int r = source_secret_file(node, "psk_file", item->credential, &o->psk_file, e);
        if (r < 0 || !o->psk_file)
                return r;
        r = psk_table_read(o->psk_file, &o->keys, &why);
        return r < 0 ? yaml_error(node, e, r, "%s", why.message) : 0;
}

static int read_secure(Item *item, const YamlNode *node, Error *e) {
        static const YamlField fields[] = {
                { "address", YAML_STRING, offsetof(Item, options.secure_address) },
                { "port", YAML_INT, offsetof(Item, options.secure_port), .min = 1, .max = 65535 },
                { "psk_file", YAML_STRING, offsetof(Item, options.psk_file) },
                { "credential", YAML_STRING, offsetof(Item, credential) },
                { "ca", YAML_STRING, offsetof(Item, options.ca) },
                { "cert", YAML_STRING, offsetof(Item, options.cert) },
                { "key", YAML_STRING, offsetof(Item, options.key) },
                { NULL },
        };
        CoapOptions *o = &item->options;

        int r = yaml_read(node, fields, item, e);
        if (r < 0)
                return r;
        o->secure = true;
        if (!o->ca != !o->cert || !o->ca != !o->key)
                return yaml_error(node, e, -EINVAL, "secure: expected ca, cert and key together");
        r = check_address(&o->secure_address, "::", node, e);
        if (r == 0)
                r = read_keys(item, node, e);
        if (r == 0 && !o->psk_file && !o->ca)
                return yaml_error(node, e, -EINVAL,
                                "secure: expected psk_file, or ca, cert and key: nobody could connect");
        return r;
}

static int read_limits(CoapLimits *l, const YamlNode *node, Error *e) {
        static const YamlField fields[] = {
                { "sessions", YAML_INT, offsetof(CoapLimits, sessions), .min = 1, .max = 65536 },
                { "handshakes", YAML_INT, offsetof(CoapLimits, handshakes), .min = 1, .max = 65536 },
                { "outstanding", YAML_INT, offsetof(CoapLimits, outstanding), .min = 1, .max = 65536 },
                { "payload", YAML_BYTES, offsetof(CoapLimits, payload), .min = 64,
                                .max = DECODE_PAYLOAD_MAX },
                { "transfers", YAML_INT, offsetof(CoapLimits, transfers), .min = 1, .max = 4096 },
                { "peer_transfers", YAML_INT, offsetof(CoapLimits, peer_transfers), .min = 1, .max = 64 },
                { "block_bytes", YAML_BYTES, offsetof(CoapLimits, block_bytes), .min = 1024,
                                .max = 1 << 28 },
                { "device_rate", YAML_DOUBLE, offsetof(CoapLimits, device_rate), .min = 0.1, .max = 1e6 },
                { "peer_rate", YAML_DOUBLE, offsetof(CoapLimits, peer_rate), .min = 0.1, .max = 1e6 },
                { NULL },
        };

        return yaml_present(node) ? yaml_read(node, fields, l, e) : 0;
}

static int read_item(Item *item, const YamlNode *node, const MappingSet *maps, Error *e) {
        static const YamlField fields[] = {
                { "name", YAML_STRING, offsetof(Item, options.common.name), .required = true },
                { "plain", YAML_NODE, offsetof(Item, plain) },
                { "secure", YAML_NODE, offsetof(Item, secure) },
                { "map", YAML_STRING, offsetof(Item, map) },
                { "observe", YAML_BOOL, offsetof(Item, options.observe) },
                { "limits", YAML_NODE, offsetof(Item, limits) },
                { NULL },
        };
        CoapOptions *o = &item->options;

        int r = yaml_read(node, fields, item, e);
        if (r < 0)
                return r;
        if (!name_is_valid(o->common.name))
                return yaml_error(node, e, -EINVAL, "name '%.64s': expected letters, digits and . _ : -",
                                o->common.name);
        if (item->map && !(o->mapping = mapping_set_find(maps, item->map)))
                return yaml_error(node, e, -EINVAL, "map '%.64s': no such entry in maps", item->map);
        if (yaml_present(&item->plain))
                r = read_plain(o, &item->plain, e);
        if (r == 0 && yaml_present(&item->secure))
                r = read_secure(item, &item->secure, e);
        return r < 0 ? r : read_limits(&o->limits, &item->limits, e);
}

int coap_options_read(const YamlNode *node, const MappingSet *maps, SourceOptions **ret, Error *e) {
        _cleanup_(item_done) Item item = { .options = { .observe = true,
                                                           .port = PORT_PLAIN,
                                                           .secure_port = PORT_SECURE,
                                                           .limits = default_limits } };

        int r = read_item(&item, node, maps, e);
        if (r == -ENOMEM)
                return error_set(e, r, "out of memory");
        if (r < 0)
                return r;
        CoapOptions *o = malloc(sizeof *o);
        if (!o)
                return error_set(e, -ENOMEM, "out of memory");
        *o = item.options;
        o->common.kind = &coap_kind;
        o->maps = maps;
        memset(&item.options, 0, sizeof item.options);
        *ret = &o->common;
        return 0;
}
