/* What a unit of gas may cost, in wei. Pure: the market is an argument.
 *
 * A node takes another transaction in the place of one that waits only where it pays markedly more: 10 % for geth, Besu
 * and others, 12.5 % for some. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

/* legacy: max is the gas price, tip stays 0. */
typedef struct Fees {
        uint64_t max; /* maxFeePerGas */
        uint64_t tip; /* maxPriorityFeePerGas */
} Fees;

/* Of the latest block, and what nodes suggest. legacy: price alone. */
typedef struct Market {
        uint64_t price; /* the base fee, or the gas price */
        uint64_t tip;
} Market;

typedef struct FeeLimits {
        bool legacy;
        Fees most; /* max_fee (or gas_price) and max_priority_fee of the settings */
} FeeLimits;

/* -ERANGE: the market is above the limits. A limit of 0 is for networks whose gas is free: nodes of those suggest a price
 * all the same. */
int fees_choose(const FeeLimits *limits, const Market *market, Fees *ret) _must_check_;
/* At least 12.5 % more than old, and what the market asks for. -ERANGE: that is above the limits. */
int fees_raise(const FeeLimits *limits, const Fees *old, const Market *market, Fees *ret) _must_check_;
/* Gas for which estimate units were needed just now, with percent more. UINT64_MAX where there is no such number. */
uint64_t gas_with_margin(uint64_t estimate, unsigned percent);
