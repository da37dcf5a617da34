/* The daemon put together: the only folder that sees every stage. pipeline.c is read first. */
#pragma once

#include "gateway/config.h"

typedef struct Gateway Gateway;

/* Opens keys and ledger, restores what was in force, starts workers and sources. Takes the configuration on success. */
int gateway_new(Config **config, Gateway **ret, Error *e) _must_check_;
/* Runs until SIGTERM or SIGINT; SIGHUP reloads. Returns 0, or a negative errno where the loop failed. */
int gateway_run(Gateway *g);
Gateway *gateway_free(Gateway *g);
DEFINE_CLEANUP(Gateway *, gateway_free);
