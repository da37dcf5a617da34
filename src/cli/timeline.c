#include "cli/timeline.h"

#include <errno.h>

#include "cli/text.h"

enum { CELL_MAX = 256, NOTE_MAX = 64 };

const char *const moment_states[MOMENT_STATES + 1] = {
        [TRANSITION_RAISED] = "active",
        [TRANSITION_RESOLVED] = "resolved",
        [TRANSITION_ACKNOWLEDGED] = "acknowledged",
        [TRANSITION_LATCHED] = "latched",
        [TRANSITION_RERAISED] = "reraised",
};

const char *moment_state(AlertTransition t) {
        return (int) t < MOMENT_STATES ? moment_states[t] : alert_transition_name(t);
}

/* --- which is which --- */

static bool is_same(const Moment *expected, const Moment *actual) {
        return expected->transition == actual->transition && streq(expected->alert, actual->alert) &&
               (!expected->subject || streq(expected->subject, actual->subject));
}

static bool summary_fits(const Moment *expected, const Moment *actual) {
        return !expected->summary || streq(expected->summary, actual->summary);
}

bool moment_fits(const Moment *expected, const Moment *actual) {
        return is_same(expected, actual) && expected->time_us == actual->time_us &&
               summary_fits(expected, actual);
}

static bool is_taken(const size_t *pairs, size_t n, size_t actual) {
        for (size_t i = 0; i < n; i++)
                if (pairs[i] == actual)
                        return true;
        return false;
}

static void pair_by(bool (*fits)(const Moment *, const Moment *), const Moment *expected, size_t n,
                const Moment *actual, size_t m, size_t *pairs) {
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < m && pairs[i] == SIZE_MAX; j++)
                        if (fits(&expected[i], &actual[j]) && !is_taken(pairs, n, j))
                                pairs[i] = j;
}

void timeline_pair(const Moment *expected, size_t n, const Moment *actual, size_t m, size_t *ret) {
        for (size_t i = 0; i < n; i++)
                ret[i] = SIZE_MAX;
        pair_by(moment_fits, expected, n, actual, m, ret);
        pair_by(is_same, expected, n, actual, m, ret);
}

/* --- side by side --- */

typedef struct Row {
        const Moment *expected, *actual; /* NULL: none */
        int64_t time_us;
        size_t order;
} Row;

static int compare_rows(const void *a, const void *b) {
        const Row *x = a, *y = b;

        if (x->time_us != y->time_us)
                return x->time_us < y->time_us ? -1 : 1;
        return (x->order > y->order) - (x->order < y->order);
}

static size_t make_rows(const Moment *expected, size_t n, const Moment *actual, size_t m,
                const size_t *pairs, Row *ret) {
        size_t rows = 0;

        for (size_t i = 0; i < n; i++, rows++)
                ret[rows] = (Row){ &expected[i], pairs[i] < m ? &actual[pairs[i]] : NULL,
                        expected[i].time_us, rows };
        for (size_t j = 0; j < m; j++)
                if (!is_taken(pairs, n, j)) {
                        ret[rows] = (Row){ NULL, &actual[j], actual[j].time_us, rows };
                        rows++;
                }
        qsort(ret, rows, sizeof *ret, compare_rows);
        return rows;
}

static void cell_text(const Moment *m, char ret[static CELL_MAX]) {
        char time[CLOCK_TEXT_SIZE];

        if (!m) {
                (void) snprintf(ret, CELL_MAX, "-");
                return;
        }
        text_offset(m->time_us, time);
        (void) snprintf(ret, CELL_MAX, "%-6s %s %s%s%s", time, m->alert, moment_state(m->transition),
                        m->subject ? " " : "", m->subject ? m->subject : "");
}

static const char *difference(const Row *row, char ret[static NOTE_MAX]) {
        if (!row->actual)
                return "missing";
        if (!row->expected)
                return "not expected";
        (void) snprintf(ret, NOTE_MAX, "%s%s",
                        row->expected->time_us != row->actual->time_us ? "another time" : "",
                        summary_fits(row->expected, row->actual) ? "" : " another summary");
        return ret + (ret[0] == ' ');
}

static void print_row(FILE *out, const Row *row, size_t width) {
        char left[CELL_MAX], right[CELL_MAX], note[NOTE_MAX];
        const char *what = difference(row, note);

        cell_text(row->expected, left);
        cell_text(row->actual, right);
        fprintf(out, "  %s %-*s | %s%s%s\n", *what ? "!" : " ", (int) width, left, right,
                        *what ? "  <- " : "", what);
        if (row->expected && row->actual && !summary_fits(row->expected, row->actual))
                fprintf(out, "        expected summary: %s\n        actual summary:   %s\n",
                                row->expected->summary, row->actual->summary);
}

int timeline_print(FILE *out, const Moment *expected, size_t n, const Moment *actual, size_t m) {
        _cleanup_free_ Row *rows = calloc(n + m + 1, sizeof *rows);
        _cleanup_free_ size_t *pairs = calloc(n + 1, sizeof *pairs);
        char cell[CELL_MAX];
        size_t width = strlen("expected");

        if (!rows || !pairs)
                return -ENOMEM;
        timeline_pair(expected, n, actual, m, pairs);
        const size_t count = make_rows(expected, n, actual, m, pairs, rows);
        for (size_t i = 0; i < n; i++) {
                cell_text(&expected[i], cell);
                width = MAX(width, strlen(cell));
        }
        fprintf(out, "    %-*s | actual\n", (int) width, "expected");
        for (size_t i = 0; i < count; i++)
                print_row(out, &rows[i], width);
        return 0;
}
