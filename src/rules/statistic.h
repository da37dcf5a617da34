/* What functions over a window give: one row a function. */
#pragma once

#include "rules/window.h"

typedef enum StatisticId {
        STATISTIC_COUNT,
        STATISTIC_MEAN,
        STATISTIC_MIN,
        STATISTIC_MAX,
        STATISTIC_STDDEV,
        STATISTIC_DELTA,
        STATISTIC_RATE,
        STATISTIC_ZSCORE,
        STATISTIC_EWMA,
        STATISTIC_NOISE,
        STATISTIC_MEDIAN,
        STATISTIC_MAD,
        STATISTIC_ROBUST_ZSCORE,
        STATISTIC_STUCK,
} StatisticId;

typedef struct Statistic {
        double (*of)(const Window *w);
        double nothing; /* what it is where there never was a value */
        bool sorted;    /* needs a sorted window */
        bool leaving;   /* says something new when a value leaves, without another having come */
        uint8_t reach;  /* how many lengths back a value makes a difference */
} Statistic;

const Statistic *statistic(uint8_t id);
