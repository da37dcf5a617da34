/* One data key a subject, in files wrapped by the key-encryption key; and bodies sealed with them.
 * Thread-safe. */
#pragma once

#include "base/random.h"
#include "ledger/entry.h"

enum {
        KEY_SIZE = 32,
        SEAL_NONCE_SIZE = 24,
        SEAL_OVERHEAD = 24 + 16, /* nonce in front, Poly1305 tag behind */
};

typedef struct Keyring Keyring;

typedef struct SubjectKey {
        KeyId id;
        uint8_t key[KEY_SIZE];
} SubjectKey;

/* Opens folder dir (made where absent) with the key-encryption key. A check value in the folder tells a wrong
 * key-encryption key (-EKEYREJECTED) from a damaged file. Memory grows with the subjects in use, at most SUBJECTS_MAX. */
int keyring_open(const char *dir, const uint8_t kek[static KEY_SIZE], Keyring **ret, Error *e) _must_check_;
Keyring *keyring_free(Keyring *k);
DEFINE_CLEANUP(Keyring *, keyring_free);

/* The subject's key. *ret_new says that it was made now and its file is durable: a KEY entry is owed. */
int keyring_subject(Keyring *k, const char *subject, SubjectKey *ret, bool *ret_new, Error *e) _must_check_;
/* The key of an id as found in an entry, with its subject's name; -ENOENT where it was erased or never known. */
int keyring_find(Keyring *k, const KeyId *id, SubjectKey *ret,
                char ret_subject[static NAME_MAX_LENGTH]) _must_check_;
void keyring_commitment(const SubjectKey *k, Hash *ret);

/* XChaCha20-Poly1305, random nonce: ret gets nonce || ciphertext || tag (plain.len + SEAL_OVERHEAD bytes). */
void body_seal(const SubjectKey *k, RandomPool *random, const uint8_t head[static ENTRY_HEAD_SIZE],
                Bytes plain, uint8_t *ret);
/* ret gets sealed.len - SEAL_OVERHEAD bytes. -EBADMSG. */
int body_open(const SubjectKey *k, const uint8_t head[static ENTRY_HEAD_SIZE], Bytes sealed,
                uint8_t *ret) _must_check_;
/* The key of this one body alone: HChaCha20(key, nonce[0..15]), XChaCha20's own subkey. Handing it out opens this body
 * and no other one. */
int body_disclose(const SubjectKey *k, Bytes sealed, uint8_t ret[static KEY_SIZE]) _must_check_;
int body_open_disclosed(const uint8_t subkey[static KEY_SIZE], const uint8_t head[static ENTRY_HEAD_SIZE],
                Bytes sealed, uint8_t *ret) _must_check_;
