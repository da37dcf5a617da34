/* Commits: what was reported durable is there after a crash; what failed is kept where no source has it. */
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "ledger-fixture.h"

/* Runs until it is killed; after each commit its size goes to standard output. */
static int run_victim(const char *dir, const char *key) {
        static Fixture fixture = { .now_us = NOON };
        Fixture *f = &fixture;

        if (sodium_init() < 0 || signing_key_parse(key, &f->key, &f->error) < 0)
                return 1;
        fixture_set_options(f, dir);
        fixture_start(f);
        for (;;) {
                for (unsigned i = 0; i < 40; i++)
                        if (fixture_read(f, "stay-1", "dev-1", "spo2", i) < 0)
                                return 1;
                (void) fixture_commit(f, false);
                uint64_t n = fixture_head(f).size;
                if (write(STDOUT_FILENO, &n, sizeof n) < 0)
                        return 1;
        }
}

/* Another process rather than a mere fork: threads are not forked. */
static pid_t start_victim(const Fixture *f, int *ret_told) {
        char key[SIGNING_KEY_TEXT_SIZE];
        int pipe_fds[2];

        assert_int_equal(signing_key_format(&f->key, key, sizeof key), 0);
        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        pid_t child = fork();
        if (child == 0) {
                (void) dup2(pipe_fds[1], STDOUT_FILENO);
                (void) execl("/proc/self/exe", "victim", f->dir, key, (char *) NULL);
                _exit(127);
        }
        (void) close(pipe_fds[1]);
        *ret_told = pipe_fds[0];
        return child;
}

static void a_killed_process_loses_nothing_durable(void **state) {
        Fixture *f = *state;
        uint64_t durable = 0, n;

        for (unsigned round = 0; round < 12; round++) {
                int told;
                pid_t child = start_victim(f, &told);
                /* it runs */
                assert_int_equal(read(told, &durable, sizeof durable), sizeof durable);
                (void) usleep(20000 + round * 7919);
                assert_int_equal(kill(child, SIGKILL), 0);
                assert_int_equal(waitpid(child, NULL, 0), child);
                while (read(told, &n, sizeof n) == (ssize_t) sizeof n)
                        durable = n;
                (void) close(told);
                f->keyring = keyring_free(f->keyring); /* the victim may have made a key */
                fixture_open_keyring(f);
                fixture_start(f);
                assert_int_equal(f->recovery.start, LEDGER_CLEAN);
                assert_true(fixture_head(f).size >= durable);
                fixture_expect_intact(f);
                fixture_stop(f);
        }
        assert_true(durable > 400);
}

static void a_key_whose_entry_a_crash_prevented_gets_it(void **state) {
        Fixture *f = *state;
        SubjectKey key;
        StoredEntry s;
        bool is_new;

        fixture_start(f);
        assert_int_equal(keyring_subject(f->keyring, "stay-1", &key, &is_new, &f->error), 0);
        assert_int_equal(fixture_read(f, "stay-1", "dev-1", "spo2", 1), 0);
        (void) fixture_commit(f, false);
        assert_int_equal(ledger_entry(f->ledger, 0, &s), 0);
        assert_int_equal(s.entry.type, ENTRY_KEY);
        assert_int_equal(fixture_head(f).size, 2);
}

/* --- the store fails --- */

static void a_failed_commit_keeps_what_no_source_has(void **state) {
        Fixture *f = *state;
        LedgerResult result;

        fixture_start(f);
        fixture_fill(f, 10, 10);
        uint64_t size = fixture_head(f).size;
        /* As after a write error: the handle is gone and the database can't be opened. */
        f->ledger->writer = writer_free(f->ledger->writer);
        f->ledger->store = store_free(f->ledger->store);
        assert_int_equal(rename(fixture_path(f, "ledger"), fixture_path(f, "away")), 0);
        StoredEntry s;
        assert_int_equal(ledger_entry(f->ledger, 0, &s), -EIO);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(fixture_read(f, "stay-1", "new-device", "spo2", i), 0);
                assert_int_equal(fixture_note(f, ENTRY_GAP, "kept"), 0);
                assert_int_equal(ledger_put_state(f->ledger, "k", BYTES_STRING("v")), 0);
                result = fixture_try_commit(f, true);
                assert_true(result.r < 0);
                assert_true(strlen(result.message) > 0);
                assert_int_equal(result.dropped, 0);
                assert_int_equal(ledger_open_entries(f->ledger), i + 1);
        }
        assert_int_equal(rename(fixture_path(f, "away"), fixture_path(f, "ledger")), 0);
        assert_int_equal(fixture_read(f, "stay-1", "new-device", "spo2", 9), 0);
        result = fixture_commit(f, true);
        assert_int_equal(result.entries, 4);
        assert_true(result.sealed);
        assert_int_equal(fixture_head(f).size, size + 5);
        assert_int_equal(fixture_readings(f), 11);
        fixture_expect_intact(f);
        fixture_stop(f);
        fixture_start(f);
        uint32_t stream;
        assert_int_equal(ledger_stream(f->ledger, "new-device", &stream), 0);
        assert_int_equal(ledger_open_entries(f->ledger), 0);
        fixture_expect_intact(f);
}

