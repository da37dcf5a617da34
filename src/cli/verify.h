/* verify FILE and verify --all: the two halves of one command. */
#pragma once

#include "cli/cli.h"

typedef struct VerifyValues {
        const char *key, *key_file; /* of a proof */
        const char *config, *state; /* of a ledger that no daemon has open */
        bool all;
} VerifyValues;

int verify_file(const Invocation *in, const char *path, Error *e) _must_check_;
int verify_all(const Invocation *in, Error *e) _must_check_;
