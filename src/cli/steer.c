/* assign, release and reload: what changes the running gateway. */
#include "cli/request.h"

typedef struct Values {
        const char *kind, *label;
} Values;

static const Option assign_options[] = {
        { "kind", 'k', OPTION_TEXT, offsetof(Values, kind), .argument = "KIND",
                        .help = "patient (default) or asset" },
        { "label", 'l', OPTION_TEXT, offsetof(Values, label), .argument = "TEXT",
                        .help = "where it is, as the board shows it: \"Bed 7\"" },
        { NULL },
};

/* Sends the request and prints done, or the answer as it came. */
static int steer(const Invocation *in, json_t *request, const char *done, Error *e) {
        _cleanup_(json_decrefp) json_t *row = NULL;

        int r = client_call(in->socket, request, &row, e);
        if (r < 0)
                return r;
        if (in->json)
                row_print_json(row);
        else
                puts(done);
        return 0;
}

static int run_assign(const Invocation *in, Error *e) {
        const Values *v = in->values;
        char done[256];

        if (!streq(v->kind, "patient") && !streq(v->kind, "asset"))
                return error_set(e, CLI_USAGE, "--kind: expected patient or asset, got \"%s\"", v->kind);
        json_t *request = request_new("assign");
        request_text(&request, "device", in->operands[0]);
        request_text(&request, "subject", in->operands[1]);
        request_text(&request, "kind", v->kind);
        request_text(&request, "label", v->label);
        (void) snprintf(done, sizeof done, "%s now belongs to %s", in->operands[0], in->operands[1]);
        return steer(in, request, done, e);
}

static int run_release(const Invocation *in, Error *e) {
        char done[256];

        json_t *request = request_new("release");
        request_text(&request, "device", in->operands[0]);
        (void) snprintf(done, sizeof done, "%s belongs to nobody now", in->operands[0]);
        return steer(in, request, done, e);
}

static int run_reload(const Invocation *in, Error *e) {
        return steer(in, request_new("reload"), "configuration reloaded", e);
}

static const Values defaults = { .kind = "patient" };

const Command command_assign = {
        .name = "assign",
        .operands = "DEVICE SUBJECT",
        .summary = "Say that a device measures a subject from now on",
        .details = "SUBJECT is a pseudonym for a patient's stay, or an asset's name: never a patient's "
                   "name.\n"
                   "The change is an entry of the ledger; what was measured before stays where it was.",
        .options = assign_options,
        .values_size = sizeof(Values),
        .values = &defaults,
        .operands_min = 2,
        .operands_max = 2,
        .talks = true,
        .run = run_assign,
};

const Command command_release = {
        .name = "release",
        .operands = "DEVICE",
        .summary = "Say that a device belongs to nobody",
        .operands_min = 1,
        .operands_max = 1,
        .talks = true,
        .run = run_release,
};

const Command command_reload = {
        .name = "reload",
        .summary = "Read the configuration anew; a wrong one is refused and the old one stays",
        .talks = true,
        .run = run_reload,
};
