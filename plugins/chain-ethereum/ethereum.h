/* The connector's object and how its parts use one another. All functions return a wardstone_result with host->fail()
 * said, where nothing else is written. */
#pragma once

#include "abi.h"
#include "settings.h"
#include "state.h"
#include "wardstone/chain_plugin.h"

/* Of a call's 10 s; saving takes from the rest. */
#define ETHEREUM_CALL_US (8 * USEC_PER_SEC)

typedef struct Ethereum {
        const struct wardstone_host *host;
        json_t *config;
        Settings settings;
        Rpc rpc;
        Account account;
        State state;
        bool loaded;        /* state is what was saved */
        bool settled;       /* the block of state.sent is final: it is not asked for again */
        int64_t doubted_us; /* CLOCK_BOOTTIME since when state.sent looks as if it could never come, or 0 */
        uint64_t needs; /* wei that an anchor would have cost when the account had less, 0: it had enough */
        uint64_t final_log; /* the last size that was seen final, and the epoch that it is of */
        uint64_t final_epoch;
} Ethereum;

/* Who speaks: the two parts of an origin. */
typedef struct Speaker {
        Hash gateway;
        uint64_t epoch;
        const char *origin;
        int name_len;
} Speaker;

/* --- view.c: what the contract says --- */

/* Is there a contract, does it know this gateway, this account and this key? */
int ethereum_check(Ethereum *c, const Speaker *s) _must_check_;
/* block: as rpc_view()'s. Zeros where there was no contract yet. RPC_REFUSED: the node has that block's state no more. */
int ethereum_head_at(
                Ethereum *c, const Speaker *s, const char *block, AbiHead *ret, RpcError *e) _must_check_;
/* At the latest block, of this epoch: size 0 where it has an earlier one's. */
int ethereum_head(Ethereum *c, const Speaker *s, AbiHead *ret) _must_check_;
/* The contract would refuse, or has refused, with data. said: "anchor" or what was refused. WARDSTONE_OK where asking for
 * the head again says it all. */
int ethereum_refused(Ethereum *c, const char *said, Bytes data) _must_check_;
/* Fails with what the node said; what is not yet said otherwise. */
int ethereum_failed(Ethereum *c, int r, const char *what, const RpcError *e) _must_check_;

/* --- finality.c --- */

/* What of head no reorganisation can undo any more. Settles state.sent where that is true of its block. */
int ethereum_final_size(Ethereum *c, const Speaker *s, const AbiHead *head, uint64_t *ret) _must_check_;

/* --- settle.c: what became of the transaction that was sent last --- */

int ethereum_load(Ethereum *c) _must_check_;
int ethereum_save(Ethereum *c) _must_check_;
/* Afterwards it is in a block, or waits (ethereum_is_open()), or is forgotten. */
int ethereum_settle(Ethereum *c) _must_check_;
static inline bool ethereum_is_open(const Ethereum *c) {
        return c->state.sent.stage == SENT_OPEN;
}
/* Sends the newest attempt, which is saved, and makes of the node's answer what settle() would. */
int ethereum_offer(Ethereum *c) _must_check_;

/* --- send.c: new transactions --- */

/* Signs and saves one, then sends it. Nothing else may be open. */
int ethereum_send(Ethereum *c, const Speaker *s, uint64_t size, Bytes data) _must_check_;
/* In the place of what waits too long. Where it would cost too much that is logged, and waited for. */
int ethereum_replace(Ethereum *c) _must_check_;
