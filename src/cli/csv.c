#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>

#include "cli/csv_internal.h"

struct Csv {
        FILE *file;
        char *path;
        const Catalogue *catalogue;
        CsvLayout layout;
        char line[CSV_LINE_MAX];
        unsigned number; /* of the line */
        uint64_t position, passed_over;
        int64_t last_us;
        bool dated;
};

Csv *csv_close(Csv *c) {
        if (!c)
                return NULL;
        if (c->file)
                (void) fclose(c->file);
        free(c->path);
        free(c);
        return NULL;
}

uint64_t csv_position(const Csv *c) {
        return c->position;
}

uint64_t csv_passed_over(const Csv *c) {
        return c->passed_over;
}

bool csv_is_dated(const Csv *c) {
        return c->dated;
}

/* -ENODATA at the end. */
static int read_line(Csv *c, Error *e) {
        if (!fgets(c->line, sizeof c->line, c->file)) {
                if (ferror(c->file))
                        return error_set(e, -EIO, "%s: %s", c->path, strerror(errno));
                return -ENODATA;
        }
        size_t len = strlen(c->line);
        c->number++;
        c->position += len;
        if (len == sizeof c->line - 1 && c->line[len - 1] != '\n')
                return error_set(e, -EMSGSIZE, "%s:%u: longer than %d bytes", c->path, c->number,
                                CSV_LINE_MAX - 2);
        c->line[strcspn(c->line, "\r\n")] = '\0';
        return 0;
}

int csv_open(const char *path, const CsvOptions *o, Csv **ret, Error *e) {
        static const char mark[] = "\xef\xbb\xbf"; /* some programs write a byte order mark */
        _cleanup_(csv_closep) Csv *c = calloc(1, sizeof *c);

        if (!c || !(c->path = strdup(path)))
                return error_set(e, -ENOMEM, "out of memory");
        c->catalogue = o->catalogue;
        c->last_us = INT64_MIN;
        c->file = fopen(path, "re");
        if (!c->file)
                return error_set(e, -errno, "%s: %s", path, strerror(errno));
        int r = read_line(c, e);
        if (r == -ENODATA)
                return error_set(e, -EINVAL, "%s:1: expected a header line", path);
        if (r == 0)
                r = csv_layout_read(path, c->line + (startswith(c->line, mark) ? sizeof mark - 1 : 0), o,
                                &c->layout, e);
        if (r < 0)
                return r;
        *ret = TAKE(c);
        return 0;
}

/* --- cells --- */

/* hh:mm or hh:mm:ss; hours go beyond 24 in recordings of days. */
static bool parse_clock(const char *text, int64_t *ret) {
        static const int64_t units[] = { 3600 * USEC_PER_SEC, 60 * USEC_PER_SEC, USEC_PER_SEC };
        int64_t us = 0;
        size_t i = 0;

        for (; i < ELEMENTS(units); i++) {
                size_t digits = strspn(text, "0123456789");
                unsigned long v = strtoul(text, NULL, 10);
                if (digits == 0 || digits > (i == 0 ? 5 : 2) || (i > 0 && v > 59))
                        return false;
                us += (int64_t) v * units[i];
                text += digits;
                if (*text != ':')
                        break;
                text++;
        }
        *ret = us;
        return *text == '\0' && i > 0 && i < ELEMENTS(units);
}

/* Times without a zone are taken as UTC: what counts is how far apart they are. */
static bool parse_date(const char *text, int64_t *ret) {
        char zoned[CLOCK_TEXT_SIZE + 8];

        if (clock_parse(text, ret) == 0)
                return true;
        int n = snprintf(zoned, sizeof zoned, "%sZ", text);
        return n > 0 && (size_t) n < sizeof zoned && clock_parse(zoned, ret) == 0;
}

static bool parse_number(const char *text, double *ret) {
        char *end;

        *ret = strtod(text, &end);
        return end != text && *end == '\0' && isfinite(*ret);
}

static int parse_time(Csv *c, const char *text, int64_t *ret, Error *e) {
        const double limit = 9e15; /* of microseconds: 285 years */
        double v;

        if (parse_number(text, &v)) {
                v *= (double) (c->layout.unit_us ? c->layout.unit_us : USEC_PER_SEC);
                if (fabs(v) < limit) {
                        *ret = llround(v);
                        return 0;
                }
        } else if (parse_clock(text, ret))
                return 0;
        else if (parse_date(text, ret)) {
                c->dated = true;
                return 0;
        }
        return error_set(e, -EINVAL, "%s:%u: '%.40s': expected a time: a number, hh:mm or ISO 8601", c->path,
                        c->number, text);
}

