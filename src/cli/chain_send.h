/* One transaction of an admin's, from the key to the receipt. */
#pragma once

#include "cli/chain_contract.h"

/* The account of --key-file or --keystore; account_forget() it. */
int chain_account(Contract *c, const ChainValues *v, Account *ret, Error *e) _must_check_;
/* to NULL creates a contract. Returns when it is in a block and succeeded; says on stderr what it waits for. */
int chain_send(Contract *c, const ChainValues *v, const Account *a, const Address *to, Bytes data,
                RpcReceipt *ret, Hash *ret_hash, Error *e) _must_check_;
