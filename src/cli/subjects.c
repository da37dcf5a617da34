/* subjects and set: who is watched, and what is said of them. */
#include <errno.h>

#include "cli/request.h"
#include "model/registry.h"

typedef struct Values {
        const char *kind, *why;
} Values;

static const Option set_options[] = {
        { "kind", 'k', OPTION_TEXT, offsetof(Values, kind), .argument = "KIND",
                        .help = "of a new subject: patient (default) or asset" },
        { "why", 'w', OPTION_TEXT, offsetof(Values, why), .argument = "TEXT",
                        .help = "the reason; recorded in the ledger" },
        { NULL },
};

static const Column columns[] = {
        { "SUBJECT", "subject", COLUMN_TEXT },
        { "LABEL", "label", COLUMN_TEXT },
        { "KIND", "kind", COLUMN_TEXT },
        { "DEVICES", "devices", COLUMN_TEXT },
        { "ATTRIBUTES", "attributes", COLUMN_TEXT },
};

/* Adds one NAME=VALUE. */
static int read_attribute(const char *text, json_t *attributes, Error *e) {
        char name[ATTRIBUTE_NAME_MAX];
        const char *equals = strchr(text, '=');
        const size_t len = equals ? (size_t) (equals - text) : 0;

        if (len == 0)
                return error_set(e, CLI_USAGE,
                                "expected NAME=VALUE, such as ward=7 (NAME= takes it away), got \"%s\"",
                                text);
        if (len >= sizeof name)
                return error_set(e, CLI_USAGE, "\"%.*s\": an attribute's name has at most %zu characters",
                                (int) len, text, sizeof name - 1);
        (void) snprintf(name, sizeof name, "%.*s", (int) len, text);
        if (json_object_get(attributes, name))
                return error_set(e, CLI_USAGE, "\"%s\" is given twice", name);
        if (json_object_set_new(attributes, name, json_string(equals + 1)) < 0)
                return error_set(e, CLI_USAGE, "\"%s\": expected text in UTF-8", name);
        return 0;
}

static void print_set(const json_t *row) {
        char attributes[TEXT_MAX];

        text_json(json_object_get(row, "attributes"), attributes, sizeof attributes);
        printf("%s: %s\n", row_text(row, "subject"), *attributes ? attributes : "no attributes");
}

static int run_subjects(const Invocation *in, Error *e) {
        const RowsView view = { columns, ELEMENTS(columns), rows_format(in),
                .empty = "no subjects: wardstone assign makes one" };

        return rows_print(in, request_new("subjects"), &view, e);
}

static int run_set(const Invocation *in, Error *e) {
        const Values *v = in->values;
        _cleanup_(json_decrefp) json_t *attributes = json_object(), *row = NULL;

        if (v->kind && !streq(v->kind, "patient") && !streq(v->kind, "asset"))
                return error_set(e, CLI_USAGE, "--kind: expected patient or asset, got \"%s\"", v->kind);
        for (int i = 1; i < in->operand_count; i++) {
                int r = read_attribute(in->operands[i], attributes, e);
                if (r != 0)
                        return r;
        }
        json_t *request = request_new("set");
        request_text(&request, "subject", in->operands[0]);
        request_text(&request, "kind", v->kind);
        request_object(&request, "attributes", attributes);
        request_text(&request, "why", v->why);
        int r = client_call(in->socket, request, &row, e);
        if (r < 0)
                return r;
        if (in->json)
                row_print_json(row);
        else
                print_set(row);
        return 0;
}

const Command command_subjects = {
        .name = "subjects",
        .summary = "Show patients and assets, their devices and attributes",
        .talks = true,
        .run = run_subjects,
};

const Command command_set = {
        .name = "set",
        .operands = "SUBJECT NAME=VALUE...",
        .summary = "Set attributes of a subject: its ward, its own limits",
        .details = "NAME= takes an attribute away. Rules use them: \"spo2_low=86\" for a patient's own "
                   "limit,\n"
                   "\"spo2_scale=2\" for NEWS2, \"ward=7\" for rules over a ward. Each change is an entry "
                   "of the "
                   "ledger.",
        .options = set_options,
        .values_size = sizeof(Values),
        .operands_min = 2,
        .operands_max = 1 + ATTRIBUTES_MAX,
        .talks = true,
        .run = run_set,
};
