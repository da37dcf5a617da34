/* Checkpoints as C2SP signed notes: what is written, what is read, what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <cmocka.h>

#include "ledger/lines.h"
#include "ledger/note.h"

#define DASH "\xe2\x80\x94 "

static SigningKey key, other_key;
static Checkpoint checkpoint = { .origin = "ward-3.example/1", .size = 4096 };
static char note[NOTE_TEXT_MAX];

static int set_up(void **state) {
        Error e;

        memset(&checkpoint.root, 0x5a, sizeof checkpoint.root);
        assert_int_equal(signing_key_parse("wardstone-signing-key-v1 "
                                           "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
                                         &key, &e),
                        0);
        assert_int_equal(signing_key_generate(&other_key), 0);
        assert_int_equal(checkpoint_sign(&checkpoint, &key, note), 0);
        return 0;
}

static int open_text(const char *text) {
        Checkpoint c;
        Error e;

        return checkpoint_open(BYTES_STRING(text), key.public, &c, &e);
}

/* The note's text and its signature line, apart. */
static void split(char text[static NOTE_TEXT_MAX], char line[static NOTE_TEXT_MAX]) {
        const char *end = strstr(note, "\n\n");

        (void) snprintf(text, NOTE_TEXT_MAX, "%.*s\n", (int) (end - note), note);
        (void) snprintf(line, NOTE_TEXT_MAX, "%s", end + 2);
}

/* A signature line over text, made here and not by the code under test. */
static void sign_line(
                const char *text, const char *name, const SigningKey *k, char ret[static NOTE_TEXT_MAX]) {
        uint8_t signature[4 + crypto_sign_BYTES];
        char base64[128];

        be32_write(signature, note_key_hash(name, k->public));
        (void) crypto_sign_detached(signature + 4, NULL, (const uint8_t *) text, strlen(text), k->secret);
        (void) sodium_bin2base64(
                        base64, sizeof base64, signature, sizeof signature, sodium_base64_VARIANT_ORIGINAL);
        (void) snprintf(ret, NOTE_TEXT_MAX, DASH "%s %s\n", name, base64);
}

/* Opens `text` as a note's text, rightly signed: what it says of the text alone. */
static int open_signed(const char *text) {
        char line[NOTE_TEXT_MAX], whole[2 * NOTE_TEXT_MAX];

        sign_line(text, checkpoint.origin, &key, line);
        (void) snprintf(whole, sizeof whole, "%s\n%s", text, line);
        return open_text(whole);
}

static void a_checkpoint_has_the_documented_lines(void **state) {
        static const char want[] = "ward-3.example/1\n4096\nWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=\n";
        char line[NOTE_TEXT_MAX];

        assert_memory_equal(note, want, sizeof want - 1);
        sign_line(want, "ward-3.example/1", &key, line);
        assert_int_equal(note[sizeof want - 1], '\n');
        assert_string_equal(note + sizeof want, line);
}

static void a_checkpoint_opens_as_it_was_signed(void **state) {
        Checkpoint c;
        Error e;

        assert_int_equal(checkpoint_open(BYTES_STRING(note), key.public, &c, &e), 0);
        assert_string_equal(c.origin, checkpoint.origin);
        assert_int_equal(c.size, checkpoint.size);
        assert_true(hash_equal(&c.root, &checkpoint.root));
        assert_int_equal(checkpoint_open(BYTES_STRING(note), other_key.public, &c, &e), -EKEYREJECTED);
        assert_int_equal(checkpoint_parse(BYTES_STRING(note), &c, &e), 0);
}

static void no_bit_of_a_checkpoint_can_change(void **state) {
        Checkpoint c;
        Error e;

        for (size_t bit = 0; bit < 8 * strlen(note); bit++) {
                char changed[NOTE_TEXT_MAX];
                memcpy(changed, note, sizeof changed);
                changed[bit / 8] = (char) (changed[bit / 8] ^ 1 << bit % 8);
                assert_true(checkpoint_open(BYTES(changed, strlen(note)), key.public, &c, &e) < 0);
        }
        for (size_t n = 0; n < strlen(note); n++)
                assert_int_equal(checkpoint_open(BYTES(note, n), key.public, &c, &e), -EBADMSG);
}

static void origins_that_cannot_name_a_key_are_not_signed(void **state) {
        static const char *const bad[] = { "", "a b", "a+b", "a\nb", "a\tb", "a\xc2\xa0z", "a\xe2\x80\x83",
                "\xff" };
        char text[NOTE_TEXT_MAX];

        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                Checkpoint c = checkpoint;
                (void) snprintf(c.origin, sizeof c.origin, "%s", bad[i]);
                assert_int_equal(checkpoint_sign(&c, &key, text), -EINVAL);
        }
        Checkpoint longest = checkpoint;
        memset(longest.origin, 'x', sizeof longest.origin - 1);
        longest.origin[sizeof longest.origin - 1] = '\0';
        longest.size = UINT64_MAX;
        assert_int_equal(checkpoint_sign(&longest, &key, text), 0);
        assert_int_equal(open_text(text), 0);
}

