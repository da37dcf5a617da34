#include <errno.h>
#include <inttypes.h>

#include "ethereum.h"

int ethereum_failed(Ethereum *c, int r, const char *what, const RpcError *e) {
        return r == RPC_REFUSED ? rpc_refused(&c->rpc, what, e) : r;
}

static int out_of_memory(Ethereum *c) {
        return c->host->fail(c->host, WARDSTONE_RETRY, "out of memory");
}

static int not_there(Ethereum *c) {
        char contract[ADDRESS_TEXT_SIZE];

        address_format(&c->settings.contract, contract);
        return c->host->fail(c->host, WARDSTONE_CONFIGURATION,
                        "chain %" PRIu64 " has no contract at %s: is the address right, was it deployed on"
                        " this chain?",
                        c->settings.rpc.chain_id, contract);
}

static int another_one(Ethereum *c) {
        char contract[ADDRESS_TEXT_SIZE];

        address_format(&c->settings.contract, contract);
        return c->host->fail(c->host, WARDSTONE_CONFIGURATION,
                        "the contract at %s of chain %" PRIu64 " is not WardstoneAnchors: is the address"
                        " right?",
                        contract, c->settings.rpc.chain_id);
}

/* --- may this gateway anchor here? --- */

static int check_info(Ethereum *c, const Speaker *s, const AbiGatewayInfo *info) {
        const struct wardstone_host *host = c->host;
        char ours[ADDRESS_TEXT_SIZE], theirs[ADDRESS_TEXT_SIZE];
        static const Address nobody;

        address_format(&c->account.address, ours);
        address_format(&info->sender, theirs);
        if (address_equal(&info->sender, &nobody))
                return host->fail(host, WARDSTONE_CONFIGURATION,
                                "the contract does not know '%.*s': an admin of the consortium has to"
                                " register it with sender %s and this gateway's public key",
                                s->name_len, s->origin, ours);
        if (!info->active)
                return host->fail(host, WARDSTONE_CONFIGURATION,
                                "the consortium has revoked '%.*s': nothing more is anchored under this "
                                "name",
                                s->name_len, s->origin);
        if (!address_equal(&info->sender, &c->account.address))
                return host->fail(host, WARDSTONE_CONFIGURATION,
                                "the contract expects '%.*s' to send from %s, and the key is that of %s: "
                                "give"
                                " the other key, or let an admin rotate",
                                s->name_len, s->origin, theirs, ours);
        if (c->settings.has_public_key && !hash_equal(&info->public_key, &c->settings.public_key))
                return host->fail(host, WARDSTONE_CONFIGURATION,
                                "the contract has another public key for '%.*s' than its checkpoints are"
                                " signed with: an admin has to rotate",
                                s->name_len, s->origin);
        return WARDSTONE_OK;
}

int ethereum_check(Ethereum *c, const Speaker *s) {
        _cleanup_free_ uint8_t *call = NULL, *answer = NULL;
        AbiGatewayInfo info;
        size_t len;
        RpcError e;

        if (abi_call_gateway_info(&s->gateway, &call, &len) < 0)
                return out_of_memory(c);
        int r = rpc_view(
                        &c->rpc, NULL, &c->settings.contract, BYTES(call, len), "latest", &answer, &len, &e);
        if (r == RPC_REFUSED && e.refusal == RPC_REVERTED)
                return another_one(c);
        if (r != WARDSTONE_OK)
                return ethereum_failed(c, r, "gatewayInfo", &e);
        if (len == 0)
                return not_there(c);
        if (abi_read_gateway_info(BYTES(answer, len), &info) < 0)
                return another_one(c);
        return check_info(c, s, &info);
}

/* --- what it has --- */

int ethereum_head_at(Ethereum *c, const Speaker *s, const char *block, AbiHead *ret, RpcError *e) {
        _cleanup_free_ uint8_t *call = NULL, *answer = NULL;
        size_t len;

        if (abi_call_head(&s->gateway, &call, &len) < 0)
                return out_of_memory(c);
        int r = rpc_view(&c->rpc, NULL, &c->settings.contract, BYTES(call, len), block, &answer, &len, e);
        if (r != WARDSTONE_OK)
                return r;
        if (len == 0)
                *ret = (AbiHead){ 0 };
        else if (abi_read_head(BYTES(answer, len), ret) < 0)
                return another_one(c);
        return WARDSTONE_OK;
}

int ethereum_head(Ethereum *c, const Speaker *s, AbiHead *ret) {
        RpcError e;

        int r = ethereum_head_at(c, s, "latest", ret, &e);
        if (r != WARDSTONE_OK)
                return ethereum_failed(c, r, "head", &e);
        if (ret->epoch > s->epoch)
                return c->host->fail(c->host, WARDSTONE_CONTRADICTED,
                                "'%s' was already followed by epoch %" PRIu64, s->origin, ret->epoch);
        if (ret->epoch < s->epoch)
                *ret = (AbiHead){ .epoch = s->epoch };
        return WARDSTONE_OK;
}

/* --- what it refuses --- */

int ethereum_refused(Ethereum *c, const char *said, Bytes data) {
        const struct wardstone_host *host = c->host;
        AbiError e;

        abi_read_error(data, &e);
        switch (e.id) {
        case ABI_NOT_CONSISTENT:
        case ABI_EARLIER_EPOCH:
                return host->fail(
                                host, WARDSTONE_CONTRADICTED, "%s: the contract refuses: %s", said, e.text);
        case ABI_NOT_REGISTERED:
        case ABI_REVOKED:
        case ABI_NOT_SENDER:
        case ABI_NO_SHA256:
                return host->fail(
                                host, WARDSTONE_CONFIGURATION, "%s: the contract refuses: %s", said, e.text);
        case ABI_WRONG_OLD_SIZE:
        case ABI_NOT_LARGER:
                host->log(host, WARDSTONE_INFO, "%s: the contract has moved on: %s", said, e.text);
                return WARDSTONE_OK;
        case ABI_ERROR_UNKNOWN:
        case ABI_NOT_ADMIN:
        case ABI_LAST_ADMIN:
        case ABI_ZERO_VALUE:
        case ABI_BAD_NAME:
        case ABI_ALREADY_REGISTERED:
        case ABI_NO_FORK:
        case ABI_BAD_NOTE:
                break;
        }
        return host->fail(host, WARDSTONE_RETRY, "%s: the contract refuses: %s", said, e.text);
}
