/* The verdict of verify --chain: what is proven, by whom, since when, and what is not. */
#include <sodium.h>

#include "chain-ethereum/hex.h"
#include "cli/text.h"
#include "cli/verify_chain.h"

static const char *const outcome_names[] = {
        [CHAIN_PROVEN] = "proven",
        [CHAIN_INVALID] = "invalid",
        [CHAIN_OTHER_CHAIN] = "other-chain",
        [CHAIN_NO_CONTRACT] = "no-contract",
        [CHAIN_OTHER_CODE] = "other-code",
        [CHAIN_UNREGISTERED] = "unregistered",
        [CHAIN_OTHER_KEY] = "other-key",
        [CHAIN_NOT_ANCHORED] = "not-anchored",
        [CHAIN_CONTRADICTED] = "contradicted",
        [CHAIN_UNLINKED] = "unlinked",
        [CHAIN_INCONSISTENT] = "inconsistent",
        [CHAIN_NOT_FINAL] = "not-final",
};

const char *chain_outcome_name(ChainOutcome o) {
        return outcome_names[o];
}

static void print_whom(const ChainFinding *f) {
        char name[ORIGIN_MAX], account[ADDRESS_TEXT_SIZE];

        text_clean(f->name, name, sizeof name);
        address_format(&f->gateway.sender, account);
        printf("\nBy whom:\n"
               "  The gateway %s, as the contract %s on chain %llu knows it.\n"
               "  Its key, which the contract has%s, signed the checkpoint; its account%s is %s.\n",
                        name, f->contract, (unsigned long long) f->chain_id,
                        f->key_until ? " had before" : "",
                        f->gateway.active ? "" : ", before it was revoked,", account);
        if (f->key_until)
                printf("  That key was in force until block %llu.\n", (unsigned long long) f->key_until);
}

static void print_since(const ChainFinding *f) {
        char time[CLOCK_TEXT_SIZE], transaction[HASH_TEXT_SIZE];

        chain_time_format(f->anchor.time, time);
        printf("\nSince when:\n"
               "  At the latest since %s: block %llu of the chain, %llu blocks ago.\n",
                        time, (unsigned long long) f->anchor.block, (unsigned long long) f->depth);
        if (f->size == f->verified.checkpoint.size)
                puts("  The checkpoint itself is anchored there.");
        else
                printf("  The first %llu entries are anchored there, and the checkpoint is part of them.\n",
                                (unsigned long long) f->size);
        if (f->has_transaction) {
                hex_write(BYTES(f->transaction.bytes, SHA256_SIZE), transaction);
                printf("  Transaction:  %s\n", transaction);
        } else
                puts("  Transaction:  the node does not have it any more");
        if (f->finality)
                printf("  Final:        the node calls that block %s\n", f->finality);
        else if (f->confirmations)
                printf("  Final:        it and those above it are at least %llu blocks\n",
                                (unsigned long long) f->confirmations);
        if (f->code_known)
                puts("  Since then the contract has taken nothing of this ledger that does not extend it.");
}

static void print_limits(const ChainFinding *f) {
        puts("\nWhat is not proven:\n"
             "  That the device measured rightly, or at whom: only what the gateway recorded.\n"
             "  When it was recorded, other than before that block: earlier times are the gateway's word.\n"
             "  That the chain looked at the Ed25519 signature: this program did; the contract knows the\n"
             "  gateway by its account.");
        printf("  That the node %.200s tells the truth about its chain: ask one that you trust.\n", f->url);
        if (!f->finality && !f->confirmations)
                puts("  That the block is final: no finality was asked for (--confirmations, --tag).");
        if (!f->code_known)
                printf("  What the contract checks: its code, Keccak-256 %s, is accepted by --code alone.\n",
                                f->code);
}

static void print_forks(const ChainFinding *f) {
        if (f->forks == 0)
                return;
        printf("\nForks:\n"
               "  %llu reports that this gateway has signed ledgers that exclude each other are on record;\n"
               "  %llu of them are shown to be true: both sides are signed by its key or anchored by its "
               "account.\n",
                        (unsigned long long) f->forks, (unsigned long long) f->forks_shown);
}

void chain_finding_print(const char *path, const ChainFinding *f) {
        char reason[ERROR_MESSAGE_MAX];

        if (f->outcome != CHAIN_PROVEN) {
                text_clean(f->reason.message, reason, sizeof reason);
                printf("%s: NOT PROVEN (%s)\n  %s\n", path, outcome_names[f->outcome], reason);
                if (f->has_verified)
                        puts("  The proof file holds by itself: the gateway has signed it. The chain does "
                             "not "
                             "confirm it.");
                print_forks(f);
                return;
        }
        printf("%s: proven\n\nWhat:\n", path);
        verify_print_entry(&f->verified);
        print_whom(f);
        print_since(f);
        print_limits(f);
        print_forks(f);
}

static json_t *anchor_json(const ChainFinding *f) {
        char time[CLOCK_TEXT_SIZE], root[2 * SHA256_SIZE + 1], transaction[HASH_TEXT_SIZE];

        chain_time_format(f->anchor.time, time);
        sodium_bin2hex(root, sizeof root, f->anchor.root.bytes, SHA256_SIZE);
        hex_write(BYTES(f->transaction.bytes, SHA256_SIZE), transaction);
        return json_pack("{sI ss sI ss sI ss*}", "size", (json_int_t) f->size, "root", root, "block",
                        (json_int_t) f->anchor.block, "time", time, "confirmations",
                        (json_int_t) f->depth + 1, "transaction", f->has_transaction ? transaction : NULL);
}

json_t *chain_finding_json(const ChainFinding *f) {
        const bool proven = f->outcome == CHAIN_PROVEN;
        char account[ADDRESS_TEXT_SIZE];
        json_t *row = f->has_verified ? verify_json(&f->verified) : json_object();

        address_format(&f->gateway.sender, account);
        (void) json_object_del(row, "verified");
        (void) json_object_update_new(row,
                        json_pack("{sb ss ss sI ss}", "proven", proven, "outcome", outcome_names[f->outcome],
                                        "reason", proven ? "" : f->reason.message, "chain_id",
                                        (json_int_t) f->chain_id, "contract", f->contract));
        if (f->has_verified)
                (void) json_object_update_new(
                                row, json_pack("{ss ss sb sb sb sI sI}", "gateway", f->name, "account",
                                                     account, "active", f->gateway.active, "present_key",
                                                     f->key_until == 0, "code_known", f->code_known, "forks",
                                                     (json_int_t) f->forks, "forks_shown",
                                                     (json_int_t) f->forks_shown));
        if (f->size > 0)
                (void) json_object_set_new(row, "anchor", anchor_json(f));
        return row;
}
