#include "settings.h"

#include <limits.h>
#include <mosquitto.h>
#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"

enum { SECRET_MAX = 4096, PREFIX_MAX = 256 };

static int unpack(const struct wardstone_host *host, json_t *config, Settings *s) {
        ClientOptions *o = &s->client;
        json_error_t json_error;

        /* the '!' refuses members that are not named here */
        if (json_unpack_ex(config, &json_error, 0,
                            "{s:s,s?:i,s?:s,s?:s,s?:s,s?:s,s?:s,s?:s,s?:s,s?:o,s?:o!}", "host", &o->host,
                            "port", &o->port, "prefix", &s->prefix, "client_id", &o->client_id, "username",
                            &o->username, "password_file", &s->password_file, "credential", &s->credential,
                            "keepalive", &s->keepalive, "timeout", &s->timeout, "tls", &s->tls,
                            "acknowledge", &s->acknowledge) < 0)
                return host->fail(host, WARDSTONE_CONFIGURATION, "config: %s", json_error.text);
        if (s->acknowledge && json_unpack_ex(s->acknowledge, &json_error, 0, "{s?:s,s:s!}", "topic",
                                              &s->topic, "keys_file", &s->keys_file) < 0)
                return host->fail(host, WARDSTONE_CONFIGURATION, "acknowledge: %s", json_error.text);
        if (s->tls && json_unpack_ex(s->tls, &json_error, 0, "{s:s,s?:s,s?:s!}", "ca", &o->ca, "cert",
                                      &o->cert, "key", &o->key) < 0)
                return host->fail(host, WARDSTONE_CONFIGURATION, "tls: %s", json_error.text);
        return WARDSTONE_OK;
}

static int check(const struct wardstone_host *host, Settings *s) {
        ClientOptions *o = &s->client;
        int64_t keepalive_us;

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
        if (mosquitto_pub_topic_check(s->prefix) != MOSQ_ERR_SUCCESS || strlen(s->prefix) > PREFIX_MAX)
                return host->fail(host, WARDSTONE_CONFIGURATION, "prefix: '%.100s' can't begin a topic",
                                s->prefix);
        if (s->topic && mosquitto_pub_topic_check(s->topic) != MOSQ_ERR_SUCCESS)
                return host->fail(host, WARDSTONE_CONFIGURATION,
                                "acknowledge: topic: '%.100s' is no topic to publish to", s->topic);
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

int settings_read(const struct wardstone_host *host, json_t *config, Settings *ret) {
        Settings s = { .prefix = "wardstone/alerts", .keepalive = "30s", .timeout = "5s" };

        int r = unpack(host, config, &s);
        if (r == WARDSTONE_OK)
                r = check(host, &s);
        if (r == WARDSTONE_OK)
                r = read_password(host, &s, &s.client.password);
        if (r == WARDSTONE_OK)
                *ret = s;
        return r;
}

void settings_done(Settings *s) {
        if (s->client.password)
                sodium_memzero(s->client.password, strlen(s->client.password));
        free(s->client.password);
}