#define ROOT "WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo="

static void the_text_is_three_lines_and_extensions(void **state) {
        assert_int_equal(open_signed("ward-3.example/1\n0\n" ROOT "\n"), 0);
        assert_int_equal(open_signed("ward-3.example/1\n18446744073709551615\n" ROOT "\n"), 0);
        assert_int_equal(open_signed("ward-3.example/1\n1\n" ROOT "\nextension\nanother one\n"), 0);

        static const char *const bad[] = {
                "\n1\n" ROOT "\n",
                "ward-3.example/1\n",
                "ward-3.example/1\n1\n",
                "ward-3.example/1\n\n" ROOT "\n",
                "ward-3.example/1\n01\n" ROOT "\n",
                "ward-3.example/1\n+1\n" ROOT "\n",
                "ward-3.example/1\n-1\n" ROOT "\n",
                "ward-3.example/1\n 1\n" ROOT "\n",
                "ward-3.example/1\n1 \n" ROOT "\n",
                "ward-3.example/1\n1a\n" ROOT "\n",
                "ward-3.example/"
                "1\n18446744073709551616\n" ROOT "\n",
                "ward-3.example/"
                "1\n99999999999999999999\n" ROOT "\n",
                "ward-3.example/1\n1\n\n",
                "ward-3.example/1\n1\nWlpa\n",
                "ward-3.example/1\n1\n" ROOT "=\n",
                "ward-3.example/1\n1\n" ROOT " \n",
                "ward-3.example/"
                "1\n1\nWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaW"
                "lpaWlo\n",
                "ward-3.example/"
                "1\n1\nWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaW"
                "lpaWlp=\n", /* bits after the end */
                "ward-3.example/"
                "1\n1\nWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaW"
                "lpaWlpa\n", /* 33 bytes */
                "ward-3.example/1\n1\n" ROOT "\n\nextension\n",
                "ward-3.example/1\r\n1\r\n" ROOT "\r\n",
                "ward-3.example/1\n1\n" ROOT "\nextension\xff\n",
                "ward-3.example/1\n1\n" ROOT "\nextension\x01\n",
        };
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                if (open_signed(bad[i]) != -EBADMSG)
                        fail_msg("read: %s", bad[i]);
}

static void signatures_of_others_are_ignored(void **state) {
        char text[NOTE_TEXT_MAX], ours[NOTE_TEXT_MAX], other[NOTE_TEXT_MAX], whole[3 * NOTE_TEXT_MAX];

        split(text, ours);
        /* a witness before or behind; our name with another key's hash; a kind of signature that we don't know */
        sign_line(text, "witness.example", &other_key, other);
        (void) snprintf(whole, sizeof whole, "%s\n%s%s", text, other, ours);
        assert_int_equal(open_text(whole), 0);
        (void) snprintf(whole, sizeof whole, "%s\n%s%s", text, ours, other);
        assert_int_equal(open_text(whole), 0);
        sign_line(text, checkpoint.origin, &other_key, other);
        (void) snprintf(whole, sizeof whole, "%s\n%s%s", text, ours, other);
        assert_int_equal(open_text(whole), 0);
        (void) snprintf(whole, sizeof whole, "%s\n%s" DASH "quantum.example AAAAAAE=\n", text, ours);
        assert_int_equal(open_text(whole), 0);
        /* but none of them is ours */
        (void) snprintf(whole, sizeof whole, "%s\n%s", text, other);
        assert_int_equal(open_text(whole), -EKEYREJECTED);
}

static void sixteen_witnesses_fit(void **state) {
        char text[NOTE_TEXT_MAX], ours[NOTE_TEXT_MAX], line[NOTE_TEXT_MAX], whole[2 * NOTE_READ_MAX],
                        name[200];
        Checkpoint c;
        Error e;

        split(text, ours);
        int n = snprintf(whole, sizeof whole, "%s\n%s", text, ours);
        for (int i = 0; i < 16; i++) {
                (void) snprintf(name, sizeof name, "witness-%02d.%0180d", i, i);
                sign_line(text, name, &other_key, line);
                n += snprintf(whole + n, sizeof whole - (size_t) n, "%s", line);
        }
        assert_int_equal(checkpoint_open(BYTES(whole, (size_t) n), key.public, &c, &e), 0);
        while (n <= NOTE_READ_MAX)
                n += snprintf(whole + n, sizeof whole - (size_t) n, "%s", line);
        assert_int_equal(checkpoint_open(BYTES(whole, (size_t) n), key.public, &c, &e), -EBADMSG);
}

