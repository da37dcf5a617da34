/* Devices that are servers are asked to tell of their readings (RFC 7641), and asked anew when they don't. */
#include "ingest/coap_observe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "base/backoff.h"
#include "base/clock.h"

enum {
        BACKOFF_MIN_US = 1000 * 1000,
        BACKOFF_MAX_US = 60 * 1000 * 1000,
        /* After Max-Age; at random, so that a ward's devices aren't all asked at once (RFC 7641 3.3.1). */
        GRACE_MIN_US = 5 * 1000 * 1000,
        GRACE_SPREAD_US = 10 * 1000 * 1000,
};

/* Longer than libcoap repeats a request, and than a handshake may take: it has said so before. */
static const int64_t answer_patience_us = 120 * USEC_PER_SEC;

static const char alert_name[] = "ObserveLost";

/* --- one device --- */

void watched_failed(Watched *w, bool renew, int64_t wait_us, const char *why) {
        CoapSource *s = w->observer->source;
        char summary[256];

        w->renew |= renew;
        w->state = WATCH_IDLE;
        w->failures++;
        w->due_us = coap_now_us() +
                    MAX(wait_us, (int64_t) backoff_delay(BACKOFF_MIN_US, BACKOFF_MAX_US, w->failures));
        (void) snprintf(summary, sizeof summary, "%.63s is not observed: %.120s", w->device->id, why);
        s->sink.alert(s->sink.userdata, &s->source, alert_name, w->device->id, summary);
        w->lost = true;
        observer_schedule(w->observer);
}

static void end_alert(Watched *w) {
        CoapSource *s = w->observer->source;

        if (w->lost)
                s->sink.alert(s->sink.userdata, &s->source, alert_name, w->device->id, NULL);
        w->lost = false;
}

void watched_heard(Watched *w, int64_t max_age_us) {
        int64_t grace = GRACE_MIN_US + (int64_t) randombytes_uniform(GRACE_SPREAD_US);

        w->state = WATCH_HEARD;
        w->failures = 0;
        w->due_us = coap_now_us() + (w->device->silence_us > 0 ? w->device->silence_us : max_age_us + grace);
        end_alert(w);
        observer_schedule(w->observer);
}

static void set_address(coap_address_t *a, const CoapTarget *t) {
        coap_address_init(a);
        if (inet_pton(AF_INET6, t->host, &a->addr.sin6.sin6_addr) == 1) {
                a->addr.sin6.sin6_family = AF_INET6;
                a->addr.sin6.sin6_port = htons(t->port);
                a->size = sizeof a->addr.sin6;
        } else if (inet_pton(AF_INET, t->host, &a->addr.sin.sin_addr) == 1) {
                a->addr.sin.sin_family = AF_INET;
                a->addr.sin.sin_port = htons(t->port);
                a->size = sizeof a->addr.sin;
        }
}

static void open_session(Watched *w) {
        const CoapDevice *d = w->device;
        coap_address_t address;

        set_address(&address, &d->target);
        if (d->target.secure) {
                coap_dtls_cpsk_t psk = { .version = COAP_DTLS_CPSK_SETUP_VERSION,
                        .psk_info = { .identity = { .s = (const uint8_t *) d->identity,
                                                      .length = strlen(d->identity) },
                                        .key = { .s = d->key, .length = d->key_len } } };
                w->session = coap_new_client_session_psk2(
                                w->observer->context, NULL, &address, COAP_PROTO_DTLS, &psk);
        } else
                w->session = coap_new_client_session(w->observer->context, NULL, &address, COAP_PROTO_UDP);
        if (w->session)
                coap_session_set_app_data(w->session, w);
        randombytes_buf(w->token, sizeof w->token);
        w->order.known = false;
}

/* Acknowledgements that are still to leave keep the session itself alive; nothing that comes on it is ours any more. */
static void close_session(Watched *w) {
        if (!w->session)
                return;
        coap_session_set_app_data(w->session, NULL);
        coap_session_release(w->session);
        w->session = NULL;
}

