/* alerts, devices and quarantine: what the daemon keeps, as tables. */
#include "cli/request.h"

typedef struct Values {
        bool all;
        uint64_t limit;
} Values;

static const Option alert_options[] = {
        { "all", 'a', OPTION_FLAG, offsetof(Values, all), .help = "with those that are resolved" },
        { "limit", 'n', OPTION_COUNT, offsetof(Values, limit), .min = 1, .max = 1e6, .argument = "N",
                        .help = "at most N (default 100)" },
        { NULL },
};

static const Option quarantine_options[] = {
        { "limit", 'n', OPTION_COUNT, offsetof(Values, limit), .min = 1, .max = 1e6, .argument = "N",
                        .help = "at most N, the newest (default 100)" },
        { NULL },
};

/* The first is for the history only. */
static const Column alert_columns[] = {
        { "TIME", "time_us", COLUMN_TIME },
        { "SINCE", "since_us", COLUMN_TIME },
        { "PRIORITY", "priority", COLUMN_TEXT },
        { "STATE", "state", COLUMN_TEXT },
        { "RULE", "rule", COLUMN_TEXT },
        { "SUBJECT", "subject", COLUMN_TEXT },
        { "LABEL", "label", COLUMN_TEXT },
        { "VALUE", "value", COLUMN_NUMBER },
        { "SUMMARY", "summary", COLUMN_TEXT },
};

static const Column device_columns[] = {
        { "DEVICE", "device", COLUMN_TEXT },
        { "MODEL", "model", COLUMN_TEXT },
        { "REGISTERED", "registered", COLUMN_TEXT },
        { "SUBJECT", "subject", COLUMN_TEXT },
        { "LABEL", "label", COLUMN_TEXT },
        { "STREAM", "stream", COLUMN_NUMBER },
};

static const Column quarantine_columns[] = {
        { "TIME", "time_us", COLUMN_TIME },
        { "DEVICE", "device", COLUMN_TEXT },
        { "ORIGIN", "origin", COLUMN_TEXT },
        { "REASON", "reason", COLUMN_TEXT },
};

static int run_alerts(const Invocation *in, Error *e) {
        const Values *v = in->values;
        const size_t skip = v->all ? 0 : 1;
        const RowsView view = { alert_columns + skip, ELEMENTS(alert_columns) - skip, rows_format(in),
                .empty = v->all ? "no alerts" : "no active alerts" };

        json_t *request = request_new("alerts");
        request_flag(&request, "all", v->all);
        request_number(&request, "limit", (int64_t) v->limit);
        return rows_print(in, request, &view, e);
}

static int run_devices(const Invocation *in, Error *e) {
        const RowsView view = { device_columns, ELEMENTS(device_columns), rows_format(in),
                .empty = "no devices: list them in devices.yaml, then: wardstone reload" };

        return rows_print(in, request_new("devices"), &view, e);
}

static int run_quarantine(const Invocation *in, Error *e) {
        const Values *v = in->values;
        const RowsView view = { quarantine_columns, ELEMENTS(quarantine_columns), rows_format(in),
                .empty = "the quarantine is empty" };

        json_t *request = request_new("quarantine");
        request_number(&request, "limit", (int64_t) v->limit);
        return rows_print(in, request, &view, e);
}

static const Values defaults = { .limit = 100 };

const Command command_alerts = {
        .name = "alerts",
        .summary = "Show active alerts, or the latest of all",
        .options = alert_options,
        .values_size = sizeof(Values),
        .values = &defaults,
        .talks = true,
        .run = run_alerts,
};

const Command command_devices = {
        .name = "devices",
        .summary = "Show devices and whom they belong to",
        .talks = true,
        .run = run_devices,
};

const Command command_quarantine = {
        .name = "quarantine",
        .summary = "Show messages that could not be used, and why",
        .details = "--json also gives each payload, base64. Try one with:\n"
                   "  wardstone quarantine -n 1 --json | jq -r .payload | base64 -d | wardstone decode "
                   "--format senml+json",
        .options = quarantine_options,
        .values_size = sizeof(Values),
        .values = &defaults,
        .talks = true,
        .run = run_quarantine,
};
