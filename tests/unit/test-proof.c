/* Proof files: what is in them is proven, and nothing in them can change. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "ledger/lines.h"
#include "sample-log.h"

static int verify(const Proof *p, uint8_t plain[static BODY_MAX], size_t *ret_len) {
        Checkpoint c;
        Error e;

        int r = proof_verify(p, sample.key.public, &c, plain, ret_len, &e);
        if (r == 0) {
                assert_string_equal(c.origin, ORIGIN);
                assert_int_equal(c.size, SIZE);
                assert_true(hash_equal(&c.root, &sample.checkpoint.root));
        }
        return r;
}

static int verify_text(Bytes text) {
        uint8_t plain[BODY_MAX];
        size_t len;
        Proof p;
        Error e;

        int r = proof_parse(text, &p, &e);
        return r < 0 ? r : verify(&p, plain, &len);
}

static void every_entry_is_proven_from_its_file(void **state) {
        for (size_t i = 0; i < SIZE; i++) {
                char text[PROOF_TEXT_MAX];
                uint8_t plain[BODY_MAX];
                size_t len, text_len;
                Proof p, again;
                Error e;
                make_proof(i, false, &p);
                assert_int_equal(proof_format(&p, text, &text_len), 0);
                assert_int_equal(proof_parse(BYTES(text, text_len), &again, &e), 0);
                assert_int_equal(verify(&again, plain, &len), 0);
                if (i == READING) {
                        assert_int_equal(len, 0);
                } else {
                        assert_int_equal(len, sample.body_lens[i]);
                        assert_memory_equal(plain, sample.bodies[i], len);
                }
        }
}

static void a_disclosed_reading_is_readable(void **state) {
        uint8_t plain[BODY_MAX];
        ReadingBody b;
        size_t len;
        Proof p;

        make_proof(READING, true, &p);
        assert_int_equal(verify(&p, plain, &len), 0);
        assert_int_equal(body_get_reading(BYTES(plain, len), &b), 0);
        assert_string_equal(b.device, "spo2-07");
        assert_true(b.value == 97);
}

static void no_bit_of_a_proof_file_can_change(void **state) {
        for (int disclose = 0; disclose < 2; disclose++) {
                char text[PROOF_TEXT_MAX];
                size_t len;
                Proof p;
                make_proof(READING, disclose, &p);
                assert_int_equal(proof_format(&p, text, &len), 0);
                assert_int_equal(verify_text(BYTES(text, len)), 0);
                for (size_t bit = 0; bit < 8 * len; bit++) {
                        text[bit / 8] = (char) (text[bit / 8] ^ 1 << bit % 8);
                        if (verify_text(BYTES(text, len)) >= 0)
                                fail_msg("verified with bit %zu changed", bit);
                        text[bit / 8] = (char) (text[bit / 8] ^ 1 << bit % 8);
                }
                for (size_t n = 0; n < len; n++)
                        assert_int_equal(verify_text(BYTES(text, n)), -EBADMSG);
        }
}

static void no_bit_of_what_is_proven_can_change(void **state) {
        uint8_t plain[BODY_MAX], entry[ENTRY_SIZE];
        size_t len;
        Proof p;

        make_proof(READING, false, &p);
        entry_encode(&p.entry, entry);
        for (size_t bit = 0; bit < 8 * (size_t) ENTRY_SIZE; bit++) {
                entry[bit / 8] ^= (uint8_t) (1 << bit % 8);
                if (entry_decode(entry, &p.entry) == 0)
                        assert_true(verify(&p, plain, &len) < 0);
                entry[bit / 8] ^= (uint8_t) (1 << bit % 8);
        }
        assert_int_equal(entry_decode(entry, &p.entry), 0);
        for (size_t bit = 0; bit < 8 * p.body_len; bit++) {
                p.body[bit / 8] ^= (uint8_t) (1 << bit % 8);
                assert_int_equal(verify(&p, plain, &len), -EBADMSG);
                p.body[bit / 8] ^= (uint8_t) (1 << bit % 8);
        }
        for (size_t bit = 0; bit < 256 * p.hash_count; bit++) {
                p.hashes[bit / 256].bytes[bit / 8 % 32] ^= (uint8_t) (1 << bit % 8);
                assert_int_equal(verify(&p, plain, &len), -EBADMSG);
                p.hashes[bit / 256].bytes[bit / 8 % 32] ^= (uint8_t) (1 << bit % 8);
        }
        for (p.index = 0; p.index < 16; p.index++)
                assert_int_equal(verify(&p, plain, &len), p.index == READING ? 0 : -EBADMSG);
        p.index = READING;
        p.hash_count--;
        assert_int_equal(verify(&p, plain, &len), -EBADMSG);
        p.hash_count = MERKLE_PROOF_MAX + 1;
        assert_int_equal(verify(&p, plain, &len), -EINVAL);
}

static void another_logs_key_is_refused(void **state) {
        uint8_t plain[BODY_MAX];
        SigningKey other;
        Checkpoint c;
        size_t len;
        Proof p;
        Error e;

        assert_int_equal(signing_key_generate(&other), 0);
        make_proof(READING, false, &p);
        assert_int_equal(proof_verify(&p, other.public, &c, plain, &len, &e), -EKEYREJECTED);
}

/* The log is honest about a body that no reader of ours takes: a proof of it does not pass as one of a reading. */
static void a_readable_body_has_to_be_one_of_its_type(void **state) {
        uint8_t plain[BODY_MAX], entry[ENTRY_SIZE];
        Checkpoint c = sample.checkpoint;
        size_t len;
        Proof p;

        make_proof(3, false, &p);
        p.entry.type = ENTRY_CLOCK;
        entry_encode(&p.entry, entry);
        merkle_leaf(BYTES(entry, sizeof entry), &c.root);
        c.size = 1;
        p.index = p.hash_count = 0;
        assert_int_equal(checkpoint_sign(&c, &sample.key, p.note), 0);
        Error e;
        assert_int_equal(proof_verify(&p, sample.key.public, &c, plain, &len, &e), -EBADMSG);
        assert_non_null(strstr(e.message, "CLOCK"));
}

