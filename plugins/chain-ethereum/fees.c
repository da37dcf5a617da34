#include "fees.h"

#include <errno.h>

static uint64_t add(uint64_t a, uint64_t b) {
        uint64_t sum;

        return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

int fees_choose(const FeeLimits *limits, const Market *market, Fees *ret) {
        const Fees *most = &limits->most;

        if (most->max == 0) {
                *ret = (Fees){ 0 };
                return 0;
        }
        if (market->price > most->max)
                return -ERANGE;
        if (limits->legacy) {
                *ret = (Fees){ .max = market->price };
                return 0;
        }
        uint64_t tip = MIN(market->tip, most->tip);
        /* the base fee rises by an eighth a block at most: six full blocks and this still fits */
        uint64_t max = MIN(add(add(market->price, market->price), tip), most->max);
        tip = MIN(tip, max);
        *ret = (Fees){ .max = max, .tip = tip };
        return 0;
}

/* The next whole number that is 12.5 % above, and more than it was. */
static uint64_t eighth_more(uint64_t old) {
        return add(old, old / 8 + 1);
}

int fees_raise(const FeeLimits *limits, const Fees *old, const Market *market, Fees *ret) {
        Fees now;

        int r = fees_choose(limits, market, &now);
        if (r < 0)
                return r;
        uint64_t max = MAX(eighth_more(old->max), now.max);
        uint64_t tip = limits->legacy ? 0 : MAX(eighth_more(old->tip), now.tip);
        max = MAX(max, tip);
        if (max > limits->most.max || tip > limits->most.tip)
                return -ERANGE;
        *ret = (Fees){ .max = max, .tip = tip };
        return 0;
}

uint64_t gas_with_margin(uint64_t estimate, unsigned percent) {
        uint64_t more;

        return __builtin_mul_overflow(estimate, (uint64_t) percent, &more) ? UINT64_MAX
                                                                           : add(estimate, more / 100);
}