/* Each part of a text as an option of its own. */
static void add_parts(coap_pdu_t *pdu, coap_option_num_t number, const char *text, const char *separator) {
        while (text && *text) {
                size_t n = strcspn(text, separator);
                (void) coap_add_option(pdu, number, n, (const uint8_t *) text);
                text += n + (text[n] != '\0');
        }
}

static bool ask(Watched *w) {
        const CoapTarget *t = &w->device->target;
        coap_pdu_t *pdu = coap_pdu_init(COAP_MESSAGE_CON, COAP_REQUEST_CODE_GET,
                        coap_new_message_id(w->session), coap_session_max_pdu_size(w->session));

        if (!pdu)
                return false;
        (void) coap_add_token(pdu, sizeof w->token, w->token);
        (void) coap_add_option(pdu, COAP_OPTION_OBSERVE, 0, NULL); /* 0: register */
        add_parts(pdu, COAP_OPTION_URI_PATH, t->path, "/");
        add_parts(pdu, COAP_OPTION_URI_QUERY, t->query, "&");
        return coap_send(w->session, pdu) != COAP_INVALID_MID;
}

static void register_again(Watched *w) {
        CoapSource *s = w->observer->source;

        if (w->renew)
                close_session(w);
        w->renew = false;
        if (!w->session)
                open_session(w);
        w->state = WATCH_ASKED;
        w->due_us = coap_now_us() + answer_patience_us;
        s->counts[COUNT_REGISTRATIONS]++;
        if (!w->session || !ask(w))
                watched_failed(w, true, 0, "it can't be reached");
}

static void take_turn(Watched *w) {
        if (w->state == WATCH_HEARD)
                w->observer->source->counts[COUNT_SILENCES]++;
        if (w->state == WATCH_ASKED)
                return watched_failed(w, true, 0, "it does not answer");
        register_again(w);
}

static int on_timer(sd_event_source *es, uint64_t usec, void *userdata) {
        Observer *o = userdata;
        int64_t now = coap_now_us();

        for (size_t i = 0; i < o->count; i++)
                if (o->watched[i]->due_us <= now)
                        take_turn(o->watched[i]);
        observer_schedule(o);
        return 0;
}

