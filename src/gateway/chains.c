#include "gateway/chains.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>

#include "anchor/outbox.h"
#include "base/file.h"
#include "gateway/internal.h"
#include "gateway/log.h"
#include "worker/worker.h"

/* What is sealed and not final on the chain. */
typedef struct ChainLag {
        uint64_t size;    /* anchored when it was looked at: where `oldest` begins */
        uint64_t entries; /* 0: nothing */
        EntryTime oldest; /* seal of the oldest block among them */
        int64_t age_us;   /* of that */
        bool alerted;
} ChainLag;

typedef struct Chain {
        Chains *owner;
        const PluginConfig *config;
        Outbox *outbox;
        Worker *worker;
        OutboxHealth health; /* as last reported */
        ChainLag lag;        /* as last looked at */
        bool looked;
        char folder[PATH_MAX];
        json_t *settings; /* the plugin's own, with what the gateway adds */
} Chain;

struct Chains {
        Gateway *gateway;
        Chain items[CONFIG_PLUGINS_MAX];
        size_t count;
        bool closing; /* calls that end now say nothing of the chain */
};

/* --- what the outbox needs from the ledger --- */

static int give_checkpoint(void *userdata, uint64_t after, bool latest, AnchorHead *ret) {
        Gateway *g = userdata;
        Checkpoint checkpoint;
        LedgerHead head;
        uint64_t height;
        char note[NOTE_TEXT_MAX];

        int r = ledger_head(g->ledger, &head);
        if (r < 0)
                return r;
        if (head.height == 0 || head.checkpoint.size <= after)
                return -ENOENT;
        if (latest) {
                height = head.height - 1;
                checkpoint = head.checkpoint;
                memcpy(note, head.note, sizeof note);
        } else {
                r = ledger_block_after(g->ledger, after, &height);
                if (r == 0)
                        r = ledger_block_checkpoint(g->ledger, height, &checkpoint, note);
                if (r < 0)
                        return r;
        }
        *ret = (AnchorHead){ .size = checkpoint.size, .height = height, .root = checkpoint.root };
        (void) snprintf(ret->origin, sizeof ret->origin, "%s", checkpoint.origin);
        (void) snprintf(ret->text, sizeof ret->text, "%s", note);
        return 0;
}

static int give_consistency(void *userdata, uint64_t old_size, uint64_t new_size,
                Hash ret[static PROOF_HASHES_MAX], size_t *ret_n) {
        Gateway *g = userdata;
        return ledger_consistency(g->ledger, old_size, new_size, ret, ret_n);
}

/* --- the worker as the outbox sees it --- */

typedef struct Call {
        OutboxReplyFn fn;
        void *userdata;
} Call;

static void on_reply(void *userdata, Worker *w, int r, const json_t *reply) {
        _cleanup_free_ Call *call = userdata;
        (void) w;
        call->fn(call->userdata, r, reply);
}

static int link_call(
                void *userdata, const char *op, const json_t *args, OutboxReplyFn fn, void *fn_userdata) {
        Chain *c = userdata;
        Call *call = malloc(sizeof *call);

        if (!call)
                return -ENOMEM;
        *call = (Call){ fn, fn_userdata };
        int r = worker_call(c->worker, op, args, on_reply, call);
        if (r < 0)
                free(call);
        return r;
}

static void link_answer(void *userdata, const json_t *answer) {
        Chain *c = userdata;
        worker_answer(c->worker, answer);
}

static void on_state(void *userdata, Worker *w, WorkerState state, const char *reason) {
        Chain *c = userdata;
        (void) w;

        if (state == WORKER_READY) {
                outbox_connect(c->outbox,
                                &(OutboxLink){ .call = link_call, .answer = link_answer, .userdata = c });
                return;
        }
        outbox_connect(c->outbox, NULL);
        if (reason && *reason)
                log_message(LOG_WARNING, LOG_FIELDS({ "EVENT", "worker" }, { "CHAIN", c->config->name }),
                                "%s: worker: %s", c->config->name, reason);
}

static json_t *on_request(void *userdata, Worker *w, const json_t *request) {
        Chain *c = userdata;
        (void) w;
        return outbox_request(c->outbox, request);
}

static const char *const health_names[] = { "ok", "behind", "unreachable", "contradicted" };

static uint64_t smallest_anchored(const Chains *chains) {
        uint64_t size = chains->count ? UINT64_MAX : 0;

        for (size_t i = 0; i < chains->count; i++)
                if (chains->items[i].outbox)
                        size = MIN(size, outbox_status(chains->items[i].outbox)->anchored_size);
        return size;
}

