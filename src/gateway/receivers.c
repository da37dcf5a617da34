#include "gateway/receivers.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/utf8.h"
#include "gateway/delivery.h"
#include "gateway/internal.h"
#include "gateway/log.h"
#include "gateway/notice.h"
#include "gateway/restore.h"
#include "worker/worker.h"

enum {
        RETRY_MIN_US = 500000,
        RETRY_MAX_US = 60000000,
        REFUSED_MIN_US = 10000000, /* what an operator has to change first is tried again seldom */
        REFUSALS_MAX = 3,          /* of one notice, while others are taken */
        REFRESH_US = 60000000,
        REFRESH_SOON_US = 5000000, /* after one that failed or gave way to a notice */
};

typedef struct Receiver {
        Receivers *owner;
        const PluginConfig *config;
        unsigned number; /* in the routing */
        Worker *worker;
        DeliveryQueue queue;
        int64_t retry_us, backoff_us; /* retry_us: monotonic, 0 where no retry waits */
        json_t *refresh;              /* alerts of the round that is under way, else NULL */
        size_t refreshed;             /* how many of them the plugin has */
        bool refreshing;              /* a part is with the worker */
        int64_t refresh_us;           /* monotonic: the next round */
        uint64_t delivered, failed, undelivered;
        char reason[128];
} Receiver;

struct Receivers {
        Gateway *gateway;
        Receiver items[CONFIG_PLUGINS_MAX];
        size_t count;
        bool closing; /* calls that end now say nothing of the channel */
};

/* --- outcomes --- */

static void record(const Receiver *r, const Notice *n, AlertTransition outcome, const char *why) {
        Gateway *g = r->owner->gateway;
        Stamp now = gateway_now(g);

        for (size_t i = 0; i < n->count; i++) {
                AlertEvent e = n->alerts[i];
                e.transition = outcome;
                e.time_us = now.wall_us;
                memcpy(e.receiver, r->config->name, strlen(r->config->name) + 1);
                (void) snprintf(e.note, sizeof e.note, "%s%s%s", n->key, *why ? ": " : "", why);
                pipeline_record(g, &e);
                if (e.state == ALERT_RESOLVED)
                        restore_save_alert(g, &n->alerts[i]);
        }
}

static void given_up(void *userdata, const Delivery *d, const char *why) {
        Receiver *r = userdata;

        r->undelivered++;
        record(r, &d->notice, TRANSITION_UNDELIVERED, why);
}

static void alert_name(const Receiver *r, char ret[static ALERT_NAME_MAX]) {
        (void) snprintf(ret, ALERT_NAME_MAX, "ReceiverFailed:%.40s", r->config->name);
}

/* What the plugin or its worker says of a failure. */
static const char *error_of(int result, const json_t *reply) {
        const char *text = reply ? json_string_value(json_object_get(reply, "error")) : NULL;

        return text ? text : strerror(-result);
}

/* The first notice stays, or lets others go first where it is refused. */
static void put_off(Receiver *r, int result, const char *why) {
        int64_t shortest = result == -EINVAL ? REFUSED_MIN_US : RETRY_MIN_US;
        Stamp now = gateway_now(r->owner->gateway);

        if (result == -EINVAL)
                delivery_queue_step_back(&r->queue);
        r->failed++;
        r->backoff_us = MIN(MAX(r->backoff_us * 2, shortest), (int64_t) RETRY_MAX_US);
        r->retry_us = now.mono_us + r->backoff_us;
        utf8_copy(why, r->reason, sizeof r->reason);
        log_message(LOG_WARNING,
                        LOG_FIELDS({ "EVENT", "delivery" }, { "RECEIVER", r->config->name },
                                        { "STATE", "failed" }),
                        "%s: a notice could not be delivered, trying again: %s", r->config->name, r->reason);
}

static void failed(Receiver *r, int result, const char *why) {
        Gateway *g = r->owner->gateway;
        char alert[ALERT_NAME_MAX];
        Stamp now = gateway_now(g);

        put_off(r, result, why);
        alert_name(r, alert);
        (void) alert_manager_raise(g->alerts, alert, "Alerts can't be delivered to a receiver", &now);
}

static void succeeded(Receiver *r) {
        Gateway *g = r->owner->gateway;
        char alert[ALERT_NAME_MAX];
        Stamp now = gateway_now(g);

        _cleanup_free_ Delivery *d = delivery_queue_take(&r->queue);
        r->delivered++;
        r->backoff_us = 0;
        r->reason[0] = '\0';
        record(r, &d->notice, TRANSITION_DELIVERED, "");
        delivery_queue_drop_refused(&r->queue, REFUSALS_MAX, given_up, r);
        alert_name(r, alert);
        alert_manager_clear(g->alerts, alert, &now);
}

/* --- calls: one at a time, a notice before a refresh --- */

static void send_next(Receiver *r);

static void on_delivered(void *userdata, Worker *w, int result, const json_t *reply) {
        Receiver *r = userdata;
        (void) w;

        r->queue.in_flight = false;
        if (r->owner->closing)
                return;
        if (result < 0) {
                failed(r, result, error_of(result, reply));
                return;
        }
        succeeded(r);
        send_next(r);
}

