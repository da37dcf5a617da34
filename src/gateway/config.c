#include "gateway/config.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>

#include "anchor/outbox.h"
#include "base/file.h"
#include "gateway/config_plugin.h"

Config *config_free(Config *c) {
        if (!c)
                return NULL;
        rule_set_free(c->rules);
        free(c->routing);
        yaml_unload(c->device_document);
        for (size_t i = 0; i < c->source_count; i++)
                c->sources[i]->kind->options_free(c->sources[i]);
        for (size_t i = 0; i < SOURCE_KINDS; i++)
                if (c->source_devices[i])
                        source_kinds[i]->devices_free(c->source_devices[i]);
        for (size_t i = 0; i < c->chain_count; i++)
                plugin_config_done(&c->chains[i]);
        for (size_t i = 0; i < c->receiver_count; i++)
                plugin_config_done(&c->receivers[i]);
        mapping_set_free(c->maps);
        catalogue_free(c->catalogue);
        char *const strings[] = { c->path, c->folder, c->name, c->state_dir, c->socket, c->socket_group,
                c->signing_key, c->encryption_key, c->devices, c->rules_dir, c->plugin_dir, c->worker };
        for (size_t i = 0; i < ELEMENTS(strings); i++)
                free(strings[i]);
        free(c);
        return NULL;
}

/* Replaces a path that is relative by one beside the main file. */
static int path_resolve(const Config *c, char **path) {
        char *absolute;

        if (!*path || **path == '/')
                return 0;
        if (asprintf(&absolute, "%s/%s", c->folder, *path) < 0)
                return -ENOMEM;
        free(*path);
        *path = absolute;
        return 0;
}

/* A key that the configuration does not name is a credential of the service manager, else beside the main file. */
static int key_path(const Config *c, const char *name, char **path) {
        const char *credentials = getenv("CREDENTIALS_DIRECTORY");

        if (*path)
                return path_resolve(c, path);
        return asprintf(path, "%s/%s", credentials ? credentials : c->folder, name) < 0 ? -ENOMEM : 0;
}

static int set_default(char **member, const char *value) {
        if (!*member)
                *member = strdup(value);
        return *member ? 0 : -ENOMEM;
}

static const YamlField gateway_fields[] = {
        { "name", YAML_STRING, offsetof(Config, name), .required = true },
        { NULL },
};

static const YamlField control_fields[] = {
        { "socket", YAML_STRING, offsetof(Config, socket) },
        { "group", YAML_STRING, offsetof(Config, socket_group) },
        { NULL },
};

static const YamlField key_fields[] = {
        { "signing", YAML_STRING, offsetof(Config, signing_key) },
        { "encryption", YAML_STRING, offsetof(Config, encryption_key) },
        { NULL },
};

static const YamlField plugins_fields[] = {
        { "dir", YAML_STRING, offsetof(Config, plugin_dir) },
        { "worker", YAML_STRING, offsetof(Config, worker) },
        { NULL },
};

#define SECOND 1e6
#define DAY    (86400 * SECOND)

static const YamlField ledger_fields[] = {
        { "block_entries", YAML_INT, offsetof(Config, ledger.block_entries), .min = 2, .max = 65536 },
        { "block_age", YAML_DURATION, offsetof(Config, ledger.block_age_us), .min = 0.1 * SECOND,
                        .max = DAY },
        { "block_idle", YAML_DURATION, offsetof(Config, ledger.block_idle_us), .min = SECOND, .max = DAY },
        { "batch_readings", YAML_INT, offsetof(Config, ledger.batch_readings), .min = 1, .max = 2000 },
        { "batch_age", YAML_DURATION, offsetof(Config, ledger.batch_age_us), .min = 1000,
                        .max = 10 * SECOND },
        { "retention", YAML_DURATION, offsetof(Config, ledger.retention_us), .min = 60 * SECOND,
                        .max = 36500 * DAY },
        { "size_budget", YAML_BYTES, offsetof(Config, ledger.size_budget), .min = 16 << 20, .max = 1e15 },
        { "prune_unanchored", YAML_BOOL, offsetof(Config, ledger.prune_unanchored) },
        { NULL },
};

typedef struct ValidationSection {
        int64_t skew_past, skew_future, identities, silent_after, slow_store;
} ValidationSection;

static const YamlField validation_fields[] = {
        { "skew_past", YAML_DURATION, offsetof(ValidationSection, skew_past), .min = SECOND,
                        .max = 3650 * DAY },
        { "skew_future", YAML_DURATION, offsetof(ValidationSection, skew_future), .min = SECOND,
                        .max = DAY },
        { "identities", YAML_INT, offsetof(ValidationSection, identities), .min = 4096, .max = 1 << 22 },
        { "silent_after", YAML_DURATION, offsetof(ValidationSection, silent_after), .min = SECOND,
                        .max = 30 * DAY },
        { "slow_store", YAML_DURATION, offsetof(ValidationSection, slow_store), .min = 0.05 * SECOND,
                        .max = 60 * SECOND },
        { NULL },
};

