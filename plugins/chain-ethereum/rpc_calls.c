/* The calls of the client, one by one. */
#include <errno.h>

#include "hex.h"
#include "rpc.h"

/* Behind an answer: result has been read, is not used any more, and was what it should be, or not. */
static int finish(const Rpc *r, const char *method, json_t *result, int read) {
        json_decref(result);
        return read < 0 ? r->host->fail(r->host, WARDSTONE_RETRY,
                                          "%s: the node's answer is not what it should be", method)
                        : WARDSTONE_OK;
}

static json_t *address_json(const Address *a) {
        char text[HEX_SIZE(ADDRESS_SIZE)];

        hex_write(BYTES(a->bytes, sizeof a->bytes), text);
        return json_string(text);
}

static json_t *hash_json(const Hash *h) {
        char text[HEX_SIZE(SHA256_SIZE)];

        hex_write(BYTES(h->bytes, sizeof h->bytes), text);
        return json_string(text);
}

static json_t *data_json(Bytes data) {
        _cleanup_free_ char *text = malloc(HEX_SIZE(data.len));

        if (!text)
                return NULL;
        hex_write(data, text);
        return json_string(text);
}

static int call_quantity(Rpc *r, const char *method, json_t *params, uint64_t *ret, RpcError *e) {
        json_t *result = NULL;

        int answered = rpc_call(r, method, params, &result, e);
        return answered == WARDSTONE_OK ? finish(r, method, result, rpc_read_quantity(result, ret))
                                        : answered;
}

static int call_data(
                Rpc *r, const char *method, json_t *params, uint8_t **ret, size_t *ret_len, RpcError *e) {
        json_t *result = NULL;

        int answered = rpc_call(r, method, params, &result, e);
        return answered == WARDSTONE_OK ? finish(r, method, result, rpc_read_data(result, ret, ret_len))
                                        : answered;
}

int rpc_chain_id(Rpc *r, uint64_t *ret, RpcError *e) {
        return call_quantity(r, "eth_chainId", json_array(), ret, e);
}

int rpc_nonce(Rpc *r, const Address *a, const char *block, uint64_t *ret, RpcError *e) {
        return call_quantity(
                        r, "eth_getTransactionCount", json_pack("[o,s]", address_json(a), block), ret, e);
}

int rpc_balance(Rpc *r, const Address *a, uint64_t *ret, RpcError *e) {
        json_t *result = NULL;

        int answered = rpc_call(
                        r, "eth_getBalance", json_pack("[o,s]", address_json(a), "latest"), &result, e);
        if (answered != WARDSTONE_OK)
                return answered;
        int read = rpc_read_quantity(result, ret);
        if (read == -ERANGE) {
                *ret = UINT64_MAX;
                read = 0;
        }
        return finish(r, "eth_getBalance", result, read);
}

int rpc_gas_price(Rpc *r, uint64_t *ret, RpcError *e) {
        return call_quantity(r, "eth_gasPrice", json_array(), ret, e);
}

int rpc_priority_fee(Rpc *r, uint64_t *ret, RpcError *e) {
        return call_quantity(r, "eth_maxPriorityFeePerGas", json_array(), ret, e);
}

int rpc_block(Rpc *r, const char *block, RpcBlock *ret, RpcError *e) {
        json_t *result = NULL;

        int answered = rpc_call(r, "eth_getBlockByNumber", json_pack("[s,b]", block, 0), &result, e);
        return answered == WARDSTONE_OK
                               ? finish(r, "eth_getBlockByNumber", result, rpc_read_block(result, ret))
                               : answered;
}

int rpc_has_code(Rpc *r, const Address *a, const char *block, bool *ret, RpcError *e) {
        _cleanup_free_ uint8_t *code = NULL;
        size_t len = 0;

        int answered = call_data(
                        r, "eth_getCode", json_pack("[o,s]", address_json(a), block), &code, &len, e);
        if (answered == WARDSTONE_OK)
                *ret = len > 0;
        return answered;
}

/* What eth_call and eth_estimateGas are about; from and to may be NULL. */
static json_t *message_json(const Address *from, const Address *to, Bytes data) {
        return json_pack("{s:o*,s:o*,s:o}", "from", from ? address_json(from) : NULL, "to",
                        to ? address_json(to) : NULL, "data", data_json(data));
}

int rpc_view(Rpc *r, const Address *from, const Address *to, Bytes data, const char *block, uint8_t **ret,
                size_t *ret_len, RpcError *e) {
        json_t *params = json_pack("[o,s]", message_json(from, to, data), block);

        return call_data(r, "eth_call", params, ret, ret_len, e);
}

int rpc_estimate_gas(
                Rpc *r, const Address *from, const Address *to, Bytes data, uint64_t *ret, RpcError *e) {
        return call_quantity(r, "eth_estimateGas", json_pack("[o]", message_json(from, to, data)), ret, e);
}

int rpc_send(Rpc *r, Bytes raw, RpcError *e) {
        json_t *result = NULL;

        int answered = rpc_call(r, "eth_sendRawTransaction", json_pack("[o]", data_json(raw)), &result, e);
        json_decref(result);
        return answered;
}

int rpc_receipt(Rpc *r, const Hash *hash, RpcReceipt *ret, RpcError *e) {
        json_t *result = NULL;

        int answered = rpc_call(
                        r, "eth_getTransactionReceipt", json_pack("[o]", hash_json(hash)), &result, e);
        return answered == WARDSTONE_OK ? finish(r, "eth_getTransactionReceipt", result,
                                                          rpc_read_receipt(result, ret))
                                        : answered;
}

int rpc_transaction(Rpc *r, const Hash *hash, RpcTransaction *ret, RpcError *e) {
        json_t *result = NULL;

        int answered = rpc_call(
                        r, "eth_getTransactionByHash", json_pack("[o]", hash_json(hash)), &result, e);
        return answered == WARDSTONE_OK ? finish(r, "eth_getTransactionByHash", result,
                                                          rpc_read_transaction(result, ret))
                                        : answered;
}
