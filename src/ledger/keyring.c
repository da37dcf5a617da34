/* Folder of the keys: "check" and one file a subject, named by its key's id in hex. docs/ledger-format.md, "Keys". */
#include "ledger/keyring.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum {
        NONCE_SIZE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
        TAG_SIZE = crypto_aead_xchacha20poly1305_ietf_ABYTES,
        FILE_MAX = NONCE_SIZE + KEY_SIZE + NAME_MAX_LENGTH - 1 + TAG_SIZE,
        ID_TEXT_SIZE = 2 * KEY_ID_SIZE + 1,
        ROWS_FIRST = 64,
};

static const char wrap_label[] = "wardstone key v1";
static const char check_label[] = "wardstone keyring check";
static const char commit_label[] = "wardstone commit";

typedef struct Row {
        SubjectKey key;
        char subject[NAME_MAX_LENGTH];
} Row;

struct Keyring {
        char dir[PATH_MAX - ID_TEXT_SIZE];
        uint8_t kek[KEY_SIZE];
        uint8_t hash_key[crypto_shorthash_KEYBYTES];
        pthread_mutex_t lock;
        Row *rows; /* sodium_malloc: out of swap and core files */
        size_t count, room;
        /* Open addressing: 2 * room slots each, room being a power of two; a slot holds a row's number plus one. */
        uint32_t *by_id, *by_subject;
};

/* --- small cryptography --- */

/* HKDF-SHA256 (RFC 5869) with an empty salt and one block of output. */
static void derive(const uint8_t key[static KEY_SIZE], const char *info, uint8_t ret[static SHA256_SIZE]) {
        crypto_auth_hmacsha256_state s;
        uint8_t prk[crypto_auth_hmacsha256_BYTES];
        static const uint8_t no_salt[SHA256_SIZE], first_block = 1;

        crypto_auth_hmacsha256_init(&s, no_salt, sizeof no_salt);
        crypto_auth_hmacsha256_update(&s, key, KEY_SIZE);
        crypto_auth_hmacsha256_final(&s, prk);
        crypto_auth_hmacsha256_init(&s, prk, sizeof prk);
        crypto_auth_hmacsha256_update(&s, (const uint8_t *) info, strlen(info));
        crypto_auth_hmacsha256_update(&s, &first_block, 1);
        crypto_auth_hmacsha256_final(&s, ret);
        sodium_memzero(prk, sizeof prk);
        sodium_memzero(&s, sizeof s);
}

void keyring_commitment(const SubjectKey *k, Hash *ret) {
        uint8_t derived[SHA256_SIZE];

        derive(k->key, commit_label, derived);
        sha256(BYTES(derived, sizeof derived), ret);
}

/* What a key's file is bound to: its name. */
typedef struct WrapContext {
        uint8_t bytes[sizeof wrap_label - 1 + KEY_ID_SIZE];
} WrapContext;

static WrapContext wrap_context(const KeyId *id) {
        WrapContext c;

        memcpy(c.bytes, wrap_label, sizeof wrap_label - 1);
        memcpy(c.bytes + sizeof wrap_label - 1, id->bytes, KEY_ID_SIZE);
        return c;
}

static size_t wrap(const Keyring *k, const Row *row, uint8_t ret[static FILE_MAX]) {
        WrapContext context = wrap_context(&row->key.id);
        uint8_t plain[KEY_SIZE + NAME_MAX_LENGTH];
        size_t name_len = strlen(row->subject);

        memcpy(plain, row->key.key, KEY_SIZE);
        memcpy(plain + KEY_SIZE, row->subject, name_len);
        randombytes_buf(ret, NONCE_SIZE);
        (void) crypto_aead_xchacha20poly1305_ietf_encrypt(ret + NONCE_SIZE, NULL, plain, KEY_SIZE + name_len,
                        context.bytes, sizeof context.bytes, NULL, ret, k->kek);
        sodium_memzero(plain, sizeof plain);
        return NONCE_SIZE + KEY_SIZE + name_len + TAG_SIZE;
}

