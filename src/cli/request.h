/* Requests to the daemon, and its rows on the way out, as the common options say. */
#pragma once

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/table.h"

/* Adds a member to a request; text NULL and TIME_NONE add nothing. A failed allocation leaves the request unfit, which
 * client_open() refuses: *request becomes NULL. */
void request_text(json_t **request, const char *key, const char *text);
void request_number(json_t **request, const char *key, int64_t value);
void request_flag(json_t **request, const char *key, bool value);
/* Takes a reference of its own. */
void request_object(json_t **request, const char *key, json_t *value);
void request_time(json_t **request, const char *key, int64_t wall_us);
json_t *request_new(const char *operation);

/* The row's member as text, "" where it is none. */
const char *row_text(const json_t *row, const char *key);
/* On a line of its own, as --json has it. */
void row_print_json(const json_t *row);

typedef enum RowsFormat { ROWS_TABLE, ROWS_JSON, ROWS_CSV } RowsFormat;

typedef struct RowsView {
        const Column *columns;
        size_t n;
        RowsFormat format;
        bool live;         /* rows come as they happen: print each at once, wait for ever */
        const char *empty; /* what to say on stderr where there are no rows */
} RowsView;

/* Sends the request (its reference is taken) and prints each row. */
int rows_print(const Invocation *in, json_t *request, const RowsView *view, Error *e) _must_check_;

static inline RowsFormat rows_format(const Invocation *in) {
        return in->json ? ROWS_JSON : ROWS_TABLE;
}
