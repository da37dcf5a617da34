/* chain-file: a file as the chain, and the connector that others are copied from.
 *
 * It checks what a chain has to check: the gateway's signature, that each checkpoint extends the one before
 * (RFC 6962 consistency), that an epoch is followed only by a later one. What contradicts the file is
 * refused for good. It keeps nothing in memory between calls but its settings: head() reads the file, so
 * whatever happened in between is seen.
 *
 * Settings: file (default anchors.ndjson; relative to the connector's folder; another disk is better),
 * max_bytes (default 64 MiB), verifier_key (the gateway's, as `wardstone checkpoint --key` prints it) or
 * public_key (base64, which the gateway gives itself). */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>

#include "anchor_file.h"
#include "ledger/merkle.h"
#include "wardstone/chain_plugin.h"

enum { MAX_BYTES_DEFAULT = 64 << 20, MAX_BYTES_SMALLEST = 4 * ANCHOR_LINE_MAX };

static_assert(sizeof(Hash) == WARDSTONE_HASH_SIZE, "the ABI's hashes are the ledger's");

typedef struct ChainFile {
        const struct wardstone_host *host;
        AnchorFile file;
        uint8_t public[32];
        char gateway[ORIGIN_MAX]; /* from verifier_key; empty: whoever comes first */
} ChainFile;

/* --- origins: "<gateway name>/<epoch>" --- */

typedef enum Order { ORDER_OTHER, ORDER_EARLIER, ORDER_SAME, ORDER_LATER } Order;

static int split_origin(const char *origin, size_t *ret_name_len, uint64_t *ret_epoch) {
        const char *slash = strrchr(origin, '/');
        char *end;

        if (!slash || slash[1] < '0' || slash[1] > '9')
                return -EINVAL;
        errno = 0;
        *ret_epoch = strtoull(slash + 1, &end, 10);
        *ret_name_len = (size_t) (slash - origin);
        return *end || errno ? -EINVAL : 0;
}

/* How `origin` stands to what is there. */
static Order origin_order(const char *origin, const char *there) {
        size_t name, name_there;
        uint64_t epoch, epoch_there;

        if (split_origin(origin, &name, &epoch) < 0 || split_origin(there, &name_there, &epoch_there) < 0 ||
                        !bytes_equal(BYTES(origin, name), BYTES(there, name_there)))
                return ORDER_OTHER;
        return epoch < epoch_there ? ORDER_EARLIER : epoch == epoch_there ? ORDER_SAME : ORDER_LATER;
}

/* --- settings --- */