static const YamlField quarantine_fields[] = {
        { "limit", YAML_INT, offsetof(Config, quarantine_limit), .min = 1, .max = 100000 },
        { NULL },
};

/* The sections of the file, in the order in which they are read. */
typedef struct Sections {
        YamlNode root, gateway, control, keys, vitals, maps, mqtt, coap, ble, ledger, validation, quarantine,
                        chains, receivers, alerts, routes, plugins;
        char *state_dir, *devices, *rules;
} Sections;

static const YamlField section_fields[] = {
        { "gateway", YAML_NODE, offsetof(Sections, gateway), .required = true },
        { "state_dir", YAML_STRING, offsetof(Sections, state_dir) },
        { "control", YAML_NODE, offsetof(Sections, control) },
        { "keys", YAML_NODE, offsetof(Sections, keys) },
        { "devices", YAML_STRING, offsetof(Sections, devices) },
        { "rules", YAML_STRING, offsetof(Sections, rules) },
        { "vitals", YAML_NODE, offsetof(Sections, vitals) },
        { "maps", YAML_NODE, offsetof(Sections, maps) },
        { "mqtt", YAML_NODE, offsetof(Sections, mqtt) },
        { "coap", YAML_NODE, offsetof(Sections, coap) },
        { "ble", YAML_NODE, offsetof(Sections, ble) },
        { "ledger", YAML_NODE, offsetof(Sections, ledger) },
        { "validation", YAML_NODE, offsetof(Sections, validation) },
        { "quarantine", YAML_NODE, offsetof(Sections, quarantine) },
        { "chains", YAML_NODE, offsetof(Sections, chains) },
        { "receivers", YAML_NODE, offsetof(Sections, receivers) },
        { "alerts", YAML_NODE, offsetof(Sections, alerts) },
        { "routes", YAML_NODE, offsetof(Sections, routes) },
        { "plugins", YAML_NODE, offsetof(Sections, plugins) },
        { NULL },
};

static int read_section(const YamlNode *n, const YamlField *fields, void *object, Error *e) {
        return yaml_present(n) ? yaml_read(n, fields, object, e) : 0;
}

static int add_source(Config *c, const SourceKind *kind, const YamlNode *item, Error *e) {
        if (c->source_count == CONFIG_SOURCES_MAX)
                return yaml_error(item, e, -EINVAL, "more than %d sources", CONFIG_SOURCES_MAX);
        int r = kind->options_read(item, c->maps, &c->sources[c->source_count], e);
        if (r < 0)
                return r;
        const char *name = c->sources[c->source_count++]->name;
        for (size_t i = 0; i + 1 < c->source_count; i++)
                if (streq(c->sources[i]->name, name))
                        return yaml_error(item, e, -EINVAL, "two sources are named '%s'", name);
        return 0;
}

static int read_sources(Config *c, const Sections *s, Error *e) {
        bool any = false;

        for (size_t i = 0; i < SOURCE_KINDS; i++) {
                const SourceKind *kind = source_kinds[i];
                YamlNode list = yaml_get(&s->root, kind->section);
                int r = yaml_expect_sequence(&list, "a list of sources", e);
                any |= yaml_present(&list);
                for (size_t k = 0; r == 0 && k < yaml_length(&list); k++) {
                        YamlNode item = yaml_item(&list, k);
                        r = add_source(c, kind, &item, e);
                }
                if (r < 0)
                        return r;
        }
        return any ? 0
                   : yaml_error(&s->root, e, -EINVAL, "no source of readings: expected mqtt, coap or ble");
}

const SourceDevices *config_source_devices(const Config *c, const SourceKind *kind) {
        for (size_t i = 0; i < SOURCE_KINDS; i++)
                if (source_kinds[i] == kind)
                        return c->source_devices[i];
        return NULL;
}

static int read_validation(Config *c, const YamlNode *n, Error *e) {
        ValidationSection v = { .skew_past = c->validator.skew_past_us,
                .skew_future = c->validator.skew_future_us,
                .identities = (int64_t) c->validator.identities,
                .silent_after = c->silent_after_us,
                .slow_store = c->slow_store_us };

        int r = read_section(n, validation_fields, &v, e);
        if (r < 0)
                return r;
        if (v.identities & (v.identities - 1))
                return yaml_error(n, e, -EINVAL, "identities: %lld: expected a power of two",
                                (long long) v.identities);
        c->validator = (ValidatorOptions){ .skew_past_us = v.skew_past,
                .skew_future_us = v.skew_future,
                .identities = (size_t) v.identities };
        c->silent_after_us = v.silent_after;
        c->slow_store_us = v.slow_store;
        return 0;
}

