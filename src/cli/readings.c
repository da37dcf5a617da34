/* readings and tail: what was recorded, and what is coming in. */
#include "cli/request.h"

typedef struct Values {
        const char *subject, *vital;
        int64_t from, to;
        uint64_t limit;
        bool newest, csv, follow;
} Values;

static const Option readings_options[] = {
        { "subject", 's', OPTION_TEXT, offsetof(Values, subject), .argument = "NAME",
                        .help = "only of this subject" },
        { "vital", 'v', OPTION_TEXT, offsetof(Values, vital), .argument = "NAME",
                        .help = "only this vital" },
        { "from", 0, OPTION_TIME, offsetof(Values, from), .argument = "TIME",
                        .help = "recorded at or after (2026-11-20T08:15:00Z, or 2h: two hours ago)" },
        { "to", 0, OPTION_TIME, offsetof(Values, to), .argument = "TIME", .help = "recorded before" },
        { "limit", 'n', OPTION_COUNT, offsetof(Values, limit), .max = 1e15, .argument = "N",
                        .help = "at most N (default 100; 0: all)" },
        { "newest", 0, OPTION_FLAG, offsetof(Values, newest), .help = "newest first" },
        { "csv", 0, OPTION_FLAG, offsetof(Values, csv), .help = "comma-separated, with a header" },
        { NULL },
};

static const Option tail_options[] = {
        { "follow", 'f', OPTION_FLAG, offsetof(Values, follow),
                        .help = "go on as readings come (the default)" },
        { "subject", 's', OPTION_TEXT, offsetof(Values, subject), .argument = "NAME",
                        .help = "only of this subject" },
        { "vital", 'v', OPTION_TEXT, offsetof(Values, vital), .argument = "NAME",
                        .help = "only this vital" },
        { NULL },
};

static const Column columns[] = {
        { "INDEX", "index", COLUMN_NUMBER, 7 },
        { "TIME", "time_us", COLUMN_TIME, 24 },
        { "SUBJECT", "subject", COLUMN_TEXT, 12 },
        { "DEVICE", "device", COLUMN_TEXT, 10 },
        { "VITAL", "vital", COLUMN_TEXT, 6 },
        { "VALUE", "value", COLUMN_NUMBER, 6 },
        { "UNIT", "unit", COLUMN_TEXT, 6 },
        { "FLAGS", "flags", COLUMN_TEXT },
};

static const Column csv_columns[] = {
        { "", "index", COLUMN_NUMBER },
        { "", "time", COLUMN_TEXT },
        { "", "device_time_us", COLUMN_NUMBER },
        { "", "subject", COLUMN_TEXT },
        { "", "device", COLUMN_TEXT },
        { "", "vital", COLUMN_TEXT },
        { "", "value", COLUMN_NUMBER },
        { "", "unit", COLUMN_TEXT },
        { "", "flags", COLUMN_TEXT },
        { "", "seq", COLUMN_NUMBER },
};

static int run_readings(const Invocation *in, Error *e) {
        const Values *v = in->values;
        RowsView view = { columns, ELEMENTS(columns), rows_format(in), .empty = "no readings" };

        if (v->csv && in->json)
                return error_set(e, CLI_USAGE, "--csv and --json: choose one");
        if (v->csv)
                view = (RowsView){ csv_columns, ELEMENTS(csv_columns), ROWS_CSV };
        json_t *request = request_new("readings");
        request_text(&request, "subject", v->subject);
        request_text(&request, "vital", v->vital);
        request_time(&request, "from", v->from);
        request_time(&request, "to", v->to);
        request_number(&request, "limit", (int64_t) v->limit);
        request_flag(&request, "newest", v->newest);
        return rows_print(in, request, &view, e);
}

static int run_tail(const Invocation *in, Error *e) {
        const Values *v = in->values;
        const RowsView view = { columns, ELEMENTS(columns), rows_format(in), .live = true };

        json_t *request = request_new("tail");
        request_text(&request, "subject", v->subject);
        request_text(&request, "vital", v->vital);
        request_flag(&request, "follow", true);
        return rows_print(in, request, &view, e);
}

static const Values defaults = { .from = TIME_NONE, .to = TIME_NONE, .limit = 100 };

const Command command_readings = {
        .name = "readings",
        .summary = "Show recorded readings",
        .details = "Reading a subject's data is itself recorded in the ledger, with your user id.",
        .options = readings_options,
        .values_size = sizeof(Values),
        .values = &defaults,
        .talks = true,
        .run = run_readings,
};

const Command command_tail = {
        .name = "tail",
        .summary = "Show the last readings, then new ones as they come",
        .details = "A reading without an index is not on disk yet.",
        .options = tail_options,
        .values_size = sizeof(Values),
        .values = &defaults,
        .talks = true,
        .run = run_tail,
};
