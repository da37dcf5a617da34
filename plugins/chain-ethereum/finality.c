#include <inttypes.h>

#include "ethereum.h"
#include "hex.h"

/* The number of the newest final block; *ret_any: there is one. */
static int find_final_block(Ethereum *c, uint64_t *ret, bool *ret_any) {
        const Settings *s = &c->settings;
        bool tagged = s->finality == FINALITY_TAG;
        RpcBlock block;
        RpcError e;

        int r = rpc_block(&c->rpc, tagged ? s->tag : "latest", &block, &e);
        if (r == RPC_REFUSED && tagged)
                return c->host->fail(c->host, WARDSTONE_CONFIGURATION,
                                "finality: the node knows no block '%s' (%s): is this a chain with proof of"
                                " stake?",
                                s->tag, e.message);
        if (r != WARDSTONE_OK)
                return ethereum_failed(c, r, "eth_getBlockByNumber", &e);
        uint64_t behind = tagged ? 0 : s->confirmations - 1;
        *ret_any = block.found && block.number >= behind;
        *ret = *ret_any ? block.number - behind : 0;
        return WARDSTONE_OK;
}

/* The node has no state of the final block any more. What was seen final before and is still there is so. */
static int final_size_before(Ethereum *c, const Speaker *s, uint64_t final_block, uint64_t *ret) {
        _cleanup_free_ uint8_t *call = NULL, *answer = NULL;
        AbiAnchored anchored;
        size_t len;
        RpcError e;

        *ret = 0;
        if (c->final_log == 0 || c->final_epoch != s->epoch)
                return WARDSTONE_OK;
        if (abi_call_anchored(&s->gateway, s->epoch, c->final_log, &call, &len) < 0)
                return c->host->fail(c->host, WARDSTONE_RETRY, "out of memory");
        int r = rpc_view(
                        &c->rpc, NULL, &c->settings.contract, BYTES(call, len), "latest", &answer, &len, &e);
        if (r != WARDSTONE_OK)
                return ethereum_failed(c, r, "anchored", &e);
        if (abi_read_anchored(BYTES(answer, len), &anchored) == 0 && anchored.block > 0 &&
                        anchored.block <= final_block)
                *ret = c->final_log;
        return WARDSTONE_OK;
}

static int size_at_block(Ethereum *c, const Speaker *s, uint64_t final_block, uint64_t *ret) {
        char number[QUANTITY_SIZE];
        AbiHead head;
        RpcError e;

        quantity_write(final_block, number);
        int r = ethereum_head_at(c, s, number, &head, &e);
        if (r == RPC_REFUSED)
                return final_size_before(c, s, final_block, ret);
        if (r == WARDSTONE_OK)
                *ret = head.epoch == s->epoch ? head.size : 0;
        return r;
}

int ethereum_final_size(Ethereum *c, const Speaker *s, const AbiHead *head, uint64_t *ret) {
        uint64_t block = UINT64_MAX, size = 0;
        bool any = true;
        int r = WARDSTONE_OK;

        if (c->settings.finality != FINALITY_INSTANT)
                r = find_final_block(c, &block, &any);
        if (r != WARDSTONE_OK)
                return r;
        if (any && head->size > 0 && head->block <= block)
                size = head->size;
        else if (any && head->size > 0)
                r = size_at_block(c, s, block, &size);
        if (r != WARDSTONE_OK)
                return r;
        if (any && c->state.sent.stage == SENT_MINED && c->state.sent.block <= block)
                c->settled = true;
        *ret = MIN(size, head->size);
        c->final_log = *ret;
        c->final_epoch = s->epoch;
        return WARDSTONE_OK;
}