static int unwrap(const Keyring *k, const KeyId *id, Bytes file, Row *ret) {
        WrapContext context = wrap_context(id);
        uint8_t plain[KEY_SIZE + NAME_MAX_LENGTH] = { 0 };

        assert(file.len <= FILE_MAX);
        if (file.len < NONCE_SIZE + KEY_SIZE + 1 + TAG_SIZE)
                return -EBADMSG;
        if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, file.data + NONCE_SIZE,
                            file.len - NONCE_SIZE, context.bytes, sizeof context.bytes, file.data,
                            k->kek) < 0)
                return -EBADMSG;
        ret->key.id = *id;
        memcpy(ret->key.key, plain, KEY_SIZE);
        memcpy(ret->subject, plain + KEY_SIZE, NAME_MAX_LENGTH);
        sodium_memzero(plain, sizeof plain);
        return 0;
}

/* --- rows and their two indices --- */

static size_t first_slot(const Keyring *k, Bytes name) {
        uint64_t h;

        (void) crypto_shorthash((unsigned char *) &h, name.data, name.len, k->hash_key);
        return (size_t) h & (2 * k->room - 1);
}

static size_t next_slot(const Keyring *k, size_t slot) {
        return (slot + 1) & (2 * k->room - 1);
}

static const Row *find_id(const Keyring *k, const KeyId *id) {
        if (k->room == 0)
                return NULL;
        for (size_t i = first_slot(k, BYTES(id, sizeof *id)); k->by_id[i] != 0; i = next_slot(k, i)) {
                const Row *row = &k->rows[k->by_id[i] - 1];
                if (memcmp(&row->key.id, id, sizeof *id) == 0)
                        return row;
        }
        return NULL;
}

static const Row *find_subject(const Keyring *k, const char *subject) {
        if (k->room == 0)
                return NULL;
        for (size_t i = first_slot(k, BYTES_STRING(subject)); k->by_subject[i] != 0; i = next_slot(k, i)) {
                const Row *row = &k->rows[k->by_subject[i] - 1];
                if (streq(row->subject, subject))
                        return row;
        }
        return NULL;
}

static void index_add(const Keyring *k, uint32_t *slots, Bytes name, size_t row) {
        size_t i = first_slot(k, name);

        while (slots[i] != 0)
                i = next_slot(k, i);
        slots[i] = (uint32_t) row + 1;
}

static void index_row(Keyring *k, size_t row) {
        index_add(k, k->by_id, BYTES(&k->rows[row].key.id, KEY_ID_SIZE), row);
        index_add(k, k->by_subject, BYTES_STRING(k->rows[row].subject), row);
}

static int grow(Keyring *k) {
        size_t room = k->room ? 2 * k->room : ROWS_FIRST;
        _cleanup_free_ uint32_t *ids = calloc(2 * room, sizeof *ids);
        _cleanup_free_ uint32_t *subjects = calloc(2 * room, sizeof *subjects);

        if (!ids || !subjects)
                return -ENOMEM;
        Row *rows = sodium_allocarray(room, sizeof *rows);
        if (!rows)
                return -ENOMEM;
        if (k->count > 0)
                memcpy(rows, k->rows, k->count * sizeof *rows);
        sodium_free(k->rows);
        free(k->by_id);
        free(k->by_subject);
        k->rows = rows;
        k->room = room;
        k->by_id = TAKE(ids);
        k->by_subject = TAKE(subjects);
        for (size_t i = 0; i < k->count; i++)
                index_row(k, i);
        return 0;
}

/* Makes sure that there is room for one row more. */
static int reserve(Keyring *k) {
        if (k->count == SUBJECTS_MAX)
                return -ENOSPC;
        return k->count < k->room ? 0 : grow(k);
}

/* --- the folder --- */

static void path_of(const Keyring *k, const char *name, char ret[static PATH_MAX]) {
        (void) snprintf(ret, PATH_MAX, "%s/%s", k->dir, name);
}

