/* Keys: durable before use, wrapped, found again; bodies sealed with them and disclosed one by one. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "ledger/keyring.h"

static const uint8_t kek[KEY_SIZE] = { 1, 2, 3 }, other_kek[KEY_SIZE] = { 1, 2, 4 };
static char folder[64];

static int make_folder(void **state) {
        (void) snprintf(folder, sizeof folder, "/tmp/test-keyring.XXXXXX");
        return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
        char path[512];
        const struct dirent *item;

        DIR *d = opendir(folder);
        while (d && (item = readdir(d))) {
                (void) snprintf(path, sizeof path, "%s/%s", folder, item->d_name);
                (void) unlink(path);
        }
        if (d)
                (void) closedir(d);
        return rmdir(folder);
}

static Keyring *open_keyring(void) {
        Keyring *k;
        Error e;

        if (keyring_open(folder, kek, &k, &e) < 0)
                fail_msg("%s", e.message);
        return k;
}

static SubjectKey subject_key(Keyring *k, const char *subject, bool want_new) {
        SubjectKey key;
        bool is_new;
        Error e;

        assert_int_equal(keyring_subject(k, subject, &key, &is_new, &e), 0);
        assert_int_equal(is_new, want_new);
        return key;
}

static void key_path(const SubjectKey *key, char ret[static 512]) {
        char name[2 * KEY_ID_SIZE + 1];

        (void) snprintf(ret, 512, "%s/%s", folder,
                        sodium_bin2hex(name, sizeof name, key->id.bytes, sizeof key->id.bytes));
}

static void a_subject_has_one_key_over_restarts(void **state) {
        char subject[NAME_MAX_LENGTH];
        SubjectKey found;

        Keyring *k = open_keyring();
        SubjectKey a = subject_key(k, "stay-1", true), b = subject_key(k, "stay-2", true);
        assert_memory_not_equal(a.key, b.key, KEY_SIZE);
        assert_memory_not_equal(&a.id, &b.id, sizeof a.id);
        SubjectKey again = subject_key(k, "stay-1", false);
        assert_memory_equal(&a, &again, sizeof a);
        keyring_free(k);

        k = open_keyring();
        again = subject_key(k, "stay-1", false);
        assert_memory_equal(&a, &again, sizeof a);
        assert_int_equal(keyring_find(k, &b.id, &found, subject), 0);
        assert_memory_equal(&b, &found, sizeof b);
        assert_string_equal(subject, "stay-2");
        keyring_free(k);
}

static void a_new_keys_file_is_there_at_once_and_private(void **state) {
        struct stat st;
        char path[512];
        _cleanup_free_ char *file = NULL;
        size_t len;
        Error e;

        Keyring *k = open_keyring();
        SubjectKey a = subject_key(k, "stay-1", true);
        key_path(&a, path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(file_read(path, 4096, &file, &len, &e), 0);
        assert_int_equal(len, 24 + KEY_SIZE + strlen("stay-1") + 16);
        assert_null(memmem(file, len, a.key, 8));
        assert_null(memmem(file, len, "stay-1", 6));
        keyring_free(k);
}

static void an_unknown_or_erased_key_is_not_found(void **state) {
        char subject[NAME_MAX_LENGTH], path[512];
        SubjectKey found;
        KeyId id = { { 9 } };

        Keyring *k = open_keyring();
        assert_int_equal(keyring_find(k, &id, &found, subject), -ENOENT);
        SubjectKey a = subject_key(k, "stay-1", true);
        assert_int_equal(keyring_find(k, &id, &found, subject), -ENOENT);
        keyring_free(k);

        key_path(&a, path);
        assert_int_equal(unlink(path), 0);
        k = open_keyring();
        assert_int_equal(keyring_find(k, &a.id, &found, subject), -ENOENT);
        SubjectKey b = subject_key(k, "stay-1", true);
        assert_memory_not_equal(&a.id, &b.id, sizeof a.id);
        keyring_free(k);
}

static void another_key_encryption_key_is_told_from_a_damaged_file(void **state) {
        char path[512];
        _cleanup_free_ char *file = NULL;
        size_t len;
        Error e;

        Keyring *k = open_keyring(), *none = NULL;
        SubjectKey a = subject_key(k, "stay-1", true);
        keyring_free(k);
        assert_int_equal(keyring_open(folder, other_kek, &none, &e), -EKEYREJECTED);

        key_path(&a, path);
        assert_int_equal(file_read(path, 4096, &file, &len, &e), 0);
        for (size_t i = 0; i < len; i++) {
                file[i] ^= 1;
                assert_int_equal(file_replace(path, BYTES(file, len), 0600, &e), 0);
                assert_int_equal(keyring_open(folder, kek, &none, &e), -EBADMSG);
                assert_non_null(strstr(e.message, path));
                file[i] ^= 1;
        }
        assert_int_equal(file_replace(path, BYTES(file, len - 1), 0600, &e), 0);
        assert_int_equal(keyring_open(folder, kek, &none, &e), -EBADMSG);
        assert_int_equal(file_replace(path, BYTES("", 0), 0600, &e), 0);
        assert_int_equal(keyring_open(folder, kek, &none, &e), -EBADMSG);
        assert_null(none);
}

static void a_damaged_check_file_is_named(void **state) {
        char path[512];
        _cleanup_free_ char *file = NULL;
        size_t len;
        Keyring *none;
        Error e;

        keyring_free(open_keyring());
        (void) snprintf(path, sizeof path, "%s/check", folder);
        assert_int_equal(file_read(path, 4096, &file, &len, &e), 0);
        assert_int_equal(len, 64);
        for (size_t i = 0; i < len; i += 7) {
                file[i] ^= 1;
                assert_int_equal(file_replace(path, BYTES(file, len), 0600, &e), 0);
                assert_int_equal(keyring_open(folder, kek, &none, &e), -EBADMSG);
                assert_non_null(strstr(e.message, path));
                file[i] ^= 1;
        }
        assert_int_equal(file_replace(path, BYTES(file, len - 1), 0600, &e), 0);
        assert_int_equal(keyring_open(folder, kek, &none, &e), -EBADMSG);
        /* A lost one is made anew. */
        assert_int_equal(unlink(path), 0);
        keyring_free(open_keyring());
        assert_int_equal(keyring_open(folder, other_kek, &none, &e), -EKEYREJECTED);
}

