#include "ledger/note.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "base/utf8.h"
#include "ledger/lines.h"

#define EM_DASH "\xe2\x80\x94"

enum {
        SIGNATURE_SIZE = 4 + crypto_sign_BYTES, /* the key's hash in front */
        SIGNATURE_TEXT_SIZE = sodium_base64_ENCODED_LEN(SIGNATURE_SIZE, sodium_base64_VARIANT_ORIGINAL),
};

typedef struct Note {
        Bytes text;       /* with its last newline: what is signed */
        Bytes signatures; /* whole lines, at least one */
} Note;

typedef struct Signature {
        Bytes name;
        uint8_t bytes[NOTE_READ_MAX]; /* the key's hash, then what that key's algorithm makes */
        size_t len;
} Signature;

static bool has_control_characters(Bytes b) {
        for (size_t i = 0; i < b.len; i++)
                if (b.data[i] < 0x20 && b.data[i] != '\n')
                        return true;
        return false;
}

/* Not empty, no Unicode spaces, no plus. Control characters and bad UTF-8 are refused before. */
static bool is_key_name(Bytes name) {
        static const char *const refused[] = {
                "+", " ", "\xc2\x85", /* U+0085 */
                "\xc2\xa0",           /* U+00A0 */
                "\xe1\x9a\x80",       /* U+1680 */
                "\xe2\x80\x80",       /* U+2000 to U+200A */
                "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85",
                "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
                "\xe2\x80\xa8", /* U+2028 */
                "\xe2\x80\xa9", /* U+2029 */
                "\xe2\x80\xaf", /* U+202F */
                "\xe2\x81\x9f", /* U+205F */
                "\xe3\x80\x80", /* U+3000 */
        };

        if (name.len == 0)
                return false;
        for (size_t i = 0; i < ELEMENTS(refused); i++)
                if (memmem(name.data, name.len, refused[i], strlen(refused[i])))
                        return false;
        return true;
}

static int note_split(Bytes note, Note *ret, Error *e) {
        if (note.len > NOTE_READ_MAX)
                return error_set(e, -EBADMSG, "checkpoint: longer than %d bytes", NOTE_READ_MAX);
        if (has_control_characters(note) || !utf8_is_valid(note))
                return error_set(e, -EBADMSG, "checkpoint: expected UTF-8 without control characters");
        /* The last empty line is where the signatures begin. */
        size_t at = note.len;
        while (at >= 2 && !(note.data[at - 2] == '\n' && note.data[at - 1] == '\n'))
                at--;
        if (at < 2 || at == note.len || note.data[note.len - 1] != '\n')
                return error_set(e, -EBADMSG, "checkpoint: expected an empty line and signature lines");
        *ret = (Note){ BYTES(note.data, at - 1), BYTES(note.data + at, note.len - at) };
        return 0;
}

static bool signature_parse(Bytes line, Signature *ret) {
        Bytes rest;

        if (!line_after(line, EM_DASH " ", &rest))
                return false;
        const uint8_t *space = memchr(rest.data, ' ', rest.len);
        if (!space)
                return false;
        ret->name = BYTES(rest.data, (size_t) (space - rest.data));
        rest = BYTES(space + 1, rest.len - ret->name.len - 1);
        return is_key_name(ret->name) && base64_parse(rest, ret->bytes, sizeof ret->bytes, &ret->len) &&
               ret->len > 4;
}

static int text_parse(Bytes text, Checkpoint *ret, Error *e) {
        Checkpoint c = { 0 };
        Bytes line;

        if (!lines_take(&text, &line) || line.len == 0 || line.len >= sizeof c.origin)
                return error_set(e, -EBADMSG, "checkpoint: expected an origin of 1 to %d bytes",
                                ORIGIN_MAX - 1);
        memcpy(c.origin, line.data, line.len);
        if (!lines_take(&text, &line) || !decimal_parse(line, &c.size))
                return error_set(e, -EBADMSG, "checkpoint: expected a tree size in the second line");
        if (!lines_take(&text, &line) || !hash_parse(line, &c.root))
                return error_set(e, -EBADMSG, "checkpoint: expected a root hash in the third line");
        while (lines_take(&text, &line))
                if (line.len == 0)
                        return error_set(e, -EBADMSG, "checkpoint: empty line in its text");
        *ret = c;
        return 0;
}

/* -EKEYREJECTED where the signature names the key and isn't valid; 0 where it names another one; 1 valid. */
static int signature_check(
                const Signature *s, Bytes text, const char *name, const uint8_t public[static 32]) {
        if (!bytes_equal(s->name, BYTES_STRING(name)) || be32_read(s->bytes) != note_key_hash(name, public))
                return 0;
        if (s->len != SIGNATURE_SIZE ||
                        crypto_sign_verify_detached(s->bytes + 4, text.data, text.len, public) < 0)
                return -EKEYREJECTED;
        return 1;
}

/* public NULL: no signature is checked. */
static int note_read(Bytes bytes, const uint8_t *public, Checkpoint *ret, Error *e) {
        Note note;
        Checkpoint c;
        Signature s;
        Bytes line;
        int valid = 0;

        int r = note_split(bytes, &note, e);
        if (r < 0)
                return r;
        r = text_parse(note.text, &c, e);
        if (r < 0)
                return r;
        while (lines_take(&note.signatures, &line)) {
                if (!signature_parse(line, &s))
                        return error_set(e, -EBADMSG, "checkpoint: malformed signature line");
                if (!public || valid < 0)
                        continue;
                r = signature_check(&s, note.text, c.origin, public);
                valid = r != 0 ? r : valid;
        }
        if (valid < 0)
                return error_set(e, -EKEYREJECTED, "checkpoint: the signature of %s is not valid", c.origin);
        if (public && valid == 0)
                return error_set(e, -EKEYREJECTED, "checkpoint: not signed by this key as %s", c.origin);
        *ret = c;
        return 0;
}

int checkpoint_open(Bytes note, const uint8_t public[static 32], Checkpoint *ret, Error *e) {
        return note_read(note, public, ret, e);
}

int checkpoint_parse(Bytes note, Checkpoint *ret, Error *e) {
        return note_read(note, NULL, ret, e);
}

int checkpoint_sign(const Checkpoint *c, const SigningKey *k, char ret[static NOTE_TEXT_MAX]) {
        uint8_t signature[SIGNATURE_SIZE];
        char root[HASH_TEXT_SIZE], text[SIGNATURE_TEXT_SIZE];
        Bytes origin = BYTES_STRING(c->origin);

        static_assert(2 * ORIGIN_MAX + 20 + HASH_TEXT_SIZE + SIGNATURE_TEXT_SIZE + sizeof EM_DASH + 8 <=
                                        NOTE_TEXT_MAX,
                        "any checkpoint of ours fits");
        if (!is_key_name(origin) || has_control_characters(origin) ||
                        memchr(origin.data, '\n', origin.len) || !utf8_is_valid(origin))
                return -EINVAL;
        hash_format(&c->root, root);
        int n = snprintf(ret, NOTE_TEXT_MAX, "%s\n%" PRIu64 "\n%s\n", c->origin, c->size, root);
        be32_write(signature, note_key_hash(c->origin, k->public));
        (void) crypto_sign_detached(signature + 4, NULL, (const uint8_t *) ret, (size_t) n, k->secret);
        (void) sodium_bin2base64(
                        text, sizeof text, signature, sizeof signature, sodium_base64_VARIANT_ORIGINAL);
        (void) snprintf(ret + n, NOTE_TEXT_MAX - (size_t) n, "\n" EM_DASH " %s %s\n", c->origin, text);
        return 0;
}
