/* The order of reading, committing and acknowledging, seen from the broker's end of the wire: the test is the broker,
 * byte by byte, so that what leaves too early is seen. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "base/fd.h"
#include "ingest/mqtt_options.h"

enum { WAIT_MS = 5000, QUIET_MS = 40 };

#define CONNECTED       "\x20\x02\x00\x00"
#define SESSION_PRESENT "\x20\x02\x01\x00"
#define NOT_AUTHORISED  "\x20\x02\x00\x05"
#define PUBACK(id)      "\x40\x02\x00" id
/* Topic "ward/7/senml", payload "x". */
#define PUBLISH(id)     "\x32\x11\x00\x0cward/7/senml\x00" id "x"
#define PUBLISH_DUP(id) "\x3a\x11\x00\x0cward/7/senml\x00" id "x"
#define PUBLISH_BAD(id) "\x32\x11\x00\x0cward/.x/seml\x00" id "x"
#define PUBLISH_QOS0    "\x31\x0f\x00\x0cward/7/senmlx" /* retained */
#define WIRE(text)      BYTES(text, sizeof(text) - 1)

typedef struct Ward {
        sd_event *event;
        Source *source;
        MqttOptions options;
        MqttTopic topic;
        char *filter;
        int listener, peer;
        unsigned frames, durable, redelivered, retained, drained, pause_at;
        bool up;
        char reason[256];
} Ward;

static void on_frame(void *userdata, Source *s, const Frame *f, FrameResult *ret) {
        Ward *w = userdata;

        assert_string_equal(f->device, "7");
        assert_string_equal(f->origin, "ward/7/senml");
        assert_true(bytes_equal(f->payload, BYTES_STRING("x")));
        w->frames++;
        w->durable += f->durable;
        w->redelivered += f->redelivered;
        w->retained += f->retained;
        if (w->frames == w->pause_at)
                s->ops->pause(s);
}

static void on_drained(void *userdata, Source *s) {
        Ward *w = userdata;

        w->drained++;
}

static void on_state(void *userdata, Source *s, bool up, const char *reason) {
        Ward *w = userdata;

        w->up = up;
        (void) snprintf(w->reason, sizeof w->reason, "%s", reason);
}

static void turn(Ward *w) {
        assert_true(sd_event_run(w->event, 1000) >= 0);
}

/* Turns of the loop in which nothing that is wrong should happen. */
static void rest(Ward *w) {
        for (int i = 0; i < QUIET_MS; i++)
                turn(w);
}

#define wait_until(w, condition)                                                                            \
        do {                                                                                                \
                for (int _i = 0; _i < WAIT_MS && !(condition); _i++)                                        \
                        turn(w);                                                                            \
                assert_true(condition);                                                                     \
        } while (0)

static void answer(Ward *w, Bytes b) {
        assert_int_equal(send(w->peer, b.data, b.len, MSG_NOSIGNAL), b.len);
}

static void expect_bytes(Ward *w, Bytes expected) {
        uint8_t got[256];
        size_t n = 0;

        assert_true(expected.len <= sizeof got);
        for (int i = 0; i < WAIT_MS && n < expected.len; i++) {
                ssize_t k = recv(w->peer, got + n, expected.len - n, MSG_DONTWAIT);
                n += k > 0 ? (size_t) k : 0;
                turn(w);
        }
        assert_int_equal(n, expected.len);
        assert_memory_equal(got, expected.data, n);
}

static void expect_silence(Ward *w) {
        uint8_t byte;

        rest(w);
        assert_int_equal(recv(w->peer, &byte, 1, MSG_DONTWAIT), -1);
        assert_int_equal(errno, EAGAIN);
}

static void expect_end(Ward *w) {
        uint8_t byte;
        ssize_t k = -1;

        for (int i = 0; i < WAIT_MS && k < 0; i++) {
                k = recv(w->peer, &byte, 1, MSG_DONTWAIT);
                assert_true(k >= 0 || errno == EAGAIN);
                turn(w);
        }
        assert_int_equal(k, 0);
        w->peer = fd_close(w->peer);
}

