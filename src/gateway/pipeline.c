/* The way of a reading, one function an arrow:
 *
 *   frame -> decode -> validate -> accept -> rules -> alerts -> receivers
 *                                    |
 *                                    +-> batch -> commit (1 fsync) -> acknowledge
 *
 * A batch closes when it is full, when its time is over, or, where a source has a backlog, as soon as the socket is
 * drained. While it is written the next one fills; only MQTT doesn't read then, for its acknowledgement lets all go that
 * are waiting (docs/mqtt.md). A store that fails or is slow stops acknowledgements, never alerts. */
#include "gateway/pipeline.h"

#include <errno.h>
#include <stdio.h>

#include "base/utf8.h"
#include "gateway/internal.h"
#include "gateway/log.h"
#include "gateway/replay.h"

enum { RETRY_US = 1000000, PATIENCE_MAX_US = 30000000, ENTRY_BODY_MAX = 2048 };

void pipeline_init(Pipeline *p, const Config *config) {
        *p = (Pipeline){ .batch_deadline_us = INT64_MAX,
                .patience_us = config->slow_store_us,
                .writing_since_us = INT64_MAX,
                .malformed_us = INT64_MIN };
}

void pipeline_done(Pipeline *p) {
        sample_list_done(&p->samples);
}

/* --- batch --- */

static void open_batch(Gateway *g, const Stamp *now) {
        if (g->pipeline.batch_deadline_us == INT64_MAX)
                g->pipeline.batch_deadline_us = now->mono_us + g->config->ledger.batch_age_us;
}

void pipeline_append(Gateway *g, EntryType type, const Subject *subject, const CborWriter *body,
                const Stamp *now) {
        const LedgerItem item = {
                .type = type,
                .subject = subject ? subject->name : NULL,
                .kind = subject ? subject->kind : SUBJECT_PATIENT,
                .wall_us = now->wall_us,
                .body = BYTES(body->data, body->len),
        };

        if (body->overflow || ledger_append(g->ledger, &item) < 0)
                g->pipeline.shed++;
        else
                open_batch(g, now);
}

void pipeline_append_gap(Gateway *g, GapReason reason, const char *what, int64_t from_us, int64_t to_us,
                uint64_t first, uint64_t count, const char *detail) {
        uint8_t buffer[ENTRY_BODY_MAX];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        Stamp now = gateway_now(g);
        GapBody gap = { .when = gateway_when(g, &now),
                .reason = reason,
                .from_us = from_us,
                .to_us = to_us,
                .first = first,
                .count = count };
        (void) snprintf(gap.what, sizeof gap.what, "%s", what);
        (void) snprintf(gap.detail, sizeof gap.detail, "%s", detail);
        body_put_gap(&w, &gap);
        pipeline_append(g, ENTRY_GAP, NULL, &w, &now);
}

static int append_reading(Gateway *g, const Reading *r) {
        uint8_t buffer[256];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        const Subject *subject = registry_subject(g->registry, r->subject);
        const Vital *vital = catalogue_at(g->catalogue, r->vital);
        Device *device = registry_device(g->registry, r->device);

        if (device->stream == 0) {
                int k = ledger_stream(g->ledger, device->name, &device->stream);
                if (k < 0)
                        return k;
        }
        ReadingBody body = {
                .when = gateway_when(g, &r->stamp),
                .value = r->value,
                .device_time_us = r->device_time_us,
                .has_seq = r->has_device_seq,
                .seq = r->device_seq,
                .flags = r->flags,
                .device_clock_us = r->device_clock_us,
        };
        memcpy(body.device, device->name, sizeof body.device);
        memcpy(body.vital, vital->name, sizeof body.vital);
        memcpy(body.unit, vital->unit, sizeof body.unit);
        body_put_reading(&w, &body);
        if (w.overflow)
                return -ENOSPC;
        const LedgerItem item = {
                .type = ENTRY_READING,
                .stream = device->stream,
                .subject = subject->name,
                .kind = subject->kind,
                .wall_us = r->stamp.wall_us,
                .body = BYTES(w.data, w.len),
        };
        return ledger_append(g->ledger, &item);
}

