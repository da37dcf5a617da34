/* Calls of the contract WardstoneAnchors, its answers and its errors (Solidity's contract ABI). Pure. */
#pragma once

#include <stdbool.h>

#include "account.h"

/* --- any call --- */

typedef enum AbiType {
        ABI_UINT, /* uint64, bool */
        ABI_WORD, /* bytes32 */
        ABI_ADDRESS,
        ABI_BYTES,     /* bytes, string */
        ABI_WORDS,     /* bytes32[] */
        ABI_ADDRESSES, /* address[] */
} AbiType;

typedef struct AbiValue {
        AbiType type;
        union {
                uint64_t number;
                const Hash *word;
                const Address *address;
                Bytes bytes;
        };
        /* of the two arrays */
        const void *items; /* 32 or 20 bytes each */
        size_t count;
} AbiValue;

#define ABI_UINT_OF(v)         ((AbiValue){ .type = ABI_UINT, .number = (v) })
#define ABI_WORD_OF(h)         ((AbiValue){ .type = ABI_WORD, .word = (h) })
#define ABI_ADDRESS_OF(a)      ((AbiValue){ .type = ABI_ADDRESS, .address = (a) })
#define ABI_BYTES_OF(b)        ((AbiValue){ .type = ABI_BYTES, .bytes = (b) })
#define ABI_WORDS_OF(p, n)     ((AbiValue){ .type = ABI_WORDS, .items = (p), .count = (n) })
#define ABI_ADDRESSES_OF(p, n) ((AbiValue){ .type = ABI_ADDRESSES, .items = (p), .count = (n) })

/* signature: as "head(bytes32)"; its selector comes first. NULL: values alone, as a constructor has them behind the code.
 * free() *ret. */
int abi_encode(const char *signature, const AbiValue *values, size_t n, uint8_t **ret,
                size_t *ret_len) _must_check_;

/* --- calls of the contract --- */

/* By which the contract knows a gateway. name: the first part of its checkpoints' origin. */
void abi_gateway(Bytes name, Hash *ret);

typedef struct AbiAnchor {
        Hash gateway;
        uint64_t epoch, old_size, size;
        Hash root;
        const uint8_t (*proof)[SHA256_SIZE];
        size_t proof_count;
} AbiAnchor;

/* All four: free() *ret; -ENOMEM. */
int abi_call_anchor(const AbiAnchor *a, uint8_t **ret, size_t *ret_len) _must_check_;
int abi_call_head(const Hash *gateway, uint8_t **ret, size_t *ret_len) _must_check_;
int abi_call_anchored(const Hash *gateway, uint64_t epoch, uint64_t size, uint8_t **ret,
                size_t *ret_len) _must_check_;
int abi_call_gateway_info(const Hash *gateway, uint8_t **ret, size_t *ret_len) _must_check_;

/* --- answers: -EBADMSG where they are not what the contract would say --- */

typedef struct AbiHead {
        uint64_t epoch, size; /* size 0: nothing is anchored */
        Hash root;
        uint64_t block, time;
} AbiHead;

typedef struct AbiAnchored {
        Hash root;
        uint64_t block, time; /* block 0: not anchored */
} AbiAnchored;

enum { ABI_NAME_MAX = 63 };

typedef struct AbiGatewayInfo {
        char name[ABI_NAME_MAX + 1];
        Address sender; /* zeros: not registered */
        Hash public_key;
        bool active;
} AbiGatewayInfo;

int abi_read_head(Bytes answer, AbiHead *ret) _must_check_;
int abi_read_anchored(Bytes answer, AbiAnchored *ret) _must_check_;
int abi_read_gateway_info(Bytes answer, AbiGatewayInfo *ret) _must_check_;

/* --- what it refuses with --- */

typedef enum AbiErrorId {
        ABI_ERROR_UNKNOWN, /* none of the contract's: no data, Error(string), Panic(uint256), another contract's */
        ABI_NOT_ADMIN,
        ABI_LAST_ADMIN,
        ABI_ZERO_VALUE,
        ABI_BAD_NAME,
        ABI_ALREADY_REGISTERED,
        ABI_NOT_REGISTERED,
        ABI_REVOKED,
        ABI_NOT_SENDER,
        ABI_EARLIER_EPOCH,  /* has */
        ABI_WRONG_OLD_SIZE, /* has */
        ABI_NOT_LARGER,
        ABI_NOT_CONSISTENT,
        ABI_NO_FORK,
        ABI_BAD_NOTE,
        ABI_NO_SHA256,
} AbiErrorId;

typedef struct AbiError {
        AbiErrorId id;
        uint64_t has;   /* what the contract has, of those that say it */
        char text[160]; /* for an operator: the error's name and values, one line */
} AbiError;

/* data: what came with the revert, may be empty. */
void abi_read_error(Bytes data, AbiError *ret);
