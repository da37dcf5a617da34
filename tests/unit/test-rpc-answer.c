/* What nodes answer: refusals in the words of several engines, and results. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "rpc_answer.h"
#include "hex-fixture.h"

#define HASH "\"0x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\""

static const struct {
        int64_t code;
        const char *message;
        RpcRefusal refusal;
} refusals[] = {
        /* geth, GoQuorum */
        { -32000, "nonce too low: next nonce 5, tx nonce 3", RPC_NONCE_LOW },
        { -32000, "nonce too high", RPC_NONCE_HIGH },
        { -32000, "replacement transaction underpriced", RPC_UNDERPRICED },
        { -32000, "transaction underpriced: tip needed 1, tip permitted 0", RPC_UNDERPRICED },
        { -32000, "max fee per gas less than block base fee: address 0x0, maxFeePerGas: 1",
                        RPC_UNDERPRICED },
        { -32000, "already known", RPC_ALREADY_KNOWN },
        { -32000, "known transaction: 0011", RPC_ALREADY_KNOWN },
        { -32000, "insufficient funds for gas * price + value: balance 0", RPC_FUNDS },
        { -32000, "gas required exceeds allowance (0)", RPC_FUNDS },
        { 3, "execution reverted", RPC_REVERTED },
        { 3, "execution reverted: nonce too low", RPC_REVERTED },
        { -32000, "account does not have permission for the transaction", RPC_NOT_PERMITTED },
        { -32601, "the method eth_x does not exist/is not available", RPC_NO_METHOD },
        /* Besu */
        { -32001, "Nonce too low", RPC_NONCE_LOW },
        { -32006, "Nonce is too high", RPC_NONCE_HIGH },
        { -32004, "Upfront cost exceeds account balance", RPC_FUNDS },
        { -32007, "Sender account not authorized to send transactions", RPC_NOT_PERMITTED },
        { -32009, "Gas price below configured minimum gas price", RPC_UNDERPRICED },
        { -32000, "Known transaction", RPC_ALREADY_KNOWN },
        { -32604, "Method not enabled", RPC_NO_METHOD },
        { -40100, "Unauthorized", RPC_NOT_PERMITTED },
        /* hardhat */
        { -32000, "Nonce too low. Expected nonce to be 5 but got 3.", RPC_NONCE_LOW },
        { -32000, "Sender doesn't have enough funds to send tx.", RPC_FUNDS },
        { -32000, "Transaction maxFeePerGas (1) is too low for the next block, which has a",
                        RPC_UNDERPRICED },
        { -32603,
                        "VM Exception while processing transaction: reverted with custom error "
                        "'NotSender()'",
                        RPC_REVERTED },
        { -32004, "Method eth_x is not supported", RPC_NO_METHOD },
        /* ganache, anvil, Nethermind, Erigon */
        { -32000,
                        "the tx doesn't have the correct nonce. account has nonce of: 1 tx has "
                        "nonce of: 0",
                        RPC_NONCE_LOW },
        { -32003, "Insufficient funds for gas * price + value", RPC_FUNDS },
        { -32003, "transaction already imported", RPC_ALREADY_KNOWN },
        { -32010, "OldNonce, Current nonce: 5, nonce of rejected tx: 3", RPC_NONCE_LOW },
        { -32010, "FeeTooLow, MaxFeePerGas too low.", RPC_UNDERPRICED },
        { -32000, "existing tx with same hash", RPC_ALREADY_KNOWN },
        /* the code alone */
        { -32001, "", RPC_NONCE_LOW },
        { -32004, "?", RPC_FUNDS },
        { -32006, "?", RPC_NONCE_HIGH },
        { -32007, "?", RPC_NOT_PERMITTED },
        { -32009, "?", RPC_UNDERPRICED },
        { -32000, "header not found", RPC_UNKNOWN },
        { 0, "", RPC_UNKNOWN },
};

static void messages_count_before_codes(void **state) {
        for (size_t i = 0; i < ELEMENTS(refusals); i++)
                if (rpc_classify(refusals[i].code, refusals[i].message) != refusals[i].refusal)
                        fail_msg("%s: %d", refusals[i].message,
                                        (int) rpc_classify(refusals[i].code, refusals[i].message));
}

static int parse(const char *text, json_t **ret_result, RpcError *ret_error) {
        return rpc_answer_parse(BYTES_STRING(text), 7, ret_result, ret_error);
}