static void expect_connection(Ward *w, Bytes connect) {
        for (int i = 0; i < WAIT_MS && w->peer < 0; i++) {
                turn(w);
                w->peer = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        }
        assert_true(w->peer >= 0);
        expect_bytes(w, connect);
}

/* MQTT 3.1.1, 3.1: flags 0 keep the session, 2 is a clean one; keepalive 30 s. */
static const Bytes durable_connect = WIRE("\x10\x0e\x00\x04MQTT\x04\x00\x00\x1e\x00\x02w7");
static const Bytes live_connect = WIRE("\x10\x13\x00\x04MQTT\x04\x02\x00\x1e\x00\x07w7-live");
static const Bytes durable_subscribe = WIRE("\x82\x11\x00\x01\x00\x0cward/+/senml\x01");
static const Bytes live_subscribe = WIRE("\x82\x11\x00\x01\x00\x0cward/+/senml\x00");

static void expect_subscription(Ward *w, Bytes connack) {
        expect_connection(w, durable_connect);
        answer(w, connack);
        expect_bytes(w, durable_subscribe);
        answer(w, WIRE("\x90\x03\x00\x01\x01"));
        wait_until(w, w->up);
}

static int set_up(void **state) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof address;
        Ward *w = calloc(1, sizeof *w);
        Error e;

        assert_non_null(w);
        w->peer = -1;
        w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(bind(w->listener, (struct sockaddr *) &address, len), 0);
        assert_int_equal(listen(w->listener, 4), 0);
        assert_int_equal(getsockname(w->listener, (struct sockaddr *) &address, &len), 0);
        static char name[] = "local", host[] = "127.0.0.1", id[] = "w7", filter[] = "ward/+/senml",
                    device[] = "ward/{device}/senml";
        w->filter = filter;
        w->topic = (MqttTopic){ .device = device, .decoding = { .format = DECODE_SENML_JSON } };
        w->options = (MqttOptions){ .common = { .name = name },
                .host = host,
                .client_id = id,
                .port = ntohs(address.sin_port),
                .keepalive_us = 30 * USEC_PER_SEC,
                .topics = &w->topic,
                .filters = &w->filter,
                .topic_count = 1 };
        SourceSink sink = { .frame = on_frame, .drained = on_drained, .state = on_state, .userdata = w };
        assert_true(sd_event_new(&w->event) >= 0);
        assert_int_equal(mqtt_source_new(w->event, &w->options, &sink, &w->source, &e), 0);
        *state = w;
        return 0;
}

static int tear_down(void **state) {
        Ward *w = *state;

        (void) w->source->ops->free(w->source);
        (void) sd_event_unref(w->event);
        w->peer = fd_close(w->peer);
        w->listener = fd_close(w->listener);
        free(w);
        return 0;
}

static void the_library_keeps_its_acknowledgements(void **state) {
        Error e = { "" };

        assert_int_equal(mqtt_selftest(&e), 0);
        assert_string_equal(e.message, "");
}

static void nothing_leaves_before_acknowledge(void **state) {
        Ward *w = *state;

        expect_subscription(w, WIRE(CONNECTED));
        answer(w, WIRE(PUBLISH("\x01") PUBLISH("\x02") PUBLISH("\x03")));
        wait_until(w, w->drained == 1);
        assert_int_equal(w->frames, 3);
        assert_int_equal(w->durable, 3);
        expect_silence(w);

        w->source->ops->pause(w->source);
        answer(w, WIRE(PUBLISH("\x04") PUBLISH("\x05")));
        expect_silence(w);
        assert_int_equal(w->frames, 3);

        w->source->ops->acknowledge(w->source);
        expect_bytes(w, WIRE(PUBACK("\x01") PUBACK("\x02") PUBACK("\x03")));
        wait_until(w, w->frames == 5);
        expect_silence(w);
        w->source->ops->acknowledge(w->source);
        expect_bytes(w, WIRE(PUBACK("\x04") PUBACK("\x05")));
        assert_int_equal(w->source->counters.acknowledged, 5);
}

