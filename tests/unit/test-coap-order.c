/* Which of two notifications is the newer one (RFC 7641 3.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "ingest/coap_order.h"

#define SECOND INT64_C(1000000)

static void values_grow_and_go_round(void **state) {
        static const struct {
                uint32_t first, second;
                bool fresh;
        } cases[] = {
                { 5, 6, true },
                { 5, 5, false },
                { 6, 5, false },
                { 0, (1 << 23) - 1, true },
                { 0, 1 << 23, false },
                { (1 << 23) + 1, 0, true },
                { 1 << 23, 0, false },
                { 0xffffff, 0, true },
                { 0, 0xffffff, false },
                { 0xfffff0, 3, true },
        };

        for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                NotificationOrder o = { 0 };
                assert_true(notification_is_fresh(&o, cases[i].first, 0));
                if (notification_is_fresh(&o, cases[i].second, 10 * SECOND) != cases[i].fresh)
                        fail_msg("%u after %u", cases[i].second, cases[i].first);
                assert_int_equal(o.value, cases[i].fresh ? cases[i].second : cases[i].first);
        }
}

static void after_two_minutes_any_is_newer(void **state) {
        NotificationOrder o = { 0 };

        assert_true(notification_is_fresh(&o, 100, 0));
        assert_false(notification_is_fresh(&o, 99, 128 * SECOND));
        assert_true(notification_is_fresh(&o, 99, 128 * SECOND + 1));
        assert_true(notification_is_fresh(&o, 100, 129 * SECOND));
}

static void only_24_bits_count(void **state) {
        NotificationOrder o = { 0 };

        assert_true(notification_is_fresh(&o, 0xff000001, 0));
        assert_int_equal(o.value, 1);
        assert_false(notification_is_fresh(&o, 1, 0));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(values_grow_and_go_round),
                cmocka_unit_test(after_two_minutes_any_is_newer),
                cmocka_unit_test(only_24_bits_count),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
