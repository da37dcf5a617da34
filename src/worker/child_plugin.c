/* The kinds of plugins: how each is found in the shared object, and its operations in terms of JSON. */
#include <dlfcn.h>
#include <sodium.h>
#include <stdio.h>

#include "base/sha256.h"
#include "worker/child.h"

enum { PROOF_MAX = 64 };

static_assert((int) WARDSTONE_HASH_SIZE == (int) SHA256_SIZE, "the ABI's hashes are SHA-256");

static int malformed(Child *c) {
        return c->host.fail(&c->host, WARDSTONE_RETRY, "malformed call by the gateway");
}

static bool hash_from_hex(const json_t *hex, uint8_t ret[static WARDSTONE_HASH_SIZE]) {
        size_t n;

        return json_is_string(hex) && json_string_length(hex) == (size_t) 2 * WARDSTONE_HASH_SIZE &&
               sodium_hex2bin(ret, WARDSTONE_HASH_SIZE, json_string_value(hex), json_string_length(hex),
                               NULL, &n, NULL) == 0 &&
               n == WARDSTONE_HASH_SIZE;
}

static int put_head(Child *c, const struct wardstone_chain_head *h, json_t *reply) {
        char root[2 * WARDSTONE_HASH_SIZE + 1];

        if (h->size > INT64_MAX || h->final_size > h->size || h->pending_size > INT64_MAX ||
                        !memchr(h->receipt, '\0', sizeof h->receipt))
                return c->host.fail(&c->host, WARDSTONE_RETRY, "plugin gave an impossible head");
        (void) sodium_bin2hex(root, sizeof root, h->root, sizeof h->root);
        json_t *head = json_pack("{s:I,s:s,s:I,s:I,s:o}", "size", (json_int_t) h->size, "root", root,
                        "final_size", (json_int_t) h->final_size, "pending_size",
                        (json_int_t) h->pending_size, "receipt", child_text(h->receipt));
        int r = head ? json_object_update(reply, head) : -1;
        json_decref(head);
        return r == 0 ? WARDSTONE_OK : c->host.fail(&c->host, WARDSTONE_RETRY, "out of memory");
}

/* head() and poll() have the same shape. */
static int ask_head(Child *c, const json_t *args, json_t *reply,
                int (*ask)(void *self, const char *origin, struct wardstone_chain_head *ret)) {
        const char *origin = json_string_value(json_object_get(args, "origin"));
        struct wardstone_chain_head head = { 0 };

        if (!origin)
                return malformed(c);
        int r = ask(c->self, origin, &head);
        return r == WARDSTONE_OK ? put_head(c, &head, reply) : r;
}

static int run_head(Child *c, const json_t *args, json_t *reply) {
        return ask_head(c, args, reply, c->chain->head);
}

static int run_poll(Child *c, const json_t *args, json_t *reply) {
        return ask_head(c, args, reply, c->chain->poll);
}

static int run_anchor(Child *c, const json_t *args, json_t *reply) {
        struct wardstone_chain_head head = { 0 };
        struct wardstone_checkpoint checkpoint = { 0 };
        uint8_t proof[PROOF_MAX][WARDSTONE_HASH_SIZE];
        json_int_t old_size, size;
        json_t *root, *hashes;

        if (json_unpack((json_t *) args, "{s:s,s:s,s:I,s:I,s:o,s:o}", "origin", &checkpoint.origin, "note",
                            &checkpoint.note, "old_size", &old_size, "size", &size, "root", &root, "proof",
                            &hashes) < 0)
                return malformed(c);
        if (old_size < 0 || size <= old_size || !hash_from_hex(root, checkpoint.root) ||
                        !json_is_array(hashes) || json_array_size(hashes) > PROOF_MAX)
                return malformed(c);
        for (size_t i = 0; i < json_array_size(hashes); i++)
                if (!hash_from_hex(json_array_get(hashes, i), proof[i]))
                        return malformed(c);
        checkpoint.old_size = (uint64_t) old_size;
        checkpoint.size = (uint64_t) size;
        checkpoint.proof = (const uint8_t(*)[WARDSTONE_HASH_SIZE]) proof;
        checkpoint.proof_count = json_array_size(hashes);
        int r = c->chain->anchor(c->self, &checkpoint, &head);
        return r == WARDSTONE_OK ? put_head(c, &head, reply) : r;
}