/* An alert storm: in all more than there may be at a time. */
static void state_comes_and_goes(Fixture *f, bool seal) {
        enum { BATCHES = 40, ITEMS = 1000 };
        char key[32];

        static_assert(BATCHES * ITEMS > STATE_ITEMS_MAX, "more than there is room for");
        fixture_start(f);
        for (unsigned i = 0; i < BATCHES; i++) {
                for (unsigned j = 0; j < 2 * ITEMS; j++) {
                        (void) snprintf(key, sizeof key, "alert/%u", i * ITEMS + j / 2);
                        assert_int_equal(
                                        ledger_put_state(f->ledger, key, BYTES_STRING(j % 2 ? "" : "v")), 0);
                }
                assert_int_equal(fixture_note(f, ENTRY_GAP, "storm"), 0);
                (void) fixture_commit(f, seal);
        }
        fixture_stop(f);
        fixture_start(f);
        fixture_expect_intact(f);
}

static void what_came_and_went_takes_no_room(void **state) {
        state_comes_and_goes(*state, true);
}

static void what_came_and_went_in_one_block_takes_no_room(void **state) {
        state_comes_and_goes(*state, false);
}

/* A limit on the size of files does to one process what a full disk does to all. */
static void limit_files(rlim_t size) {
        struct rlimit limit;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = size;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_store_that_cannot_grow_heals(void **state) {
        Fixture *f = *state;
        unsigned written = 0, failed = 0;

        (void) signal(SIGXFSZ, SIG_IGN);
        fixture_start(f);
        for (unsigned i = 0; i < 60; i++) {
                /* in the middle of records, one byte further each time */
                limit_files(i % 3 == 2 ? 20000 + i : RLIM_INFINITY);
                for (unsigned n = 0; n < 20; n++)
                        assert_int_equal(fixture_read(f, "stay-1", "dev-1", "spo2", n), 0);
                if (fixture_try_commit(f, i % 7 == 0).r == 0)
                        written += 20;
                else
                        failed++;
        }
        limit_files(RLIM_INFINITY);
        assert_true(failed > 3);
        (void) fixture_commit(f, true);
        fixture_expect_intact(f);
        assert_true(fixture_readings(f) >= written);
        fixture_stop(f);
        fixture_start(f);
        assert_int_equal(f->recovery.start, LEDGER_CLEAN);
        fixture_expect_intact(f);
}

static void carried_entries_are_bounded(void **state) {
        Fixture *f = *state;
        size_t dropped = 0;

        fixture_start(f);
        f->ledger->writer = writer_free(f->ledger->writer);
        f->ledger->store = store_free(f->ledger->store);
        assert_int_equal(rename(fixture_path(f, "ledger"), fixture_path(f, "away")), 0);
        for (unsigned i = 0; i < 4; i++) {
                for (unsigned n = 0; n < 1000; n++)
                        assert_int_equal(fixture_note(f, ENTRY_GAP, "kept"), 0);
                dropped += fixture_try_commit(f, false).dropped;
        }
        assert_int_equal(dropped, 4000 - BATCH_CARRIED_MAX);
        assert_int_equal(ledger_open_entries(f->ledger), BATCH_CARRIED_MAX);
        assert_int_equal(rename(fixture_path(f, "away"), fixture_path(f, "ledger")), 0);
        (void) fixture_commit(f, false);
        fixture_expect_intact(f);
}

int main(int argc, char **argv) {
        if (argc == 3)
                return run_victim(argv[1], argv[2]);

#define COMMIT_TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                COMMIT_TEST(a_killed_process_loses_nothing_durable),
                COMMIT_TEST(a_key_whose_entry_a_crash_prevented_gets_it),
                COMMIT_TEST(a_failed_commit_keeps_what_no_source_has),
                COMMIT_TEST(a_store_that_cannot_grow_heals),
                COMMIT_TEST(carried_entries_are_bounded),
                COMMIT_TEST(what_came_and_went_takes_no_room),
                COMMIT_TEST(what_came_and_went_in_one_block_takes_no_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
