/* Operations on the gateway's present state: gathered on the loop in one go, sent from the session's thread. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "gateway/internal.h"
#include "gateway/operations.h"

/* --- status --- */

static json_t *ledger_status(const Gateway *g, const LedgerHead *head) {
        return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "size", (json_int_t) head->size, "height",
                        (json_int_t) head->height, "epoch", (json_int_t) head->epoch, "pruned_size",
                        (json_int_t) head->pruned_size, "bytes", (json_int_t) head->bytes, "open_entries",
                        (json_int_t) ledger_open_entries(g->ledger), "checkpoint_size",
                        (json_int_t) head->checkpoint.size);
}

static void count_more(void *userdata, const char *name, uint64_t value) {
        (void) json_object_set_new(userdata, name, json_integer((json_int_t) value));
}

static json_t *source_counters(const Source *s) {
        json_t *o = json_object();

        if (s->ops->counters)
                s->ops->counters(s, count_more, o);
        return o;
}

static json_t *source_status(const Gateway *g) {
        json_t *list = json_array();

        for (size_t i = 0; i < g->source_count; i++) {
                const Source *s = g->sources[i].source;
                (void) json_array_append_new(list,
                                json_pack("{s:s, s:s, s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o}",
                                                "name", s->name, "kind", s->ops->kind, "up", s->up, "reason",
                                                g->sources[i].reason, "frames",
                                                (json_int_t) s->counters.frames, "bytes",
                                                (json_int_t) s->counters.bytes, "acknowledged",
                                                (json_int_t) s->counters.acknowledged, "redelivered",
                                                (json_int_t) s->counters.redelivered, "connects",
                                                (json_int_t) s->counters.connects, "refused",
                                                (json_int_t) s->counters.refused, "durable",
                                                g->pipeline.store == STORE_OK, "counters",
                                                source_counters(s)));
        }
        return list;
}

static json_t *verdict_status(const Gateway *g) {
        json_t *o = json_object();

        for (int v = 0; v < VERDICT_COUNT; v++)
                (void) json_object_set_new(o, verdict_name((Verdict) v),
                                json_integer((json_int_t) g->pipeline.verdicts[v]));
        return o;
}

static void count_alert(void *userdata, const AlertEvent *event) {
        int *counts = userdata;
        counts[event->state == ALERT_ACKNOWLEDGED ? 1 : 0]++;
}

static const char *const store_names[] = { "ok", "degraded", "store-down" };

static int gather_status(Gateway *g, void *argument) {
        json_t **ret = argument;
        const Pipeline *p = &g->pipeline;
        Stamp now = gateway_now(g);
        char origin[ORIGIN_MAX];
        int alerts[2] = { 0 };
        LedgerHead head;

        int r = ledger_head(g->ledger, &head);
        if (r < 0)
                return r;
        (void) snprintf(origin, sizeof origin, "%s/%u", g->config->name, head.epoch);
        alert_manager_visit(g->alerts, count_alert, alerts);
        *ret = json_pack("{s:s, s:s, s:s, s:f, s:s, s:s, s:{s:b, s:i}, s:o, s:o, s:o, s:{s:I, s:I}, s:o, "
                         "s:o, s:{s:i, s:i, s:I, s:i}, "
                         "s:I, s:I, s:I, s:{s:I, s:I, s:I, s:I}}",
                        "name", g->config->name, "version", WARDSTONE_VERSION, "origin", origin, "uptime_s",
                        (double) (now.mono_us - g->started_us) / 1e6, "state", store_names[p->store],
                        "store_error", p->store == STORE_OK ? "" : p->store_error, "clock", "synchronised",
                        g->clock.now.synchronised, "boot", (int) g->clock.boot, "ledger",
                        ledger_status(g, &head), "sources", source_status(g), "verdicts", verdict_status(g),
                        "quarantine", "count", (json_int_t) quarantine_total(g->quarantine), "limit",
                        (json_int_t) g->config->quarantine_limit, "chains", chains_status(g->chains),
                        "receivers", receivers_status(g->receivers), "alerts", "active", alerts[0],
                        "acknowledged", alerts[1], "shed", (json_int_t) alert_manager_shed(g->alerts),
                        "silences", (int) dispatch_silences(g->dispatch)->count, "subjects",
                        (json_int_t) registry_subject_count(g->registry), "devices",
                        (json_int_t) registry_device_count(g->registry), "rules",
                        (json_int_t) rule_set_count(g->config->rules), "commits", "batches",
                        (json_int_t) p->batches, "entries", (json_int_t) p->entries, "failed",
                        (json_int_t) p->failed, "shed", (json_int_t) p->shed);
        return *ret ? 0 : -ENOMEM;
}

