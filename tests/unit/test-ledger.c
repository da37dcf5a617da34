/* The ledger: what is committed is there in order, proven, found again and durable. */
#include "ledger-fixture.h"

/* --- appending --- */

static void a_new_ledger_is_empty_and_signed(void **state) {
        Fixture *f = *state;

        fixture_start(f);
        assert_int_equal(f->recovery.start, LEDGER_CREATED);
        assert_int_equal(f->recovery.epoch, 1);
        LedgerHead head = fixture_head(f);
        assert_int_equal(head.size, 0);
        assert_int_equal(head.checkpoint.size, 0);
        fixture_stop(f);
        fixture_start(f);
        assert_int_equal(f->recovery.start, LEDGER_CLEAN);
        assert_string_equal(f->recovery.message, "");
        assert_int_equal(fixture_head(f).size, 0);
        fixture_expect_intact(f);
}

static void without_create_there_must_be_one(void **state) {
        Fixture *f = *state;

        f->options.create = false;
        assert_int_equal(fixture_open(f), -ENOENT);
}

static void a_reading_comes_after_its_subjects_key(void **state) {
        Fixture *f = *state;
        StoredEntry s;

        fixture_start(f);
        assert_int_equal(fixture_read(f, "stay-1", "dev-1", "spo2", 97), 0);
        assert_int_equal(fixture_read(f, "stay-1", "dev-1", "spo2", 98), 0);
        LedgerResult result = fixture_commit(f, true);
        assert_int_equal(result.entries, 2);
        assert_true(result.sealed);
        static const EntryType types[] = { ENTRY_KEY, ENTRY_READING, ENTRY_READING, ENTRY_SEAL };
        static const uint64_t sequences[] = { 0, 0, 1, 1 };
        for (unsigned i = 0; i < ELEMENTS(types); i++) {
                assert_int_equal(ledger_entry(f->ledger, i, &s), 0);
                assert_int_equal(s.entry.type, types[i]);
                assert_int_equal(s.entry.seq, sequences[i]);
        }
        assert_int_equal(ledger_entry(f->ledger, 4, &s), -ENOENT);
        fixture_expect_intact(f);
}

static void a_body_opens_with_its_subject(void **state) {
        Fixture *f = *state;
        uint8_t plain[BODY_MAX];
        char subject[NAME_MAX_LENGTH];
        ReadingBody body;
        StoredEntry s;
        size_t len;

        fixture_start(f);
        assert_int_equal(fixture_read(f, "stay-1", "dev-1", "spo2", 97), 0);
        (void) fixture_commit(f, false);
        assert_int_equal(ledger_entry(f->ledger, 1, &s), 0);
        assert_true(s.entry.flags & ENTRY_SEALED_BODY);
        assert_int_equal(ledger_open_body(f->ledger, &s, plain, &len, subject), 0);
        assert_string_equal(subject, "stay-1");
        assert_int_equal(body_get_reading(BYTES(plain, len), &body), 0);
        assert_string_equal(body.vital, "spo2");
        s.body[30] ^= 1;
        assert_int_equal(ledger_open_body(f->ledger, &s, plain, &len, subject), -EBADMSG);
}

static void only_one_batch_is_written_at_a_time(void **state) {
        Fixture *f = *state;
        EntryTime when = fixture_when(f);
        LedgerResult result;

        fixture_start(f);
        assert_int_equal(ledger_collect(f->ledger, &result), -EAGAIN);
        assert_int_equal(fixture_note(f, ENTRY_GAP, "a"), 0);
        assert_int_equal(ledger_open_entries(f->ledger), 1);
        assert_int_equal(ledger_close_batch(f->ledger, false, &when, &f->rules), 0);
        assert_true(ledger_is_writing(f->ledger));
        assert_int_equal(fixture_note(f, ENTRY_GAP, "b"), 0);
        assert_int_equal(ledger_close_batch(f->ledger, false, &when, &f->rules), -EBUSY);
        assert_int_equal(fixture_collect(f).entries, 1);
        assert_false(ledger_is_writing(f->ledger));
        assert_int_equal(fixture_commit(f, false).entries, 1);
        assert_int_equal(fixture_head(f).size, 2);
}

static void the_open_batch_has_an_end(void **state) {
        Fixture *f = *state;
        size_t n = 0;

        fixture_start(f);
        while (fixture_read(f, "stay-1", "dev-1", "spo2", 97) == 0)
                n++;
        assert_int_equal(n, LEDGER_BATCH_MAX);
        assert_int_equal(fixture_read(f, "stay-1", "dev-1", "spo2", 97), -ENOSPC);
        assert_int_equal(fixture_commit(f, false).entries, n);
        assert_int_equal(fixture_read(f, "stay-1", "dev-1", "spo2", 97), 0);
}

