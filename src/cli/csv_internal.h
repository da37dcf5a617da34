/* The inside of csv.c: what a header line says of its columns. */
#pragma once

#include "cli/csv.h"

typedef struct CsvColumn {
        const Vital *vital; /* NULL: not used */
        char unit[VITAL_UNIT_MAX];
} CsvColumn;

enum { CSV_NO_COLUMN = -1 };

typedef struct CsvLayout {
        char separator;
        CsvColumn columns[CSV_COLUMNS_MAX];
        size_t count;
        int time, label;              /* numbers of columns */
        int name, value, unit, flags; /* of a file with a row a value; name CSV_NO_COLUMN: it is not one */
        int64_t unit_us;              /* of the time column; 0: as it looks */
        double missing[CSV_MISSING_MAX];
        size_t missing_count;
        bool sepsis, events; /* the PhysioNet challenges of 2019 and 2012 */
} CsvLayout;

/* The next cell, without its quotes and the blanks around it; NULL at the end of the line. */
char *csv_cell(char **line, char separator);

/* Reads a header line (which is cut into pieces). */
int csv_layout_read(
                const char *path, char *line, const CsvOptions *o, CsvLayout *ret, Error *e) _must_check_;
/* What a file with a row a value calls a vital. */
bool csv_find_vital(const CsvLayout *l, const Catalogue *c, const char *name, CsvColumn *ret);
