#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "cli/csv.h"
#include "cli/feed.h"

/* One file, read as it is needed. */
typedef struct Track {
        Csv *csv;
        CsvRow row; /* the next one, where loaded */
        bool loaded;
        int64_t start_us; /* what counts as 0 */
} Track;

typedef struct Recording {
        Feed feed;
        Catalogue *catalogue;
        unsigned n;
        Track tracks[];
} Recording;

/* A row that can't be read is passed over: a demonstration goes on. */
static void load_next(Track *t) {
        int r;

        while ((r = csv_next(t->csv, &t->row, NULL)) == -EINVAL)
                ;
        t->loaded = r == 0;
}

static int64_t due_us(const Track *t) {
        return t->row.time_us - t->start_us;
}

static int recording_next(Feed *f, FeedItem *ret) {
        Recording *r = container_of(f, Recording, feed);
        Track *first = NULL;

        for (unsigned i = 0; i < r->n; i++)
                if (r->tracks[i].loaded && (!first || due_us(&r->tracks[i]) < due_us(first)))
                        first = &r->tracks[i];
        if (!first)
                return -ENODATA;
        size_t count = MIN(first->row.count, (size_t) FEED_VALUES_MAX);
        *ret = (FeedItem){
                .device = (unsigned) (first - r->tracks),
                .at_s = (double) due_us(first) / 1e6,
                .count = count,
        };
        for (size_t i = 0; i < ret->count; i++) {
                const Vital *vital = catalogue_at(r->catalogue, first->row.values[i].vital);
                const double v = first->row.values[i].value;
                ret->values[i] = (FeedValue){ vital->name, vital->unit, v, v == floor(v) ? 0 : 1 };
        }
        load_next(first);
        return 0;
}

static Feed *recording_free(Feed *f) {
        Recording *r = container_of(f, Recording, feed);

        for (unsigned i = 0; i < r->n; i++)
                csv_close(r->tracks[i].csv);
        catalogue_free(r->catalogue);
        free(r);
        return NULL;
}

int recording_new(char *const *paths, unsigned n, Feed **ret, Error *e) {
        static const FeedOps ops = { .next = recording_next, .free = recording_free };
        Recording *recording = calloc(1, sizeof *recording + n * sizeof recording->tracks[0]);

        if (!recording)
                return error_set(e, -ENOMEM, "out of memory");
        recording->feed.ops = &ops;
        recording->n = n;
        _cleanup_(feed_freep) Feed *feed = &recording->feed;
        int r = catalogue_new(&recording->catalogue);
        if (r < 0)
                return error_set(e, r, "out of memory");
        for (unsigned i = 0; i < n; i++) {
                Track *t = &recording->tracks[i];
                r = csv_open(paths[i], &(CsvOptions){ .catalogue = recording->catalogue }, &t->csv, e);
                if (r < 0)
                        return r;
                load_next(t);
                if (t->loaded && csv_is_dated(t->csv))
                        t->start_us = t->row.time_us;
        }
        *ret = TAKE(feed);
        return 0;
}
