/* notify-webhook: alerts by HTTP POST, to a receiver of one's own (format wardstone) or to a Prometheus Alertmanager
 * (format alertmanager), which routes them on.
 *
 * Settings: url (https; http to this machine only, or with insecure: true), format (wardstone), timeout (5s), tls: {ca,
 * cert, key}, token_file or credential (Authorization: Bearer), basic: {username, and password_file or credential},
 * hmac: {key_file or credential}, headers: {name: value}. Redirects are not followed, proxies of the environment not
 * used. */
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "body.h"
#include "settings.h"
#include "text.h"
#include "wardstone/notify_plugin.h"

enum {
        ANSWER_MAX = 16 * 1024, /* what is read of an answer before the connection is closed */
        ANSWER_SHOWN = 160,     /* what an operator is shown of it */
        KEY_MAX = 200,
};

/* The other clock is asked for again where it is off by more: alerts end five minutes after they were last told. */
#define SKEW_MAX_US (60 * USEC_PER_SEC)

typedef struct NotifyWebhook {
        const struct wardstone_host *host;
        json_t *config;
        Transfer transfer;
        Settings settings;
        char *signing_key;

        char answer[ANSWER_SHOWN];
        size_t answer_len, answer_read;

        /* of format alertmanager */
        json_t *places;  /* alert id -> label as it was told first */
        json_t *current; /* those of the refresh that is under way, or NULL */
        int64_t skew_us; /* what its clock is ahead of ours */
} NotifyWebhook;

/* --- opening --- */

static int refuse(const NotifyWebhook *w, const char *what) {
        return w->host->fail(w->host, WARDSTONE_CONFIGURATION, "%s", what);
}

static int set_authorization(NotifyWebhook *w) {
        const Settings *s = &w->settings;

        return transfer_authorize(
                        &w->transfer, &(TransferLogin){ .username = s->username,
                                                      .password_file = s->password_file,
                                                      .password_credential = s->password_credential,
                                                      .token_file = s->token_file,
                                                      .token_credential = s->credential });
}

/* libcurl's: takes what comes, keeps the beginning of it, and ends the transfer where it is too much. */
static size_t on_answer(char *data, size_t size, size_t n, void *userdata) {
        NotifyWebhook *w = userdata;
        size_t kept = MIN(n * size, sizeof w->answer - 1 - w->answer_len);

        memcpy(w->answer + w->answer_len, data, kept);
        w->answer_len += kept;
        w->answer[w->answer_len] = '\0';
        w->answer_read += n * size;
        return w->answer_read > ANSWER_MAX ? 0 : n * size;
}

static int set_up(NotifyWebhook *w) {
        const Settings *s = &w->settings;

        int r = settings_read(w->host, w->config, &w->settings);
        if (r == WARDSTONE_OK)
                r = transfer_secret(w->host, "hmac", s->key_file, s->key_credential, &w->signing_key);
        if (r == WARDSTONE_OK)
                r = transfer_open(&w->transfer, w->host, &s->transfer);
        if (r == WARDSTONE_OK)
                r = set_authorization(w);
        if (r != WARDSTONE_OK)
                return r;
        w->places = json_object();
        if (curl_easy_setopt(w->transfer.curl, CURLOPT_WRITEFUNCTION, on_answer) != CURLE_OK ||
                        curl_easy_setopt(w->transfer.curl, CURLOPT_WRITEDATA, w) != CURLE_OK ||
                        curl_easy_setopt(w->transfer.curl, CURLOPT_USERAGENT,
                                        "wardstone/" WARDSTONE_VERSION) != CURLE_OK)
                return w->host->fail(w->host, WARDSTONE_RETRY, "out of memory");
        return WARDSTONE_OK;
}

static void notify_webhook_close(void *self) {
        NotifyWebhook *w = self;

        transfer_close(&w->transfer);
        transfer_forget(w->signing_key);
        settings_done(&w->settings);
        json_decref(w->places);
        json_decref(w->current);
        json_decref(w->config);
        free(w);
}