static void a_wrong_signature_by_our_key_refuses_the_note(void **state) {
        char text[NOTE_TEXT_MAX], ours[NOTE_TEXT_MAX], wrong[NOTE_TEXT_MAX], whole[3 * NOTE_TEXT_MAX];

        split(text, ours);
        sign_line("another text\n", checkpoint.origin, &key, wrong);
        (void) snprintf(whole, sizeof whole, "%s\n%s%s", text, ours, wrong);
        assert_int_equal(open_text(whole), -EKEYREJECTED);
        (void) snprintf(whole, sizeof whole, "%s\n%s%s", text, wrong, ours);
        assert_int_equal(open_text(whole), -EKEYREJECTED);
}

static void malformed_signature_lines_are_refused(void **state) {
        static const char *const bad[] = { "", "\n", "x\n", DASH "\n", DASH "name\n", DASH "name \n",
                DASH " AAAAAAE=\n", DASH "name AAAA\n", DASH "name AAAAAAE\n", DASH "name AAAAAAE=x\n",
                DASH "name AAAAAAE= x\n", DASH "na+me AAAAAAE=\n", DASH "na\xe2\x80\x82me AAAAAAE=\n",
                "- name AAAAAAE=\n", DASH "name AAAAAAE=" };
        char text[NOTE_TEXT_MAX], ours[NOTE_TEXT_MAX], whole[3 * NOTE_TEXT_MAX];

        split(text, ours);
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                (void) snprintf(whole, sizeof whole, "%s\n%s%s", text, i == 0 ? "" : ours, bad[i]);
                if (open_text(whole) != -EBADMSG)
                        fail_msg("read: %s", whole);
        }
}

static void verifier_keys_are_those_of_go(void **state) {
        /* as published by the Go checksum database, and in the documentation of golang.org/x/mod/sumdb/note */
        static const char *const known[][2] = {
                { "sum.golang.org", "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8" },
                { "PeterNeumann", "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW" },
        };
        char name[ORIGIN_MAX], text[256];
        uint8_t public[32];
        Error e;

        for (size_t i = 0; i < ELEMENTS(known); i++) {
                assert_int_equal(note_verifier_key_parse(known[i][1], name, sizeof name, public, &e), 0);
                assert_string_equal(name, known[i][0]);
                assert_int_equal(note_verifier_key(name, public, text, sizeof text), 0);
                assert_string_equal(text, known[i][1]);
                assert_int_equal(note_verifier_key(name, public, text, strlen(known[i][1])), -ENOSPC);
                assert_int_equal(note_verifier_key_parse(known[i][1], name, strlen(known[i][0]), public, &e),
                                -EINVAL);
        }
        static const char *const bad[] = { "", "a", "a+", "a+033de0ae", "a+033de0ae+", "+033de0ae+Ac4zctda",
                "sum.golang.org+033de0af+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
                "sum.golang.com+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
                "sum.golang.org+033de0ae+As4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
                "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8O",
                "sum.golang.org+33de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8" };
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_equal(note_verifier_key_parse(bad[i], name, sizeof name, public, &e), -EINVAL);
}

static void a_signing_key_is_one_line(void **state) {
        char text[SIGNING_KEY_TEXT_SIZE], line[SIGNING_KEY_TEXT_SIZE + 1];
        SigningKey again;
        Error e;

        assert_int_equal(signing_key_format(&other_key, text, sizeof text), 0);
        assert_int_equal(signing_key_parse(text, &again, &e), 0);
        assert_memory_equal(&again, &other_key, sizeof again);
        (void) snprintf(line, sizeof line, "%s\n", text);
        assert_int_equal(signing_key_parse(line, &again, &e), 0);
        assert_int_equal(signing_key_format(&other_key, text, strlen(text)), -ENOSPC);

        static const char *const bad[] = { "",
                "wardstone-signing-key-v2 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
                "wardstone-signing-key-v1 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e",
                "wardstone-signing-key-v1 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh",
                "wardstone-signing-key-v1 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n\n" };
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_equal(signing_key_parse(bad[i], &again, &e), -EINVAL);
        signing_key_done(&again);
        assert_true(sodium_is_zero((const uint8_t *) &again, sizeof again));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_checkpoint_has_the_documented_lines),
                cmocka_unit_test(a_checkpoint_opens_as_it_was_signed),
                cmocka_unit_test(no_bit_of_a_checkpoint_can_change),
                cmocka_unit_test(origins_that_cannot_name_a_key_are_not_signed),
                cmocka_unit_test(the_text_is_three_lines_and_extensions),
                cmocka_unit_test(signatures_of_others_are_ignored),
                cmocka_unit_test(sixteen_witnesses_fit),
                cmocka_unit_test(a_wrong_signature_by_our_key_refuses_the_note),
                cmocka_unit_test(malformed_signature_lines_are_refused),
                cmocka_unit_test(verifier_keys_are_those_of_go),
                cmocka_unit_test(a_signing_key_is_one_line),
        };

        return cmocka_run_group_tests(tests, set_up, NULL);
}
