/* The transaction that was sent last is known by its hashes. A receipt says that it is in a block, and whether it was
 * refused there. Without one it waits in the node's pool, or the pool has lost it (then the same bytes are sent again), or
 * it can never come because another one had its nonce (then it is forgotten: what the chain has is the contract's to say).
 * Nothing that is guessed here does harm: the contract takes a checkpoint once. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "ethereum.h"
#include "hex.h"

/* What is refused within a block was fine when it was asked before. That many in a row are more than bad luck. */
enum { REVERTS_MAX = 3 };

/* A node tells of a nonce, of a receipt and of what waits from places of its own, which change one after the other. */
#define DOUBT_US (5 * USEC_PER_SEC)

/* --- kept --- */

static bool is_of_these_settings(const Ethereum *c, const Sent *t) {
        return t->chain_id == c->settings.rpc.chain_id &&
               address_equal(&t->contract, &c->settings.contract) &&
               address_equal(&t->sender, &c->account.address);
}

int ethereum_load(Ethereum *c) {
        const struct wardstone_host *host = c->host;
        size_t len = 0;

        if (c->loaded)
                return WARDSTONE_OK;
        _cleanup_free_ char *text = malloc(WARDSTONE_STATE_MAX);
        if (!text)
                return host->fail(host, WARDSTONE_RETRY, "out of memory");
        int r = host->load(host, text, &len);
        if (r != WARDSTONE_OK)
                return r;
        if (state_parse(text, len, &c->state) < 0)
                host->log(host, WARDSTONE_WARNING,
                                "what was saved is not readable; the contract is asked instead");
        if (c->state.sent.stage != SENT_NOTHING && !is_of_these_settings(c, &c->state.sent)) {
                host->log(host, WARDSTONE_WARNING,
                                "the transaction of size %" PRIu64
                                " was of another chain, contract or key and is"
                                " not followed any more",
                                c->state.sent.size);
                c->state.sent = (Sent){ 0 };
        }
        c->loaded = true;
        return WARDSTONE_OK;
}

int ethereum_save(Ethereum *c) {
        _cleanup_free_ char *text = malloc(STATE_TEXT_MAX);
        size_t len;

        if (!text || state_format(&c->state, text, &len) < 0)
                return c->host->fail(c->host, WARDSTONE_RETRY, "saved state: out of memory");
        return c->host->save(c->host, text, len);
}

static int forget(Ethereum *c, const char *why) {
        c->host->log(c->host, WARDSTONE_WARNING,
                        "the transaction of size %" PRIu64 " (nonce %" PRIu64 "): %s", c->state.sent.size,
                        c->state.sent.nonce, why);
        c->state.sent = (Sent){ 0 };
        return ethereum_save(c);
}

/* It cannot come any more, by what the node says. Believed when it has said so for a while; until then it waits. */
static int doubt(Ethereum *c, const char *why) {
        Stamp now = { 0 };

        clock_now(&now);
        if (c->doubted_us == 0)
                c->doubted_us = now.mono_us;
        return now.mono_us - c->doubted_us < DOUBT_US ? WARDSTONE_OK : forget(c, why);
}

/* --- in a block --- */

/* The newest attempt's first: it is the likeliest. */
static int find_receipt(Ethereum *c, RpcReceipt *ret, Hash *ret_hash) {
        const Sent *t = &c->state.sent;
        RpcError e;

        *ret = (RpcReceipt){ 0 };
        for (size_t i = t->attempt_count; i-- > 0 && !ret->found;) {
                int r = rpc_receipt(&c->rpc, &t->attempts[i], ret, &e);
                if (r != WARDSTONE_OK)
                        return ethereum_failed(c, r, "eth_getTransactionReceipt", &e);
                *ret_hash = t->attempts[i];
        }
        return WARDSTONE_OK;
}

static int accepted(Ethereum *c, const RpcReceipt *receipt, const Hash *hash) {
        Sent *t = &c->state.sent;

        if (t->stage == SENT_MINED && t->block == receipt->block && hash_equal(&t->mined, hash))
                return WARDSTONE_OK;
        t->stage = SENT_MINED;
        t->block = receipt->block;
        t->mined = *hash;
        c->state.reverts = 0;
        return ethereum_save(c);
}

/* Asks what it was refused for: the same call on top of the same block. */
static int find_reason(Ethereum *c, const Sent *t, const RpcReceipt *receipt, const char *said) {
        _cleanup_free_ uint8_t *answer = NULL;
        char number[QUANTITY_SIZE];
        size_t len;
        RpcError e;

        quantity_write(receipt->block, number);
        int r = rpc_view(&c->rpc, &c->account.address, &t->contract, BYTES(t->data, t->data_len), number,
                        &answer, &len, &e);
        if (r == RPC_REFUSED && e.refusal == RPC_REVERTED)
                return ethereum_refused(c, said, BYTES(e.data, e.data_len));
        c->host->log(c->host, WARDSTONE_WARNING, "%s: it used %" PRIu64 " of %" PRIu64 " gas", said,
                        receipt->gas_used, t->gas_limit);
        return WARDSTONE_OK;
}

