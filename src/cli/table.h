/* Rows as an aligned table or as CSV.
 *
 * The first rows are held back to find the widths; the rest is printed as it comes, so that a table of millions of rows
 * needs no memory. */
#pragma once

#include <stdio.h>

#include "cli/text.h"

typedef enum ColumnKind {
        COLUMN_TEXT,
        COLUMN_NUMBER, /* to the right */
        COLUMN_TIME,   /* microseconds as a UTC time */
        COLUMN_ID,     /* the beginning of a long id: enough to name it by */
} ColumnKind;

typedef struct Column {
        const char *title;
        const char *key; /* of the row's member */
        ColumnKind kind;
        size_t width; /* at least; for tables that are printed row by row */
} Column;

enum { COLUMNS_MAX = 12 };

typedef struct Table Table;

int table_new(FILE *out, const Column *columns, size_t n, Table **ret) _must_check_;
Table *table_free(Table *t);
DEFINE_CLEANUP(Table *, table_free);

int table_add(Table *t, const json_t *row) _must_check_;
/* Prints what was held back. Call it at the end, and after each row of something that is watched live. */
void table_flush(Table *t);

/* A list of rows, below an empty line; nothing where it is empty. */
int table_print(const json_t *list, const Column *columns, size_t n) _must_check_;

/* RFC 4180, with a header line. */
void csv_print_header(FILE *out, const Column *columns, size_t n);
void csv_print_row(FILE *out, const Column *columns, size_t n, const json_t *row);