static void a_pause_holds_from_the_next_frame_on(void **state) {
        Ward *w = *state;

        expect_subscription(w, WIRE(CONNECTED));
        w->pause_at = 2;
        answer(w, WIRE(PUBLISH("\x01") PUBLISH("\x02") PUBLISH("\x03")));
        wait_until(w, w->frames == 2);
        expect_silence(w);
        assert_int_equal(w->frames, 2);
        assert_int_equal(w->drained, 0);
        w->source->ops->acknowledge(w->source);
        expect_bytes(w, WIRE(PUBACK("\x01") PUBACK("\x02")));
        wait_until(w, w->frames == 3 && w->drained == 1);
        expect_silence(w);
}

static void a_queue_behind_a_window_is_a_backlog(void **state) {
        Ward *w = *state;

        expect_subscription(w, WIRE(CONNECTED));
        answer(w, WIRE(PUBLISH("\x01") PUBLISH("\x02") PUBLISH("\x03") PUBLISH("\x04")));
        wait_until(w, w->frames == 4);
        assert_false(w->source->ops->backlogged(w->source));
        answer(w, WIRE(PUBLISH("\x05")));
        wait_until(w, w->frames == 5);
        w->source->ops->acknowledge(w->source);
        answer(w, WIRE(PUBLISH("\x06")));
        wait_until(w, w->frames == 6);
        assert_false(w->source->ops->backlogged(w->source));
        answer(w, WIRE(PUBLISH("\x07") PUBLISH("\x08")));
        w->source->ops->pause(w->source);
        rest(w);
        w->source->ops->acknowledge(w->source);
        wait_until(w, w->frames == 8);
        assert_true(w->source->ops->backlogged(w->source));
}

static void suspending_drops_what_is_not_acknowledged(void **state) {
        Ward *w = *state;

        expect_subscription(w, WIRE(CONNECTED));
        answer(w, WIRE(PUBLISH("\x01") PUBLISH("\x02")));
        wait_until(w, w->frames == 2);
        w->source->ops->pause(w->source);
        w->source->ops->suspend(w->source);
        w->source->ops->acknowledge(w->source); /* too late */
        expect_end(w);

        expect_connection(w, live_connect);
        answer(w, WIRE(CONNECTED));
        expect_bytes(w, live_subscribe);
        answer(w, WIRE("\x90\x03\x00\x01\x00" PUBLISH_QOS0));
        wait_until(w, w->frames == 3);
        assert_int_equal(w->durable, 2);
        assert_int_equal(w->retained, 1);

        w->source->ops->resume(w->source);
        expect_end(w);
        expect_subscription(w, WIRE(SESSION_PRESENT));
        answer(w, WIRE(PUBLISH_DUP("\x01") PUBLISH_DUP("\x02")));
        wait_until(w, w->frames == 5);
        assert_int_equal(w->redelivered, 2);
        expect_silence(w);
        assert_int_equal(w->source->counters.acknowledged, 0);
}

static void what_waits_behind_a_pause_is_heard_when_suspended(void **state) {
        Ward *w = *state;

        expect_subscription(w, WIRE(CONNECTED));
        answer(w, WIRE(PUBLISH("\x01")));
        wait_until(w, w->frames == 1);
        w->source->ops->pause(w->source);
        answer(w, WIRE(PUBLISH("\x02") PUBLISH("\x03")));
        rest(w);
        assert_int_equal(w->frames, 1);

        w->source->ops->suspend(w->source);
        expect_end(w);
        wait_until(w, w->frames == 3);
        assert_int_equal(w->durable, 1);
        assert_int_equal(w->source->counters.acknowledged, 0);
}

