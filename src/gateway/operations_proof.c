/* Operations that give evidence: blocks, checkpoints, proofs, verification. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "gateway/internal.h"
#include "gateway/operations.h"

static json_t *hash_to_json(const Hash *h) {
        char text[2 * SHA256_SIZE + 1];

        return json_string(sodium_bin2hex(text, sizeof text, h->bytes, sizeof h->bytes));
}

/* --- block --- */

static int add_entry(void *userdata, const StoredEntry *stored) {
        json_t *rows = userdata;
        const char *type = entry_type_name(stored->entry.type);

        return json_array_append_new(rows,
                        json_pack("{s:I, s:s, s:I, s:I, s:i}", "index", (json_int_t) stored->index, "type",
                                        type ? type : "?", "stream", (json_int_t) stored->entry.stream,
                                        "seq", (json_int_t) stored->entry.seq, "bytes",
                                        (int) stored->body_len));
}

int operation_block(Session *s, const json_t *request, Error *e) {
        Ledger *l = session_gateway(s)->ledger;
        uint64_t height = UINT64_MAX, index;
        Checkpoint checkpoint = { .size = 0 };
        SealBody seal = { .count = 0 };
        char note[NOTE_TEXT_MAX];

        int r = argument_uint(request, "height", &height, e);
        if (r < 0)
                return r;
        r = ledger_block(l, height, &seal, &index);
        if (r == 0)
                r = ledger_block_checkpoint(l, height, &checkpoint, note);
        if (r == -ENOENT) {
                LedgerHead head;
                r = ledger_head(l, &head);
                return r < 0 ? r
                             : error_set(e, -ENOENT,
                                               "there is no such block: %llu are sealed, counted from 0",
                                               (unsigned long long) head.height);
        }
        if (r < 0)
                return r;
        json_t *entries = json_array();
        r = ledger_entries(l, seal.first, seal.count, add_entry, entries);
        if (r < 0 && r != -ENODATA) {
                json_decref(entries);
                return r;
        }
        return session_row(
                        s, json_pack("{s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:b, s:i, s:o, s:I, s:o, "
                                     "s:s, s:s, s:o}",
                                           "height", (json_int_t) height, "first", (json_int_t) seal.first,
                                           "count", (json_int_t) seal.count, "previous_size",
                                           (json_int_t) seal.previous_size, "previous_root",
                                           hash_to_json(&seal.previous_root), "first_us",
                                           (json_int_t) seal.first_us, "last_us", (json_int_t) seal.last_us,
                                           "seal_us", (json_int_t) seal.when.wall_us, "synchronised",
                                           seal.when.synchronised, "boot", (int) seal.when.boot, "rules",
                                           hash_to_json(&seal.rules), "size", (json_int_t) checkpoint.size,
                                           "root", hash_to_json(&checkpoint.root), "origin",
                                           checkpoint.origin, "note", note, "entries", entries));
}

/* --- checkpoint --- */

int operation_checkpoint(Session *s, const json_t *request, Error *e) {
        Gateway *g = session_gateway(s);
        LedgerHead head;
        char key[512];
        (void) request;

        int r = ledger_head(g->ledger, &head);
        if (r < 0)
                return r;
        if (head.checkpoint.size == 0) {
                char within[CLOCK_TEXT_SIZE];
                duration_format(g->config->ledger.block_age_us, within);
                return error_set(e, -ENOENT,
                                "no block is sealed yet: the first is within %s of the first reading",
                                within);
        }
        r = note_verifier_key(head.checkpoint.origin, g->signing_key.public, key, sizeof key);
        if (r < 0)
                return r;
        return session_row(s, json_pack("{s:s, s:I, s:o, s:I, s:s, s:s}", "origin", head.checkpoint.origin,
                                              "size", (json_int_t) head.checkpoint.size, "root",
                                              hash_to_json(&head.checkpoint.root), "height",
                                              (json_int_t) head.height - 1, "note", head.note,
                                              "verifier_key", key));
}

