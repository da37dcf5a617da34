/* Ethereum's JSON-RPC over HTTP(S), to the first of several nodes that answers.
 *
 * A node that does not answer, or answers nonsense, is left for the next one at once and tried again after a minute. Every
 * node is asked for its chain's id before it is believed, anew in each round (rpc_begin). Sending a transaction twice is
 * harmless, so all calls fail over. */
#pragma once

#include "rpc_answer.h"
#include "transfer.h"

enum { RPC_ENDPOINTS_MAX = 8, RPC_ANSWER_MAX = 1024 * 1024 };

typedef struct RpcOptions {
        const char *endpoints[RPC_ENDPOINTS_MAX]; /* URLs, in the order of preference; borrowed */
        size_t count;
        uint64_t chain_id;        /* that each node must be of; 0: any */
        TransferOptions transfer; /* ca, cert, key; timeout_us is each node's. url and schemes are not looked at */
        /* TransferLogin, the same for all */
        const char *username, *password_file, *password_credential;
        const char *token_file, *token_credential;
} RpcOptions;

typedef struct Rpc {
        const struct wardstone_host *host;
        RpcOptions options;
        Transfer transfer;
        int64_t until_us;                /* the round's end, CLOCK_BOOTTIME */
        size_t current;                  /* the node that is asked first */
        int64_t back_us;                 /* when the first one is tried again */
        bool checked[RPC_ENDPOINTS_MAX]; /* its chain's id, in this round */
        uint64_t id;                     /* of the last call */
        struct curl_slist *headers;
        char *answer;
        size_t answer_len;
        bool too_long;
} Rpc;

/* Does not connect. The object must not move until rpc_close(), which is for a half open one as well.
 * A wardstone_result, host->fail() is said. */
int rpc_open(Rpc *r, const struct wardstone_host *host, const RpcOptions *o) _must_check_;
void rpc_close(Rpc *r);

/* Before the first call of each of the plugin's: all calls of the round are over by until_us. */
void rpc_begin(Rpc *r, int64_t until_us);

/* All calls return a wardstone_result, with host->fail() said, or RPC_REFUSED: a node answered and refused; the caller
 * looks at the error, and ends with rpc_refused() where it knows nothing better. */
enum { RPC_REFUSED = 1 };

/* host->fail()s: funds and permission are an operator's matter, everything else may pass. what: as "eth_call". */
int rpc_refused(const Rpc *r, const char *what, const RpcError *e) _must_check_;

/* params is taken over; NULL: memory was out. json_decref() *ret. */
int rpc_call(Rpc *r, const char *method, json_t *params, json_t **ret, RpcError *ret_error) _must_check_;

/* block: "latest", "pending", "finalized", "safe", or a QUANTITY. */
int rpc_chain_id(Rpc *r, uint64_t *ret, RpcError *e) _must_check_;
int rpc_nonce(Rpc *r, const Address *a, const char *block, uint64_t *ret, RpcError *e) _must_check_;
/* UINT64_MAX where it is that or more. wei */
int rpc_balance(Rpc *r, const Address *a, uint64_t *ret, RpcError *e) _must_check_;
int rpc_gas_price(Rpc *r, uint64_t *ret, RpcError *e) _must_check_;
int rpc_priority_fee(Rpc *r, uint64_t *ret, RpcError *e) _must_check_; /* RPC_NO_METHOD on older nodes */
int rpc_block(Rpc *r, const char *block, RpcBlock *ret, RpcError *e) _must_check_;
/* Is there a contract? */
int rpc_has_code(Rpc *r, const Address *a, const char *block, bool *ret, RpcError *e) _must_check_;
/* eth_call; from may be NULL. free() *ret; an empty answer says that there is no contract. */
int rpc_view(Rpc *r, const Address *from, const Address *to, Bytes data, const char *block, uint8_t **ret,
                size_t *ret_len, RpcError *e) _must_check_;
/* to: NULL creates a contract. RPC_REVERTED says that it would be refused. */
int rpc_estimate_gas(Rpc *r, const Address *from, const Address *to, Bytes data, uint64_t *ret,
                RpcError *e) _must_check_;
int rpc_send(Rpc *r, Bytes raw, RpcError *e) _must_check_;
int rpc_receipt(Rpc *r, const Hash *hash, RpcReceipt *ret, RpcError *e) _must_check_;
int rpc_transaction(Rpc *r, const Hash *hash, RpcTransaction *ret, RpcError *e) _must_check_;
