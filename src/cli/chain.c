/* chain: what consortium and operators do with the contract, and what they hand to auditors. */
#include "cli/chain.h"

#include <errno.h>

#include "cli/chain_contract.h"
#include "gateway/config.h"

static const char default_config[] = "/etc/wardstone/wardstone.yaml";

int chain_target_check(const ChainTarget *t, Error *e) {
        static const char *const wires[] = { "https://", "http://127.0.0.1", "http://[::1]",
                "http://localhost" };
        bool safe = false;

        if (!startswith(t->url, "http://") && !startswith(t->url, "https://"))
                return error_set(e, CLI_USAGE, "--chain: expected a URL, as https://node.example:8545");
        if (strchr(t->url, '@'))
                return error_set(e, CLI_USAGE,
                                "--chain: a user and a password belong to --username and "
                                "--password-file, not into the URL");
        if (!t->cert != !t->cert_key)
                return error_set(e, CLI_USAGE, "--cert and --cert-key: the one needs the other");
        if (!t->username != !t->password_file)
                return error_set(e, CLI_USAGE, "--username and --password-file: the one needs the other");
        if (t->username && t->token_file)
                return error_set(e, CLI_USAGE, "--username and --token-file: choose one");
        for (size_t i = 0; i < ELEMENTS(wires); i++)
                safe = safe || startswith(t->url, wires[i]);
        if (!safe && (t->username || t->token_file))
                return error_set(e, CLI_USAGE, "a password or a token goes over https alone");
        return 0;
}

/* --- the chain that is meant --- */

static const json_t *find_connector(const Config *config, const char *name) {
        for (size_t i = 0; i < config->chain_count; i++)
                if (streq(config->chains[i].plugin, "chain-ethereum") &&
                                (!name || streq(config->chains[i].name, name)))
                        return config->chains[i].config;
        return NULL;
}

/* *ret borrows from *ret_settings. */
static int target_of_config(const ChainValues *v, json_t **ret_settings, ChainTarget *ret, Error *e) {
        const char *path = v->config ? v->config : default_config;
        _cleanup_(config_freep) Config *config = NULL;
        json_t *endpoints = NULL;
        json_int_t id = 0;

        int r = config_load(path, &config, e);
        if (r < 0)
                return error_prefix(e, r, "no --chain, so the configuration's");
        const json_t *found = find_connector(config, v->connector);
        if (!found)
                return error_set(e, -ENOENT,
                                "%s has no chain %s%sof the plugin chain-ethereum: give --chain", path,
                                v->connector ? v->connector : "", v->connector ? " " : "");
        json_t *settings = json_incref((json_t *) found);
        *ret_settings = settings;
        if (json_unpack(settings, "{s:o, s:s, s:I, s?{s?s, s?s, s?s}, s?s, s?{s?s, s?s}}", "endpoints",
                            &endpoints, "contract", &ret->contract, "chain_id", &id, "tls", "ca", &ret->ca,
                            "cert", &ret->cert, "key", &ret->cert_key, "token_file", &ret->token_file,
                            "basic", "username", &ret->username, "password_file", &ret->password_file) < 0 ||
                        !json_is_string(json_array_get(endpoints, 0)))
                return error_set(e, -EINVAL, "%s: the chain's config wants endpoints, contract and chain_id",
                                path);
        ret->url = json_string_value(json_array_get(endpoints, 0));
        ret->chain_id = (uint64_t) id;
        return 0;
}

static int open_target(const ChainValues *v, bool wants_contract, Contract *ret, Error *e) {
        ChainTarget target = v->target;
        int r = 0;

        if (!target.url) {
                r = target_of_config(v, &ret->settings, &target, e);
                if (r == 0 && v->target.contract)
                        target.contract = v->target.contract;
        }
        if (r == 0)
                r = chain_target_check(&target, e);
        if (r != 0)
                return r;
        if (wants_contract && !target.contract)
                return error_set(e, CLI_USAGE, "expected --contract ADDRESS");
        r = contract_open(ret, &target, e);
        if (r == 0 && target.chain_id && target.chain_id != ret->chain_id)
                r = error_set(e, -EINVAL, "the node is of chain %llu, not of %llu",
                                (unsigned long long) ret->chain_id, (unsigned long long) target.chain_id);
        return r;
}

int chain_open_any(const ChainValues *v, Contract *ret, Error *e) {
        return open_target(v, false, ret, e);
}

