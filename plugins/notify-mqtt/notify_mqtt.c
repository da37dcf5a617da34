/* notify-mqtt: alerts to an MQTT broker, at QoS 1. PREFIX/events gets each notice; PREFIX/state/ID holds each alert
 * that is active or acknowledged as a retained message, and is removed when the alert is resolved, so that whoever
 * subscribes later sees what is the case now. A refresh makes PREFIX/state agree with the gateway, whatever the broker
 * lost or kept meanwhile: the prefix belongs to one gateway. Acknowledgements come back on a topic, each with a proof
 * of who made it.
 *
 * Two threads: the host's, and the client's, which tells the board and the desk what comes. */
#include <errno.h>
#include <jansson.h>
#include <mqtt_protocol.h>
#include <stdio.h>

#include "base/clock.h"
#include "board.h"
#include "client.h"
#include "desk.h"
#include "settings.h"
#include "wardstone/notify_plugin.h"

enum { STATE = 0, ACKNOWLEDGE = 1 }; /* subscriptions */
enum { ALERTS_MAX = 64, KEY_MAX = 128, ID_MAX = 100 };

typedef struct NotifyMqtt {
        const struct wardstone_host *host;
        Client *client;
        Board *board;
        Desk *desk;                    /* NULL where no acknowledgements are taken */
        char *events, *states, *topic; /* topics; states ends with '/' */
        int64_t timeout_us;

        /* Of the refresh under way; NULL between two, and where a part of it failed. By id: true where a notice told of
         * the alert since it began, and so knows better; false where only the refresh did. */
        json_t *kept;
        uint64_t refreshes;
} NotifyMqtt;

/* --- what comes, from the client's thread --- */

static void on_connected(void *userdata) {
        NotifyMqtt *m = userdata;

        board_forget(m->board);
}

static void on_message(void *userdata, const char *topic, Bytes payload, bool retain) {
        NotifyMqtt *m = userdata;
        Stamp now = { 0 };

        if (m->desk && streq(topic, m->topic)) {
                clock_now(&now);
                desk_take(m->desk, payload, &now);
        } else if (retain && startswith(topic, m->states)) {
                board_set(m->board, topic + strlen(m->states), payload);
        }
}

/* --- open, close --- */

static int set_topics(NotifyMqtt *m, const Settings *s) {
        if (asprintf(&m->events, "%s/events", s->prefix) < 0)
                m->events = NULL;
        if (asprintf(&m->states, "%s/state/", s->prefix) < 0)
                m->states = NULL;
        if (asprintf(&m->topic, "%s%s", s->topic ? s->topic : s->prefix, s->topic ? "" : "/acknowledge") < 0)
                m->topic = NULL;
        m->board = board_new();
        return m->events && m->states && m->topic && m->board ? 0 : -ENOMEM;
}

static int start_client(NotifyMqtt *m, Settings *s, Error *e) {
        _cleanup_free_ char *filter = NULL;

        if (asprintf(&filter, "%s+", m->states) < 0) {
                filter = NULL;
                return error_set(e, -ENOMEM, "out of memory");
        }
        /* QoS 0: no window that later ones wait behind, so what is retained comes with the grant */
        s->client.subscriptions[STATE] =
                        (Subscription){ .filter = filter, .options = MQTT_SUB_OPT_RETAIN_AS_PUBLISHED };
        if (m->desk)
                s->client.subscriptions[ACKNOWLEDGE] = (Subscription){ .filter = m->topic, .qos = 1 };
        s->client.connected = on_connected;
        s->client.message = on_message;
        s->client.userdata = m;
        return client_new(&s->client, &m->client, e);
}

static int start(NotifyMqtt *m, json_t *config) {
        const struct wardstone_host *host = m->host;
        Stamp now = { 0 };
        Settings s;
        Error e;

        int r = settings_read(host, config, &s);
        if (r != WARDSTONE_OK)
                return r;
        m->timeout_us = s.timeout_us;
        clock_now(&now);
        if (set_topics(m, &s) < 0)
                r = host->fail(host, WARDSTONE_RETRY, "out of memory");
        else if (s.keys_file && desk_new(host, s.keys_file, &now, &m->desk, &e) < 0)
                r = host->fail(host, WARDSTONE_RETRY, "%s", e.message);
        else if (start_client(m, &s, &e) < 0)
                r = host->fail(host, WARDSTONE_CONFIGURATION, "%s", e.message);
        settings_done(&s);
        return r;
}

static void notify_mqtt_close(void *self) {
        NotifyMqtt *m = self;

        client_free(m->client); /* ends its thread */
        desk_free(m->desk);
        board_free(m->board);
        json_decref(m->kept);
        free(m->events);
        free(m->states);
        free(m->topic);
        free(m);
}