static int read_routing(Config *c, const Sections *s, Error *e) {
        c->routing = calloc(1, sizeof *c->routing);
        if (!c->routing)
                return error_set(e, -ENOMEM, "out of memory");
        c->routing->receiver_count = c->receiver_count;
        for (size_t i = 0; i < c->receiver_count; i++)
                c->routing->receivers[i] = (RoutingReceiver){
                        .name = c->receivers[i].name,
                        .min_priority = (Priority) c->receivers[i].min_priority,
                        .rate_notices = c->receivers[i].rate_notices,
                        .rate_per_us = c->receivers[i].rate_per_us,
                };
        return routing_read(c->routing, &s->alerts, &s->routes, e);
}

static int read_sections(Config *c, const Sections *s, Error *e) {
        int r = yaml_read(&s->gateway, gateway_fields, c, e);

        if (r == 0 && (!name_is_valid(c->name)))
                r = yaml_error(&s->gateway, e, -EINVAL,
                                "name '%s': expected up to 63 letters, digits, '.', '-', '_', ':'", c->name);
        if (r == 0)
                r = read_section(&s->control, control_fields, c, e);
        if (r == 0)
                r = read_section(&s->keys, key_fields, c, e);
        if (r == 0)
                r = read_section(&s->plugins, plugins_fields, c, e);
        if (r == 0)
                r = read_section(&s->ledger, ledger_fields, c, e);
        if (r == 0)
                r = read_validation(c, &s->validation, e);
        if (r == 0)
                r = read_section(&s->quarantine, quarantine_fields, c, e);
        if (r == 0 && yaml_present(&s->vitals))
                r = catalogue_read(c->catalogue, &s->vitals, e);
        if (r == 0)
                r = mapping_set_read(&s->maps, c->catalogue, &c->maps, e);
        if (r == 0)
                r = read_sources(c, s, e);
        if (r == 0)
                r = plugin_configs_read(&s->chains, PLUGIN_CHAIN, c->chains, &c->chain_count, e);
        if (r == 0)
                r = plugin_configs_read(&s->receivers, PLUGIN_RECEIVER, c->receivers, &c->receiver_count, e);
        if (r == 0)
                r = read_routing(c, s, e);
        return r;
}

/* The files' hashes are chained, so that the same set of texts gives the same hash. */
static int hash_file(Hash *h, const char *path, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t len;

        int r = file_read(path, YAML_FILE_MAX, &text, &len, e);
        if (r < 0)
                return r;
        Hash previous = *h;
        sha256_prefixed(0, BYTES(previous.bytes, sizeof previous.bytes), BYTES(text, len), h);
        return 0;
}

static int read_devices(Config *c, Error *e) {
        _cleanup_(registry_freep) Registry *scratch = NULL;

        int r = yaml_load_file(c->devices, &c->device_document, e);
        if (r == 0)
                r = registry_new(&scratch);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(c->device_document);
        r = registry_read(scratch, &root, e);
        if (r < 0)
                return r;
        c->device_count = registry_device_count(scratch);
        for (size_t i = 0; r == 0 && i < SOURCE_KINDS; i++)
                if (source_kinds[i]->devices_read)
                        r = source_kinds[i]->devices_read(&root, c->maps, &c->source_devices[i], e);
        return r < 0 ? r : hash_file(&c->hash, c->devices, e);
}

static int is_rule_file(const struct dirent *d) {
        size_t n = strlen(d->d_name);

        return d->d_name[0] != '.' && n > 5 && streq(d->d_name + n - 5, ".yaml");
}

static int read_rule_file(Config *c, const char *name, Error *e) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;
        char path[PATH_MAX];

        (void) snprintf(path, sizeof path, "%s/%s", c->rules_dir, name);
        int r = yaml_load_file(path, &d, e);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(d);
        r = rule_set_read(c->rules, &root, e);
        return r < 0 ? r : hash_file(&c->hash, path, e);
}

static int read_rules(Config *c, Error *e) {
        struct dirent **files;

        int r = rule_set_new(c->catalogue, &c->rules);
        if (r < 0 || !c->rules_dir)
                return r;
        int n = scandir(c->rules_dir, &files, is_rule_file, alphasort);
        if (n < 0)
                return error_set(e, -errno, "%s: rules: %s", c->rules_dir, strerror(errno));
        for (int i = 0; i < n; i++) {
                if (r == 0)
                        r = read_rule_file(c, files[i]->d_name, e);
                free(files[i]);
        }
        free(files);
        return r;
}

