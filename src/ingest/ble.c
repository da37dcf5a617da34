#include "ingest/ble.h"

#include <errno.h>
#include <stdio.h>

static BleSource *source_of(const Source *s) {
        return container_of(s, BleSource, source);
}

void ble_wake(BleSource *s) {
        if (s->asleep)
                return;
        (void) sd_event_source_set_time(s->timer, 0);
        (void) sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

void ble_tell(BleSource *s, const char *reason) {
        bool up = reason[0] == '\0';
        char text[sizeof s->reason];

        (void) snprintf(text, sizeof text, "%s%s%s", up ? "" : s->options->adapter, up ? "" : ": ", reason);
        if (s->source.up == up && streq(s->reason, text))
                return;
        s->source.up = up;
        memcpy(s->reason, text, sizeof text);
        s->sink.state(s->sink.userdata, &s->source, up, s->reason);
}

void ble_alert(BleSource *s, BleAlarm *alarm, const char *name, const BleDevice *d, const char *summary) {
        BleAlarm wanted = summary ? BLE_ALARM_RAISED : BLE_ALARM_ENDED;

        if (*alarm == wanted)
                return;
        *alarm = wanted;
        s->sink.alert(s->sink.userdata, &s->source, name, d ? d->config.id : s->source.name, summary);
}

/* --- turns --- */

static BleTurn turn_of(const BleDevice *d, int64_t now_us) {
        bool may_be_there = d->heard || d->has_rssi || d->connected || d->bonded;
        int64_t ready_us = MAX(d->ready_us, d->connected ? d->leaving_us : 0);
        BleTurn t = {
                .waits = d->state == BLE_WAITING && d->config.mode != BLE_MODE_ADVERT && may_be_there,
                .holds = d->state == BLE_STREAMING && d->config.mode == BLE_MODE_SPOT,
                .monitor = d->config.mode == BLE_MODE_CONNECT,
                .heard = d->heard || d->connected,
                .served_us = d->served_us,
                .ready_us = ready_us,
                .since_us = d->since_us,
        };

        /* Known from before, and not heard: it is looked for, but not all the time. */
        if (t.waits && !t.heard && !d->has_rssi && d->served_us != INT64_MIN)
                t.ready_us = MAX(t.ready_us, d->served_us + d->source->options->retry_max_us);
        return t;
}

/* Without the bond that is required it is not even tried. */
static void refuse_unbonded(BleDevice *d) {
        if (d->state == BLE_WAITING && d->config.bond == BLE_BOND_REQUIRED && !d->bonded &&
                        d->config.mode != BLE_MODE_ADVERT)
                ble_device_event(d, BLE_REFUSED);
}

/* One connection is made at a time, as controllers do. Returns when somebody may be tried again. */
static int64_t give_turns(BleSource *s, int64_t now_us) {
        size_t linked = 0, connecting = 0;
        int64_t due = INT64_MAX;

        for (size_t i = 0; i < s->device_count; i++) {
                BleDevice *d = s->devices[i];
                refuse_unbonded(d);
                linked += ble_state_is_linked(d->state);
                connecting += d->state == BLE_CONNECTING || d->state == BLE_LEAVING;
                s->turns[i] = turn_of(d, now_us);
                if (s->turns[i].waits && s->turns[i].ready_us > now_us)
                        due = MIN(due, s->turns[i].ready_us);
        }
        if (connecting > 0)
                return due;
        if (linked < (size_t) s->options->connections) {
                size_t next = ble_rotation_next(s->turns, s->device_count, now_us);
                if (next < s->device_count)
                        ble_device_event(s->devices[next], BLE_CHOSEN);
                return due;
        }
        size_t yields = ble_rotation_yield(s->turns, s->device_count, now_us, s->options->spot_hold_us);
        if (yields < s->device_count) {
                s->counters.rotated++;
                ble_device_event(s->devices[yields], BLE_DISMISSED);
        }
        for (size_t i = 0; i < s->device_count; i++)
                if (s->turns[i].holds && s->turns[i].since_us + s->options->spot_hold_us > now_us)
                        due = MIN(due, s->turns[i].since_us + s->options->spot_hold_us);
        return due;
}

/* --- time --- */

static int64_t review_device(BleDevice *d, int64_t now_us) {
        ble_device_time_out(d, now_us);
        int64_t due = ble_records_review(d, now_us);
        due = MIN(due, ble_clock_review(d, now_us));
        due = MIN(due, ble_recovery_review(d, now_us));
        return MIN(due, d->due_us);
}

static int64_t review(BleSource *s, int64_t now_us) {
        ble_queue_flush(s);
        if (now_us >= s->bus_due_us)
                ble_bus_open(s);
        if (s->owner[0] != '\0' && !s->loaded && now_us >= s->load_due_us)
                ble_objects_load(s);
        int64_t due = MIN(s->bus_due_us, s->loading ? INT64_MAX : s->load_due_us);
        for (size_t i = 0; i < s->device_count; i++)
                due = MIN(due, review_device(s->devices[i], now_us));
        due = MIN(due, ble_recovery_scan(s, now_us));
        if (ble_adapter_works(s))
                due = MIN(due, give_turns(s, now_us));
        return MIN(due, ble_adapter_review(s, now_us));
}

static int on_timer(sd_event_source *es, uint64_t usec, void *userdata) {
        BleSource *s = userdata;

        int64_t due = review(s, ble_now());
        uint64_t set;
        int enabled;
        /* Whatever was done in here may have asked for the next turn already. */
        if (sd_event_source_get_enabled(es, &enabled) >= 0 && enabled == SD_EVENT_ONESHOT &&
                        sd_event_source_get_time(es, &set) >= 0 && set == 0)
                return 0;
        if (due == INT64_MAX)
                return 0;
        (void) sd_event_source_set_time(es, (uint64_t) MAX(due, INT64_C(1)));
        return sd_event_source_set_enabled(es, SD_EVENT_ONESHOT);
}

/* --- batches --- */

static void ble_batch_closed(Source *source) {
        BleSource *s = source_of(source);

        s->closing += s->unacked;
        s->unacked = 0;
        for (size_t i = 0; i < s->device_count; i++)
                s->devices[i]->records.closing = s->devices[i]->records.handed;
}

static void ble_pause(Source *source) {
        source_of(source)->paused = true;
}

static void ble_acknowledge(Source *source) {
        BleSource *s = source_of(source);

        s->source.counters.acknowledged += s->closing;
        s->closing = 0;
        s->paused = false;
        for (size_t i = 0; i < s->device_count; i++)
                s->devices[i]->records.durable = s->devices[i]->records.closing;
        ble_wake(s); /* what waits comes in its own turn, when the pipeline is not up the stack */
}

static void ble_suspend(Source *source) {
        BleSource *s = source_of(source);

        s->live = true;
        s->paused = false;
        s->unacked = s->closing = 0;
        for (size_t i = 0; i < s->device_count; i++) {
                BleRecords *r = &s->devices[i]->records;
                r->handed = r->closing = r->durable;
        }
        ble_wake(s);
}

/* Records that were only evaluated are asked for again, from the last one that is durable. */
static void ble_resume(Source *source) {
        BleSource *s = source_of(source);

        s->live = s->paused = false;
        for (size_t i = 0; i < s->device_count; i++)
                ble_records_resume(s->devices[i]);
        ble_wake(s);
}

/* Nobody waits for an acknowledgement over the air: there is no window that a batch could open. */
static bool ble_backlogged(const Source *source) {
        return false;
}

static void ble_counters(const Source *source, SourceCounterFn each, void *userdata) {
        const BleSource *s = source_of(source);
        const BleCounters *c = &s->counters;
        uint64_t listening = 0, linked = 0;

        for (size_t i = 0; i < s->device_count; i++) {
                linked += ble_state_is_linked(s->devices[i]->state);
                listening += s->devices[i]->state == BLE_STREAMING;
        }
        const struct {
                const char *name;
                uint64_t value;
        } rows[] = {
                { "connected", linked },
                { "streaming", listening },
                { "unlisted", c->unlisted },
                { "malformed", c->malformed },
                { "foreign", c->foreign },
                { "call_errors", c->call_errors },
                { "connect_failures", c->connect_failures },
                { "subscribe_failures", c->subscribe_failures },
                { "links_lost", c->links_lost },
                { "adverts", c->adverts },
                { "adverts_repeated", c->adverts_repeated },
                { "adverts_replayed", c->adverts_replayed },
                { "records", c->records },
                { "record_failures", c->record_failures },
                { "clocks_set", c->clocks_set },
                { "clock_failures", c->clock_failures },
                { "resubscribed", c->resubscribed },
                { "reconnected", c->reconnected },
                { "discovery_restarted", c->discovery_restarted },
                { "power_cycled", c->power_cycled },
                { "rotated", c->rotated },
                { "queued_live", c->queued_live },
                { "queued_dropped", c->queued_dropped },
                { "daemon_restarts", c->daemon_restarts },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                each(userdata, rows[i].name, rows[i].value);
}

/* --- devices --- */

static bool is_for(const BleSource *s, const BleDeviceConfig *c) {
        return c->source[0] == '\0' || streq(c->source, s->source.name);
}

/* The old device of the same words goes on as it is. */
static BleDevice *take_old(BleSource *s, const BleDeviceConfig *c) {
        for (size_t i = 0; i < s->device_count; i++)
                if (s->devices[i] && memcmp(&s->devices[i]->config, c, sizeof *c) == 0)
                        return TAKE(s->devices[i]);
        return NULL;
}

static void free_devices(BleSource *s) {
        for (size_t i = 0; i < s->device_count; i++) {
                if (!s->devices[i])
                        continue;
                ble_queue_forget(s, s->devices[i]);
                ble_device_free(s->devices[i]);
        }
        free(s->devices);
        free(s->turns);
        s->devices = NULL;
        s->turns = NULL;
        s->device_count = 0;
}

static int use_devices(BleSource *s, const SourceDevices *list) {
        size_t n = list ? list->count : 0, count = 0;
        BleDevice **devices = calloc(n + 1, sizeof *devices);
        BleTurn *turns = calloc(n + 1, sizeof *turns);
        int r = devices && turns ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < n; i++) {
                const BleDeviceConfig *c = &list->items[i];
                if (!is_for(s, c))
                        continue;
                devices[count] = take_old(s, c);
                if (!devices[count])
                        r = ble_device_new(s, c, &devices[count]);
                count += r == 0;
        }
        free_devices(s);
        s->devices = devices;
        s->turns = turns;
        s->device_count = devices && turns ? count : 0;
        return r;
}

static void ble_new_devices(Source *source, const SourceDevices *devices) {
        BleSource *s = source_of(source);

        (void) use_devices(s, devices);
        /* New ones may be among the objects that are there. */
        ble_objects_load(s);
        ble_wake(s);
}

/* --- beginning and end --- */

static Source *ble_free(Source *source) {
        if (!source)
                return NULL;
        BleSource *s = source_of(source);
        s->asleep = true;
        free_devices(s);
        ble_bus_close(s);
        ble_queue_free(s->queue);
        (void) sd_event_source_disable_unref(s->timer);
        (void) sd_event_unref(s->event);
        free(s);
        return NULL;
}

static void ble_freep(BleSource **s) {
        if (*s)
                (void) ble_free(&(*s)->source);
}

static const SourceOps ble_ops = {
        .kind = "ble",
        .batch_closed = ble_batch_closed,
        .pause = ble_pause,
        .acknowledge = ble_acknowledge,
        .suspend = ble_suspend,
        .resume = ble_resume,
        .backlogged = ble_backlogged,
        .devices = ble_new_devices,
        .counters = ble_counters,
        .free = ble_free,
};

static int kind_read(const YamlNode *item, const MappingSet *maps, SourceOptions **ret, Error *e) {
        BleOptions *o;

        int r = ble_options_read(item, &o, e);
        if (r == 0)
                *ret = &o->common;
        return r;
}

static SourceOptions *kind_free(SourceOptions *o) {
        if (o)
                ble_options_free(container_of(o, BleOptions, common));
        return NULL;
}

static int kind_devices(const YamlNode *root, const MappingSet *maps, SourceDevices **ret, Error *e) {
        return ble_devices_read(root, ret, e);
}

static int kind_start(sd_event *event, const SourceOptions *o, const SourceDevices *devices,
                const SourceSink *sink, Source **ret, Error *e) {
        _cleanup_(ble_freep) BleSource *s = calloc(1, sizeof *s);

        if (!s)
                return error_set(e, -ENOMEM, "out of memory");
        s->source = (Source){ .ops = &ble_ops, .name = o->name };
        s->options = container_of(o, BleOptions, common);
        s->sink = *sink;
        s->event = sd_event_ref(event);
        s->load_due_us = INT64_MAX;
        (void) snprintf(s->adapter, sizeof s->adapter, "/org/bluez/%s", s->options->adapter);
        int r = ble_queue_new(&s->queue);
        if (r >= 0)
                r = use_devices(s, devices);
        if (r >= 0)
                r = sd_event_add_time(event, &s->timer, CLOCK_BOOTTIME, 0, 1, on_timer, s);
        if (r < 0)
                return error_set(e, r, "%s: %s", o->name, strerror(-r));
        *ret = &TAKE(s)->source;
        return 0;
}

const SourceKind ble_kind = {
        .section = "ble",
        .options_read = kind_read,
        .options_free = kind_free,
        .devices_read = kind_devices,
        .devices_free = ble_devices_free,
        .start = kind_start,
};