static void a_key_file_under_another_name_does_not_open(void **state) {
        char from[512], to[512];
        Keyring *none;
        Error e;

        Keyring *k = open_keyring();
        SubjectKey a = subject_key(k, "stay-1", true), b = subject_key(k, "stay-2", true);
        keyring_free(k);
        key_path(&a, from);
        key_path(&b, to);
        assert_int_equal(rename(from, to), 0);
        assert_int_equal(keyring_open(folder, kek, &none, &e), -EBADMSG);
}

static void other_files_are_passed_over(void **state) {
        char path[512];
        Error e;

        (void) snprintf(path, sizeof path, "%s/00112233445566778899aabbccddeeff.tmp", folder);
        assert_int_equal(file_replace(path, BYTES_STRING("half a key"), 0600, &e), 0);
        (void) snprintf(path, sizeof path, "%s/00112233445566778899AABBCCDDEEFF", folder);
        assert_int_equal(file_replace(path, BYTES_STRING("not our spelling"), 0600, &e), 0);
        keyring_free(open_keyring());
}

static void subjects_need_a_name_that_fits(void **state) {
        char name[NAME_MAX_LENGTH + 1];
        SubjectKey key;
        bool is_new;
        Error e;

        Keyring *k = open_keyring();
        memset(name, 'x', sizeof name);
        name[NAME_MAX_LENGTH] = '\0';
        assert_int_equal(keyring_subject(k, name, &key, &is_new, &e), -EINVAL);
        assert_int_equal(keyring_subject(k, "", &key, &is_new, &e), -EINVAL);
        name[NAME_MAX_LENGTH - 1] = '\0';
        subject_key(k, name, true);
        keyring_free(k);
        k = open_keyring();
        subject_key(k, name, false);
        keyring_free(k);
}

