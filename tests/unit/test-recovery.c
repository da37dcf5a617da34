/* What start-up makes of crashes, rollbacks, damage and foreign keys. */
#include <dirent.h>
#include <fcntl.h>

#include "ledger-fixture.h"

/* --- tampering with files --- */

/* The largest file of the database with that ending. */
static const char *largest(const Fixture *f, const char *ending) {
        static char best[512];
        off_t most = -1;
        struct stat st;

        DIR *d = opendir(fixture_path(f, "ledger"));
        assert_non_null(d);
        for (const struct dirent *item; (item = readdir(d));) {
                char path[512];
                (void) snprintf(path, sizeof path, "%s/ledger/%s", f->dir, item->d_name);
                if (strstr(item->d_name, ending) && stat(path, &st) == 0 && st.st_size > most) {
                        most = st.st_size;
                        (void) snprintf(best, sizeof best, "%s", path);
                }
        }
        (void) closedir(d);
        assert_true(most >= 0);
        return best;
}

static void flip(const char *path, double where) {
        struct stat st;
        uint8_t b;

        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        off_t at = (off_t) (where * (double) (st.st_size - 1));
        assert_int_equal(pread(fd, &b, 1, at), 1);
        b ^= 0x10;
        assert_int_equal(pwrite(fd, &b, 1, at), 1);
        (void) close(fd);
}

/* cp, mv and rm know how; the words are the test's own. */
static void run_in(const Fixture *f, const char *const *words) {
        char *argv[8] = { NULL };
        int status;

        for (size_t i = 0; i < ELEMENTS(argv) - 1 && words[i]; i++)
                argv[i] = strdup(words[i]);
        pid_t child = fork();
        if (child == 0) {
                if (chdir(f->dir) == 0)
                        (void) execvp(argv[0], argv);
                _exit(127);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        for (size_t i = 0; i < ELEMENTS(argv); i++)
                free(argv[i]);
}
#define RUN_IN(f, ...) run_in(f, (const char *const[]){ __VA_ARGS__, NULL })

static void keep_copy(const Fixture *f) {
        RUN_IN(f, "rm", "-rf", "copy");
        RUN_IN(f, "mkdir", "copy");
        RUN_IN(f, "cp", "-a", "ledger", "checkpoint", "copy");
}

static void restore_database(const Fixture *f) {
        RUN_IN(f, "rm", "-rf", "ledger");
        RUN_IN(f, "cp", "-a", "copy/ledger", ".");
}

static void restore_checkpoint(const Fixture *f) {
        RUN_IN(f, "cp", "-a", "copy/checkpoint", ".");
}

static unsigned kept_folders(const Fixture *f) {
        unsigned n = 0;

        DIR *d = opendir(f->dir);
        assert_non_null(d);
        for (const struct dirent *item; (item = readdir(d));) {
                n += startswith(item->d_name, "ledger.epoch-");
                /* scratch is gone */
                assert_false(streq(item->d_name, "ledger.building"));
                assert_false(streq(item->d_name, "ledger.salvage"));
                assert_false(startswith(item->d_name, "ledger.ready-"));
        }
        (void) closedir(d);
        return n;
}

/* The epoch that begins now: named in its first entry, verifiable, and going on. */
static void expect_new_epoch(Fixture *f, LedgerStart start, uint32_t epoch, const char *old_note) {
        StoredEntry s;
        GapBody gap;

        fixture_start(f);
        assert_int_equal(f->recovery.start, start);
        assert_int_equal(f->recovery.epoch, epoch);
        assert_true(strlen(f->recovery.message) > 20);
        assert_int_equal(ledger_entry(f->ledger, 0, &s), 0);
        assert_int_equal(s.entry.type, ENTRY_GAP);
        assert_int_equal(body_get_gap(BYTES(s.body, s.body_len), &gap), 0);
        assert_int_equal(gap.reason, GAP_RECOVERY);
        assert_int_equal(gap.count, f->recovery.salvaged);
        assert_string_equal(gap.detail, old_note);
        fixture_expect_intact(f);
        LedgerHead head = fixture_head(f);
        char origin[64];
        (void) snprintf(origin, sizeof origin, "ward-3.example/%u", epoch);
        assert_string_equal(head.checkpoint.origin, origin);
        assert_int_equal(head.checkpoint.size, head.size);
        fixture_fill(f, 50, 20);
        (void) fixture_commit(f, true);
        fixture_expect_intact(f);
        fixture_expect_proof(f, 0);
        fixture_expect_proof(f, fixture_head(f).size - 2);
        fixture_stop(f);
        fixture_start(f);
        assert_int_equal(f->recovery.start, LEDGER_CLEAN);
        assert_int_equal(f->recovery.epoch, epoch);
        fixture_expect_intact(f);
}

/* A ledger of 1000 readings that ends with a SEAL. */
static void write_some(Fixture *f, char ret_note[static NOTE_TEXT_MAX]) {
        fixture_start(f);
        fixture_fill(f, 1000, 50);
        (void) fixture_commit(f, true);
        memcpy(ret_note, fixture_head(f).note, NOTE_TEXT_MAX);
        fixture_stop(f);
}

/* --- crashes --- */

static void a_checkpoint_that_a_crash_left_unsigned_is_signed(void **state) {
        Fixture *f = *state;

        fixture_start(f);
        fixture_fill(f, 100, 10);
        (void) fixture_commit(f, true);
        keep_copy(f);
        fixture_fill(f, 100, 10);
        (void) fixture_commit(f, true);
        uint64_t size = fixture_head(f).size;
        fixture_stop(f);
        restore_checkpoint(f);
        fixture_start(f);
        assert_int_equal(f->recovery.start, LEDGER_CLEAN);
        assert_int_equal(fixture_head(f).checkpoint.size, size);
        fixture_expect_intact(f);
}

/* --- rollback, fork, damage --- */

static void a_restored_older_copy_begins_a_new_epoch(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];

        fixture_start(f);
        fixture_fill(f, 300, 50);
        (void) fixture_commit(f, true);
        fixture_stop(f);
        keep_copy(f);
        write_some(f, note);
        restore_database(f);
        expect_new_epoch(f, LEDGER_ROLLBACK, 2, note);
        assert_int_equal(kept_folders(f), 1);
        assert_int_equal(fixture_readings(f), 300 + 50);
        assert_true(f->recovery.lost == 0);
}

