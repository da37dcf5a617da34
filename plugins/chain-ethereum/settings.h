/* What an operator says of a chain of Ethereum's family. */
#pragma once

#include "account.h"
#include "fees.h"
#include "keystore.h"
#include "rpc.h"

/* When no reorganisation can undo a block any more. */
typedef enum Finality {
        FINALITY_INSTANT,       /* at once: QBFT, IBFT */
        FINALITY_CONFIRMATIONS, /* with that many blocks, itself counted: Clique, proof of work */
        FINALITY_TAG,           /* when the node's "finalized" or "safe" has reached it: proof of stake */
} Finality;

typedef struct Settings {
        RpcOptions rpc;
        KeyOptions key;
        Address contract;
        FeeLimits fees;
        unsigned gas_margin; /* percent */
        Finality finality;
        uint64_t confirmations;
        const char *tag;
        int64_t replace_after_us;
        bool has_public_key;
        Hash public_key; /* of the gateway's checkpoints, which the gateway itself tells */
} Settings;

/* Strings are borrowed from config. A wardstone_result. */
int settings_read(const struct wardstone_host *host, json_t *config, Settings *ret) _must_check_;
