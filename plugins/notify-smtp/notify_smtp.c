/* notify-smtp: alerts by mail, one a notice, through a server that sends them on.
 *
 * Settings: host, port (587; 465 with implicit, 25 with none), tls (starttls, implicit, or none: to this machine only, or
 * with insecure: true), ca, username and password_file or credential, from, to: [address], subject_prefix ("[Wardstone]
 * "), timeout (5s).
 *
 * A mail counts as delivered when the server has taken it for one of its recipients. Whom it refuses is logged: one dead
 * mailbox must not stop the alerts of the others. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "mail.h"
#include "text.h"
#include "transfer.h"
#include "wardstone/notify_plugin.h"

enum { RECIPIENTS_MAX = 32, PREFIX_MAX = 100, ANSWER_MAX = 200 };

typedef struct NotifySmtp {
        const struct wardstone_host *host;
        json_t *config;
        Transfer transfer;
        char *url;
        MailOptions mail;
        struct curl_slist *recipients;
        int64_t timeout_us;
        const char *upload; /* what is left of the mail that is being sent */
        size_t left;
        char refusal[ANSWER_MAX]; /* the server's last answer that was one */
} NotifySmtp;

/* --- settings --- */

typedef struct Settings {
        const char *host, *tls, *username, *password_file, *credential, *timeout;
        int port, insecure;
        TransferOptions transfer;
} Settings;

static int refuse(const NotifySmtp *m, const char *what) {
        return m->host->fail(m->host, WARDSTONE_CONFIGURATION, "%s", what);
}

static int read_addresses(NotifySmtp *m) {
        const json_t *to = m->mail.to;

        if (!mail_address_is_valid(m->mail.from))
                return m->host->fail(m->host, WARDSTONE_CONFIGURATION, "from: '%.100s' is no address",
                                m->mail.from);
        if (!json_is_array(to) || json_array_size(to) == 0 || json_array_size(to) > RECIPIENTS_MAX)
                return m->host->fail(m->host, WARDSTONE_CONFIGURATION, "to: expected 1 to %d addresses",
                                RECIPIENTS_MAX);
        for (size_t i = 0; i < json_array_size(to); i++) {
                const char *address = json_string_value(json_array_get(to, i));
                if (!address || !mail_address_is_valid(address))
                        return m->host->fail(m->host, WARDSTONE_CONFIGURATION, "to: '%.100s' is no address",
                                        address ? address : "");
                struct curl_slist *longer = curl_slist_append(m->recipients, address);
                if (!longer)
                        return m->host->fail(m->host, WARDSTONE_RETRY, "out of memory");
                m->recipients = longer;
        }
        return WARDSTONE_OK;
}

static int read_settings(NotifySmtp *m, Settings *s) {
        json_error_t e;

        /* the '!' refuses members that are not named here */
        if (json_unpack_ex(m->config, &e, 0, "{s:s,s?:i,s?:s,s?:s,s?:s,s?:s,s?:s,s:s,s:o,s?:s,s?:s,s?:b!}",
                            "host", &s->host, "port", &s->port, "tls", &s->tls, "ca", &s->transfer.ca,
                            "username", &s->username, "password_file", &s->password_file, "credential",
                            &s->credential, "from", &m->mail.from, "to", &m->mail.to, "subject_prefix",
                            &m->mail.subject_prefix, "timeout", &s->timeout, "insecure", &s->insecure) < 0)
                return m->host->fail(m->host, WARDSTONE_CONFIGURATION, "config: %s", e.text);
        if (!streq(s->tls, "starttls") && !streq(s->tls, "implicit") && !streq(s->tls, "none"))
                return refuse(m, "tls: expected starttls, implicit or none");
        if (streq(s->tls, "none") && !s->insecure && !transfer_is_loopback(s->host))
                return refuse(m, "tls: none only to this machine, or with insecure: true where the network "
                                 "is as"
                                 " good as a wire");
        if (s->port == 0)
                s->port = streq(s->tls, "starttls") ? 587 : streq(s->tls, "implicit") ? 465 : 25;
        if (s->port < 1 || s->port > 65535)
                return refuse(m, "port: expected 1 to 65535");
        if (!s->username != (!s->password_file && !s->credential))
                return refuse(m, "username, and password_file or credential, belong together");
        if (s->username && !text_is_one_line(s->username))
                return refuse(m, "username: expected one line");
        if (strlen(m->mail.subject_prefix) > PREFIX_MAX || !text_is_one_line(m->mail.subject_prefix))
                return refuse(m, "subject_prefix: expected a short line");
        int r = transfer_timeout(m->host, s->timeout, &m->timeout_us);
        return r == WARDSTONE_OK ? read_addresses(m) : r;
}

/* libcurl puts the URL together, so that it is one whatever the host's name has in it. */
static int make_url(NotifySmtp *m, const Settings *s) {
        bool v6 = strchr(s->host, ':') && s->host[0] != '[';
        char host[300], port[8];

        (void) snprintf(port, sizeof port, "%d", s->port);
        int n = snprintf(host, sizeof host, v6 ? "[%s]" : "%s", s->host);
        CURLU *url = curl_url();
        CURLUcode code = n < 0 || (size_t) n >= sizeof host ? CURLUE_BAD_HOSTNAME : CURLUE_OK;
        if (code == CURLUE_OK)
                code = curl_url_set(url, CURLUPART_SCHEME, streq(s->tls, "implicit") ? "smtps" : "smtp", 0);
        if (code == CURLUE_OK)
                code = curl_url_set(url, CURLUPART_HOST, host, 0);
        if (code == CURLUE_OK)
                code = curl_url_set(url, CURLUPART_PORT, port, 0);
        if (code == CURLUE_OK)
                code = curl_url_get(url, CURLUPART_URL, &m->url, 0);
        curl_url_cleanup(url);
        return code == CURLUE_OK ? WARDSTONE_OK
                                 : m->host->fail(m->host, WARDSTONE_CONFIGURATION, "host: %s",
                                                   curl_url_strerror(code));
}

