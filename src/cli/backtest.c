/* backtest: what would the rules have done with these recordings? */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/backtest.h"
#include "cli/rule_paths.h"

static const Option options[] = {
        { "rules", 'r', OPTION_LIST, offsetof(BacktestValues, rules), .argument = "PATH",
                        .help = "a file of rules, or a folder of them; again for more" },
        { "csv", 0, OPTION_FLAG, offsetof(BacktestValues, csv),
                        .help = "the FILEs are text, a subject each (needed)" },
        { "map", 'm', OPTION_TEXT, offsetof(BacktestValues, map), .argument = "FILE",
                        .help = "says which column is what, where titles don't" },
        { "kind", 0, OPTION_TEXT, offsetof(BacktestValues, kind), .argument = "KIND",
                        .help = "of the subjects: patient (default) or asset" },
        { "print", 'p', OPTION_LIST, offsetof(BacktestValues, print), .argument = "EXPR",
                        .help = "print an expression each time it changes" },
        { "interval", 'i', OPTION_DURATION, offsetof(BacktestValues, interval_us), .argument = "TIME",
                        .help = "or each time that this has passed" },
        { "label", 0, OPTION_TEXT, offsetof(BacktestValues, label), .argument = "COLUMN",
                        .help = "above 0 from when on rules should have said something" },
        { "horizon", 0, OPTION_DURATION, offsetof(BacktestValues, horizon_us), .argument = "TIME",
                        .help = "how early counts as found (default 12h)" },
        { "acknowledge-after", 0, OPTION_DURATION, offsetof(BacktestValues, acknowledge_after_us),
                        .argument = "TIME", .help = "somebody does, that long after an alert was raised" },
        { "without-holdoff", 0, OPTION_FLAG, offsetof(BacktestValues, without_holdoff),
                        .help = "as if no rule had `for` and `keep_firing_for`" },
        { "quiet", 'q', OPTION_FLAG, offsetof(BacktestValues, quiet),
                        .help = "don't print the alerts one by one" },
        { "json", 0, OPTION_FLAG, offsetof(BacktestValues, json), .help = "one JSON object a line" },
        { NULL },
};

static void backtest_done(Backtest *b) {
        burden_free(b->burden);
        rule_set_free(b->rules);
        catalogue_free(b->catalogue);
}

static int check_usage(const BacktestValues *v, SubjectKind *ret_kind, Error *e) {
        if (!v->csv)
                return error_set(e, CLI_USAGE, "--csv is needed: recordings are text");
        if (v->rules.count == 0 && v->print.count == 0)
                return error_set(e, CLI_USAGE, "--rules or --print is needed");
        if (v->interval_us > 0 && v->print.count == 0)
                return error_set(e, CLI_USAGE, "--interval needs --print");
        if (subject_kind_parse(v->kind, ret_kind) < 0 ||
                        (*ret_kind != SUBJECT_PATIENT && *ret_kind != SUBJECT_ASSET))
                return error_set(e, CLI_USAGE, "--kind: expected patient or asset, got \"%s\"", v->kind);
        return 0;
}

static int read_rules(Backtest *b, Error *e) {
        _cleanup_(rule_paths_done) RulePaths paths = { 0 };
        Error why;

        for (size_t i = 0; i < b->values->rules.count; i++) {
                int r = rule_paths_add(&paths, b->values->rules.items[i], e);
                if (r < 0)
                        return r;
        }
        int r = rule_paths_read(&paths, b->catalogue, &b->rules, e);
        for (size_t i = 0; r == 0 && i < b->values->print.count; i++) {
                r = rule_set_add_probe(b->rules, b->values->print.items[i], &b->probes[i], &why);
                if (r < 0)
                        r = error_set(e, r, "--print \"%s\": %s", b->values->print.items[i], why.message);
        }
        return r;
}

static int prepare(Backtest *b, const Invocation *in, Error *e) {
        struct stat st;

        int r = catalogue_new(&b->catalogue);
        if (r < 0)
                return error_set(e, r, "out of memory");
        r = read_rules(b, e);
        if (r == 0 && b->values->map)
                r = csv_map_read(b->values->map, b->catalogue, &b->map, e);
        if (r == 0 && (r = burden_new(b->rules, b->values->horizon_us, &b->burden)) < 0)
                (void) error_set(e, r, "out of memory");
        for (int i = 0; r == 0 && i < in->operand_count; i++)
                if (stat(in->operands[i], &st) == 0)
                        b->total += (uint64_t) st.st_size;
        return r;
}

static int run_backtest(const Invocation *in, Error *e) {
        _cleanup_(backtest_done) Backtest b = { .values = in->values };

        int r = check_usage(b.values, &b.kind, e);
        if (r == 0)
                r = prepare(&b, in, e);
        if (r != 0)
                return r;
        /* not in the middle of what is printed to the same terminal */
        b.shows_progress = (b.values->quiet && b.values->print.count == 0) || !isatty(STDOUT_FILENO);
        progress_start(&b.progress, "bytes");
        for (int i = 0; r == 0 && i < in->operand_count; i++)
                r = backtest_replay(&b, in->operands[i], e);
        progress_end(&b.progress);
        return r < 0 ? r : backtest_report(&b, e);
}

static const BacktestValues defaults = { .kind = "patient",
        .horizon_us = INT64_C(12) * 3600 * USEC_PER_SEC };

const Command command_backtest = {
        .name = "backtest",
        .operands = "--csv FILE...",
        .summary = "Replay recordings through rules",
        .details = "Prints the alerts that would have come, how often each rule raises one a monitored day "
                   "and, with\n"
                   "--label, whom it finds, how early, and how often it alarms for nothing. "
                   "docs/backtest.md says more.",
        .options = options,
        .values_size = sizeof(BacktestValues),
        .values = &defaults,
        .operands_min = 1,
        .operands_max = INT_MAX,
        .run = run_backtest,
};
