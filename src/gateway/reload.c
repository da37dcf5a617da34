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

void gateway_stop_sources(Gateway *g) {
        for (size_t i = 0; i < g->source_count; i++)
                g->sources[i].source->ops->free(g->sources[i].source);
        g->source_count = 0;
}

static int start_source(Gateway *g, const SourceOptions *o, const Stamp *now, Error *e) {
        const SourceSink sink = pipeline_sink(g);
        SourceWatch *w = &g->sources[g->source_count];

        *w = (SourceWatch){ .down_since_us = now->wall_us, .reason = "connecting" };
        int r = o->kind->start(g->event, o, config_source_devices(g->config, o->kind), &sink, &w->source, e);
        if (r < 0)
                return r;
        g->source_count++;
        /* What it reads now is not in the batch that is being written. */
        if (ledger_is_writing(g->ledger))
                w->source->ops->batch_closed(w->source);
        if (g->pipeline.store != STORE_OK)
                w->source->ops->suspend(w->source);
        return 0;
}

int gateway_start_sources(Gateway *g, Error *e) {
        Stamp now = gateway_now(g);

        for (size_t i = 0; i < g->config->source_count; i++) {
                int r = start_source(g, g->config->sources[i], &now, e);
                if (r < 0) {
                        gateway_stop_sources(g);
                        return r;
                }
        }
        return 0;
}

int gateway_test_sources(const Config *c, Error *e) {
        for (size_t i = 0; i < SOURCE_KINDS; i++)
                for (size_t k = 0; k < c->source_count; k++)
                        if (c->sources[k]->kind == source_kinds[i] && source_kinds[i]->selftest) {
                                int r = source_kinds[i]->selftest(e);
                                if (r < 0)
                                        return r;
                                break;
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
        for (size_t i = 0; i < SOURCE_KINDS; i++)
                SWAP(in_force->source_devices[i], new->source_devices[i]);
        SWAP(in_force->hash, new->hash);
}

static void tell_sources_of_devices(Gateway *g) {
        for (size_t i = 0; i < g->source_count; i++) {
                Source *s = g->sources[i].source;
                if (s->ops->devices)
                        s->ops->devices(s, config_source_devices(g->config, g->config->sources[i]->kind));
        }
}

/* The sources of g->config instead of the old configuration's, which come back where the new ones can't start: a port or
 * an adapter has one owner. What was not yet acknowledged comes again. */
static int remake_sources(Gateway *g, Config *old, Error *e) {
        Error why;

        gateway_stop_sources(g);
        int r = gateway_test_sources(g->config, e);
        if (r == 0)
                r = gateway_start_sources(g, e);
        if (r == 0)
                return 0;
        SWAP(g->config, old);
        if (gateway_start_sources(g, &why) < 0)
                log_error("the sources that were there before can't start again: %s", why.message);
        SWAP(g->config, old);
        return r;
}

/* Everything that g->config names. Receivers and connectors are made before the old are given up: the workers' old and new
 * processes overlap for a moment; what they deliver carries the same keys. */
static int remake(Gateway *g, Config *old, Error *e) {
        Receivers *receivers = NULL;
        Chains *chains = NULL;
        Stamp now = gateway_now(g);

        int r = receivers_new(g, &receivers, e);
        if (r == 0)
                r = chains_new(g, &chains, e);
        if (r == 0)
                r = remake_sources(g, old, e);
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
        return 0;
}

/* wardstone.yaml changed: everything that it names starts anew. */
static int use_config(Gateway *g, Config **config, Error *e) {
        SWAP(g->config, *config);
        int r = remake(g, *config, e);
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
        if (hash_equal(&config->main_hash, &g->config->main_hash)) {
                use_files(g->config, config);
                tell_sources_of_devices(g);
        } else
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
