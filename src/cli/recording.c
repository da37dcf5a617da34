#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>

#include "base/file.h"
#include "cli/feed.h"

enum { FILE_LIMIT = 64 * 1024 * 1024 };

static const struct {
        const char *title; /* of the column, without its unit */
        const char *vital, *unit;
} known[] = {
        { "HR", "hr", "beat/min" },
        { "PULSE", "pulse", "beat/min" },
        { "RESP", "rr", "1/min" },
        { "SpO2", "spo2", "%" },
        { "NBPSys", "sbp", "mm[Hg]" },
        { "NBPDias", "dbp", "mm[Hg]" },
        { "NBPMean", "map", "mm[Hg]" },
        { "ABPSys", "sbp", "mm[Hg]" },
        { "ABPDias", "dbp", "mm[Hg]" },
        { "ABPMean", "map", "mm[Hg]" },
        { "Temp", "temp", "Cel" },
};

/* One file, read as it is needed. */
typedef struct Track {
        char *text;
        char *next;                   /* line not read yet; NULL at the end */
        int columns[FEED_VALUES_MAX]; /* rows of known[], by column after the time; -1: passed over */
        size_t column_count;
        double unit_s; /* seconds in a unit of the time column */
        FeedItem item; /* the next one, where loaded */
        bool loaded;
} Track;

typedef struct Recording {
        Feed feed;
        unsigned n;
        Track tracks[];
} Recording;

static char *trim(char *s) {
        s += strspn(s, " \t\"");
        size_t len = strlen(s);
        while (len > 0 && strchr(" \t\r\"", s[len - 1]))
                s[--len] = '\0';
        return s;
}

static char *take_line(Track *t) {
        char *line = t->next;

        if (!line || !*line)
                return NULL;
        char *end = strchr(line, '\n');
        if (end)
                *end = '\0';
        t->next = end ? end + 1 : NULL;
        return line;
}

static int find_column(char *title) {
        title = trim(title);
        title[strcspn(title, " [")] = '\0';
        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (strcasecmp(title, known[i].title) == 0)
                        return (int) i;
        return -1;
}

static int read_header(Track *t, const char *path, Error *e) {
        char *line = take_line(t), *cell;
        size_t found = 0;

        cell = line ? strsep(&line, ",") : NULL;
        if (!cell)
                return error_set(e, -EINVAL, "%s:1: expected a header line", path);
        cell = trim(cell);
        if (startswith(cell, "Time"))
                t->unit_s = 1;
        else if (startswith(cell, "minute"))
                t->unit_s = 60;
        else
                return error_set(e, -EINVAL,
                                "%s:1: the first column is \"%s\", expected \"Time [s]\" or \"minute\"",
                                path, cell);
        while ((cell = strsep(&line, ","))) {
                if (t->column_count == FEED_VALUES_MAX)
                        return error_set(e, -EINVAL, "%s:1: more than %d columns", path, FEED_VALUES_MAX);
                t->columns[t->column_count] = find_column(cell);
                found += t->columns[t->column_count++] >= 0;
        }
        if (found == 0)
                return error_set(e, -EINVAL, "%s:1: no column is HR, PULSE, RESP, SpO2 or a blood pressure",
                                path);
        return 0;
}

/* 0 where the cell holds a measured value. */
static int parse_value(char *cell, double *ret) {
        char *end;

        cell = trim(cell);
        double v = strtod(cell, &end);
        if (end == cell || *end != '\0' || !isfinite(v) || v == 0)
                return -ENODATA;
        *ret = v;
        return 0;
}

static void load_next(Track *t) {
        char *line, *cell, *end;

        t->loaded = false;
        while ((line = take_line(t))) {
                FeedItem item = { 0 };
                cell = trim(strsep(&line, ","));
                item.at_s = strtod(cell, &end) * t->unit_s;
                if (end == cell || !(item.at_s >= t->item.at_s)) /* an empty line, or time runs back */
                        continue;
                for (size_t i = 0; i < t->column_count && (cell = strsep(&line, ",")); i++) {
                        double v;
                        if (t->columns[i] >= 0 && parse_value(cell, &v) == 0)
                                item.values[item.count++] = (FeedValue){ known[t->columns[i]].vital,
                                        known[t->columns[i]].unit, v, v == floor(v) ? 0 : 1 };
                }
                t->item = item;
                t->loaded = true;
                return;
        }
}

static int recording_next(Feed *f, FeedItem *ret) {
        Recording *r = container_of(f, Recording, feed);
        Track *first = NULL;

        for (unsigned i = 0; i < r->n; i++)
                if (r->tracks[i].loaded && (!first || r->tracks[i].item.at_s < first->item.at_s))
                        first = &r->tracks[i];
        if (!first)
                return -ENODATA;
        *ret = first->item;
        ret->device = (unsigned) (first - r->tracks);
        load_next(first);
        return 0;
}

static Feed *recording_free(Feed *f) {
        Recording *r = container_of(f, Recording, feed);

        for (unsigned i = 0; i < r->n; i++)
                free(r->tracks[i].text);
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
        for (unsigned i = 0; i < n; i++) {
                Track *t = &recording->tracks[i];
                int r = file_read(paths[i], FILE_LIMIT, &t->text, NULL, e);
                if (r < 0)
                        return r;
                t->next = t->text;
                r = read_header(t, paths[i], e);
                if (r < 0)
                        return r;
                load_next(t);
        }
        *ret = TAKE(feed);
        return 0;
}
