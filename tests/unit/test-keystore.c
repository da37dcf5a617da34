/* Keys from files: digits, and Web3 keystores. The first two are the vectors of the Web3 secret storage definition, the
 * others were made with ethers 6. */
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "keystore.h"
#include "hex-fixture.h"
#include "host-fixture.h"

#define SECRET_WEB3 "0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
#define SECRET_46   "0x4646464646464646464646464646464646464646464646464646464646464646"

#define PBKDF2                                                                                              \
        "{\"crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"                                 \
        "\"6087dab2f9fdbbfaddc31a909735c1e6\"},\"ciphertext\":"                                             \
        "\"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46\",\"kdf\":\"pbkdf2\","          \
        "\"kdfparams\":{\"c\":262144,\"dklen\":32,\"prf\":\"hmac-sha256\",\"salt\":"                        \
        "\"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd\"},\"mac\":"                    \
        "\"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2\"},\"version\":3}"
#define SCRYPT                                                                                              \
        "{\"crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"                                 \
        "\"83dbcc02d8ccb40e466191a123791e0e\"},\"ciphertext\":"                                             \
        "\"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c\",\"kdf\":\"scrypt\","          \
        "\"kdfparams\":{\"dklen\":32,\"n\":262144,\"p\":8,\"r\":1,\"salt\":"                                \
        "\"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19\"},\"mac\":"                    \
        "\"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097\"},\"version\":3}"
/* with "Crypto", and parameters that cost nothing */
#define CHEAP                                                                                               \
        "{\"version\":3,\"Crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"                   \
        "\"cd9069ad1873a12448d0588ee64f84dc\"},\"ciphertext\":"                                             \
        "\"b635f039f10a1da98031103ab77c4b56c2c3e2cad3162ea7a3f4220220e8a184\",\"kdf\":\"scrypt\","          \
        "\"kdfparams\":{\"salt\":\"389185c7bacd6b372c9e1e6c34b48a475ef48a180fe0eaff3b5bafe8679b18d9\","     \
        "\"n\":1024,\"dklen\":32,\"p\":1,\"r\":8},\"mac\":"                                                 \
        "\"05b310389933fff70a6e884207eb065b2dbd77e4eb8127f3c0ec4c98745df703\"}}"
/* with geth's default, which is exactly what we give */
#define LARGEST                                                                                             \
        "{\"version\":3,\"Crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"                   \
        "\"feacb6a48de232464cf52b4e0f69ebd9\"},\"ciphertext\":"                                             \
        "\"42f7a9d5da1b41cb05a51db191c968a0579adb7fa0e6cceead602aaeeca93efc\",\"kdf\":\"scrypt\","          \
        "\"kdfparams\":{\"salt\":\"c5705ac725d23838bca686ee645aa190ea311c5154d40338e5daae1244b28a29\","     \
        "\"n\":262144,\"dklen\":32,\"p\":1,\"r\":8},\"mac\":"                                               \
        "\"124f8e0b4b81863d3ff0a5fb62e328af92ba1bf2116a7a1c9429dc4e31e87972\"}}"

static void assert_opens(const char *json, const char *password, const char *secret) {
        Account a;
        Error e;

        assert_int_equal(keystore_open(BYTES_STRING(json), BYTES_STRING(password), &a, &e), 0);
        assert_hex_equal(BYTES(a.secret, sizeof a.secret), secret);
}

static void assert_refused(const char *json, const char *password, int expected) {
        Error e = { "" };
        Account a;

        assert_int_equal(keystore_open(BYTES_STRING(json), BYTES_STRING(password), &a, &e), expected);
        assert_true(e.message[0] != '\0');
        assert_null(strstr(e.message, password));
}

static void keystores_open(void **state) {
        assert_opens(PBKDF2, "testpassword", SECRET_WEB3);
        assert_opens(SCRYPT, "testpassword", SECRET_WEB3);
        assert_opens(CHEAP, "correct horse", SECRET_46);
        assert_opens(LARGEST, "correct horse", SECRET_46);
}

