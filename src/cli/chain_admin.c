/* chain deploy, register, rotate and revoke: what a consortium's admins do. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "base/file.h"
#include "chain-ethereum/hex.h"
#include "cli/chain_code.h"
#include "cli/chain_send.h"
#include "cli/request.h"

static void forget(Account *a) {
        account_forget(a);
}

static int done(const Invocation *in, const Contract *c, const char *what, const Hash *hash,
                const RpcReceipt *receipt) {
        char transaction[HASH_TEXT_SIZE];

        hex_write(BYTES(hash->bytes, SHA256_SIZE), transaction);
        if (in->json) {
                json_t *row = json_pack("{ss sI ss ss sI sI}", "done", what, "chain_id",
                                (json_int_t) c->chain_id, "contract", c->address_text, "transaction",
                                transaction, "block", (json_int_t) receipt->block, "gas",
                                (json_int_t) receipt->gas_used);
                row_print_json(row);
                json_decref(row);
        } else
                printf("%s: contract %s on chain %llu, block %llu, transaction %s, %llu gas\n", what,
                                c->address_text, (unsigned long long) c->chain_id,
                                (unsigned long long) receipt->block, transaction,
                                (unsigned long long) receipt->gas_used);
        return 0;
}

/* --- deploy --- */

static int read_admins(const ChainValues *v, const Account *a, Address ret[static TEXT_LIST_MAX],
                size_t *ret_n, Error *e) {
        ret[0] = a->address;
        *ret_n = 1;
        if (v->admins.count > 0)
                *ret_n = v->admins.count;
        for (size_t i = 0; i < v->admins.count; i++)
                if (address_parse(v->admins.items[i], &ret[i]) < 0)
                        return error_set(e, CLI_USAGE, "--admin: expected an account's address, got \"%s\"",
                                        v->admins.items[i]);
        return 0;
}

static int creation(const Address *admins, size_t n, uint8_t **ret, size_t *ret_len, Error *e) {
        _cleanup_free_ uint8_t *arguments = NULL;
        size_t len;

        int r = abi_encode(NULL, &ABI_ADDRESSES_OF(admins, n), 1, &arguments, &len);
        uint8_t *data = r < 0 ? NULL : malloc(chain_code_creation_len + len);
        if (!data)
                return error_set(e, -ENOMEM, "out of memory");
        memcpy(data, chain_code_creation, chain_code_creation_len);
        memcpy(data + chain_code_creation_len, arguments, len);
        *ret = data;
        *ret_len = chain_code_creation_len + len;
        return 0;
}

int chain_deploy(const Invocation *in, const ChainValues *v, Error *e) {
        _cleanup_(contract_close) Contract c = { 0 };
        _cleanup_(forget) Account account = { 0 };
        _cleanup_free_ uint8_t *data = NULL;
        Address admins[TEXT_LIST_MAX];
        RpcReceipt receipt;
        size_t n, len;
        Hash hash;

        int r = chain_open_any(v, &c, e);
        if (r == 0)
                r = chain_account(&c, v, &account, e);
        if (r == 0)
                r = read_admins(v, &account, admins, &n, e);
        if (r == 0)
                r = creation(admins, n, &data, &len, e);
        if (r == 0)
                r = chain_send(&c, v, &account, NULL, BYTES(data, len), &receipt, &hash, e);
        if (r != 0)
                return r;
        if (!receipt.has_contract)
                return error_set(e, -EBADMSG, "the node does not say where the contract is");
        c.address = receipt.contract;
        address_format(&c.address, c.address_text);
        return done(in, &c, "deployed", &hash, &receipt);
}

/* --- gateways --- */

/* The public key of the verifier key, which has to be of that gateway. */
static int read_public_key(const ChainValues *v, const char *name, Hash *ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        char origin[ORIGIN_MAX], gateway[ORIGIN_MAX];
        uint64_t epoch;
        int r = 0;

        if (v->gateway_key)
                text = strdup(v->gateway_key);
        else
                r = file_read(v->gateway_key_file ? v->gateway_key_file : "/etc/wardstone/verifier-key",
                                4096, &text, NULL, e);
        if (r < 0)
                return r;
        if (!text)
                return error_set(e, -ENOMEM, "out of memory");
        text[strcspn(text, "\r\n")] = '\0';
        r = note_verifier_key_parse(text, origin, sizeof origin, ret->bytes, e);
        if (r < 0)
                return error_prefix(e, r, "verifier key");
        if (origin_split(origin, gateway, &epoch) < 0 || !streq(gateway, name))
                return error_set(e, -EINVAL, "the verifier key is of %s, not of %s", origin, name);
        return 0;
}

