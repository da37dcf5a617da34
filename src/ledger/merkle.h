/* RFC 6962 Merkle tree: hashes, a growing tree's right edge, and proofs. Pure: no I/O. */
#pragma once

#include "base/sha256.h"

enum {
        MERKLE_PROOF_MAX =
                        64, /* hashes of a proof for a tree below 2^63 leaves; a consistency proof may have one more */
        TILE_WIDTH = 256, /* hashes of a full tile (C2SP tlog-tiles) */
        TILE_HEIGHT = 8,
        TILE_LEVELS = 8,
};

void merkle_leaf(Bytes entry, Hash *ret);                         /* RFC 6962 2.1: SHA-256(0x00 || entry) */
void merkle_node(const Hash *left, const Hash *right, Hash *ret); /* SHA-256(0x01 || left || right) */
void merkle_empty(Hash *ret);                                     /* the root of no leaves */

/* The roots of the perfect subtrees that make up a tree of `size` leaves, largest first: enough to append and to
 * compute the root. */
typedef struct Frontier {
        uint64_t size;
        Hash peaks[64];
        unsigned count;
} Frontier;

void frontier_append(Frontier *f, const Hash *leaf);
void frontier_root(const Frontier *f, Hash *ret);

/* Where proofs get the hashes of perfect subtrees from: level 0 is leaves, index counts subtrees of 2^level leaves. */
typedef struct NodeSource {
        int (*node)(void *userdata, unsigned level, uint64_t index, Hash *ret);
        void *userdata;
} NodeSource;

/* RFC 6962 2.1.1: index < size. Writes at most MERKLE_PROOF_MAX hashes. Errors of the source travel up. */
int merkle_inclusion_proof(const NodeSource *s, uint64_t index, uint64_t size,
                Hash ret[static MERKLE_PROOF_MAX], size_t *ret_n) _must_check_;
/* RFC 6962 2.1.2: old_size <= new_size; empty where they are equal or old_size is 0. */
int merkle_consistency_proof(const NodeSource *s, uint64_t old_size, uint64_t new_size,
                Hash ret[static MERKLE_PROOF_MAX], size_t *ret_n) _must_check_;
/* Root of the first `size` leaves. */
int merkle_root_at(const NodeSource *s, uint64_t size, Hash *ret) _must_check_;

/* 0, or -EBADMSG where the proof does not hold (RFC 9162 2.1.3.2 and 2.1.4.2 verify).
 * An old_size of 0 is -EBADMSG too: there is nothing to be consistent with. */
int merkle_verify_inclusion(const Hash *leaf, uint64_t index, uint64_t size, const Hash *proof, size_t n,
                const Hash *root) _must_check_;
int merkle_verify_consistency(uint64_t old_size, const Hash *old_root, uint64_t new_size,
                const Hash *new_root, const Hash *proof, size_t n) _must_check_;
