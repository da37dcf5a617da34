/* What `wardstone chain` and `wardstone verify --chain` are told of the chain, and the parts of the former. */
#pragma once

#include "cli/cli.h"

typedef struct ChainTarget {
        const char *url, *contract;
        uint64_t chain_id; /* 0: any */
        const char *ca, *cert, *cert_key, *username, *password_file, *token_file;
} ChainTarget;

#define CHAIN_TARGET_OPTIONS(type, member)                                                                  \
        { "chain", 0, OPTION_TEXT, offsetof(type, member.url), .argument = "URL",                           \
                .help = "the JSON-RPC of a node of the chain" },                                            \
                        { "contract", 0, OPTION_TEXT, offsetof(type, member.contract),                      \
                                .argument = "ADDRESS", .help = "the contract's address" },                  \
                        { "chain-id", 0, OPTION_COUNT, offsetof(type, member.chain_id), .min = 1,           \
                                .max = 9e15, .argument = "N", .help = "refuse a node of another chain" },   \
                        { "ca", 0, OPTION_TEXT, offsetof(type, member.ca), .argument = "FILE",              \
                                .help = "whom to trust for the node's certificate" },                       \
                        { "cert", 0, OPTION_TEXT, offsetof(type, member.cert), .argument = "FILE",          \
                                .help = "our certificate, where the node wants one" },                      \
                        { "cert-key", 0, OPTION_TEXT, offsetof(type, member.cert_key), .argument = "FILE",  \
                                .help = "and its key" },                                                    \
                        { "username", 0, OPTION_TEXT, offsetof(type, member.username), .argument = "NAME",  \
                                .help = "basic authentication" },                                           \
                        { "password-file", 0, OPTION_TEXT, offsetof(type, member.password_file),            \
                                .argument = "FILE", .help = "and its password" },                           \
        {                                                                                                   \
                "token-file", 0, OPTION_TEXT, offsetof(type, member.token_file),                            \
                                .argument = "FILE", .help = "bearer authentication"                         \
        }

typedef struct ChainValues {
        ChainTarget target;
        const char *config, *connector;
        const char *key_file, *keystore, *keystore_password_file;
        TextList admins, proofs;
        const char *sender, *gateway_key, *gateway_key_file, *gas_price;
        int64_t timeout_us;
        uint64_t from_block;
} ChainValues;

/* CLI_USAGE where options make no sense together. */
int chain_target_check(const ChainTarget *t, Error *e) _must_check_;

/* The actions; in->operands has what follows the action's name. */
int chain_deploy(const Invocation *in, const ChainValues *v, Error *e) _must_check_;
int chain_register(const Invocation *in, const ChainValues *v, Error *e) _must_check_;
int chain_rotate(const Invocation *in, const ChainValues *v, Error *e) _must_check_;
int chain_revoke(const Invocation *in, const ChainValues *v, Error *e) _must_check_;
int chain_status(const Invocation *in, const ChainValues *v, Error *e) _must_check_;
int chain_resubmit(const Invocation *in, const ChainValues *v, Error *e) _must_check_;
int chain_export(const Invocation *in, const ChainValues *v, Error *e) _must_check_;
