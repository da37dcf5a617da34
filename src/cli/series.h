/* The values of a series in a file of rule tests, in the notation of Prometheus' rule tests. Pure.
 *
 * Words between blanks, each for one or more of the series' intervals:
 *     97         that value
 *     97x30      30 times that value
 *     97-2x4     97 and 4 more, each 2 less than the one before: 97 95 93 91 89
 *     36.5+0.1x5 likewise upwards
 *     _  _x30    no value for one interval, for 30 */
#pragma once

#include "base/error.h"

enum { SERIES_MAX = 100000 };

typedef struct Series {
        double *values; /* NaN: none */
        size_t count;
} Series;

/* -EINVAL with what is wrong and the byte of text where; -ENOMEM. */
int series_parse(const char *text, Series *ret, size_t *ret_offset, Error *e) _must_check_;
void series_done(Series *s);
