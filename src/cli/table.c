#include "cli/table.h"

#include <errno.h>
#include <stdbool.h>

enum { HELD_MAX = 200, ID_SHOWN = 8 };

struct Table {
        FILE *out;
        const Column *columns;
        size_t n;
        size_t widths[COLUMNS_MAX];
        char **held; /* cells of the rows held back, n a row */
        size_t held_rows;
        bool titled;
};

int table_new(FILE *out, const Column *columns, size_t n, Table **ret) {
        _cleanup_(table_freep) Table *t = calloc(1, sizeof *t);

        if (!t)
                return -ENOMEM;
        t->held = calloc(HELD_MAX * n, sizeof *t->held);
        if (!t->held)
                return -ENOMEM;
        t->out = out;
        t->columns = columns;
        t->n = n;
        for (size_t i = 0; i < n; i++)
                t->widths[i] = MAX(columns[i].width, text_width(columns[i].title));
        *ret = TAKE(t);
        return 0;
}

Table *table_free(Table *t) {
        if (!t)
                return NULL;
        for (size_t i = 0; t->held && i < t->held_rows * t->n; i++)
                free(t->held[i]);
        free(t->held);
        free(t);
        return NULL;
}

static void print_cell(const Table *t, size_t column, const char *text) {
        size_t width = text_width(text);
        int padding = width < t->widths[column] ? (int) (t->widths[column] - width) : 0;

        if (column > 0)
                fputs("  ", t->out);
        if (t->columns[column].kind == COLUMN_NUMBER)
                fprintf(t->out, "%*s%s", padding, "", text);
        else if (column + 1 < t->n)
                fprintf(t->out, "%s%*s", text, padding, "");
        else
                fputs(text, t->out);
}

void table_flush(Table *t) {
        if (!t->titled) {
                for (size_t i = 0; i < t->n; i++)
                        print_cell(t, i, t->columns[i].title);
                fputc('\n', t->out);
                t->titled = true;
        }
        for (size_t row = 0; row < t->held_rows; row++) {
                for (size_t i = 0; i < t->n; i++) {
                        print_cell(t, i, t->held[row * t->n + i]);
                        free(TAKE(t->held[row * t->n + i]));
                }
                fputc('\n', t->out);
        }
        t->held_rows = 0;
        (void) fflush(t->out);
}

static void cell_text(const Column *c, const json_t *row, char ret[static TEXT_MAX]) {
        const json_t *value = json_object_get(row, c->key);

        if (c->kind == COLUMN_TIME)
                text_time(value, ret, TEXT_MAX);
        else
                text_json(value, ret, TEXT_MAX);
        if (c->kind == COLUMN_ID)
                ret[text_fit(ret, ID_SHOWN)] = '\0';
}

int table_add(Table *t, const json_t *row) {
        char text[TEXT_MAX];
        char **cells = t->held + t->held_rows * t->n;

        for (size_t i = 0; i < t->n; i++) {
                cell_text(&t->columns[i], row, text);
                cells[i] = strdup(text);
                if (!cells[i]) {
                        while (i-- > 0)
                                free(TAKE(cells[i]));
                        return -ENOMEM;
                }
                t->widths[i] = MAX(t->widths[i], text_width(text));
        }
        if (++t->held_rows == HELD_MAX)
                table_flush(t);
        return 0;
}

int table_print(const json_t *list, const Column *columns, size_t n) {
        _cleanup_(table_freep) Table *table = NULL;

        if (json_array_size(list) == 0)
                return 0;
        if (table_new(stdout, columns, n, &table) < 0)
                return -ENOMEM;
        putchar('\n');
        for (size_t i = 0; i < json_array_size(list); i++)
                if (table_add(table, json_array_get(list, i)) < 0)
                        return -ENOMEM;
        table_flush(table);
        return 0;
}

void csv_print_header(FILE *out, const Column *columns, size_t n) {
        for (size_t i = 0; i < n; i++)
                fprintf(out, "%s%s", columns[i].key, i + 1 < n ? "," : "\r\n");
}

void csv_print_row(FILE *out, const Column *columns, size_t n, const json_t *row) {
        char text[TEXT_MAX];

        for (size_t i = 0; i < n; i++) {
                cell_text(&columns[i], row, text);
                if (strpbrk(text, ",\"\r\n")) {
                        fputc('"', out);
                        for (const char *p = text; *p; p++) {
                                if (*p == '"')
                                        fputc('"', out);
                                fputc(*p, out);
                        }
                        fputc('"', out);
                } else
                        fputs(text, out);
                fputs(i + 1 < n ? "," : "\r\n", out);
        }
}
