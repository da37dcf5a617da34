/* The file of pre-shared keys. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "ingest/coap_keys.h"

#define KEY_A "000102030405060708090a0b0c0d0e0f"
#define KEY_B "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

static int parse(const char *text, PskTable **ret, Error *e) {
        _cleanup_free_ char *copy = strdup(text);

        return psk_table_parse("keys", copy, ret, e);
}

static void each_line_is_an_identity(void **state) {
        _cleanup_(psk_table_freep) PskTable *t = NULL;
        Error e = { "" };

        assert_int_equal(parse("# a comment\n\n  bed-1\td1  " KEY_A "  \r\nurn:x:2 ward:d2 " KEY_B, &t, &e),
                        0);
        assert_int_equal(psk_table_count(t), 2);
        const PskKey *k = psk_table_find(t, "urn:x:2");
        assert_string_equal(k->device, "ward:d2");
        assert_int_equal(k->len, 16);
        assert_int_equal(k->bytes[0], 0xf0);
        assert_null(psk_table_find(t, "bed"));
        assert_null(psk_table_find(t, ""));
        assert_null(psk_table_find(NULL, "bed-1"));
        assert_true(psk_table_has_device(t, "d1"));
        assert_false(psk_table_has_device(t, "d3"));
        assert_false(psk_table_has_device(NULL, "d1"));
}

static void an_empty_file_is_nobody(void **state) {
        _cleanup_(psk_table_freep) PskTable *t = NULL;
        Error e;

        assert_int_equal(parse("", &t, &e), 0);
        assert_int_equal(psk_table_count(t), 0);
        assert_int_equal(psk_table_count(NULL), 0);
}

static void mistakes_have_a_line_and_tell_no_secret(void **state) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "a d1", "keys:1:1: expected an identity, a device and a key" },
                { "\na d1 " KEY_A " more", "keys:2:1: expected an identity" },
                { "a d/1 " KEY_A, "keys:1:1: device 'd/1': expected letters" },
                { "a d1 " KEY_A "0", "keys:1:1: the key of 'a': expected 32 to 128" },
                { "a d1 0001", "keys:1:1: the key of 'a'" },
                { "a d1 " KEY_A KEY_A KEY_A KEY_A "00", "keys:1:1: the key of 'a'" },
                { "a d1 xx0102030405060708090a0b0c0d0e0f", "keys:1:1: the key of 'a'" },
                { "\xc3\xa4 d1 " KEY_A, "keys:1:1: identity: expected" },
                { "a d1 " KEY_A "\n# x\na d2 " KEY_B, "keys:3:1: identity 'a' stands there twice" },
                { "a d1 " KEY_A "\nb d1 " KEY_B, "keys:2:1: device 'd1' has two identities" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                PskTable *t = NULL;
                Error e = { "" };
                assert_int_equal(parse(cases[i].text, &t, &e), -EINVAL);
                if (!strstr(e.message, cases[i].message))
                        fail_msg("'%s', not '%s'", e.message, cases[i].message);
                assert_null(strstr(e.message, "0102030405"));
        }
}

static void identities_have_a_length(void **state) {
        char text[PSK_IDENTITY_MAX + 1];

        memset(text, 'x', sizeof text);
        text[PSK_IDENTITY_MAX] = '\0';
        assert_false(psk_identity_is_valid(text));
        text[PSK_IDENTITY_MAX - 1] = '\0';
        assert_true(psk_identity_is_valid(text));
        assert_false(psk_identity_is_valid(""));
        assert_false(psk_identity_is_valid("a b"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_line_is_an_identity),
                cmocka_unit_test(an_empty_file_is_nobody),
                cmocka_unit_test(mistakes_have_a_line_and_tell_no_secret),
                cmocka_unit_test(identities_have_a_length),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
