#include "settings.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>

#include "base/clock.h"

#define GWEI              UINT64_C(1000000000)
#define FEE_MOST          ((uint64_t) INT64_MAX) /* nine ether a unit of gas */
#define REPLACE_AFTER_MIN (1 * USEC_PER_SEC)
#define REPLACE_AFTER_MAX (INT64_C(24) * 3600 * USEC_PER_SEC)

enum { GAS_MARGIN_MAX = 900, CONFIRMATIONS_MAX = 100000 };

static int refuse(const struct wardstone_host *host, const char *what) {
        return host->fail(host, WARDSTONE_CONFIGURATION, "%s", what);
}

/* --- nodes --- */

static int check_url(const struct wardstone_host *host, const char *text, bool insecure) {
        char *scheme = NULL, *name = NULL, *user = NULL;
        const char *wrong = NULL;

        CURLU *url = curl_url();
        if (!url)
                return host->fail(host, WARDSTONE_RETRY, "out of memory");
        if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
                        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
                        curl_url_get(url, CURLUPART_HOST, &name, 0) != CURLUE_OK ||
                        (!streq(scheme, "http") && !streq(scheme, "https")))
                wrong = "expected https://...";
        else if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK)
                wrong = "a user and a password belong below basic";
        else if (streq(scheme, "http") && !insecure && !transfer_is_loopback(name))
                wrong = "http only to this machine; use https, or insecure: true where the network is as"
                        " good as a wire";
        curl_free(scheme);
        curl_free(name);
        curl_free(user);
        curl_url_cleanup(url);
        /* not the text itself: a password may be in it */
        return wrong ? host->fail(host, WARDSTONE_CONFIGURATION, "endpoints: %s", wrong) : WARDSTONE_OK;
}

static int read_endpoints(
                const struct wardstone_host *host, const json_t *list, bool insecure, RpcOptions *rpc) {
        if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > RPC_ENDPOINTS_MAX)
                return host->fail(host, WARDSTONE_CONFIGURATION,
                                "endpoints: expected a list of 1 to %d URLs", RPC_ENDPOINTS_MAX);
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *url = json_string_value(json_array_get(list, i));
                int r = url ? check_url(host, url, insecure) : refuse(host, "endpoints: expected URLs");
                if (r != WARDSTONE_OK)
                        return r;
                rpc->endpoints[rpc->count++] = url;
        }
        return WARDSTONE_OK;
}

static int read_contract(const struct wardstone_host *host, const char *text, Address *ret) {
        switch (address_parse(text, ret)) {
        case 0:
                return WARDSTONE_OK;
        case -EILSEQ:
                return refuse(host, "contract: the checksum in its upper and lower case is wrong: a typing"
                                    " mistake?");
        default:
                return refuse(host, "contract: expected 0x and 40 hexadecimal digits");
        }
}

/* --- fees --- */

/* 0, or a text with a unit. */
static bool read_fee(const json_t *value, uint64_t *ret) {
        const char *text = json_string_value(value);
        uint64_t unit, n;
        char *end;

        if (json_is_integer(value) && json_integer_value(value) == 0) {
                *ret = 0;
                return true;
        }
        if (!text || *text < '0' || *text > '9')
                return false;
        errno = 0;
        n = strtoull(text, &end, 10);
        if (errno || (!streq(end, "wei") && !streq(end, "gwei")))
                return false;
        unit = streq(end, "gwei") ? GWEI : 1;
        return !__builtin_mul_overflow(n, unit, ret) && *ret <= FEE_MOST;
}

static int read_fees(
                const struct wardstone_host *host, const json_t *config, const char *type, FeeLimits *f) {
        const struct {
                const char *key;
                bool legacy;
                uint64_t *limit;
        } keys[] = {
                { "gas_price", true, &f->most.max },
                { "max_fee", false, &f->most.max },
                { "max_priority_fee", false, &f->most.tip },
        };

        f->legacy = streq(type, "legacy");
        if (!f->legacy && !streq(type, "eip1559"))
                return refuse(host, "type: expected eip1559 or legacy");
        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                const json_t *value = json_object_get(config, keys[i].key);
                if (!value)
                        continue;
                if (keys[i].legacy != f->legacy)
                        return host->fail(host, WARDSTONE_CONFIGURATION, "%s: not of type %s", keys[i].key,
                                        type);
                if (!read_fee(value, keys[i].limit))
                        return host->fail(host, WARDSTONE_CONFIGURATION,
                                        "%s: expected 0 or a number with its unit, as 200gwei or 1000wei",
                                        keys[i].key);
        }
        f->most.tip = MIN(f->most.tip, f->most.max);
        return WARDSTONE_OK;
}

/* --- finality --- */