static void on_changed(void *userdata, Outbox *o) {
        Chain *c = userdata;
        Gateway *g = c->owner->gateway;
        const OutboxStatus *s = outbox_status(o);
        char unreachable[ALERT_NAME_MAX], contradicted[ALERT_NAME_MAX],
                        summary[NAME_MAX_LENGTH + sizeof s->reason];
        Stamp now = gateway_now(g);

        if (c->owner->closing)
                return;
        ledger_set_anchored(g->ledger, smallest_anchored(c->owner));
        if (s->health == c->health)
                return;
        c->health = s->health;
        (void) snprintf(unreachable, sizeof unreachable, "ChainUnreachable:%.40s", c->config->name);
        (void) snprintf(contradicted, sizeof contradicted, "ChainContradicted:%.40s", c->config->name);
        (void) snprintf(summary, sizeof summary, "%s: %s", c->config->name, s->reason);
        if (s->health == OUTBOX_UNREACHABLE)
                (void) alert_manager_raise(g->alerts, unreachable, summary, &now);
        else if (s->health == OUTBOX_CONTRADICTED)
                (void) alert_manager_raise(g->alerts, contradicted, summary, &now);
        else
                alert_manager_clear(g->alerts, unreachable, &now);
        if (s->health == OUTBOX_OK) /* a contradiction of the run before */
                alert_manager_clear(g->alerts, contradicted, &now);
        log_message(s->health == OUTBOX_CONTRADICTED ? LOG_ERR : LOG_NOTICE,
                        LOG_FIELDS({ "EVENT", "chain" }, { "CHAIN", c->config->name },
                                        { "STATE", health_names[s->health] }),
                        "%s: %s%s%s", c->config->name, health_names[s->health], s->reason[0] ? ": " : "",
                        s->reason);
}

/* --- how far it is behind --- */

/* Since a block was sealed; by the wall clock where that was in another boot. */
static int64_t age_of(const Gateway *g, const EntryTime *t, const Stamp *now) {
        int64_t us = t->boot == g->clock.boot ? now->mono_us - t->mono_us : now->wall_us - t->wall_us;

        return MAX(us, 0);
}

static int look_at_lag(Chain *c, const Stamp *now) {
        Gateway *g = c->owner->gateway;
        uint64_t anchored = outbox_status(c->outbox)->anchored_size, height, index;
        ChainLag *lag = &c->lag;
        LedgerHead head;
        SealBody seal;

        int r = ledger_head(g->ledger, &head);
        if (r < 0)
                return r;
        if (head.checkpoint.size <= anchored) {
                lag->entries = 0;
                lag->age_us = 0;
                return 0;
        }
        if (lag->entries == 0 || lag->size != anchored) {
                r = ledger_block_after(g->ledger, anchored, &height);
                if (r == 0)
                        r = ledger_block(g->ledger, height, &seal, &index);
                if (r < 0)
                        return r;
                lag->oldest = seal.when;
                lag->size = anchored;
        }
        lag->entries = head.checkpoint.size - anchored;
        lag->age_us = age_of(g, &lag->oldest, now);
        return 0;
}

static void tell_lag(Chain *c, const Stamp *now) {
        Gateway *g = c->owner->gateway;
        char behind[ALERT_NAME_MAX], summary[ALERT_SUMMARY_MAX], after[CLOCK_TEXT_SIZE];
        bool is_behind = c->lag.age_us > c->config->behind_after_us;

        if (c->looked && is_behind == c->lag.alerted)
                return;
        (void) snprintf(behind, sizeof behind, "ChainBehind:%.40s", c->config->name);
        duration_format(c->config->behind_after_us, after);
        (void) snprintf(summary, sizeof summary,
                        "%.63s: what the ledger signed is not final on the chain after %s", c->config->name,
                        after);
        if (is_behind)
                (void) alert_manager_raise(g->alerts, behind, summary, now);
        else /* also one of the run before */
                alert_manager_clear(g->alerts, behind, now);
        c->lag.alerted = is_behind;
        c->looked = true;
}

void chains_tick(Chains *chains, const Stamp *now) {
        for (size_t i = 0; i < chains->count; i++)
                if (look_at_lag(&chains->items[i], now) ==
                                0) /* else the store's own alert says what is wrong */
                        tell_lag(&chains->items[i], now);
}