static void what_was_lost_is_counted(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];

        fixture_start(f);
        fixture_fill(f, 300, 50);
        (void) fixture_commit(f, true);
        uint64_t size = fixture_head(f).size;
        fixture_stop(f);
        keep_copy(f);
        write_some(f, note);
        Checkpoint c;
        assert_int_equal(checkpoint_parse(BYTES_STRING(note), &c, &f->error), 0);
        restore_database(f);
        fixture_start(f);
        assert_int_equal(f->recovery.lost, c.size - size);
}

static void a_missing_database_begins_a_new_epoch(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];

        write_some(f, note);
        RUN_IN(f, "rm", "-rf", "ledger");
        expect_new_epoch(f, LEDGER_ROLLBACK, 2, note);
        assert_int_equal(kept_folders(f), 0);
}

static void a_missing_checkpoint_begins_a_new_epoch(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];

        write_some(f, note);
        assert_int_equal(unlink(fixture_path(f, "checkpoint")), 0);
        expect_new_epoch(f, LEDGER_ROLLBACK, 2, "");
        assert_int_equal(fixture_readings(f), 1000 + 50);
}

static void a_missing_checkpoint_of_nothing_is_made_again(void **state) {
        Fixture *f = *state;

        fixture_start(f);
        f->options.block_entries = 4096;
        fixture_stop(f);
        assert_int_equal(unlink(fixture_path(f, "checkpoint")), 0);
        fixture_start(f);
        assert_int_equal(f->recovery.start, LEDGER_CLEAN);
        assert_true(strlen(f->recovery.message) > 0);
        assert_int_equal(access(fixture_path(f, "checkpoint"), F_OK), 0);
}

static void a_damaged_checkpoint_begins_a_new_epoch(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];

        write_some(f, note);
        flip(fixture_path(f, "checkpoint"), 0.35); /* in the root */
        expect_new_epoch(f, LEDGER_CORRUPT, 2, "");
        assert_int_equal(fixture_readings(f), 1000 + 50);
}

static void a_contradiction_begins_a_new_epoch(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];

        fixture_start(f);
        fixture_fill(f, 100, 50);
        (void) fixture_commit(f, true);
        fixture_stop(f);
        keep_copy(f);
        write_some(f, note);
        keep_copy(f);
        /* another history of the same length and more */
        RUN_IN(f, "rm", "-rf", "ledger", "checkpoint");
        fixture_start(f);
        fixture_fill(f, 2000, 50);
        (void) fixture_commit(f, true);
        fixture_stop(f);
        restore_checkpoint(f);
        expect_new_epoch(f, LEDGER_FORKED, 2, note);
}