static int read_sender(const ChainValues *v, Address *ret, Error *e) {
        if (!v->sender)
                return error_set(e, CLI_USAGE,
                                "expected --sender ADDRESS: the account that the gateway anchors with");
        if (address_parse(v->sender, ret) < 0)
                return error_set(e, CLI_USAGE, "--sender: expected an account's address, got \"%s\"",
                                v->sender);
        return 0;
}

typedef struct Gateway {
        const char *name;
        Hash id;
        Address sender;
        Hash key;
        AbiGatewayInfo now;
} Gateway;

static int open_gateway(const Invocation *in, const ChainValues *v, Contract *c, Gateway *g, Error *e) {
        if (in->operand_count != 1)
                return error_set(e, CLI_USAGE, "expected one NAME, the gateway's");
        g->name = in->operands[0];
        abi_gateway(BYTES_STRING(g->name), &g->id);
        int r = chain_open(v, c, e);
        return r != 0 ? r : contract_gateway(c, &g->id, &g->now, e);
}

static int act(const Invocation *in, const ChainValues *v, Contract *c, const char *what,
                const char *signature, const AbiValue *values, size_t n, Error *e) {
        _cleanup_(forget) Account account = { 0 };
        _cleanup_free_ uint8_t *data = NULL;
        RpcReceipt receipt;
        size_t len;
        Hash hash;

        int r = chain_account(c, v, &account, e);
        if (r != 0)
                return r;
        r = abi_encode(signature, values, n, &data, &len);
        if (r < 0)
                return error_set(e, r, "out of memory");
        r = chain_send(c, v, &account, &c->address, BYTES(data, len), &receipt, &hash, e);
        return r != 0 ? r : done(in, c, what, &hash, &receipt);
}

static int read_values(const ChainValues *v, Gateway *g, Error *e) {
        int r = read_sender(v, &g->sender, e);
        return r != 0 ? r : read_public_key(v, g->name, &g->key, e);
}

static bool is_as_wanted(const Gateway *g) {
        return g->now.active && address_equal(&g->now.sender, &g->sender) &&
               hash_equal(&g->now.public_key, &g->key);
}

static int already(const Invocation *in, const Contract *c, const Gateway *g) {
        if (in->json)
                puts("{\"done\":\"nothing\"}");
        else
                printf("nothing to do: %s is registered like that in %s\n", g->name, c->address_text);
        return 0;
}

int chain_register(const Invocation *in, const ChainValues *v, Error *e) {
        _cleanup_(contract_close) Contract c = { 0 };
        Gateway g;

        int r = open_gateway(in, v, &c, &g, e);
        if (r == 0)
                r = read_values(v, &g, e);
        if (r != 0)
                return r;
        if (is_as_wanted(&g))
                return already(in, &c, &g);
        const AbiValue values[] = { ABI_BYTES_OF(BYTES_STRING(g.name)), ABI_ADDRESS_OF(&g.sender),
                ABI_WORD_OF(&g.key) };
        return act(in, v, &c, "registered", "register(string,address,bytes32)", values, ELEMENTS(values), e);
}

int chain_rotate(const Invocation *in, const ChainValues *v, Error *e) {
        _cleanup_(contract_close) Contract c = { 0 };
        Gateway g;

        int r = open_gateway(in, v, &c, &g, e);
        if (r == 0)
                r = read_values(v, &g, e);
        if (r != 0)
                return r;
        if (is_as_wanted(&g))
                return already(in, &c, &g);
        const AbiValue values[] = { ABI_WORD_OF(&g.id), ABI_ADDRESS_OF(&g.sender), ABI_WORD_OF(&g.key) };
        return act(in, v, &c, "rotated", "rotate(bytes32,address,bytes32)", values, ELEMENTS(values), e);
}

int chain_revoke(const Invocation *in, const ChainValues *v, Error *e) {
        _cleanup_(contract_close) Contract c = { 0 };
        Gateway g;

        int r = open_gateway(in, v, &c, &g, e);
        return r != 0 ? r : act(in, v, &c, "revoked", "revoke(bytes32)", &ABI_WORD_OF(&g.id), 1, e);
}
