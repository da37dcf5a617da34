/* What a node answers, read as everything that it could be: from JSON-RPC to the contract's answers and
 * errors. */
#include <stdlib.h>

#include "abi.h"
#include "rpc_answer.h"
#include "../fuzz/fuzz.h"

static void read_result(const json_t *result) {
        _cleanup_free_ uint8_t *data = NULL;
        AbiGatewayInfo info;
        AbiAnchored anchored;
        RpcTransaction t;
        RpcReceipt receipt;
        RpcBlock block;
        AbiHead head;
        uint64_t v;
        size_t len;

        if (rpc_read_receipt(result, &receipt) == 0 && !receipt.found && receipt.success)
                abort();
        if (rpc_read_transaction(result, &t) == 0 && t.mined && !t.found)
                abort();
        if (rpc_read_block(result, &block) == 0 && block.has_base_fee && !block.found)
                abort();
        if (rpc_read_data(result, &data, &len) < 0)
                return;
        if (rpc_read_quantity(result, &v) == 0 && len == 0)
                abort();
        if (abi_read_head(BYTES(data, len), &head) == 0 && len < 5 * sizeof(Hash))
                abort();
        if (abi_read_anchored(BYTES(data, len), &anchored) == 0 && len < 3 * sizeof(Hash))
                abort();
        if (abi_read_gateway_info(BYTES(data, len), &info) == 0 &&
                        !memchr(info.name, '\0', sizeof info.name))
                abort();
}

static void read_error(const RpcError *e) {
        AbiError error;

        if (!memchr(e->message, '\0', sizeof e->message) || e->data_len > sizeof e->data)
                abort();
        abi_read_error(BYTES(e->data, e->data_len), &error);
        if (!memchr(error.text, '\0', sizeof error.text) || !error.text[0])
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        json_t *result = NULL;
        RpcError e;

        switch (rpc_answer_parse(BYTES(data, size), 1, &result, &e)) {
        case 0:
                read_result(result);
                json_decref(result);
                break;
        case 1:
                read_error(&e);
                break;
        }
        return 0;
}
