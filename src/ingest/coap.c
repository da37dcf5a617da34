/* The CoAP source: requests are read while a batch is written, and each is answered with the batch that it is in. */
#include "ingest/coap.h"

#include <errno.h>

#include "ingest/coap_internal.h"

enum {
        BURST_US = 10 * 1000,       /* how soon devices that waited for their answers send more, */
        ALL_BACK_US = 50 * 1000,    /* and how soon all of them have, on a slow or busy box */
        RETRY_US = 5 * 1000 * 1000, /* until an address that isn't there is tried again */
        RATE_SETS = 1024,
        RATE_BURST_SECONDS = 2,
};

static const char *const count_names[COAP_COUNTS] = {
        [COUNT_REQUESTS] = "requests",
        [COUNT_RETRANSMISSIONS] = "retransmissions",
        [COUNT_NON] = "non_confirmable",
        [COUNT_MULTICAST] = "multicast",
        [COUNT_CLIENT_ERRORS] = "client_errors",
        [COUNT_UNAVAILABLE] = "unavailable",
        [COUNT_RATE_LIMITED] = "rate_limited",
        [COUNT_FORBIDDEN] = "forbidden",
        [COUNT_OUTSTANDING_FULL] = "outstanding_full",
        [COUNT_BLOCKS] = "blocks",
        [COUNT_BLOCKS_REFUSED] = "blocks_refused",
        [COUNT_UNKNOWN_IDENTITIES] = "unknown_identities",
        [COUNT_RETURNED] = "returned",
        [COUNT_SESSIONS_CLOSED] = "sessions_closed",
        [COUNT_UNANSWERED] = "unanswered",
        [COUNT_KEYS_NOT_READ] = "keys_not_read",
        [COUNT_NOTIFICATIONS] = "notifications",
        [COUNT_STALE] = "stale",
        [COUNT_REGISTRATIONS] = "registrations",
        [COUNT_SILENCES] = "silences",
        [COUNT_OBSERVE_ERRORS] = "observe_errors",
};

int64_t coap_now_us(void) {
        return clock_mono_us();
}

static CoapSource *source_of(const Source *s) {
        return container_of(s, CoapSource, source);
}

static void watch(CoapSource *s) {
        endpoint_watch(s->plain);
        endpoint_watch(s->secure);
        observer_watch(s->observer);
}

/* What waited for room goes first, but not from here: the pipeline is up the stack, in the midst of a batch or a frame. */
static void read_on(CoapSource *s) {
        s->paused = false;
        if (ring_is_empty(&s->held))
                watch(s);
        else
                (void) sd_event_source_set_enabled(s->again, SD_EVENT_ONESHOT);
}

static int on_again(sd_event_source *es, void *userdata) {
        CoapSource *s = userdata;

        outstanding_go_on(s);
        watch(s);
        if (!s->paused)
                s->sink.drained(s->sink.userdata, &s->source);
        return 0;
}

static void on_batch_closed(Source *source) {
        CoapSource *s = source_of(source);

        outstanding_close_batch(s);
        if (s->observer)
                observer_close_batch(s->observer);
}

static void on_pause(Source *source) {
        CoapSource *s = source_of(source);

        s->paused = true;
        watch(s);
}

static void on_acknowledge(Source *source) {
        CoapSource *s = source_of(source);

        outstanding_acknowledge(s);
        if (s->observer)
                observer_acknowledge(s->observer);
        endpoint_answered(s->plain);
        endpoint_answered(s->secure);
        read_on(s);
}

static void on_suspend(Source *source) {
        CoapSource *s = source_of(source);

        s->live = true;
        outstanding_refuse(s);
        if (s->observer)
                observer_suspend(s->observer);
        read_on(s);
}

static void on_resume(Source *source) {
        CoapSource *s = source_of(source);

        s->live = false;
        if (s->observer)
                observer_resume(s->observer);
        endpoint_answered(s->plain);
        endpoint_answered(s->secure);
        read_on(s);
}

/* A device waits for its answer before it sends again (NSTART is 1, RFC 7252 4.7): where many of those that were answered
 * come back at once, or as many as were answered in half of a batch's time, there is nothing to wait for. Devices that send
 * at their own pace are a small part in that time. */
static bool is_backlogged(const Source *source) {
        const CoapSource *s = source_of(source);
        uint64_t after_us = s->read_us - s->answered_us;

        if (s->window == 0)
                return false;
        return s->handed >= s->window ? after_us < ALL_BACK_US
                                      : s->handed * 2 >= s->window && after_us < BURST_US;
}

static void on_devices(Source *source, const SourceDevices *devices) {
        CoapSource *s = source_of(source);
        PskTable *old = s->keys, *keys = NULL;
        Error e;

        s->devices = devices;
        if (s->options->psk_file && psk_table_read(s->options->psk_file, &keys, &e) < 0)
                s->counts[COUNT_KEYS_NOT_READ]++;
        if (keys)
                s->keys = keys;
        if (s->secure)
                peers_review(s->secure, old);
        if (keys)
                psk_table_free(old);
        if (s->observer)
                observer_devices(s->observer);
}

