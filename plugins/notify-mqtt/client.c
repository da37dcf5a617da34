#include "client.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/backoff.h"
#include "base/clock.h"

#define RECONNECT_MIN_US (250 * USEC_PER_MSEC)
#define RECONNECT_MAX_US (10 * USEC_PER_SEC)

enum { KEY_MAX = 128, LOOP_MS = 1000, PENDING = -1 };

struct Client {
        struct mosquitto *mosquitto;
        char *host;
        int port, keepalive_s;
        pthread_t thread;
        bool started;
        Subscription subscriptions[CLIENT_SUBSCRIPTIONS_MAX];
        int mids[CLIENT_SUBSCRIPTIONS_MAX]; /* of the newest request for each; the thread's own */
        void (*on_connected)(void *userdata);
        void (*on_message)(void *userdata, const char *topic, Bytes payload, bool retain);
        void *userdata;

        pthread_mutex_t lock; /* for what follows; never held while libmosquitto is called */
        pthread_cond_t changed;
        bool connected, stop;
        bool rejected;                         /* by the broker, at the last attempt: problem says why */
        char key[KEY_MAX];                     /* of the newest set of publications */
        unsigned unacknowledged;               /* of that set */
        int refused;                           /* reason code of one that the broker refused, or 0 */
        int granted[CLIENT_SUBSCRIPTIONS_MAX]; /* reason code of each subscription, or PENDING */
        char problem[256];                     /* why there is no connection */
};

static struct timespec after(int64_t delay_us) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        int64_t ns = t.tv_nsec + delay_us % USEC_PER_SEC * 1000;
        t.tv_sec += delay_us / USEC_PER_SEC + ns / 1000000000;
        t.tv_nsec = ns % 1000000000;
        return t;
}

/* --- callbacks, from the thread --- */

/* A request that can't be made ends the connection soon, or the wait for it does. */
static void subscribe(Client *c) {
        for (size_t i = 0; i < CLIENT_SUBSCRIPTIONS_MAX; i++)
                if (c->subscriptions[i].filter)
                        (void) mosquitto_subscribe_v5(c->mosquitto, &c->mids[i], c->subscriptions[i].filter,
                                        c->subscriptions[i].qos, c->subscriptions[i].options, NULL);
}

static void on_connect(
                struct mosquitto *m, void *userdata, int reason, int flags, const mosquitto_property *p) {
        Client *c = userdata;

        if (reason == 0) {
                if (c->on_connected)
                        c->on_connected(c->userdata);
                subscribe(c);
        }
        (void) pthread_mutex_lock(&c->lock);
        c->connected = reason == 0;
        c->rejected = reason != 0;
        for (size_t i = 0; i < CLIENT_SUBSCRIPTIONS_MAX; i++)
                c->granted[i] = PENDING;
        if (c->rejected)
                (void) snprintf(c->problem, sizeof c->problem, "the broker refuses: %s",
                                mosquitto_reason_string(reason));
        (void) pthread_cond_broadcast(&c->changed);
        (void) pthread_mutex_unlock(&c->lock);
}

static void on_disconnect(struct mosquitto *m, void *userdata, int reason, const mosquitto_property *p) {
        Client *c = userdata;

        (void) pthread_mutex_lock(&c->lock);
        c->connected = false;
        (void) pthread_mutex_unlock(&c->lock);
}

static void on_subscribe(struct mosquitto *m, void *userdata, int mid, int count, const int *reasons,
                const mosquitto_property *p) {
        Client *c = userdata;

        (void) pthread_mutex_lock(&c->lock);
        for (size_t i = 0; i < CLIENT_SUBSCRIPTIONS_MAX; i++)
                if (c->mids[i] == mid && count > 0)
                        c->granted[i] = reasons[0];
        (void) pthread_cond_broadcast(&c->changed);
        (void) pthread_mutex_unlock(&c->lock);
}

static void on_message(struct mosquitto *m, void *userdata, const struct mosquitto_message *message,
                const mosquitto_property *p) {
        const Client *c = userdata;

        if (c->on_message)
                c->on_message(c->userdata, message->topic, BYTES(message->payload, message->payloadlen),
                                message->retain);
}

static void on_publish(
                struct mosquitto *m, void *userdata, int mid, int reason, const mosquitto_property *p) {
        Client *c = userdata;

        (void) pthread_mutex_lock(&c->lock);
        if (reason >= MQTT_RC_UNSPECIFIED)
                c->refused = reason;
        if (c->unacknowledged > 0)
                c->unacknowledged--;
        (void) pthread_cond_broadcast(&c->changed);
        (void) pthread_mutex_unlock(&c->lock);
}

/* --- the thread --- */

