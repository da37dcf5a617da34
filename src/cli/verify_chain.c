/* verify FILE --chain URL: a proof, checked against what the consortium's contract has on record. */
#include "cli/verify_chain.h"

#include <errno.h>
#include <sodium.h>

#include "chain-ethereum/hex.h"
#include "cli/chain_bridge.h"
#include "cli/request.h"

typedef struct Check {
        const Invocation *in;
        const VerifyValues *values;
        const char *path;
        Contract contract;
        Hash gateway;
        ChainFinding found;
} Check;

/* Settled, with the reason in found.reason: steps return it as an answer, not as a failure. */
enum { SETTLED = 1 };

#define settle(check, result, ...)                                                                          \
        ((check)->found.outcome = (result), (void) error_set(&(check)->found.reason, -EPERM, __VA_ARGS__),  \
                        SETTLED)

/* --- the contract --- */

static int check_contract(Check *k, Error *e) {
        const VerifyValues *v = k->values;
        ChainFinding *f = &k->found;
        ContractCode code;
        Hash hash;

        f->chain_id = k->contract.chain_id;
        memcpy(f->contract, k->contract.address_text, sizeof f->contract);
        if (v->chain.chain_id && v->chain.chain_id != f->chain_id)
                return settle(k, CHAIN_OTHER_CHAIN, "the node is of chain %llu, not of %llu",
                                (unsigned long long) f->chain_id, (unsigned long long) v->chain.chain_id);
        int r = contract_code(&k->contract, &code, &hash, e);
        if (r < 0)
                return r;
        if (code == CODE_NONE)
                return settle(k, CHAIN_NO_CONTRACT, "there is no contract at %s on chain %llu", f->contract,
                                (unsigned long long) f->chain_id);
        sodium_bin2hex(f->code, sizeof f->code, hash.bytes, sizeof hash.bytes);
        f->code_known = code == CODE_KNOWN;
        const char *wanted = v->code && startswith(v->code, "0x") ? v->code + 2 : v->code;
        if (wanted ? strcasecmp(wanted, f->code) != 0 : !f->code_known)
                return settle(k, CHAIN_OTHER_CODE,
                                "the contract at %s is not WardstoneAnchors as %s: its code's Keccak-256 is "
                                "%s",
                                f->contract, wanted ? "--code has it" : "this program knows it", f->code);
        return 0;
}

/* --- the proof file, with the key that the contract has --- */

typedef struct KeySearch {
        Verified *verified;
        Error *why;     /* of the last key that was tried */
        int r;          /* of verify_proof() */
        Hash signer;    /* the last key that was tried */
        uint64_t until; /* where the key that fits was rotated away */
        bool fits;      /* the key in force is the one */
} KeySearch;

/* Registered has the key as its third word behind its topics, Rotated as its second. */
static int try_key(KeySearch *s, const ContractEvent *event, size_t word, Error *e) {
        Hash key;

        if (contract_event_hash(event, word, &key) < 0)
                return error_set(e, -EBADMSG, "an event without its key");
        if (s->r != -EKEYREJECTED) {
                if (s->fits)
                        s->until = event->block;
                s->fits = false;
                return 0;
        }
        s->r = verify_proof(s->verified, key.bytes, s->why);
        s->fits = s->r == 0;
        s->signer = key;
        return 0;
}

static int on_registered(void *userdata, const ContractEvent *event, Error *e) {
        return try_key(userdata, event, 2, e);
}

static int on_rotated(void *userdata, const ContractEvent *event, Error *e) {
        return try_key(userdata, event, 1, e);
}

/* The checkpoint may be older than the present key. */
static int try_older_keys(Check *k, KeySearch *s, Error *e) {
        ContractEvents q = { .signature = EVENT_REGISTERED,
                .gateway = &k->gateway,
                .last = k->contract.newest.number,
                .fn = on_registered,
                .userdata = s };

        int r = contract_events(&k->contract, &q, e);
        if (r < 0)
                return r;
        q.signature = EVENT_ROTATED;
        q.fn = on_rotated;
        r = contract_events(&k->contract, &q, e);
        k->found.key_until = s->until;
        return r;
}

