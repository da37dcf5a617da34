/* A contract WardstoneAnchors on an Ethereum-family chain, as whoever reads the chain sees it. All that is read is of one
 * block, the chain's newest when the contract was opened, so that no two answers are of different moments.
 *
 * What a node says is believed: the caller names a node that is trusted to know the chain. */
#pragma once

#include <stdbool.h>

#include "base/clock.h"
#include "base/error.h"
#include "chain-ethereum/abi.h"
#include "chain-ethereum/hex.h"
#include "chain-ethereum/rpc.h"
#include "cli/chain.h"
#include "ledger/note.h"

typedef struct Contract {
        struct wardstone_host host; /* of the RPC client: keeps why a call failed */
        Error failure;
        Rpc rpc;
        Address address;
        char address_text[ADDRESS_TEXT_SIZE];
        uint64_t chain_id;
        RpcBlock newest;
        char block[QUANTITY_SIZE]; /* newest.number, as calls name it */
        json_t *settings;          /* of the configuration, whose strings are in use; or NULL */
} Contract;

/* Asks for the chain's id and its newest block. The object must not move until contract_close(), which is for a half
 * open one as well. t->contract may be NULL: there is none yet.
 * t->chain_id is not looked at. c is all zeros before, or has settings. */
int contract_open(Contract *c, const ChainTarget *t, Error *e) _must_check_;
void contract_close(Contract *c);
/* Looks at the newest block anew. */
int contract_refresh(Contract *c, Error *e) _must_check_;

/* Before each call of rpc_...() that is not through this file: its time is counted from now. */
Rpc *contract_rpc(Contract *c);
/* The error of a call that returned r: a failure, or a refusal that nobody expects. */
int contract_failed(Contract *c, int r, const char *what, const RpcError *refusal, Error *e) _must_check_;

typedef enum ContractCode {
        CODE_NONE,  /* nothing is at the address */
        CODE_KNOWN, /* the contract that this program was built with */
        CODE_OTHER,
} ContractCode;

/* *ret_hash: Keccak-256 of the code. */
int contract_code(Contract *c, ContractCode *ret, Hash *ret_hash, Error *e) _must_check_;

int contract_gateway(Contract *c, const Hash *gateway, AbiGatewayInfo *ret, Error *e) _must_check_;
int contract_head(Contract *c, const Hash *gateway, AbiHead *ret, Error *e) _must_check_;
int contract_anchored(Contract *c, const Hash *gateway, uint64_t epoch, uint64_t size, AbiAnchored *ret,
                Error *e) _must_check_;
int contract_fork_count(Contract *c, const Hash *gateway, uint64_t *ret, Error *e) _must_check_;
/* The block whose event tells of the report. */
int contract_fork_block(
                Contract *c, const Hash *gateway, uint64_t index, uint64_t *ret, Error *e) _must_check_;

/* --- what the contract has told --- */

typedef struct ContractEvent {
        uint64_t block;
        Hash transaction;
        Hash topics[4];
        size_t topic_count;
        Bytes data;
} ContractEvent;

/* Non-zero ends the search and travels up. */
typedef int (*ContractEventFn)(void *userdata, const ContractEvent *event, Error *e);

typedef struct ContractEvents {
        const char *signature; /* "Anchored(bytes32,uint64,uint64,bytes32,uint64)" */
        const Hash *gateway;
        const uint64_t *epoch; /* NULL: any; only of events that have it */
        uint64_t first, last;  /* blocks */
        ContractEventFn fn;    /* in their order */
        void (*searched)(void *userdata, uint64_t done, uint64_t total); /* blocks; may be NULL */
        void *userdata;
} ContractEvents;

/* Nodes answer for so many blocks at once and no more: smaller and smaller runs are asked for until one is answered. */
int contract_events(Contract *c, const ContractEvents *q, Error *e) _must_check_;

/* The event's word i, of data that may be too short. -EBADMSG */
int contract_event_number(const ContractEvent *event, size_t i, uint64_t *ret) _must_check_;
int contract_event_hash(const ContractEvent *event, size_t i, Hash *ret) _must_check_;
/* Of type bytes: borrowed. */
int contract_event_bytes(const ContractEvent *event, size_t i, Bytes *ret) _must_check_;

#define EVENT_REGISTERED "Registered(bytes32,string,address,bytes32)"
#define EVENT_ROTATED    "Rotated(bytes32,address,bytes32)"
#define EVENT_ANCHORED   "Anchored(bytes32,uint64,uint64,bytes32,uint64)"
#define EVENT_FORK       "ForkReported(bytes32,uint64,bytes32,uint64,bytes32,uint64,bytes32,bool,bool,bytes,bytes)"

/* "<gateway>/<epoch>" in its parts; -EBADMSG where it is no such origin. */
int origin_split(const char *origin, char ret_name[static ORIGIN_MAX], uint64_t *ret_epoch) _must_check_;

/* A block's time: seconds since 1970, or nanoseconds where the chain is GoQuorum's with Raft. */
void chain_time_format(uint64_t time, char ret[static CLOCK_TEXT_SIZE]);

/* --- of `wardstone chain` (chain.c) --- */

/* The chain and, unless any will do, the contract that the options name, or the configuration. */
int chain_open(const ChainValues *v, Contract *ret, Error *e) _must_check_;
int chain_open_any(const ChainValues *v, Contract *ret, Error *e) _must_check_;