/* --- prove --- */

int operation_prove(Session *s, const json_t *request, Error *e) {
        Gateway *g = session_gateway(s);
        _cleanup_free_ Proof *proof = malloc(sizeof *proof);
        _cleanup_free_ char *text = malloc(PROOF_TEXT_MAX);
        uint64_t index = UINT64_MAX;
        bool disclose = false;
        size_t len = 0;

        if (!proof || !text)
                return -ENOMEM;
        int r = argument_uint(request, "index", &index, e);
        if (r == 0)
                r = argument_bool(request, "disclose", &disclose, e);
        if (r == 0 && disclose)
                r = operations_record_access(s, "prove", NULL, NULL, TIME_NONE, TIME_NONE);
        if (r == 0)
                r = ledger_prove(g->ledger, index, disclose, proof, e);
        if (r == 0)
                r = proof_format(proof, text, &len);
        return r < 0 ? r
                     : session_row(s, json_pack("{s:I, s:s%}", "index", (json_int_t) index, "proof", text,
                                                      len));
}

/* --- consistency --- */

static json_t *hashes_to_json(const Hash *hashes, size_t n) {
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++)
                (void) json_array_append_new(list, hash_to_json(&hashes[i]));
        return list;
}

int operation_consistency(Session *s, const json_t *request, Error *e) {
        Ledger *l = session_gateway(s)->ledger;
        uint64_t from = 0, to = 0, height;
        Hash hashes[MERKLE_PROOF_MAX];
        Checkpoint checkpoint = { .size = 0 };
        LedgerHead head;
        char note[NOTE_TEXT_MAX];
        size_t n = 0;

        int r = argument_uint(request, "from", &from, e);
        if (r == 0)
                r = argument_uint(request, "to", &to, e);
        if (r == 0)
                r = ledger_head(l, &head);
        if (r != 0)
                return r;
        if (to == 0 || from > to || to > head.checkpoint.size)
                return error_set(e, -EINVAL, "from and to: expected sizes of the ledger, which has %llu",
                                (unsigned long long) head.checkpoint.size);
        r = ledger_consistency(l, from, to, hashes, &n);
        if (r == 0)
                r = ledger_block_after(l, to - 1, &height);
        if (r == 0)
                r = ledger_block_checkpoint(l, height, &checkpoint, note);
        if (r < 0)
                return r;
        return session_row(s, json_pack("{s:s, s:I, s:I, s:o, s:s*}", "origin", head.checkpoint.origin,
                                              "from", (json_int_t) from, "to", (json_int_t) to, "proof",
                                              hashes_to_json(hashes, n), "note",
                                              checkpoint.size == to ? note : NULL));
}

/* --- verify --- */

typedef struct Progress {
        Session *session;
        int64_t next_us;
} Progress;

static int report(void *userdata, uint64_t done, uint64_t total) {
        Progress *p = userdata;
        Stamp now = { 0 };

        clock_now(&now);
        if (now.mono_us < p->next_us)
                return 0;
        p->next_us = now.mono_us + 200 * USEC_PER_MSEC;
        return session_row(p->session,
                        json_pack("{s:I, s:I}", "done", (json_int_t) done, "total", (json_int_t) total));
}

int operation_verify(Session *s, const json_t *request, Error *e) {
        Progress progress = { .session = s };
        VerifyReport v;
        (void) request;

        int r = ledger_verify_all(session_gateway(s)->ledger, report, &progress, &v);
        if (r < 0)
                return error_set(e, r, "the ledger can't be read through: %s", strerror(-r));
        return session_row(s,
                        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "entries", (json_int_t) v.entries,
                                        "pruned", (json_int_t) v.pruned, "blocks", (json_int_t) v.blocks,
                                        "sealed_bodies_opened", (json_int_t) v.sealed_bodies_opened,
                                        "erased", (json_int_t) v.erased, "bad", (json_int_t) v.bad,
                                        "first_fault", v.first_fault));
}
