#include "gateway/reload.h"

#include <errno.h>
#include <stdio.h>

#include "gateway/internal.h"
#include "gateway/log.h"

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

void gateway_stop_sources(Gateway *g) {
        for (size_t i = 0; i < g->source_count; i++)
                g->sources[i].source->ops->free(g->sources[i].source);
        g->source_count = 0;
}

int gateway_start_sources(Gateway *g, Error *e) {
        SourceSink sink = pipeline_sink(g);
        Stamp now = gateway_now(g);

        for (size_t i = 0; i < g->config->source_count; i++) {
                SourceWatch *w = &g->sources[i];
                *w = (SourceWatch){ .down_since_us = now.wall_us, .reason = "connecting" };
                int r = mqtt_source_new(g->event, g->config->sources[i], &sink, &w->source, e);
                if (r < 0)
                        return r;
                g->source_count++;
                /* What it reads now would be acknowledged with a batch that it is not in. */
                if (ledger_is_writing(g->ledger))
                        w->source->ops->pause(w->source);
                if (g->pipeline.store != STORE_OK)
                        w->source->ops->suspend(w->source);
        }
        return 0;
}

static bool rule_is_kept(void *userdata, const char *rule) {
        const RuleSet *rules = userdata;

        for (uint32_t i = 0; i < rule_set_count(rules); i++)
                if (streq(rule_set_rule(rules, i)->name, rule))
                        return true;
        return false;
}

static void use_rules(Gateway *g, RuleEngine *engine) {
        Stamp now = gateway_now(g);

        rule_engine_free(g->engine);
        g->engine = engine;
        rule_set_hash(g->config->rules, g->rules_hash.bytes);
        alert_manager_retain(g->alerts, rule_is_kept, g->config->rules, &now);
}

/* The workers' old and new processes overlap for a moment; what they deliver carries the same keys. */
static int use_connectors(Gateway *g, Error *e) {
        Receivers *receivers;
        Chains *chains;

        int r = receivers_new(g, &receivers, e);
        if (r < 0)
                return r;
        r = chains_new(g, &chains, e);
        if (r < 0) {
                receivers_free(receivers);
                return r;
        }
        receivers_adopt(receivers, g->receivers);
        receivers_free(g->receivers);
        chains_free(g->chains);
        g->receivers = receivers;
        g->chains = chains;
        return 0;
}

int gateway_reload(Gateway *g, Error *e) {
        _cleanup_(config_freep) Config *config = NULL;
        RuleEngine *engine = NULL;

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
        bool connectors = !hash_equal(&config->main_hash, &g->config->main_hash);
        Config *old = g->config;
        g->config = config;
        if (connectors)
                r = use_connectors(g, e);
        YamlNode devices = yaml_root(config->device_document);
        if (r == 0)
                r = registry_read(g->registry, &devices, e);
        if (r < 0) {
                g->config = old;
                rule_engine_free(engine);
                return r;
        }
        config = NULL;
        use_rules(g, engine);
        if (connectors) {
                gateway_stop_sources(g);
                r = gateway_start_sources(g, e);
        }
        config_free(old);
        gateway_append_config(g);
        log_notice("configuration reloaded: %zu devices, %zu rules", g->config->device_count,
                        rule_set_count(g->config->rules));
        return r;
}
