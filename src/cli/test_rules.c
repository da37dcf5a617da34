/* test-rules: do the rules do what their tests say? */
#include <errno.h>
#include <limits.h>

#include "cli/caret.h"
#include "cli/cli.h"
#include "cli/test_rules.h"

typedef struct Counts {
        unsigned long passed, failed;
} Counts;

/* The report comes after the line that says that the test failed. */
typedef struct Report {
        char *text;
        size_t size;
        FILE *out;
} Report;

static void report_done(Report *r) {
        if (r->out)
                (void) fclose(r->out);
        free(r->text);
}

static int run_test(const TestFile *f, const YamlNode *n, Counts *counts, Error *e) {
        _cleanup_(rule_test_done) RuleTest test = { 0 };
        _cleanup_(report_done) Report report = { 0 };

        int r = rule_test_read(f, n, &test, e);
        if (r < 0)
                return r;
        report.out = open_memstream(&report.text, &report.size);
        if (!report.out)
                return error_set(e, -ENOMEM, "out of memory");
        r = rule_test_run(&test, f->catalogue, report.out, e);
        if (r < 0)
                return r;
        (void) fflush(report.out);
        printf("%s %s:%u: %s\n%s", r == 0 ? "ok    " : "FAILED", yaml_path(n), yaml_line(n), test.name,
                        report.text);
        counts->passed += r == 0;
        counts->failed += r != 0;
        return 0;
}

static int run_file(const char *path, Counts *counts, Error *e) {
        _cleanup_(test_file_done) TestFile f = { 0 };

        int r = test_file_read(path, &f, e);
        for (size_t i = 0; r == 0 && i < yaml_length(&f.tests); i++) {
                YamlNode item = yaml_item(&f.tests, i);
                r = run_test(&f, &item, counts, e);
        }
        return r;
}

static int run_test_rules(const Invocation *in, Error *e) {
        Counts counts = { 0 };

        for (int i = 0; i < in->operand_count; i++) {
                if (run_file(in->operands[i], &counts, e) == 0)
                        continue;
                (void) fflush(stdout);
                caret_print(stderr, "", e->message);
                counts.failed++;
        }
        printf("%lu passed, %lu failed\n", counts.passed, counts.failed);
        return counts.failed > 0 ? CLI_NO : 0;
}

const Command command_test_rules = {
        .name = "test-rules",
        .operands = "FILE...",
        .summary = "Run the tests of rules",
        .details = "A test says what is measured and which alerts have to come of it; docs/rules.md "
                   "describes its\n"
                   "file. The mistakes of a file are named with file, line and column.",
        .operands_min = 1,
        .operands_max = INT_MAX,
        .run = run_test_rules,
};
