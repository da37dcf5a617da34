/* notify-mqtt: alerts to an MQTT broker, at QoS 1. PREFIX/events gets each event; PREFIX/state/ID holds what
 * is active as a retained message, and is removed when the alert is resolved, so that whoever subscribes
 * later sees what is the case now.
 *
 * Settings: host, port (1883; 8883 with tls), prefix (wardstone/alerts), client_id (the broker chooses),
 * username and either password_file or credential (a name below $CREDENTIALS_DIRECTORY), keepalive (30s),
 * timeout (5s: how long a delivery waits for the broker), tls: {ca, cert, key}. */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <mosquitto.h>
#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "client.h"
#include "wardstone/notify_plugin.h"

enum { TOPIC_MAX = 512, SECRET_MAX = 4096 };

typedef struct NotifyMqtt {
        const struct wardstone_host *host;
        Client *client;
        char *prefix;
        int64_t timeout_us;
} NotifyMqtt;

/* --- settings --- */

typedef struct Settings {
        const char *prefix, *password_file, *credential, *keepalive, *timeout;
        json_t *tls;
        ClientOptions client;
        int64_t timeout_us;
} Settings;

static int read_settings(const struct wardstone_host *host, json_t *config, Settings *s) {
        ClientOptions *o = &s->client;
        json_error_t json_error;
        int64_t keepalive_us;

        /* the '!' refuses members that are not named here */
        if (json_unpack_ex(config, &json_error, 0, "{s:s,s?:i,s?:s,s?:s,s?:s,s?:s,s?:s,s?:s,s?:s,s?:o!}",
                            "host", &o->host, "port", &o->port, "prefix", &s->prefix, "client_id",
                            &o->client_id, "username", &o->username, "password_file", &s->password_file,
                            "credential", &s->credential, "keepalive", &s->keepalive, "timeout", &s->timeout,
                            "tls", &s->tls) < 0)
                return host->fail(host, WARDSTONE_CONFIGURATION, "config: %s", json_error.text);
        if (s->tls && json_unpack_ex(s->tls, &json_error, 0, "{s:s,s?:s,s?:s!}", "ca", &o->ca, "cert",
                                      &o->cert, "key", &o->key) < 0)
                return host->fail(host, WARDSTONE_CONFIGURATION, "tls: %s", json_error.text);
        if (!o->cert != !o->key)
                return host->fail(host, WARDSTONE_CONFIGURATION, "tls: cert and key belong together");
        if (o->port == 0)
                o->port = o->ca ? 8883 : 1883;
        if (o->port < 1 || o->port > 65535)
                return host->fail(host, WARDSTONE_CONFIGURATION, "port: expected 1 to 65535");
        if (duration_parse(s->keepalive, &keepalive_us) < 0 || keepalive_us < 5 * USEC_PER_SEC ||
                        keepalive_us > 65535 * USEC_PER_SEC)
                return host->fail(host, WARDSTONE_CONFIGURATION, "keepalive: expected 5s to 65535s");
        o->keepalive_s = (int) (keepalive_us / USEC_PER_SEC);
        if (duration_parse(s->timeout, &s->timeout_us) < 0 || s->timeout_us < 1 ||
                        s->timeout_us > 9 * USEC_PER_SEC)
                return host->fail(host, WARDSTONE_CONFIGURATION, "timeout: expected a duration up to 9s");
        if (mosquitto_pub_topic_check(s->prefix) != MOSQ_ERR_SUCCESS || strlen(s->prefix) > TOPIC_MAX / 2)
                return host->fail(host, WARDSTONE_CONFIGURATION, "prefix: '%.100s' can't begin a topic",
                                s->prefix);
        if (s->password_file && s->credential)
                return host->fail(host, WARDSTONE_CONFIGURATION, "password_file or credential, not both");
        if ((s->password_file || s->credential) && !o->username)
                return host->fail(host, WARDSTONE_CONFIGURATION, "username: missing");
        return WARDSTONE_OK;
}

