/* How often somebody may speak. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "ingest/coap_rate.h"

#define SECOND INT64_C(1000000)

static RateTable *new_table(size_t sets, double per_second, double burst) {
        RateTable *t = NULL;

        assert_int_equal(rate_table_new(sets, per_second, burst, &t), 0);
        return t;
}

static void a_burst_is_let_through_and_then_the_rate(void **state) {
        _cleanup_(rate_table_freep) RateTable *t = new_table(16, 2, 3);
        Bytes key = BYTES_STRING("d1");

        for (int i = 0; i < 3; i++)
                assert_int_equal(rate_take(t, key, 0), 0);
        assert_in_range(rate_take(t, key, 0), SECOND / 2, SECOND / 2 + 1);
        assert_in_range(rate_take(t, key, SECOND / 4), SECOND / 4, SECOND / 4 + 1);
        assert_int_equal(rate_take(t, key, SECOND / 2), 0);
        assert_int_not_equal(rate_take(t, key, SECOND / 2), 0);
        assert_int_equal(rate_take(t, key, SECOND), 0);
}

static void what_is_not_used_is_kept_up_to_the_burst(void **state) {
        _cleanup_(rate_table_freep) RateTable *t = new_table(16, 2, 3);
        Bytes key = BYTES_STRING("d1");
        int taken = 0;

        while (rate_take(t, key, 0) == 0) {}
        while (rate_take(t, key, 3600 * SECOND) == 0)
                taken++;
        assert_int_equal(taken, 3);
}

static void each_key_has_its_own(void **state) {
        _cleanup_(rate_table_freep) RateTable *t = new_table(1024, 1, 1);
        char key[16];

        for (int i = 0; i < 500; i++) {
                int n = snprintf(key, sizeof key, "key %d", i);
                assert_int_equal(rate_take(t, BYTES(key, (size_t) n), 0), 0);
                assert_int_not_equal(rate_take(t, BYTES(key, (size_t) n), 0), 0);
        }
}

static void a_flood_of_keys_takes_no_more_room(void **state) {
        _cleanup_(rate_table_freep) RateTable *t = new_table(1, 1, 1);
        Bytes mine = BYTES_STRING("mine");

        assert_int_equal(rate_take(t, mine, 0), 0);
        /* As many as there is room for beside it: it is still known. */
        for (uint32_t i = 1; i < RATE_WAYS; i++)
                assert_int_equal(rate_take(t, BYTES(&i, sizeof i), 1), 0);
        assert_int_not_equal(rate_take(t, mine, 2), 0);
        /* More than that: the one that was silent for longest is forgotten. */
        for (uint32_t i = 100; i < 100 + RATE_WAYS; i++)
                assert_int_equal(rate_take(t, BYTES(&i, sizeof i), 3), 0);
        assert_int_equal(rate_take(t, mine, 4), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_burst_is_let_through_and_then_the_rate),
                cmocka_unit_test(what_is_not_used_is_kept_up_to_the_burst),
                cmocka_unit_test(each_key_has_its_own),
                cmocka_unit_test(a_flood_of_keys_takes_no_more_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
