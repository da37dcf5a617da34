#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "ethereum.h"
#include "hex.h"
#include "transaction.h"

/* --- what gas costs --- */

static int ask_legacy_market(Ethereum *c, Market *ret) {
        RpcError e;

        int r = rpc_gas_price(&c->rpc, &ret->price, &e);
        return r == WARDSTONE_OK ? r : ethereum_failed(c, r, "eth_gasPrice", &e);
}

static int ask_market(Ethereum *c, Market *ret) {
        const FeeLimits *limits = &c->settings.fees;
        RpcBlock block;
        RpcError e;

        *ret = (Market){ 0 };
        if (limits->most.max == 0)
                return WARDSTONE_OK;
        if (limits->legacy)
                return ask_legacy_market(c, ret);
        int r = rpc_block(&c->rpc, "latest", &block, &e);
        if (r != WARDSTONE_OK)
                return ethereum_failed(c, r, "eth_getBlockByNumber", &e);
        if (!block.has_base_fee)
                return c->host->fail(c->host, WARDSTONE_CONFIGURATION,
                                "type: the chain has no EIP-1559: set type: legacy");
        ret->price = block.base_fee;
        r = rpc_priority_fee(&c->rpc, &ret->tip, &e);
        if (r == RPC_REFUSED) { /* a node that suggests nothing gets as much as it may */
                ret->tip = limits->most.tip;
                return WARDSTONE_OK;
        }
        return r;
}

static int choose_fees(Ethereum *c, Fees *ret) {
        const struct wardstone_host *host = c->host;
        const FeeLimits *limits = &c->settings.fees;
        Market market;

        int r = ask_market(c, &market);
        if (r != WARDSTONE_OK)
                return r;
        if (fees_choose(limits, &market, ret) < 0)
                return host->fail(host, WARDSTONE_RETRY,
                                "gas costs %" PRIu64 " wei, which is above %s (%" PRIu64 " wei)",
                                market.price, limits->legacy ? "gas_price" : "max_fee", limits->most.max);
        return WARDSTONE_OK;
}

/* Before anything is signed: on what an account lacks, a node's answer would be the same and less clear. */
static int check_funds(Ethereum *c, uint64_t gas_limit, const Fees *fees) {
        char account[ADDRESS_TEXT_SIZE];
        uint64_t balance, cost;
        RpcError e;

        c->needs = 0;
        if (fees->max == 0)
                return WARDSTONE_OK;
        if (__builtin_mul_overflow(gas_limit, fees->max, &cost))
                cost = UINT64_MAX;
        int r = rpc_balance(&c->rpc, &c->account.address, &balance, &e);
        if (r != WARDSTONE_OK)
                return ethereum_failed(c, r, "eth_getBalance", &e);
        if (balance >= cost)
                return WARDSTONE_OK;
        c->needs = cost;
        address_format(&c->account.address, account);
        return c->host->fail(c->host, WARDSTONE_CONFIGURATION,
                        "the account %s has %" PRIu64 " wei, and an anchor may cost %" PRIu64
                        ": somebody has to send it more",
                        account, balance, cost);
}

/* --- signing --- */

/* Signs what t says, as its newest attempt. */
static int sign(Ethereum *c, Sent *t) {
        const Transaction transaction = { .type = c->settings.fees.legacy ? TRANSACTION_LEGACY
                                                                          : TRANSACTION_EIP1559,
                .chain_id = t->chain_id,
                .nonce = t->nonce,
                .gas_limit = t->gas_limit,
                .max_fee = t->fee,
                .priority_fee = t->tip,
                .to = &t->contract,
                .data = BYTES(t->data, t->data_len) };
        _cleanup_free_ uint8_t *raw = NULL;
        Stamp now = { 0 };
        size_t len;

        int r = transaction_sign(&transaction, &c->account, &raw, &len, &t->attempts[t->attempt_count]);
        if (r == 0 && len > sizeof t->raw)
                r = -EMSGSIZE;
        if (r < 0)
                return c->host->fail(c->host, r == -ENOMEM ? WARDSTONE_RETRY : WARDSTONE_CONFIGURATION,
                                "cannot sign: %s", strerror(-r));
        memcpy(t->raw, raw, len);
        t->raw_len = len;
        t->attempt_count++;
        clock_now(&now);
        t->sent_us = now.wall_us;
        return WARDSTONE_OK;
}

