/* verify FILE, offline or against a chain, and verify --all: the parts of one command. */
#pragma once

#include <jansson.h>

#include "cli/chain.h"
#include "cli/cli.h"
#include "ledger/proof.h"

typedef struct VerifyValues {
        const char *key, *key_file; /* of a proof */
        const char *config, *state; /* of a ledger that no daemon has open */
        bool all;
        ChainTarget chain; /* url NULL: offline */
        uint64_t confirmations;
        const char *tag, *evidence, *code;
} VerifyValues;

typedef struct Verified {
        Proof proof;
        Checkpoint checkpoint;
        uint8_t plain[BODY_MAX];
        size_t plain_len; /* 0: sealed and not disclosed */
        char root[64];
} Verified;

int verify_file(const Invocation *in, const char *path, Error *e) _must_check_;
int verify_chain(const Invocation *in, const char *path, Error *e) _must_check_;
int verify_all(const Invocation *in, Error *e) _must_check_;

/* The parts of verify_file() that verify_chain() shares. */

/* The key that --key or --key-file gives, or the default one, and the gateway's name that it speaks for. */
int verify_load_key(const VerifyValues *v, char ret_name[static ORIGIN_MAX], uint8_t ret_public[static 32],
                Error *e) _must_check_;
int verify_read(const char *path, Proof *ret, Error *e) _must_check_;
/* Of v->proof; fills the rest. */
int verify_proof(Verified *v, const uint8_t public[static 32], Error *e) _must_check_;
/* Origins are "<gateway>/<epoch>": epochs differ, the gateway must not. */
bool verify_same_gateway(const char *a, const char *b);
/* What the entry is and says, and the same as members of a row. */
void verify_print_entry(const Verified *v);
json_t *verify_json(const Verified *v);
