/* Readings are found by subject, vital and time, whatever the clock did. */
#include "ledger-fixture.h"

typedef struct Found {
        unsigned count;
        uint64_t indices[2000];
        int stop;
} Found;

static int find(void *userdata, const StoredReading *r) {
        Found *found = userdata;

        found->indices[found->count++] = r->index;
        return found->stop > 0 && (int) found->count == found->stop ? 42 : 0;
}

static unsigned query(Fixture *f, const ReadingFilter *filter, Found *found) {
        *found = (Found){ 0 };
        assert_int_equal(ledger_readings(f->ledger, filter, find, found), 0);
        for (unsigned i = 1; i < found->count; i++)
                assert_true((found->indices[i] > found->indices[i - 1]) != filter->newest_first);
        return found->count;
}

#define ALL .from_us = TIME_NONE, .to_us = TIME_NONE, .after = UINT64_MAX

static void readings_are_found(void **state) {
        Fixture *f = *state;
        static Found found;

        fixture_start(f);
        for (unsigned i = 0; i < 1000; i++) {
                assert_int_equal(fixture_read(f, i % 10 ? "stay-1" : "stay-2", "dev-1",
                                                 i % 3 ? "spo2" : "hr", i),
                                0);
                if (i % 50 == 49)
                        (void) fixture_commit(f, false);
        }
        for (int newest_first = 0; newest_first < 2; newest_first++) {
                ReadingFilter q = { ALL, .newest_first = newest_first };
                assert_int_equal(query(f, &q, &found), 1000);
                q.subject = "stay-2";
                assert_int_equal(query(f, &q, &found), 100);
                q.vital = "hr";
                assert_int_equal(query(f, &q, &found), 34);
                q.vital = NULL;
                q.limit = 7;
                assert_int_equal(query(f, &q, &found), 7);
                q.limit = 0;
                q.subject = "nobody";
                assert_int_equal(query(f, &q, &found), 0);
                q.subject = NULL;
                q.from_us = NOON + 101 * USEC_PER_SEC;
                q.to_us = NOON + 200 * USEC_PER_SEC;
                assert_int_equal(query(f, &q, &found), 100);
                q.from_us = q.to_us = TIME_NONE;
                q.after = found.indices[0];
                assert_true(query(f, &q, &found) < 1000);
                assert_true(found.indices[0] > q.after && found.indices[found.count - 1] > q.after);
        }
        found = (Found){ .stop = 3 };
        assert_int_equal(ledger_readings(f->ledger, &(ReadingFilter){ ALL }, find, &found), 42);
        assert_int_equal(found.count, 3);
}

static void a_clock_that_steps_back_hides_nothing(void **state) {
        Fixture *f = *state;
        static Found found;
        const int64_t year = USEC_PER_SEC * 365 * 86400;

        fixture_start(f);
        for (unsigned i = 0; i < 600; i++) {
                if (i == 200)
                        f->now_us += 5 * year;
                if (i == 400)
                        f->now_us -= 5 * year;
                assert_int_equal(fixture_read(f, "stay-1", "dev-1", "spo2", i), 0);
                if (i % 20 == 19)
                        (void) fixture_commit(f, true);
        }
        for (int newest_first = 0; newest_first < 2; newest_first++) {
                ReadingFilter q = { ALL, .subject = "stay-1", .newest_first = newest_first };
                q.to_us = NOON + year;
                assert_int_equal(query(f, &q, &found), 400);
                q.from_us = NOON + 501 * USEC_PER_SEC;
                assert_int_equal(query(f, &q, &found), 100);
                q.to_us = TIME_NONE;
                q.from_us = NOON + year;
                assert_int_equal(query(f, &q, &found), 200);
        }
        fixture_expect_intact(f);
}

static void an_erased_subject_is_passed_over_and_verifies(void **state) {
        Fixture *f = *state;
        static Found found;
        char path[256], hex[33];
        StoredEntry s;

        fixture_start(f);
        assert_int_equal(fixture_read(f, "stay-1", "dev-1", "spo2", 1), 0);
        assert_int_equal(fixture_read(f, "stay-2", "dev-2", "spo2", 2), 0);
        (void) fixture_commit(f, true);
        assert_int_equal(ledger_entry(f->ledger, 0, &s), 0);
        fixture_stop(f);
        f->keyring = keyring_free(f->keyring);
        sodium_bin2hex(hex, sizeof hex, s.entry.key.bytes, KEY_ID_SIZE);
        (void) snprintf(path, sizeof path, "%s/keys/%s", f->dir, hex);
        assert_int_equal(unlink(path), 0);
        fixture_open_keyring(f);
        fixture_start(f);
        assert_int_equal(query(f, &(ReadingFilter){ ALL }, &found), 1);
        VerifyReport report = fixture_verify(f);
        assert_int_equal(report.bad, 0);
        assert_int_equal(report.erased, 1);
        assert_int_equal(report.sealed_bodies_opened, 1);
}

int main(void) {
#define QUERY_TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = {
                QUERY_TEST(readings_are_found),
                QUERY_TEST(a_clock_that_steps_back_hides_nothing),
                QUERY_TEST(an_erased_subject_is_passed_over_and_verifies),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