static int check_given_key(Check *k, Error *e) {
        char name[ORIGIN_MAX];
        uint8_t public[32];

        if (!k->values->key && !k->values->key_file)
                return 0;
        int r = verify_load_key(k->values, name, public, e);
        if (r < 0)
                return r;
        if (!verify_same_gateway(name, k->found.verified.checkpoint.origin) ||
                        verify_proof(&k->found.verified, public, &k->found.reason) < 0)
                return settle(k, CHAIN_OTHER_KEY,
                                "the checkpoint is not signed by the key of %s that was given", name);
        return 0;
}

static int check_proof(Check *k, Error *e) {
        ChainFinding *f = &k->found;
        KeySearch search = { .verified = &f->verified, .why = &f->reason };
        static const Address nobody;
        Checkpoint unsigned_checkpoint;

        int r = verify_read(k->path, &f->verified.proof, &f->reason);
        if (r == -EBADMSG || r == -EINVAL) {
                f->outcome = CHAIN_INVALID;
                return SETTLED;
        }
        if (r < 0)
                return error_set(e, r, "%s", f->reason.message);
        r = checkpoint_parse(BYTES_STRING(f->verified.proof.note), &unsigned_checkpoint, &f->reason);
        if (r < 0) {
                f->outcome = CHAIN_INVALID;
                return SETTLED;
        }
        if (origin_split(unsigned_checkpoint.origin, f->name, &f->epoch) < 0)
                return settle(k, CHAIN_INVALID,
                                "the checkpoint's origin is not a gateway's name and an epoch");
        abi_gateway(BYTES_STRING(f->name), &k->gateway);
        r = contract_gateway(&k->contract, &k->gateway, &f->gateway, e);
        if (r < 0)
                return r;
        if (address_equal(&f->gateway.sender, &nobody))
                return settle(k, CHAIN_UNREGISTERED, "the contract knows no gateway of the name %s",
                                f->name);
        search.r = verify_proof(&f->verified, f->gateway.public_key.bytes, &f->reason);
        if (search.r == -EKEYREJECTED) {
                r = try_older_keys(k, &search, e);
                if (r < 0)
                        return r;
        }
        if (search.r < 0) {
                f->outcome = search.r == -EKEYREJECTED ? CHAIN_OTHER_KEY : CHAIN_INVALID;
                return SETTLED;
        }
        f->has_verified = true;
        f->key = f->key_until ? search.signer : f->gateway.public_key;
        return check_given_key(k, e);
}

/* --- the anchor --- */

typedef struct SizeSearch {
        uint64_t at_least, found;
} SizeSearch;

static int on_anchored(void *userdata, const ContractEvent *event, Error *e) {
        SizeSearch *s = userdata;
        uint64_t size;

        if (contract_event_number(event, 0, &size) < 0)
                return error_set(e, -EBADMSG, "an event without its size");
        if (size >= s->at_least && (s->found == 0 || size < s->found))
                s->found = size;
        return 0;
}

/* The first anchor that could contain the checkpoint; *ret 0: there is none. */
static int find_larger(Check *k, uint64_t *ret, Error *e) {
        ChainFinding *f = &k->found;
        SizeSearch search = { .at_least = f->verified.checkpoint.size };
        const ContractEvents q = { .signature = EVENT_ANCHORED,
                .gateway = &k->gateway,
                .epoch = &f->epoch,
                .last = k->contract.newest.number,
                .fn = on_anchored,
                .userdata = &search };
        AbiHead head;

        int r = contract_head(&k->contract, &k->gateway, &head, e);
        if (r < 0)
                return r;
        *ret = 0;
        if (head.epoch < f->epoch || (head.epoch == f->epoch && head.size < search.at_least))
                return 0;
        r = contract_events(&k->contract, &q, e);
        *ret = search.found;
        return r;
}