static int notify_webhook_open(const struct wardstone_host *host, const char *config, void **ret_self) {
        NotifyWebhook *w = calloc(1, sizeof *w);

        if (!w)
                return host->fail(host, WARDSTONE_RETRY, "out of memory");
        w->host = host;
        w->config = json_loads(config, JSON_REJECT_DUPLICATES, NULL);
        int r = set_up(w);
        if (r == WARDSTONE_OK)
                *ret_self = w;
        else
                notify_webhook_close(w);
        return r;
}

/* --- one request --- */

static bool add_header(struct curl_slist **list, const char *name, const char *value) {
        char line[1024];
        int n = snprintf(line, sizeof line, "%s: %s", name, value);
        struct curl_slist *longer =
                        n > 0 && (size_t) n < sizeof line ? curl_slist_append(*list, line) : NULL;

        if (longer)
                *list = longer;
        return longer;
}

/* key: of the notice, NULL for Alertmanager, which has no use for it. */
static bool add_headers(NotifyWebhook *w, const char *key, const char *body, struct curl_slist **list) {
        char signature[SIGNATURE_SIZE];
        const char *name;
        json_t *value;
        bool good = add_header(list, "Content-Type", "application/json") &&
                    /* the answer to the headers alone is not waited for */
                    (*list = curl_slist_append(*list, "Expect:")) &&
                    (!key || add_header(list, "Idempotency-Key", key));

        json_object_foreach((json_t *) w->settings.headers, name, value) {
                good = good && add_header(list, name, json_string_value(value));
        }
        if (good && w->signing_key) {
                Stamp now = { 0 };
                clock_now(&now);
                signature_make(w->signing_key, now.wall_us / USEC_PER_SEC, body, signature);
                good = add_header(list, "Wardstone-Signature", signature);
        }
        return good;
}

static int judge(NotifyWebhook *w, long status) {
        static const long passing[] = { 408, 425, 429 };
        int result = status >= 500 ? WARDSTONE_RETRY : WARDSTONE_CONFIGURATION;

        if (status >= 200 && status < 300)
                return WARDSTONE_OK;
        for (size_t i = 0; i < ELEMENTS(passing); i++)
                if (passing[i] == status)
                        result = WARDSTONE_RETRY;
        text_make_one_line(w->answer);
        return w->host->fail(w->host, result, "HTTP status %ld%s%s%s", status,
                        status >= 300 && status < 400 ? " (redirects are not followed)" : "",
                        *w->answer ? ": " : "", w->answer);
}

static int post(NotifyWebhook *w, const char *key, const char *body, int64_t until_us) {
        CURL *curl = w->transfer.curl;
        struct curl_slist *headers = NULL;
        CURLcode code = CURLE_OUT_OF_MEMORY;
        long status = 0;

        w->answer[0] = '\0';
        w->answer_len = w->answer_read = 0;
        if (add_headers(w, key, body, &headers) &&
                        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
                        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body) == CURLE_OK)
                code = transfer_run(&w->transfer, until_us, &status);
        (void) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, (struct curl_slist *) NULL);
        curl_slist_free_all(headers);
        /* The status counts where one came, also where the rest of the answer is endless or late. */
        return status >= 200 ? judge(w, status) : transfer_failed(&w->transfer, code);
}

/* --- Alertmanager --- */

/* Where its clock is elsewhere, an alert may be over for it before it came: no failure would tell. */
static bool clock_is_elsewhere(NotifyWebhook *w, const Stamp *now) {
        struct curl_header *date;

        if (curl_easy_header(w->transfer.curl, "Date", 0, CURLH_HEADER, -1, &date) != CURLHE_OK)
                return false;
        time_t theirs = curl_getdate(date->value, NULL);
        int64_t skew_us = theirs * USEC_PER_SEC - now->wall_us;
        if (theirs < 0 || llabs(skew_us - w->skew_us) <= SKEW_MAX_US)
                return false;
        w->skew_us = llabs(skew_us) <= SKEW_MAX_US ? 0 : skew_us;
        w->host->log(w->host, WARDSTONE_WARNING,
                        "Alertmanager's clock is %lld s ahead of ours: alerts are told in its time",
                        (long long) (w->skew_us / USEC_PER_SEC));
        return true;
}