static void no_key_is_used_that_could_not_be_stored(void **state) {
        SubjectKey key;
        bool is_new;
        Error e;

        Keyring *k = open_keyring();
        assert_int_equal(remove_folder(NULL), 0);
        assert_int_equal(keyring_subject(k, "stay-1", &key, &is_new, &e), -ENOENT);
        assert_int_equal(mkdir(folder, 0700), 0);
        subject_key(k, "stay-1", true);
        keyring_free(k);
}

static void many_subjects_are_found(void **state) {
        enum { MANY = 300 };
        static SubjectKey keys[MANY];
        char name[NAME_MAX_LENGTH], subject[NAME_MAX_LENGTH];
        SubjectKey found;

        Keyring *k = open_keyring();
        for (int round = 0; round < 2; round++) {
                for (int i = 0; i < MANY; i++) {
                        (void) snprintf(name, sizeof name, "stay-%d", i);
                        if (round == 0)
                                keys[i] = subject_key(k, name, true);
                        assert_int_equal(keyring_find(k, &keys[i].id, &found, subject), 0);
                        assert_string_equal(subject, name);
                        found = subject_key(k, name, false);
                        assert_memory_equal(&found, &keys[i], sizeof found);
                }
                keyring_free(k);
                k = open_keyring();
        }
        keyring_free(k);
}

enum { THREADS = 4, SHARED = 70 };

typedef struct Asker {
        Keyring *keyring;
        SubjectKey keys[SHARED];
        int made, failed;
} Asker;

static void *ask(void *userdata) {
        Asker *a = userdata;

        for (int i = 0; i < SHARED; i++) {
                char name[NAME_MAX_LENGTH], subject[NAME_MAX_LENGTH];
                SubjectKey found;
                bool is_new = false;
                (void) snprintf(name, sizeof name, "stay-%d", i);
                a->failed += keyring_subject(a->keyring, name, &a->keys[i], &is_new, NULL) < 0;
                a->made += is_new;
                a->failed += keyring_find(a->keyring, &a->keys[i].id, &found, subject) < 0 ||
                             !streq(subject, name);
        }
        return NULL;
}

static void threads_get_the_same_keys(void **state) {
        static Asker askers[THREADS];
        pthread_t threads[THREADS];
        int made = 0;

        Keyring *k = open_keyring();
        for (int i = 0; i < THREADS; i++) {
                askers[i].keyring = k;
                assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);
        keyring_free(k);
        for (int i = 0; i < THREADS; i++) {
                assert_int_equal(askers[i].failed, 0);
                assert_memory_equal(askers[i].keys, askers[0].keys, sizeof askers[i].keys);
                made += askers[i].made;
        }
        assert_int_equal(made, SHARED);
}

/* --- bodies --- */

static const uint8_t head[ENTRY_HEAD_SIZE] = { 1, 1, 0, 1 };
static const char plain[] = "a body in the clear";
enum { PLAIN = sizeof plain, SEALED = PLAIN + SEAL_OVERHEAD };

static void seal(const SubjectKey *key, uint8_t ret[static SEALED]) {
        RandomPool random = { .left = 0 };

        body_seal(key, &random, head, BYTES(plain, PLAIN), ret);
}