/* *ret is NULL where there is no password. */
static int read_password(const struct wardstone_host *host, const Settings *s, char **ret) {
        const char *folder = getenv("CREDENTIALS_DIRECTORY");
        char path[PATH_MAX];
        Error e;

        *ret = NULL;
        if (!s->password_file && !s->credential)
                return WARDSTONE_OK;
        if (s->credential && !folder)
                return host->fail(host, WARDSTONE_CONFIGURATION,
                                "credential: the service manager gave none (LoadCredential=)");
        int n = s->credential ? snprintf(path, sizeof path, "%s/%s", folder, s->credential)
                              : snprintf(path, sizeof path, "%s", s->password_file);
        if (n < 0 || (size_t) n >= sizeof path)
                return host->fail(host, WARDSTONE_CONFIGURATION, "the password's path is too long");
        if (file_read_secret(path, SECRET_MAX, ret, NULL, &e) < 0)
                return host->fail(host, WARDSTONE_CONFIGURATION, "password: %s", e.message);
        return WARDSTONE_OK;
}

static int start(NotifyMqtt *m, json_t *config) {
        Settings s = { .prefix = "wardstone/alerts", .keepalive = "30s", .timeout = "5s" };
        const struct wardstone_host *host = m->host;
        Error e;

        int r = read_settings(host, config, &s);
        if (r == WARDSTONE_OK)
                r = read_password(host, &s, &s.client.password);
        if (r != WARDSTONE_OK)
                return r;
        m->timeout_us = s.timeout_us;
        m->prefix = strdup(s.prefix);
        if (!m->prefix)
                r = host->fail(host, WARDSTONE_RETRY, "out of memory");
        else if (client_new(&s.client, &m->client, &e) < 0)
                r = host->fail(host, WARDSTONE_CONFIGURATION, "%s", e.message);
        if (s.client.password)
                sodium_memzero(s.client.password, strlen(s.client.password));
        free(s.client.password);
        return r;
}

static void notify_mqtt_close(void *self) {
        NotifyMqtt *m = self;

        client_free(m->client);
        free(m->prefix);
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

/* --- delivery --- */

static int notify_mqtt_deliver(void *self, const char *event) {
        NotifyMqtt *m = self;
        const struct wardstone_host *host = m->host;
        char events[TOPIC_MAX], retained[TOPIC_MAX], key[TOPIC_MAX];
        const char *id, *state;
        int r = WARDSTONE_OK;
        Error e;

        json_t *object = json_loads(event, 0, NULL);
        if (!object || json_unpack(object, "{s:s,s:s}", "id", &id, "state", &state) < 0 || !*id ||
                        strpbrk(id, "/+#") || strlen(id) > 100) {
                json_decref(object);
                return host->fail(host, WARDSTONE_CONFIGURATION,
                                "an event needs an id that fits a topic, and a state");
        }
        (void) snprintf(events, sizeof events, "%s/events", m->prefix);
        (void) snprintf(retained, sizeof retained, "%s/state/%s", m->prefix, id);
        (void) snprintf(key, sizeof key, "%s %.20s", id, state);
        const Publication publications[] = {
                { .topic = events, .payload = event },
                { .topic = retained, .payload = streq(state, "resolved") ? "" : event, .retain = true },
        };
        int k = client_publish(m->client, key, publications, ELEMENTS(publications), m->timeout_us, &e);
        if (k < 0)
                r = host->fail(host, k == -EACCES ? WARDSTONE_CONFIGURATION : WARDSTONE_RETRY, "%s",
                                e.message);
        json_decref(object);
        return r;
}

const struct wardstone_notify_plugin wardstone_notify_plugin = {
        .abi = WARDSTONE_NOTIFY_ABI,
        .name = "notify-mqtt",
        .open = notify_mqtt_open,
        .deliver = notify_mqtt_deliver,
        .close = notify_mqtt_close,
};