/* --- commit --- */

static void pause_sources(Gateway *g) {
        for (size_t i = 0; i < g->source_count; i++)
                g->sources[i].source->ops->pause(g->sources[i].source);
}

static void tell_sources_of_batch(Gateway *g) {
        for (size_t i = 0; i < g->source_count; i++)
                g->sources[i].source->ops->batch_closed(g->sources[i].source);
}

static void acknowledge_sources(Gateway *g) {
        for (size_t i = 0; i < g->source_count; i++)
                g->sources[i].source->ops->acknowledge(g->sources[i].source);
}

static void close_batch(Gateway *g, bool seal, const Stamp *now) {
        Pipeline *p = &g->pipeline;
        EntryTime when = gateway_when(g, now);

        if (ledger_is_writing(g->ledger)) {
                p->close_wanted = true;
                return;
        }
        /* Where nobody waits for an acknowledgement, nothing that is read meanwhile can get one too early. */
        if (p->store == STORE_OK && p->waiting > 0)
                tell_sources_of_batch(g);
        int r = ledger_close_batch(g->ledger, seal, &when, &g->rules_hash);
        if (r < 0) {
                log_error("cannot hand a batch to the commit thread: %s", strerror(-r));
                return;
        }
        p->close_wanted = false;
        p->writing = p->waiting;
        p->waiting = 0;
        p->batch_deadline_us = INT64_MAX;
        p->writing_since_us = now->mono_us;
}

/* Alerts must go on without the store: nothing since the last acknowledgement is durable, so the sources drop it (their
 * peers keep it) and deliver live. */
static void leave_store(Gateway *g, StoreState state, const char *why, const Stamp *now) {
        Pipeline *p = &g->pipeline;
        char summary[ALERT_SUMMARY_MAX];

        if (p->store == STORE_OK) {
                p->store_since = *now;
                for (size_t i = 0; i < g->source_count; i++)
                        g->sources[i].source->ops->suspend(g->sources[i].source);
                validator_forget(g->validator);
                p->behind = p->waiting > 0 && p->writing_since_us != INT64_MAX;
                p->waiting = p->writing = 0;
        }
        if (p->store == STORE_OK || !streq(p->store_error, why))
                log_message(LOG_ERR, LOG_FIELDS({ "EVENT", "store" }, { "STATE", "failed" }),
                                "%s: alerts go on, acknowledgements stop until readings can be stored", why);
        p->store = state;
        (void) snprintf(p->store_error, sizeof p->store_error, "%.255s", why);
        (void) snprintf(summary, sizeof summary, "Readings can't be stored: %.200s", why);
        (void) alert_manager_raise(g->alerts, "StoreFailed", summary, now);
}

static void record_shed(Gateway *g, int64_t since_us, const Stamp *now) {
        uint64_t shed = g->pipeline.shed;

        g->pipeline.shed = 0;
        if (shed > 0)
                pipeline_append_gap(g, GAP_SHED, "entries", since_us, now->wall_us, 0, shed,
                                "entries that found no room");
}

/* The store works again. What is in it decides what is a duplicate from here on. */
static void return_to_store(Gateway *g, const Stamp *now) {
        Pipeline *p = &g->pipeline;

        p->store = STORE_OK;
        log_message(LOG_NOTICE, LOG_FIELDS({ "EVENT", "store" }, { "STATE", "ok" }),
                        "readings are stored again");
        pipeline_append_gap(
                        g, GAP_STORE, "store", p->store_since.wall_us, now->wall_us, 0, 0, p->store_error);
        record_shed(g, p->store_since.wall_us, now);
        validator_forget(g->validator);
        replay_identities(g);
        alert_manager_clear(g->alerts, "StoreFailed", now);
        for (size_t i = 0; i < g->source_count; i++)
                g->sources[i].source->ops->resume(g->sources[i].source);
}