static int resolve_paths(Config *c) {
        char **const paths[] = { &c->state_dir, &c->devices, &c->rules_dir, &c->plugin_dir, &c->worker,
                &c->socket };

        for (size_t i = 0; i < ELEMENTS(paths); i++)
                if (path_resolve(c, paths[i]) < 0)
                        return -ENOMEM;
        if (key_path(c, "signing-key", &c->signing_key) < 0 ||
                        key_path(c, "key-encryption-key", &c->encryption_key) < 0)
                return -ENOMEM;
        return 0;
}

static int set_defaults(Config *c) {
        c->ledger = (LedgerConfig){
                .block_entries = 4096,
                .block_age_us = 10 * USEC_PER_SEC,
                .block_idle_us = 3600 * USEC_PER_SEC,
                .batch_readings = 1000,
                .batch_age_us = 100 * USEC_PER_MSEC,
        };
        c->validator = (ValidatorOptions){
                .skew_past_us = 604800 * USEC_PER_SEC,
                .skew_future_us = 120 * USEC_PER_SEC,
                .identities = 65536,
        };
        c->silent_after_us = 300 * USEC_PER_SEC;
        c->slow_store_us = USEC_PER_SEC;
        c->quarantine_limit = 1000;
        return catalogue_new(&c->catalogue);
}

static int set_default_paths(Config *c) {
        int r = set_default(&c->state_dir, "/var/lib/wardstone");

        if (r == 0)
                r = set_default(&c->socket, "/run/wardstone/control.sock");
        if (r == 0)
                r = set_default(&c->devices, "devices.yaml");
        if (r == 0)
                r = set_default(&c->plugin_dir, WARDSTONE_PLUGIN_DIR);
        if (r == 0)
                r = set_default(&c->worker, WARDSTONE_WORKER);
        return r;
}

int config_load(const char *path, Config **ret, Error *e) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;
        _cleanup_(config_freep) Config *c = calloc(1, sizeof *c);
        Sections sections = { 0 };
        char *folder = NULL;

        if (!c || set_defaults(c) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        char *resolved = realpath(path, NULL);
        if (!resolved)
                return error_set(e, -errno, "%s: %s; run: wardstone init", path, strerror(errno));
        c->path = resolved;
        folder = strdup(resolved);
        c->folder = folder ? strdup(dirname(folder)) : NULL;
        free(folder);
        if (!c->folder)
                return error_set(e, -ENOMEM, "out of memory");

        int r = hash_file(&c->hash, path, e);
        if (r == 0)
                r = yaml_load_file(path, &d, e);
        if (r < 0)
                return r;
        c->main_hash = c->hash;
        YamlNode root = yaml_root(d);
        sections.root = root;
        r = yaml_read(&root, section_fields, &sections, e);
        c->state_dir = sections.state_dir;
        c->devices = sections.devices;
        c->rules_dir = sections.rules;
        if (r == 0)
                r = read_sections(c, &sections, e);
        if (r < 0)
                return r;
        if (set_default_paths(c) < 0 || resolve_paths(c) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        r = read_devices(c, e);
        if (r == 0)
                r = read_rules(c, e);
        if (r < 0)
                return r;
        *ret = TAKE(c);
        return 0;
}

static bool vital_equal(const Vital *a, const Vital *b) {
        return streq(a->name, b->name) && streq(a->display, b->display) && streq(a->unit, b->unit) &&
               streq(a->loinc, b->loinc) && a->mdc == b->mdc && a->min == b->min && a->max == b->max;
}

const char *config_needs_restart(const Config *old, const Catalogue *vitals, const Config *new) {
        const struct {
                const char *name, *old, *new;
        } fixed[] = {
                { "gateway.name", old->name, new->name },
                { "state_dir", old->state_dir, new->state_dir },
                { "control.socket", old->socket, new->socket },
                { "control.group", old->socket_group ? old->socket_group : "",
                                new->socket_group ? new->socket_group : "" },
                { "keys.signing", old->signing_key, new->signing_key },
                { "keys.encryption", old->encryption_key, new->encryption_key },
        };

        for (size_t i = 0; i < ELEMENTS(fixed); i++)
                if (!streq(fixed[i].old, fixed[i].new))
                        return fixed[i].name;
        if (memcmp(&old->ledger, &new->ledger, offsetof(LedgerConfig, prune_unanchored)) != 0 ||
                        old->ledger.prune_unanchored != new->ledger.prune_unanchored)
                return "ledger";
        if (memcmp(&old->validator, &new->validator, sizeof old->validator) != 0)
                return "validation";
        if (old->quarantine_limit != new->quarantine_limit)
                return "quarantine.limit";
        if (catalogue_count(vitals) != catalogue_count(new->catalogue))
                return "vitals";
        for (size_t i = 0; i < catalogue_count(vitals); i++)
                if (!vital_equal(catalogue_at(vitals, (VitalId) i),
                                    catalogue_at(new->catalogue, (VitalId) i)))
                        return "vitals";
        return NULL;
}