static int notify_mqtt_open(const struct wardstone_host *host, const char *config, void **ret_self) {
        json_t *settings = json_loads(config, JSON_REJECT_DUPLICATES, NULL);
        NotifyMqtt *m = calloc(1, sizeof *m);
        int r;

        if (m) {
                m->host = host;
                r = start(m, settings);
        } else {
                r = host->fail(host, WARDSTONE_RETRY, "out of memory");
        }
        json_decref(settings);
        if (r == WARDSTONE_OK)
                *ret_self = m;
        else if (m)
                notify_mqtt_close(m);
        return r;
}

/* --- publications that go together --- */

typedef struct Set {
        Publication items[ALERTS_MAX + 1];
        size_t count;
} Set;

static void set_done(Set *s) {
        for (size_t i = 0; i < s->count; i++) {
                free(s->items[i].topic);
                free(s->items[i].payload);
        }
}

/* Takes payload, NULL where memory was out. */
static int set_add(Set *s, const char *prefix, const char *id, char *payload, bool retain) {
        Publication *p = &s->items[s->count];

        if (!payload || asprintf(&p->topic, "%s%s", prefix, id) < 0) {
                free(payload);
                return -ENOMEM;
        }
        p->payload = payload;
        p->retain = retain;
        s->count++;
        return 0;
}

static int publish(NotifyMqtt *m, const char *key, const Set *s, int64_t timeout_us) {
        const struct wardstone_host *host = m->host;
        Error e;

        int r = client_publish(m->client, key, s->items, s->count, timeout_us, &e);
        if (r < 0)
                return host->fail(host, r == -EACCES ? WARDSTONE_CONFIGURATION : WARDSTONE_RETRY, "%s",
                                e.message);
        for (size_t i = 0; i < s->count; i++)
                if (s->items[i].retain)
                        board_set(m->board, s->items[i].topic + strlen(m->states),
                                        BYTES_STRING(s->items[i].payload));
        return WARDSTONE_OK;
}

/* --- delivery --- */

static bool is_shown(const json_t *alert) {
        const char *state = json_string_value(json_object_get(alert, "state"));

        return state && (streq(state, "active") || streq(state, "acknowledged"));
}

/* NULL where it is no array of at most ALERTS_MAX alerts with ids that fit a topic and states. */
static const json_t *alerts_of(const json_t *object) {
        const json_t *alerts = json_object_get(object, "alerts"), *alert;
        size_t i;

        if (!json_is_array(alerts) || json_array_size(alerts) > ALERTS_MAX)
                return NULL;
        json_array_foreach(alerts, i, alert) {
                const char *id = json_string_value(json_object_get(alert, "id"));
                if (!id || !*id || strlen(id) > ID_MAX || strpbrk(id, "/+#") ||
                                !json_is_string(json_object_get(alert, "state")))
                        return NULL;
        }
        return alerts;
}

static int set_add_state(Set *s, const NotifyMqtt *m, const json_t *alert) {
        char *payload = is_shown(alert) ? json_dumps(alert, JSON_COMPACT) : strdup("");

        return set_add(s, m->states, json_string_value(json_object_get(alert, "id")), payload, true);
}

static int deliver(NotifyMqtt *m, const char *notice, const char *key, const json_t *alerts) {
        _cleanup_(set_done) Set set = { .count = 0 };
        const struct wardstone_host *host = m->host;
        const json_t *alert;
        size_t i;

        int r = set_add(&set, m->events, "", strdup(notice), false);
        json_array_foreach(alerts, i, alert) {
                if (r == 0)
                        r = set_add_state(&set, m, alert);
                if (m->kept)
                        (void) json_object_set_new(m->kept, json_string_value(json_object_get(alert, "id")),
                                        json_true());
        }
        if (r < 0)
                return host->fail(host, WARDSTONE_RETRY, "out of memory");
        return publish(m, key, &set, m->timeout_us);
}

static int notify_mqtt_deliver(void *self, const char *notice) {
        NotifyMqtt *m = self;
        const struct wardstone_host *host = m->host;
        int r;

        json_t *object = json_loads(notice, 0, NULL);
        const char *key = json_string_value(json_object_get(object, "key"));
        const json_t *alerts = alerts_of(object);
        if (key && *key && strlen(key) < KEY_MAX && alerts)
                r = deliver(m, notice, key, alerts);
        else
                r = host->fail(host, WARDSTONE_CONFIGURATION,
                                "a notice needs a key, and alerts with ids that fit a topic and states");
        json_decref(object);
        return r;
}

/* --- refresh --- */

