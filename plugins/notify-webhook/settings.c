#include "settings.h"

#include <stdio.h>

#include "body.h"

static int refuse(const struct wardstone_host *host, const char *what) {
        return host->fail(host, WARDSTONE_CONFIGURATION, "%s", what);
}

static int read_headers(const struct wardstone_host *host, json_t *headers) {
        const char *name;
        json_t *value;

        if (headers && !json_is_object(headers))
                return refuse(host, "headers: expected names and values");
        json_object_foreach(headers, name, value) {
                if (!json_is_string(value) || !header_is_valid(name, json_string_value(value)))
                        return host->fail(host, WARDSTONE_CONFIGURATION, "headers: '%.60s' can't be set so",
                                        name);
        }
        return WARDSTONE_OK;
}

/* --- the URL --- */

typedef struct Parts {
        char *scheme, *host, *user, *password, *query, *fragment;
} Parts;

static void parts_done(Parts *p) {
        curl_free(p->scheme);
        curl_free(p->host);
        curl_free(p->user);
        curl_free(p->password);
        curl_free(p->query);
        curl_free(p->fragment);
}

static Parts split(CURLU *url) {
        Parts p = { 0 };

        (void) curl_url_get(url, CURLUPART_SCHEME, &p.scheme, 0);
        (void) curl_url_get(url, CURLUPART_HOST, &p.host, 0);
        (void) curl_url_get(url, CURLUPART_USER, &p.user, 0);
        (void) curl_url_get(url, CURLUPART_PASSWORD, &p.password, 0);
        (void) curl_url_get(url, CURLUPART_QUERY, &p.query, 0);
        (void) curl_url_get(url, CURLUPART_FRAGMENT, &p.fragment, 0);
        return p;
}

static int check_parts(const struct wardstone_host *host, const Parts *p, const Settings *s, bool insecure) {
        if (!p->scheme || !p->host || (!streq(p->scheme, "https") && !streq(p->scheme, "http")))
                return refuse(host, "url: expected https://...");
        if (p->user || p->password)
                return refuse(host, "url: a user and a password belong below basic");
        if (p->fragment || (p->query && s->alertmanager))
                return refuse(host, "url: nothing may follow its path");
        if (streq(p->scheme, "http") && !insecure && !transfer_is_loopback(p->host))
                return refuse(host, "url: http only to this machine; use https, or insecure: true where the"
                                    " network is as good as a wire");
        return WARDSTONE_OK;
}

static int read_url(const struct wardstone_host *host, const char *text, bool insecure, Settings *s) {
        size_t len = strlen(text);

        CURLU *url = curl_url();
        if (!url)
                return host->fail(host, WARDSTONE_RETRY, "out of memory");
        CURLUcode code = curl_url_set(url, CURLUPART_URL, text, 0);
        Parts parts = split(url);
        int r = code == CURLUE_OK ? check_parts(host, &parts, s, insecure)
                                  : host->fail(host, WARDSTONE_CONFIGURATION, "url: %s",
                                                    curl_url_strerror(code));
        parts_done(&parts);
        curl_url_cleanup(url);
        if (r != WARDSTONE_OK)
                return r;
        while (s->alertmanager && text[len - 1] == '/')
                len--;
        if (asprintf(&s->url, "%.*s%s", (int) len, text, s->alertmanager ? "/api/v2/alerts" : "") < 0)
                s->url = NULL;
        s->transfer.url = s->url;
        return s->url ? WARDSTONE_OK : host->fail(host, WARDSTONE_RETRY, "out of memory");
}

/* --- all of it --- */

static int check_secrets(const struct wardstone_host *host, const json_t *config, const Settings *s) {
        if (s->username && strchr(s->username, ':'))
                return refuse(host, "basic: a username can't have a colon");
        if (s->username && !s->password_file && !s->password_credential)
                return refuse(host, "basic: password_file or credential is missing");
        if (s->username && (s->token_file || s->credential))
                return refuse(host, "basic and a token exclude each other");
        if (!json_object_get(config, "hmac"))
                return WARDSTONE_OK;
        if (!s->key_file && !s->key_credential)
                return refuse(host, "hmac: key_file or credential is missing");
        return s->alertmanager ? refuse(host, "hmac: Alertmanager checks no signature") : WARDSTONE_OK;
}

int settings_read(const struct wardstone_host *host, json_t *config, Settings *ret) {
        const char *url, *format = "wardstone", *timeout = "5s";
        json_t *tls = NULL;
        int insecure = 0;
        json_error_t e;

        *ret = (Settings){ .transfer.schemes = "http,https" };
        /* the '!' refuses members that are not named here */
        if (json_unpack_ex(config, &e, 0,
                            "{s:s,s?:s,s?:s,s?:s,s?:s,s?:o,s?:{s:s,s?:s,s?:s!},s?:{s?:s,s?:s!},s?:o,s?:b!}",
                            "url", &url, "format", &format, "timeout", &timeout, "token_file",
                            &ret->token_file, "credential", &ret->credential, "tls", &tls, "basic",
                            "username", &ret->username, "password_file", &ret->password_file, "credential",
                            &ret->password_credential, "hmac", "key_file", &ret->key_file, "credential",
                            &ret->key_credential, "headers", &ret->headers, "insecure", &insecure) < 0)
                return host->fail(host, WARDSTONE_CONFIGURATION, "config: %s", e.text);
        ret->alertmanager = streq(format, "alertmanager");
        if (!ret->alertmanager && !streq(format, "wardstone"))
                return refuse(host, "format: expected wardstone or alertmanager");
        int r = check_secrets(host, config, ret);
        if (r == WARDSTONE_OK)
                r = transfer_timeout(host, timeout, &ret->transfer.timeout_us);
        if (r == WARDSTONE_OK)
                r = transfer_tls(host, tls, &ret->transfer);
        if (r == WARDSTONE_OK)
                r = read_headers(host, ret->headers);
        return r == WARDSTONE_OK ? read_url(host, url, insecure, ret) : r;
}

void settings_done(Settings *s) {
        free(s->url);
        s->url = NULL;
}