static void another_key_is_refused(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX], verifier[256];

        write_some(f, note);
        SigningKey right = f->key;
        assert_int_equal(signing_key_generate(&f->key), 0);
        assert_int_equal(fixture_open(f), -EKEYREJECTED);
        assert_int_equal(note_verifier_key("ward-3.example/1", f->key.public, verifier, sizeof verifier), 0);
        assert_non_null(strstr(f->error.message, "wrong key"));
        assert_non_null(strstr(f->error.message, verifier));
        f->key = right;
        fixture_start(f);
        assert_int_equal(f->recovery.start, LEDGER_CLEAN);
}

/* Damages one file of the database; what LevelDB sees at once, it sees at start. */
static void expect_salvage(Fixture *f, const char *ending, double where) {
        char note[NOTE_TEXT_MAX];

        write_some(f, note);
        flip(largest(f, ending), where);
        expect_new_epoch(f, LEDGER_CORRUPT, 2, note);
        assert_int_equal(kept_folders(f), 1);
}

static void a_damaged_log_is_salvaged(void **state) {
        Fixture *f = *state;

        expect_salvage(f, ".log", 0.7);
        unsigned n = fixture_readings(f);
        assert_true(n > 500 && n < 1050);
        assert_true(f->recovery.lost == 0); /* of the second start */
}

static void a_damaged_manifest_is_salvaged(void **state) {
        Fixture *f = *state;

        expect_salvage(f, "MANIFEST", 0.5);
        assert_int_equal(fixture_readings(f), 1050);
}

static void a_missing_current_is_salvaged(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];

        write_some(f, note);
        assert_int_equal(unlink(fixture_path(f, "ledger/CURRENT")), 0);
        expect_new_epoch(f, LEDGER_CORRUPT, 2, note);
        assert_int_equal(fixture_readings(f), 1050);
}

static void a_truncated_log_begins_a_new_epoch(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];
        struct stat st;

        write_some(f, note);
        const char *log = largest(f, ".log");
        assert_int_equal(stat(log, &st), 0);
        assert_int_equal(truncate(log, st.st_size / 2), 0);
        expect_new_epoch(f, LEDGER_ROLLBACK, 2, note);
        assert_true(fixture_readings(f) > 300);
}

/* Large enough for tables. */
static void write_many(Fixture *f, char ret_note[static NOTE_TEXT_MAX]) {
        f->options.block_entries = 4096;
        fixture_start(f);
        fixture_fill(f, 20000, 2000);
        (void) fixture_commit(f, true);
        memcpy(ret_note, fixture_head(f).note, NOTE_TEXT_MAX);
        fixture_stop(f);
}

static void a_missing_table_is_salvaged(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];

        write_many(f, note);
        assert_int_equal(unlink(largest(f, ".ldb")), 0);
        expect_new_epoch(f, LEDGER_CORRUPT, 2, note);
        unsigned n = fixture_readings(f);
        assert_true(n > 5000 && n < 20050);
}

static void a_flipped_byte_in_a_table_is_found(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];
        unsigned found = 0;

        write_many(f, note);
        keep_copy(f);
        for (unsigned i = 0; i < 8; i++) {
                restore_database(f);
                restore_checkpoint(f);
                flip(largest(f, ".ldb"), (double) i / 8 + 0.03);
                fixture_start(f);
                found += f->recovery.start == LEDGER_CORRUPT || fixture_verify(f).bad > 0;
                fixture_stop(f);
        }
        assert_int_equal(found, 8);
}

/* --- the steps of a new epoch, each cut short --- */

static void an_unfinished_epoch_is_begun_anew(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];

        write_some(f, note);
        RUN_IN(f, "cp", "-a", "ledger", "ledger.building");
        RUN_IN(f, "rm", "ledger/CURRENT");
        expect_new_epoch(f, LEDGER_CORRUPT, 2, note);
}

