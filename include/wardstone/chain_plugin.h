/* A chain connector: brings the ledger's checkpoints to a place that the gateway cannot rewrite.
 *
 * The plugin exports one object:
 *
 *     const struct wardstone_chain_plugin wardstone_chain_plugin = {
 *             .abi = WARDSTONE_CHAIN_ABI, .name = "chain-file", .open = ..., };
 *
 * The gateway keeps one call in flight. After each start and after any failure it calls head() before it
 * anchors again, so a plugin whose anchor() ends in doubt returns WARDSTONE_RETRY and settles the doubt
 * in the next head(). Each call has a deadline (10 s where the configuration names no other), after which
 * the process is killed: a plugin that waits for something longer returns with pending_size set and is
 * asked by poll(). */
#pragma once

#include "wardstone/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Counts up with each change that is not compatible; a plugin with another number is not loaded. */
#define WARDSTONE_CHAIN_ABI 1

enum { WARDSTONE_HASH_SIZE = 32, WARDSTONE_RECEIPT_MAX = 256 };

/* What the chain has of one log (origin). All zero: it has never heard of it. */
struct wardstone_chain_head {
        uint64_t size;                     /* tree size of the newest checkpoint that it accepted */
        uint8_t root[WARDSTONE_HASH_SIZE]; /* and its root */
        uint64_t final_size; /* at most size: of the newest one that no reorganisation can undo any more */
        uint64_t pending_size; /* of a checkpoint that was sent and is neither accepted nor refused yet, or 0 */
        char receipt[WARDSTONE_RECEIPT_MAX]; /* how a person finds it: a transaction hash, a line number; UTF-8 */
};

/* A checkpoint to anchor. Everything is borrowed for the call. */
struct wardstone_checkpoint {
        const char *origin; /* "<gateway name>/<epoch>"; a later epoch is a new log that begins at old_size 0 */
        const char *note;  /* the signed checkpoint (c2sp.org/tlog-checkpoint), NUL-terminated */
        uint64_t old_size; /* what head() or the anchor before said that the chain has; 0: nothing */
        uint64_t size;     /* above old_size */
        uint8_t root[WARDSTONE_HASH_SIZE];
        const uint8_t (*proof)
                        [WARDSTONE_HASH_SIZE]; /* RFC 6962 2.1.2, from old_size to size; empty from 0 */
        size_t proof_count;
};

struct wardstone_chain_plugin {
        uint32_t abi;
        const char *name;

        /* config: the connector's settings as a JSON object. Should refuse settings that it doesn't know.
         * Need not reach the chain. *ret_self is handed to the other functions; it is not used after a
         * failure. */
        int (*open)(const struct wardstone_host *host, const char *config, void **ret_self);

        /* Asks the chain, settling what may have been sent before. Must not answer from memory. */
        int (*head)(void *self, const char *origin, struct wardstone_chain_head *ret);

        /* Sends one checkpoint. WARDSTONE_OK: ret says that it was accepted (size) or is under way
         * (pending_size). What the chain has already is accepted again (same size, same root); what it
         * must refuse because it contradicts what it has is WARDSTONE_CONTRADICTED. */
        int (*anchor)(void *self, const struct wardstone_checkpoint *checkpoint,
                        struct wardstone_chain_head *ret);

        /* Has what is pending been accepted, is what was accepted final? Asked every few seconds while
         * either is open. A size that went down says that the chain dropped it: it is anchored again. */
        int (*poll)(void *self, const char *origin, struct wardstone_chain_head *ret);

        void (*close)(void *self);
};

extern const struct wardstone_chain_plugin wardstone_chain_plugin __attribute__((visibility("default")));

#ifdef __cplusplus
}
#endif
