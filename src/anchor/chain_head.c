#include "anchor/chain_head.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "base/file.h"

enum { STATE_FILE_MAX = 64 * 1024, STATE_VERSION = 1 };

json_t *hash_to_json(const Hash *h) {
        char hex[2 * SHA256_SIZE + 1];

        return json_string(sodium_bin2hex(hex, sizeof hex, h->bytes, sizeof h->bytes));
}

static int hash_from_text(const char *hex, Hash *ret) {
        size_t n = 0;

        if (strlen(hex) != 2 * sizeof ret->bytes ||
                        sodium_hex2bin(ret->bytes, sizeof ret->bytes, hex, strlen(hex), NULL, &n, NULL) !=
                                        0 ||
                        n != SHA256_SIZE)
                return -EPROTO;
        return 0;
}

int chain_head_parse(const json_t *reply, ChainHead *ret) {
        json_int_t size, final_size, pending_size;
        const char *root, *receipt;
        ChainHead h = { 0 };

        if (json_unpack((json_t *) reply, "{s:I,s:s,s:I,s:I,s:s}", "size", &size, "root", &root,
                            "final_size", &final_size, "pending_size", &pending_size, "receipt",
                            &receipt) < 0 ||
                        size < 0 || final_size < 0 || final_size > size || pending_size < 0)
                return -EPROTO;
        h.size = (uint64_t) size;
        h.final_size = (uint64_t) final_size;
        h.pending_size = (uint64_t) pending_size;
        (void) snprintf(h.receipt, sizeof h.receipt, "%s", receipt);
        int r = hash_from_text(root, &h.root);
        if (r == 0)
                *ret = h;
        return r;
}

static int state_parse(const json_t *file, OutboxState *ret) {
        const char *origin, *connector;
        json_int_t height, version;

        if (json_unpack((json_t *) file, "{s:I,s:s,s:I,s:s}", "version", &version, "origin", &origin,
                            "final_height", &height, "connector", &connector) < 0 ||
                        version != STATE_VERSION || strlen(origin) >= sizeof ret->origin || height < 0 ||
                        strlen(connector) > CONNECTOR_STATE_MAX)
                return -EPROTO;
        int r = chain_head_parse(file, &ret->head);
        if (r < 0)
                return r;
        ret->connector = strdup(connector);
        if (!ret->connector)
                return -ENOMEM;
        (void) snprintf(ret->origin, sizeof ret->origin, "%s", origin);
        ret->final_height = (uint64_t) height;
        return 0;
}

int outbox_state_read(const char *path, OutboxState *ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        OutboxState s = { 0 };
        size_t len;

        int r = file_read(path, STATE_FILE_MAX, &text, &len, e);
        if (r == -ENOENT) {
                s.connector = strdup("");
                if (!s.connector)
                        return error_set(e, -ENOMEM, "%s: out of memory", path);
                *ret = s;
                return 0;
        }
        if (r < 0)
                return r;
        json_t *file = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
        r = file ? state_parse(file, &s) : -EPROTO;
        json_decref(file);
        if (r == -EPROTO)
                /* never guessed: the connector may have a transaction under way that only this file knows
                 * of */
                return error_set(e, -EINVAL,
                                "%s: damaged; restore it, or remove it where the connector has nothing "
                                "under way",
                                path);
        if (r < 0)
                return error_set(e, r, "%s: %s", path, strerror(-r));
        *ret = s;
        return 0;
}

char *outbox_state_format(const OutboxState *s) {
        json_t *file = json_pack("{s:i,s:s,s:I,s:o,s:I,s:I,s:I,s:s,s:s}", "version", STATE_VERSION, "origin",
                        s->origin, "size", (json_int_t) s->head.size, "root", hash_to_json(&s->head.root),
                        "final_size", (json_int_t) s->head.final_size, "final_height",
                        (json_int_t) s->final_height, "pending_size", (json_int_t) s->head.pending_size,
                        "receipt", s->head.receipt, "connector", s->connector);
        char *text = file ? json_dumps(file, JSON_COMPACT) : NULL;

        json_decref(file);
        return text;
}
