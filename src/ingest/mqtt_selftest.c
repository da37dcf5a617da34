/* Is this libmosquitto one that keeps an acknowledgement back until it is told to write? Asked at each start, for the
 * library is the distribution's and may change under us. Client and broker both run in this thread, over loopback. */
#include <arpa/inet.h>
#include <errno.h>
#include <mosquitto.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ingest/mqtt.h"

enum { DEADLINE_MS = 1000, STEP_MS = 10 };

/* CONNACK, then two PUBLISH at QoS 1 with topic "t" and message ids 1 and 2 (MQTT 3.1.1, 3.2 and 3.3). */
static const uint8_t from_broker[] = { 0x20, 2, 0, 0, 0x32, 6, 0, 1, 't', 0, 1, 'x', 0x32, 6, 0, 1, 't', 0,
        2, 'x' };
static const uint8_t pubacks[] = { 0x40, 2, 0, 1, 0x40, 2, 0, 2 };

typedef struct Trial {
        struct mosquitto *client;
        int listener, peer;
        int messages;
        int64_t deadline_us;
} Trial;

static void trial_done(Trial *t) {
        mosquitto_destroy(t->client);
        t->peer = fd_close(t->peer);
        t->listener = fd_close(t->listener);
        (void) mosquitto_lib_cleanup();
}

static bool is_late(const Trial *t) {
        Stamp now;

        clock_now(&now);
        return now.mono_us >= t->deadline_us;
}

static bool is_ready(int fd, short events) {
        struct pollfd p = { .fd = fd, .events = events };

        return poll(&p, 1, STEP_MS) == 1;
}

static void on_message(struct mosquitto *m, void *userdata, const struct mosquitto_message *message) {
        Trial *t = userdata;

        t->messages++;
        errno = EAGAIN;
}

static int start(Trial *t, Error *e) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof address;

        t->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (t->listener < 0 || bind(t->listener, (struct sockaddr *) &address, len) < 0 ||
                        listen(t->listener, 1) < 0 ||
                        getsockname(t->listener, (struct sockaddr *) &address, &len) < 0)
                return error_set(e, -errno, "MQTT self-test: no socket on loopback: %s", strerror(errno));
        t->client = mosquitto_new("selftest", true, t);
        if (!t->client)
                return error_set(e, -ENOMEM, "out of memory");
        (void) mosquitto_threaded_set(t->client, true);
        mosquitto_message_callback_set(t->client, on_message);
        if (mosquitto_connect_async(t->client, "127.0.0.1", ntohs(address.sin_port), 60) != MOSQ_ERR_SUCCESS)
                return error_set(e, -EIO, "MQTT self-test: libmosquitto does not connect");
        return 0;
}

/* The client's CONNECT arrives, the broker answers and publishes. */
static int greet(Trial *t, Error *e) {
        uint8_t connect[256];

        while (t->peer < 0 && !is_late(t))
                if (is_ready(t->listener, POLLIN))
                        t->peer = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        while (t->peer >= 0 && !is_late(t)) {
                (void) mosquitto_loop_write(t->client, 1);
                if (is_ready(t->peer, POLLIN))
                        break;
        }
        if (t->peer < 0 || recv(t->peer, connect, sizeof connect, 0) <= 0 ||
                        send(t->peer, from_broker, sizeof from_broker, MSG_NOSIGNAL) != sizeof from_broker)
                return error_set(e, -EIO, "MQTT self-test: libmosquitto does not connect");
        return 0;
}

static int receive(Trial *t, Error *e) {
        while (t->messages < 2 && !is_late(t)) {
                int before = t->messages;

                errno = 0;
                if (!is_ready(mosquitto_socket(t->client), POLLIN) && t->messages > 0)
                        break;
                if (mosquitto_loop_read(t->client, 1) != MOSQ_ERR_SUCCESS)
                        break;
                if (t->messages > before + 1)
                        return error_set(e, -EPROTO,
                                        "this libmosquitto reads on after a message: readings could be "
                                        "acknowledged before they are durable");
        }
        return t->messages == 2 ? 0 : error_set(e, -EIO, "MQTT self-test: messages do not arrive");
}

static int expect_order(Trial *t, Error *e) {
        uint8_t got[sizeof pubacks + 1];
        size_t n = 0;

        if (is_ready(t->peer, POLLIN))
                return error_set(e, -EPROTO,
                                "this libmosquitto acknowledges messages by itself: readings could be "
                                "acknowledged before they are durable");
        if (mosquitto_loop_write(t->client, 1) != MOSQ_ERR_SUCCESS)
                return error_set(e, -EIO, "MQTT self-test: libmosquitto does not write");
        while (n < sizeof pubacks && !is_late(t))
                if (is_ready(t->peer, POLLIN)) {
                        ssize_t k = recv(t->peer, got + n, sizeof got - n, 0);
                        if (k <= 0)
                                break;
                        n += (size_t) k;
                }
        if (!bytes_equal(BYTES(got, n), BYTES(pubacks, sizeof pubacks)))
                return error_set(e, -EPROTO, "this libmosquitto does not acknowledge what it was told to");
        return 0;
}

int mqtt_selftest(Error *e) {
        _cleanup_(trial_done) Trial t = { .listener = -1, .peer = -1 };
        Stamp now;

        (void) mosquitto_lib_init();
        clock_now(&now);
        t.deadline_us = now.mono_us + DEADLINE_MS * USEC_PER_MSEC;
        int r = start(&t, e);
        if (r == 0)
                r = greet(&t, e);
        if (r == 0)
                r = receive(&t, e);
        if (r == 0)
                r = expect_order(&t, e);
        return r;
}