static void a_result_is_handed_out(void **state) {
        json_t *result = NULL;
        RpcError e;

        assert_int_equal(parse("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x1\"}", &result, &e), 0);
        assert_string_equal(json_string_value(result), "0x1");
        json_decref(result);
        assert_int_equal(parse("{\"id\":7,\"result\":null,\"error\":null}", &result, &e), 0);
        assert_true(json_is_null(result));
        json_decref(result);
}

static void what_answers_another_question_is_no_answer(void **state) {
        static const char *const wrong[] = { "", "<html>", "[]", "{}", "{\"id\":7}",
                "{\"id\":8,\"result\":1}", "{\"id\":\"7\",\"result\":1}",
                "{\"id\":null,\"error\":{\"message\":\"x\"}}", "{\"result\":1}",
                "{\"id\":7,\"error\":\"x\"}" };
        json_t *result;
        RpcError e;

        for (size_t i = 0; i < ELEMENTS(wrong); i++)
                assert_int_equal(parse(wrong[i], &result, &e), -EBADMSG);
}

static void a_reverts_data_is_found(void **state) {
        static const char *const places[] = {
                "\"0xb2c3aa6b\"",                              /* geth, Besu, anvil */
                "{\"message\":\"x\",\"data\":\"0xb2c3aa6b\"}", /* hardhat */
                "{\"hash\":null,\"result\":\"0xb2c3aa6b\"}",
                "\"Reverted 0xb2c3aa6b\"",
        };
        json_t *result;
        char text[256];
        RpcError e;

        for (size_t i = 0; i < ELEMENTS(places); i++) {
                (void) snprintf(text, sizeof text,
                                "{\"id\":7,\"error\":{\"code\":3,\"message\":\"execution "
                                "reverted\",\"data\":%s}}",
                                places[i]);
                assert_int_equal(parse(text, &result, &e), 1);
                assert_int_equal(e.refusal, RPC_REVERTED);
                assert_int_equal(e.code, 3);
                assert_hex_equal(BYTES(e.data, e.data_len), "0xb2c3aa6b");
        }
}

static void an_error_may_be_anything(void **state) {
        json_t *result;
        RpcError e;

        assert_int_equal(parse("{\"id\":7,\"error\":{}}", &result, &e), 1);
        assert_true(e.refusal == RPC_UNKNOWN && e.message[0] == '\0' && e.data_len == 0);
        assert_int_equal(parse("{\"id\":7,\"error\":{\"code\":\"x\",\"message\":\"a\\nb\\u00e9\",\"data\":7}"
                               "}",
                                         &result, &e),
                        1);
        assert_string_equal(e.message, "a?b??");
        assert_int_equal(parse("{\"id\":7,\"error\":{\"message\":7,\"data\":\"0x1\"}}", &result, &e), 1);
        assert_int_equal(e.data_len, 0);
}

/* --- results --- */

static json_t *json_of(const char *text) {
        json_t *o = json_loads(text, JSON_DECODE_ANY, NULL);

        assert_non_null(o);
        return o;
}

static void quantities_have_64_bits(void **state) {
        static const struct {
                const char *text;
                int r;
                uint64_t v;
        } cases[] = {
                { "0x0", 0, 0 },
                { "0x539", 0, 1337 },
                { "0xFFFFFFFFFFFFFFFF", 0, UINT64_MAX },
                { "0x00000000000000000000001", 0, 1 },
                { "0x10000000000000000", -ERANGE, 0 },
                { "0x", -EBADMSG, 0 },
                { "539", -EBADMSG, 0 },
                { "0x53g", -EBADMSG, 0 },
                { "0x-1", -EBADMSG, 0 },
                { "", -EBADMSG, 0 },
        };
        char text[QUANTITY_SIZE];
        uint64_t v;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                v = 0;
                assert_int_equal(quantity_read(cases[i].text, &v), cases[i].r);
                assert_true(v == cases[i].v);
        }
        quantity_write(0, text);
        assert_string_equal(text, "0x0");
        quantity_write(UINT64_MAX, text);
        assert_string_equal(text, "0xffffffffffffffff");
}

