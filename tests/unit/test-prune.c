/* Pruning: old bodies go, every proof and what was decided stays. */
#include "ledger-fixture.h"

#define BLOCK UINT64_C(64)
#define DAY   (86400 * USEC_PER_SEC)

/* Pruning follows the result: wait until the commit thread is done. */
static void wait_idle(Fixture *f) {
        bool idle;

        do {
                (void) usleep(1000);
                pthread_mutex_t *locked = ledger_lock(f->ledger);
                idle = f->ledger->idle;
                ledger_unlockp(&locked);
        } while (!idle);
}

static uint64_t pruned(Fixture *f) {
        wait_idle(f);
        return fixture_head(f).pruned_size;
}

static void fill_blocks(Fixture *f, unsigned blocks) {
        fixture_fill(f, blocks * (unsigned) (BLOCK - 1), 50);
        (void) fixture_commit(f, true);
        wait_idle(f);
}

static void expect_all_proofs(Fixture *f) {
        LedgerHead head = fixture_head(f);
        Hash proof[MERKLE_PROOF_MAX + 1];
        Checkpoint old;
        char note[NOTE_TEXT_MAX];
        static Proof p;
        StoredEntry s;
        size_t n;

        for (uint64_t i = 0; i < head.checkpoint.size; i += 13) {
                int r = ledger_entry(f->ledger, i, &s);
                if (r == 0) {
                        fixture_expect_proof(f, i);
                        continue;
                }
                assert_int_equal(r, -ENODATA);
                assert_true(i < head.pruned_size);
                assert_int_equal(ledger_prove(f->ledger, i, false, &p, &f->error), -ENODATA);
        }
        for (uint64_t h = 0; h < head.height; h += 5) {
                assert_int_equal(ledger_block_checkpoint(f->ledger, h, &old, note), 0);
                assert_int_equal(
                                ledger_consistency(f->ledger, old.size, head.checkpoint.size, proof, &n), 0);
                assert_int_equal(merkle_verify_consistency(old.size, &old.root, head.checkpoint.size,
                                                 &head.checkpoint.root, proof, n),
                                0);
        }
}

static int count_reading(void *userdata, const StoredReading *r) {
        ++*(unsigned *) userdata;
        return 0;
}

static void old_blocks_lose_their_bodies(void **state) {
        Fixture *f = *state;
        SealBody seal;
        StoredEntry s;
        uint64_t index;
        unsigned found = 0;

        f->options.retention_us = DAY;
        f->options.prune_unanchored = true;
        fixture_start(f);
        assert_int_equal(fixture_note(f, ENTRY_ASSIGN, "dev-1"), 0);
        fill_blocks(f, 40);
        assert_int_equal(pruned(f), 0);
        f->now_us += 2 * DAY;
        fill_blocks(f, 3);
        uint64_t size = pruned(f);
        assert_true(size >= 32 * BLOCK && size <= 44 * BLOCK);
        assert_int_equal(size % BLOCK, 0);

        fixture_expect_intact(f);
        assert_true(fixture_verify(f).pruned > 25 * BLOCK);
        expect_all_proofs(f);
        /* what was decided stays */
        assert_int_equal(ledger_entry(f->ledger, 0, &s), 0);
        assert_int_equal(s.entry.type, ENTRY_ASSIGN);
        assert_int_equal(ledger_entry(f->ledger, 1, &s), 0);
        assert_int_equal(s.entry.type, ENTRY_KEY);
        assert_int_equal(ledger_entry(f->ledger, 30, &s), -ENODATA);
        assert_int_equal(ledger_block(f->ledger, 2, &seal, &index), 0);
        const ReadingFilter q = {
                .subject = "stay-1", .from_us = TIME_NONE, .to_us = TIME_NONE, .after = UINT64_MAX
        };
        assert_int_equal(ledger_readings(f->ledger, &q, count_reading, &found), 0);
        assert_true(found > 50 && found < 500);

        fixture_stop(f);
        fixture_start(f);
        assert_int_equal(f->recovery.start, LEDGER_CLEAN);
        assert_int_equal(pruned(f), size);
        fixture_expect_intact(f);
        fill_blocks(f, 20);
        fixture_expect_intact(f);
}