static bool id_parse(const char *name, KeyId *ret) {
        KeyId id;
        char again[ID_TEXT_SIZE];
        size_t len;

        if (sodium_hex2bin(id.bytes, sizeof id.bytes, name, strlen(name), NULL, &len, NULL) < 0 ||
                        len != sizeof id.bytes)
                return false;
        /* One spelling: capitals would be a second file of the same id. */
        if (!streq(sodium_bin2hex(again, sizeof again, id.bytes, sizeof id.bytes), name))
                return false;
        *ret = id;
        return true;
}

static int load_key(Keyring *k, const char *name, const KeyId *id, Error *e) {
        _cleanup_free_ char *data = NULL;
        char path[PATH_MAX];
        size_t len;

        path_of(k, name, path);
        int r = file_read(path, FILE_MAX, &data, &len, e);
        if (r < 0 && r != -EFBIG)
                return r;
        if (r == -EFBIG || unwrap(k, id, BYTES(data, len), &k->rows[k->count]) < 0)
                return error_set(e, -EBADMSG,
                                "%s: damaged; bring it back from a backup, or move it away to go on without "
                                "what was recorded under this key",
                                path);
        index_row(k, k->count++);
        return 0;
}

static void closedirp(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

static int load_keys(Keyring *k, Error *e) {
        _cleanup_(closedirp) DIR *d = opendir(k->dir);

        if (!d)
                return error_set(e, -errno, "%s: %s", k->dir, strerror(errno));
        for (;;) {
                KeyId id;
                errno = 0;
                const struct dirent *item = readdir(d);
                if (!item && errno != 0)
                        return error_set(e, -errno, "%s: %s", k->dir, strerror(errno));
                if (!item)
                        return 0;
                if (!id_parse(item->d_name, &id))
                        continue;
                int r = reserve(k);
                if (r < 0)
                        return error_set(e, r, "%s: more than %d keys", k->dir, SUBJECTS_MAX);
                r = load_key(k, item->d_name, &id, e);
                if (r < 0)
                        return r;
        }
}

/* The check file: a value that only the right key-encryption key gives, and the hash of the value, by which a damaged
 * file is told from another key's. */
typedef struct Check {
        uint8_t value[SHA256_SIZE];
        Hash hash;
} Check;
static_assert(sizeof(Check) == (size_t) 2 * SHA256_SIZE, "the file is the struct");

static void check_make(const Keyring *k, Check *ret) {
        derive(k->kek, check_label, ret->value);
        sha256(BYTES(ret->value, sizeof ret->value), &ret->hash);
}

/* 1: there is none yet. */
static int check_read(const Keyring *k, Error *e) {
        _cleanup_free_ char *data = NULL;
        char path[PATH_MAX];
        Check want, have;
        Hash hash;
        size_t len;

        path_of(k, "check", path);
        int r = file_read(path, sizeof have, &data, &len, e);
        if (r == -ENOENT)
                return 1;
        if (r < 0 && r != -EFBIG)
                return r;
        if (r == -EFBIG || len != sizeof have)
                return error_set(e, -EBADMSG, "%s: damaged", path);
        memcpy(&have, data, sizeof have);
        sha256(BYTES(have.value, sizeof have.value), &hash);
        if (!hash_equal(&hash, &have.hash))
                return error_set(e, -EBADMSG, "%s: damaged", path);
        check_make(k, &want);
        if (sodium_memcmp(&want, &have, sizeof want) != 0)
                return error_set(e, -EKEYREJECTED,
                                "%s: the keys were wrapped with another key-encryption key", k->dir);
        return 0;
}

static int check_write(const Keyring *k, Error *e) {
        char path[PATH_MAX];
        Check c;

        path_of(k, "check", path);
        check_make(k, &c);
        return file_replace(path, BYTES(&c, sizeof c), 0600, e);
}

static int open_folder(Keyring *k, Error *e) {
        int r = dir_make(k->dir, 0700, e);
        if (r < 0)
                return r;
        int missing = check_read(k, e);
        if (missing < 0)
                return missing;
        r = load_keys(k, e);
        if (r < 0)
                return r;
        /* Keys that open show that the key-encryption key is right: then the check file may be made anew. */
        return missing ? check_write(k, e) : 0;
}

int keyring_open(const char *dir, const uint8_t kek[static KEY_SIZE], Keyring **ret, Error *e) {
        _cleanup_(keyring_freep) Keyring *k = NULL;

        if (sodium_init() < 0)
                return error_set(e, -EIO, "no source of random bytes");
        k = calloc(1, sizeof *k);
        if (!k || pthread_mutex_init(&k->lock, NULL) != 0) {
                free(TAKE(k));
                return error_set(e, -ENOMEM, "out of memory");
        }
        int n = snprintf(k->dir, sizeof k->dir, "%s", dir);
        if (n < 0 || (size_t) n >= sizeof k->dir)
                return error_set(e, -ENAMETOOLONG, "%s: path too long", dir);
        memcpy(k->kek, kek, KEY_SIZE);
        randombytes_buf(k->hash_key, sizeof k->hash_key);
        int r = open_folder(k, e);
        if (r < 0)
                return r;
        *ret = TAKE(k);
        return 0;
}

Keyring *keyring_free(Keyring *k) {
        if (!k)
                return NULL;
        sodium_free(k->rows);
        free(k->by_id);
        free(k->by_subject);
        sodium_memzero(k->kek, sizeof k->kek);
        (void) pthread_mutex_destroy(&k->lock);
        free(k);
        return NULL;
}

/* --- what callers ask for --- */

static pthread_mutex_t *lock(Keyring *k) {
        (void) pthread_mutex_lock(&k->lock);
        return &k->lock;
}

static void unlockp(pthread_mutex_t **m) {
        (void) pthread_mutex_unlock(*m);
}

/* A key in the row after the last one, and its file. */
static int make_key(Keyring *k, const char *subject, Error *e) {
        Row *row = &k->rows[k->count];
        char name[ID_TEXT_SIZE], path[PATH_MAX];
        uint8_t file[FILE_MAX];

        memset(row, 0, sizeof *row);
        memcpy(row->subject, subject, strlen(subject));
        randombytes_buf(row->key.id.bytes, KEY_ID_SIZE);
        randombytes_buf(row->key.key, KEY_SIZE);
        path_of(k, sodium_bin2hex(name, sizeof name, row->key.id.bytes, KEY_ID_SIZE), path);
        size_t len = wrap(k, row, file);
        int r = file_replace(path, BYTES(file, len), 0600, e);
        if (r < 0) {
                /* It may be there all the same, only not durably: a second key of the subject at the next start. */
                (void) unlink(path);
                sodium_memzero(row, sizeof *row);
                return r;
        }
        index_row(k, k->count++);
        return 0;
}

int keyring_subject(Keyring *k, const char *subject, SubjectKey *ret, bool *ret_new, Error *e) {
        _cleanup_(unlockp) _unused_ pthread_mutex_t *locked = lock(k);
        size_t len = strlen(subject);

        const Row *row = find_subject(k, subject);
        if (row) {
                *ret = row->key;
                *ret_new = false;
                return 0;
        }
        if (len == 0 || len >= NAME_MAX_LENGTH)
                return error_set(e, -EINVAL, "\"%s\": a subject's name has 1 to %d bytes", subject,
                                NAME_MAX_LENGTH - 1);
        int r = reserve(k);
        if (r < 0)
                return error_set(e, r, "%s: no room for a key more (%zu of %d): %s", k->dir, k->count,
                                SUBJECTS_MAX, strerror(-r));
        r = make_key(k, subject, e);
        if (r < 0)
                return r;
        *ret = k->rows[k->count - 1].key;
        *ret_new = true;
        return 0;
}

int keyring_find(Keyring *k, const KeyId *id, SubjectKey *ret, char ret_subject[static NAME_MAX_LENGTH]) {
        _cleanup_(unlockp) _unused_ pthread_mutex_t *locked = lock(k);

        const Row *row = find_id(k, id);
        if (!row)
                return -ENOENT;
        *ret = row->key;
        memcpy(ret_subject, row->subject, NAME_MAX_LENGTH);
        return 0;
}