/* A disk that is always slow would have its batches dropped unacknowledged for ever: after each one that came through too
 * late the next may take twice as long, until one is in time again. */
static void note_pace(Gateway *g, const Stamp *now) {
        Pipeline *p = &g->pipeline;

        if (p->store == STORE_SLOW)
                p->patience_us = MIN(p->patience_us * 2, (int64_t) PATIENCE_MAX_US);
        else if (now->mono_us - p->writing_since_us < g->config->slow_store_us)
                p->patience_us = g->config->slow_store_us;
        p->writing_since_us = INT64_MAX;
}

void pipeline_committed(Gateway *g) {
        Pipeline *p = &g->pipeline;
        LedgerResult result;
        Stamp now = gateway_now(g);

        if (ledger_collect(g->ledger, &result) < 0)
                return;
        note_pace(g, &now);
        if (result.r < 0) {
                p->failed++;
                p->shed += result.dropped;
                p->behind = false; /* they are in one batch now */
                p->retry_us = now.mono_us + RETRY_US;
                leave_store(g, STORE_DOWN, result.message, &now);
                return;
        }
        if (result.message[0]) /* durable, but the checkpoint file could not be replaced */
                log_warning("%s", result.message);
        p->batches++;
        p->entries += result.entries;
        if (p->store != STORE_OK && p->behind) {
                p->behind = false;
                p->store = STORE_DOWN;
                p->retry_us = now.mono_us + RETRY_US;
                close_batch(g, false, &now);
        } else if (p->store != STORE_OK)
                return_to_store(g, &now);
        else if (p->writing > 0)
                acknowledge_sources(g);
        record_shed(g, TIME_NONE, &now);
        if (result.sealed)
                chains_wake(g->chains);
        if (p->close_wanted)
                close_batch(g, false, &now);
}

static void drained(void *userdata, Source *s) {
        Gateway *g = userdata;

        if (g->pipeline.waiting == 0 || g->pipeline.store != STORE_OK || !s->ops->backlogged(s))
                return;
        Stamp now = gateway_now(g);
        close_batch(g, false, &now);
}

/* --- frame, decode, validate, accept --- */

static void accept_reading(Gateway *g, const Reading *r, bool durable) {
        int k = durable ? append_reading(g, r) : 0;
        if (k < 0) { /* it must not be acknowledged with the rest */
                g->pipeline.retry_us = r->stamp.mono_us + RETRY_US;
                leave_store(g, STORE_DOWN, strerror(-k), &r->stamp);
        }
        board_note(g->board, r);
        (void) rule_engine_reading(g->engine, r, r->stamp.mono_us);
        absence_note(g, r);
}

static void note_quarantine(Gateway *g, const Frame *f, Verdict v, const char *reason, const Stamp *now,
                FrameResult *result) {
        char summary[ALERT_SUMMARY_MAX];

        result->worst = v;
        utf8_copy(reason, result->reason, sizeof result->reason);
        if (f->durable)
                quarantine_add(g, f, reason, now);
        g->pipeline.malformed_us = now->mono_us;
        (void) snprintf(summary, sizeof summary, "A message of %.63s was set aside: %.120s", f->device,
                        reason);
        (void) alert_manager_raise(g->alerts,
                        v == VERDICT_UNKNOWN_DEVICE ? "UnknownDevice" : "MessageRefused", summary, now);
}

static void validate_samples(Gateway *g, const Frame *f, const Arrival *arrival, FrameResult *result) {
        Pipeline *p = &g->pipeline;
        Device *device = registry_device(g->registry, arrival->device);
        Verdict worst = VERDICT_ACCEPTED;

        for (size_t i = 0; i < p->samples.count; i++) {
                SequenceGap gap;
                Reading reading;

                Verdict v = validate_sample(
                                g->validator, &p->samples.items[i], arrival, g->registry, &reading, &gap);
                p->verdicts[v]++;
                if (gap.count > 0 && f->durable)
                        pipeline_append_gap(g, GAP_SEQUENCE, device->name, TIME_NONE, TIME_NONE, gap.first,
                                        gap.count, "");
                if (v == VERDICT_ACCEPTED) {
                        result->accepted++;
                        accept_reading(g, &reading, f->durable);
                } else if (v == VERDICT_DUPLICATE)
                        result->duplicates++;
                else {
                        result->refused++;
                        worst = v;
                }
        }
        if (worst != VERDICT_ACCEPTED)
                note_quarantine(g, f, worst, verdict_name(worst), &arrival->stamp, result);
}