static bool is_missing(const CsvLayout *l, const Vital *vital, double value) {
        for (size_t i = 0; i < l->missing_count; i++)
                if (value == l->missing[i])
                        return true;
        return value == 0 && vital->min > 0;
}

static bool is_empty(const char *cell) {
        static const char *const words[] = { "", "nan", "na", "null", "none", "-" };

        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (strcasecmp(cell, words[i]) == 0)
                        return true;
        return false;
}

static int add_value(const Csv *c, const CsvColumn *column, const char *cell, CsvRow *row, Error *e) {
        double v;

        if (is_empty(cell))
                return 0;
        if (!parse_number(cell, &v))
                return error_set(e, -EINVAL, "%s:%u: '%.40s': expected a number for %s", c->path, c->number,
                                cell, column->vital->name);
        if (is_missing(&c->layout, column->vital, v))
                return 0;
        if (unit_convert(column->unit, column->vital, v, &v) < 0)
                return error_set(e, -EINVAL, "%s:%u: '%.20s' is no known unit of %s", c->path, c->number,
                                column->unit, column->vital->name);
        row->values[row->count++] = (CsvValue){ column->vital->id, v };
        return 0;
}

/* --- rows --- */

static bool is_unusable(const char *flags) {
        for (unsigned bit = 0; reading_flag_name(bit); bit++)
                if ((FLAGS_UNUSABLE | FLAG_LATE) >> bit & 1 && strstr(flags, reading_flag_name(bit)))
                        return true;
        return false;
}

/* The row of a file with a row a value. */
static int read_value(const Csv *c, char **cells, size_t n, CsvRow *row, Error *e) {
        const CsvLayout *l = &c->layout;
        CsvColumn column;

        if ((size_t) l->name >= n || (size_t) l->value >= n)
                return error_set(e, -EINVAL, "%s:%u: expected %zu cells, found %zu", c->path, c->number,
                                l->count, n);
        if (l->flags != CSV_NO_COLUMN && (size_t) l->flags < n && is_unusable(cells[l->flags]))
                return 0;
        if (!csv_find_vital(l, c->catalogue, cells[l->name], &column))
                return 0;
        if (l->unit != CSV_NO_COLUMN && (size_t) l->unit < n)
                (void) snprintf(column.unit, sizeof column.unit, "%.*s", VITAL_UNIT_MAX - 1, cells[l->unit]);
        return add_value(c, &column, cells[l->value], row, e);
}

static int read_values(const Csv *c, char **cells, size_t n, CsvRow *row, Error *e) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++)
                if (c->layout.columns[i].vital)
                        r = add_value(c, &c->layout.columns[i], cells[i], row, e);
        return r;
}

static int read_row(Csv *c, CsvRow *row, Error *e) {
        const CsvLayout *l = &c->layout;
        char *cells[CSV_COLUMNS_MAX], *rest = c->line, *cell;
        size_t n = 0;
        double label;

        while ((cell = csv_cell(&rest, l->separator)) && n < l->count)
                cells[n++] = cell;
        if ((size_t) l->time >= n)
                return error_set(e, -EINVAL, "%s:%u: expected %zu cells, found %zu", c->path, c->number,
                                l->count, n);
        *row = (CsvRow){ .count = 0 };
        int r = parse_time(c, cells[l->time], &row->time_us, e);
        if (r < 0)
                return r;
        row->positive = l->label != CSV_NO_COLUMN && (size_t) l->label < n &&
                        parse_number(cells[l->label], &label) && label > 0;
        return l->name != CSV_NO_COLUMN ? read_value(c, cells, n, row, e) : read_values(c, cells, n, row, e);
}

int csv_next(Csv *c, CsvRow *ret, Error *e) {
        for (;;) {
                int r = read_line(c, e);
                if (r == 0 && c->line[strspn(c->line, " \t")] == '\0')
                        continue;
                if (r == 0)
                        r = read_row(c, ret, e);
                if (r < 0)
                        return r;
                if (ret->time_us < c->last_us) {
                        c->passed_over++;
                        continue;
                }
                c->last_us = ret->time_us;
                return 0;
        }
}
