#include "gateway/reload.h"

#include <errno.h>
#include <stdio.h>

#include "gateway/internal.h"
#include "gateway/log.h"
#include "gateway/own_alerts.h"
#include "gateway/replay.h"

void gateway_append_config(Gateway *g) {
        uint8_t buffer[256];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        Stamp now = gateway_now(g);
        ConfigBody body = {
                .when = gateway_when(g, &now), .config = g->config->hash, .rules = g->rules_hash
        };

        (void) snprintf(body.version, sizeof body.version, "%s", WARDSTONE_VERSION);
        body_put_config(&w, &body);
        pipeline_append(g, ENTRY_CONFIG, NULL, &w, &now);
}

static void free_sources(SourceWatch *list, size_t n) {
        for (size_t i = 0; i < n; i++)
                list[i].source->ops->free(list[i].source);
}

void gateway_stop_sources(Gateway *g) {
        free_sources(g->sources, g->source_count);
        g->source_count = 0;
}

/* The sources of g->config, not yet g's: what they say meanwhile goes nowhere. */
static int make_sources(Gateway *g, SourceWatch *ret, size_t *ret_n, Error *e) {
        SourceSink sink = pipeline_sink(g);
        Stamp now = gateway_now(g);
        size_t n = 0;

        for (; n < g->config->source_count; n++) {
                ret[n] = (SourceWatch){ .down_since_us = now.wall_us, .reason = "connecting" };
                int r = mqtt_source_new(g->event, g->config->sources[n], &sink, &ret[n].source, e);
                if (r < 0) {
                        free_sources(ret, n);
                        return r;
                }
        }
        *ret_n = n;
        return 0;
}

static void use_sources(Gateway *g, const SourceWatch *list, size_t n) {
        gateway_stop_sources(g);
        memcpy(g->sources, list, n * sizeof *list);
        g->source_count = n;
        for (size_t i = 0; i < n; i++) {
                Source *s = list[i].source;
                /* What it reads now would be acknowledged with a batch that it is not in. */
                if (ledger_is_writing(g->ledger))
                        s->ops->pause(s);
                if (g->pipeline.store != STORE_OK)
                        s->ops->suspend(s);
        }
}

int gateway_start_sources(Gateway *g, Error *e) {
        SourceWatch list[CONFIG_SOURCES_MAX];
        size_t n;

        int r = make_sources(g, list, &n, e);
        if (r == 0)
                use_sources(g, list, n);
        return r;
}

static bool rule_is_kept(void *userdata, const char *rule) {
        const RuleSet *rules = userdata;

        for (uint32_t i = 0; i < rule_set_count(rules); i++)
                if (streq(rule_set_rule(rules, i)->name, rule))
                        return true;
        return false;
}

void gateway_retain_alerts(Gateway *g, const Stamp *now) {
        alert_manager_retain(g->alerts, rule_is_kept, g->config->rules, now);
}

void gateway_release_unlisted(Gateway *g, const Stamp *now) {
        for (DeviceId i = 0; i < registry_device_count(g->registry); i++) {
                const Device *d = registry_device(g->registry, i);
                if (!d->registered && d->subject == d->own_subject)
                        alert_manager_release(g->alerts, d->own_subject, now);
        }
}

static void use_rules(Gateway *g, RuleEngine *engine) {
        Stamp now = gateway_now(g);

        rule_engine_free(g->engine);
        g->engine = engine;
        rule_set_hash(g->config->rules, g->rules_hash.bytes);
        gateway_retain_alerts(g, &now);
        replay_after_reload(g, &now);
}

#define SWAP(a, b)                                                                                          \
        do {                                                                                                \
                typeof(a) _swap = (a);                                                                      \
                (a) = (b);                                                                                  \
                (b) = _swap;                                                                                \
        } while (0)

/* wardstone.yaml is what it was: sources and connectors go on with it, rules and devices are new. */
static void use_files(Config *in_force, Config *new) {
        SWAP(in_force->catalogue, new->catalogue); /* the rules' */
        SWAP(in_force->rules, new->rules);
        SWAP(in_force->device_document, new->device_document);
        SWAP(in_force->device_count, new->device_count);
        SWAP(in_force->hash, new->hash);
}

/* Everything that g->config names, made before anything of the old is given up. The workers' old and new processes overlap
 * for a moment; what they deliver carries the same keys. */
static int remake(Gateway *g, Error *e) {
        Receivers *receivers = NULL;
        Chains *chains = NULL;
        SourceWatch sources[CONFIG_SOURCES_MAX];
        Stamp now = gateway_now(g);
        size_t n = 0;

        int r = receivers_new(g, &receivers, e);
        if (r == 0)
                r = chains_new(g, &chains, e);
        if (r == 0)
                r = make_sources(g, sources, &n, e);
        if (r < 0) {
                chains_free(chains);
                receivers_free(receivers);
                return r;
        }
        /* receivers and their numbers in the routing change together */
        SWAP(g->receivers, receivers);
        receivers_adopt(g->receivers, receivers);
        dispatch_use(g->dispatch, g->config->routing, &now);
        SWAP(g->chains, chains);
        receivers_free(receivers);
        chains_free(chains);
        use_sources(g, sources, n);
        return 0;
}

/* wardstone.yaml changed: everything that it names starts anew. */
static int use_config(Gateway *g, Config **config, Error *e) {
        SWAP(g->config, *config);
        int r = remake(g, e);
        if (r < 0)
                SWAP(g->config, *config);
        return r;
}

int gateway_reload(Gateway *g, Error *e) {
        _cleanup_(config_freep) Config *config = NULL; /* in the end: what is no longer in force */
        _cleanup_(rule_engine_freep) RuleEngine *engine = NULL;

        int r = config_load(g->config->path, &config, e);
        if (r < 0)
                return r;
        const char *fixed = config_needs_restart(g->config, g->catalogue, config);
        if (fixed)
                return error_set(e, -EBUSY,
                                "%s: '%s' can't be changed by a reload; run: systemctl restart wardstoned",
                                config->path, fixed);
        r = rule_engine_new(config->rules, g->registry, pipeline_outcome, g, &engine);
        if (r < 0)
                return error_set(e, r, "%s", strerror(-r));
        YamlNode devices = yaml_root(config->device_document);
        r = registry_read(g->registry, &devices, e);
        if (r < 0)
                return r;
        if (hash_equal(&config->main_hash, &g->config->main_hash))
                use_files(g->config, config);
        else
                r = use_config(g, &config, e);
        if (r < 0) {
                Error unused;
                devices = yaml_root(g->config->device_document);
                if (registry_read(g->registry, &devices, &unused) < 0)
                        log_error("the devices that were listed before can't be read again");
                return r;
        }
        use_rules(g, TAKE(engine));
        Stamp now = gateway_now(g);
        gateway_release_unlisted(g, &now);
        own_alerts_review(g, &now);
        gateway_append_config(g);
        log_message(LOG_NOTICE, LOG_FIELDS({ "EVENT", "reload" }, { "STATE", "done" }),
                        "configuration reloaded: %zu devices, %zu rules", g->config->device_count,
                        rule_set_count(g->config->rules));
        return 0;
}