static int read_finality(const struct wardstone_host *host, json_t *value, Settings *s) {
        json_int_t n;

        if (json_is_string(value) && streq(json_string_value(value), "instant")) {
                s->finality = FINALITY_INSTANT;
                return WARDSTONE_OK;
        }
        if (json_unpack(value, "{s:I!}", "confirmations", &n) == 0 && n >= 1 && n <= CONFIRMATIONS_MAX) {
                s->finality = FINALITY_CONFIRMATIONS;
                s->confirmations = (uint64_t) n;
                return WARDSTONE_OK;
        }
        if (json_unpack(value, "{s:s!}", "tag", &s->tag) == 0 &&
                        (streq(s->tag, "finalized") || streq(s->tag, "safe"))) {
                s->finality = FINALITY_TAG;
                return WARDSTONE_OK;
        }
        return refuse(host, "finality: expected instant (QBFT, IBFT), {confirmations: N} (Clique),"
                            " {tag: finalized} or {tag: safe} (proof of stake)");
}

/* --- all of it --- */

static int read_public_key(const struct wardstone_host *host, const char *base64, Settings *s) {
        size_t n = 0;

        if (!base64)
                return WARDSTONE_OK;
        if (sodium_base642bin(s->public_key.bytes, SHA256_SIZE, base64, strlen(base64), NULL, &n, NULL,
                            sodium_base64_VARIANT_ORIGINAL) != 0 ||
                        n != SHA256_SIZE)
                return refuse(host, "public_key: expected 32 bytes in base64");
        s->has_public_key = true;
        return WARDSTONE_OK;
}

static int read_numbers(const struct wardstone_host *host, json_int_t chain_id, json_int_t gas_margin,
                const char *replace_after, Settings *s) {
        if (chain_id < 1)
                return refuse(host, "chain_id: expected the chain's number, above 0");
        s->rpc.chain_id = (uint64_t) chain_id;
        if (gas_margin < 0 || gas_margin > GAS_MARGIN_MAX)
                return host->fail(host, WARDSTONE_CONFIGURATION, "gas_margin: expected 0 to %d percent",
                                GAS_MARGIN_MAX);
        s->gas_margin = (unsigned) gas_margin;
        if (duration_parse(replace_after, &s->replace_after_us) < 0 ||
                        s->replace_after_us < REPLACE_AFTER_MIN || s->replace_after_us > REPLACE_AFTER_MAX)
                return refuse(host, "replace_after: expected a duration of 1s to 1d");
        return WARDSTONE_OK;
}

int settings_read(const struct wardstone_host *host, json_t *config, Settings *ret) {
        const char *contract, *type = "eip1559", *replace_after = "60s", *timeout = "3s", *public_key = NULL;
        json_t *endpoints, *finality, *tls = NULL, *price = NULL, *fee = NULL, *tip = NULL;
        json_int_t chain_id, gas_margin = 25;
        RpcOptions *rpc = &ret->rpc;
        KeyOptions *key = &ret->key;
        int insecure = 0;
        json_error_t e;

        *ret = (Settings){ .fees.most = { .max = 200 * GWEI, .tip = 10 * GWEI } };
        /* the '!' refuses members that are not named here */
        if (json_unpack_ex(config, &e, 0,
                            "{s:o,s:s,s:I,s:{s?:s,s?:s,s?:s,s?:s,s?:s!},s:o,s?:s,s?:o,s?:o,s?:o,s?:I,s?:s,s?"
                            ":s,"
                            "s?:o,s?:s,s?:s,s?:{s:s,s?:s,s?:s!},s?:b,s?:s!}",
                            "endpoints", &endpoints, "contract", &contract, "chain_id", &chain_id, "key",
                            "key_file", &key->key_file, "credential", &key->credential, "keystore",
                            &key->keystore, "password_file", &key->password_file, "password_credential",
                            &key->password_credential, "finality", &finality, "type", &type, "gas_price",
                            &price, "max_fee", &fee, "max_priority_fee", &tip, "gas_margin", &gas_margin,
                            "replace_after", &replace_after, "timeout", &timeout, "tls", &tls, "token_file",
                            &rpc->token_file, "credential", &rpc->token_credential, "basic", "username",
                            &rpc->username, "password_file", &rpc->password_file, "credential",
                            &rpc->password_credential, "insecure", &insecure, "public_key", &public_key) < 0)
                return host->fail(host, WARDSTONE_CONFIGURATION, "config: %s", e.text);
        int r = read_endpoints(host, endpoints, insecure, rpc);
        if (r == WARDSTONE_OK)
                r = read_contract(host, contract, &ret->contract);
        if (r == WARDSTONE_OK)
                r = read_numbers(host, chain_id, gas_margin, replace_after, ret);
        if (r == WARDSTONE_OK)
                r = read_fees(host, config, type, &ret->fees);
        if (r == WARDSTONE_OK)
                r = read_finality(host, finality, ret);
        if (r == WARDSTONE_OK)
                r = transfer_timeout(host, timeout, &rpc->transfer.timeout_us);
        if (r == WARDSTONE_OK)
                r = transfer_tls(host, tls, &rpc->transfer);
        return r == WARDSTONE_OK ? read_public_key(host, public_key, ret) : r;
}
