/* Checkpoints as C2SP signed notes (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), Ed25519. */
#pragma once

#include "base/error.h"
#include "base/sha256.h"

enum {
        NOTE_TEXT_MAX = 1024, /* a note of ours, with NUL */
        NOTE_READ_MAX = 6144, /* a note that is read: ours with the signatures of 16 witnesses */
        ORIGIN_MAX = 200,
};

/* The log's key pair. The key name of a note is the origin, and so carries the epoch; the verifier key is
 * "<origin>+<hash>+<base64(0x01 || public)>". */
typedef struct SigningKey {
        uint8_t public[32];
        uint8_t secret[64]; /* libsodium's form; wiped by signing_key_done() */
} SigningKey;

int signing_key_generate(SigningKey *ret) _must_check_;
/* The file's text: one line, "wardstone-signing-key-v1 <base64 seed>", newline or not. The form of Go's sumdb/note would name
 * an origin, and ours changes with each epoch. SIGNING_KEY_TEXT_SIZE bytes are enough for signing_key_format(). */
enum { SIGNING_KEY_TEXT_SIZE = 80 };
int signing_key_parse(const char *text, SigningKey *ret, Error *e) _must_check_;
int signing_key_format(const SigningKey *k, char *ret, size_t size) _must_check_;
void signing_key_done(SigningKey *k);

typedef struct Checkpoint {
        char origin[ORIGIN_MAX]; /* "<gateway name>/<epoch>" */
        uint64_t size;
        Hash root;
} Checkpoint;

/* First four bytes of SHA-256(name || 0x0A || 0x01 || public key). */
uint32_t note_key_hash(const char *name, const uint8_t public[static 32]);
/* "<name>+<hash>+<base64>"; -ENOSPC. */
int note_verifier_key(
                const char *name, const uint8_t public[static 32], char *ret, size_t size) _must_check_;
int note_verifier_key_parse(const char *text, char *ret_name, size_t name_size,
                uint8_t ret_public[static 32], Error *e) _must_check_;

/* -EINVAL where the origin can't name a key (empty, a space or a plus in it). */
int checkpoint_sign(const Checkpoint *c, const SigningKey *k, char ret[static NOTE_TEXT_MAX]) _must_check_;
/* Parses a note and checks the signature of the key (name: the note's own origin); other signatures (witnesses) are
 * allowed and ignored. -EBADMSG malformed, -EKEYREJECTED no valid signature by that key. */
int checkpoint_open(Bytes note, const uint8_t public[static 32], Checkpoint *ret, Error *e) _must_check_;
/* The body alone, signature unchecked. */
int checkpoint_parse(Bytes note, Checkpoint *ret, Error *e) _must_check_;