static void end_refresh(Receiver *r, int64_t wait_us) {
        Stamp now = gateway_now(r->owner->gateway);

        json_decref(r->refresh);
        r->refresh = NULL;
        r->refresh_us = now.mono_us + wait_us;
}

/* A notice can go now. */
static bool has_notice(const Receiver *r) {
        return r->queue.count > 0 && r->retry_us == 0;
}

static void on_refreshed(void *userdata, Worker *w, int result, const json_t *reply) {
        Receiver *r = userdata;
        (void) w;

        r->refreshing = false;
        if (r->owner->closing)
                return;
        if (result < 0) {
                utf8_copy(error_of(result, reply), r->reason, sizeof r->reason);
                log_warning("%s: what is active could not be told anew: %s", r->config->name, r->reason);
        }
        if (result < 0 || has_notice(r))
                end_refresh(r, REFRESH_SOON_US);
        else if (r->refreshed == json_array_size(r->refresh))
                end_refresh(r, REFRESH_US);
        send_next(r);
}

static void send_refresh(Receiver *r) {
        size_t n = MIN(json_array_size(r->refresh) - r->refreshed, (size_t) RECEIVER_REFRESH_PART);
        json_t *part = json_array();

        for (size_t i = 0; i < n; i++)
                (void) json_array_append(part, json_array_get(r->refresh, r->refreshed + i));
        json_t *args = json_pack("{s:s, s:b, s:b, s:o}", "gateway", r->owner->gateway->config->name, "first",
                        r->refreshed == 0, "last", r->refreshed + n == json_array_size(r->refresh), "alerts",
                        part);
        int k = args ? worker_call(r->worker, "refresh", args, on_refreshed, r) : -ENOMEM;
        json_decref(args);
        r->refreshed += n;
        r->refreshing = k == 0;
        if (k < 0)
                end_refresh(r, REFRESH_SOON_US);
}

static void send_notice(Receiver *r) {
        json_t *notice = notice_to_json(r->owner->gateway, &r->queue.items[0]->notice);
        json_t *args = notice ? json_pack("{s:o}", "notice", notice) : NULL;
        /* what can't be written must not keep what is behind it waiting; this may be within an alert: no other is raised */
        int k = args ? worker_call(r->worker, "deliver", args, on_delivered, r) : -EINVAL;

        json_decref(args);
        r->queue.in_flight = k == 0;
        if (k < 0)
                put_off(r, k, args ? strerror(-k) : "the notice can't be written as JSON");
}

static void send_next(Receiver *r) {
        if (r->queue.in_flight || r->refreshing || worker_state(r->worker) != WORKER_READY)
                return;
        if (has_notice(r))
                send_notice(r);
        else if (r->refresh)
                send_refresh(r);
}

void receivers_notify(Receivers *rs, const Notice *n) {
        Gateway *g = rs->gateway;
        Receiver *r = &rs->items[n->receiver];
        Stamp now = gateway_now(g);

        if (delivery_queue_add(&r->queue, n, RECEIVER_QUEUE_MAX, now.mono_us, given_up, r) < 0) {
                r->undelivered++;
                record(r, n, TRANSITION_UNDELIVERED, "out of memory");
        }
        send_next(r);
}

size_t receivers_waiting(const Receivers *rs, const char *alert,
                const char *ret_names[static ROUTING_RECEIVERS_MAX]) {
        size_t n = 0;

        for (size_t i = 0; i < rs->count; i++)
                if (delivery_queue_has(&rs->items[i].queue, alert))
                        ret_names[n++] = rs->items[i].config->name;
        return n;
}

bool receivers_wait_for(const Receivers *rs, const char *alert) {
        const char *names[ROUTING_RECEIVERS_MAX];

        return receivers_waiting(rs, alert, names) > 0;
}

/* --- time --- */

static void add_alert(void *userdata, const AlertEvent *event) {
        Receiver *r = userdata;
        (void) json_array_append_new(r->refresh, alert_to_json(r->owner->gateway, event));
}

/* What is the case now, told in parts; a notice that comes meanwhile ends the round, which would be out of date. */
static void begin_refresh(Receiver *r) {
        r->refresh = json_array();
        r->refreshed = 0;
        if (r->refresh)
                dispatch_visit(r->owner->gateway->dispatch, r->number, add_alert, r);
}

void receivers_tick(Receivers *rs, const Stamp *now) {
        int64_t expire_us = rs->gateway->config->routing->expire_us;

        for (size_t i = 0; i < rs->count; i++) {
                Receiver *r = &rs->items[i];

                delivery_queue_expire(&r->queue, expire_us, now->mono_us, given_up, r);
                if (r->retry_us != 0 && now->mono_us >= r->retry_us)
                        r->retry_us = 0;
                if (!r->refresh && now->mono_us >= r->refresh_us && !has_notice(r) &&
                                worker_state(r->worker) == WORKER_READY && worker_refreshes(r->worker))
                        begin_refresh(r);
                send_next(r);
        }
}

