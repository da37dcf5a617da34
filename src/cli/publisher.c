#include "cli/publisher.h"

#include <errno.h>
#include <mosquitto.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"

enum { KEEPALIVE_S = 30, CONNECT_DEADLINE_US = 30 * 1000 * 1000, RETRY_MS = 500 };

struct Publisher {
        struct mosquitto *client;
        char *host;
        uint64_t sent, acknowledged;
        bool connected;
        int refused;     /* CONNACK's reason where the broker said no */
        int64_t lost_us; /* monotonic, when the connection was lost or first tried */
};

static void on_connect(struct mosquitto *client, void *userdata, int reason) {
        Publisher *p = userdata;

        p->connected = reason == 0;
        p->refused = reason;
}

static void on_disconnect(struct mosquitto *client, void *userdata, int reason) {
        Publisher *p = userdata;
        Stamp now;

        clock_now(&now);
        p->connected = false;
        p->lost_us = now.mono_us;
}

static void on_publish(struct mosquitto *client, void *userdata, int mid) {
        Publisher *p = userdata;

        p->acknowledged++;
}

static int set_password(Publisher *p, const PublisherOptions *o, Error *e) {
        _cleanup_free_ char *password = NULL;

        if (o->password_file) {
                int r = file_read_secret(o->password_file, 4096, &password, NULL, e);
                if (r < 0)
                        return r;
        }
        if (mosquitto_username_pw_set(p->client, o->username, password) != MOSQ_ERR_SUCCESS)
                return error_set(e, -EINVAL, "user name or password: not usable in MQTT");
        return 0;
}

static int wait_connected(Publisher *p, Error *e) {
        while (!p->connected) {
                int r = publisher_run(p, 100 * USEC_PER_MSEC, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

int publisher_new(const PublisherOptions *o, Publisher **ret, Error *e) {
        _cleanup_(publisher_freep) Publisher *p = calloc(1, sizeof *p);
        char id[64];
        Stamp now;

        if (!p)
                return error_set(e, -ENOMEM, "out of memory");
        (void) mosquitto_lib_init();
        (void) snprintf(id, sizeof id, "wardstone-sim-%d", (int) getpid());
        p->client = mosquitto_new(id, true, p);
        if (!p->client || asprintf(&p->host, "%s:%d", o->host, o->port) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        (void) mosquitto_int_option(p->client, MOSQ_OPT_TCP_NODELAY, 1);
        (void) mosquitto_max_inflight_messages_set(p->client, PUBLISHER_IN_FLIGHT_MAX);
        mosquitto_connect_callback_set(p->client, on_connect);
        mosquitto_disconnect_callback_set(p->client, on_disconnect);
        mosquitto_publish_callback_set(p->client, on_publish);
        int r = o->username ? set_password(p, o, e) : 0;
        if (r < 0)
                return r;
        clock_now(&now);
        p->lost_us = now.mono_us;
        r = mosquitto_connect(p->client, o->host, o->port, KEEPALIVE_S);
        if (r != MOSQ_ERR_SUCCESS)
                return error_set(e, -ECONNREFUSED,
                                "%s: no MQTT broker: %s; is it running? (systemctl status mosquitto)",
                                p->host, r == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(r));
        r = wait_connected(p, e);
        if (r < 0)
                return r;
        *ret = TAKE(p);
        return 0;
}

Publisher *publisher_free(Publisher *p) {
        if (!p)
                return NULL;
        if (p->connected && mosquitto_disconnect(p->client) == MOSQ_ERR_SUCCESS)
                (void) mosquitto_loop(p->client, 100, 1); /* so that the DISCONNECT leaves */
        mosquitto_destroy(p->client);
        (void) mosquitto_lib_cleanup();
        free(p->host);
        free(p);
        return NULL;
}

int publisher_send(Publisher *p, const char *topic, Bytes payload, Error *e) {
        if (p->sent - p->acknowledged >= PUBLISHER_IN_FLIGHT_MAX)
                return -EAGAIN;
        int r = mosquitto_publish(p->client, NULL, topic, (int) payload.len, payload.data, 1, false);
        /* of any trouble with the connection: the library keeps the message and sends it over the next one */
        if (r == MOSQ_ERR_NOMEM || r == MOSQ_ERR_INVAL || r == MOSQ_ERR_MALFORMED_UTF8 ||
                        r == MOSQ_ERR_PAYLOAD_SIZE)
                return error_set(e, -EIO, "can't publish to %s: %s", topic, mosquitto_strerror(r));
        p->sent++;
        return 0;
}

static int reconnect(Publisher *p, int code, Error *e) {
        Stamp now;

        if (p->refused != 0)
                return error_set(e, -EACCES, "%s: the broker refused the connection: %s", p->host,
                                mosquitto_connack_string(p->refused));
        clock_now(&now);
        if (now.mono_us - p->lost_us > CONNECT_DEADLINE_US)
                return error_set(e, -ETIMEDOUT, "%s: no connection to the broker for %d s: %s", p->host,
                                CONNECT_DEADLINE_US / 1000000, mosquitto_strerror(code));
        (void) poll(NULL, 0, RETRY_MS);
        (void) mosquitto_reconnect(p->client);
        return 0;
}

int publisher_run(Publisher *p, int64_t timeout_us, Error *e) {
        Stamp now;

        int r = mosquitto_loop(p->client, (int) ((timeout_us + 999) / 1000), 1);
        if (r != MOSQ_ERR_SUCCESS || p->refused != 0)
                return reconnect(p, r, e);
        clock_now(&now);
        if (!p->connected && now.mono_us - p->lost_us > CONNECT_DEADLINE_US)
                return error_set(e, -ETIMEDOUT, "%s: the broker does not answer", p->host);
        return 0;
}

uint64_t publisher_sent(const Publisher *p) {
        return p->sent;
}

uint64_t publisher_acknowledged(const Publisher *p) {
        return p->acknowledged;
}