static int read_key(ChainFile *c, const char *verifier_key, const char *public_key) {
        const struct wardstone_host *host = c->host;
        size_t n = 0, name_len;
        uint64_t epoch;
        Error e;

        if (verifier_key) {
                if (note_verifier_key_parse(verifier_key, c->gateway, sizeof c->gateway, c->public, &e) < 0)
                        return host->fail(host, WARDSTONE_CONFIGURATION, "verifier_key: %s", e.message);
                if (split_origin(c->gateway, &name_len, &epoch) < 0)
                        return host->fail(host, WARDSTONE_CONFIGURATION,
                                        "verifier_key: expected NAME/EPOCH+HASH+KEY, as `wardstone "
                                        "checkpoint --key` prints it");
                return WARDSTONE_OK;
        }
        if (!public_key ||
                        sodium_base642bin(c->public, sizeof c->public, public_key, strlen(public_key), NULL,
                                        &n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
                        n != sizeof c->public)
                return host->fail(host, WARDSTONE_CONFIGURATION,
                                "verifier_key or public_key: expected the gateway's");
        return WARDSTONE_OK;
}

static char *make_path(const struct wardstone_host *host, const char *file) {
        char *path;

        if (file[0] == '/')
                return strdup(file);
        return asprintf(&path, "%s/%s", host->state_dir, file) < 0 ? NULL : path;
}

static int configure(ChainFile *c, const json_t *settings) {
        const struct wardstone_host *host = c->host;
        const char *file = "anchors.ndjson", *verifier_key = NULL, *public_key = NULL;
        json_int_t max_bytes = MAX_BYTES_DEFAULT;
        json_error_t json_error;
        Error e;

        /* the '!' refuses members that are not named here */
        if (json_unpack_ex((json_t *) settings, &json_error, 0, "{s?:s,s?:s,s?:s,s?:I!}", "file", &file,
                            "verifier_key", &verifier_key, "public_key", &public_key, "max_bytes",
                            &max_bytes) < 0)
                return host->fail(host, WARDSTONE_CONFIGURATION, "config: %s", json_error.text);
        if (max_bytes < MAX_BYTES_SMALLEST)
                return host->fail(
                                host, WARDSTONE_CONFIGURATION, "max_bytes: at least %d", MAX_BYTES_SMALLEST);
        if (file[0] != '/' && !host->state_dir)
                return host->fail(host, WARDSTONE_CONFIGURATION, "file: expected an absolute path");
        int r = read_key(c, verifier_key, public_key);
        if (r != WARDSTONE_OK)
                return r;
        _cleanup_free_ char *path = make_path(host, file);
        if (!path)
                return host->fail(host, WARDSTONE_RETRY, "out of memory");
        r = anchor_file_open(&c->file, path, (uint64_t) max_bytes, &e);
        if (r < 0)
                return host->fail(host, r == -EBUSY ? WARDSTONE_RETRY : WARDSTONE_CONFIGURATION, "%s",
                                e.message);
        return WARDSTONE_OK;
}

static void chain_file_close(void *self) {
        ChainFile *c = self;

        anchor_file_close(&c->file);
        free(c);
}

static int chain_file_open(const struct wardstone_host *host, const char *config, void **ret_self) {
        json_t *settings = json_loads(config, JSON_REJECT_DUPLICATES, NULL);
        ChainFile *c = calloc(1, sizeof *c);
        int r;

        if (c) {
                c->host = host;
                c->file.lock = -1;
                r = configure(c, settings);
        } else {
                r = host->fail(host, WARDSTONE_RETRY, "out of memory");
        }
        json_decref(settings);
        if (r == WARDSTONE_OK)
                *ret_self = c;
        else if (c)
                chain_file_close(c);
        return r;
}

/* --- the chain --- */

static void fill_head(const ChainFile *c, const Checkpoint *checkpoint, uint64_t offset,
                struct wardstone_chain_head *ret) {
        *ret = (struct wardstone_chain_head){ .size = checkpoint->size, .final_size = checkpoint->size };
        memcpy(ret->root, checkpoint->root.bytes, sizeof ret->root);
        (void) snprintf(ret->receipt, sizeof ret->receipt, "%.200s at byte %" PRIu64, c->file.path, offset);
}

/* The file's last anchor, checked like any other, because a person can edit a file; size 0 where there is
 * none. */
static int read_last(const ChainFile *c, Anchor *ret) {
        const struct wardstone_host *host = c->host;
        Checkpoint signed_one;
        Anchor a;
        Error e;

        int r = anchor_file_last(&c->file, &a, &e);
        if (r == -ENOENT) {
                *ret = (Anchor){ 0 };
                return WARDSTONE_OK;
        }
        if (r < 0)
                return host->fail(host, r == -EUCLEAN ? WARDSTONE_CONFIGURATION : WARDSTONE_RETRY, "%s",
                                e.message);
        r = checkpoint_open(BYTES_STRING(a.note), c->public, &signed_one, &e);
        if (r < 0)
                return host->fail(
                                host, WARDSTONE_CONFIGURATION, "%s: last line: %s", c->file.path, e.message);
        if (!streq(signed_one.origin, a.checkpoint.origin) || signed_one.size != a.checkpoint.size ||
                        !hash_equal(&signed_one.root, &a.checkpoint.root))
                return host->fail(host, WARDSTONE_CONFIGURATION,
                                "%s: the last line is not what its note says", c->file.path);
        *ret = a;
        return WARDSTONE_OK;
}

/* May this origin speak here at all? Gives how it stands to the last anchor. */
static int admit(const ChainFile *c, const char *origin, const Anchor *last, Order *ret) {
        const struct wardstone_host *host = c->host;
        size_t name_len;
        uint64_t epoch;

        if (split_origin(origin, &name_len, &epoch) < 0)
                return host->fail(host, WARDSTONE_CONFIGURATION, "origin '%s' is not NAME/EPOCH", origin);
        if (c->gateway[0] && origin_order(origin, c->gateway) == ORDER_OTHER)
                return host->fail(host, WARDSTONE_CONFIGURATION, "origin '%s': verifier_key is that of '%s'",
                                origin, c->gateway);
        *ret = last->checkpoint.size > 0 ? origin_order(origin, last->checkpoint.origin) : ORDER_LATER;
        if (*ret == ORDER_OTHER)
                return host->fail(host, WARDSTONE_CONFIGURATION, "%s belongs to '%s', not to '%s'",
                                c->file.path, last->checkpoint.origin, origin);
        if (*ret == ORDER_EARLIER)
                return host->fail(host, WARDSTONE_CONTRADICTED, "'%s' was already followed by '%s'", origin,
                                last->checkpoint.origin);
        return WARDSTONE_OK;
}

static int chain_file_head(void *self, const char *origin, struct wardstone_chain_head *ret) {
        const ChainFile *c = self;
        Anchor last = { 0 };
        Order order = ORDER_OTHER;

        int r = read_last(c, &last);
        if (r == WARDSTONE_OK)
                r = admit(c, origin, &last, &order);
        if (r == WARDSTONE_OK && order == ORDER_SAME)
                fill_head(c, &last.checkpoint, last.offset, ret);
        return r;
}

static int open_note(const ChainFile *c, const struct wardstone_checkpoint *offered, Checkpoint *ret) {
        const struct wardstone_host *host = c->host;
        Error e;

        if (checkpoint_open(BYTES_STRING(offered->note), c->public, ret, &e) < 0)
                return host->fail(host, WARDSTONE_CONFIGURATION, "%s", e.message);
        if (!streq(ret->origin, offered->origin) || ret->size != offered->size ||
                        memcmp(ret->root.bytes, offered->root, SHA256_SIZE) != 0)
                return host->fail(host, WARDSTONE_CONFIGURATION,
                                "the note is not of the checkpoint that it came with");
        return WARDSTONE_OK;
}

/* Does it extend what the file has of the same log? *ret_known: the file has it already. */
static int check_extends(const ChainFile *c, const struct wardstone_checkpoint *offered,
                const Checkpoint *next, const Checkpoint *last, bool *ret_known) {
        const struct wardstone_host *host = c->host;

        *ret_known = next->size == last->size;
        if (next->size == last->size && !hash_equal(&next->root, &last->root))
                return host->fail(host, WARDSTONE_CONTRADICTED, "two roots at size %" PRIu64 " of '%s'",
                                next->size, next->origin);
        if (next->size == last->size)
                return WARDSTONE_OK;
        if (offered->old_size != last->size)
                return host->fail(host, WARDSTONE_RETRY,
                                "expected a proof from size %" PRIu64 ", got one from %" PRIu64, last->size,
                                offered->old_size);
        if (merkle_verify_consistency(last->size, &last->root, next->size, &next->root,
                            (const Hash *) offered->proof, offered->proof_count) < 0)
                return host->fail(host, WARDSTONE_CONTRADICTED,
                                "size %" PRIu64 " of '%s' does not extend size %" PRIu64, next->size,
                                next->origin, last->size);
        return WARDSTONE_OK;
}

static int chain_file_anchor(
                void *self, const struct wardstone_checkpoint *offered, struct wardstone_chain_head *ret) {
        const ChainFile *c = self;
        const struct wardstone_host *host = c->host;
        Checkpoint next;
        Anchor last = { 0 };
        Order order = ORDER_OTHER;
        bool known = false;
        Error e;

        int r = open_note(c, offered, &next);
        if (r == WARDSTONE_OK)
                r = read_last(c, &last);
        if (r == WARDSTONE_OK)
                r = admit(c, offered->origin, &last, &order);
        if (r != WARDSTONE_OK)
                return r;
        if (order == ORDER_SAME)
                r = check_extends(c, offered, &next, &last.checkpoint, &known);
        else if (offered->old_size != 0)
                r = host->fail(host, WARDSTONE_RETRY, "'%s' has to begin at size 0 here", offered->origin);
        if (r != WARDSTONE_OK)
                return r;
        uint64_t offset = last.offset;
        bool follows = order == ORDER_LATER && last.checkpoint.size > 0;
        if (!known && anchor_file_append(&c->file, &next, offered->note, follows ? &last.checkpoint : NULL,
                                      &offset, &e) < 0)
                return host->fail(host, WARDSTONE_RETRY, "%s", e.message);
        fill_head(c, &next, offset, ret);
        return WARDSTONE_OK;
}

const struct wardstone_chain_plugin wardstone_chain_plugin = {
        .abi = WARDSTONE_CHAIN_ABI,
        .name = "chain-file",
        .open = chain_file_open,
        .head = chain_file_head,
        .anchor = chain_file_anchor,
        .poll = chain_file_head, /* what is fsynced is final, and nothing is ever pending */
        .close = chain_file_close,
};
