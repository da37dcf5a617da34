/* The MQTT source: reading, and the order of reading, committing and acknowledging.
 *
 * libmosquitto queues the PUBACK of a message before it hands the message over, and with
 * mosquitto_threaded_set(true) the queue leaves only in mosquitto_loop_write(). So the whole guarantee is kept by one
 * rule: nothing is written while a frame is not durable. Between pause() and acknowledge() nothing is read either, for
 * what is read then is in no batch yet and its PUBACK would leave with the others. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fault.h"
#include "ingest/mqtt_link.h"
#include "ingest/mqtt_tls.h"
#include "ingest/topic.h"

enum {
        TURN_PACKETS_MAX = 128, /* then the other event sources have theirs */
        PACKET_TYPE = 0xf0,     /* MQTT 3.1.1, 2.2: of a packet's first byte */
        PACKET_PUBLISH = 0x30,
        PUBLISH_DUP = 0x08,
        BURST_US = 10 * 1000, /* how soon a broker that waited for acknowledgements sends more */
};

static MqttSource *source_of(const Source *s) {
        return container_of(s, MqttSource, source);
}

static const MqttTopic *find_topic(const MqttOptions *o, const char *topic) {
        for (size_t i = 0; i < o->topic_count; i++)
                if (topic_matches(o->filters[i], topic))
                        return &o->topics[i];
        return NULL;
}

static void hand_over(MqttSource *s, const struct mosquitto_message *m) {
        const MqttTopic *topic = find_topic(s->options, m->topic);
        SourceCounters *counters = &s->source.counters;
        char device[NAME_MAX_LENGTH];

        if (!topic || m->payloadlen > DECODE_PAYLOAD_MAX || !topic_device(topic->device, m->topic, device)) {
                counters->refused++;
                return;
        }
        Frame f = {
                .device = device,
                .origin = m->topic,
                .payload = BYTES(m->payload, (size_t) m->payloadlen),
                .decoding = topic->decoding,
                .redelivered = s->resending,
                .retained = m->retain,
                .durable = !s->live,
        };
        counters->frames++;
        counters->bytes += f.payload.len;
        counters->redelivered += f.redelivered;
        s->unacked += f.durable;
        s->sink.frame(s->sink.userdata, &s->source, &f, NULL);
}

void source_on_message(struct mosquitto *m, void *userdata, const struct mosquitto_message *message) {
        MqttSource *s = userdata;

        if (s->paused || (s->reopen && !s->draining))
                /* Its PUBACK is queued already; only the end of the connection keeps it from leaving. */
                (void) shutdown(mosquitto_socket(m), SHUT_RDWR);
        else
                hand_over(s, message);
        link_end_packet(s);
}

/* What the kernel or OpenSSL holds for us. errno tells nothing: libmosquitto reads packet by packet. */
static bool is_waiting(const MqttSource *s) {
        SSL *ssl = mosquitto_ssl_get(s->client);
        int n = 0;

        return (ssl && SSL_pending(ssl) > 0) ||
               (ioctl(mosquitto_socket(s->client), FIONREAD, &n) == 0 && n > 0);
}

