#include "ledger/proof.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "ledger/lines.h"

#define FIRST_LINE "c2sp.org/tlog-proof@v1"

enum {
        EXTRA_MAX = 1 + (1 + 2 + ENTRY_SIZE) + (1 + 3 + BODY_MAX) + (1 + 2 + KEY_SIZE),
        EXTRA_TEXT_SIZE = sodium_base64_ENCODED_LEN(EXTRA_MAX, sodium_base64_VARIANT_ORIGINAL),
};
static_assert(sizeof FIRST_LINE + sizeof "extra " + EXTRA_TEXT_SIZE + sizeof "index 18446744073709551615" +
                                                (size_t) MERKLE_PROOF_MAX * HASH_TEXT_SIZE + 1 +
                                                NOTE_READ_MAX <=
                                PROOF_TEXT_MAX,
                "every proof fits");

/* { 1: entry, 2: body as stored, ? 3: the body's subkey } */
static int extra_put(const Proof *p, uint8_t ret[static EXTRA_MAX], size_t *ret_len) {
        CborWriter w = cbor_writer(ret, EXTRA_MAX);
        uint8_t entry[ENTRY_SIZE];

        if (p->body_len > BODY_MAX)
                return -EINVAL;
        entry_encode(&p->entry, entry);
        cbor_put_map(&w, p->has_subkey ? 3 : 2);
        cbor_put_uint(&w, 1);
        cbor_put_bytes(&w, BYTES(entry, sizeof entry));
        cbor_put_uint(&w, 2);
        cbor_put_bytes(&w, BYTES(p->body, p->body_len));
        if (p->has_subkey) {
                cbor_put_uint(&w, 3);
                cbor_put_bytes(&w, BYTES(p->subkey, sizeof p->subkey));
        }
        assert(!w.overflow);
        *ret_len = w.len;
        return 0;
}

static int take_member(CborReader *r, uint64_t key, Bytes *ret) {
        uint64_t k;

        return cbor_take_uint(r, &k) == 0 && k == key && cbor_take_bytes(r, ret) == 0 ? 0 : -EBADMSG;
}

/* What isn't as extra_put() writes it is found by proof_parse(), which formats again. */
static int extra_get(Bytes extra, Proof *p) {
        CborReader r = cbor_reader(extra);
        Bytes entry, body, subkey;
        size_t pairs;

        if (cbor_take_map(&r, &pairs) < 0 || take_member(&r, 1, &entry) < 0 || entry.len != ENTRY_SIZE ||
                        entry_decode(entry.data, &p->entry) < 0 || take_member(&r, 2, &body) < 0 ||
                        body.len > BODY_MAX)
                return -EBADMSG;
        p->body_len = body.len;
        if (body.len > 0)
                memcpy(p->body, body.data, body.len);
        p->has_subkey = pairs == 3;
        if (p->has_subkey) {
                if (take_member(&r, 3, &subkey) < 0 || subkey.len != KEY_SIZE)
                        return -EBADMSG;
                memcpy(p->subkey, subkey.data, KEY_SIZE);
        }
        return 0;
}

int proof_format(const Proof *p, char ret[static PROOF_TEXT_MAX], size_t *ret_len) {
        uint8_t extra[EXTRA_MAX];
        char extra_text[EXTRA_TEXT_SIZE], hash[HASH_TEXT_SIZE];
        size_t extra_len, len = 0;

        if (p->hash_count > MERKLE_PROOF_MAX || strnlen(p->note, sizeof p->note) == sizeof p->note)
                return -EINVAL;
        int r = extra_put(p, extra, &extra_len);
        if (r < 0)
                return r;
        (void) sodium_bin2base64(
                        extra_text, sizeof extra_text, extra, extra_len, sodium_base64_VARIANT_ORIGINAL);
        len += (size_t) snprintf(ret + len, PROOF_TEXT_MAX - len,
                        FIRST_LINE "\nextra %s\nindex %" PRIu64 "\n", extra_text, p->index);
        for (size_t i = 0; i < p->hash_count; i++) {
                hash_format(&p->hashes[i], hash);
                len += (size_t) snprintf(ret + len, PROOF_TEXT_MAX - len, "%s\n", hash);
        }
        len += (size_t) snprintf(ret + len, PROOF_TEXT_MAX - len, "\n%s", p->note);
        sodium_memzero(extra, sizeof extra);
        sodium_memzero(extra_text, sizeof extra_text);
        *ret_len = len;
        return 0;
}

static int head_parse(Bytes *rest, Proof *p, Error *e) {
        uint8_t extra[EXTRA_MAX];
        Bytes line, value;
        size_t len;

        if (!lines_take(rest, &line) || !bytes_equal(line, BYTES_STRING(FIRST_LINE)))
                return error_set(e, -EBADMSG, "proof: expected \"" FIRST_LINE "\" in the first line");
        if (!lines_take(rest, &line) || !line_after(line, "extra ", &value) ||
                        !base64_parse(value, extra, sizeof extra, &len) ||
                        extra_get(BYTES(extra, len), p) < 0)
                return error_set(e, -EBADMSG, "proof: expected \"extra\" with an entry and its body");
        if (!lines_take(rest, &line) || !line_after(line, "index ", &value) ||
                        !decimal_parse(value, &p->index))
                return error_set(e, -EBADMSG, "proof: expected \"index\" and a number in the third line");
        return 0;
}