static void a_finished_epoch_takes_its_place(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];

        write_some(f, note);
        keep_copy(f);
        assert_int_equal(unlink(fixture_path(f, "ledger/CURRENT")), 0);
        RUN_IN(f, "cp", "-a", "ledger", "damaged");
        fixture_start(f);
        fixture_stop(f);
        /* back to before the old database was moved away and the checkpoint replaced */
        RUN_IN(f, "mv", "ledger", "ledger.ready-2");
        RUN_IN(f, "cp", "-a", "damaged", "ledger");
        RUN_IN(f, "rm", "-r", "damaged");
        RUN_IN(f, "sh", "-c", "rm -r *.epoch-1.*");
        restore_checkpoint(f);
        fixture_start(f);
        assert_int_equal(f->recovery.start, LEDGER_CLEAN);
        assert_int_equal(f->recovery.epoch, 2);
        assert_int_equal(kept_folders(f), 1);
        assert_string_equal(fixture_head(f).checkpoint.origin, "ward-3.example/2");
        fixture_expect_intact(f);
        assert_int_equal(fixture_readings(f), 1000);
}

static void epochs_count_on(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];

        write_some(f, note);
        for (uint32_t epoch = 2; epoch < 5; epoch++) {
                assert_int_equal(unlink(fixture_path(f, "ledger/CURRENT")), 0);
                fixture_start(f);
                assert_int_equal(f->recovery.epoch, epoch);
                fixture_expect_intact(f);
                assert_int_equal(fixture_readings(f), 1000);
                fixture_stop(f);
        }
        /* even where nothing is left but the folders kept */
        RUN_IN(f, "rm", "-rf", "ledger", "checkpoint");
        fixture_start(f);
        assert_int_equal(f->recovery.start, LEDGER_CREATED);
        assert_int_equal(f->recovery.epoch, 5);
}

static void salvage_keeps_state_and_streams(void **state) {
        Fixture *f = *state;
        uint32_t before, after;
        uint64_t next;

        fixture_start(f);
        assert_int_equal(fixture_read(f, "stay-1", "dev-x", "spo2", 1), 0);
        assert_int_equal(ledger_stream(f->ledger, "dev-y", &before), 0);
        assert_int_equal(ledger_put_state(f->ledger, "assign/dev-x", BYTES_STRING("stay-1")), 0);
        (void) fixture_commit(f, true);
        next = f->ledger->writer->state.streams[1].next;
        fixture_stop(f);
        assert_int_equal(unlink(fixture_path(f, "ledger/CURRENT")), 0);
        fixture_start(f);
        assert_int_equal(f->recovery.epoch, 2);
        assert_int_equal(ledger_stream(f->ledger, "dev-y", &after), 0);
        assert_int_equal(after, before);
        assert_int_equal(f->ledger->writer->state.streams[1].next, next);
        assert_int_equal(f->ledger->writer->state.item_count, 1);
        assert_string_equal(f->ledger->writer->state.items[0].key, "assign/dev-x");
}

static void read_only_repairs_nothing(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];

        write_some(f, note);
        assert_int_equal(unlink(fixture_path(f, "ledger/CURRENT")), 0);
        f->options.read_only = true;
        assert_int_equal(fixture_open(f), -EUCLEAN);
        assert_int_equal(kept_folders(f), 0);
}

int main(void) {
#define RECOVERY_TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                RECOVERY_TEST(a_checkpoint_that_a_crash_left_unsigned_is_signed),
                RECOVERY_TEST(a_restored_older_copy_begins_a_new_epoch),
                RECOVERY_TEST(what_was_lost_is_counted),
                RECOVERY_TEST(a_missing_database_begins_a_new_epoch),
                RECOVERY_TEST(a_missing_checkpoint_begins_a_new_epoch),
                RECOVERY_TEST(a_missing_checkpoint_of_nothing_is_made_again),
                RECOVERY_TEST(a_damaged_checkpoint_begins_a_new_epoch),
                RECOVERY_TEST(a_contradiction_begins_a_new_epoch),
                RECOVERY_TEST(another_key_is_refused),
                RECOVERY_TEST(a_damaged_log_is_salvaged),
                RECOVERY_TEST(a_damaged_manifest_is_salvaged),
                RECOVERY_TEST(a_missing_current_is_salvaged),
                RECOVERY_TEST(a_truncated_log_begins_a_new_epoch),
                RECOVERY_TEST(a_missing_table_is_salvaged),
                RECOVERY_TEST(a_flipped_byte_in_a_table_is_found),
                RECOVERY_TEST(an_unfinished_epoch_is_begun_anew),
                RECOVERY_TEST(a_finished_epoch_takes_its_place),
                RECOVERY_TEST(epochs_count_on),
                RECOVERY_TEST(salvage_keeps_state_and_streams),
                RECOVERY_TEST(read_only_repairs_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
