#include "transfer.h"

#include <arpa/inet.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "text.h"

#define TIMEOUT_MAX_US (8 * USEC_PER_SEC)

/* --- settings --- */

int transfer_timeout(const struct wardstone_host *host, const char *text, int64_t *ret_us) {
        if (duration_parse(text, ret_us) < 0 || *ret_us < USEC_PER_MSEC || *ret_us > TIMEOUT_MAX_US)
                return host->fail(host, WARDSTONE_CONFIGURATION, "timeout: expected a duration up to 8s");
        return WARDSTONE_OK;
}

int transfer_tls(const struct wardstone_host *host, json_t *tls, TransferOptions *ret) {
        json_error_t json_error;

        if (!tls)
                return WARDSTONE_OK;
        if (json_unpack_ex(tls, &json_error, 0, "{s?:s,s?:s,s?:s!}", "ca", &ret->ca, "cert", &ret->cert,
                            "key", &ret->key) < 0)
                return host->fail(host, WARDSTONE_CONFIGURATION, "tls: %s", json_error.text);
        if (!ret->cert != !ret->key)
                return host->fail(host, WARDSTONE_CONFIGURATION, "tls: cert and key belong together");
        return WARDSTONE_OK;
}

void transfer_forget(char *secret) {
        if (!secret)
                return;
        sodium_memzero(secret, strlen(secret));
        free(secret);
}

int transfer_secret(const struct wardstone_host *host, const char *what, const char *file,
                const char *credential, char **ret) {
        const char *folder = getenv("CREDENTIALS_DIRECTORY");
        _cleanup_(transfer_forgetp) char *secret = NULL;
        char path[PATH_MAX];
        size_t len;
        Error e;

        *ret = NULL;
        if (!file && !credential)
                return WARDSTONE_OK;
        if (file && credential)
                return host->fail(
                                host, WARDSTONE_CONFIGURATION, "%s: a file or a credential, not both", what);
        if (credential && (!folder || strchr(credential, '/')))
                return host->fail(host, WARDSTONE_CONFIGURATION,
                                "%s: the service manager gave no credential '%.100s' (LoadCredential=)",
                                what, credential);
        int n = credential ? snprintf(path, sizeof path, "%s/%s", folder, credential)
                           : snprintf(path, sizeof path, "%s", file);
        if (n < 0 || (size_t) n >= sizeof path)
                return host->fail(host, WARDSTONE_CONFIGURATION, "%s: the path is too long", what);
        if (file_read_secret(path, TRANSFER_SECRET_MAX, &secret, &len, &e) < 0)
                return host->fail(host, WARDSTONE_CONFIGURATION, "%s: %s", what, e.message);
        /* also the carriage return of an editor: it would be refused only later, far from its cause */
        if (len == 0 || strlen(secret) != len || !text_is_one_line(secret))
                return host->fail(host, WARDSTONE_CONFIGURATION, "%s: %s: expected one line of text", what,
                                path);
        *ret = TAKE(secret);
        return WARDSTONE_OK;
}

