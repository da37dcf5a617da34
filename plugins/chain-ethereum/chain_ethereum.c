/* chain-ethereum: checkpoints into the contract WardstoneAnchors on a chain of Ethereum's family, over JSON-RPC.
 *
 * One transaction is under way at a time. It is saved with its hash before it is sent, so whatever happens, head() finds
 * out what became of it before anything else is signed (settle.c). What the chain has is what the contract says, never
 * what was sent. Each call of the plugin asks anew: the only memory is that transaction.
 *
 * Settings: docs/plugins.md. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "ethereum.h"
#include "hex.h"

/* --- opening --- */

static void chain_ethereum_close(void *self) {
        Ethereum *c = self;

        rpc_close(&c->rpc);
        account_forget(&c->account);
        json_decref(c->config);
        free(c);
}

static int set_up(Ethereum *c) {
        char address[ADDRESS_TEXT_SIZE];

        int r = settings_read(c->host, c->config, &c->settings);
        if (r == WARDSTONE_OK)
                r = rpc_open(&c->rpc, c->host, &c->settings.rpc);
        if (r == WARDSTONE_OK)
                r = key_load(c->host, &c->settings.key, &c->account);
        if (r != WARDSTONE_OK)
                return r;
        address_format(&c->account.address, address);
        c->host->log(c->host, WARDSTONE_INFO, "the account is %s", address);
        return WARDSTONE_OK;
}

static int chain_ethereum_open(const struct wardstone_host *host, const char *config, void **ret_self) {
        Ethereum *c = calloc(1, sizeof *c);

        if (!c)
                return host->fail(host, WARDSTONE_RETRY, "out of memory");
        c->host = host;
        c->config = json_loads(config, JSON_REJECT_DUPLICATES, NULL);
        int r = set_up(c);
        if (r == WARDSTONE_OK)
                *ret_self = c;
        else
                chain_ethereum_close(c);
        return r;
}

/* --- what all calls begin and end with --- */

static int read_origin(Ethereum *c, const char *origin, Speaker *ret) {
        const char *slash = strrchr(origin, '/');
        char *end = NULL;

        *ret = (Speaker){ .origin = origin };
        errno = 0;
        if (slash && slash > origin && slash[1] >= '0' && slash[1] <= '9')
                ret->epoch = strtoull(slash + 1, &end, 10);
        if (!end || *end || errno)
                return c->host->fail(
                                c->host, WARDSTONE_CONFIGURATION, "origin '%s' is not NAME/EPOCH", origin);
        ret->name_len = (int) (slash - origin);
        abi_gateway(BYTES(origin, slash - origin), &ret->gateway);
        return WARDSTONE_OK;
}

/* Is an anchor still more than the account has? Only asked where it was: what it costs is not known before. */
static int check_needs(Ethereum *c) {
        char account[ADDRESS_TEXT_SIZE];
        uint64_t balance;
        RpcError e;

        if (c->needs == 0)
                return WARDSTONE_OK;
        int r = rpc_balance(&c->rpc, &c->account.address, &balance, &e);
        if (r != WARDSTONE_OK)
                return ethereum_failed(c, r, "eth_getBalance", &e);
        if (balance >= c->needs)
                return WARDSTONE_OK;
        address_format(&c->account.address, account);
        return c->host->fail(c->host, WARDSTONE_CONFIGURATION,
                        "the account %s has %" PRIu64 " wei, and an anchor may cost %" PRIu64
                        ": somebody has to send it more",
                        account, balance, c->needs);
}

/* Afterwards the contract is known to be there, and what was sent before is settled as far as it can be. */
static int begin(Ethereum *c, const char *origin, Speaker *ret) {
        Stamp now = { 0 };

        clock_now(&now);
        rpc_begin(&c->rpc, now.mono_us + ETHEREUM_CALL_US);
        int r = read_origin(c, origin, ret);
        if (r == WARDSTONE_OK)
                r = ethereum_load(c);
        if (r == WARDSTONE_OK)
                r = ethereum_check(c, ret);
        if (r == WARDSTONE_OK)
                r = check_needs(c);
        return r == WARDSTONE_OK ? ethereum_settle(c) : r;
}

static void write_receipt(const Ethereum *c, const Speaker *s, const AbiHead *head,
                char ret[static WARDSTONE_RECEIPT_MAX]) {
        const Sent *t = &c->state.sent;
        char hash[HASH_TEXT_SIZE];

        if (head->size == 0)
                return;
        if (t->stage == SENT_MINED && t->size == head->size && streq(t->origin, s->origin)) {
                hex_write(BYTES(t->mined.bytes, SHA256_SIZE), hash);
                (void) snprintf(ret, WARDSTONE_RECEIPT_MAX, "%s block %" PRIu64, hash, t->block);
        } else {
                (void) snprintf(ret, WARDSTONE_RECEIPT_MAX, "block %" PRIu64, head->block);
        }
}

