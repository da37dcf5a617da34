#include "cli/request.h"

#include <errno.h>

json_t *request_new(const char *operation) {
        return json_pack("{ss}", "op", operation);
}

static void set(json_t **request, const char *key, json_t *value) {
        if (!*request) {
                json_decref(value);
                return;
        }
        if (json_object_set_new(*request, key, value) < 0) {
                json_decref(*request);
                *request = NULL;
        }
}

void request_text(json_t **request, const char *key, const char *text) {
        if (text)
                set(request, key, json_string(text)); /* NULL, and so unfit, where the text is not UTF-8 */
}

void request_number(json_t **request, const char *key, int64_t value) {
        set(request, key, json_integer(value));
}

void request_flag(json_t **request, const char *key, bool value) {
        set(request, key, json_boolean(value));
}

void request_object(json_t **request, const char *key, json_t *value) {
        set(request, key, json_incref(value));
}

void request_time(json_t **request, const char *key, int64_t wall_us) {
        char text[CLOCK_TEXT_SIZE];

        if (wall_us == TIME_NONE)
                return;
        clock_format(wall_us, text);
        request_text(request, key, text);
}

const char *row_text(const json_t *row, const char *key) {
        const char *text = json_string_value(json_object_get(row, key));

        return text ? text : "";
}

void row_print_json(const json_t *row) {
        (void) json_dumpf(row, stdout, JSON_COMPACT);
        putchar('\n');
}

static int print_row(const RowsView *view, Table *table, const Client *c, const json_t *row) {
        switch (view->format) {
        case ROWS_JSON:
                puts(client_line(c));
                break;
        case ROWS_CSV:
                csv_print_row(stdout, view->columns, view->n, row);
                break;
        case ROWS_TABLE:
                if (json_object_get(row, "missed")) {
                        table_flush(table);
                        printf("... %lld readings came too fast to be shown\n",
                                        (long long) json_integer_value(json_object_get(row, "missed")));
                        return 0;
                }
                if (table_add(table, row) < 0)
                        return -ENOMEM;
                if (view->live)
                        table_flush(table);
                return 0;
        }
        if (view->live)
                (void) fflush(stdout);
        return 0;
}

int rows_print(const Invocation *in, json_t *request, const RowsView *view, Error *e) {
        _cleanup_(client_freep) Client *c = NULL;
        _cleanup_(table_freep) Table *table = NULL;
        const json_t *row;
        size_t n = 0;
        int r;

        r = client_open(in->socket, request, &c, e);
        if (r < 0)
                return r;
        if (table_new(stdout, view->columns, view->n, &table) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        if (view->format == ROWS_CSV)
                csv_print_header(stdout, view->columns, view->n);
        while ((r = client_next(c, view->live ? -1 : CLIENT_TIMEOUT_MS, &row, e)) == CLIENT_ROW) {
                n++;
                if (print_row(view, table, c, row) < 0)
                        return error_set(e, -ENOMEM, "out of memory");
        }
        if (view->format == ROWS_TABLE && n > 0)
                table_flush(table);
        if (r == CLIENT_END && n == 0 && view->format == ROWS_TABLE && view->empty)
                fprintf(stderr, "%s\n", view->empty);
        return r;
}