/* t takes the place of what was kept, and is sent once it is on disk. */
static int save_and_offer(Ethereum *c, const Sent *t) {
        char hash[HASH_TEXT_SIZE];
        Sent *kept = &c->state.sent;

        *kept = *t;
        c->settled = false;
        c->doubted_us = 0;
        int r = ethereum_save(c);
        if (r != WARDSTONE_OK) {
                /* whether it is on disk or not: it was not sent */
                c->loaded = false;
                return r;
        }
        hex_write(BYTES(kept->attempts[kept->attempt_count - 1].bytes, SHA256_SIZE), hash);
        c->host->log(c->host, WARDSTONE_DEBUG, "size %" PRIu64 ": sending %s, nonce %" PRIu64, kept->size,
                        hash, kept->nonce);
        return ethereum_offer(c);
}

/* --- a new one --- */

static int estimate_gas(Ethereum *c, Bytes data, uint64_t *ret) {
        uint64_t estimate;
        RpcError e;

        int r = rpc_estimate_gas(&c->rpc, &c->account.address, &c->settings.contract, data, &estimate, &e);
        if (r == RPC_REFUSED && e.refusal == RPC_REVERTED) {
                r = ethereum_refused(c, "anchor", BYTES(e.data, e.data_len));
                return r == WARDSTONE_OK ? c->host->fail(c->host, WARDSTONE_RETRY,
                                                           "the contract has moved on since it was asked")
                                         : r;
        }
        if (r != WARDSTONE_OK)
                return ethereum_failed(c, r, "eth_estimateGas", &e);
        *ret = gas_with_margin(estimate, c->settings.gas_margin);
        return WARDSTONE_OK;
}

int ethereum_send(Ethereum *c, const Speaker *s, uint64_t size, Bytes data) {
        _cleanup_free_ Sent *t = calloc(1, sizeof *t);
        Fees fees = { 0 };
        RpcError e;

        if (!t)
                return c->host->fail(c->host, WARDSTONE_RETRY, "out of memory");
        if (data.len > sizeof t->data || strlen(s->origin) >= sizeof t->origin)
                return c->host->fail(
                                c->host, WARDSTONE_CONFIGURATION, "the proof or the origin is too long");
        *t = (Sent){ .stage = SENT_OPEN,
                .chain_id = c->settings.rpc.chain_id,
                .contract = c->settings.contract,
                .sender = c->account.address,
                .size = size,
                .data_len = data.len };
        memcpy(t->data, data.data, data.len);
        (void) snprintf(t->origin, sizeof t->origin, "%s", s->origin);
        int r = estimate_gas(c, data, &t->gas_limit);
        if (r == WARDSTONE_OK)
                r = choose_fees(c, &fees);
        if (r == WARDSTONE_OK)
                r = check_funds(c, t->gas_limit, &fees);
        if (r != WARDSTONE_OK)
                return r;
        t->fee = fees.max;
        t->tip = fees.tip;
        /* behind whatever else this account has under way */
        r = rpc_nonce(&c->rpc, &c->account.address, "pending", &t->nonce, &e);
        if (r != WARDSTONE_OK)
                return ethereum_failed(c, r, "eth_getTransactionCount", &e);
        r = sign(c, t);
        return r == WARDSTONE_OK ? save_and_offer(c, t) : r;
}

/* --- another one in its place --- */

int ethereum_replace(Ethereum *c) {
        const struct wardstone_host *host = c->host;
        Sent *t = &c->state.sent;
        const Fees old = { .max = t->fee, .tip = t->tip };
        Market market;
        Fees more;
        Stamp now = { 0 };

        int r = ask_market(c, &market);
        if (r != WARDSTONE_OK)
                return r;
        if (t->attempt_count == SENT_ATTEMPTS_MAX ||
                        fees_raise(&c->settings.fees, &old, &market, &more) < 0) {
                /* said, and thought about, again after as long */
                clock_now(&now);
                t->sent_us = now.wall_us;
                if (old.max > 0)
                        host->log(host, WARDSTONE_WARNING,
                                        "size %" PRIu64 " still waits at %" PRIu64
                                        " wei a gas (nonce %" PRIu64 "), and the settings allow no more",
                                        t->size, old.max, t->nonce);
                return WARDSTONE_OK;
        }
        _cleanup_free_ Sent *next = malloc(sizeof *next);
        if (!next)
                return host->fail(host, WARDSTONE_RETRY, "out of memory");
        *next = *t;
        next->fee = more.max;
        next->tip = more.tip;
        r = sign(c, next);
        if (r != WARDSTONE_OK)
                return r;
        host->log(host, WARDSTONE_INFO, "size %" PRIu64 " waits: %" PRIu64 " wei a gas instead of %" PRIu64,
                        t->size, more.max, old.max);
        return save_and_offer(c, next);
}
