/* chain export: one file with all that an auditor needs besides proofs. docs/ethereum.md describes it. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "base/file.h"
#include "cli/chain_bridge.h"
#include "cli/chain_contract.h"
#include "cli/progress.h"
#include "cli/request.h"
#include "ledger/proof.h"

typedef struct Export {
        const Invocation *in;
        const ChainValues *values;
        Contract contract;
        json_t *checkpoint; /* the daemon's newest, with the verifier key */
        char name[ORIGIN_MAX];
        uint64_t epoch;
        Hash gateway;
        json_t *anchors, *consistency;
        Progress progress;
} Export;

static void export_done(Export *x) {
        contract_close(&x->contract);
        json_decref(x->checkpoint);
        json_decref(x->anchors);
        json_decref(x->consistency);
}

static json_t *hash_json(const Hash *h) {
        char text[2 * SHA256_SIZE + 1];

        return json_string(sodium_bin2hex(text, sizeof text, h->bytes, sizeof h->bytes));
}

static int ask_consistency(const Export *x, uint64_t from, uint64_t to, json_t **ret, Error *e) {
        json_t *request = request_new("consistency");

        request_number(&request, "from", (int64_t) from);
        request_number(&request, "to", (int64_t) to);
        return client_call(x->in->socket, request, ret, e);
}

/* --- the anchors, with the notes that the gateway signed for them --- */

static int on_anchored(void *userdata, const ContractEvent *event, Error *e) {
        char text[HASH_TEXT_SIZE];
        Export *x = userdata;
        uint64_t size, old_size;
        Hash root;

        if (event->topic_count < 3 || contract_event_number(event, 0, &size) < 0 ||
                        contract_event_hash(event, 1, &root) < 0 ||
                        contract_event_number(event, 2, &old_size) < 0)
                return error_set(e, -EBADMSG, "an event that is not the contract's");
        hex_write(BYTES(event->transaction.bytes, SHA256_SIZE), text);
        json_t *row = json_pack("{sI sI sI so sI ss}", "epoch",
                        (json_int_t) be64_read(event->topics[2].bytes + SHA256_SIZE - 8), "size",
                        (json_int_t) size, "old_size", (json_int_t) old_size, "root", hash_json(&root),
                        "block", (json_int_t) event->block, "transaction", text);
        return json_array_append_new(x->anchors, row) < 0 ? error_set(e, -ENOMEM, "out of memory") : 0;
}

static void on_searched(void *userdata, uint64_t done, uint64_t total) {
        Export *x = userdata;

        progress_update(&x->progress, done, total);
}

static bool is_of_epoch(const Export *x, const json_t *anchor) {
        return (uint64_t) json_integer_value(json_object_get(anchor, "epoch")) == x->epoch;
}

/* The daemon has the present epoch alone: notes of earlier ones are in what was exported then. */
static int add_note(const Export *x, json_t *anchor, Error *e) {
        _cleanup_(json_decrefp) json_t *row = NULL;

        if (!is_of_epoch(x, anchor))
                return 0;
        int r = ask_consistency(
                        x, 0, (uint64_t) json_integer_value(json_object_get(anchor, "size")), &row, e);
        if (r < 0)
                return r;
        json_t *note = json_object_get(row, "note");
        return note && json_object_set(anchor, "note", note) < 0 ? error_set(e, -ENOMEM, "out of memory")
                                                                 : 0;
}

static int gather_anchors(Export *x, Error *e) {
        const ContractEvents q = { .signature = EVENT_ANCHORED,
                .gateway = &x->gateway,
                .first = x->values->from_block,
                .last = x->contract.newest.number,
                .fn = on_anchored,
                .searched = on_searched,
                .userdata = x };
        json_t *anchor;
        size_t i;

        progress_start(&x->progress, "blocks");
        int r = contract_events(&x->contract, &q, e);
        progress_end(&x->progress);
        progress_start(&x->progress, "anchors");
        json_array_foreach(x->anchors, i, anchor) {
                if (r < 0)
                        break;
                r = add_note(x, anchor, e);
                progress_update(&x->progress, i + 1, json_array_size(x->anchors));
        }
        progress_end(&x->progress);
        return r;
}

/* --- what leads from a proof's checkpoint to an anchor --- */

