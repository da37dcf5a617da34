/* silence, silences and unsilence: alerts that nobody is told of for a while. */
#include "cli/request.h"
#include "model/alert.h"

typedef struct Values {
        int64_t length;
        const char *why, *rule, *subject, *label, *priority, *labels;
} Values;

static const Option silence_options[] = {
        { "for", 'f', OPTION_DURATION, offsetof(Values, length), .argument = "TIME",
                        .help = "how long, such as 30m; it ends by itself; required" },
        { "why", 'w', OPTION_TEXT, offsetof(Values, why), .argument = "TEXT",
                        .help = "the reason; required; kept in the clear, so never a patient's name" },
        { "rule", 'r', OPTION_TEXT, offsetof(Values, rule), .argument = "NAME",
                        .help = "alerts of this rule; \"SpO2*\": of rules that begin so" },
        { "subject", 's', OPTION_TEXT, offsetof(Values, subject), .argument = "NAME",
                        .help = "of this subject" },
        { "label", 'l', OPTION_TEXT, offsetof(Values, label), .argument = "TEXT",
                        .help = "of the subject with this label, such as \"Bed 7\"" },
        { "priority", 'p', OPTION_TEXT, offsetof(Values, priority), .argument = "PRIORITY",
                        .help = "of this priority: high, medium, low or technical" },
        { "labels", 0, OPTION_TEXT, offsetof(Values, labels), .argument = "NAME=VALUE,...",
                        .help = "of rules with these labels" },
        { NULL },
};

static const Column columns[] = {
        { "SILENCE", "silence", COLUMN_TEXT },
        { "UNTIL", "until_us", COLUMN_TIME },
        { "RULE", "rule", COLUMN_TEXT },
        { "SUBJECT", "subject", COLUMN_TEXT },
        { "LABEL", "label", COLUMN_TEXT },
        { "PRIORITIES", "priorities", COLUMN_TEXT },
        { "LABELS", "labels", COLUMN_TEXT },
        { "WHO", "who", COLUMN_TEXT },
        { "WHY", "why", COLUMN_TEXT },
};

static bool labels_are_valid(const char *labels) {
        for (const char *at = labels;; at++) {
                const size_t len = strcspn(at, ","), name = strcspn(at, "=");
                if (name == 0 || name + 1 >= len)
                        return false;
                at += len;
                if (!*at)
                        return true;
        }
}

/* What can be said before anybody is asked. */
static int check_values(const Values *v, Error *e) {
        Priority unused;

        if (v->length <= 0)
                return error_set(e, CLI_USAGE, "--for: expected how long, such as 30m: each silence ends");
        if (!v->why)
                return error_set(e, CLI_USAGE, "--why: expected a reason: it is recorded with your user id");
        if (v->priority && priority_parse(v->priority, &unused) < 0)
                return error_set(e, CLI_USAGE,
                                "--priority: expected high, medium, low or technical, got \"%s\"",
                                v->priority);
        if (v->labels && !labels_are_valid(v->labels))
                return error_set(e, CLI_USAGE, "--labels: expected NAME=VALUE,..., got \"%s\"", v->labels);
        if (!v->rule && !v->subject && !v->label && !v->priority && !v->labels)
                return error_set(e, CLI_USAGE,
                                "expected --rule, --subject, --label, --priority or --labels: which alerts? "
                                "(all of them: --rule '*')");
        return 0;
}

static int run_silence(const Invocation *in, Error *e) {
        const Values *v = in->values;
        _cleanup_(json_decrefp) json_t *row = NULL;

        int r = check_values(v, e);
        if (r != 0)
                return r;
        json_t *request = request_new("silence");
        request_number(&request, "for_us", v->length);
        request_text(&request, "why", v->why);
        request_text(&request, "rule", v->rule);
        request_text(&request, "subject", v->subject);
        request_text(&request, "label", v->label);
        request_text(&request, "priority", v->priority);
        request_text(&request, "labels", v->labels);
        r = client_call(in->socket, request, &row, e);
        if (r < 0)
                return r;
        const char *id = row_text(row, "silence");
        if (in->json)
                row_print_json(row);
        else
                printf("silence %s: until %s; to end it before: wardstone unsilence %s\n", id,
                                row_text(row, "until"), id);
        return 0;
}

static int run_silences(const Invocation *in, Error *e) {
        const RowsView view = { columns, ELEMENTS(columns), rows_format(in),
                .empty = "nothing is silenced" };

        return rows_print(in, request_new("silences"), &view, e);
}

static int run_unsilence(const Invocation *in, Error *e) {
        _cleanup_(json_decrefp) json_t *row = NULL;

        json_t *request = request_new("unsilence");
        request_text(&request, "silence", in->operands[0]);
        int r = client_call(in->socket, request, &row, e);
        if (r < 0)
                return r;
        if (in->json)
                row_print_json(row);
        else
                printf("silence %s: ended\n", row_text(row, "silence"));
        return 0;
}

const Command command_silence = {
        .name = "silence",
        .summary = "Let nobody be told of some alerts for a while",
        .details = "All that is given has to fit an alert. It is still raised, shown and recorded; so is "
                   "the\n"
                   "silence, with its reason and your user id.",
        .options = silence_options,
        .values_size = sizeof(Values),
        .talks = true,
        .run = run_silence,
};

const Command command_silences = {
        .name = "silences",
        .summary = "Show what is silenced, until when, by whom and why",
        .talks = true,
        .run = run_silences,
};

const Command command_unsilence = {
        .name = "unsilence",
        .operands = "SILENCE",
        .summary = "End a silence before its time",
        .details = "SILENCE is its id, as wardstone silences shows it.",
        .operands_min = 1,
        .operands_max = 1,
        .talks = true,
        .run = run_unsilence,
};
