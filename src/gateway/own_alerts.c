#include "gateway/own_alerts.h"

#include <stdio.h>

#include "gateway/internal.h"

enum { ENDED_MAX = 64 /* at once; the others with the next start or reload */ };

typedef struct Review {
        Gateway *gateway;
        char ended[ENDED_MAX][ALERT_NAME_MAX];
        size_t count;
        bool messages; /* there are alerts of messages that were set aside */
} Review;

typedef const char *(*NameFn)(const Config *c, size_t i);

static const char *source_name(const Config *c, size_t i) {
        return i < c->source_count ? c->sources[i]->name : NULL;
}

static const char *receiver_name(const Config *c, size_t i) {
        return i < c->receiver_count ? c->receivers[i].name : NULL;
}

static const char *chain_name(const Config *c, size_t i) {
        return i < c->chain_count ? c->chains[i].name : NULL;
}

static const struct {
        const char *prefix;
        NameFn name;
} named[] = {
        { "SourceDown:", source_name },
        { "ReceiverFailed:", receiver_name },
        { "ChainBehind:", chain_name },
        { "ChainUnreachable:", chain_name },
        { "ChainContradicted:", chain_name },
};

/* Long names are cut in an alert's. */
static bool is_configured(const Config *c, NameFn name_of, const char *name) {
        const char *configured;

        for (size_t i = 0; (configured = name_of(c, i)); i++)
                if (startswith(configured, name))
                        return true;
        return false;
}

/* A source's own alert, about a source or a device that is no longer configured. */
static bool is_about_nobody(const Gateway *g, const char *rule) {
        for (size_t i = 0; source_alert_names[i]; i++) {
                const char *about = strchr(rule, ':');
                if (!about || !startswith(rule, source_alert_names[i]))
                        continue;
                const Device *d = registry_find_device(g->registry, ++about);
                bool cut = strlen(rule) == ALERT_NAME_MAX - 1; /* then nobody can tell */
                return !cut && !(d && d->registered) && !is_configured(g->config, source_name, about);
        }
        return false;
}

static bool has_ended(const Gateway *g, const AlertEvent *e) {
        for (size_t i = 0; i < ELEMENTS(named); i++)
                if (startswith(e->rule, named[i].prefix))
                        return !is_configured(g->config, named[i].name, e->rule + strlen(named[i].prefix));
        if (is_about_nobody(g, e->rule) || streq(e->rule, "ReloadRefused"))
                return true;
        if (streq(e->rule, "StoreFailed"))
                return g->pipeline.store == STORE_OK;
        return streq(e->rule, "LedgerRecovered") && e->state == ALERT_ACKNOWLEDGED;
}

static void look_at(void *userdata, const AlertEvent *e) {
        Review *r = userdata;

        if (e->subject != SUBJECT_NONE)
                return;
        r->messages |= streq(e->rule, "UnknownDevice") || streq(e->rule, "MessageRefused");
        if (r->count < ENDED_MAX && has_ended(r->gateway, e))
                memcpy(r->ended[r->count++], e->rule, sizeof e->rule);
}

void own_alerts_review(Gateway *g, const Stamp *now) {
        Review r = { .gateway = g };

        alert_manager_visit(g->alerts, look_at, &r);
        for (size_t i = 0; i < r.count; i++)
                alert_manager_clear(g->alerts, r.ended[i], now);
        if (r.messages &&
                        g->pipeline.malformed_us == INT64_MIN) /* of the run before: they end as if of now */
                g->pipeline.malformed_us = now->mono_us;
}