static uint64_t first_anchor(const Export *x, uint64_t size) {
        const json_t *anchor;
        uint64_t found = 0;
        size_t i;

        json_array_foreach(x->anchors, i, anchor) {
                uint64_t at = (uint64_t) json_integer_value(json_object_get(anchor, "size"));
                if (is_of_epoch(x, anchor) && at >= size && (found == 0 || at < found))
                        found = at;
        }
        return found;
}

static int add_proof(Export *x, const char *path, Proof *proof, Error *e) {
        _cleanup_free_ char *text = NULL;
        json_t *row = NULL;
        Checkpoint c = { .size = 0 };
        size_t len = 0;

        int r = file_read(path, PROOF_TEXT_MAX, &text, &len, e);
        if (r == 0)
                r = proof_parse(BYTES(text, len), proof, e);
        if (r == 0)
                r = checkpoint_parse(BYTES_STRING(proof->note), &c, e);
        if (r < 0)
                return error_prefix(e, r, "%s", path);
        if (!streq(c.origin, row_text(x->checkpoint, "origin")))
                return error_set(e, -ESTALE, "%s: it is of %s, and this gateway's ledger is %s", path,
                                c.origin, row_text(x->checkpoint, "origin"));
        uint64_t anchor = first_anchor(x, c.size);
        if (anchor == 0)
                return error_set(e, -EAGAIN,
                                "%s: nothing as large as its %llu entries is anchored yet: see wardstone "
                                "chain "
                                "status",
                                path, (unsigned long long) c.size);
        if (anchor == c.size)
                return 0;
        r = ask_consistency(x, c.size, anchor, &row, e);
        if (r == 0 && json_array_append(x->consistency, row) < 0)
                r = error_set(e, -ENOMEM, "out of memory");
        json_decref(row);
        return r;
}

static int gather_consistency(Export *x, Error *e) {
        _cleanup_free_ Proof *proof = malloc(sizeof *proof);
        int r = proof ? 0 : error_set(e, -ENOMEM, "out of memory");

        for (size_t i = 0; r == 0 && i < x->values->proofs.count; i++)
                r = add_proof(x, x->values->proofs.items[i], proof, e);
        return r;
}

/* --- the file --- */

static int write_file(Export *x, Error *e) {
        const char *path = x->in->operands[0];

        _cleanup_(json_decrefp) json_t *file = json_pack("{ss ss ss sI ss ss sO sO}", "format",
                        "wardstone-evidence-v1", "gateway", x->name, "verifier_key",
                        row_text(x->checkpoint, "verifier_key"), "chain_id",
                        (json_int_t) x->contract.chain_id, "contract", x->contract.address_text,
                        "checkpoint", row_text(x->checkpoint, "note"), "anchors", x->anchors, "consistency",
                        x->consistency);
        _cleanup_free_ char *text = file ? json_dumps(file, JSON_INDENT(2)) : NULL;
        if (!text)
                return error_set(e, -ENOMEM, "out of memory");
        int r = file_replace(path, BYTES_STRING(text), 0644, e);
        if (r < 0)
                return r;
        if (x->in->json)
                row_print_json(file);
        else
                printf("%s: %zu anchors of %s and %zu consistency proofs; check a proof with: wardstone "
                       "verify "
                       "PROOF --chain URL --contract %s --evidence %s\n",
                                path, json_array_size(x->anchors), x->name, json_array_size(x->consistency),
                                x->contract.address_text, path);
        return 0;
}

int chain_export(const Invocation *in, const ChainValues *v, Error *e) {
        _cleanup_(export_done) Export x = { .in = in, .values = v };

        if (in->operand_count != 1)
                return error_set(e, CLI_USAGE, "expected one FILE to write to");
        int r = client_call(in->socket, request_new("checkpoint"), &x.checkpoint, e);
        if (r == 0 && origin_split(row_text(x.checkpoint, "origin"), x.name, &x.epoch) < 0)
                r = error_set(e, -EBADMSG, "the daemon's checkpoint has no gateway's name");
        if (r == 0)
                r = chain_open(v, &x.contract, e);
        if (r != 0)
                return r;
        abi_gateway(BYTES_STRING(x.name), &x.gateway);
        x.anchors = json_array();
        x.consistency = json_array();
        if (!x.anchors || !x.consistency)
                return error_set(e, -ENOMEM, "out of memory");
        r = gather_anchors(&x, e);
        if (r == 0)
                r = gather_consistency(&x, e);
        return r < 0 ? r : write_file(&x, e);
}
