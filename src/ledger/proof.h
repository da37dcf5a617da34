/* A proof in one file: c2sp.org/tlog-proof@v1 with the entry, its stored body and, where disclosed, the key of that one
 * body in the extra line. Checkable with the file and the log's public key alone. */
#pragma once

#include "ledger/keyring.h"
#include "ledger/merkle.h"
#include "ledger/note.h"

typedef struct Proof {
        uint64_t index;
        Entry entry;
        uint8_t body[BODY_MAX]; /* as stored: sealed where entry.flags says so */
        size_t body_len;
        bool has_subkey;
        uint8_t subkey[KEY_SIZE];
        Hash hashes[MERKLE_PROOF_MAX];
        size_t hash_count;
        char note[NOTE_READ_MAX + 1]; /* the newest checkpoint's, perhaps with witnesses' signatures */
} Proof;

enum { PROOF_TEXT_MAX = 16 * 1024 };

/* -EINVAL where a length is beyond its limit. */
int proof_format(const Proof *p, char ret[static PROOF_TEXT_MAX], size_t *ret_len) _must_check_;
/* Takes only what proof_format() writes. */
int proof_parse(Bytes text, Proof *ret, Error *e) _must_check_;
/* Checks body hash, inclusion, the note's signature, and that a body that is readable (plain or disclosed) is one of its
 * type; *ret_checkpoint is what it was proven against. ret_plain (BODY_MAX) and *ret_plain_len get the readable body, else
 * *ret_plain_len is 0. */
int proof_verify(const Proof *p, const uint8_t public[static 32], Checkpoint *ret_checkpoint,
                uint8_t *ret_plain, size_t *ret_plain_len, Error *e) _must_check_;