/* What every chain plugin is told beside its own settings: where it may write and whose signature to expect. */
static int make_settings(Chain *c, Error *e) {
        Gateway *g = c->owner->gateway;
        char key[64];

        (void) sodium_bin2base64(key, sizeof key, g->signing_key.public, sizeof g->signing_key.public,
                        sodium_base64_VARIANT_ORIGINAL);
        c->settings = json_copy(c->config->config);
        if (!c->settings || json_object_set_new(c->settings, "public_key", json_string(key)) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        return 0;
}

static int start(Chains *chains, const PluginConfig *config, Error *e) {
        Chain *c = &chains->items[chains->count++];
        Gateway *g = chains->gateway;
        char plugin[PATH_MAX], state_path[PATH_MAX + 16];

        *c = (Chain){ .owner = chains, .config = config, .health = OUTBOX_BEHIND };
        int r = make_settings(c, e);
        if (r < 0)
                return r;
        (void) snprintf(c->folder, sizeof c->folder, "%s/chains/%s", g->config->state_dir, config->name);
        if (dir_make(c->folder, 0700, e) < 0)
                return -EACCES;
        (void) snprintf(state_path, sizeof state_path, "%s/outbox.json", c->folder);
        (void) snprintf(plugin, sizeof plugin, "%s/%s.so", g->config->plugin_dir, config->plugin);
        const OutboxOptions outbox = { .name = config->name,
                .state_path = state_path,
                .policy = (OutboxPolicy) config->policy,
                .changed = on_changed,
                .userdata = c };
        const OutboxLedger ledger = {
                .checkpoint = give_checkpoint, .consistency = give_consistency, .userdata = g
        };
        r = outbox_new(g->event, &outbox, &ledger, &c->outbox, e);
        if (r < 0)
                return r;
        const WorkerOptions worker = { .name = config->name,
                .program = g->config->worker,
                .plugin = plugin,
                .state_dir = c->folder,
                .config = c->settings };
        const WorkerCallbacks callbacks = { .state = on_state, .request = on_request, .userdata = c };
        return worker_new(g->event, &worker, &callbacks, &c->worker, e);
}

int chains_new(Gateway *g, Chains **ret, Error *e) {
        Chains *chains = calloc(1, sizeof *chains);

        if (!chains)
                return error_set(e, -ENOMEM, "out of memory");
        chains->gateway = g;
        for (size_t i = 0; i < g->config->chain_count; i++) {
                int r = start(chains, &g->config->chains[i], e);
                if (r < 0) {
                        chains_free(chains);
                        return error_prefix(e, r, "chain %s", g->config->chains[i].name);
                }
        }
        ledger_set_anchored(g->ledger, smallest_anchored(chains));
        *ret = chains;
        return 0;
}

Chains *chains_free(Chains *chains) {
        if (!chains)
                return NULL;
        chains->closing = true;
        for (size_t i = 0; i < chains->count; i++) {
                worker_free(chains->items[i].worker);
                outbox_free(chains->items[i].outbox);
                json_decref(chains->items[i].settings);
        }
        free(chains);
        return NULL;
}

int chains_resubmit(Chains *chains, const char *name) {
        bool found = false;

        for (size_t i = 0; i < chains->count; i++) {
                if (name && !streq(chains->items[i].config->name, name))
                        continue;
                outbox_resubmit(chains->items[i].outbox);
                found = true;
        }
        return found ? 0 : -ENOENT;
}

void chains_wake(Chains *chains) {
        for (size_t i = 0; i < chains->count; i++)
                outbox_wake(chains->items[i].outbox);
}

json_t *chains_status(const Chains *chains) {
        json_t *list = json_array();

        for (size_t i = 0; i < chains->count; i++) {
                const Chain *c = &chains->items[i];
                const OutboxStatus *s = outbox_status(c->outbox);
                (void) json_array_append_new(list,
                                json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s}",
                                                "name", c->config->name, "health", health_names[s->health],
                                                "policy",
                                                c->config->policy == OUTBOX_LATEST ? "latest" : "every",
                                                "anchored_size", (json_int_t) s->anchored_size,
                                                "anchored_height", (json_int_t) s->anchored_height,
                                                "pending_size", (json_int_t) s->pending_size, "anchors",
                                                (json_int_t) s->anchors, "failures",
                                                (json_int_t) s->failures, "lag", (json_int_t) c->lag.entries,
                                                "lag_us", (json_int_t) c->lag.age_us, "reason", s->reason,
                                                "receipt", s->receipt));
        }
        return list;
}
