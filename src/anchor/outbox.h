/* What each chain connector is known to have, what is in flight, and what it is to get next.
 *
 * The outbox is told of each new checkpoint and asks the ledger for the consistency proof; it never blocks
 * and keeps one anchor in flight a connector. Its state is a small file a connector, replaced atomically by
 * a thread of its own.
 *
 * Calls over the link, as wardstone-worker takes them: "head" {origin}, "poll" {origin}, "anchor"
 * {origin, note, old_size, size, root (hex), proof [hex]}; each is answered by what the chain has: {size,
 * root, final_size, pending_size, receipt}. Failures: -EBADMSG the chain contradicts the ledger, -EINVAL
 * an operator is needed, anything else is tried again. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/sha256.h"

typedef struct Outbox Outbox;

typedef enum OutboxPolicy { OUTBOX_LATEST, OUTBOX_EVERY } OutboxPolicy;

enum { PROOF_HASHES_MAX = 64, CHECKPOINT_TEXT_MAX = 1024 };

/* A checkpoint to anchor: text is the signed note. */
typedef struct AnchorHead {
        uint64_t size, height; /* tree size; block height */
        Hash root;
        char origin[256];
        char text[CHECKPOINT_TEXT_MAX];
} AnchorHead;

/* What the outbox needs from the ledger. Both give -ENOENT where there is no such thing. */
typedef struct OutboxLedger {
        /* The oldest checkpoint with a size above after, or (latest) the newest one. */
        int (*checkpoint)(void *userdata, uint64_t after, bool latest, AnchorHead *ret);
        int (*consistency)(void *userdata, uint64_t old_size, uint64_t new_size,
                        Hash ret[static PROOF_HASHES_MAX], size_t *ret_n);
        void *userdata;
} OutboxLedger;

/* How the connector's worker is reached: anchor/ does not know worker/. reply as WorkerReplyFn without
 * the worker. */
typedef void (*OutboxReplyFn)(void *userdata, int r, const json_t *reply);
typedef struct OutboxLink {
        int (*call)(void *userdata, const char *op, const json_t *args, OutboxReplyFn fn, void *fn_userdata);
        /* The late answer to a request that outbox_request() took. */
        void (*answer)(void *userdata, const json_t *answer);
        void *userdata;
} OutboxLink;

typedef enum OutboxHealth {
        OUTBOX_OK,          /* the newest checkpoint is final on the chain */
        OUTBOX_BEHIND,      /* on its way, nothing went wrong */
        OUTBOX_UNREACHABLE, /* no worker, or the last call failed: reason says why */
        OUTBOX_CONTRADICTED /* stopped until a restart or outbox_resubmit() */
} OutboxHealth;

typedef struct OutboxStatus {
        OutboxHealth health;
        uint64_t anchored_size; /* final on the chain */
        uint64_t anchored_height;
        uint64_t pending_size; /* sent or accepted but not final, 0: nothing */
        uint64_t anchors, failures;
        char reason[256];  /* of the last failure */
        char receipt[256]; /* of the last anchor, as the connector words it */
} OutboxStatus;

typedef struct OutboxOptions {
        const char *name;
        const char *state_path; /* the connector's state file */
        OutboxPolicy policy;
        /* Between tries after a failure (default 1 s, 5 min). What is pending or not final is polled at
         * retry_min_us. */
        int64_t retry_min_us, retry_max_us;
        /* Called when status changes: the gateway raises and clears technical alerts. */
        void (*changed)(void *userdata, Outbox *o);
        void *userdata;
} OutboxOptions;

/* The ledger is asked already. A damaged state file is -EINVAL: it is never guessed what was under way. */
int outbox_new(sd_event *event, const OutboxOptions *o, const OutboxLedger *ledger, Outbox **ret,
                Error *e) _must_check_;
/* After the worker behind its link. */
Outbox *outbox_free(Outbox *o);
DEFINE_CLEANUP(Outbox *, outbox_free);

/* The worker is ready (link) or gone (NULL): after each start the chain is asked what it has before
 * anything is sent. */
void outbox_connect(Outbox *o, const OutboxLink *link);
/* There is a new checkpoint. */
void outbox_wake(Outbox *o);
/* Somebody changed what stood in the way: the chain is asked now instead of after the wait, and what is under way or newer
 * goes to it. After a contradiction too. */
void outbox_resubmit(Outbox *o);
/* A request of the connector. {"op":"load"} is answered at once: {"r":0,"state":"<base64>"}, a new
 * reference. So is what is refused: {"r":-EINVAL,"error":TEXT}. {"op":"save","state":"<base64>"} gives
 * NULL: the state is written by a thread, so that a slow disk holds up nothing else, and link->answer()
 * follows when it is durable. */
json_t *outbox_request(Outbox *o, const json_t *request);
const char *outbox_name(const Outbox *o);
const OutboxStatus *outbox_status(const Outbox *o);
/* The smallest anchored_size over all connectors is what pruning may count on. */