static int post_alerts(NotifyWebhook *w, const char *gateway, const json_t *alerts) {
        Stamp now = { 0 };
        int r;

        clock_now(&now);
        int64_t until_us = now.mono_us + w->settings.transfer.timeout_us;
        for (bool again = false;; again = true) {
                json_t *list = alertmanager_alerts(
                                alerts, gateway, w->places, now.wall_us + w->skew_us, w->skew_us);
                _cleanup_free_ char *body = list ? json_dumps(list, JSON_COMPACT) : NULL;
                json_decref(list);
                r = body ? post(w, NULL, body, until_us)
                         : refuse(w, "an alert lacks what Alertmanager needs, or memory is out");
                if (r != WARDSTONE_OK || again || !clock_is_elsewhere(w, &now))
                        return r;
        }
}

/* What is over needs no label any more; what came within a refresh round is not lost with its end. */
static void remember(NotifyWebhook *w, const json_t *alerts) {
        json_t *alert;
        size_t i;

        json_array_foreach((json_t *) alerts, i, alert) {
                const char *id = json_string_value(json_object_get(alert, "id"));
                if (streq(json_string_value(json_object_get(alert, "state")), "resolved"))
                        (void) json_object_del(w->places, id);
                else if (w->current)
                        (void) json_object_set(w->current, id, json_object_get(w->places, id));
        }
}

/* --- the plugin --- */

static int notify_webhook_deliver(void *self, const char *notice) {
        NotifyWebhook *w = self;
        const char *key, *gateway;
        json_t *alerts;
        Stamp now = { 0 };
        int r = WARDSTONE_OK;

        clock_now(&now);
        json_t *object = json_loads(notice, 0, NULL);
        if (json_unpack(object, "{s:s,s:s,s:o}", "key", &key, "gateway", &gateway, "alerts", &alerts) < 0 ||
                        strlen(key) > KEY_MAX || !text_is_printable(key) || !json_is_array(alerts))
                r = refuse(w, "a notice needs a printable key, a gateway and alerts");
        else if (!w->settings.alertmanager)
                r = post(w, key, notice, now.mono_us + w->settings.transfer.timeout_us);
        else if (json_array_size(alerts) > 0)
                r = post_alerts(w, gateway, alerts);
        if (r == WARDSTONE_OK && w->settings.alertmanager)
                remember(w, alerts);
        json_decref(object);
        return r;
}

/* Alertmanager forgets who says nothing, and everything when it is restarted. */
static int notify_webhook_refresh(void *self, const char *part) {
        NotifyWebhook *w = self;
        const char *gateway;
        json_t *alerts;
        int first, last, r = WARDSTONE_OK;

        if (!w->settings.alertmanager)
                return WARDSTONE_OK;
        json_t *object = json_loads(part, 0, NULL);
        if (json_unpack(object, "{s:s,s:b,s:b,s:o}", "gateway", &gateway, "first", &first, "last", &last,
                            "alerts", &alerts) < 0 ||
                        !json_is_array(alerts)) {
                json_decref(object);
                return refuse(w, "a refresh needs a gateway, first, last and alerts");
        }
        if (first) {
                json_decref(w->current);
                w->current = json_object();
        }
        if (json_array_size(alerts) > 0)
                r = post_alerts(w, gateway, alerts);
        if (r == WARDSTONE_OK)
                remember(w, alerts);
        if (r == WARDSTONE_OK && last && w->current) {
                json_decref(w->places);
                w->places = TAKE(w->current);
        }
        json_decref(object);
        return r;
}

const struct wardstone_notify_plugin wardstone_notify_plugin = {
        .abi = WARDSTONE_NOTIFY_ABI,
        .name = "notify-webhook",
        .open = notify_webhook_open,
        .deliver = notify_webhook_deliver,
        .refresh = notify_webhook_refresh,
        .close = notify_webhook_close,
};