/* What was due before the moment comes first: an entry of that time says that it was told. */
static void run_what_was_due(Gateway *g, const Stamp *now) {
        const Stamp before = {
                .wall_us = now->wall_us - 1, .mono_us = now->mono_us - 1, .synchronised = now->synchronised
        };

        rule_engine_tick(g->engine, before.mono_us, before.wall_us);
        alert_manager_tick(g->alerts, &before);
}

static void refuse_frame(Gateway *g, const Frame *f, Verdict v, const char *reason, const Stamp *now,
                FrameResult *result) {
        g->pipeline.verdicts[v]++;
        result->refused = 1;
        note_quarantine(g, f, v, reason, now, result);
}

static void decode_frame(Gateway *g, const Frame *f, Arrival *arrival, FrameResult *result) {
        const Device *device = registry_find_device(g->registry, f->device);
        const Stamp *now = &arrival->stamp;
        Error e = { "" };

        if (!device || !device->registered)
                return refuse_frame(g, f, VERDICT_UNKNOWN_DEVICE, "unknown_device", now, result);
        if (f->payload.len > DECODE_PAYLOAD_MAX)
                return refuse_frame(g, f, VERDICT_OVERSIZED, "oversized", now, result);
        if (decode_payload(&f->decoding, f->payload, now->wall_us, &g->pipeline.samples, &e) < 0)
                return refuse_frame(g, f, VERDICT_MALFORMED, e.message, now, result);
        arrival->device = device->id;
        validate_samples(g, f, arrival, result);
}

static void handle_frame(void *userdata, Source *s, const Frame *f, FrameResult *ret) {
        Gateway *g = userdata;
        Pipeline *p = &g->pipeline;
        FrameResult result = { 0 };
        Arrival arrival = {
                .stamp = gateway_now(g),
                .redelivered = f->redelivered,
                .retained = f->retained,
                .clock = f->clock,
                .clock_offset_us = f->clock_offset_us,
        };

        p->now = arrival.stamp;
        run_what_was_due(g, &p->now);
        sample_list_clear(&p->samples);
        decode_frame(g, f, &arrival, &result);
        if (ret)
                *ret = result;
        if (!f->durable)
                return;
        /* Also what is only counted or set aside wants its acknowledgement. */
        p->waiting += MAX(p->samples.count, (size_t) 1);
        open_batch(g, &arrival.stamp);
        if (p->waiting < (size_t) g->config->ledger.batch_readings || p->store != STORE_OK)
                return;
        if (ledger_is_writing(g->ledger))
                pause_sources(g);
        close_batch(g, false, &arrival.stamp);
}

static const Device *listed_device(void *userdata, const char *id) {
        const Gateway *g = userdata;
        const Device *d = registry_find_device(g->registry, id);

        return d && d->registered ? d : NULL;
}

/* --- sources come and go --- */

static SourceWatch *watch_of(Gateway *g, const Source *s) {
        for (size_t i = 0; i < g->source_count; i++)
                if (g->sources[i].source == s)
                        return &g->sources[i];
        return NULL;
}

