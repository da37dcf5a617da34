#include "cli/chain_send.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "chain-ethereum/hex.h"
#include "chain-ethereum/keystore.h"
#include "chain-ethereum/transaction.h"
#include "cli/options.h"

#define LOOK_US (200 * USEC_PER_MSEC)
#define SAY_US  (5 * USEC_PER_SEC)

int chain_account(Contract *c, const ChainValues *v, Account *ret, Error *e) {
        const KeyOptions key = {
                .key_file = v->key_file, .keystore = v->keystore, .password_file = v->keystore_password_file
        };

        if (!v->key_file == !v->keystore)
                return error_set(e, CLI_USAGE,
                                "expected --key-file or --keystore: the account that pays and is "
                                "responsible");
        if (v->keystore && !v->keystore_password_file)
                return error_set(e, CLI_USAGE, "--keystore: expected --keystore-password-file as well");
        int r = key_load(&c->host, &key, ret);
        return r == WARDSTONE_OK ? 0 : contract_failed(c, r, "key", NULL, e);
}

/* The contract would refuse, or the node: in words. */
static int refused(Contract *c, int r, const char *what, const RpcError *refusal, Error *e) {
        AbiError error;

        if (r != RPC_REFUSED || refusal->refusal != RPC_REVERTED)
                return contract_failed(c, r, what, refusal, e);
        abi_read_error(BYTES(refusal->data, refusal->data_len), &error);
        return error_set(e, -EPERM, "the contract refuses: %s", error.text);
}

/* Of the market; --gas-price stands above it. */
static int set_price(Contract *c, const ChainValues *v, Transaction *t, Error *e) {
        RpcError refusal;
        int r;

        if (v->gas_price) {
                t->type = TRANSACTION_LEGACY;
                return count_parse(v->gas_price, "--gas-price", INT64_MAX, &t->max_fee, e);
        }
        if (!c->newest.has_base_fee) {
                t->type = TRANSACTION_LEGACY;
                r = rpc_gas_price(contract_rpc(c), &t->max_fee, &refusal);
                return r == WARDSTONE_OK ? 0 : contract_failed(c, r, "eth_gasPrice", &refusal, e);
        }
        t->type = TRANSACTION_EIP1559;
        r = rpc_priority_fee(contract_rpc(c), &t->priority_fee, &refusal);
        if (r == RPC_REFUSED && refusal.refusal == RPC_NO_METHOD)
                t->priority_fee = 0;
        else if (r != WARDSTONE_OK)
                return contract_failed(c, r, "eth_maxPriorityFeePerGas", &refusal, e);
        if (__builtin_mul_overflow(c->newest.base_fee, UINT64_C(2), &t->max_fee) ||
                        __builtin_add_overflow(t->max_fee, t->priority_fee, &t->max_fee))
                return error_set(e, -ERANGE, "the node's fees are beyond all measure");
        return 0;
}

static int wait_for_block(Contract *c, const ChainValues *v, const Hash *hash, RpcReceipt *ret, Error *e) {
        char text[HASH_TEXT_SIZE];
        RpcError refusal;
        Stamp start = { 0 }, now = { 0 };
        int64_t say_us;

        hex_write(BYTES(hash->bytes, SHA256_SIZE), text);
        clock_now(&start);
        say_us = start.mono_us + SAY_US;
        for (;;) {
                int r = rpc_receipt(contract_rpc(c), hash, ret, &refusal);
                if (r != WARDSTONE_OK)
                        return contract_failed(c, r, "eth_getTransactionReceipt", &refusal, e);
                if (ret->found)
                        return 0;
                clock_now(&now);
                if (now.mono_us - start.mono_us > v->timeout_us)
                        return error_set(e, -ETIMEDOUT,
                                        "transaction %s is sent, and in no block yet: it may still come; "
                                        "look "
                                        "before you send another",
                                        text);
                if (now.mono_us >= say_us) {
                        fprintf(stderr, "waiting for a block with transaction %s, for %lld s\n", text,
                                        (long long) ((now.mono_us - start.mono_us) / USEC_PER_SEC));
                        say_us = now.mono_us + SAY_US;
                }
                (void) nanosleep(&(struct timespec){ .tv_nsec = LOOK_US * 1000 }, NULL);
        }
}

int chain_send(Contract *c, const ChainValues *v, const Account *a, const Address *to, Bytes data,
                RpcReceipt *ret, Hash *ret_hash, Error *e) {
        Transaction t = { .chain_id = c->chain_id, .to = to, .data = data };
        _cleanup_free_ uint8_t *raw = NULL;
        RpcError refusal;
        size_t len;

        int r = rpc_estimate_gas(contract_rpc(c), &a->address, to, data, &t.gas_limit, &refusal);
        if (r != WARDSTONE_OK)
                return refused(c, r, "eth_estimateGas", &refusal, e);
        if (__builtin_add_overflow(t.gas_limit, t.gas_limit / 5, &t.gas_limit))
                return error_set(e, -ERANGE, "the node's estimate of gas is beyond all measure");
        r = rpc_nonce(contract_rpc(c), &a->address, "pending", &t.nonce, &refusal);
        if (r != WARDSTONE_OK)
                return contract_failed(c, r, "eth_getTransactionCount", &refusal, e);
        r = set_price(c, v, &t, e);
        if (r == 0) {
                r = transaction_sign(&t, a, &raw, &len, ret_hash);
                if (r < 0)
                        return error_set(e, r, "can't sign: %s", strerror(-r));
        }
        if (r != 0)
                return r;
        r = rpc_send(contract_rpc(c), BYTES(raw, len), &refusal);
        if (r != WARDSTONE_OK && !(r == RPC_REFUSED && refusal.refusal == RPC_ALREADY_KNOWN))
                return refused(c, r, "eth_sendRawTransaction", &refusal, e);
        r = wait_for_block(c, v, ret_hash, ret, e);
        if (r == 0 && !ret->success)
                r = error_set(e, -EPERM, "block %llu has the transaction, and it was refused there",
                                (unsigned long long) ret->block);
        return r;
}