void observer_schedule(Observer *o) {
        int64_t next = INT64_MAX;

        for (size_t i = 0; i < o->count; i++)
                next = MIN(next, o->watched[i]->due_us);
        (void) sd_event_source_set_time(o->timer, (uint64_t) MAX(next, INT64_C(0)));
        (void) sd_event_source_set_enabled(o->timer, o->count > 0 ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* --- what libcoap calls --- */

static void on_nack(coap_session_t *session, const coap_pdu_t *sent, const coap_nack_reason_t reason,
                const coap_mid_t mid) {
        Watched *w = coap_session_get_app_data(session);

        if (w && w->state == WATCH_ASKED)
                watched_failed(w, true, 0,
                                reason == COAP_NACK_RST          ? "it refuses the request"
                                : reason == COAP_NACK_TLS_FAILED ? "the handshake failed"
                                                                 : "it does not answer");
}

static int on_event(coap_session_t *session, const coap_event_t event) {
        Watched *w = coap_session_get_app_data(session);

        if (w && (event == COAP_EVENT_DTLS_CLOSED || event == COAP_EVENT_DTLS_ERROR) &&
                        w->state != WATCH_IDLE)
                watched_failed(w, true, 0, "the secured session ended");
        return 0;
}

/* One datagram a turn: what it brings may fill the batch. */
static int on_socket(sd_event_source *es, int fd, uint32_t revents, void *userdata) {
        Observer *o = userdata;
        CoapSource *s = o->source;
        struct epoll_event event;
        uint64_t frames = s->source.counters.frames;

        if (epoll_wait(fd, &event, 1, 0) == 1)
                coap_io_do_epoll(o->context, &event, 1);
        if (s->source.counters.frames != frames && !s->paused)
                s->sink.drained(s->sink.userdata, &s->source);
        return 0;
}

void observer_watch(Observer *o) {
        if (o)
                (void) sd_event_source_set_enabled(o->io, o->source->paused ? SD_EVENT_OFF : SD_EVENT_ON);
}

/* --- all of them --- */

static bool same_text(const char *a, const char *b) {
        return a == b || (a && b && streq(a, b));
}

static bool same_target(const CoapDevice *a, const CoapDevice *b) {
        return a->target.secure == b->target.secure && streq(a->target.host, b->target.host) &&
               a->target.port == b->target.port && streq(a->target.path, b->target.path) &&
               same_text(a->target.query, b->target.query) && same_text(a->identity, b->identity) &&
               bytes_equal(BYTES(a->key, a->key_len), BYTES(b->key, b->key_len));
}

static Watched *watched_new(Observer *o, const CoapDevice *d) {
        Watched *w = calloc(1, sizeof *w);

        if (!w)
                return NULL;
        w->observer = o;
        w->device = d;
        w->state = WATCH_IDLE;
        w->lost = true; /* so an alert of the run before may say */
        w->due_us = coap_now_us();
        return w;
}

static Watched *watched_free(Watched *w) {
        close_session(w);
        free(w);
        return NULL;
}

/* Takes the device's row out of the old ones where it is still the same. */
static Watched *take_over(Watched **old, size_t count, const CoapDevice *d) {
        for (size_t i = 0; i < count; i++)
                if (old[i] && streq(old[i]->device->id, d->id) && same_target(old[i]->device, d)) {
                        Watched *w = TAKE(old[i]);
                        w->device = d;
                        return w;
                }
        return NULL;
}

void observer_devices(Observer *o) {
        const SourceDevices *devices = o->source->devices;
        Watched **old = o->watched;
        size_t count = o->count;

        o->count = 0;
        o->watched = calloc(coap_devices_count(devices) + 1, sizeof *o->watched);
        for (size_t i = 0; o->watched && i < coap_devices_count(devices); i++) {
                const CoapDevice *d = coap_devices_at(devices, i);
                Watched *w = d->observed ? take_over(old, count, d) : NULL;
                if (d->observed && !w)
                        w = watched_new(o, d);
                if (w)
                        o->watched[o->count++] = w;
        }
        for (size_t i = 0; i < count; i++)
                if (old[i]) {
                        end_alert(old[i]);
                        watched_free(old[i]);
                }
        free(old);
        observer_schedule(o);
}

void observer_suspend(Observer *o) {
        observer_drop(o);
}

/* What was not acknowledged is lost to the observation; what the devices have now is asked for. */
void observer_resume(Observer *o) {
        for (size_t i = 0; i < o->count; i++)
                if (o->watched[i]->state == WATCH_HEARD) {
                        o->watched[i]->state = WATCH_IDLE;
                        o->watched[i]->due_us = coap_now_us();
                }
        observer_schedule(o);
}

static void observer_freep(Observer **o) {
        (void) observer_free(*o);
}

int observer_new(CoapSource *s, Observer **ret, Error *e) {
        _cleanup_(observer_freep) Observer *o = calloc(1, sizeof *o);

        if (!o)
                return error_set(e, -ENOMEM, "out of memory");
        o->source = s;
        ring_init(&o->open);
        ring_init(&o->closed);
        o->context = coap_new_context(NULL);
        if (!o->context)
                return error_set(e, -ENOMEM, "out of memory");
        coap_context_set_block_mode(o->context, 0);
        coap_register_response_handler(o->context, notification_handle);
        coap_register_nack_handler(o->context, on_nack);
        coap_register_event_handler(o->context, on_event);
        int r = sd_event_add_io(
                        s->event, &o->io, coap_context_get_coap_fd(o->context), EPOLLIN, on_socket, o);
        if (r >= 0)
                r = sd_event_add_time(s->event, &o->timer, CLOCK_BOOTTIME, 0, 1000, on_timer, o);
        if (r < 0)
                return error_set(e, r, "event loop: %s", strerror(-r));
        observer_devices(o);
        *ret = TAKE(o);
        return 0;
}

Observer *observer_free(Observer *o) {
        if (!o)
                return NULL;
        observer_drop(o);
        (void) sd_event_source_disable_unref(o->io);
        (void) sd_event_source_disable_unref(o->timer);
        for (size_t i = 0; i < o->count; i++)
                watched_free(o->watched[i]);
        free(o->watched);
        if (o->context)
                coap_free_context(o->context);
        free(o);
        return NULL;
}