static void a_subkey_belongs_to_a_sealed_body(void **state) {
        uint8_t plain[BODY_MAX];
        size_t len;
        Proof p;

        make_proof(3, false, &p);
        p.has_subkey = true;
        assert_int_equal(verify(&p, plain, &len), -EBADMSG);
        make_proof(READING, true, &p);
        p.subkey[0] ^= 1;
        assert_int_equal(verify(&p, plain, &len), -EBADMSG);
}

static void add_witness(Proof *p) {
        size_t len = strlen(p->note);

        (void) snprintf(p->note + len, sizeof p->note - len, "\xe2\x80\x94 witness.example AAAAAAE=\n");
}

static void witnesses_may_have_signed(void **state) {
        char text[PROOF_TEXT_MAX];
        uint8_t plain[BODY_MAX];
        size_t len;
        Proof p, again;
        Error e;

        make_proof(READING, false, &p);
        add_witness(&p);
        assert_int_equal(proof_format(&p, text, &len), 0);
        assert_int_equal(proof_parse(BYTES(text, len), &again, &e), 0);
        assert_string_equal(again.note, p.note);
        assert_int_equal(verify(&again, plain, &len), 0);
}

static void the_largest_proof_fits(void **state) {
        static Proof p, again;
        char text[PROOF_TEXT_MAX + HASH_TEXT_SIZE];
        size_t len;
        Error e;

        make_proof(READING, true, &p);
        p.index = UINT64_MAX;
        p.body_len = BODY_MAX;
        p.hash_count = MERKLE_PROOF_MAX;
        while (strlen(p.note) + 40 < NOTE_READ_MAX)
                add_witness(&p);
        assert_int_equal(proof_format(&p, text, &len), 0);
        assert_int_equal(proof_parse(BYTES(text, len), &again, &e), 0);
        assert_memory_equal(&p, &again, sizeof p);

        /* one hash more */
        char *hash = strstr(text, "\nindex ") + strlen("\nindex 18446744073709551615\n");
        memmove(hash + HASH_TEXT_SIZE, hash, len - (size_t) (hash - text));
        assert_int_equal(proof_parse(BYTES(text, len + HASH_TEXT_SIZE), &again, &e), -EBADMSG);

        p.body_len = BODY_MAX + 1;
        assert_int_equal(proof_format(&p, text, &len), -EINVAL);
        p.body_len = BODY_MAX;
        p.hash_count = MERKLE_PROOF_MAX + 1;
        assert_int_equal(proof_format(&p, text, &len), -EINVAL);
        p.hash_count = 0;
        memset(p.note, 'x', sizeof p.note);
        assert_int_equal(proof_format(&p, text, &len), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_entry_is_proven_from_its_file),
                cmocka_unit_test(a_disclosed_reading_is_readable),
                cmocka_unit_test(no_bit_of_a_proof_file_can_change),
                cmocka_unit_test(no_bit_of_what_is_proven_can_change),
                cmocka_unit_test(another_logs_key_is_refused),
                cmocka_unit_test(a_readable_body_has_to_be_one_of_its_type),
                cmocka_unit_test(a_subkey_belongs_to_a_sealed_body),
                cmocka_unit_test(witnesses_may_have_signed),
                cmocka_unit_test(the_largest_proof_fits),
        };

        return cmocka_run_group_tests(tests, make_sample, NULL);
}
