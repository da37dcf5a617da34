#include "gateway/receivers.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>

#include "gateway/internal.h"
#include "gateway/log.h"
#include "gateway/restore.h"
#include "worker/worker.h"

enum { RETRY_MIN_US = 500000, RETRY_MAX_US = 60000000 };

typedef struct Receiver {
        Receivers *owner;
        const PluginConfig *config;
        Worker *worker;
        AlertEvent *queue; /* RECEIVER_QUEUE_MAX */
        size_t count;
        bool in_flight;               /* queue[0] is with the worker */
        int64_t retry_us, backoff_us; /* retry_us: monotonic, 0 where no retry waits */
        uint64_t delivered, failed, shed;
        char reason[128];
} Receiver;

struct Receivers {
        Gateway *gateway;
        Receiver items[CONFIG_PLUGINS_MAX];
        size_t count;
};

json_t *alert_to_json(const Gateway *g, const AlertEvent *event) {
        const Subject *s = event->subject == SUBJECT_NONE ? NULL
                                                          : registry_subject(g->registry, event->subject);
        char time[CLOCK_TEXT_SIZE], since[CLOCK_TEXT_SIZE], hash[65];

        clock_format(event->time_us, time);
        clock_format(event->since_us, since);
        (void) sodium_bin2hex(hash, sizeof hash, event->rule_hash, sizeof event->rule_hash);
        json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s}", "id",
                        event->id, "rule", event->rule, "rule_hash", hash, "priority",
                        priority_name(event->priority), "state", alert_state_name(event->state), "subject",
                        s ? s->name : "", "label", s ? s->label : "", "summary", event->summary, "time_us",
                        (json_int_t) event->time_us, "since_us", (json_int_t) event->since_us, "time", time,
                        "since", since);
        if (o && isfinite(event->value))
                (void) json_object_set_new(o, "value", json_real(event->value));
        return o;
}

/* --- the queue --- */

static void drop(Receiver *r, size_t i) {
        memmove(&r->queue[i], &r->queue[i + 1], (r->count - i - 1) * sizeof *r->queue);
        r->count--;
}

static bool waits(const Receivers *r, const char *id) {
        for (size_t i = 0; i < r->count; i++)
                for (size_t j = 0; j < r->items[i].count; j++)
                        if (streq(r->items[i].queue[j].id, id))
                                return true;
        return false;
}

/* The lowest priority goes, the oldest of it; never the one that is with the worker. */
static void shed(Receiver *r) {
        size_t victim = r->in_flight ? 1 : 0;

        for (size_t i = victim + 1; i < r->count; i++)
                if (r->queue[i].priority < r->queue[victim].priority)
                        victim = i;
        drop(r, victim);
        r->shed++;
}

static void send_next(Receiver *r);

static void on_delivered(void *userdata, Worker *w, int result, const json_t *reply) {
        Receiver *r = userdata;
        Gateway *g = r->owner->gateway;
        char alert[ALERT_NAME_MAX];
        Stamp now = gateway_now(g);

        (void) w;
        r->in_flight = false;
        (void) snprintf(alert, sizeof alert, "ReceiverFailed:%.40s", r->config->name);
        if (result < 0) {
                const char *text = reply ? json_string_value(json_object_get(reply, "error")) : NULL;
                r->failed++;
                r->backoff_us = MIN(MAX(r->backoff_us * 2, (int64_t) RETRY_MIN_US), (int64_t) RETRY_MAX_US);
                r->retry_us = now.mono_us + r->backoff_us;
                (void) snprintf(r->reason, sizeof r->reason, "%s", text ? text : strerror(-result));
                log_message(LOG_WARNING,
                                LOG_FIELDS({ "EVENT", "delivery" }, { "RECEIVER", r->config->name },
                                                { "STATE", "failed" }),
                                "%s: an alert could not be delivered, trying again: %s", r->config->name,
                                r->reason);
                (void) alert_manager_raise(
                                g->alerts, alert, "Alerts can't be delivered to a receiver", &now);
                return;
        }
        AlertEvent event = r->queue[0];
        drop(r, 0);
        r->delivered++;
        r->backoff_us = 0;
        r->reason[0] = '\0';
        alert_manager_clear(g->alerts, alert, &now);
        if (event.state == ALERT_RESOLVED && !waits(r->owner, event.id))
                restore_forget_alert(g, event.id);
        send_next(r);
}