int operation_status(Session *s, const json_t *request, Error *e) {
        json_t *row = NULL;
        (void) request;
        (void) e;

        int r = session_on_loop(s, gather_status, &row);
        return r < 0 ? r : session_row(s, row);
}

/* --- board --- */

typedef struct BoardRow {
        const Gateway *gateway;
        json_t *vitals, *alerts;
        SubjectId subject;
        Stamp now;
} BoardRow;

static void add_vital(void *userdata, const Reading *r) {
        BoardRow *row = userdata;
        const Vital *v = catalogue_at(row->gateway->catalogue, r->vital);

        (void) json_object_set_new(row->vitals, v->name,
                        json_pack("{s:f, s:s, s:I, s:f, s:o}", "value", r->value, "unit", v->unit, "time_us",
                                        (json_int_t) reading_time(r), "age_s",
                                        (double) (row->now.mono_us - r->stamp.mono_us) / 1e6, "flags",
                                        flags_to_json(r->flags)));
}

static void add_alert(void *userdata, const AlertEvent *event) {
        BoardRow *row = userdata;

        if (event->subject != row->subject)
                return;
        json_t *alert = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "id", event->id, "rule", event->rule,
                        "priority", priority_name(event->priority), "state", alert_state_name(event->state),
                        "summary", event->summary, "since_us", (json_int_t) event->since_us);
        const Silence *silence = dispatch_silence_of(row->gateway->dispatch, event);

        if (event->ended_us != TIME_NONE)
                (void) json_object_set_new(alert, "ended_us", json_integer(event->ended_us));
        if (silence)
                (void) json_object_set_new(alert, "silence", json_string(silence->id));
        (void) json_array_append_new(row->alerts, alert);
}

static int gather_board(Gateway *g, void *argument) {
        json_t **ret = argument;

        *ret = json_array();
        for (SubjectId i = 0; i < registry_subject_count(g->registry); i++) {
                const Subject *subject = registry_subject(g->registry, i);
                BoardRow row = { .gateway = g,
                        .vitals = json_object(),
                        .alerts = json_array(),
                        .subject = i,
                        .now = gateway_now(g) };
                json_t *devices = devices_of(g, i);

                board_visit(g->board, i, add_vital, &row);
                alert_manager_visit(g->alerts, add_alert, &row);
                /* A device's own subject and a group are shown while there is something to say of them. */
                if ((subject->kind == SUBJECT_DEVICE || json_array_size(devices) == 0) &&
                                json_object_size(row.vitals) == 0 && json_array_size(row.alerts) == 0) {
                        json_decref(devices);
                        json_decref(row.vitals);
                        json_decref(row.alerts);
                        continue;
                }
                (void) json_array_append_new(
                                *ret, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "subject", subject->name,
                                                      "label", subject->label, "kind",
                                                      subject_kind_name(subject->kind), "devices", devices,
                                                      "vitals", row.vitals, "alerts", row.alerts));
        }
        return *ret ? 0 : -ENOMEM;
}

