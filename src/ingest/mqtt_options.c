#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "ingest/mqtt_options.h"
#include "ingest/topic.h"

enum {
        TOPICS_MAX = 256,
        CLIENT_ID_MAX = 58, /* leaves room for the suffix of the best-effort lane in common limits of 64 */
        PASSWORD_FILE_MAX = 4096,
        PORT_PLAIN = 1883,
        PORT_TLS = 8883,
        KEEPALIVE_DEFAULT_SECONDS = 30,
};

/* The item as it stands in the file. */
typedef struct Item {
        MqttOptions options;
        char *password_file, *credential;
        YamlNode client_id, tls, topics;
} Item;

static void options_done(MqttOptions *o) {
        for (size_t i = 0; i < o->topic_count; i++) {
                free(o->topics[i].device);
                free(o->filters[i]);
        }
        free(o->topics);
        free(o->filters);
        if (o->password)
                explicit_bzero(o->password, strlen(o->password));
        char *texts[] = { o->common.name, o->host, o->client_id, o->username, o->password, o->ca, o->cert,
                o->key, o->server_name };
        for (size_t i = 0; i < ELEMENTS(texts); i++)
                free(texts[i]);
}

static void item_done(Item *i) {
        options_done(&i->options);
        free(i->password_file);
        free(i->credential);
}

MqttOptions *mqtt_options_free(MqttOptions *o) {
        if (o)
                options_done(o);
        free(o);
        return NULL;
}

static int read_tls(MqttOptions *o, const YamlNode *node, Error *e) {
        static const YamlField fields[] = {
                { "ca", YAML_STRING, offsetof(MqttOptions, ca), .required = true },
                { "cert", YAML_STRING, offsetof(MqttOptions, cert) },
                { "key", YAML_STRING, offsetof(MqttOptions, key) },
                { "server_name", YAML_STRING, offsetof(MqttOptions, server_name) },
                { NULL },
        };

        int r = yaml_read(node, fields, o, e);
        if (r < 0)
                return r;
        if (!o->cert != !o->key)
                return yaml_error(node, e, -EINVAL, "tls: expected cert and key together");
        o->tls = true;
        return 0;
}

static int read_password(Item *item, const YamlNode *node, Error *e) {
        MqttOptions *o = &item->options;
        Error why;

        int r = source_secret_file(node, "password_file", item->credential, &item->password_file, e);
        if (r < 0 || !item->password_file)
                return r;
        if (!o->username)
                return yaml_error(node, e, -EINVAL, "a password needs a username");
        r = file_read_secret(item->password_file, PASSWORD_FILE_MAX, &o->password, NULL, &why);
        return r < 0 ? yaml_error(node, e, r, "%s", why.message) : 0;
}

/* One item of topics. */
typedef struct TopicItem {
        YamlNode filter, device, map;
        int format;
} TopicItem;

static int check_topic(const MqttOptions *o, const TopicItem *t, Error *e) {
        const char *filter = yaml_text(&t->filter), *device = yaml_text(&t->device);
        Error why;

        if (!filter)
                return yaml_error(&t->filter, e, -EINVAL, "filter: expected a text");
        if (!device)
                return yaml_error(&t->device, e, -EINVAL, "device: expected a text");
        for (size_t i = 0; i < o->topic_count; i++)
                if (streq(o->filters[i], filter))
                        return yaml_error(&t->filter, e, -EINVAL, "filter '%.80s' is given twice", filter);
        if (topic_pattern_check(filter, device, &why) < 0)
                return yaml_error(&t->device, e, -EINVAL, "%s", why.message);
        return 0;
}

static int find_mapping(const TopicItem *t, const MappingSet *maps, const Mapping **ret, Error *e) {
        const char *name = yaml_text(&t->map);

        *ret = NULL;
        if (t->format != DECODE_JSON) {
                if (yaml_present(&t->map))
                        return yaml_error(&t->map, e, -EINVAL, "map: only format json has one");
                return 0;
        }
        if (!yaml_present(&t->map))
                return yaml_error(&t->filter, e, -EINVAL, "format json needs a map");
        *ret = name ? mapping_set_find(maps, name) : NULL;
        if (!*ret)
                return yaml_error(
                                &t->map, e, -EINVAL, "map '%.64s': no such entry in maps", name ? name : "");
        return 0;
}

