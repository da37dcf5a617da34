/* The configuration: wardstone.yaml, devices.yaml and the rule files, read and checked as a whole before anything of it
 * is used. docs/man/wardstone.yaml.5 is the reference. */
#pragma once

#include <jansson.h>

#include "base/sha256.h"
#include "alert/routing.h"
#include "decode/mapping.h"
#include "decode/validate.h"
#include "ingest/source.h"
#include "rules/rules.h"

enum { CONFIG_SOURCES_MAX = 8, CONFIG_PLUGINS_MAX = ROUTING_RECEIVERS_MAX };

typedef struct PluginConfig {
        char *name, *plugin;
        int policy;              /* chains: OutboxPolicy */
        int64_t behind_after_us; /* chains: a checkpoint that is not final for longer is an alert */
        int min_priority;        /* receivers: Priority */
        unsigned rate_notices;   /* receivers: so many at once, then evenly; 0: no limit */
        int64_t rate_per_us;
        json_t *config; /* the plugin's own settings; relative file names are as written */
} PluginConfig;

typedef struct LedgerConfig {
        int64_t block_entries, block_age_us, block_idle_us;
        int64_t batch_readings, batch_age_us;
        int64_t retention_us, size_budget;
        bool prune_unanchored;
} LedgerConfig;

typedef struct Config {
        char *path, *folder; /* of wardstone.yaml */
        char *name;          /* gateway.name: origin of checkpoints */
        char *state_dir;
        char *socket, *socket_group;        /* control socket; group may be NULL */
        char *signing_key, *encryption_key; /* paths */
        char *devices, *rules_dir;          /* paths; rules_dir may be NULL */
        char *plugin_dir, *worker;          /* paths */
        LedgerConfig ledger;
        ValidatorOptions validator;
        int64_t silent_after_us; /* a device without a reading for that long is a gap */
        int64_t slow_store_us;   /* a commit that takes longer makes sources deliver alerts without it */
        int64_t quarantine_limit;
        Catalogue *catalogue;
        MappingSet *maps;
        SourceOptions *sources[CONFIG_SOURCES_MAX];
        size_t source_count;
        SourceDevices *source_devices[SOURCE_KINDS]; /* NULL where devices.yaml says nothing for the kind */
        PluginConfig chains[CONFIG_PLUGINS_MAX], receivers[CONFIG_PLUGINS_MAX];
        size_t chain_count, receiver_count;
        Routing *routing;
        RuleSet *rules;
        YamlDocument *device_document; /* devices.yaml: for registry_read() */
        size_t device_count;
        Hash hash;      /* over all the files */
        Hash main_hash; /* over wardstone.yaml alone */
} Config;

/* Reads everything that the file names. Nothing is started or written. */
int config_load(const char *path, Config **ret, Error *e) _must_check_;
Config *config_free(Config *c);
DEFINE_CLEANUP(Config *, config_free);

/* What devices.yaml says for sources of that kind, or NULL. */
const SourceDevices *config_source_devices(const Config *c, const SourceKind *kind);

/* What a reload can't change: returns the key's name, or NULL where the two agree. vitals: those in force. */
const char *config_needs_restart(const Config *old, const Catalogue *vitals, const Config *new);