static void a_body_too_large_is_refused(void **state) {
        Fixture *f = *state;
        static const uint8_t data[BODY_MAX + 1];

        fixture_start(f);
        LedgerItem item = { .type = ENTRY_GAP, .body = BYTES(data, BODY_MAX + 1) };
        assert_int_equal(ledger_append(f->ledger, &item), -EMSGSIZE);
        item.subject = "stay-1";
        item.body.len = BODY_MAX;
        assert_int_equal(ledger_append(f->ledger, &item), -EMSGSIZE);
        item.stream = 1;
        item.body.len = 10;
        assert_int_equal(ledger_append(f->ledger, &item), -EINVAL);
}

/* --- blocks --- */

static void a_block_closes_when_it_is_full(void **state) {
        Fixture *f = *state;
        SealBody seal;
        uint64_t index;

        fixture_start(f);
        fixture_fill(f, 300, 100);
        LedgerHead head = fixture_head(f);
        assert_true(head.height >= 4);
        for (uint64_t h = 0; h < head.height; h++) {
                assert_int_equal(ledger_block(f->ledger, h, &seal, &index), 0);
                assert_int_equal(seal.height, h);
                assert_int_equal(seal.count, f->options.block_entries);
                assert_int_equal(index, (h + 1) * f->options.block_entries - 1);
        }
        assert_int_equal(ledger_block(f->ledger, head.height, &seal, &index), -ENOENT);
        fixture_expect_intact(f);
}

static void a_quiet_block_proves_life(void **state) {
        Fixture *f = *state;
        SealBody seal;
        uint64_t index;

        fixture_start(f);
        assert_true(fixture_commit(f, true).sealed);
        assert_int_equal(ledger_block(f->ledger, 0, &seal, &index), 0);
        assert_int_equal(seal.count, 1);
        assert_int_equal(seal.first_us, seal.when.wall_us);
        fixture_expect_intact(f);
}

static void the_deadline_follows_the_first_entry(void **state) {
        Fixture *f = *state;
        Stamp now = { 0 };

        fixture_start(f);
        clock_now(&now);
        int64_t idle = ledger_seal_deadline(f->ledger) - now.mono_us;
        assert_true(idle > 3000 * USEC_PER_SEC && idle <= 3600 * USEC_PER_SEC);
        assert_int_equal(fixture_note(f, ENTRY_GAP, "a"), 0);
        int64_t age = ledger_seal_deadline(f->ledger) - now.mono_us;
        assert_true(age > 5 * USEC_PER_SEC && age < 100 * USEC_PER_SEC);
        (void) fixture_commit(f, false);
        assert_int_equal(ledger_seal_deadline(f->ledger) - now.mono_us, age);
        (void) fixture_commit(f, true);
        assert_true(ledger_seal_deadline(f->ledger) - now.mono_us > 3000 * USEC_PER_SEC);
}

static void blocks_are_found_by_size(void **state) {
        Fixture *f = *state;
        uint64_t height;

        fixture_start(f);
        for (unsigned i = 0; i < 100; i++) {
                assert_int_equal(fixture_note(f, ENTRY_GAP, "a"), 0);
                (void) fixture_commit(f, true);
        }
        for (uint64_t size = 0; size < 200; size++) {
                assert_int_equal(ledger_block_after(f->ledger, size, &height), 0);
                assert_int_equal(height, size / 2);
        }
        assert_int_equal(ledger_block_after(f->ledger, 200, &height), -ENOENT);
        fixture_expect_intact(f);
}

/* --- the tree, against one that is computed from all leaves --- */

static void leaf_at(Fixture *f, uint64_t index, Hash *ret) {
        uint8_t data[ENTRY_SIZE];
        StoredEntry s;

        assert_int_equal(ledger_entry(f->ledger, index, &s), 0);
        entry_encode(&s.entry, data);
        merkle_leaf(BYTES(data, sizeof data), ret);
}

static void naive_root(const Hash *leaves, uint64_t n, Hash *ret) {
        uint64_t k = 1;
        Hash left, right;

        if (n == 0) {
                merkle_empty(ret);
                return;
        }
        if (n == 1) {
                *ret = leaves[0];
                return;
        }
        while (2 * k < n)
                k *= 2;
        naive_root(leaves, k, &left);
        naive_root(leaves + k, n - k, &right);
        merkle_node(&left, &right, ret);
}