static int get_bridge(Check *k, Bridge *ret, Error *e) {
        const Checkpoint *c = &k->found.verified.checkpoint;
        uint64_t larger;
        Error why = { .message = "" };

        if (k->values->evidence) {
                int r = bridge_from_file(k->values->evidence, c->origin, c->size, ret, e);
                if (r != -ESRCH)
                        return r;
        }
        int r = find_larger(k, &larger, e);
        if (r < 0)
                return r;
        if (larger == 0)
                return settle(k, CHAIN_NOT_ANCHORED,
                                "nothing as large as the checkpoint's %llu entries is anchored yet",
                                (unsigned long long) c->size);
        r = bridge_from_daemon(k->in->socket, c->origin, c->size, larger, ret, &why);
        if (r < 0)
                return settle(k, CHAIN_UNLINKED,
                                "the chain has the first %llu entries of %s; that the checkpoint is part of "
                                "them needs a consistency proof: get it from the gateway with wardstone "
                                "chain "
                                "export --proof and give it with --evidence (here: %.200s)",
                                (unsigned long long) larger, c->origin, why.message);
        return 0;
}

static int check_bridge(Check *k, Error *e) {
        ChainFinding *f = &k->found;
        const Checkpoint *c = &f->verified.checkpoint;
        Bridge bridge;

        int r = get_bridge(k, &bridge, e);
        if (r != 0)
                return r;
        r = contract_anchored(&k->contract, &k->gateway, f->epoch, bridge.to, &f->anchor, e);
        if (r < 0)
                return r;
        if (f->anchor.block == 0)
                return settle(k, CHAIN_NOT_ANCHORED,
                                "the consistency proof leads to %llu entries, and that is not anchored",
                                (unsigned long long) bridge.to);
        if (merkle_verify_consistency(
                            c->size, &c->root, bridge.to, &f->anchor.root, bridge.hashes, bridge.count) < 0)
                return settle(k, CHAIN_INCONSISTENT,
                                "the consistency proof does not show that the checkpoint is part of the "
                                "%llu "
                                "entries that are anchored",
                                (unsigned long long) bridge.to);
        f->size = bridge.to;
        return 0;
}

static int check_anchor(Check *k, Error *e) {
        ChainFinding *f = &k->found;
        const Checkpoint *c = &f->verified.checkpoint;

        int r = contract_anchored(&k->contract, &k->gateway, f->epoch, c->size, &f->anchor, e);
        if (r < 0)
                return r;
        if (f->anchor.block == 0)
                return check_bridge(k, e);
        if (!hash_equal(&f->anchor.root, &c->root))
                return settle(k, CHAIN_CONTRADICTED,
                                "the chain has another root for the first %llu entries of %s: there are two "
                                "ledgers of that name",
                                (unsigned long long) c->size, c->origin);
        f->size = c->size;
        return 0;
}

/* --- the receipt and its finality --- */

static int on_receipt(void *userdata, const ContractEvent *event, Error *e) {
        ChainFinding *f = userdata;
        uint64_t size;

        if (contract_event_number(event, 0, &size) < 0)
                return error_set(e, -EBADMSG, "an event without its size");
        if (size == f->size) {
                f->transaction = event->transaction;
                f->has_transaction = true;
        }
        return 0;
}

