/* Token buckets for keys that come from outside: how often a peer or a device may speak. Bounded: a table of a fixed number
 * of rows, in sets; where a set is full the row that was not used for longest is forgotten, and its key begins anew with a
 * full bucket. Pure: time is an argument. */
#pragma once

#include "base/macro.h"

typedef struct RateTable RateTable;

enum { RATE_WAYS = 8 };

/* sets: a power of two. per_second tokens flow in, at most burst are kept. */
int rate_table_new(size_t sets, double per_second, double burst, RateTable **ret) _must_check_;
RateTable *rate_table_free(RateTable *t);
DEFINE_CLEANUP(RateTable *, rate_table_free);

/* Takes one token of the key's: 0, or in how many microseconds there will be one. now_us never goes back. */
int64_t rate_take(RateTable *t, Bytes key, int64_t now_us);