static void random_batches_make_the_same_tree(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];
        Hash proof[MERKLE_PROOF_MAX + 1], root, old_root;
        Checkpoint c;
        uint64_t seed = 1;
        size_t n;

        f->options.block_entries = 97;
        fixture_start(f);
        for (unsigned i = 0; i < 40; i++) {
                uint64_t count = fixture_random(&seed, 60);
                for (uint64_t j = 0; j < count; j++)
                        assert_int_equal(fixture_read(f, fixture_random(&seed, 2) ? "stay-1" : "stay-2",
                                                         "dev-1", "hr", 80),
                                        0);
                (void) fixture_commit(f, fixture_random(&seed, 5) == 0);
                if (i % 10 == 5) {
                        fixture_stop(f);
                        fixture_start(f);
                        assert_int_equal(f->recovery.start, LEDGER_CLEAN);
                }
        }
        (void) fixture_commit(f, true);
        LedgerHead head = fixture_head(f);
        Hash *leaves = calloc(head.size, sizeof *leaves);
        assert_non_null(leaves);
        for (uint64_t i = 0; i < head.size; i++)
                leaf_at(f, i, &leaves[i]);
        for (uint64_t h = 0; h < head.height; h++) {
                assert_int_equal(ledger_block_checkpoint(f->ledger, h, &c, note), 0);
                naive_root(leaves, c.size, &root);
                assert_true(hash_equal(&root, &c.root));
                naive_root(leaves, c.size / 2, &old_root);
                assert_int_equal(ledger_consistency(f->ledger, c.size / 2, c.size, proof, &n), 0);
                assert_int_equal(merkle_verify_consistency(c.size / 2, &old_root, c.size, &root, proof, n),
                                0);
        }
        for (uint64_t i = 0; i < head.size; i += 7)
                fixture_expect_proof(f, i);
        free(leaves);
        fixture_expect_intact(f);
}

static void an_entry_is_provable_once_its_block_is_sealed(void **state) {
        Fixture *f = *state;
        static Proof p;

        fixture_start(f);
        assert_int_equal(fixture_read(f, "stay-1", "dev-1", "spo2", 97), 0);
        (void) fixture_commit(f, false);
        assert_int_equal(ledger_prove(f->ledger, 1, false, &p, &f->error), -EAGAIN);
        assert_int_equal(ledger_prove(f->ledger, 9, false, &p, &f->error), -ENOENT);
        (void) fixture_commit(f, true);
        fixture_expect_proof(f, 1);
        assert_int_equal(ledger_prove(f->ledger, 1, false, &p, &f->error), 0);
        assert_false(p.has_subkey);
}

/* --- state --- */

typedef struct Seen {
        char keys[512];
} Seen;

static int see(void *userdata, const char *key, Bytes value) {
        Seen *s = userdata;
        size_t n = strlen(s->keys);

        (void) snprintf(s->keys + n, sizeof s->keys - n, "%s=%.*s ", key, (int) value.len,
                        (const char *) value.data);
        return 0;
}

static const char *all_state(Fixture *f, const char *prefix) {
        static Seen seen;

        seen = (Seen){ 0 };
        /* The commit thread may still be tidying up after the last batch. */
        int r;
        while ((r = ledger_visit_state(f->ledger, prefix, see, &seen)) == -EBUSY)
                (void) usleep(1000);
        assert_int_equal(r, 0);
        return seen.keys;
}

static void state_and_streams_come_back(void **state) {
        Fixture *f = *state;
        uint32_t a, b, again;

        fixture_start(f);
        assert_int_equal(ledger_stream(f->ledger, "dev-a", &a), 0);
        assert_int_equal(ledger_put_state(f->ledger, "alert/2", BYTES_STRING("two")), 0);
        assert_int_equal(ledger_put_state(f->ledger, "alert/1", BYTES_STRING("one")), 0);
        assert_int_equal(ledger_put_state(f->ledger, "assign/1", BYTES_STRING("x")), 0);
        (void) fixture_commit(f, false);
        assert_string_equal(all_state(f, "alert/"), "alert/1=one alert/2=two ");
        assert_int_equal(ledger_put_state(f->ledger, "alert/2", BYTES(NULL, 0)), 0);
        assert_int_equal(ledger_put_state(f->ledger, "alert/1", BYTES_STRING("uno")), 0);
        (void) fixture_commit(f, false);
        assert_int_equal(ledger_stream(f->ledger, "dev-b", &b), 0);
        assert_int_not_equal(a, b);
        (void) fixture_commit(f, false);
        /* in the open block, behind a block, behind many */
        for (unsigned blocks = 0; blocks < 140; blocks += 1 + blocks) {
                fixture_stop(f);
                fixture_start(f);
                assert_string_equal(all_state(f, ""), "alert/1=uno assign/1=x ");
                assert_int_equal(ledger_stream(f->ledger, "dev-a", &again), 0);
                assert_int_equal(again, a);
                assert_int_equal(ledger_stream(f->ledger, "dev-b", &again), 0);
                assert_int_equal(again, b);
                for (unsigned i = 0; i <= blocks; i++)
                        (void) fixture_commit(f, true);
        }
        fixture_expect_intact(f);
}