static int publish_refresh(NotifyMqtt *m, const Set *s, int64_t until_us) {
        char key[KEY_MAX];
        Stamp now = { 0 };

        if (s->count == 0)
                return WARDSTONE_OK;
        /* never the same: what was sent before and is not acknowledged may not be what is right now */
        (void) snprintf(key, sizeof key, "refresh-%llu", (unsigned long long) ++m->refreshes);
        clock_now(&now);
        return publish(m, key, s, MAX(until_us - now.mono_us, INT64_C(0)));
}

static int show_missing(NotifyMqtt *m, const json_t *alerts, int64_t until_us) {
        _cleanup_(set_done) Set set = { .count = 0 };
        const struct wardstone_host *host = m->host;
        const json_t *alert;
        size_t i;

        json_array_foreach(alerts, i, alert) {
                const char *id = json_string_value(json_object_get(alert, "id"));
                if (json_is_true(json_object_get(m->kept, id)))
                        continue;
                if (!is_shown(alert))
                        continue;
                _cleanup_free_ char *payload = json_dumps(alert, JSON_COMPACT);
                if (!payload || json_object_set_new(m->kept, id, json_false()) < 0)
                        return host->fail(host, WARDSTONE_RETRY, "out of memory");
                if (!board_shows(m->board, id, payload) &&
                                set_add(&set, m->states, id, TAKE(payload), true) < 0)
                        return host->fail(host, WARDSTONE_RETRY, "out of memory");
        }
        return publish_refresh(m, &set, until_us);
}

static int remove_some(NotifyMqtt *m, const json_t *ids, int64_t until_us) {
        _cleanup_(set_done) Set set = { .count = 0 };
        const struct wardstone_host *host = m->host;
        const json_t *id;
        size_t i;

        json_array_foreach(
                        ids, i, id) if (set_add(&set, m->states, json_string_value(id), strdup(""), true) <
                                        0) return host->fail(host, WARDSTONE_RETRY, "out of memory");
        return publish_refresh(m, &set, until_us);
}

static int remove_beyond(NotifyMqtt *m, int64_t until_us) {
        int r = WARDSTONE_OK;
        bool more = true;

        while (r == WARDSTONE_OK && more) {
                json_t *ids = board_beyond(m->board, m->kept, ALERTS_MAX);
                more = json_array_size(ids) > 0;
                if (more)
                        r = remove_some(m, ids, until_us);
                json_decref(ids);
        }
        return r;
}

/* Waits for no longer than the timeout in all. */
static int wait_subscribed(NotifyMqtt *m, size_t subscription, int64_t until_us) {
        const struct wardstone_host *host = m->host;
        Stamp now = { 0 };
        Error e;

        clock_now(&now);
        int r = client_subscribed(m->client, subscription, MAX(until_us - now.mono_us, INT64_C(0)), &e);
        if (r == 0)
                return WARDSTONE_OK;
        return host->fail(host, r == -EACCES ? WARDSTONE_CONFIGURATION : WARDSTONE_RETRY, "%s", e.message);
}

static int refresh(NotifyMqtt *m, const json_t *alerts, bool first, bool last) {
        Stamp now = { 0 };

        clock_now(&now);
        int64_t until_us = now.mono_us + m->timeout_us;
        if (first) {
                json_decref(m->kept);
                m->kept = json_object();
        }
        /* a part whose round failed or began in an earlier process: the next round has all of it */
        if (!m->kept)
                return WARDSTONE_OK;
        int r = wait_subscribed(m, STATE, until_us);
        if (r == WARDSTONE_OK)
                r = show_missing(m, alerts, until_us);
        if (r == WARDSTONE_OK && last)
                r = remove_beyond(m, until_us);
        if (r == WARDSTONE_OK && last && m->desk)
                r = wait_subscribed(m, ACKNOWLEDGE, until_us);
        if (r != WARDSTONE_OK || last)
                json_decref(TAKE(m->kept));
        return r;
}

static int notify_mqtt_refresh(void *self, const char *part) {
        NotifyMqtt *m = self;
        const struct wardstone_host *host = m->host;
        int r;

        json_t *object = json_loads(part, 0, NULL);
        const json_t *alerts = alerts_of(object);
        if (alerts)
                r = refresh(m, alerts, json_is_true(json_object_get(object, "first")),
                                json_is_true(json_object_get(object, "last")));
        else
                r = host->fail(host, WARDSTONE_CONFIGURATION,
                                "a refresh needs alerts with ids that fit a topic and states");
        json_decref(object);
        return r;
}

const struct wardstone_notify_plugin wardstone_notify_plugin = {
        .abi = WARDSTONE_NOTIFY_ABI,
        .name = "notify-mqtt",
        .open = notify_mqtt_open,
        .deliver = notify_mqtt_deliver,
        .refresh = notify_mqtt_refresh,
        .close = notify_mqtt_close,
};
