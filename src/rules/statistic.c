#include "rules/statistic.h"

#include <math.h>

#define UNKNOWN ((double) NAN)

/* After eight lengths a value counts less than half a thousandth in the weighted mean (e^-8). */
enum { EWMA_REACH = 8 };

static const Statistic statistics[] = {
        [STATISTIC_COUNT] = { window_count, 0, .leaving = true, .reach = 1 },
        [STATISTIC_MEAN] = { window_mean, UNKNOWN, .reach = 1 },
        [STATISTIC_MIN] = { window_min, UNKNOWN, .reach = 1 },
        [STATISTIC_MAX] = { window_max, UNKNOWN, .reach = 1 },
        [STATISTIC_STDDEV] = { window_stddev, UNKNOWN, .reach = 1 },
        [STATISTIC_DELTA] = { window_delta, UNKNOWN, .reach = 1 },
        [STATISTIC_RATE] = { window_rate, UNKNOWN, .reach = 1 },
        [STATISTIC_ZSCORE] = { window_zscore, UNKNOWN, .reach = 1 },
        [STATISTIC_EWMA] = { window_ewma, UNKNOWN, .reach = EWMA_REACH },
        [STATISTIC_NOISE] = { window_noise, UNKNOWN, .reach = 1 },
        [STATISTIC_MEDIAN] = { window_median, UNKNOWN, .sorted = true, .reach = 1 },
        [STATISTIC_MAD] = { window_mad, UNKNOWN, .sorted = true, .reach = 1 },
        [STATISTIC_ROBUST_ZSCORE] = { window_robust_zscore, UNKNOWN, .sorted = true, .reach = 1 },
        [STATISTIC_STUCK] = { window_stuck, UNKNOWN, .leaving = true, .reach = 1 },
};

const Statistic *statistic(uint8_t id) {
        return &statistics[id];
}