static int count_entry(void *userdata, const StoredEntry *s) {
        uint64_t *next = userdata;

        assert_int_equal(s->index, (*next)++);
        return 0;
}

static void entries_are_visited_in_order(void **state) {
        Fixture *f = *state;
        uint64_t next = 10;

        fixture_start(f);
        fixture_fill(f, 3000, 1000);
        assert_int_equal(ledger_entries(f->ledger, 10, 2500, count_entry, &next), 0);
        assert_int_equal(next, 2510);
        assert_int_equal(ledger_entries(f->ledger, 2510, UINT64_MAX, count_entry, &next), 0);
        assert_int_equal(next, fixture_head(f).size);
}

/* --- start-up --- */

static uint64_t reads_to_start(Fixture *f) {
        fixture_start(f);
        uint64_t n = store_reads(f->ledger->store);
        fixture_stop(f);
        return n;
}

static void start_up_does_not_grow_with_the_log(void **state) {
        Fixture *f = *state;

        f->options.block_entries = 1024;
        fixture_start(f);
        fixture_fill(f, 16000, 4000);
        fixture_stop(f);
        uint64_t small = reads_to_start(f);
        fixture_start(f);
        fixture_fill(f, 80000, 4000);
        fixture_stop(f);
        uint64_t large = reads_to_start(f);
        /* 256 leaves' runs, 255 tiles a level, 64 blocks twice, one open block: far from one for each entry */
        assert_true(small < 900);
        assert_true(large < 900);
}

static void a_read_only_ledger_refuses_changes(void **state) {
        Fixture *f = *state;
        EntryTime when = fixture_when(f);

        fixture_start(f);
        fixture_fill(f, 100, 10);
        fixture_stop(f);
        f->options.read_only = true;
        fixture_start(f);
        assert_int_equal(fixture_note(f, ENTRY_GAP, "a"), -EROFS);
        assert_int_equal(ledger_close_batch(f->ledger, true, &when, &f->rules), -EROFS);
        fixture_expect_intact(f);
        fixture_expect_proof(f, 3);
}

static void two_cannot_have_it_open(void **state) {
        Fixture *f = *state;
        LedgerRecovery recovery;
        Ledger *other;

        fixture_start(f);
        assert_int_equal(ledger_open(&f->options, &other, &recovery, &f->error), -EBUSY);
}

int main(void) {
#define LEDGER_TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                LEDGER_TEST(a_new_ledger_is_empty_and_signed),
                LEDGER_TEST(without_create_there_must_be_one),
                LEDGER_TEST(a_reading_comes_after_its_subjects_key),
                LEDGER_TEST(a_body_opens_with_its_subject),
                LEDGER_TEST(only_one_batch_is_written_at_a_time),
                LEDGER_TEST(the_open_batch_has_an_end),
                LEDGER_TEST(a_body_too_large_is_refused),
                LEDGER_TEST(a_block_closes_when_it_is_full),
                LEDGER_TEST(a_quiet_block_proves_life),
                LEDGER_TEST(the_deadline_follows_the_first_entry),
                LEDGER_TEST(blocks_are_found_by_size),
                LEDGER_TEST(random_batches_make_the_same_tree),
                LEDGER_TEST(an_entry_is_provable_once_its_block_is_sealed),
                LEDGER_TEST(state_and_streams_come_back),
                LEDGER_TEST(entries_are_visited_in_order),
                LEDGER_TEST(start_up_does_not_grow_with_the_log),
                LEDGER_TEST(a_read_only_ledger_refuses_changes),
                LEDGER_TEST(two_cannot_have_it_open),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