int operation_board(Session *s, const json_t *request, Error *e) {
        bool follow = false;

        int r = argument_bool(request, "follow", &follow, e);
        for (json_int_t tick = 0; r == 0; tick++) {
                json_t *rows = NULL;
                r = session_on_loop(s, gather_board, &rows);
                if (r == 0)
                        r = send_rows(s, rows);
                if (!follow)
                        return r;
                if (r == 0)
                        r = session_row(s, json_pack("{s:I}", "tick", tick));
                if (r == 0)
                        r = session_sleep(s, 1000);
        }
        return r;
}

/* --- tail --- */

typedef struct Tail {
        const char *subject, *vital; /* NULL: all */
        uint64_t cursor;
        json_t *rows;
        const Gateway *gateway;
} Tail;

static void add_reading(void *userdata, const Reading *r) {
        Tail *t = userdata;
        const Gateway *g = t->gateway;
        const Subject *subject = registry_subject(g->registry, r->subject);
        const Vital *v = catalogue_at(g->catalogue, r->vital);
        char time[CLOCK_TEXT_SIZE];

        if ((t->subject && !streq(t->subject, subject->name)) || (t->vital && !streq(t->vital, v->name)))
                return;
        clock_format(reading_time(r), time);
        json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:f, s:s, s:s, s:I, s:o}", "subject", subject->name,
                        "label", subject->label, "device", registry_device(g->registry, r->device)->name,
                        "vital", v->name, "value", r->value, "unit", v->unit, "time", time, "time_us",
                        (json_int_t) reading_time(r), "flags", flags_to_json(r->flags));
        if (r->device_time_us != TIME_NONE)
                (void) json_object_set_new(row, "device_time_us", json_integer(r->device_time_us));
        (void) json_array_append_new(t->rows, row);
}

static int gather_tail(Gateway *g, void *argument) {
        Tail *t = argument;

        t->gateway = g;
        t->rows = json_array();
        uint64_t missed = board_since(g->board, &t->cursor, add_reading, t);
        if (missed > 0)
                (void) json_array_append_new(t->rows, json_pack("{s:I}", "missed", (json_int_t) missed));
        return 0;
}

static int keep_last(json_t *rows, size_t n) {
        while (json_array_size(rows) > n)
                if (json_array_remove(rows, 0) < 0)
                        return -EINVAL;
        return 0;
}

int operation_tail(Session *s, const json_t *request, Error *e) {
        Tail t = { .cursor = 0 };
        bool follow = false;

        int r = argument_bool(request, "follow", &follow, e);
        if (r == 0)
                r = argument_text(request, "subject", &t.subject, e);
        if (r == 0)
                r = argument_text(request, "vital", &t.vital, e);
        for (bool first = true; r == 0; first = false) {
                r = session_on_loop(s, gather_tail, &t);
                if (r < 0)
                        return r;
                if (first) /* what was missed before anybody asked is nobody's loss */
                        r = keep_last(t.rows, 10);
                r = r < 0 ? r : send_rows(s, t.rows);
                if (!follow)
                        return r;
                if (r == 0)
                        r = session_sleep(s, 100);
        }
        return r;
}

/* --- devices --- */

static int gather_devices(Gateway *g, void *argument) {
        json_t **ret = argument;

        *ret = json_array();
        for (DeviceId i = 0; i < registry_device_count(g->registry); i++) {
                const Device *d = registry_device(g->registry, i);
                const Subject *subject = registry_subject(g->registry, d->subject);
                bool assigned = subject->kind != SUBJECT_DEVICE;
                (void) json_array_append_new(
                                *ret, json_pack("{s:s, s:s, s:b, s:s, s:s, s:I}", "device", d->name, "model",
                                                      d->model, "registered", d->registered, "subject",
                                                      assigned ? subject->name : "", "label",
                                                      assigned ? subject->label : "", "stream",
                                                      (json_int_t) d->stream));
        }
        return 0;
}

int operation_devices(Session *s, const json_t *request, Error *e) {
        json_t *rows = NULL;
        (void) request;
        (void) e;

        int r = session_on_loop(s, gather_devices, &rows);
        return r < 0 ? r : send_rows(s, rows);
}
