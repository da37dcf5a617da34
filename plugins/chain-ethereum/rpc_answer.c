#include "rpc_answer.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>

#include "hex.h"
#include "text.h"

/* --- refusals --- */

typedef struct Word {
        const char *text; /* lower case */
        RpcRefusal refusal;
} Word;

/* The first that is in the message counts. What a contract says comes first, because it may say anything. */
static const Word words[] = {
        { "revert", RPC_REVERTED },
        { "method not found", RPC_NO_METHOD },
        { "method not enabled", RPC_NO_METHOD },
        { "unsupported method", RPC_NO_METHOD },
        { "is not supported", RPC_NO_METHOD },
        { "does not exist/is not available", RPC_NO_METHOD },
        { "already known", RPC_ALREADY_KNOWN },
        { "alreadyknown", RPC_ALREADY_KNOWN },
        { "already imported", RPC_ALREADY_KNOWN },
        { "known transaction", RPC_ALREADY_KNOWN },
        { "tx with same hash", RPC_ALREADY_KNOWN },
        { "nonce too low", RPC_NONCE_LOW },
        { "nonce is too low", RPC_NONCE_LOW },
        { "oldnonce", RPC_NONCE_LOW },
        { "correct nonce", RPC_NONCE_LOW }, /* ganache refuses no others */
        { "nonce too high", RPC_NONCE_HIGH },
        { "nonce is too high", RPC_NONCE_HIGH },
        { "noncegap", RPC_NONCE_HIGH },
        { "underpriced", RPC_UNDERPRICED },
        { "replacementnotallowed", RPC_UNDERPRICED },
        { "less than block base fee", RPC_UNDERPRICED },
        { "too low for the next block", RPC_UNDERPRICED },
        { "fee too low", RPC_UNDERPRICED },
        { "feetoolow", RPC_UNDERPRICED },
        { "gas price too low", RPC_UNDERPRICED },
        { "below configured minimum gas price", RPC_UNDERPRICED },
        { "insufficient funds", RPC_FUNDS },
        { "insufficientfunds", RPC_FUNDS },
        { "enough funds", RPC_FUNDS },
        { "cost exceeds account balance", RPC_FUNDS },
        { "gas required exceeds allowance", RPC_FUNDS },
        { "not authorized", RPC_NOT_PERMITTED },
        { "unauthorized", RPC_NOT_PERMITTED },
        { "not permitted", RPC_NOT_PERMITTED },
        { "not have permission", RPC_NOT_PERMITTED },
};

static RpcRefusal classify_code(int64_t code) {
        switch (code) {
        case 3: /* geth's, of a revert with data */
                return RPC_REVERTED;
        case -32601:
        case -32604:
                return RPC_NO_METHOD;
        case -32001: /* from here on Besu's */
                return RPC_NONCE_LOW;
        case -32004:
                return RPC_FUNDS;
        case -32006:
                return RPC_NONCE_HIGH;
        case -32007:
        case -40100:
                return RPC_NOT_PERMITTED;
        case -32009:
                return RPC_UNDERPRICED;
        default:
                return RPC_UNKNOWN;
        }
}

RpcRefusal rpc_classify(int64_t code, const char *message) {
        char lower[RPC_MESSAGE_MAX];
        size_t len = 0;

        for (; len < sizeof lower - 1 && message[len]; len++)
                lower[len] = (char) tolower((unsigned char) message[len]);
        lower[len] = '\0';
        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (strstr(lower, words[i].text))
                        return words[i].refusal;
        return classify_code(code);
}

/* Where a revert's data is, differs: the error's data, an object's data or result in it, or behind "Reverted ". */
static void read_error_data(const json_t *data, RpcError *ret) {
        const json_t *inner = json_object_get(data, "data");
        const char *text = json_string_value(inner ? inner : data);

        if (!text)
                text = json_string_value(json_object_get(data, "result"));
        if (!text)
                return;
        if (startswith(text, "Reverted "))
                text += strlen("Reverted ");
        if (hex_read(text, ret->data, sizeof ret->data, &ret->data_len) < 0)
                ret->data_len = 0;
}

static void read_error(const json_t *error, RpcError *ret) {
        const json_t *message = json_object_get(error, "message");

        *ret = (RpcError){ .code = json_integer_value(json_object_get(error, "code")) };
        text_copy_printable(BYTES(json_string_value(message), json_string_length(message)), ret->message,
                        sizeof ret->message);
        ret->refusal = rpc_classify(ret->code, ret->message);
        read_error_data(json_object_get(error, "data"), ret);
}