static int hashes_parse(Bytes *rest, Proof *p, Error *e) {
        Bytes line;

        for (;;) {
                if (!lines_take(rest, &line))
                        return error_set(e, -EBADMSG, "proof: expected an empty line and a checkpoint");
                if (line.len == 0)
                        return 0;
                if (p->hash_count == MERKLE_PROOF_MAX || !hash_parse(line, &p->hashes[p->hash_count]))
                        return error_set(e, -EBADMSG, "proof: expected at most %d hashes in base64",
                                        MERKLE_PROOF_MAX);
                p->hash_count++;
        }
}

int proof_parse(Bytes text, Proof *ret, Error *e) {
        _cleanup_free_ Proof *p = calloc(1, sizeof *p);
        _cleanup_free_ char *again = malloc(PROOF_TEXT_MAX);
        Checkpoint ignored;
        Bytes rest = text;
        size_t len;

        if (!p || !again)
                return error_set(e, -ENOMEM, "out of memory");
        int r = head_parse(&rest, p, e);
        if (r < 0)
                return r;
        r = hashes_parse(&rest, p, e);
        if (r < 0)
                return r;
        r = checkpoint_parse(rest, &ignored, e);
        if (r < 0)
                return error_prefix(e, r, "proof");
        memcpy(p->note, rest.data, rest.len);
        r = proof_format(p, again, &len);
        if (r < 0 || !bytes_equal(BYTES(again, len), text))
                return error_set(e, -EBADMSG, "proof: not written as a proof is");
        *ret = *p;
        return 0;
}

/* The body in the clear where it can be read, and then it has to be one of the entry's type: a subkey is not committed to by
 * the log, and this is what keeps a second one from giving the same body another meaning. */
static int open_plain(const Proof *p, uint8_t ret[static BODY_MAX], size_t *ret_len, Error *e) {
        uint8_t head[ENTRY_HEAD_SIZE];
        bool sealed = p->entry.flags & ENTRY_SEALED_BODY;

        if (p->has_subkey && !sealed)
                return error_set(e, -EBADMSG, "proof: a key for a body that isn't sealed");
        if (sealed && !p->has_subkey) {
                *ret_len = 0;
                return 0;
        }
        if (sealed) {
                entry_encode_head(&p->entry, head);
                if (body_open_disclosed(p->subkey, head, BYTES(p->body, p->body_len), ret) < 0)
                        return error_set(e, -EBADMSG, "proof: the key does not open the body");
                *ret_len = p->body_len - SEAL_OVERHEAD;
        } else {
                memcpy(ret, p->body, p->body_len);
                *ret_len = p->body_len;
        }
        KeyBody key;
        if (p->entry.type == ENTRY_KEY && body_get_key(BYTES(ret, *ret_len), &key) == 0 &&
                        memcmp(&key.key, &p->entry.key, sizeof key.key) != 0)
                return error_set(e, -EBADMSG, "proof: a KEY entry of another key than its own");
        if (body_check(p->entry.type, BYTES(ret, *ret_len)) < 0)
                return error_set(e, -EBADMSG, "proof: malformed body of a %s entry",
                                entry_type_name(p->entry.type));
        return 0;
}

int proof_verify(const Proof *p, const uint8_t public[static 32], Checkpoint *ret_checkpoint,
                uint8_t *ret_plain, size_t *ret_plain_len, Error *e) {
        uint8_t entry[ENTRY_SIZE], plain[BODY_MAX];
        Checkpoint c;
        Hash hash, leaf;
        size_t plain_len = 0;

        if (p->body_len > BODY_MAX || p->hash_count > MERKLE_PROOF_MAX)
                return error_set(e, -EINVAL, "proof: longer than can be");
        sha256(BYTES(p->body, p->body_len), &hash);
        if (!hash_equal(&hash, &p->entry.body))
                return error_set(e, -EBADMSG, "proof: the body is not the one of the entry");
        int r = checkpoint_open(BYTES(p->note, strnlen(p->note, sizeof p->note)), public, &c, e);
        if (r < 0)
                return error_prefix(e, r, "proof");
        entry_encode(&p->entry, entry);
        merkle_leaf(BYTES(entry, sizeof entry), &leaf);
        if (merkle_verify_inclusion(&leaf, p->index, c.size, p->hashes, p->hash_count, &c.root) < 0)
                return error_set(e, -EBADMSG,
                                "proof: entry %" PRIu64 " is not in the tree of the checkpoint", p->index);
        r = open_plain(p, plain, &plain_len, e);
        if (r < 0)
                return r;
        memcpy(ret_plain, plain, plain_len);
        *ret_plain_len = plain_len;
        *ret_checkpoint = c;
        return 0;
}