static void a_sealed_body_opens_with_its_key_and_head_only(void **state) {
        SubjectKey key = { .key = { 7 } }, other = { .key = { 8 } };
        uint8_t sealed[SEALED], again[SEALED], out[SEALED], other_head[ENTRY_HEAD_SIZE];

        seal(&key, sealed);
        seal(&key, again);
        assert_memory_not_equal(sealed, again, SEALED);
        assert_int_equal(body_open(&key, head, BYTES(sealed, SEALED), out), 0);
        assert_memory_equal(out, plain, PLAIN);
        assert_int_equal(body_open(&other, head, BYTES(sealed, SEALED), out), -EBADMSG);
        for (size_t n = 0; n < SEALED; n++)
                assert_int_equal(body_open(&key, head, BYTES(sealed, n), out), -EBADMSG);
        for (size_t bit = 0; bit < 8 * (size_t) SEALED; bit++) {
                sealed[bit / 8] ^= (uint8_t) (1 << bit % 8);
                assert_int_equal(body_open(&key, head, BYTES(sealed, SEALED), out), -EBADMSG);
                sealed[bit / 8] ^= (uint8_t) (1 << bit % 8);
        }
        memcpy(other_head, head, sizeof other_head);
        other_head[15] ^= 1;
        assert_int_equal(body_open(&key, other_head, BYTES(sealed, SEALED), out), -EBADMSG);
}

static void a_disclosed_key_opens_one_body_and_no_other(void **state) {
        SubjectKey key = { .key = { 7 } };
        uint8_t sealed[SEALED], other[SEALED], out[SEALED], subkey[KEY_SIZE], other_head[ENTRY_HEAD_SIZE];

        seal(&key, sealed);
        seal(&key, other);
        assert_int_equal(body_disclose(&key, BYTES(sealed, SEAL_OVERHEAD - 1), subkey), -EBADMSG);
        assert_int_equal(body_disclose(&key, BYTES(sealed, SEALED), subkey), 0);
        assert_memory_not_equal(subkey, key.key, KEY_SIZE);
        assert_int_equal(body_open_disclosed(subkey, head, BYTES(sealed, SEALED), out), 0);
        assert_memory_equal(out, plain, PLAIN);
        assert_int_equal(body_open_disclosed(subkey, head, BYTES(other, SEALED), out), -EBADMSG);
        for (size_t n = 0; n < SEALED; n++)
                assert_int_equal(body_open_disclosed(subkey, head, BYTES(sealed, n), out), -EBADMSG);
        memcpy(other_head, head, sizeof other_head);
        other_head[0] ^= 1;
        assert_int_equal(body_open_disclosed(subkey, other_head, BYTES(sealed, SEALED), out), -EBADMSG);
        subkey[31] ^= 1;
        assert_int_equal(body_open_disclosed(subkey, head, BYTES(sealed, SEALED), out), -EBADMSG);
}

static void keys_commit_to_themselves(void **state) {
        SubjectKey key = { .key = { 7 } };
        Hash first, second;

        keyring_commitment(&key, &first);
        keyring_commitment(&key, &second);
        assert_true(hash_equal(&first, &second));
        key.key[31] = 1;
        keyring_commitment(&key, &second);
        assert_false(hash_equal(&first, &second));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
        const struct CMUnitTest tests[] = {
                IN_FOLDER(a_subject_has_one_key_over_restarts),
                IN_FOLDER(a_new_keys_file_is_there_at_once_and_private),
                IN_FOLDER(an_unknown_or_erased_key_is_not_found),
                IN_FOLDER(another_key_encryption_key_is_told_from_a_damaged_file),
                IN_FOLDER(a_damaged_check_file_is_named),
                IN_FOLDER(a_key_file_under_another_name_does_not_open),
                IN_FOLDER(other_files_are_passed_over),
                IN_FOLDER(subjects_need_a_name_that_fits),
                IN_FOLDER(no_key_is_used_that_could_not_be_stored),
                IN_FOLDER(many_subjects_are_found),
                IN_FOLDER(threads_get_the_same_keys),
                cmocka_unit_test(a_sealed_body_opens_with_its_key_and_head_only),
                cmocka_unit_test(a_disclosed_key_opens_one_body_and_no_other),
                cmocka_unit_test(keys_commit_to_themselves),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