static void source_state(void *userdata, Source *s, bool up, const char *reason) {
        Gateway *g = userdata;
        SourceWatch *w = watch_of(g, s);
        char alert[ALERT_NAME_MAX], summary[ALERT_SUMMARY_MAX];
        Stamp now = gateway_now(g);

        if (!w)
                return;
        utf8_copy(reason, w->reason, sizeof w->reason);
        (void) snprintf(alert, sizeof alert, "SourceDown:%.48s", s->name);
        if (up) {
                log_message(LOG_NOTICE,
                                LOG_FIELDS({ "EVENT", "source" }, { "SOURCE", s->name }, { "STATE", "up" }),
                                "%s: connected", s->name);
                if (w->down_since_us != TIME_NONE)
                        pipeline_append_gap(g, GAP_SOURCE_DOWN, s->name, w->down_since_us, now.wall_us, 0, 0,
                                        "");
                w->down_since_us = TIME_NONE;
                alert_manager_clear(g->alerts, alert, &now);
                return;
        }
        log_message(LOG_WARNING,
                        LOG_FIELDS({ "EVENT", "source" }, { "SOURCE", s->name }, { "STATE", "down" }),
                        "%s: not connected: %s", s->name, reason);
        if (w->down_since_us == TIME_NONE)
                w->down_since_us = now.wall_us;
        (void) snprintf(summary, sizeof summary, "%.63s is not connected: %.120s", s->name, reason);
        (void) alert_manager_raise(g->alerts, alert, summary, &now);
}

static void source_alert(
                void *userdata, Source *s, const char *name, const char *about, const char *summary) {
        Gateway *g = userdata;
        char alert[ALERT_NAME_MAX];
        Stamp now = gateway_now(g);

        int n = snprintf(alert, sizeof alert, "%.20s:", name);
        (void) snprintf(alert + n, sizeof alert - (size_t) n, "%s", about);
        if (!summary) {
                alert_manager_clear(g->alerts, alert, &now);
                return;
        }
        log_message(LOG_WARNING, LOG_FIELDS({ "EVENT", "source" }, { "SOURCE", s->name }, { "ALERT", name }),
                        "%s: %s", s->name, summary);
        (void) alert_manager_raise(g->alerts, alert, summary, &now);
}

SourceSink pipeline_sink(Gateway *g) {
        return (SourceSink){ .frame = handle_frame,
                .drained = drained,
                .state = source_state,
                .alert = source_alert,
                .device = listed_device,
                .userdata = g };
}

/* --- time --- */

/* A commit is under way for which samples wait, be it for the next one's turn. */
static bool is_waited_for(const Pipeline *p) {
        return p->writing_since_us != INT64_MAX && p->store == STORE_OK && p->writing + p->waiting > 0;
}

static void watch_store(Gateway *g, const Stamp *now) {
        Pipeline *p = &g->pipeline;

        if (is_waited_for(p) && now->mono_us - p->writing_since_us >= p->patience_us)
                leave_store(g, STORE_SLOW, "the disk does not answer in time", now);
        if (p->store == STORE_DOWN && p->writing_since_us == INT64_MAX && now->mono_us >= p->retry_us) {
                p->retry_us = now->mono_us + RETRY_US;
                close_batch(g, false, now);
        }
}

void pipeline_tick(Gateway *g, const Stamp *now) {
        Pipeline *p = &g->pipeline;

        p->now = *now;
        rule_engine_tick(g->engine, now->mono_us, now->wall_us);
        alert_manager_tick(g->alerts, now);
        dispatch_tick(g->dispatch, now, g->local_offset_us);
        watch_store(g, now);
        if (p->writing_since_us != INT64_MAX || p->store != STORE_OK)
                return;
        if (now->mono_us >= ledger_seal_deadline(g->ledger))
                close_batch(g, true, now);
        else if (now->mono_us >= p->batch_deadline_us)
                close_batch(g, false, now);
}

int64_t pipeline_deadline(const Gateway *g) {
        const Pipeline *p = &g->pipeline;
        int64_t next = MIN(rule_engine_deadline(g->engine), alert_manager_deadline(g->alerts));

        next = MIN(next, dispatch_deadline(g->dispatch));
        if (p->writing_since_us != INT64_MAX)
                return is_waited_for(p) ? MIN(next, p->writing_since_us + p->patience_us) : next;
        if (p->store == STORE_DOWN)
                return MIN(next, p->retry_us);
        next = MIN(next, p->batch_deadline_us);
        return MIN(next, ledger_seal_deadline(g->ledger));
}