/* false where the client is to end. */
static bool pause_for(Client *c, uint64_t delay_us) {
        struct timespec until = after((int64_t) delay_us);
        int r = 0;

        (void) pthread_mutex_lock(&c->lock);
        while (!c->stop && r == 0)
                r = pthread_cond_timedwait(&c->changed, &c->lock, &until);
        bool go_on = !c->stop;
        (void) pthread_mutex_unlock(&c->lock);
        return go_on;
}

/* Takes note of a failure of libmosquitto; gives whether there was a connection until then. */
static bool lost(Client *c, int result) {
        const char *why = result == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(result);

        (void) pthread_mutex_lock(&c->lock);
        bool was_connected = c->connected;
        c->connected = false;
        if (!c->rejected)
                (void) snprintf(c->problem, sizeof c->problem, "%.200s port %d: %s", c->host, c->port, why);
        c->rejected = false;
        (void) pthread_mutex_unlock(&c->lock);
        return was_connected;
}

static bool stopped(Client *c) {
        (void) pthread_mutex_lock(&c->lock);
        bool stop = c->stop;
        (void) pthread_mutex_unlock(&c->lock);
        return stop;
}

/* Not mosquitto_loop_start(): its thread ends for good upon, among others, a failed TLS handshake or name
 * resolution. */
static void *run(void *userdata) {
        Client *c = userdata;
        unsigned failures = 0;

        int r = mosquitto_connect(c->mosquitto, c->host, c->port, c->keepalive_s);
        while (!stopped(c)) {
                if (r == MOSQ_ERR_SUCCESS)
                        r = mosquitto_loop(c->mosquitto, LOOP_MS, 1);
                if (r == MOSQ_ERR_SUCCESS)
                        continue;
                failures = lost(c, r) ? 1 : failures + 1;
                if (!pause_for(c, backoff_delay(RECONNECT_MIN_US, RECONNECT_MAX_US, failures)))
                        break;
                r = mosquitto_reconnect(c->mosquitto);
        }
        return NULL;
}

/* --- making --- */

