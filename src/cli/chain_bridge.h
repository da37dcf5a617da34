/* Consistency proofs from a checkpoint to a larger one that is anchored: from a file that `wardstone chain export` has
 * written, or from the gateway itself. Who gives it needs no trust: it leads to the anchored root or it does not. */
#pragma once

#include <jansson.h>

#include "base/error.h"
#include "ledger/merkle.h"

typedef struct Bridge {
        uint64_t from, to;
        Hash hashes[MERKLE_PROOF_MAX];
        size_t count;
} Bridge;

/* Of a row of the daemon's operation consistency, or an item of an evidence file's list of that name. -EBADMSG */
int bridge_read(const json_t *row, Bridge *ret) _must_check_;
/* The shortest one of this log that begins at from; -ESRCH where the file has none. */
int bridge_from_file(
                const char *path, const char *origin, uint64_t from, Bridge *ret, Error *e) _must_check_;
/* -ENOENT and -ECONNREFUSED where no daemon listens, -ESTALE where its ledger is another one. */
int bridge_from_daemon(const char *socket, const char *origin, uint64_t from, uint64_t to, Bridge *ret,
                Error *e) _must_check_;
