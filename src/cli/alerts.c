/* alerts and ack: what is going on, and who takes care of it. */
#include <assert.h>

#include "cli/request.h"

enum { PREFIX_MIN = 4 };

typedef struct Values {
        bool all;
        uint64_t limit;
        const char *note;
} Values;

static const Option alerts_options[] = {
        { "all", 'a', OPTION_FLAG, offsetof(Values, all),
                        .help = "the history: each transition of each alert, newest first" },
        { "limit", 'n', OPTION_COUNT, offsetof(Values, limit), .min = 1, .max = 1e6, .argument = "N",
                        .help = "at most N (default 100)" },
        { NULL },
};

static const Option ack_options[] = {
        { "note", 'm', OPTION_TEXT, offsetof(Values, note), .argument = "TEXT",
                        .help = "what was found or done; recorded in the ledger" },
        { NULL },
};

static const Column present_columns[] = {
        { "ALERT", "id", COLUMN_ID },
        { "SINCE", "since_us", COLUMN_TIME },
        { "PRIORITY", "priority", COLUMN_TEXT },
        { "STATE", "state", COLUMN_TEXT },
        { "TRANSITION", "transition", COLUMN_TEXT },
        { "WHO", "who", COLUMN_TEXT },
        { "RULE", "rule", COLUMN_TEXT },
        { "SUBJECT", "subject", COLUMN_TEXT },
        { "LABEL", "label", COLUMN_TEXT },
        { "VALUE", "value", COLUMN_NUMBER },
        { "SILENCE", "silence", COLUMN_TEXT },
        { "SUMMARY", "summary", COLUMN_TEXT },
};

static const Column history_columns[] = {
        { "TIME", "time_us", COLUMN_TIME },
        { "ALERT", "id", COLUMN_ID },
        { "PRIORITY", "priority", COLUMN_TEXT },
        { "TRANSITION", "transition", COLUMN_TEXT },
        { "STATE", "state", COLUMN_TEXT },
        { "WHO", "who", COLUMN_TEXT },
        { "RULE", "rule", COLUMN_TEXT },
        { "SUBJECT", "subject", COLUMN_TEXT },
        { "VALUE", "value", COLUMN_NUMBER },
        { "RECEIVER", "receiver", COLUMN_TEXT },
        { "NOTE", "note", COLUMN_TEXT },
        { "SUMMARY", "summary", COLUMN_TEXT },
};

static_assert(ELEMENTS(present_columns) <= COLUMNS_MAX, "a table holds them");
static_assert(ELEMENTS(history_columns) <= COLUMNS_MAX, "a table holds them");

static int run_alerts(const Invocation *in, Error *e) {
        const Values *v = in->values;
        RowsView view = { present_columns, ELEMENTS(present_columns), rows_format(in),
                .empty = "no alerts" };

        if (v->all) {
                view.columns = history_columns;
                view.n = ELEMENTS(history_columns);
                view.empty = "there was no alert yet";
        }
        json_t *request = request_new("alerts");
        request_flag(&request, "all", v->all);
        request_number(&request, "limit", (int64_t) v->limit);
        return rows_print(in, request, &view, e);
}

static void print_acknowledged(const json_t *row) {
        const char *subject = row_text(row, "subject");

        printf("%s%s%s: acknowledged%s\n", row_text(row, "rule"), *subject ? " of " : "", subject,
                        streq(row_text(row, "state"), "resolved")
                                        ? ", and resolved: its condition had ended before"
                                        : "");
}

static int run_ack(const Invocation *in, Error *e) {
        const Values *v = in->values;
        const char *alert = in->operands[0];
        _cleanup_(json_decrefp) json_t *row = NULL;

        if (strlen(alert) < PREFIX_MIN)
                return error_set(e, CLI_USAGE,
                                "ALERT: expected an alert's id or at least %d characters of it, as "
                                "wardstone "
                                "alerts "
                                "shows it, got \"%s\"",
                                PREFIX_MIN, alert);
        json_t *request = request_new("acknowledge");
        request_text(&request, "alert", alert);
        request_text(&request, "note", v->note);
        int r = client_call(in->socket, request, &row, e);
        if (r < 0)
                return r;
        if (in->json)
                row_print_json(row);
        else
                print_acknowledged(row);
        return 0;
}

static const Values defaults = { .limit = 100 };

const Command command_alerts = {
        .name = "alerts",
        .summary = "Show active and acknowledged alerts, or the history of all",
        .details = "An active alert whose last transition is \"latched\" has ended, but nobody has "
                   "acknowledged it.",
        .options = alerts_options,
        .values_size = sizeof(Values),
        .values = &defaults,
        .talks = true,
        .run = run_alerts,
};

const Command command_ack = {
        .name = "ack",
        .operands = "ALERT",
        .summary = "Say that you have seen an alert and take care of it",
        .details = "ALERT is the alert's id or its beginning, as wardstone alerts shows it.\n"
                   "Nobody else is called then. Who acknowledged, and when, is recorded in the ledger.",
        .options = ack_options,
        .values_size = sizeof(Values),
        .operands_min = 1,
        .operands_max = 1,
        .talks = true,
        .run = run_ack,
};