/* --- workers --- */

static void on_state(void *userdata, Worker *w, WorkerState state, const char *reason) {
        Receiver *r = userdata;
        (void) w;

        if (state == WORKER_READY) {
                r->retry_us = r->refresh_us = 0;
                send_next(r);
                return;
        }
        if (reason && *reason) {
                utf8_copy(reason, r->reason, sizeof r->reason);
                log_message(LOG_WARNING, LOG_FIELDS({ "EVENT", "worker" }, { "RECEIVER", r->config->name }),
                                "%s: worker: %s", r->config->name, reason);
        }
}

static json_t *on_request(void *userdata, Worker *w, const json_t *request) {
        (void) userdata;
        (void) w;
        (void) request;
        return json_pack("{s:s}", "error", "receivers keep no state");
}

/* The worker has checked types and lengths. */
static void on_said(void *userdata, Worker *w, const json_t *said) {
        Receiver *r = userdata;
        Gateway *g = r->owner->gateway;
        const char *alert, *by, *note = "";
        char who[32 + ALERT_WHO_MAX]; /* the manager cuts it */
        Stamp now = gateway_now(g);
        (void) w;

        if (json_unpack((json_t *) said, "{s:s, s:s, s?:s}", "alert", &alert, "who", &by, "note", &note) < 0)
                return;
        (void) snprintf(who, sizeof who, "%.30s:%s", r->config->name, by);
        int k = alert_manager_acknowledge(g->alerts, alert, who, note, &now);
        if (k < 0 && k != -EALREADY)
                log_warning("%s: acknowledgement by %s: no alert %.40s is active", r->config->name, who,
                                alert);
}

static int start(Receivers *rs, const PluginConfig *config, Error *e) {
        Receiver *r = &rs->items[rs->count];
        char plugin[PATH_MAX];

        *r = (Receiver){ .owner = rs, .config = config, .number = (unsigned) rs->count };
        rs->count++;
        (void) snprintf(plugin, sizeof plugin, "%s/%s.so", rs->gateway->config->plugin_dir, config->plugin);
        const WorkerOptions options = { .name = config->name,
                .program = rs->gateway->config->worker,
                .plugin = plugin,
                .config = config->config };
        const WorkerCallbacks callbacks = {
                .state = on_state, .request = on_request, .said = on_said, .userdata = r
        };
        return worker_new(rs->gateway->event, &options, &callbacks, &r->worker, e);
}

int receivers_new(Gateway *g, Receivers **ret, Error *e) {
        Receivers *rs = calloc(1, sizeof *rs);

        if (!rs)
                return error_set(e, -ENOMEM, "out of memory");
        rs->gateway = g;
        for (size_t i = 0; i < g->config->receiver_count; i++) {
                int r = start(rs, &g->config->receivers[i], e);
                if (r < 0) {
                        receivers_free(rs);
                        return error_prefix(e, r, "receiver %s", g->config->receivers[i].name);
                }
        }
        *ret = rs;
        return 0;
}

Receivers *receivers_free(Receivers *rs) {
        if (!rs)
                return NULL;
        rs->closing = true;
        for (size_t i = 0; i < rs->count; i++) {
                worker_free(rs->items[i].worker);
                delivery_queue_done(&rs->items[i].queue);
                json_decref(rs->items[i].refresh);
        }
        free(rs);
        return NULL;
}

/* The configuration doesn't name it any more. */
static void give_up_all(Receiver *r) {
        r->queue.in_flight = false;
        while (r->queue.count > 0) {
                _cleanup_free_ Delivery *d = delivery_queue_take(&r->queue);
                given_up(r, d, "there is no such receiver any more");
        }
}

void receivers_adopt(Receivers *rs, Receivers *old) {
        for (size_t i = 0; i < rs->count; i++)
                for (size_t j = 0; j < old->count; j++) {
                        Receiver *to = &rs->items[i], *from = &old->items[j];
                        if (!streq(to->config->name, from->config->name))
                                continue;
                        to->queue = from->queue;
                        to->queue.in_flight = false;
                        from->queue = (DeliveryQueue){ 0 };
                }
        for (size_t j = 0; j < old->count; j++)
                give_up_all(&old->items[j]);
}

static json_t *receiver_status(const Receiver *r) {
        uint64_t held, held_total;

        dispatch_held(r->owner->gateway->dispatch, r->number, &held, &held_total);
        return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "name", r->config->name, "state",
                        worker_state(r->worker) == WORKER_READY ? "ready" : "not ready", "delivered",
                        (json_int_t) r->delivered, "failed", (json_int_t) r->failed, "undelivered",
                        (json_int_t) r->undelivered, "queued", (json_int_t) r->queue.count, "held",
                        (json_int_t) held, "held_total", (json_int_t) held_total, "reason", r->reason);
}

json_t *receivers_status(const Receivers *rs) {
        json_t *list = json_array();

        for (size_t i = 0; i < rs->count; i++)
                (void) json_array_append_new(list, receiver_status(&rs->items[i]));
        return list;
}