/* The view is what counts; a node may have forgotten the event, but what it has must agree. */
static int check_receipt(Check *k, Error *e) {
        ChainFinding *f = &k->found;
        const ContractEvents q = { .signature = EVENT_ANCHORED,
                .gateway = &k->gateway,
                .epoch = &f->epoch,
                .first = f->anchor.block,
                .last = f->anchor.block,
                .fn = on_receipt,
                .userdata = f };
        char number[QUANTITY_SIZE];
        RpcReceipt receipt = { 0 };
        RpcError refusal;
        RpcBlock block;

        quantity_write(f->anchor.block, number);
        int r = rpc_block(contract_rpc(&k->contract), number, &block, &refusal);
        if (r != WARDSTONE_OK)
                return contract_failed(&k->contract, r, "eth_getBlockByNumber", &refusal, e);
        if (f->anchor.block > k->contract.newest.number || !block.found || block.time != f->anchor.time)
                return error_set(e, -EBADMSG,
                                "the node contradicts itself: block %s is not of the time that the contract "
                                "has",
                                number);
        r = contract_events(&k->contract, &q, e);
        if (r < 0 || !f->has_transaction)
                return r;
        r = rpc_receipt(contract_rpc(&k->contract), &f->transaction, &receipt, &refusal);
        if (r != WARDSTONE_OK)
                return contract_failed(&k->contract, r, "eth_getTransactionReceipt", &refusal, e);
        if (!receipt.found || !receipt.success || receipt.block != f->anchor.block ||
                        !hash_equal(&receipt.block_hash, &block.hash))
                return error_set(e, -EBADMSG,
                                "the node contradicts itself: the anchor's receipt is not of block %s",
                                number);
        return 0;
}

static int check_finality(Check *k, Error *e) {
        ChainFinding *f = &k->found;
        RpcError refusal;
        RpcBlock block;

        f->depth = k->contract.newest.number - f->anchor.block;
        if (f->depth + 1 < f->confirmations)
                return settle(k, CHAIN_NOT_FINAL,
                                "it is anchored in block %llu, which with those above it is %llu blocks, "
                                "not "
                                "yet %llu",
                                (unsigned long long) f->anchor.block, (unsigned long long) f->depth + 1,
                                (unsigned long long) f->confirmations);
        if (!f->finality)
                return 0;
        int r = rpc_block(contract_rpc(&k->contract), f->finality, &block, &refusal);
        if (r != WARDSTONE_OK)
                return contract_failed(&k->contract, r, f->finality, &refusal, e);
        if (!block.found || block.number < f->anchor.block)
                return settle(k, CHAIN_NOT_FINAL, "it is anchored in block %llu, which is not %s yet",
                                (unsigned long long) f->anchor.block, f->finality);
        return 0;
}

/* --- all of it --- */

static int check_all(Check *k, Error *e) {
        static int (*const steps[])(Check *, Error *) = { check_contract, check_proof, check_anchor,
                check_receipt, check_finality };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(steps); i++)
                r = steps[i](k, e);
        if (r >= 0 && k->found.has_verified)
                r = chain_forks(&k->contract, &k->found, &k->gateway, e);
        return r < 0 ? r : 0;
}

static int check_usage(const VerifyValues *v, Error *e) {
        if (!v->chain.contract)
                return error_set(e, CLI_USAGE, "--chain: expected --contract ADDRESS as well");
        if (v->confirmations && v->tag)
                return error_set(e, CLI_USAGE, "--confirmations and --tag: choose one");
        if (v->tag && !streq(v->tag, "finalized") && !streq(v->tag, "safe"))
                return error_set(e, CLI_USAGE, "--tag: expected finalized or safe, got \"%s\"", v->tag);
        return chain_target_check(&v->chain, e);
}

int verify_chain(const Invocation *in, const char *path, Error *e) {
        const VerifyValues *v = in->values;
        _cleanup_free_ Check *k = calloc(1, sizeof *k);

        if (!k)
                return error_set(e, -ENOMEM, "out of memory");
        int r = check_usage(v, e);
        if (r != 0)
                return r;
        if (sodium_init() < 0)
                return error_set(e, -EIO, "libsodium can't start");
        *k = (Check){ .in = in, .values = v, .path = path };
        k->found.url = v->chain.url;
        k->found.finality = v->tag;
        k->found.confirmations = v->confirmations;
        r = contract_open(&k->contract, &v->chain, e);
        if (r == 0)
                r = check_all(k, e);
        contract_close(&k->contract);
        if (r < 0)
                return r;
        if (in->json) {
                json_t *row = chain_finding_json(&k->found);
                row_print_json(row);
                json_decref(row);
        } else
                chain_finding_print(path, &k->found);
        return k->found.outcome == CHAIN_PROVEN ? 0 : CLI_NO;
}
