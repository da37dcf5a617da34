/* What the channels over libcurl share: a handle that keeps to a deadline, TLS, secrets, and what a failure means. */
#pragma once

#include <curl/curl.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/macro.h"
#include "wardstone/plugin.h"

enum { TRANSFER_SECRET_MAX = 4096 };

typedef struct TransferOptions {
        const char *url;
        const char *schemes;         /* what may be spoken, as "http,https" */
        const char *ca, *cert, *key; /* files; NULL: the system's CAs, no client certificate */
        int64_t timeout_us;
} TransferOptions;

/* Who we are: a user with a password, or a bearer token; neither where all is NULL. */
typedef struct TransferLogin {
        const char *username, *password_file, *password_credential;
        const char *token_file, *token_credential;
} TransferLogin;

typedef struct Transfer {
        const struct wardstone_host *host;
        CURL *curl;
        int64_t until_us; /* of the transfer that is under way */
        char error[CURL_ERROR_SIZE];
} Transfer;

/* All return a wardstone_result and have said host->fail() where it is not WARDSTONE_OK. */

/* Does not connect. What is half open is closed by transfer_close() as well. */
int transfer_open(Transfer *t, const struct wardstone_host *host, const TransferOptions *o) _must_check_;
void transfer_close(Transfer *t);
/* For HTTP, of all that follows. */
int transfer_authorize(Transfer *t, const TransferLogin *l) _must_check_;
/* One transfer, over by until_us (CLOCK_BOOTTIME), or a second later where the other side does not say good-bye.
 * ret_status: HTTP's or SMTP's last, 0 where there was none. */
CURLcode transfer_run(Transfer *t, int64_t until_us, long *ret_status);
/* What libcurl's failure means: certificates are an operator's matter, everything else may pass. */
int transfer_failed(const Transfer *t, CURLcode code) _must_check_;
/* The same without saying it; the text is t's. */
int transfer_judge(const Transfer *t, CURLcode code, const char **ret_text) _must_check_;

/* A duration up to 8 s: a call's deadline is 10 s. */
int transfer_timeout(const struct wardstone_host *host, const char *text, int64_t *ret_us) _must_check_;
/* {ca, cert, key}; tls may be NULL. The strings stay the object's. */
int transfer_tls(const struct wardstone_host *host, json_t *tls, TransferOptions *ret) _must_check_;
/* One line from a file or from a credential of the service manager; NULL where neither is named.
 * transfer_forget() it. */
int transfer_secret(const struct wardstone_host *host, const char *what, const char *file,
                const char *credential, char **ret) _must_check_;
void transfer_forget(char *secret);
DEFINE_CLEANUP(char *, transfer_forget);

/* Never leaves this machine: a loopback address, or "localhost", which libcurl does not ask DNS for. */
bool transfer_is_loopback(const char *host);