static void a_block_may_have_a_base_fee(void **state) {
        json_t *o = json_of("{\"number\":\"0x4d\",\"timestamp\":\"0x6b0002b0\",\"hash\":" HASH
                            ",\"baseFeePerGas\":\"0x7\"}");
        RpcBlock b;

        assert_int_equal(rpc_read_block(o, &b), 0);
        assert_true(b.found && b.number == 77 && b.time == 1795162800 && b.has_base_fee && b.base_fee == 7);
        assert_int_equal(b.hash.bytes[1], 0x11);
        assert_int_equal(json_object_del(o, "baseFeePerGas"), 0);
        assert_int_equal(rpc_read_block(o, &b), 0);
        assert_false(b.has_base_fee);
        assert_int_equal(json_object_set_new(o, "hash", json_null()), 0); /* a pending one */
        assert_int_equal(rpc_read_block(o, &b), -EBADMSG);
        json_decref(o);
        o = json_null();
        assert_int_equal(rpc_read_block(o, &b), 0);
        assert_false(b.found);
        json_decref(o);
        o = json_of("\"0x1\"");
        assert_int_equal(rpc_read_block(o, &b), -EBADMSG);
        json_decref(o);
}

static void a_receipt_says_how_it_ended(void **state) {
        json_t *o = json_of("{\"blockNumber\":\"0x4d\",\"blockHash\":" HASH
                            ",\"status\":\"0x1\",\"gasUsed\":\"0x5208\",\"contractAddress\":null}");
        RpcReceipt a;

        assert_int_equal(rpc_read_receipt(o, &a), 0);
        assert_true(a.found && a.success && a.block == 77 && a.gas_used == 21000 && a.gas_price == 0);
        assert_false(a.has_contract);
        (void) json_object_set_new(o, "status", json_string("0x0"));
        (void) json_object_set_new(o, "effectiveGasPrice", json_string("0x9"));
        (void) json_object_set_new(
                        o, "contractAddress", json_string("0x3535353535353535353535353535353535353535"));
        assert_int_equal(rpc_read_receipt(o, &a), 0);
        assert_true(a.found && !a.success && a.gas_price == 9 && a.has_contract);
        assert_int_equal(a.contract.bytes[19], 0x35);
        (void) json_object_set_new(o, "status", json_string("0x2"));
        assert_int_equal(rpc_read_receipt(o, &a), -EBADMSG);
        (void) json_object_set_new(o, "blockNumber", json_null());
        assert_int_equal(rpc_read_receipt(o, &a), 0);
        assert_false(a.found);
        json_decref(o);
        o = json_null();
        assert_int_equal(rpc_read_receipt(o, &a), 0);
        assert_false(a.found);
        json_decref(o);
}

static void a_transaction_is_pooled_or_mined(void **state) {
        json_t *o = json_of("{\"nonce\":\"0x5\",\"blockNumber\":null}");
        RpcTransaction t;

        assert_int_equal(rpc_read_transaction(o, &t), 0);
        assert_true(t.found && !t.mined && t.nonce == 5);
        (void) json_object_set_new(o, "blockNumber", json_string("0x4d"));
        assert_int_equal(rpc_read_transaction(o, &t), 0);
        assert_true(t.found && t.mined && t.block == 77);
        (void) json_object_del(o, "nonce");
        assert_int_equal(rpc_read_transaction(o, &t), -EBADMSG);
        json_decref(o);
}

static void data_has_whole_bytes(void **state) {
        json_t *o = json_of("[\"0x00ff\", \"0x\", \"0x0\", \"00\", 7]");
        uint8_t *data = NULL;
        size_t len = 0;

        assert_int_equal(rpc_read_data(json_array_get(o, 0), &data, &len), 0);
        assert_hex_equal(BYTES(data, len), "0x00ff");
        free(data);
        assert_int_equal(rpc_read_data(json_array_get(o, 1), &data, &len), 0);
        assert_int_equal(len, 0);
        free(data);
        for (size_t i = 2; i < json_array_size(o); i++)
                assert_int_equal(rpc_read_data(json_array_get(o, i), &data, &len), -EBADMSG);
        json_decref(o);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(messages_count_before_codes),
                cmocka_unit_test(a_result_is_handed_out),
                cmocka_unit_test(what_answers_another_question_is_no_answer),
                cmocka_unit_test(a_reverts_data_is_found),
                cmocka_unit_test(an_error_may_be_anything),
                cmocka_unit_test(quantities_have_64_bits),
                cmocka_unit_test(a_block_may_have_a_base_fee),
                cmocka_unit_test(a_receipt_says_how_it_ended),
                cmocka_unit_test(a_transaction_is_pooled_or_mined),
                cmocka_unit_test(data_has_whole_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
