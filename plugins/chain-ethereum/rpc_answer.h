/* What a node answers, read with suspicion. Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "account.h"

enum { RPC_DATA_MAX = 1024, RPC_MESSAGE_MAX = 256 };

/* What a refusal means. Engines differ in their codes and agree more or less in their words. */
typedef enum RpcRefusal {
        RPC_UNKNOWN,
        RPC_NONCE_LOW,     /* that nonce is used up */
        RPC_NONCE_HIGH,    /* there is a gap before it */
        RPC_UNDERPRICED,   /* also as a replacement, and a fee below the block's */
        RPC_ALREADY_KNOWN, /* the pool has the same transaction */
        RPC_FUNDS,         /* the account cannot pay */
        RPC_NOT_PERMITTED, /* a permissioned network does not know the account, or the node the caller */
        RPC_REVERTED,      /* by the contract; data says why (abi_read_error) */
        RPC_NO_METHOD,     /* the node does not have that method */
} RpcRefusal;

typedef struct RpcError {
        RpcRefusal refusal;
        int64_t code;
        char message[RPC_MESSAGE_MAX]; /* one line */
        uint8_t data[RPC_DATA_MAX];
        size_t data_len;
} RpcError;

/* By the lower-cased message first, then by the code. */
RpcRefusal rpc_classify(int64_t code, const char *message);

/* 0: *ret_result (not NULL; json_decref() it; JSON's null where the node says so). 1: refused, *ret_error. -EBADMSG: no
 * answer to the call of that id. */
int rpc_answer_parse(Bytes text, uint64_t id, json_t **ret_result, RpcError *ret_error) _must_check_;

typedef struct RpcBlock {
        bool found;
        uint64_t number, time; /* s since 1970 */
        Hash hash;
        bool has_base_fee; /* EIP-1559 is in force */
        uint64_t base_fee; /* wei */
} RpcBlock;

typedef struct RpcReceipt {
        bool found;   /* it is in a block */
        bool success; /* false: it reverted, or ran out of gas */
        uint64_t block;
        Hash block_hash;
        uint64_t gas_used;
        uint64_t gas_price; /* what was paid, wei a gas; 0 where the node does not say */
        bool has_contract;
        Address contract; /* that was created */
} RpcReceipt;

typedef struct RpcTransaction {
        bool found; /* in the pool or in a block */
        bool mined;
        uint64_t block, nonce;
} RpcTransaction;

/* Of results; null is found = false. -EBADMSG. */
int rpc_read_block(const json_t *result, RpcBlock *ret) _must_check_;
int rpc_read_receipt(const json_t *result, RpcReceipt *ret) _must_check_;
int rpc_read_transaction(const json_t *result, RpcTransaction *ret) _must_check_;
int rpc_read_quantity(const json_t *result, uint64_t *ret) _must_check_; /* also -ERANGE */
/* DATA of any length; free() it. */
int rpc_read_data(const json_t *result, uint8_t **ret, size_t *ret_len) _must_check_;
