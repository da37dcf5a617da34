/* What chain-ethereum keeps over crashes: the transaction that it sent last, written down before it was sent.
 *
 * There is one at most. Each time that it is replaced by one with the same nonce and higher fees its hash is kept, since
 * any of them may be the one that gets into a block. */
#pragma once

#include "account.h"

enum {
        SENT_ORIGIN_MAX = 256,
        SENT_ATTEMPTS_MAX = 24,
        SENT_DATA_MAX = 4096, /* anchor()'s arguments with 64 hashes take 2.3 KB */
        SENT_RAW_MAX = SENT_DATA_MAX + 512,
        STATE_TEXT_MAX = 32 * 1024,
};

typedef enum SentStage {
        SENT_NOTHING, /* nothing is under way */
        SENT_OPEN,    /* maybe sent, in no block yet */
        SENT_MINED,   /* in a block */
} SentStage;

typedef struct Sent {
        SentStage stage;

        /* where, and by whom */
        uint64_t chain_id;
        Address contract, sender;

        /* what */
        char origin[SENT_ORIGIN_MAX];
        uint64_t size;

        /* how: the newest attempt */
        uint64_t nonce, gas_limit, fee, tip; /* fees as in Fees */
        uint8_t data[SENT_DATA_MAX], raw[SENT_RAW_MAX];
        size_t data_len, raw_len;
        int64_t sent_us; /* wall clock */

        Hash attempts[SENT_ATTEMPTS_MAX]; /* hashes, the newest last */
        size_t attempt_count;

        uint64_t block; /* of SENT_MINED */
        Hash mined;     /* which attempt is in it */
} Sent;

typedef struct State {
        unsigned reverts; /* transactions in a row that were refused within a block: each was paid for */
        Sent sent;
} State;

/* -ENOMEM, or -EMSGSIZE: more than STATE_TEXT_MAX. */
int state_format(const State *s, char ret[static STATE_TEXT_MAX], size_t *ret_len) _must_check_;
/* No bytes: nothing was ever saved. -EBADMSG: not what state_format() made. */
int state_parse(const char *text, size_t len, State *ret) _must_check_;