static int answer(Ethereum *c, const Speaker *s, struct wardstone_chain_head *ret) {
        uint64_t final_size = 0;
        AbiHead head;

        int r = ethereum_head(c, s, &head);
        /* got into a block since it was asked for */
        if (r == WARDSTONE_OK && ethereum_is_open(c) && c->state.sent.size <= head.size &&
                        streq(c->state.sent.origin, s->origin))
                r = ethereum_settle(c);
        if (r == WARDSTONE_OK)
                r = ethereum_final_size(c, s, &head, &final_size);
        if (r != WARDSTONE_OK)
                return r;
        *ret = (struct wardstone_chain_head){ .size = head.size,
                .final_size = final_size,
                .pending_size = ethereum_is_open(c) ? c->state.sent.size : 0 };
        if (head.size > 0)
                memcpy(ret->root, head.root.bytes, sizeof ret->root);
        write_receipt(c, s, &head, ret->receipt);
        return WARDSTONE_OK;
}

/* --- the calls --- */

static int chain_ethereum_head(void *self, const char *origin, struct wardstone_chain_head *ret) {
        Ethereum *c = self;
        Speaker speaker;

        int r = begin(c, origin, &speaker);
        return r == WARDSTONE_OK ? answer(c, &speaker, ret) : r;
}

/* *ret_known: the contract has it already. */
static int check_place(Ethereum *c, const struct wardstone_checkpoint *offered, const AbiHead *head,
                bool *ret_known) {
        const struct wardstone_host *host = c->host;

        *ret_known = head->size == offered->size;
        if (*ret_known && memcmp(head->root.bytes, offered->root, SHA256_SIZE) != 0)
                return host->fail(host, WARDSTONE_CONTRADICTED,
                                "the contract has another root at size %" PRIu64 " of '%s'", head->size,
                                offered->origin);
        if (!*ret_known && head->size != offered->old_size)
                return host->fail(host, WARDSTONE_RETRY,
                                "the contract has size %" PRIu64 " of '%s', not %" PRIu64, head->size,
                                offered->origin, offered->old_size);
        return WARDSTONE_OK;
}

static int send_checkpoint(Ethereum *c, const Speaker *s, const struct wardstone_checkpoint *offered) {
        AbiAnchor anchor = { .gateway = s->gateway,
                .epoch = s->epoch,
                .old_size = offered->old_size,
                .size = offered->size,
                .proof = offered->proof,
                .proof_count = offered->proof_count };
        _cleanup_free_ uint8_t *data = NULL;
        size_t len;

        memcpy(anchor.root.bytes, offered->root, SHA256_SIZE);
        if (abi_call_anchor(&anchor, &data, &len) < 0)
                return c->host->fail(c->host, WARDSTONE_RETRY, "out of memory");
        return ethereum_send(c, s, offered->size, BYTES(data, len));
}

static int chain_ethereum_anchor(
                void *self, const struct wardstone_checkpoint *offered, struct wardstone_chain_head *ret) {
        Ethereum *c = self;
        Speaker speaker;
        AbiHead head;
        bool known = false;

        int r = begin(c, offered->origin, &speaker);
        if (r == WARDSTONE_OK && ethereum_is_open(c))
                return answer(c, &speaker, ret); /* what is pending comes first */
        if (r == WARDSTONE_OK)
                r = ethereum_head(c, &speaker, &head);
        if (r == WARDSTONE_OK)
                r = check_place(c, offered, &head, &known);
        if (r == WARDSTONE_OK && !known)
                r = send_checkpoint(c, &speaker, offered);
        if (r == WARDSTONE_OK && !known) /* some chains have put it into a block by now */
                r = ethereum_settle(c);
        if (r == WARDSTONE_OK)
                r = answer(c, &speaker, ret);
        if (r == WARDSTONE_OK && ret->size < offered->size && ret->pending_size == 0)
                r = c->host->fail(c->host, WARDSTONE_RETRY,
                                "size %" PRIu64
                                " was sent and overtaken: does something else use the account?",
                                offered->size);
        return r;
}

const struct wardstone_chain_plugin wardstone_chain_plugin = {
        .abi = WARDSTONE_CHAIN_ABI,
        .name = "chain-ethereum",
        .open = chain_ethereum_open,
        .head = chain_ethereum_head,
        .anchor = chain_ethereum_anchor,
        .poll = chain_ethereum_head, /* what head() finds out is all that there is to find out */
        .close = chain_ethereum_close,
};