static void a_lost_connection_takes_its_acknowledgements_along(void **state) {
        Ward *w = *state;

        expect_subscription(w, WIRE(CONNECTED));
        answer(w, WIRE(PUBLISH("\x01")));
        wait_until(w, w->frames == 1);
        w->peer = fd_close(w->peer);
        wait_until(w, !w->up);
        assert_non_null(strstr(w->reason, "127.0.0.1:"));
        expect_subscription(w, WIRE(SESSION_PRESENT));
        w->source->ops->acknowledge(w->source);
        expect_silence(w);
        assert_int_equal(w->source->counters.disconnects, 1);
        assert_int_equal(w->source->counters.connects, 2);
}

/* Each packet in two parts: the flag is in the first. */
static void the_dup_flag_is_seen(void **state) {
        Ward *w = *state;

        expect_connection(w, durable_connect);
        answer(w, WIRE(SESSION_PRESENT "\x3a\x11\x00\x0cward"));
        rest(w);
        answer(w, WIRE("/7/senml\x00\x01x"));
        wait_until(w, w->redelivered == 1);
        answer(w, WIRE(PUBLISH_DUP("\x02") PUBLISH("\x03") PUBLISH("\x04")));
        wait_until(w, w->frames == 4);
        assert_int_equal(w->redelivered, 2);
}

static void what_is_refused_is_acknowledged_at_once(void **state) {
        Ward *w = *state;

        expect_subscription(w, WIRE(CONNECTED));
        answer(w, WIRE(PUBLISH_BAD("\x01")));
        expect_bytes(w, WIRE(PUBACK("\x01")));
        answer(w, WIRE(PUBLISH("\x02") PUBLISH_BAD("\x03")));
        wait_until(w, w->frames == 1);
        expect_silence(w); /* the second one waits for the first */
        w->source->ops->acknowledge(w->source);
        expect_bytes(w, WIRE(PUBACK("\x02") PUBACK("\x03")));
        assert_int_equal(w->source->counters.refused, 2);
}

static void a_refused_filter_is_a_reason_for_being_down(void **state) {
        Ward *w = *state;

        expect_connection(w, durable_connect);
        answer(w, WIRE(CONNECTED));
        expect_bytes(w, durable_subscribe);
        answer(w, WIRE("\x90\x03\x00\x01\x80"));
        wait_until(w, strstr(w->reason, "refused the topic filter 'ward/+/senml'"));
        assert_false(w->up);
}

static void a_filter_without_qos_1_is_a_reason_for_being_down(void **state) {
        Ward *w = *state;

        expect_connection(w, durable_connect);
        answer(w, WIRE(CONNECTED));
        expect_bytes(w, durable_subscribe);
        answer(w, WIRE("\x90\x03\x00\x01\x00"));
        wait_until(w, strstr(w->reason, "grants no QoS 1"));
        assert_false(w->up);
}

static void a_refused_connection_says_why(void **state) {
        Ward *w = *state;

        expect_connection(w, durable_connect);
        answer(w, WIRE(NOT_AUTHORISED));
        wait_until(w, strstr(w->reason, "not authorised"));
        assert_false(w->up);
}

#define ward_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_library_keeps_its_acknowledgements),
                ward_test(nothing_leaves_before_acknowledge),
                ward_test(a_pause_holds_from_the_next_frame_on),
                ward_test(a_queue_behind_a_window_is_a_backlog),
                ward_test(suspending_drops_what_is_not_acknowledged),
                ward_test(what_waits_behind_a_pause_is_heard_when_suspended),
                ward_test(a_lost_connection_takes_its_acknowledgements_along),
                ward_test(the_dup_flag_is_seen),
                ward_test(what_is_refused_is_acknowledged_at_once),
                ward_test(a_refused_filter_is_a_reason_for_being_down),
                ward_test(a_filter_without_qos_1_is_a_reason_for_being_down),
                ward_test(a_refused_connection_says_why),
        };

        (void) signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
