/* Verification: no bit of the log, of what lies beside it or of the checkpoint changes unnoticed. */
#include "ledger-fixture.h"

typedef struct Record {
        StoreKey key;
        uint8_t data[16384];
        size_t len;
} Record;

/* Puts a record with one bit changed, behind LevelDB's checksums. */
enum { AS_IT_WAS = -1, DELETED = -2 };

static void put_record(Fixture *f, const Record *r, long bit) {
        _cleanup_(store_batch_freep) StoreBatch *b = NULL;
        static uint8_t data[sizeof r->data];

        memcpy(data, r->data, r->len);
        if (bit >= 0)
                data[bit / 8] ^= (uint8_t) (1U << bit % 8);
        assert_int_equal(store_batch_new(&b), 0);
        if (bit == DELETED)
                store_batch_delete(b, r->key);
        else
                store_batch_put(b, r->key, BYTES(data, r->len));
        assert_int_equal(store_write(f->ledger->store, b, false, &f->error), 0);
}

static void expect_noticed(Fixture *f, const Record *r, long bit) {
        put_record(f, r, bit);
        if (fixture_verify(f).bad == 0)
                fail_msg("record of kind %u at %llu: bit %ld", r->key.kind,
                                (unsigned long long) r->key.index, bit);
        put_record(f, r, AS_IT_WAS);
}

static size_t read_records(Fixture *f, Record *records, size_t max) {
        _cleanup_(store_cursor_freep) StoreCursor *c = NULL;
        size_t n = 0;

        assert_int_equal(store_cursor_new(f->ledger->store, &c), 0);
        for (int r = store_cursor_seek(c, (StoreKey){ 0 }, &f->error); r > 0 && n < max;
                        r = store_cursor_next(c, &f->error)) {
                Bytes value = store_cursor_value(c);
                /* State is convenience; only its sequences are compared. */
                if (store_cursor_key(c).kind >= RECORD_STATE)
                        continue;
                records[n].key = store_cursor_key(c);
                records[n].len = value.len;
                assert_true(value.len <= sizeof records[n].data);
                memcpy(records[n++].data, value.data, value.len);
        }
        return n;
}

static void changes_of_each_record_are_noticed(void **state) {
        Fixture *f = *state;
        static Record records[200];
        uint64_t seed = 2;

        fixture_start(f);
        assert_int_equal(fixture_note(f, ENTRY_ASSIGN, "dev-1"), 0);
        fixture_fill(f, 700, 50);
        (void) fixture_commit(f, true);
        fixture_expect_intact(f);
        size_t n = read_records(f, records, ELEMENTS(records));
        assert_true(n > 40);
        for (size_t i = 0; i < n; i++) {
                for (unsigned k = 0; k < 8; k++)
                        expect_noticed(f, &records[i], (long) fixture_random(&seed, 8 * records[i].len));
                expect_noticed(f, &records[i], DELETED);
        }
        fixture_expect_intact(f);
}

static void changed_bits_of_the_checkpoint_are_noticed(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX], changed[NOTE_TEXT_MAX];

        fixture_start(f);
        fixture_fill(f, 64, 64);
        (void) fixture_commit(f, true);
        memcpy(note, fixture_head(f).note, sizeof note);
        for (size_t i = 0; i < 8 * strlen(note); i += 3) {
                memcpy(changed, note, sizeof note);
                changed[i / 8] = (char) (changed[i / 8] ^ (1U << i % 8));
                assert_int_equal(file_replace(fixture_path(f, "checkpoint"), BYTES(changed, strlen(note)),
                                                 0644, &f->error),
                                0);
                if (fixture_verify(f).bad == 0)
                        fail_msg("bit %zu", i);
        }
}

static void a_checkpoint_of_another_tree_is_noticed(void **state) {
        Fixture *f = *state;
        char note[NOTE_TEXT_MAX];

        fixture_start(f);
        fixture_fill(f, 64, 64);
        (void) fixture_commit(f, true);
        Checkpoint c = fixture_head(f).checkpoint;
        c.root.bytes[0] ^= 1;
        assert_int_equal(checkpoint_sign(&c, &f->key, note), 0);
        assert_int_equal(
                        file_replace(fixture_path(f, "checkpoint"), BYTES_STRING(note), 0644, &f->error), 0);
        assert_int_equal(fixture_verify(f).bad, 1);
}

/* What a faulty writer might have written, consistent in all else. */
static void a_hole_in_a_stream_is_noticed(void **state) {
        Fixture *f = *state;

        fixture_start(f);
        fixture_fill(f, 10, 10);
        f->ledger->writer->state.streams[1].next++;
        fixture_fill(f, 10, 10);
        VerifyReport report = fixture_verify(f);
        assert_true(report.bad > 0);
        assert_non_null(strstr(report.first_fault, "does not follow"));
}

static void a_wrong_previous_tree_is_noticed(void **state) {
        Fixture *f = *state;

        fixture_start(f);
        fixture_fill(f, 10, 10);
        (void) fixture_commit(f, true);
        f->ledger->writer->sealed_root.bytes[0] ^= 1;
        fixture_fill(f, 10, 10);
        (void) fixture_commit(f, true);
        VerifyReport report = fixture_verify(f);
        assert_int_equal(report.bad, 1);
        assert_non_null(strstr(report.first_fault, "previous tree"));
}

int main(void) {
#define VERIFY_TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                VERIFY_TEST(changes_of_each_record_are_noticed),
                VERIFY_TEST(changed_bits_of_the_checkpoint_are_noticed),
                VERIFY_TEST(a_checkpoint_of_another_tree_is_noticed),
                VERIFY_TEST(a_hole_in_a_stream_is_noticed),
                VERIFY_TEST(a_wrong_previous_tree_is_noticed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
