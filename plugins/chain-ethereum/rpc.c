#include "rpc.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"

enum { WHY_MAX = 200, LABEL_MAX = 64, CONNECT_MS = 2000 };

#define BACK_US (60 * USEC_PER_SEC)
#define LEFT_US (10 * USEC_PER_MSEC) /* of a round: not enough for another node */

/* --- opening --- */

/* libcurl's */
static size_t on_answer(char *data, size_t size, size_t n, void *userdata) {
        Rpc *r = userdata;

        if (n * size > RPC_ANSWER_MAX - r->answer_len) {
                r->too_long = true;
                return 0;
        }
        memcpy(r->answer + r->answer_len, data, n * size);
        r->answer_len += n * size;
        return n * size;
}

static bool add_header(struct curl_slist **list, const char *text) {
        struct curl_slist *longer = curl_slist_append(*list, text);

        if (longer)
                *list = longer;
        return longer != NULL;
}

static int set_up(Rpc *r) {
        CURL *curl = r->transfer.curl;
        const long connect_ms =
                        MIN((long) CONNECT_MS, (long) (r->options.transfer.timeout_us / USEC_PER_MSEC));

        r->answer = malloc(RPC_ANSWER_MAX);
        if (!r->answer || !add_header(&r->headers, "Content-Type: application/json") ||
                        /* the answer to the headers alone is not waited for */
                        !add_header(&r->headers, "Expect:") ||
                        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, r->headers) != CURLE_OK ||
                        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) != CURLE_OK ||
                        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer) != CURLE_OK ||
                        curl_easy_setopt(curl, CURLOPT_WRITEDATA, r) != CURLE_OK ||
                        curl_easy_setopt(curl, CURLOPT_USERAGENT, "wardstone/" WARDSTONE_VERSION) !=
                                        CURLE_OK)
                return r->host->fail(r->host, WARDSTONE_RETRY, "out of memory");
        return WARDSTONE_OK;
}

int rpc_open(Rpc *r, const struct wardstone_host *host, const RpcOptions *o) {
        *r = (Rpc){ .host = host, .options = *o };
        if (o->count == 0 || o->count > RPC_ENDPOINTS_MAX)
                return host->fail(
                                host, WARDSTONE_CONFIGURATION, "expected 1 to %d nodes", RPC_ENDPOINTS_MAX);
        r->options.transfer.url = o->endpoints[0];
        r->options.transfer.schemes = "http,https";
        int result = transfer_open(&r->transfer, host, &r->options.transfer);
        if (result == WARDSTONE_OK)
                result = transfer_authorize(
                                &r->transfer, &(TransferLogin){ .username = o->username,
                                                              .password_file = o->password_file,
                                                              .password_credential = o->password_credential,
                                                              .token_file = o->token_file,
                                                              .token_credential = o->token_credential });
        return result == WARDSTONE_OK ? set_up(r) : result;
}

void rpc_close(Rpc *r) {
        transfer_close(&r->transfer);
        curl_slist_free_all(r->headers);
        free(r->answer);
        *r = (Rpc){ 0 };
}

void rpc_begin(Rpc *r, int64_t until_us) {
        r->until_us = until_us;
        memset(r->checked, 0, sizeof r->checked);
}

/* --- one node --- */

/* host:port of a URL: what is behind may be a key, and what is before an @ a password. */
static void label_of(const char *url, char ret[static LABEL_MAX]) {
        const char *start = strstr(url, "://");

        start = start ? start + 3 : url;
        size_t len = strcspn(start, "/?#");
        const char *at = memrchr(start, '@', len);
        if (at) {
                len -= (size_t) (at + 1 - start);
                start = at + 1;
        }
        (void) snprintf(ret, LABEL_MAX, "%.*s", (int) len, start);
}

/* What a node said where it was no answer. */
static int judge_status(long status, char why[static WHY_MAX]) {
        if (status == 401 || status == 403) {
                (void) snprintf(why, WHY_MAX, "HTTP status %ld: it does not let us in", status);
                return WARDSTONE_CONFIGURATION;
        }
        if (status >= 200 && status < 300)
                (void) snprintf(why, WHY_MAX, "it does not answer as a node does");
        else
                (void) snprintf(why, WHY_MAX, "HTTP status %ld", status);
        return WARDSTONE_RETRY;
}

static bool may_be_answer(long status) {
        return status >= 200 && status < 500 && status != 401 && status != 403 && status != 429;
}

/* WARDSTONE_OK, RPC_REFUSED, or why it is none of both. */
static int ask(Rpc *r, size_t node, const char *body, uint64_t id, json_t **ret, RpcError *ret_error,
                char why[static WHY_MAX]) {
        CURL *curl = r->transfer.curl;
        CURLcode code = CURLE_OUT_OF_MEMORY;
        const char *text;
        long status = 0;
        Stamp now = { 0 };

        clock_now(&now);
        r->answer_len = 0;
        r->too_long = false;
        if (curl_easy_setopt(curl, CURLOPT_URL, r->options.endpoints[node]) == CURLE_OK &&
                        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body) == CURLE_OK)
                code = transfer_run(&r->transfer,
                                MIN(now.mono_us + r->options.transfer.timeout_us, r->until_us), &status);
        (void) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (char *) NULL);
        if (r->too_long) {
                (void) snprintf(why, WHY_MAX, "its answer is too long");
                return WARDSTONE_RETRY;
        }
        if (code != CURLE_OK) {
                int result = transfer_judge(&r->transfer, code, &text);
                (void) snprintf(why, WHY_MAX, "%s", text);
                return result;
        }
        int parsed = may_be_answer(status)
                                     ? rpc_answer_parse(BYTES(r->answer, r->answer_len), id, ret, ret_error)
                                     : -1;
        if (parsed < 0)
                return judge_status(status, why);
        return parsed == 0 ? WARDSTONE_OK : RPC_REFUSED;
}

