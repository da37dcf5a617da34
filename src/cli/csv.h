/* Recordings of one subject as text, read a row at a time: memory does not grow with their length.
 *
 * Told apart by the header line:
 * - a column a vital: a time column ("Time [s]", "minute", "timestamp", ...) and vitals by name or alias, with a unit in
 *   brackets where it is not the vital's own ("Temp [degF]"). BIDMC's and WFDB's numerics are of that kind.
 * - a row a value: time, vital (or parameter) and value, such as `wardstone readings --csv` prints; also the event lists of
 *   the PhysioNet challenge 2012 ("Time,Parameter,Value").
 * - hourly rows of the PhysioNet challenge 2019 (ICULOS, SepsisLabel), separated by '|'.
 * - anything else through a map, see csv_map_read().
 *
 * Cells are separated by ',', ';', '|' or tab. Empty, NaN, NA and null are not measured, nor is 0 of a vital that can't be
 * 0. Times are seconds, minutes or hours (as the title says), hh:mm[:ss], or ISO 8601 (UTC where it names no zone). */
#pragma once

#include "base/error.h"
#include "model/reading.h"

enum {
        CSV_LINE_MAX = 64 * 1024,
        CSV_COLUMNS_MAX = 512,
        CSV_VALUES_MAX = 64, /* columns that are vitals */
        CSV_MISSING_MAX = 8,
        CSV_TITLE_MAX = 64,
};

/* `--map FILE`, when titles say nothing:
 *
 *     time: {column: charttime, unit: min}     # s, min, h; left away: ISO 8601, hh:mm or seconds
 *     columns:
 *       - {column: "SpO2 (%)", vital: spo2}
 *       - {column: TempF, vital: temp, unit: degF}
 *     missing: [-1, 999]                       # numbers that mean: not measured */
typedef struct CsvMap {
        char time[CSV_TITLE_MAX];
        int64_t unit_us; /* of the time column; 0: as it looks */
        struct {
                char title[CSV_TITLE_MAX];
                VitalId vital;
                char unit[VITAL_UNIT_MAX];
        } columns[CSV_VALUES_MAX];
        size_t count;
        double missing[CSV_MISSING_MAX];
        size_t missing_count;
} CsvMap;

int csv_map_read(const char *path, const Catalogue *c, CsvMap *ret, Error *e) _must_check_;

typedef struct CsvOptions {
        const Catalogue *catalogue;
        const CsvMap *map; /* NULL: as the header line says */
        const char *label; /* title of a column that is above 0 once it has come to what is to be foretold; NULL: none */
} CsvOptions;

typedef struct CsvValue {
        VitalId vital;
        double value; /* in the vital's own unit */
} CsvValue;

typedef struct CsvRow {
        int64_t time_us; /* of the wall where the file says so, else since its own beginning */
        CsvValue values[CSV_VALUES_MAX];
        size_t count;
        bool positive; /* the label column is above 0 */
} CsvRow;

typedef struct Csv Csv;

int csv_open(const char *path, const CsvOptions *o, Csv **ret, Error *e) _must_check_;
Csv *csv_close(Csv *c);
DEFINE_CLEANUP(Csv *, csv_close);

/* 0, -ENODATA at the end, else a message with the place. Rows whose time runs back are passed over and counted. */
int csv_next(Csv *c, CsvRow *ret, Error *e) _must_check_;
/* Bytes read so far. */
uint64_t csv_position(const Csv *c);
uint64_t csv_passed_over(const Csv *c);
/* Whether times are the wall's. */
bool csv_is_dated(const Csv *c);