static int read_topic(MqttOptions *o, const YamlNode *node, const MappingSet *maps, Error *e) {
        const YamlField fields[] = {
                { "filter", YAML_NODE, offsetof(TopicItem, filter), .required = true },
                { "device", YAML_NODE, offsetof(TopicItem, device), .required = true },
                { "format", YAML_CHOICE, offsetof(TopicItem, format), .required = true,
                                .choices = decode_format_names },
                { "map", YAML_NODE, offsetof(TopicItem, map) },
                { NULL },
        };
        MqttTopic *topic = &o->topics[o->topic_count];
        TopicItem t = { 0 };

        int r = yaml_read(node, fields, &t, e);
        if (r < 0)
                return r;
        r = check_topic(o, &t, e);
        if (r < 0)
                return r;
        r = find_mapping(&t, maps, &topic->decoding.mapping, e);
        if (r < 0)
                return r;
        topic->decoding.format = (DecodeFormat) t.format;
        topic->device = strdup(yaml_text(&t.device));
        o->filters[o->topic_count++] = strdup(yaml_text(&t.filter));
        return topic->device && o->filters[o->topic_count - 1] ? 0 : -ENOMEM;
}

static int read_topics(MqttOptions *o, const YamlNode *list, const MappingSet *maps, Error *e) {
        int r = yaml_expect_sequence(list, "topics", e);
        if (r < 0)
                return r;
        size_t n = yaml_length(list);
        if (n < 1 || n > TOPICS_MAX)
                return yaml_error(list, e, -EINVAL, "topics: expected 1 to %d entries", TOPICS_MAX);
        o->topics = calloc(n, sizeof *o->topics);
        o->filters = calloc(n, sizeof *o->filters);
        if (!o->topics || !o->filters)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                YamlNode item = yaml_item(list, i);
                r = read_topic(o, &item, maps, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_names(const MqttOptions *o, const YamlNode *node, const YamlNode *client_id, Error *e) {
        if (!name_is_valid(o->common.name))
                return yaml_error(node, e, -EINVAL, "name '%.64s': expected letters, digits and . _ : -",
                                o->common.name);
        if (!o->client_id || strlen(o->client_id) > CLIENT_ID_MAX || !name_is_valid(o->client_id))
                return yaml_error(client_id, e, -EINVAL,
                                "client_id: expected at most %d letters, digits and . _ : -", CLIENT_ID_MAX);
        return 0;
}

static int set_defaults(MqttOptions *o) {
        if (o->port == 0)
                o->port = o->tls ? PORT_TLS : PORT_PLAIN;
        if (o->keepalive_us == 0)
                o->keepalive_us = KEEPALIVE_DEFAULT_SECONDS * USEC_PER_SEC;
        if (!o->host)
                o->host = strdup("127.0.0.1");
        return o->host ? 0 : -ENOMEM;
}

static int read_item(Item *item, const YamlNode *node, const MappingSet *maps, Error *e) {
        static const YamlField fields[] = {
                { "name", YAML_STRING, offsetof(Item, options.common.name), .required = true },
                { "host", YAML_STRING, offsetof(Item, options.host) },
                { "port", YAML_INT, offsetof(Item, options.port), .min = 1, .max = 65535 },
                { "client_id", YAML_NODE, offsetof(Item, client_id), .required = true },
                { "username", YAML_STRING, offsetof(Item, options.username) },
                { "password_file", YAML_STRING, offsetof(Item, password_file) },
                { "credential", YAML_STRING, offsetof(Item, credential) },
                { "keepalive", YAML_DURATION, offsetof(Item, options.keepalive_us), .min = 5e6,
                                .max = 3600e6 },
                { "tls", YAML_NODE, offsetof(Item, tls) },
                { "topics", YAML_NODE, offsetof(Item, topics), .required = true },
                { NULL },
        };
        MqttOptions *o = &item->options;

        int r = yaml_read(node, fields, item, e);
        if (r < 0)
                return r;
        const char *client_id = yaml_text(&item->client_id);
        if (client_id && !(o->client_id = strdup(client_id)))
                return -ENOMEM;
        r = check_names(o, node, &item->client_id, e);
        if (r < 0)
                return r;
        if (yaml_present(&item->tls)) {
                r = read_tls(o, &item->tls, e);
                if (r < 0)
                        return r;
        }
        r = read_password(item, node, e);
        if (r < 0)
                return r;
        r = read_topics(o, &item->topics, maps, e);
        return r < 0 ? r : set_defaults(o);
}

int mqtt_options_read(const YamlNode *node, const MappingSet *maps, MqttOptions **ret, Error *e) {
        _cleanup_(item_done) Item item = { 0 };

        int r = read_item(&item, node, maps, e);
        if (r == -ENOMEM)
                return error_set(e, r, "out of memory");
        if (r < 0)
                return r;
        MqttOptions *o = malloc(sizeof *o);
        if (!o)
                return error_set(e, -ENOMEM, "out of memory");
        *o = item.options;
        o->common.kind = &mqtt_kind;
        memset(&item.options, 0, sizeof item.options);
        *ret = o;
        return 0;
}
