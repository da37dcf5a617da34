/* What a unit of gas may cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>

#include "fees.h"

static const FeeLimits modern = { .most = { .max = 1000, .tip = 100 } };
static const FeeLimits legacy = { .legacy = true, .most = { .max = 1000 } };

static void assert_fees(const Fees *f, uint64_t max, uint64_t tip) {
        assert_int_equal(f->max, max);
        assert_int_equal(f->tip, tip);
}

/* --- a new transaction --- */

static void the_base_fee_may_double_before_it_is_in_a_block(void **state) {
        const Market market = { .price = 200, .tip = 30 };
        Fees f;

        assert_int_equal(fees_choose(&modern, &market, &f), 0);
        assert_fees(&f, 430, 30);
}

static void limits_hold(void **state) {
        const Market market = { .price = 700, .tip = 500 };
        Fees f;

        assert_int_equal(fees_choose(&modern, &market, &f), 0);
        assert_fees(&f, 1000, 100);
}

static void a_market_above_the_limit_is_not_followed(void **state) {
        const Market at = { .price = 1000 }, above = { .price = 1001 };
        Fees f;

        assert_int_equal(fees_choose(&modern, &at, &f), 0);
        assert_fees(&f, 1000, 0);
        assert_int_equal(fees_choose(&modern, &above, &f), -ERANGE);
        assert_int_equal(fees_choose(&legacy, &above, &f), -ERANGE);
}

static void a_legacy_one_pays_the_price(void **state) {
        const Market market = { .price = 700, .tip = 30 };
        Fees f;

        assert_int_equal(fees_choose(&legacy, &market, &f), 0);
        assert_fees(&f, 700, 0);
}

static void free_gas_is_not_paid_for_whatever_the_node_suggests(void **state) {
        const FeeLimits nothing = { .legacy = true };
        const Market market = { .price = 1000000000, .tip = 1000 };
        Fees f;

        assert_int_equal(fees_choose(&nothing, &market, &f), 0);
        assert_fees(&f, 0, 0);
}

static void huge_numbers_do_not_wrap(void **state) {
        const FeeLimits boundless = { .most = { .max = UINT64_MAX, .tip = UINT64_MAX } };
        const Market market = { .price = UINT64_MAX - 1, .tip = UINT64_MAX };
        Fees f;

        assert_int_equal(fees_choose(&boundless, &market, &f), 0);
        assert_fees(&f, UINT64_MAX, UINT64_MAX);
        assert_int_equal(gas_with_margin(UINT64_MAX - 1, 1), UINT64_MAX);
        assert_int_equal(gas_with_margin(UINT64_MAX / 2, 100), UINT64_MAX);
}

/* --- a replacement --- */

static void a_replacement_pays_an_eighth_more_in_both(void **state) {
        const Market calm = { .price = 1, .tip = 1 };
        const Fees old = { .max = 400, .tip = 40 };
        Fees f;

        assert_int_equal(fees_raise(&modern, &old, &calm, &f), 0);
        assert_true(f.max * 8 >= old.max * 9 && f.tip * 8 >= old.tip * 9);
        assert_fees(&f, 451, 46);
}

static void a_tip_of_nothing_is_raised_too(void **state) {
        const Market calm = { 0 };
        const Fees old = { .max = 7 };
        Fees f;

        assert_int_equal(fees_raise(&modern, &old, &calm, &f), 0);
        assert_fees(&f, 8, 1);
        assert_int_equal(fees_raise(&legacy, &old, &calm, &f), 0);
        assert_fees(&f, 8, 0);
}

static void a_replacement_follows_the_market(void **state) {
        const Market risen = { .price = 400, .tip = 60 };
        const Fees old = { .max = 200, .tip = 20 };
        Fees f;

        assert_int_equal(fees_raise(&modern, &old, &risen, &f), 0);
        assert_fees(&f, 860, 60);
}

static void a_replacement_above_the_limits_is_none(void **state) {
        const Market calm = { .price = 1, .tip = 1 };
        const Fees high = { .max = 900, .tip = 1 }, tipping = { .max = 100, .tip = 95 };
        Fees f;

        assert_int_equal(fees_raise(&modern, &high, &calm, &f), -ERANGE);
        assert_int_equal(fees_raise(&modern, &tipping, &calm, &f), -ERANGE);
        assert_int_equal(fees_raise(&legacy, &high, &calm, &f), -ERANGE);
}

static void gas_has_a_margin(void **state) {
        assert_int_equal(gas_with_margin(80000, 25), 100000);
        assert_int_equal(gas_with_margin(80000, 0), 80000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_base_fee_may_double_before_it_is_in_a_block),
                cmocka_unit_test(limits_hold),
                cmocka_unit_test(a_market_above_the_limit_is_not_followed),
                cmocka_unit_test(a_legacy_one_pays_the_price),
                cmocka_unit_test(free_gas_is_not_paid_for_whatever_the_node_suggests),
                cmocka_unit_test(huge_numbers_do_not_wrap),
                cmocka_unit_test(a_replacement_pays_an_eighth_more_in_both),
                cmocka_unit_test(a_tip_of_nothing_is_raised_too),
                cmocka_unit_test(a_replacement_follows_the_market),
                cmocka_unit_test(a_replacement_above_the_limits_is_none),
                cmocka_unit_test(gas_has_a_margin),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