static void a_wrong_password_is_said(void **state) {
        assert_refused(CHEAP, "correct horsf", -EACCES);
        assert_refused(CHEAP, "correct horse ", -EACCES);
}

/* CHEAP with one member of its crypto, or of the object in it, replaced; text is JSON, NULL takes the member out. */
static void assert_changed_refused(const char *object, const char *member, const char *text, int expected) {
        json_t *keystore = json_loads(CHEAP, 0, NULL);
        json_t *crypto = json_object_get(keystore, "Crypto");
        json_t *in = object ? json_object_get(crypto, object) : crypto;

        if (text)
                assert_int_equal(
                                json_object_set_new(in, member, json_loads(text, JSON_DECODE_ANY, NULL)), 0);
        else
                assert_int_equal(json_object_del(in, member), 0);
        char *json = json_dumps(keystore, 0);
        assert_refused(json, "correct horse", expected);
        free(json);
        json_decref(keystore);
}

static void assert_scrypt_refused(long long n, long long r, long long p, int expected) {
        json_t *keystore = json_loads(CHEAP, 0, NULL);
        json_t *params = json_object_get(json_object_get(keystore, "Crypto"), "kdfparams");

        (void) json_object_set_new(params, "n", json_integer(n));
        (void) json_object_set_new(params, "r", json_integer(r));
        (void) json_object_set_new(params, "p", json_integer(p));
        char *json = json_dumps(keystore, 0);
        assert_refused(json, "correct horse", expected);
        free(json);
        json_decref(keystore);
}

static void what_costs_too_much_is_refused(void **state) {
        const char *rounds = strstr(PBKDF2, "262144");
        char many[sizeof PBKDF2 + 8];

        /* 128 n r is memory, 128 r p too, n r p is time */
        assert_scrypt_refused(524288, 8, 1, -E2BIG);
        assert_scrypt_refused(1024, 2049, 1, -E2BIG);
        assert_scrypt_refused(2, 8, 1025, -E2BIG);
        assert_scrypt_refused(262144, 8, 3, -E2BIG);
        assert_scrypt_refused(2, 1024, 8, -EACCES); /* as much as there may be of both */
        assert_scrypt_refused(INT64_MAX, 8, 1, -E2BIG);
        assert_scrypt_refused(1024, INT64_MAX, 1, -E2BIG);
        assert_scrypt_refused(1024, 8, INT64_MAX, -E2BIG);
        assert_scrypt_refused(INT64_MAX, INT64_MAX, INT64_MAX, -E2BIG);
        (void) snprintf(many, sizeof many, "%.*s2000001%s", (int) (rounds - PBKDF2), PBKDF2, rounds + 6);
        assert_refused(many, "testpassword", -E2BIG);
}

static void what_is_no_keystore_is_refused(void **state) {
        assert_changed_refused("kdfparams", "n", "1023", -EBADMSG); /* no power of two */
        assert_changed_refused("kdfparams", "n", "0", -E2BIG);
        assert_changed_refused("kdfparams", "p", "-1", -E2BIG);
        assert_changed_refused("kdfparams", "n", NULL, -EBADMSG);
        assert_changed_refused("kdfparams", "salt", "\"0g\"", -EBADMSG);
        assert_changed_refused("kdfparams", "dklen", "16", -ENOTSUP);
        assert_changed_refused("cipherparams", "iv", "\"cd9069ad1873a12448d0588ee64f84\"", -EBADMSG);
        assert_changed_refused(NULL, "cipher", "\"aes-128-cbc\"", -ENOTSUP);
        assert_changed_refused(NULL, "kdf", "\"bcrypt\"", -ENOTSUP);
        assert_changed_refused(NULL, "kdf", "\"pbkdf2\"", -EBADMSG);
        assert_changed_refused(NULL, "ciphertext", "\"\"", -EBADMSG);
        assert_changed_refused(NULL, "mac",
                        "\"05b310389933fff70a6e884207eb065b2dbd77e4eb8127f3c0ec4c98745df702\"", -EACCES);
        assert_refused("{\"version\": 3}", "-", -EBADMSG);
        assert_refused("[]", "-", -EBADMSG);
        assert_refused("", "-", -EBADMSG);
}

