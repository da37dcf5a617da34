#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "ingest/mqtt_link.h"
#include "ingest/mqtt_tls.h"

enum {
        BACKOFF_MIN_US = 250 * 1000,
        BACKOFF_MAX_US = 30 * 1000 * 1000,
        KEEPALIVE_CHECKS = 4, /* in one keepalive time; the broker allows one and a half of it */
        CONNACK_SESSION_PRESENT = 1,
        CONNACK_UNAVAILABLE = 3, /* MQTT 3.1.1, 3.2.2.3: the only refusal that passes by itself */
};

static uint64_t now_us(const MqttSource *s) {
        uint64_t t = 0;

        (void) sd_event_now(s->event, CLOCK_MONOTONIC, &t);
        return t;
}

static void tell(MqttSource *s, bool up, const char *reason) {
        if (s->source.up == up && streq(s->reason, reason))
                return;
        s->source.up = up;
        (void) snprintf(s->reason, sizeof s->reason, "%s", reason);
        s->sink.state(s->sink.userdata, &s->source, up, s->reason);
}

static void set_timer(MqttSource *s, int64_t us) {
        (void) sd_event_source_set_time_relative(s->timer, (uint64_t) us);
        (void) sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void subscribe(MqttSource *s) {
        (void) mosquitto_subscribe_multiple(s->client, NULL, (int) s->options->topic_count,
                        s->options->filters, s->live ? 0 : 1, 0, NULL);
}

static void on_connect(struct mosquitto *m, void *userdata, int code, int flags) {
        MqttSource *s = userdata;

        mosquitto_log_callback_set(m, NULL); /* it formats a text for each packet */
        if (code == 0) {
                s->accepted = true;
                s->resending = !s->live && flags & CONNACK_SESSION_PRESENT;
                s->detail[0] = '\0';
                s->source.counters.connects++;
                subscribe(s);
        } else {
                (void) snprintf(s->detail, sizeof s->detail, "%s", mosquitto_connack_string(code));
                s->refused = code != CONNACK_UNAVAILABLE;
        }
        link_end_packet(s);
}

static void on_subscribe(struct mosquitto *m, void *userdata, int mid, int count, const int *granted) {
        MqttSource *s = userdata;
        char reason[sizeof s->reason] = "";
        int wanted = s->live ? 0 : 1;

        for (int i = 0; i < count && i < (int) s->options->topic_count && reason[0] == '\0'; i++)
                if (granted[i] != wanted)
                        (void) snprintf(reason, sizeof reason, "%s:%lld: the broker %s '%.80s'",
                                        s->options->host, (long long) s->options->port,
                                        granted[i] > 2 ? "refused the topic filter"
                                                       : "grants no QoS 1 for the topic filter",
                                        s->options->filters[i]);
        s->denied = reason[0] != '\0';
        tell(s, !s->denied, reason);
        link_end_packet(s);
}

/* Only until CONNACK: what OpenSSL found wrong is said nowhere else. */
static void on_log(struct mosquitto *m, void *userdata, int level, const char *text) {
        MqttSource *s = userdata;

        if (level == MOSQ_LOG_ERR)
                (void) snprintf(s->detail, sizeof s->detail, "%s", text);
}

static int set_up_client(MqttSource *s, Error *e) {
        const MqttOptions *o = s->options;
        struct mosquitto *m = s->client;
        int r = 0;

        /* What the guarantee rests on: with it, packets leave in mosquitto_loop_write() alone. mqtt_selftest()
         * checks that it does. */
        (void) mosquitto_threaded_set(m, true);
        (void) mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
        if (o->username && mosquitto_username_pw_set(m, o->username, o->password) != MOSQ_ERR_SUCCESS)
                return error_set(e, -ENOMEM, "out of memory");
        if (o->tls) {
                SSL_CTX *context = NULL;
                r = mqtt_tls_context(o, &context, e);
                if (r < 0)
                        return r;
                (void) mosquitto_int_option(m, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
                (void) mosquitto_void_option(m, MOSQ_OPT_SSL_CTX, context);
                SSL_CTX_free(context); /* libmosquitto holds its own reference */
        }
        mosquitto_connect_with_flags_callback_set(m, on_connect);
        mosquitto_subscribe_callback_set(m, on_subscribe);
        mosquitto_message_callback_set(m, source_on_message);
        mosquitto_log_callback_set(m, on_log);
        return r;
}

static int start_client(MqttSource *s, Error *e) {
        const MqttOptions *o = s->options;
        char id[128];

        (void) snprintf(id, sizeof id, "%s%s", o->client_id, s->live ? "-live" : "");
        s->client = mosquitto_new(id, s->live, s);
        if (!s->client)
                return error_set(e, -ENOMEM, "out of memory");
        int r = set_up_client(s, e);
        if (r < 0)
                return r;
        r = mosquitto_connect_async(
                        s->client, o->host, (int) o->port, (int) (o->keepalive_us / USEC_PER_SEC));
        if (r != MOSQ_ERR_SUCCESS)
                return error_set(e, -EIO, "%s",
                                r == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(r));
        return sd_event_add_io(s->event, &s->io, mosquitto_socket(s->client), EPOLLIN | EPOLLOUT,
                        source_on_socket, s);
}

/* Half of the time is left to chance, so that a ward's gateways don't come back in step. */
static int64_t next_attempt(MqttSource *s) {
        if (s->refused)
                s->backoff_us = BACKOFF_MAX_US;
        int64_t half = s->backoff_us / 2;
        s->backoff_us = MIN(s->backoff_us * 2, (int64_t) BACKOFF_MAX_US);
        return half + randombytes_uniform((uint32_t) half);
}

static void lose(MqttSource *s, const char *why) {
        char reason[sizeof s->reason];

        (void) snprintf(reason, sizeof reason, "%s:%lld: %.180s", s->options->host,
                        (long long) s->options->port, s->detail[0] ? s->detail : why);
        if (s->accepted)
                s->source.counters.disconnects++;
        /* A broker that takes connections only to drop them is not asked at full speed. */
        if (s->accepted && now_us(s) - s->up_since_us >= BACKOFF_MAX_US)
                s->backoff_us = BACKOFF_MIN_US;
        link_close(s);
        set_timer(s, next_attempt(s));
        tell(s, false, reason);
}

void link_open(MqttSource *s) {
        Error e;

        s->reopen = s->reached = s->accepted = s->refused = s->denied = s->resending = s->in_message = false;
        s->unacked = 0; /* of an earlier connection: it cannot acknowledge any more */
        s->detail[0] = '\0';
        s->up_since_us = now_us(s);
        if (start_client(s, &e) < 0)
                return lose(s, e.message);
        set_timer(s, s->options->keepalive_us / KEEPALIVE_CHECKS);
        link_watch(s);
}

/* A broker that is gone without a word is noticed here. While a frame is not durable nothing may be written, so the
 * connection isn't looked after either: at worst the broker drops it and sends the frames again. */
static void look_after(MqttSource *s) {
        if (s->paused || s->unacked > 0)
                return;
        int r = mosquitto_loop_misc(s->client);
        if (r != MOSQ_ERR_SUCCESS || mosquitto_socket(s->client) < 0)
                return lose(s, "the broker does not answer");
        if (s->denied)
                subscribe(s);
        link_flush(s);
        link_watch(s);
}

static int on_timer(sd_event_source *es, uint64_t usec, void *userdata) {
        MqttSource *s = userdata;

        if (!s->client) {
                link_open(s);
                return 0;
        }
        set_timer(s, s->options->keepalive_us / KEEPALIVE_CHECKS);
        look_after(s);
        return 0;
}

int link_init(MqttSource *s) {
        s->backoff_us = BACKOFF_MIN_US;
        return sd_event_add_time_relative(s->event, &s->timer, CLOCK_MONOTONIC, 0, 0, on_timer, s);
}

void link_close(MqttSource *s) {
        s->io = sd_event_source_disable_unref(s->io);
        mosquitto_destroy(s->client);
        s->client = NULL;
}

void link_lost(MqttSource *s, int code) {
        lose(s, code == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(code));
}

/* Thousands of acknowledgements of four bytes: corked, they leave in a few segments. */
static void set_cork(MqttSource *s, int on) {
        (void) setsockopt(mosquitto_socket(s->client), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

void link_flush(MqttSource *s) {
        if (!s->client || !mosquitto_want_write(s->client))
                return;
        set_cork(s, 1);
        errno = 0;
        int r = mosquitto_loop_write(s->client, 1);
        if (r != MOSQ_ERR_SUCCESS)
                return link_lost(s, r);
        set_cork(s, 0);
}

void link_watch(MqttSource *s) {
        if (!s->io)
                return;
        uint32_t events = EPOLLIN;
        if (!s->reached)
                events |= EPOLLOUT;
        else if (s->unacked == 0 && mosquitto_want_write(s->client))
                /* Reading on would queue acknowledgements of frames that aren't durable behind those that are. */
                events = s->accepted ? EPOLLOUT : EPOLLIN | EPOLLOUT;
        (void) sd_event_source_set_io_events(s->io, events);
        (void) sd_event_source_set_enabled(s->io, s->paused ? SD_EVENT_OFF : SD_EVENT_ON);
}