/* The first byte of the next packet. False where none waits; an error is left to be found by reading on. */
static bool peek_packet(const MqttSource *s, uint8_t *ret) {
        SSL *ssl = mosquitto_ssl_get(s->client);

        *ret = 0;
        if (ssl) {
                int n = SSL_peek(ssl, ret, 1);
                return n == 1 || SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ;
        }
        return recv(mosquitto_socket(s->client), ret, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

/* libmosquitto keeps the DUP flag to itself, and a device that sends neither time nor sequence can't be told from its
 * own repetition without. A broker sends again only at the beginning of a session that it kept (MQTT 3.1.1, 4.4), so
 * each packet's first byte is looked at until the first message without the flag. Returns false where none waits: it
 * must not be read unseen either. */
static bool look_for_dup(MqttSource *s) {
        uint8_t first;

        if (!s->resending || s->in_message)
                return true;
        if (!peek_packet(s, &first))
                return false;
        s->in_message = (first & PACKET_TYPE) == PACKET_PUBLISH;
        if (s->in_message)
                s->resending = first & PUBLISH_DUP;
        return true;
}

static uint64_t messages_seen(const MqttSource *s) {
        return s->source.counters.frames + s->source.counters.refused;
}

/* Reads until nothing waits, the turn is over, or the sink says pause. Returns libmosquitto's code. */
static int read_packets(MqttSource *s) {
        for (int i = 0; i < TURN_PACKETS_MAX && !s->paused && !s->reopen; i++) {
                uint64_t seen = messages_seen(s);

                if (!look_for_dup(s))
                        break;
                errno = 0;
                int r = mosquitto_loop_read(s->client, 1);
                if (r != MOSQ_ERR_SUCCESS)
                        return r;
                if (messages_seen(s) == seen && !is_waiting(s))
                        break;
        }
        return MOSQ_ERR_SUCCESS;
}

/* OpenSSL may hold frames that the socket no longer shows. */
static void look_again(MqttSource *s) {
        if (s->options->tls || s->reopen)
                (void) sd_event_source_set_enabled(s->again, SD_EVENT_ONESHOT);
}

/* Acknowledgements that the socket did not take at once go before anything new is read. */
static bool is_flushing(const MqttSource *s) {
        return s->client && s->accepted && s->unacked == 0 && mosquitto_want_write(s->client);
}

static void take_turn(MqttSource *s) {
        uint64_t frames = s->source.counters.frames;

        if (is_flushing(s))
                link_flush(s);
        if (!s->client || is_flushing(s))
                return link_watch(s);
        (void) sd_event_now(s->event, CLOCK_MONOTONIC, &s->read_us);
        s->reading = true;
        int r = read_packets(s);
        s->reading = false;
        if (s->reopen)
                return;
        if (r != MOSQ_ERR_SUCCESS)
                return link_lost(s, r);
        bool drained = !s->paused && !is_waiting(s);
        if (!s->paused && (s->unacked == 0 || fault_ack_early()))
                link_flush(s);
        link_watch(s);
        if (!drained)
                look_again(s);
        else if (s->source.counters.frames != frames)
                s->sink.drained(s->sink.userdata, &s->source);
}

/* A connection that failed or ended before the broker's first word. With TLS libmosquitto takes it for a handshake that
 * needs more time, and would be called again and again. */
static int early_error(const MqttSource *s, int fd) {
        int error = 0;
        socklen_t len = sizeof error;
        char byte;

        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0)
                return error;
        if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
                return 0;
        return s->reached ? ECONNRESET : ECONNREFUSED; /* OpenSSL may have taken the error */
}

int source_on_socket(sd_event_source *es, int fd, uint32_t revents, void *userdata) {
        MqttSource *s = userdata;
        int error = s->accepted ? 0 : early_error(s, fd);

        if (error != 0) {
                errno = error;
                link_lost(s, MOSQ_ERR_ERRNO);
                return 0;
        }
        s->reached |= (revents & ~(uint32_t) EPOLLIN) != 0;
        if (!s->paused)
                take_turn(s);
        return 0;
}

/* What the old connection has brought already is evaluated like what the live one will bring: no alert waits behind a
 * pause for the disk. The socket is shut down, so none of it can be acknowledged. */
static void drain(MqttSource *s) {
        s->draining = true;
        do
                errno = 0;
        while (is_waiting(s) && mosquitto_loop_read(s->client, 1) == MOSQ_ERR_SUCCESS);
        s->draining = false;
}

static int on_again(sd_event_source *es, void *userdata) {
        MqttSource *s = userdata;

        if (s->reopen) {
                if (s->live && s->client && s->accepted)
                        drain(s);
                link_close(s);
                link_open(s);
        } else if (s->client && !s->paused)
                take_turn(s);
        return 0;
}

static void mqtt_pause(Source *source) {
        MqttSource *s = source_of(source);

        s->paused = true;
        link_watch(s);
}

static void mqtt_acknowledge(Source *source) {
        MqttSource *s = source_of(source);

        s->source.counters.acknowledged += s->unacked;
        s->window = MAX(s->unacked, s->window - (s->window + 15) / 16);
        s->unacked = 0;
        s->paused = false;
        (void) sd_event_now(s->event, CLOCK_MONOTONIC, &s->flushed_us);
        if (s->reading || s->reopen)
                return; /* libmosquitto is up the stack: the turn ends with the same */
        link_flush(s);
        link_watch(s);
        look_again(s);
}

/* Nothing that the old connection delivered may be acknowledged from here on, not even by the rest of this turn. The
 * client itself may be further up the stack and is replaced in the next turn. */
static void change_lane(MqttSource *s, bool live) {
        if (s->live == live)
                return;
        s->live = live;
        s->paused = false;
        s->unacked = 0;
        s->reopen = true;
        if (s->client)
                (void) shutdown(mosquitto_socket(s->client), SHUT_RDWR);
        look_again(s);
}

static void mqtt_suspend(Source *source) {
        change_lane(source_of(source), true);
}

static void mqtt_resume(Source *source) {
        change_lane(source_of(source), false);
}

/* A broker that was held back by its in-flight window sends about as much again as soon as acknowledgements arrive; a
 * broker without a queue sends at the devices' pace, a small part of a batch in that time. */
static bool mqtt_backlogged(const Source *source) {
        const MqttSource *s = source_of(source);

        return s->window > 0 && s->unacked * 2 >= s->window && s->read_us - s->flushed_us < BURST_US;
}

static Source *mqtt_free(Source *source) {
        if (!source)
                return NULL;
        MqttSource *s = source_of(source);
        link_close(s);
        (void) sd_event_source_disable_unref(s->timer);
        (void) sd_event_source_disable_unref(s->again);
        (void) sd_event_unref(s->event);
        (void) mosquitto_lib_cleanup();
        free(s);
        return NULL;
}

static void mqtt_freep(MqttSource **s) {
        if (*s)
                (void) mqtt_free(&(*s)->source);
}

static const SourceOps mqtt_ops = {
        .kind = "mqtt",
        .batch_closed = mqtt_pause, /* an acknowledgement lets all go that are queued */
        .pause = mqtt_pause,
        .acknowledge = mqtt_acknowledge,
        .suspend = mqtt_suspend,
        .resume = mqtt_resume,
        .backlogged = mqtt_backlogged,
        .free = mqtt_free,
};

/* A missing certificate is the operator's mistake and said at once; later it is a reason for being down. */
static int check_tls(const MqttOptions *o, Error *e) {
        SSL_CTX *context = NULL;

        if (!o->tls)
                return 0;
        int r = mqtt_tls_context(o, &context, e);
        SSL_CTX_free(context);
        return r;
}

int mqtt_source_new(sd_event *event, const MqttOptions *o, const SourceSink *sink, Source **ret, Error *e) {
        int r = check_tls(o, e);
        if (r < 0)
                return r;
        _cleanup_(mqtt_freep) MqttSource *s = calloc(1, sizeof *s);
        if (!s)
                return error_set(e, -ENOMEM, "out of memory");
        (void) mosquitto_lib_init();
        s->source = (Source){ .ops = &mqtt_ops, .name = o->common.name };
        s->options = o;
        s->sink = *sink;
        s->event = sd_event_ref(event);
        r = link_init(s);
        if (r >= 0)
                r = sd_event_add_defer(event, &s->again, on_again, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->again, SD_EVENT_OFF);
        if (r < 0)
                return error_set(e, r, "%s: %s", o->common.name, strerror(-r));
        *ret = &TAKE(s)->source;
        return 0;
}

/* --- the kind --- */

static int kind_read(const YamlNode *item, const MappingSet *maps, SourceOptions **ret, Error *e) {
        MqttOptions *o;

        int r = mqtt_options_read(item, maps, &o, e);
        if (r == 0)
                *ret = &o->common;
        return r;
}

static SourceOptions *kind_free(SourceOptions *o) {
        if (o)
                mqtt_options_free(container_of(o, MqttOptions, common));
        return NULL;
}

static int kind_start(sd_event *event, const SourceOptions *o, const SourceDevices *devices,
                const SourceSink *sink, Source **ret, Error *e) {
        return mqtt_source_new(event, container_of(o, MqttOptions, common), sink, ret, e);
}

const SourceKind mqtt_kind = {
        .section = "mqtt",
        .options_read = kind_read,
        .options_free = kind_free,
        .selftest = mqtt_selftest,
        .start = kind_start,
};