static void a_clock_that_is_not_synchronised_prunes_nothing(void **state) {
        Fixture *f = *state;

        f->options.retention_us = DAY;
        f->options.prune_unanchored = true;
        fixture_start(f);
        fill_blocks(f, 20);
        f->now_us += 3650 * DAY;
        for (unsigned i = 0; i < 3; i++) {
                EntryTime when = fixture_when(f);
                when.synchronised = false;
                assert_int_equal(ledger_close_batch(f->ledger, true, &when, &f->rules), 0);
                assert_int_equal(fixture_collect(f).r, 0);
        }
        assert_int_equal(pruned(f), 0);
        (void) fixture_commit(f, true);
        assert_true(pruned(f) > 0);
}

static void what_is_not_anchored_stays(void **state) {
        Fixture *f = *state;

        f->options.retention_us = DAY;
        fixture_start(f);
        fill_blocks(f, 40);
        f->now_us += 2 * DAY;
        (void) fixture_commit(f, true);
        assert_int_equal(pruned(f), 0);
        ledger_set_anchored(f->ledger, 20 * BLOCK + 5);
        (void) fixture_commit(f, true);
        uint64_t size = pruned(f);
        assert_int_equal(size, 16 * BLOCK);
        (void) fixture_commit(f, true);
        assert_int_equal(pruned(f), size);
        fixture_expect_intact(f);
        expect_all_proofs(f);
}

static void a_size_budget_is_kept(void **state) {
        Fixture *f = *state;
        uint64_t most = 0;

        f->options.size_budget = UINT64_C(3) << 20;
        f->options.prune_unanchored = true;
        f->options.block_entries = 1024;
        fixture_start(f);
        for (unsigned i = 0; i < 40; i++) {
                fixture_fill(f, 2000, 1000);
                (void) fixture_commit(f, true);
                wait_idle(f);
                most = MAX(most, fixture_head(f).bytes);
        }
        LedgerHead head = fixture_head(f);
        assert_true(head.pruned_size > 20000);
        assert_true(head.pruned_size < head.size - 5000);
        /* 80000 entries were about 12 MiB: tiles and the newest bodies are left */
        assert_true(head.bytes < UINT64_C(7) << 20);
        fixture_expect_intact(f);
}

static void a_changed_tile_is_noticed_where_bodies_are_gone(void **state) {
        Fixture *f = *state;
        _cleanup_free_ uint8_t *data = NULL;
        char path[128];
        size_t len;

        f->options.retention_us = DAY;
        f->options.prune_unanchored = true;
        fixture_start(f);
        fill_blocks(f, 40);
        f->now_us += 2 * DAY;
        (void) fixture_commit(f, true);
        assert_true(pruned(f) > 300);
        fixture_stop(f);

        (void) snprintf(path, sizeof path, "%s/ledger", f->dir);
        {
                _cleanup_(store_freep) Store *s = NULL;
                _cleanup_(store_batch_freep) StoreBatch *b = NULL;
                assert_int_equal(store_open(path, false, &s, &f->error), 0);
                assert_int_equal(store_get(s, tile_key(0, 0), &data, &len, &f->error), 0);
                data[(size_t) 100 * SHA256_SIZE] ^= 1;
                assert_int_equal(store_batch_new(&b), 0);
                store_batch_put(b, tile_key(0, 0), BYTES(data, len));
                assert_int_equal(store_write(s, b, true, &f->error), 0);
        }
        f->options.read_only = true;
        if (fixture_open(f) == 0)
                assert_true(fixture_verify(f).bad > 0);
}

int main(void) {
#define PRUNE_TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                PRUNE_TEST(old_blocks_lose_their_bodies),
                PRUNE_TEST(a_clock_that_is_not_synchronised_prunes_nothing),
                PRUNE_TEST(what_is_not_anchored_stays),
                PRUNE_TEST(a_size_budget_is_kept),
                PRUNE_TEST(a_changed_tile_is_noticed_where_bodies_are_gone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