static void send_next(Receiver *r) {
        if (r->count == 0 || r->in_flight || r->retry_us != 0 || worker_state(r->worker) != WORKER_READY)
                return;
        json_t *event = alert_to_json(r->owner->gateway, &r->queue[0]);
        json_t *args = event ? json_pack("{s:o}", "event", event) : NULL;
        int k = args ? worker_call(r->worker, "deliver", args, on_delivered, r) : -ENOMEM;
        json_decref(args);
        r->in_flight = k == 0;
}

void receivers_deliver(Receivers *rs, const AlertEvent *event) {
        bool taken = false;

        for (size_t i = 0; i < rs->count; i++) {
                Receiver *r = &rs->items[i];
                if ((int) event->priority < r->config->min_priority)
                        continue;
                if (r->count == RECEIVER_QUEUE_MAX)
                        shed(r);
                r->queue[r->count++] = *event;
                taken = true;
                send_next(r);
        }
        if (!taken && event->state == ALERT_RESOLVED)
                restore_forget_alert(rs->gateway, event->id);
}

void receivers_tick(Receivers *rs, const Stamp *now) {
        for (size_t i = 0; i < rs->count; i++) {
                Receiver *r = &rs->items[i];
                if (r->retry_us != 0 && now->mono_us >= r->retry_us) {
                        r->retry_us = 0;
                        send_next(r);
                }
        }
}

/* --- workers --- */

static void on_state(void *userdata, Worker *w, WorkerState state, const char *reason) {
        Receiver *r = userdata;
        (void) w;

        if (state == WORKER_READY) {
                r->retry_us = 0;
                send_next(r);
                return;
        }
        if (reason && *reason) {
                (void) snprintf(r->reason, sizeof r->reason, "%s", reason);
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

static int start(Receivers *rs, const PluginConfig *config, Error *e) {
        Receiver *r = &rs->items[rs->count];
        Gateway *g = rs->gateway;
        char plugin[PATH_MAX];

        *r = (Receiver){ .owner = rs, .config = config };
        r->queue = calloc(RECEIVER_QUEUE_MAX, sizeof *r->queue);
        if (!r->queue)
                return error_set(e, -ENOMEM, "out of memory");
        rs->count++;
        (void) snprintf(plugin, sizeof plugin, "%s/%s.so", g->config->plugin_dir, config->plugin);
        const WorkerOptions options = { .name = config->name,
                .program = g->config->worker,
                .plugin = plugin,
                .config = config->config };
        const WorkerCallbacks callbacks = { .state = on_state, .request = on_request, .userdata = r };
        return worker_new(g->event, &options, &callbacks, &r->worker, e);
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
        for (size_t i = 0; i < rs->count; i++) {
                worker_free(rs->items[i].worker);
                free(rs->items[i].queue);
        }
        free(rs);
        return NULL;
}

void receivers_adopt(Receivers *rs, Receivers *old) {
        for (size_t i = 0; i < rs->count; i++)
                for (size_t j = 0; j < old->count; j++) {
                        Receiver *to = &rs->items[i], *from = &old->items[j];
                        if (!streq(to->config->name, from->config->name))
                                continue;
                        memcpy(to->queue, from->queue, from->count * sizeof *from->queue);
                        to->count = from->count;
                        from->count = 0;
                }
}

json_t *receivers_status(const Receivers *rs) {
        json_t *list = json_array();

        for (size_t i = 0; i < rs->count; i++) {
                const Receiver *r = &rs->items[i];
                (void) json_array_append_new(list,
                                json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:s}", "name", r->config->name,
                                                "state",
                                                worker_state(r->worker) == WORKER_READY ? "ready"
                                                                                        : "not ready",
                                                "delivered", (json_int_t) r->delivered, "failed",
                                                (json_int_t) r->failed, "queued", (json_int_t) r->count,
                                                "shed", (json_int_t) r->shed, "reason", r->reason));
        }
        return list;
}