static int run_deliver(Child *c, const json_t *args, json_t *reply) {
        const json_t *notice = json_object_get(args, "notice");
        _cleanup_free_ char *text = json_is_object(notice) ? json_dumps(notice, JSON_COMPACT) : NULL;

        return text ? c->notify->deliver(c->self, text) : malformed(c);
}

static int run_refresh(Child *c, const json_t *args, json_t *reply) {
        const char *gateway;
        json_t *alerts;
        int first, last;

        if (json_unpack((json_t *) args, "{s:s,s:b,s:b,s:o}", "gateway", &gateway, "first", &first, "last",
                            &last, "alerts", &alerts) < 0 ||
                        !json_is_array(alerts))
                return malformed(c);
        if (!c->notify->refresh)
                return WARDSTONE_OK;
        json_t *part = json_pack("{s:s,s:b,s:b,s:O}", "gateway", gateway, "first", first, "last", last,
                        "alerts", alerts);
        _cleanup_free_ char *text = part ? json_dumps(part, JSON_COMPACT) : NULL;
        json_decref(part);
        return text ? c->notify->refresh(c->self, text)
                    : c->host.fail(&c->host, WARDSTONE_RETRY, "out of memory");
}

static const Operation chain_operations[] = { { "head", run_head }, { "anchor", run_anchor },
        { "poll", run_poll }, { NULL, NULL } };

static const Operation notify_operations[] = { { "deliver", run_deliver }, { "refresh", run_refresh },
        { NULL, NULL } };

static int check_abi(Child *c, const char *path, uint32_t has, uint32_t wants) {
        if (has == wants)
                return WARDSTONE_OK;
        return c->host.fail(&c->host, WARDSTONE_CONFIGURATION,
                        "%s: built for plugin ABI %u, this gateway has %u", path, has, wants);
}

int child_load(Child *c, const char *path) {
        void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);

        if (!object)
                return c->host.fail(&c->host, WARDSTONE_CONFIGURATION, "cannot load plugin: %s", dlerror());
        c->chain = dlsym(object, "wardstone_chain_plugin");
        if (c->chain) {
                c->operations = chain_operations;
                return check_abi(c, path, c->chain->abi, WARDSTONE_CHAIN_ABI);
        }
        c->notify = dlsym(object, "wardstone_notify_plugin");
        if (c->notify) {
                c->operations = notify_operations;
                return check_abi(c, path, c->notify->abi, WARDSTONE_NOTIFY_ABI);
        }
        return c->host.fail(&c->host, WARDSTONE_CONFIGURATION,
                        "%s: exports neither wardstone_chain_plugin nor wardstone_notify_plugin", path);
}

int child_open(Child *c, const json_t *args, json_t *reply) {
        const json_t *settings = json_object_get(args, "config");
        _cleanup_free_ char *config = settings ? json_dumps(settings, JSON_COMPACT) : NULL;
        void *self = NULL;

        if (!config)
                return malformed(c);
        c->args = json_incref((json_t *) args);
        c->host.state_dir = json_string_value(json_object_get(args, "state_dir"));
        int r = c->chain ? c->chain->open(&c->host, config, &self)
                         : c->notify->open(&c->host, config, &self);
        if (r == WARDSTONE_OK && !self)
                return c->host.fail(&c->host, WARDSTONE_CONFIGURATION, "plugin's open() gave no object");
        c->self = r == WARDSTONE_OK ? self : NULL;
        if (r == WARDSTONE_OK && c->notify && c->notify->refresh)
                (void) json_object_set_new(reply, "refresh", json_true());
        return r;
}

void child_close(Child *c) {
        if (c->self && c->chain)
                c->chain->close(c->self);
        else if (c->self)
                c->notify->close(c->self);
        c->self = NULL;
        json_decref(TAKE(c->args));
}
