#include "gateway/config_plugin.h"

#include <errno.h>
#include <assert.h>
#include <math.h>

#include "anchor/outbox.h"

void plugin_config_done(PluginConfig *p) {
        free(p->name);
        free(p->plugin);
        json_decref(p->config);
        *p = (PluginConfig){ 0 };
}

/* A plain scalar is true, false, null, a number or a text; a quoted one is always a text (YAML 1.2's JSON schema). */
static json_t *scalar_to_json(const YamlNode *n) {
        const char *text = yaml_text(n);
        char *end;

        if (yaml_is_quoted(n))
                return json_string(text);
        if (streq(text, "true") || streq(text, "false"))
                return json_boolean(streq(text, "true"));
        if (*text == '\0' || streq(text, "null") || streq(text, "~"))
                return json_null();
        if (strspn(text, "+-0123456789") == strlen(text)) {
                errno = 0;
                long long v = strtoll(text, &end, 10);
                if (*end == '\0' && errno == 0)
                        return json_integer(v);
        }
        if (strspn(text, "+-.0123456789eE") == strlen(text)) {
                double v = strtod(text, &end);
                if (*end == '\0' && isfinite(v))
                        return json_real(v);
        }
        return json_string(text);
}

static json_t *yaml_to_json(const YamlNode *n) {
        if (yaml_is_scalar(n))
                return scalar_to_json(n);
        json_t *result = yaml_is_sequence(n) ? json_array() : json_object();
        for (size_t i = 0; result && i < yaml_length(n); i++) {
                YamlNode key, value;
                int r;

                if (yaml_is_sequence(n)) {
                        value = yaml_item(n, i);
                        r = json_array_append_new(result, yaml_to_json(&value));
                } else {
                        yaml_pair(n, i, &key, &value);
                        r = yaml_text(&key) ? json_object_set_new(
                                                              result, yaml_text(&key), yaml_to_json(&value))
                                            : -1;
                }
                if (r < 0) {
                        json_decref(result);
                        return NULL;
                }
        }
        return result;
}

static const char *const policies[] = { "latest", "every", NULL };
static const char *const priorities[] = { "technical", "low", "medium", "high", NULL };

static_assert(OUTBOX_LATEST == 0 && OUTBOX_EVERY == 1, "policies[] is in the order of OutboxPolicy");
static_assert(PRIORITY_TECHNICAL == 0 && PRIORITY_HIGH == 3, "priorities[] is in the order of Priority");

#define BEHIND_AFTER_US (3600 * USEC_PER_SEC)

typedef struct PluginSection {
        PluginConfig plugin;
        YamlNode config, rate;
} PluginSection;

#define COMMON_FIELDS                                                                                       \
        { "name", YAML_STRING, offsetof(PluginSection, plugin.name), .required = true },                    \
                        { "plugin", YAML_STRING, offsetof(PluginSection, plugin.plugin),                    \
                                .required = true },                                                         \
        {                                                                                                   \
                "config", YAML_NODE, offsetof(PluginSection, config)                                        \
        }

static const YamlField chain_fields[] = {
        COMMON_FIELDS,
        { "policy", YAML_CHOICE, offsetof(PluginSection, plugin.policy), .choices = policies },
        { "behind_after", YAML_DURATION, offsetof(PluginSection, plugin.behind_after_us), .min = 1e6,
                        .max = 365 * 86400e6 },
        { NULL },
};

static const YamlField receiver_fields[] = {
        COMMON_FIELDS,
        { "min_priority", YAML_CHOICE, offsetof(PluginSection, plugin.min_priority), .choices = priorities },
        { "rate", YAML_NODE, offsetof(PluginSection, rate) },
        { NULL },
};

static int read_plugin(const YamlNode *n, PluginKind kind, const PluginConfig *others, size_t count,
                PluginConfig *ret, Error *e) {
        PluginSection s = { .plugin = { .behind_after_us = BEHIND_AFTER_US } };
        RoutingReceiver rate = { 0 };

        int r = yaml_read(n, kind == PLUGIN_CHAIN ? chain_fields : receiver_fields, &s, e);
        *ret = s.plugin;
        if (r == 0)
                r = routing_read_rate(&rate, &s.rate, e);
        if (r < 0)
                return r;
        ret->rate_notices = rate.rate_notices;
        ret->rate_per_us = rate.rate_per_us;
        if (!name_is_valid(ret->name) || !name_is_valid(ret->plugin))
                return yaml_error(n, e, -EINVAL, "name and plugin: expected letters, digits, '.', '-', '_'");
        for (size_t i = 0; i < count; i++)
                if (streq(others[i].name, ret->name))
                        return yaml_error(n, e, -EINVAL, "two plugins are named '%s'", ret->name);
        if (yaml_present(&s.config) && !yaml_is_mapping(&s.config))
                return yaml_error(&s.config, e, -EINVAL, "config: expected a mapping (key: value)");
        ret->config = yaml_present(&s.config) ? yaml_to_json(&s.config) : json_object();
        return ret->config ? 0 : yaml_error(&s.config, e, -EINVAL, "config: expected plain keys and values");
}

int plugin_configs_read(const YamlNode *list, PluginKind kind, PluginConfig *ret, size_t *ret_n, Error *e) {
        int r = yaml_expect_sequence(list, kind == PLUGIN_CHAIN ? "chains" : "receivers", e);

        *ret_n = 0;
        for (size_t i = 0; r == 0 && i < yaml_length(list); i++) {
                YamlNode item = yaml_item(list, i);
                if (*ret_n == CONFIG_PLUGINS_MAX)
                        return yaml_error(&item, e, -EINVAL, "more than %d", CONFIG_PLUGINS_MAX);
                r = read_plugin(&item, kind, ret, *ret_n, &ret[*ret_n], e);
                (*ret_n)++;
        }
        return r;
}
