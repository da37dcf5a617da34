/* What verify --chain finds, and how it is said: verify_chain.c finds, verify_verdict.c says. */
#pragma once

#include "cli/chain_contract.h"
#include "cli/verify.h"

/* docs/ethereum.md has what each one means. */
typedef enum ChainOutcome {
        CHAIN_PROVEN,
        CHAIN_INVALID,      /* the proof file does not hold by itself */
        CHAIN_OTHER_CHAIN,  /* another chain's id */
        CHAIN_NO_CONTRACT,  /* nothing at the address */
        CHAIN_OTHER_CODE,   /* another contract than the one that is known */
        CHAIN_UNREGISTERED, /* the contract does not know the gateway */
        CHAIN_OTHER_KEY,    /* the checkpoint is not signed by the key that the contract has */
        CHAIN_NOT_ANCHORED, /* nothing that contains the checkpoint is anchored */
        CHAIN_CONTRADICTED, /* the chain has another root for this size */
        CHAIN_UNLINKED, /* something larger is anchored, and nothing shows that the checkpoint is part of it */
        CHAIN_INCONSISTENT, /* the consistency proof does not lead to what is anchored */
        CHAIN_NOT_FINAL,    /* the anchor's block is not as deep as was asked for */
} ChainOutcome;

typedef struct ChainFinding {
        ChainOutcome outcome;
        Error reason; /* where not proven */
        Verified verified;
        bool has_verified; /* the proof file holds by itself, with ... */
        Hash key;

        const char *url;
        char contract[ADDRESS_TEXT_SIZE];
        uint64_t chain_id;
        bool code_known;
        char code[2 * SHA256_SIZE + 1];

        char name[ORIGIN_MAX]; /* the gateway's, as the checkpoint has it */
        uint64_t epoch;
        AbiGatewayInfo gateway;
        uint64_t key_until; /* block in which the key was rotated away; 0: it is the present one */

        uint64_t size; /* that is anchored: the checkpoint's own or a larger one; 0: none */
        AbiAnchored anchor;
        Hash transaction;
        bool has_transaction;
        uint64_t depth;       /* blocks above the anchor's */
        const char *finality; /* "finalized", or NULL: depth decides */
        uint64_t confirmations;

        uint64_t forks, forks_shown; /* reports; those with two signed or anchored checkpoints */
} ChainFinding;

const char *chain_outcome_name(ChainOutcome o);
void chain_finding_print(const char *path, const ChainFinding *f);
json_t *chain_finding_json(const ChainFinding *f);
/* Counts the reports of forks of this gateway, and those that are shown to be true (verify_forks.c). */
int chain_forks(Contract *c, ChainFinding *f, const Hash *gateway, Error *e) _must_check_;