int rpc_answer_parse(Bytes text, uint64_t id, json_t **ret_result, RpcError *ret_error) {
        /* anvil spells a revert's data out in its message, NULs and all */
        json_t *answer = json_loadb((const char *) text.data, text.len, JSON_ALLOW_NUL, NULL);
        const json_t *error = json_object_get(answer, "error");
        const json_t *their_id = json_object_get(answer, "id");
        json_t *result = json_object_get(answer, "result");
        int r = -EBADMSG;

        if (json_is_integer(their_id) && json_integer_value(their_id) == (json_int_t) id) {
                if (json_is_object(error)) {
                        read_error(error, ret_error);
                        r = 1;
                } else if (result) {
                        *ret_result = json_incref(result);
                        r = 0;
                }
        }
        json_decref(answer);
        return r;
}

/* --- results --- */

static int read_number(const json_t *object, const char *name, uint64_t *ret) {
        return rpc_read_quantity(json_object_get(object, name), ret);
}

static int read_bytes(const json_t *object, const char *name, uint8_t *ret, size_t size) {
        const char *text = json_string_value(json_object_get(object, name));

        return text ? hex_read_exact(text, ret, size) : -EBADMSG;
}

static bool has(const json_t *object, const char *name) {
        const json_t *value = json_object_get(object, name);

        return value && !json_is_null(value);
}

int rpc_read_quantity(const json_t *result, uint64_t *ret) {
        return json_is_string(result) ? quantity_read(json_string_value(result), ret) : -EBADMSG;
}

int rpc_read_data(const json_t *result, uint8_t **ret, size_t *ret_len) {
        size_t size = json_string_length(result) / 2 + 1;

        if (!json_is_string(result))
                return -EBADMSG;
        _cleanup_free_ uint8_t *data = malloc(size);
        if (!data)
                return -ENOMEM;
        if (hex_read(json_string_value(result), data, size, ret_len) < 0)
                return -EBADMSG;
        *ret = TAKE(data);
        return 0;
}

int rpc_read_block(const json_t *result, RpcBlock *ret) {
        RpcBlock b = { .found = json_is_object(result), .has_base_fee = has(result, "baseFeePerGas") };

        if (!b.found && !json_is_null(result))
                return -EBADMSG;
        if (b.found && (read_number(result, "number", &b.number) < 0 ||
                                       read_number(result, "timestamp", &b.time) < 0 ||
                                       read_bytes(result, "hash", b.hash.bytes, sizeof b.hash.bytes) < 0))
                return -EBADMSG;
        if (b.has_base_fee && read_number(result, "baseFeePerGas", &b.base_fee) < 0)
                return -EBADMSG;
        *ret = b;
        return 0;
}

int rpc_read_receipt(const json_t *result, RpcReceipt *ret) {
        /* some nodes have receipts of what is in no block yet */
        RpcReceipt a = { .found = has(result, "blockNumber"),
                .has_contract = has(result, "contractAddress") };
        uint64_t status;

        if (!json_is_object(result) && !json_is_null(result))
                return -EBADMSG;
        if (!a.found) {
                *ret = (RpcReceipt){ 0 };
                return 0;
        }
        if (read_number(result, "blockNumber", &a.block) < 0 || read_number(result, "status", &status) < 0 ||
                        read_number(result, "gasUsed", &a.gas_used) < 0 || status > 1 ||
                        read_bytes(result, "blockHash", a.block_hash.bytes, sizeof a.block_hash.bytes) < 0)
                return -EBADMSG;
        if (has(result, "effectiveGasPrice") && read_number(result, "effectiveGasPrice", &a.gas_price) < 0)
                return -EBADMSG;
        if (a.has_contract &&
                        read_bytes(result, "contractAddress", a.contract.bytes, sizeof a.contract.bytes) < 0)
                return -EBADMSG;
        a.success = status == 1;
        *ret = a;
        return 0;
}

int rpc_read_transaction(const json_t *result, RpcTransaction *ret) {
        RpcTransaction t = { .found = json_is_object(result), .mined = has(result, "blockNumber") };

        if (!t.found && !json_is_null(result))
                return -EBADMSG;
        if (t.found && read_number(result, "nonce", &t.nonce) < 0)
                return -EBADMSG;
        if (t.mined && read_number(result, "blockNumber", &t.block) < 0)
                return -EBADMSG;
        *ret = t;
        return 0;
}
