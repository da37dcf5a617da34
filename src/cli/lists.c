/* devices and quarantine: what the daemon keeps, as tables. */
#include "cli/request.h"

typedef struct Values {
        uint64_t limit;
} Values;

static const Option quarantine_options[] = {
        { "limit", 'n', OPTION_COUNT, offsetof(Values, limit), .min = 1, .max = 1e6, .argument = "N",
                        .help = "at most N, the newest (default 100)" },
        { NULL },
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