static int refused_in_block(Ethereum *c, const RpcReceipt *receipt, const Hash *hash) {
        const struct wardstone_host *host = c->host;
        char text[HASH_TEXT_SIZE], said[HASH_TEXT_SIZE + 64];
        _cleanup_free_ Sent *was = malloc(sizeof *was);

        if (!was)
                return host->fail(host, WARDSTONE_RETRY, "out of memory");
        *was = c->state.sent;
        hex_write(BYTES(hash->bytes, SHA256_SIZE), text);
        (void) snprintf(said, sizeof said, "%s failed in block %" PRIu64, text, receipt->block);
        c->state.reverts++;
        c->state.sent = (Sent){ 0 };
        int r = ethereum_save(c);
        if (r == WARDSTONE_OK)
                r = find_reason(c, was, receipt, said);
        if (r == WARDSTONE_OK && c->state.reverts >= REVERTS_MAX)
                r = host->fail(host, WARDSTONE_CONFIGURATION,
                                "%s, as %u before it did: does something else send for this gateway, is"
                                " gas_margin too small?",
                                said, c->state.reverts - 1);
        return r;
}

static int found(Ethereum *c, const RpcReceipt *receipt, const Hash *hash) {
        c->doubted_us = 0;
        return receipt->success ? accepted(c, receipt, hash) : refused_in_block(c, receipt, hash);
}

/* Its nonce is used up. By one of ours after all, which got into a block since the receipts were asked for? */
static int overtaken(Ethereum *c) {
        Hash hash = { 0 };
        RpcReceipt receipt;

        int r = find_receipt(c, &receipt, &hash);
        if (r != WARDSTONE_OK)
                return r;
        return receipt.found ? found(c, &receipt, &hash) : doubt(c, "another one had its nonce");
}

/* --- in no block --- */

static int is_any_known(Ethereum *c, bool *ret) {
        const Sent *t = &c->state.sent;
        RpcTransaction known = { 0 };
        RpcError e;

        for (size_t i = t->attempt_count; i-- > 0 && !known.found;) {
                int r = rpc_transaction(&c->rpc, &t->attempts[i], &known, &e);
                if (r != WARDSTONE_OK)
                        return ethereum_failed(c, r, "eth_getTransactionByHash", &e);
        }
        *ret = known.found;
        return WARDSTONE_OK;
}

int ethereum_offer(Ethereum *c) {
        const Sent *t = &c->state.sent;
        bool known = false;
        RpcError e;

        int r = rpc_send(&c->rpc, BYTES(t->raw, t->raw_len), &e);
        if (r == RPC_REFUSED && e.refusal == RPC_ALREADY_KNOWN)
                r = WARDSTONE_OK;
        if (r == WARDSTONE_OK)
                c->doubted_us = 0;
        if (r != RPC_REFUSED)
                return r;
        if (e.refusal == RPC_NONCE_LOW)
                return overtaken(c);
        r = is_any_known(c, &known);
        if (r != WARDSTONE_OK || known)
                return r;
        if (e.refusal == RPC_FUNDS && __builtin_mul_overflow(t->fee, t->gas_limit, &c->needs))
                c->needs = UINT64_MAX;
        r = forget(c, e.message);
        return r == WARDSTONE_OK ? rpc_refused(&c->rpc, "eth_sendRawTransaction", &e) : r;
}

/* A clock that was set back counts from then on. */
static bool is_late(Ethereum *c) {
        Sent *t = &c->state.sent;
        Stamp now = { 0 };

        clock_now(&now);
        if (now.wall_us < t->sent_us)
                t->sent_us = now.wall_us;
        return now.wall_us - t->sent_us >= c->settings.replace_after_us;
}

static int wait_on(Ethereum *c) {
        const Sent *t = &c->state.sent;
        RpcTransaction newest;
        uint64_t next;
        RpcError e;

        int r = rpc_nonce(&c->rpc, &c->account.address, "pending", &next, &e);
        if (r != WARDSTONE_OK)
                return ethereum_failed(c, r, "eth_getTransactionCount", &e);
        if (next < t->nonce)
                return doubt(c, "those before it are gone");
        r = rpc_transaction(&c->rpc, &t->attempts[t->attempt_count - 1], &newest, &e);
        if (r != WARDSTONE_OK)
                return ethereum_failed(c, r, "eth_getTransactionByHash", &e);
        if (newest.found)
                c->doubted_us = 0;
        else
                r = ethereum_offer(c);
        bool waits = r == WARDSTONE_OK && ethereum_is_open(c) && c->doubted_us == 0;
        return waits && is_late(c) ? ethereum_replace(c) : r;
}

int ethereum_settle(Ethereum *c) {
        Sent *t = &c->state.sent;
        Hash hash = { 0 };
        RpcReceipt receipt;
        uint64_t used;
        RpcError e;

        if (t->stage == SENT_NOTHING || c->settled)
                return WARDSTONE_OK;
        int r = find_receipt(c, &receipt, &hash);
        if (r != WARDSTONE_OK)
                return r;
        if (receipt.found)
                return found(c, &receipt, &hash);
        if (t->stage == SENT_MINED) {
                c->host->log(c->host, WARDSTONE_WARNING,
                                "the chain took block %" PRIu64 " back, with size %" PRIu64 " in it",
                                t->block, t->size);
                t->stage = SENT_OPEN;
        }
        r = rpc_nonce(&c->rpc, &c->account.address, "latest", &used, &e);
        if (r != WARDSTONE_OK)
                return ethereum_failed(c, r, "eth_getTransactionCount", &e);
        return used > t->nonce ? overtaken(c) : wait_on(c);
}