/* NULL: memory is out. params is taken over. */
static char *format_call(Rpc *r, const char *method, json_t *params) {
        json_t *call = params ? json_pack("{s:s,s:I,s:s,s:o}", "jsonrpc", "2.0", "id", (json_int_t) ++r->id,
                                                "method", method, "params", params)
                              : NULL;
        char *body = call ? json_dumps(call, JSON_COMPACT) : NULL;

        json_decref(call);
        return body;
}

/* Is it of our chain? Asked once a round. */
static int check_chain(Rpc *r, size_t node, char why[static WHY_MAX]) {
        json_t *result = NULL;
        uint64_t chain_id = 0;
        RpcError e;

        if (r->options.chain_id == 0 || r->checked[node])
                return WARDSTONE_OK;
        _cleanup_free_ char *body = format_call(r, "eth_chainId", json_array());
        if (!body) {
                (void) snprintf(why, WHY_MAX, "out of memory");
                return WARDSTONE_RETRY;
        }
        int answered = ask(r, node, body, r->id, &result, &e, why);
        if (answered == RPC_REFUSED)
                (void) snprintf(why, WHY_MAX, "%.*s", WHY_MAX - 1, e.message);
        if (answered != WARDSTONE_OK)
                return answered == RPC_REFUSED ? WARDSTONE_RETRY : answered;
        int read = rpc_read_quantity(result, &chain_id);
        json_decref(result);
        if (read < 0 || chain_id != r->options.chain_id) {
                (void) snprintf(why, WHY_MAX, "it is of chain %" PRIu64 ", expected %" PRIu64, chain_id,
                                r->options.chain_id);
                return WARDSTONE_CONFIGURATION;
        }
        r->checked[node] = true;
        return WARDSTONE_OK;
}

/* --- the first that answers --- */

static int64_t mono_now(void) {
        Stamp now = { 0 };

        clock_now(&now);
        return now.mono_us;
}

static void prefer(Rpc *r, size_t node) {
        char label[LABEL_MAX];

        if (node == r->current)
                return;
        label_of(r->options.endpoints[node], label);
        r->host->log(r->host, WARDSTONE_INFO, "asks %s from now on", label);
        r->current = node;
}

/* All that were asked have failed. The next round begins behind the last of them: one that only keeps silent leaves no
 * time for others. */
static int give_up(Rpc *r, size_t last, const char *reasons, bool is_operators) {
        r->current = (last + 1) % r->options.count;
        return r->host->fail(
                        r->host, is_operators ? WARDSTONE_CONFIGURATION : WARDSTONE_RETRY, "%s", reasons);
}

static int call_nodes(Rpc *r, const char *body, uint64_t id, json_t **ret, RpcError *ret_error) {
        char reasons[2 * (WHY_MAX + LABEL_MAX)] = "", why[WHY_MAX], label[LABEL_MAX];
        bool is_operators = true;
        size_t len = 0, node = 0;
        int64_t now_us = mono_now();

        if (now_us >= r->back_us) { /* the first one is the best: it gets another chance */
                r->current = 0;
                r->back_us = now_us + BACK_US;
        }
        const size_t start = r->current;
        for (size_t i = 0; i < r->options.count; i++) {
                node = (start + i) % r->options.count;
                int result = check_chain(r, node, why);
                if (result == WARDSTONE_OK)
                        result = ask(r, node, body, id, ret, ret_error, why);
                if (result == WARDSTONE_OK || result == RPC_REFUSED) {
                        prefer(r, node);
                        return result;
                }
                r->checked[node] = false;
                is_operators = is_operators && result == WARDSTONE_CONFIGURATION;
                label_of(r->options.endpoints[node], label);
                int n = snprintf(reasons + len, sizeof reasons - len, "%s%s: %s", len > 0 ? "; " : "", label,
                                why);
                len = MIN(len + (size_t) n, sizeof reasons - 1);
                if (mono_now() + LEFT_US >= r->until_us)
                        break;
        }
        return give_up(r, node, reasons, is_operators);
}

int rpc_call(Rpc *r, const char *method, json_t *params, json_t **ret, RpcError *ret_error) {
        _cleanup_free_ char *body = format_call(r, method, params);

        if (!body)
                return r->host->fail(r->host, WARDSTONE_RETRY, "out of memory");
        return call_nodes(r, body, r->id, ret, ret_error);
}

int rpc_refused(const Rpc *r, const char *what, const RpcError *e) {
        bool is_operators = e->refusal == RPC_FUNDS || e->refusal == RPC_NOT_PERMITTED;

        return r->host->fail(r->host, is_operators ? WARDSTONE_CONFIGURATION : WARDSTONE_RETRY,
                        "%s: %s (%" PRId64 ")", what, e->message[0] ? e->message : "refused", e->code);
}