/* --- libcurl's callbacks --- */

static size_t on_upload(char *buffer, size_t size, size_t n, void *userdata) {
        NotifySmtp *m = userdata;
        size_t len = MIN(m->left, size * n);

        memcpy(buffer, m->upload, len);
        m->upload += len;
        m->left -= len;
        return len;
}

/* Each line that the server answers. */
static size_t on_answer(char *data, size_t size, size_t n, void *userdata) {
        NotifySmtp *m = userdata;
        size_t len = size * n;

        if (len > 3 && (data[0] == '4' || data[0] == '5')) {
                while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r'))
                        len--;
                (void) snprintf(m->refusal, sizeof m->refusal, "%.*s", (int) MIN(len, sizeof m->refusal),
                                data);
                text_make_one_line(m->refusal);
        }
        return size * n;
}

/* --- opening --- */

static CURLcode set_options(NotifySmtp *m, const Settings *s, const char *password) {
        CURL *curl = m->transfer.curl;
        CURLcode code = curl_easy_setopt(curl, CURLOPT_MAIL_FROM, m->mail.from);

        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, m->recipients);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_USE_SSL,
                                streq(s->tls, "none") ? (long) CURLUSESSL_NONE : (long) CURLUSESSL_ALL);
        if (code == CURLE_OK && s->username)
                code = curl_easy_setopt(curl, CURLOPT_USERNAME, s->username);
        if (code == CURLE_OK && password)
                code = curl_easy_setopt(curl, CURLOPT_PASSWORD, password);
        if (code == CURLE_OK)
                /* after a mail whose answer did not come, the next would be taken for it */
                code = curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_upload);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_READDATA, m);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_answer);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_HEADERDATA, m);
        return code;
}

static int set_up(NotifySmtp *m) {
        Settings s = { .tls = "starttls", .timeout = "5s", .transfer.schemes = "smtp,smtps" };
        _cleanup_(transfer_forgetp) char *password = NULL;

        m->mail.subject_prefix = "[Wardstone] ";
        int r = read_settings(m, &s);
        if (r == WARDSTONE_OK)
                r = make_url(m, &s);
        if (r == WARDSTONE_OK)
                r = transfer_secret(m->host, "password", s.password_file, s.credential, &password);
        s.transfer.url = m->url;
        if (r == WARDSTONE_OK)
                r = transfer_open(&m->transfer, m->host, &s.transfer);
        if (r != WARDSTONE_OK)
                return r;
        CURLcode code = set_options(m, &s, password);
        return code == CURLE_OK ? WARDSTONE_OK : refuse(m, curl_easy_strerror(code));
}

static void notify_smtp_close(void *self) {
        NotifySmtp *m = self;

        transfer_close(&m->transfer);
        curl_slist_free_all(m->recipients);
        curl_free(m->url);
        json_decref(m->config);
        free(m);
}

static int notify_smtp_open(const struct wardstone_host *host, const char *config, void **ret_self) {
        NotifySmtp *m = calloc(1, sizeof *m);

        if (!m)
                return host->fail(host, WARDSTONE_RETRY, "out of memory");
        m->host = host;
        m->config = json_loads(config, JSON_REJECT_DUPLICATES, NULL);
        int r = set_up(m);
        if (r == WARDSTONE_OK)
                *ret_self = m;
        else
                notify_smtp_close(m);
        return r;
}

/* --- delivery --- */

static int judge(NotifySmtp *m, CURLcode code, long status) {
        if (code == CURLE_OK) {
                if (*m->refusal)
                        m->host->log(m->host, WARDSTONE_WARNING,
                                        "the server took the mail but not all of it: %s", m->refusal);
                return WARDSTONE_OK;
        }
        /* 4yz may pass, 5yz will not (RFC 5321 4.2.1); without an answer of that kind it is the connection */
        if (status >= 400 && status < 600 && *m->refusal)
                return m->host->fail(m->host, status < 500 ? WARDSTONE_RETRY : WARDSTONE_CONFIGURATION,
                                "the server refuses: %s", m->refusal);
        return transfer_failed(&m->transfer, code);
}

static int send_mail(NotifySmtp *m, const char *mail, size_t len, int64_t until_us) {
        long status;

        m->upload = mail;
        m->left = len;
        m->refusal[0] = '\0';
        CURLcode code = curl_easy_setopt(m->transfer.curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t) len);
        if (code != CURLE_OK)
                return transfer_failed(&m->transfer, code);
        code = transfer_run(&m->transfer, until_us, &status);
        return judge(m, code, status);
}

static int notify_smtp_deliver(void *self, const char *notice) {
        NotifySmtp *m = self;
        _cleanup_free_ char *mail = NULL;
        Stamp now = { 0 };
        size_t len;
        Error e;

        clock_now(&now);
        json_t *object = json_loads(notice, 0, NULL);
        int r = mail_compose(&m->mail, object, now.wall_us, &mail, &len, &e);
        json_decref(object);
        if (r < 0)
                return m->host->fail(m->host, r == -ENOMEM ? WARDSTONE_RETRY : WARDSTONE_CONFIGURATION, "%s",
                                e.message);
        return send_mail(m, mail, len, now.mono_us + m->timeout_us);
}

const struct wardstone_notify_plugin wardstone_notify_plugin = {
        .abi = WARDSTONE_NOTIFY_ABI,
        .name = "notify-smtp",
        .open = notify_smtp_open,
        .deliver = notify_smtp_deliver,
        .close = notify_smtp_close,
};