int chain_open(const ChainValues *v, Contract *ret, Error *e) {
        ContractCode code;
        Hash hash;

        int r = open_target(v, true, ret, e);
        if (r == 0)
                r = contract_code(ret, &code, &hash, e);
        if (r == 0 && code == CODE_NONE)
                r = error_set(e, -ENOENT, "there is no contract at %s on chain %llu", ret->address_text,
                                (unsigned long long) ret->chain_id);
        return r;
}

/* --- the command --- */

static const struct {
        const char *name;
        int (*run)(const Invocation *in, const ChainValues *v, Error *e);
} actions[] = {
        { "deploy", chain_deploy },
        { "register", chain_register },
        { "rotate", chain_rotate },
        { "revoke", chain_revoke },
        { "status", chain_status },
        { "resubmit", chain_resubmit },
        { "export", chain_export },
};

static int run_chain(const Invocation *in, Error *e) {
        Invocation rest = *in;

        rest.operands++;
        rest.operand_count--;
        for (size_t i = 0; i < ELEMENTS(actions); i++)
                if (streq(in->operands[0], actions[i].name))
                        return actions[i].run(&rest, in->values, e);
        return error_set(e, CLI_USAGE,
                        "expected deploy, register, rotate, revoke, status, resubmit or export, got \"%s\"",
                        in->operands[0]);
}

static const Option options[] = {
        CHAIN_TARGET_OPTIONS(ChainValues, target),
        { "config", 'c', OPTION_TEXT, offsetof(ChainValues, config), .argument = "FILE",
                        .help = "without --chain: whose chain is meant" },
        { "connector", 0, OPTION_TEXT, offsetof(ChainValues, connector), .argument = "NAME",
                        .help = "and which one of its chains (default: the first)" },
        { "key-file", 0, OPTION_TEXT, offsetof(ChainValues, key_file), .argument = "FILE",
                        .help = "the admin's account: its key as 64 hexadecimal digits" },
        { "keystore", 0, OPTION_TEXT, offsetof(ChainValues, keystore), .argument = "FILE",
                        .help = "or as a Web3 keystore" },
        { "keystore-password-file", 0, OPTION_TEXT, offsetof(ChainValues, keystore_password_file),
                        .argument = "FILE", .help = "and its password" },
        { "admin", 0, OPTION_LIST, offsetof(ChainValues, admins), .argument = "ADDRESS",
                        .help = "deploy: an admin of the contract, again for more (default: the account)" },
        { "sender", 0, OPTION_TEXT, offsetof(ChainValues, sender), .argument = "ADDRESS",
                        .help = "register, rotate: the account that the gateway anchors with" },
        { "verifier-key", 0, OPTION_TEXT, offsetof(ChainValues, gateway_key), .argument = "KEY",
                        .help = "register, rotate: the gateway's verifier key" },
        { "verifier-key-file", 0, OPTION_TEXT, offsetof(ChainValues, gateway_key_file), .argument = "FILE",
                        .help = "or in a file (default /etc/wardstone/verifier-key)" },
        { "gas-price", 0, OPTION_TEXT, offsetof(ChainValues, gas_price), .argument = "WEI",
                        .help = "of a legacy transaction; 0 where gas is free (default: as the node says)" },
        { "timeout", 0, OPTION_DURATION, offsetof(ChainValues, timeout_us), .argument = "TIME",
                        .help = "wait for a block, or until it is final, no longer (default 2m)" },
        { "proof", 0, OPTION_LIST, offsetof(ChainValues, proofs), .argument = "FILE",
                        .help = "export: with what leads from this proof file to an anchor" },
        { "from-block", 0, OPTION_COUNT, offsetof(ChainValues, from_block), .max = 9e15, .argument = "N",
                        .help = "export: where the chain's records of this contract begin" },
        { NULL },
};

static const ChainValues defaults = { .timeout_us = 120 * USEC_PER_SEC };

const Command command_chain = {
        .name = "chain",
        .operands = "deploy | register NAME | rotate NAME | revoke NAME | status [NAME] | "
                    "resubmit [CHAIN] | export FILE",
        .summary = "Anchoring on an Ethereum chain: set up, watch, hand to auditors",
        .details = "deploy    put the contract on a chain, for test networks\n"
                   "register  let a gateway anchor: its account and its verifier key\n"
                   "rotate    give a registered gateway another account or key\n"
                   "revoke    let a gateway anchor nothing more, for good\n"
                   "status    what the chain has of the ledger, how far it lags, the last anchors\n"
                   "resubmit  let the daemon's connector ask the chain and send now, not after its wait\n"
                   "export    write FILE with all that an auditor needs besides proofs",
        .options = options,
        .values_size = sizeof(ChainValues),
        .values = &defaults,
        .operands_min = 1,
        .operands_max = 2,
        .talks = true,
        .run = run_chain,
};