bool transfer_is_loopback(const char *host) {
        char inner[INET6_ADDRSTRLEN];
        struct in6_addr v6;
        struct in_addr v4;

        if (streq(host, "localhost"))
                return true;
        if (inet_pton(AF_INET, host, &v4) == 1)
                return ntohl(v4.s_addr) >> 24 == 127;
        if (host[0] == '[' && sscanf(host, "[%45[0-9a-fA-F:.]]", inner) == 1)
                host = inner;
        return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* --- the handle --- */

/* libcurl's: called about once a second while it waits. CURLOPT_TIMEOUT_MS does not count for what it does at the end of
 * a connection (SMTP's QUIT): this does. */
static int on_progress(void *userdata, curl_off_t to_receive, curl_off_t received, curl_off_t to_send,
                curl_off_t sent) {
        const Transfer *t = userdata;
        Stamp now = { 0 };

        clock_now(&now);
        return now.mono_us >= t->until_us;
}

static CURLcode set_all(Transfer *t, const TransferOptions *o) {
        static const struct {
                CURLoption option;
                long value;
        } numbers[] = {
                { CURLOPT_NOSIGNAL, 1 },
                { CURLOPT_QUICK_EXIT, 1 }, /* a name server that hangs is not waited for at the deadline */
                { CURLOPT_NOPROGRESS, 0 },
                { CURLOPT_FOLLOWLOCATION, 0 },
                { CURLOPT_TCP_KEEPALIVE, 1 },
                { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
                { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
                { CURLOPT_SSL_VERIFYPEER, 1 },
                { CURLOPT_SSL_VERIFYHOST, 2 },
        };
        const struct {
                CURLoption option;
                const char *value;
        } texts[] = {
                { CURLOPT_URL, o->url },
                { CURLOPT_PROTOCOLS_STR, o->schemes },
                { CURLOPT_PROXY, "" }, /* the environment's are for others: secrets and alerts go straight */
                { CURLOPT_SSLCERT, o->cert },
                { CURLOPT_SSLKEY, o->key },
        };
        CURLcode code = curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, t->error);

        if (code == CURLE_OK)
                code = curl_easy_setopt(t->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        if (code == CURLE_OK)
                code = curl_easy_setopt(t->curl, CURLOPT_XFERINFODATA, t);
        for (size_t i = 0; code == CURLE_OK && i < ELEMENTS(numbers); i++)
                code = curl_easy_setopt(t->curl, numbers[i].option, numbers[i].value);
        for (size_t i = 0; code == CURLE_OK && i < ELEMENTS(texts); i++)
                code = curl_easy_setopt(t->curl, texts[i].option, texts[i].value);
        if (code == CURLE_OK && o->ca) {
                code = curl_easy_setopt(t->curl, CURLOPT_CAINFO, o->ca);
                /* that CA and no other: the folder of the system's CAs is looked into as well otherwise */
                if (code == CURLE_OK)
                        code = curl_easy_setopt(t->curl, CURLOPT_CAPATH, (char *) NULL);
        }
        return code;
}

int transfer_open(Transfer *t, const struct wardstone_host *host, const TransferOptions *o) {
        const char *const files[] = { o->ca, o->cert, o->key };

        *t = (Transfer){ .host = host };
        for (size_t i = 0; i < ELEMENTS(files); i++)
                if (files[i] && access(files[i], R_OK) < 0)
                        return host->fail(host, WARDSTONE_CONFIGURATION, "tls: %s: %m", files[i]);
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return host->fail(host, WARDSTONE_RETRY, "cannot start libcurl");
        t->curl = curl_easy_init();
        if (!t->curl)
                return host->fail(host, WARDSTONE_RETRY, "out of memory");
        CURLcode code = set_all(t, o);
        if (code != CURLE_OK)
                return host->fail(host, WARDSTONE_CONFIGURATION, "%s", curl_easy_strerror(code));
        return WARDSTONE_OK;
}

int transfer_authorize(Transfer *t, const TransferLogin *l) {
        _cleanup_(transfer_forgetp) char *secret = NULL;
        CURLcode code = CURLE_OK;
        int r;

        if (l->username)
                r = transfer_secret(t->host, "basic", l->password_file, l->password_credential, &secret);
        else
                r = transfer_secret(t->host, "token", l->token_file, l->token_credential, &secret);
        if (r != WARDSTONE_OK || !secret)
                return r;
        if (l->username) {
                code = curl_easy_setopt(t->curl, CURLOPT_USERNAME, l->username);
                if (code == CURLE_OK)
                        code = curl_easy_setopt(t->curl, CURLOPT_PASSWORD, secret);
        } else {
                code = curl_easy_setopt(t->curl, CURLOPT_XOAUTH2_BEARER, secret);
        }
        if (code == CURLE_OK)
                code = curl_easy_setopt(
                                t->curl, CURLOPT_HTTPAUTH, l->username ? CURLAUTH_BASIC : CURLAUTH_BEARER);
        return code == CURLE_OK ? WARDSTONE_OK
                                : t->host->fail(t->host, WARDSTONE_CONFIGURATION, "%s",
                                                  curl_easy_strerror(code));
}

void transfer_close(Transfer *t) {
        if (t->curl) {
                curl_easy_cleanup(t->curl);
                curl_global_cleanup();
        }
        *t = (Transfer){ 0 };
}

CURLcode transfer_run(Transfer *t, int64_t until_us, long *ret_status) {
        Stamp now = { 0 };

        clock_now(&now);
        int64_t left_ms = MAX((until_us - now.mono_us) / USEC_PER_MSEC, (int64_t) 1);
        t->until_us = until_us;
        t->error[0] = '\0';
        *ret_status = 0;
        CURLcode code = curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, (long) left_ms);
        if (code == CURLE_OK)
                code = curl_easy_perform(t->curl);
        (void) curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, ret_status);
        text_make_one_line(t->error);
        return code;
}

static bool is_operators_matter(CURLcode code) {
        static const CURLcode codes[] = { CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
                CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_USE_SSL_FAILED };

        for (size_t i = 0; i < ELEMENTS(codes); i++)
                if (codes[i] == code)
                        return true;
        return false;
}

int transfer_judge(const Transfer *t, CURLcode code, const char **ret_text) {
        const char *text = t->error[0] ? t->error : curl_easy_strerror(code);

        *ret_text = code == CURLE_ABORTED_BY_CALLBACK ? "no answer in time" : text;
        return is_operators_matter(code) ? WARDSTONE_CONFIGURATION : WARDSTONE_RETRY;
}

int transfer_failed(const Transfer *t, CURLcode code) {
        const char *text;
        int result = transfer_judge(t, code, &text);

        return t->host->fail(t->host, result, "%s", text);
}