static void keys_are_64_digits(void **state) {
        Account a;
        Error e;

        assert_int_equal(key_parse(SECRET_46, &a, &e), 0);
        assert_int_equal(key_parse(&SECRET_46[2], &a, &e), 0);
        assert_hex_equal(BYTES(a.secret, sizeof a.secret), SECRET_46);
        assert_int_equal(key_parse(SECRET_46 "46", &a, &e), -EBADMSG);
        assert_int_equal(key_parse(&SECRET_46[4], &a, &e), -EBADMSG);
        assert_null(strstr(e.message, "4646"));
        assert_int_equal(key_parse("", &a, &e), -EBADMSG);
        assert_int_equal(key_parse("0000000000000000000000000000000000000000000000000000000000000000", &a,
                                         &e),
                        -EINVAL);
}

/* --- files --- */

static void write_file(const char *path, const char *text, mode_t mode) {
        FILE *f = fopen(path, "we");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(chmod(path, mode), 0);
}

static void an_operator_names_files(void **state) {
        TestHost t = test_host();
        char folder[] = "/tmp/test-keystore.XXXXXX";
        char key[64], keystore[64], password[64];
        Account a;

        assert_non_null(mkdtemp(folder));
        (void) snprintf(key, sizeof key, "%s/key", folder);
        (void) snprintf(keystore, sizeof keystore, "%s/keystore", folder);
        (void) snprintf(password, sizeof password, "%s/password", folder);
        write_file(key, SECRET_46 "\n", 0600);
        write_file(keystore, CHEAP "\n", 0600);
        write_file(password, "correct horse\n", 0600);

        assert_int_equal(key_load(&t.host, &(KeyOptions){ .key_file = key }, &a), WARDSTONE_OK);
        assert_hex_equal(BYTES(a.secret, sizeof a.secret), SECRET_46);
        account_forget(&a);
        assert_int_equal(key_load(&t.host, &(KeyOptions){ .keystore = keystore, .password_file = password },
                                         &a),
                        WARDSTONE_OK);
        assert_hex_equal(BYTES(a.secret, sizeof a.secret), SECRET_46);
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
        assert_int_equal(key_load(&t.host, &(KeyOptions){ .credential = "key" }, &a), WARDSTONE_OK);

        assert_int_equal(key_load(&t.host, &(KeyOptions){ 0 }, &a), WARDSTONE_CONFIGURATION);
        assert_int_equal(key_load(&t.host, &(KeyOptions){ .keystore = keystore }, &a),
                        WARDSTONE_CONFIGURATION);
        assert_int_equal(key_load(&t.host, &(KeyOptions){ .key_file = key, .password_file = password }, &a),
                        WARDSTONE_CONFIGURATION);
        assert_int_equal(key_load(&t.host, &(KeyOptions){ .key_file = key, .keystore = keystore }, &a),
                        WARDSTONE_CONFIGURATION);
        assert_int_equal(key_load(&t.host, &(KeyOptions){ .keystore = keystore, .password_file = key }, &a),
                        WARDSTONE_CONFIGURATION);
        assert_non_null(strstr(t.text, "password"));
        write_file(keystore, CHEAP, 0644);
        assert_int_equal(key_load(&t.host, &(KeyOptions){ .keystore = keystore, .password_file = password },
                                         &a),
                        WARDSTONE_CONFIGURATION);
        assert_non_null(strstr(t.text, "chmod 0600"));

        assert_int_equal(unlink(key) | unlink(keystore) | unlink(password) | rmdir(folder), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(keystores_open),
                cmocka_unit_test(a_wrong_password_is_said),
                cmocka_unit_test(what_costs_too_much_is_refused),
                cmocka_unit_test(what_is_no_keystore_is_refused),
                cmocka_unit_test(keys_are_64_digits),
                cmocka_unit_test(an_operator_names_files),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
