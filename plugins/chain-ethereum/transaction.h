/* Transactions, signed and serialised. They carry no value: what a gateway's account has is for fees alone. */
#pragma once

#include "account.h"

typedef enum TransactionType {
        TRANSACTION_LEGACY,  /* with its chain's id: EIP-155 */
        TRANSACTION_EIP1559, /* type 2, EIP-2718 and EIP-1559, with an empty access list */
} TransactionType;

typedef struct Transaction {
        TransactionType type;
        uint64_t chain_id, nonce, gas_limit;
        uint64_t max_fee;      /* wei a gas; of a legacy one its gas price. 0 on networks without fees */
        uint64_t priority_fee; /* of EIP-1559, at most max_fee */
        const Address *to;     /* NULL: creates a contract */
        Bytes data;
} Transaction;

/* *ret_raw: for eth_sendRawTransaction, free() it; *ret_hash: what the chain will know it by. The same transaction and
 * account give the same bytes. -ERANGE: a chain id that EIP-155 has no room for. */
int transaction_sign(const Transaction *t, const Account *a, uint8_t **ret_raw, size_t *ret_len,
                Hash *ret_hash) _must_check_;