static void count_more(const Source *source, SourceCounterFn each, void *userdata) {
        const CoapSource *s = source_of(source);
        const CoapEndpoint *endpoints[] = { s->plain, s->secure };
        uint64_t peers = 0, outstanding = 0, transfers = 0, expired = 0;

        for (size_t i = 0; i < ELEMENTS(endpoints); i++)
                if (endpoints[i]) {
                        peers += endpoints[i]->peer_count;
                        outstanding += endpoints[i]->outstanding;
                        transfers += block_store_transfers(endpoints[i]->blocks);
                        expired += block_store_expired(endpoints[i]->blocks);
                }
        each(userdata, "sessions", peers);
        each(userdata, "outstanding", outstanding);
        each(userdata, "transfers", transfers);
        each(userdata, "transfers_expired", expired);
        for (size_t i = 0; i < COAP_COUNTS; i++)
                each(userdata, count_names[i], s->counts[i]);
}

static Source *source_free(Source *source) {
        if (!source)
                return NULL;
        CoapSource *s = source_of(source);
        (void) sd_event_source_disable_unref(s->begin);
        (void) sd_event_source_disable_unref(s->again);
        outstanding_free_all(s);
        observer_free(s->observer);
        endpoint_free(s->plain);
        endpoint_free(s->secure);
        rate_table_free(s->device_rate);
        psk_table_free(s->keys);
        (void) sd_event_unref(s->event);
        free(s);
        return NULL;
}

static void source_freep(CoapSource **s) {
        if (*s)
                (void) source_free(&(*s)->source);
}

static const SourceOps coap_ops = {
        .kind = "coap",
        .batch_closed = on_batch_closed,
        .pause = on_pause,
        .acknowledge = on_acknowledge,
        .suspend = on_suspend,
        .resume = on_resume,
        .backlogged = is_backlogged,
        .devices = on_devices,
        .counters = count_more,
        .free = source_free,
};

/* --- start --- */

static int open_endpoints(CoapSource *s, Error *e) {
        int r = 0;

        if (s->options->plain && !s->plain)
                r = endpoint_open(s, false, &s->plain, e);
        if (r == 0 && s->options->secure && !s->secure)
                r = endpoint_open(s, true, &s->secure, e);
        if (r == 0 && s->options->observe && !s->observer)
                r = observer_new(s, &s->observer, e);
        return r;
}

/* An address that isn't there yet must not keep the box from starting: it is tried again. */
static int on_begin(sd_event_source *es, uint64_t usec, void *userdata) {
        CoapSource *s = userdata;
        Error e = { "" };

        int r = open_endpoints(s, &e);
        s->source.up = r == 0;
        s->sink.state(s->sink.userdata, &s->source, r == 0, e.message);
        watch(s);
        if (r == 0)
                return 0;
        (void) sd_event_source_set_time_relative(s->begin, RETRY_US);
        (void) sd_event_source_set_enabled(s->begin, SD_EVENT_ONESHOT);
        return 0;
}

static int coap_start(sd_event *event, const SourceOptions *o, const SourceDevices *devices,
                const SourceSink *sink, Source **ret, Error *e) {
        _cleanup_(source_freep) CoapSource *s = calloc(1, sizeof *s);

        if (!s)
                return error_set(e, -ENOMEM, "out of memory");
        s->source = (Source){ .ops = &coap_ops, .name = o->name };
        s->options = container_of(o, CoapOptions, common);
        s->devices = devices;
        s->sink = *sink;
        s->event = sd_event_ref(event);
        ring_init(&s->open);
        ring_init(&s->closed);
        ring_init(&s->held);
        coap_startup();
        coap_set_log_level(
                        (coap_log_t) 0); /* what matters is counted, and strangers choose what is logged */
        const CoapLimits *l = &s->options->limits;
        if (rate_table_new(RATE_SETS, l->device_rate, MAX(l->device_rate * RATE_BURST_SECONDS, 1.0),
                            &s->device_rate) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        int r = s->options->psk_file ? psk_table_read(s->options->psk_file, &s->keys, e) : 0;
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(event, &s->begin, CLOCK_MONOTONIC, 0, 0, on_begin, s);
        if (r >= 0)
                r = sd_event_add_defer(event, &s->again, on_again, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->again, SD_EVENT_OFF);
        if (r < 0)
                return error_set(e, r, "event loop: %s", strerror(-r));
        *ret = &TAKE(s)->source;
        return 0;
}

const SourceKind coap_kind = {
        .section = "coap",
        .options_read = coap_options_read,
        .options_free = coap_options_free,
        .devices_read = coap_devices_read,
        .devices_free = coap_devices_free,
        .start = coap_start,
};