static int set_up(Client *c, const ClientOptions *o) {
        struct mosquitto *m = c->mosquitto;

        mosquitto_connect_v5_callback_set(m, on_connect);
        mosquitto_disconnect_v5_callback_set(m, on_disconnect);
        mosquitto_publish_v5_callback_set(m, on_publish);
        mosquitto_subscribe_v5_callback_set(m, on_subscribe);
        mosquitto_message_v5_callback_set(m, on_message);
        /* version 5 for its reason codes: an older broker would acknowledge what it throws away for want
         * of a permission */
        int r = mosquitto_int_option(m, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
        if (r == MOSQ_ERR_SUCCESS)
                r = mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
        if (r == MOSQ_ERR_SUCCESS)
                r = mosquitto_threaded_set(m, true);
        if (r == MOSQ_ERR_SUCCESS && o->username)
                r = mosquitto_username_pw_set(m, o->username, o->password);
        if (r == MOSQ_ERR_SUCCESS && o->ca)
                r = mosquitto_tls_set(m, o->ca, NULL, o->cert, o->key, NULL);
        return r;
}

static int init_locks(Client *c) {
        pthread_condattr_t attributes;

        int r = pthread_condattr_init(&attributes);
        if (r != 0)
                return -r;
        (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        r = pthread_cond_init(&c->changed, &attributes);
        (void) pthread_condattr_destroy(&attributes);
        (void) pthread_mutex_init(&c->lock, NULL);
        return -r;
}

static int copy_subscriptions(Client *c, const ClientOptions *o) {
        for (size_t i = 0; i < CLIENT_SUBSCRIPTIONS_MAX; i++) {
                c->subscriptions[i] = o->subscriptions[i];
                c->granted[i] = PENDING;
                if (!o->subscriptions[i].filter)
                        continue;
                c->subscriptions[i].filter = strdup(o->subscriptions[i].filter);
                if (!c->subscriptions[i].filter)
                        return -ENOMEM;
        }
        return 0;
}

int client_new(const ClientOptions *o, Client **ret, Error *e) {
        _cleanup_(client_freep) Client *c = calloc(1, sizeof *c);

        if (!c || init_locks(c) < 0 || mosquitto_lib_init() != MOSQ_ERR_SUCCESS)
                return error_set(e, -ENOMEM, "out of memory");
        c->host = strdup(o->host);
        c->port = o->port;
        c->keepalive_s = o->keepalive_s;
        (void) snprintf(c->problem, sizeof c->problem, "%.200s port %d: not connected yet", o->host,
                        o->port);
        c->on_connected = o->connected;
        c->on_message = o->message;
        c->userdata = o->userdata;
        if (copy_subscriptions(c, o) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        c->mosquitto = mosquitto_new(o->client_id, true, c);
        if (!c->host || !c->mosquitto)
                return error_set(e, -errno, "cannot make an MQTT client: %s", strerror(errno));
        int r = set_up(c, o);
        if (r != MOSQ_ERR_SUCCESS)
                return error_set(e, -EINVAL, "%s", mosquitto_strerror(r));
        r = pthread_create(&c->thread, NULL, run, c);
        if (r != 0)
                return error_set(e, -r, "cannot start a thread: %s", strerror(r));
        c->started = true;
        *ret = TAKE(c);
        return 0;
}

Client *client_free(Client *c) {
        if (!c)
                return NULL;
        if (c->started) {
                (void) pthread_mutex_lock(&c->lock);
                c->stop = true;
                (void) pthread_cond_broadcast(&c->changed);
                (void) pthread_mutex_unlock(&c->lock);
                (void) mosquitto_disconnect(c->mosquitto); /* also wakes the loop */
                (void) pthread_join(c->thread, NULL);
        }
        mosquitto_destroy(c->mosquitto);
        (void) mosquitto_lib_cleanup();
        (void) pthread_cond_destroy(&c->changed);
        (void) pthread_mutex_destroy(&c->lock);
        for (size_t i = 0; i < CLIENT_SUBSCRIPTIONS_MAX; i++)
                free(c->subscriptions[i].filter);
        free(c->host);
        free(c);
        return NULL;
}

/* --- waiting, with the lock held --- */

static int wait_connected(Client *c, const struct timespec *until, Error *e) {
        int r = 0;

        while (!c->connected && r == 0)
                r = pthread_cond_timedwait(&c->changed, &c->lock, until);
        return c->connected ? 0 : error_set(e, -ETIMEDOUT, "no connection: %s", c->problem);
}

static int wait_acknowledged(Client *c, const struct timespec *until, Error *e) {
        int r = 0;

        while (c->unacknowledged > 0 && r == 0)
                r = pthread_cond_timedwait(&c->changed, &c->lock, until);
        return c->unacknowledged == 0 ? 0
                                      : error_set(e, -ETIMEDOUT, "the broker did not acknowledge in time");
}

/* --- publishing --- */

static int publish_all(Client *c, const Publication *p, size_t n, Error *e) {
        int result = 0;

        for (size_t i = 0; i < n; i++) {
                int r = mosquitto_publish_v5(c->mosquitto, NULL, p[i].topic, (int) strlen(p[i].payload),
                                p[i].payload, 1, p[i].retain, NULL);
                /* without a connection it is queued all the same, to be sent after the next connect */
                if (r == MOSQ_ERR_SUCCESS || r == MOSQ_ERR_NO_CONN)
                        continue;
                result = error_set(e, -EIO, "%s: %s", p[i].topic, mosquitto_strerror(r));
                (void) pthread_mutex_lock(&c->lock);
                c->unacknowledged--;
                (void) pthread_mutex_unlock(&c->lock);
        }
        return result;
}

int client_publish(
                Client *c, const char *key, const Publication *p, size_t n, int64_t timeout_us, Error *e) {
        struct timespec until = after(timeout_us);

        (void) pthread_mutex_lock(&c->lock);
        bool sent = c->unacknowledged > 0 && streq(c->key, key);
        int r = wait_connected(c, &until, e);
        if (r == 0)
                r = wait_acknowledged(c, &until, e);
        if (r == 0 && !sent) {
                (void) snprintf(c->key, sizeof c->key, "%s", key);
                c->unacknowledged = (unsigned) n;
                c->refused = 0;
                (void) pthread_mutex_unlock(&c->lock);
                r = publish_all(c, p, n, e);
                (void) pthread_mutex_lock(&c->lock);
                if (r == 0)
                        r = wait_acknowledged(c, &until, e);
        }
        if (r == 0 && c->refused)
                r = error_set(e, -EACCES, "the broker refuses it: %s", mosquitto_reason_string(c->refused));
        (void) pthread_mutex_unlock(&c->lock);
        return r;
}

int client_subscribed(Client *c, size_t i, int64_t timeout_us, Error *e) {
        struct timespec until = after(timeout_us);
        int waited = 0;

        (void) pthread_mutex_lock(&c->lock);
        int r = wait_connected(c, &until, e);
        while (r == 0 && c->granted[i] == PENDING && waited == 0)
                waited = pthread_cond_timedwait(&c->changed, &c->lock, &until);
        if (r == 0 && c->granted[i] == PENDING)
                r = error_set(e, -ETIMEDOUT, "the broker did not grant %s in time",
                                c->subscriptions[i].filter);
        else if (r == 0 && c->granted[i] >= MQTT_RC_UNSPECIFIED)
                r = error_set(e, -EACCES, "the broker refuses to let %s be read: %s",
                                c->subscriptions[i].filter, mosquitto_reason_string(c->granted[i]));
        (void) pthread_mutex_unlock(&c->lock);
        return r;
}
