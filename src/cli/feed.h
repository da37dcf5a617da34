/* Where the simulated ward's measurements come from: a model of patients, or recordings. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

enum { FEED_VALUES_MAX = 12 };

typedef struct FeedValue {
        const char *vital, *unit; /* SenML or UCUM; good as long as the feed */
        double value;
        int decimals; /* as the device prints it */
} FeedValue;

/* What one device says at one time. */
typedef struct FeedItem {
        unsigned device; /* from 0 */
        double at_s;     /* since the start, not falling */
        FeedValue values[FEED_VALUES_MAX];
        size_t count; /* 0: everything was unmeasured at that time */
} FeedItem;

typedef struct Feed Feed;

typedef struct FeedOps {
        /* 0, or -ENODATA at the end. */
        int (*next)(Feed *f, FeedItem *ret);
        Feed *(*free)(Feed *f);
} FeedOps;

/* Implementations embed it as their first member. */
struct Feed {
        const FeedOps *ops;
};

static inline Feed *feed_free(Feed *f) {
        return f ? f->ops->free(f) : NULL;
}
DEFINE_CLEANUP(Feed *, feed_free);

typedef struct WardOptions {
        unsigned patients;
        double rate;          /* measurements a second of each patient */
        uint64_t seed;        /* the same seed gives the same ward */
        unsigned deteriorate; /* which patient desaturates, from 1; 0: none */
} WardOptions;

int ward_new(const WardOptions *o, Feed **ret) _must_check_;

/* Recordings as text, see csv.h, one device a file. Those with dates begin at 0 with their first row. */
int recording_new(char *const *paths, unsigned n, Feed **ret, Error *e) _must_check_;
