#include "cli/board.h"

#include <errno.h>

#include "cli/text.h"

enum {
        LABEL_WIDTH = 16,
        VALUE_WIDTH = 5,
        AGE_WIDTH = 4,
        CELL_WIDTH = 1 + VALUE_WIDTH + AGE_WIDTH,
        CELLS_MAX = 32,
        OLD_S = 60 /* a value this old is dimmed */
};

#define PLAIN ""
#define BOLD  "\033[1m"
#define DIM   "\033[2m"
#define ALARM "\033[1;37;41m"

/* As IEC 60601-1-8 colours them: red, yellow, cyan; technical ones apart. */
static const struct {
        const char *priority, *style;
} priorities[] = { { "technical", "\033[35m" }, { "low", "\033[36m" }, { "medium", "\033[1;33m" },
        { "high", ALARM } };

/* The columns that come first, where any subject has them. */
static const struct {
        const char *vital, *title;
} known[] = {
        { "hr", "HR" },
        { "spo2", "SpO2" },
        { "rr", "RR" },
        { "temp", "Temp" },
        { "sbp", "SBP" },
        { "dbp", "DBP" },
        { "map", "MAP" },
        { "pulse", "Pulse" },
        { "acvpu", "ACVPU" },
        { "o2", "O2" },
};

typedef struct Cell {
        const char *vital, *title;
} Cell;

typedef struct Row {
        const json_t *json;
        int rank; /* of its worst alert, see alert_rank(); -1: none */
        char label[TEXT_MAX];
} Row;

/* A line under construction that never exceeds the width. */
typedef struct Pen {
        FILE *out;
        const BoardView *view;
        size_t left;         /* columns */
        unsigned lines_left; /* below this one */
} Pen;

static void pen_text(Pen *p, const char *style, const char *text) {
        const size_t bytes = text_fit(text, p->left);
        const bool styled = p->view->colour && *style;

        p->left -= MIN(p->left, text_width(text));
        fprintf(p->out, "%s%.*s%s", styled ? style : "", (int) bytes, text, styled ? "\033[0m" : "");
}

static void pen_pad(Pen *p, size_t columns) {
        columns = MIN(columns, p->left);
        fprintf(p->out, "%*s", (int) columns, "");
        p->left -= columns;
}

/* Left-aligned in so many columns, or right-aligned. */
static void pen_cell(Pen *p, const char *style, const char *text, size_t width, bool right) {
        char fitted[TEXT_MAX];
        const size_t used = MIN(text_width(text), width);

        (void) snprintf(fitted, sizeof fitted, "%.*s", (int) text_fit(text, width), text);
        if (right)
                pen_pad(p, width - used);
        pen_text(p, style, fitted);
        if (!right)
                pen_pad(p, width - used);
}

static void pen_line(Pen *p) {
        fputs(p->view->colour ? "\033[K\n" : "\n", p->out);
        p->left = p->view->width;
        if (p->lines_left > 0)
                p->lines_left--;
}

static int priority_rank(const json_t *alert) {
        const char *name = json_string_value(json_object_get(alert, "priority"));

        for (size_t i = 0; name && i < ELEMENTS(priorities); i++)
                if (streq(name, priorities[i].priority))
                        return (int) i;
        return 0;
}

/* One that somebody takes care of, or that nobody is to be told of, comes behind all others. */
static bool is_quiet(const json_t *alert) {
        const char *state = json_string_value(json_object_get(alert, "state"));

        return (state && streq(state, "acknowledged")) || json_object_get(alert, "silence");
}

enum { RANK_LOUD = ELEMENTS(priorities), RANKS = 2 * RANK_LOUD };

static int alert_rank(const json_t *alert) {
        return priority_rank(alert) + (is_quiet(alert) ? 0 : RANK_LOUD);
}

static const char *rank_style(int rank) {
        return rank < 0 ? PLAIN : rank < RANK_LOUD ? DIM : priorities[rank - RANK_LOUD].style;
}

static int row_compare(const void *a, const void *b) {
        const Row *x = a, *y = b;

        if (x->rank != y->rank)
                return y->rank - x->rank;
        return strverscmp(x->label, y->label); /* "Bed 9" before "Bed 10" */
}

static void row_read(const json_t *json, Row *ret) {
        const json_t *alerts = json_object_get(json, "alerts");
        const char *label = json_string_value(json_object_get(json, "label"));

        *ret = (Row){ .json = json, .rank = -1 };
        text_json(json_object_get(json, label && *label ? "label" : "subject"), ret->label,
                        sizeof ret->label);
        for (size_t i = 0; i < json_array_size(alerts); i++)
                ret->rank = MAX(ret->rank, alert_rank(json_array_get(alerts, i)));
}

static bool has_cell(const Cell *cells, size_t n, const char *vital) {
        for (size_t i = 0; i < n; i++)
                if (streq(cells[i].vital, vital))
                        return true;
        return false;
}

/* Which columns: the known ones that any subject has, then the others, as many as fit. */
static size_t choose_cells(const Row *rows, size_t n, size_t width, Cell ret[static CELLS_MAX]) {
        const size_t room = width > LABEL_WIDTH ? MIN((width - LABEL_WIDTH) / CELL_WIDTH, (size_t) CELLS_MAX)
                                                : 0;
        size_t count = 0;
        const char *vital;
        json_t *value;

        for (size_t i = 0; i < ELEMENTS(known); i++)
                for (size_t j = 0; j < n && count < room; j++)
                        if (json_object_get(json_object_get(rows[j].json, "vitals"), known[i].vital)) {
                                ret[count++] = (Cell){ known[i].vital, known[i].title };
                                break;
                        }
        for (size_t j = 0; j < n; j++)
                json_object_foreach(json_object_get(rows[j].json, "vitals"), vital, value) {
                        if (count < room && !has_cell(ret, count, vital))
                                ret[count++] = (Cell){ vital, vital };
                }
        return count;
}

static long long number_at(const json_t *status, const char *group, const char *key) {
        return (long long) json_integer_value(json_object_get(json_object_get(status, group), key));
}

static void print_header(Pen *p, const json_t *status, size_t n) {
        char text[TEXT_MAX], name[TEXT_MAX], state[TEXT_MAX], time[CLOCK_TEXT_SIZE];
        Stamp now;

        if (p->view->trouble) {
                text_clean(p->view->trouble, name, sizeof name);
                (void) snprintf(text, sizeof text, " NOT LIVE: %.*s ", (int) text_fit(name, p->left), name);
                pen_text(p, ALARM, text);
                pen_line(p);
                return;
        }
        clock_now(&now);
        clock_format(now.wall_us, time);
        time[strlen("2026-11-20T08:15:30")] = '\0'; /* seconds are enough here */
        text_json(json_object_get(status, "name"), name, sizeof name);
        text_json(json_object_get(status, "state"), state, sizeof state);
        pen_text(p, BOLD, *name ? name : "wardstone");
        pen_text(p, PLAIN, "  ");
        pen_text(p, !*state || streq(state, "ok") ? PLAIN : ALARM, state);
        const json_t *clock = json_object_get(status, "clock");
        /* active alerts include those of the gateway itself, which no line below shows; what matters least comes last:
         * it is cut where the window is narrow */
        (void) snprintf(text, sizeof text, "  %sZ%s  %lld alerts  %zu subjects  %lld entries  %lld blocks",
                        time,
                        json_is_false(json_object_get(clock, "synchronised")) ? " (unsynchronised)" : "",
                        number_at(status, "alerts", "active"), n, number_at(status, "ledger", "size"),
                        number_at(status, "ledger", "height"));
        pen_text(p, PLAIN, text);
        pen_line(p);
}

static void print_titles(Pen *p, const Cell *cells, size_t n) {
        pen_cell(p, BOLD, "SUBJECT", LABEL_WIDTH, false);
        for (size_t i = 0; i < n; i++) {
                pen_pad(p, 1);
                pen_cell(p, BOLD, cells[i].title, VALUE_WIDTH, true);
                pen_pad(p, AGE_WIDTH);
        }
        pen_line(p);
}

static void print_cell(Pen *p, const json_t *vital) {
        char value[TEXT_MAX] = "-", age[CLOCK_TEXT_SIZE] = "", spaced[CLOCK_TEXT_SIZE + 1];
        const double age_s = json_number_value(json_object_get(vital, "age_s")) + p->view->elapsed_s;

        if (vital) {
                const json_t *number = json_object_get(vital, "value");
                if (json_is_number(number))
                        (void) snprintf(value, sizeof value, "%.4g", json_number_value(number));
                text_age(age_s, age);
        }
        /* a value that the device or the gateway doubts says so */
        const bool doubted = json_array_size(json_object_get(vital, "flags")) > 0;
        const char *style = age_s >= OLD_S || doubted ? DIM : PLAIN;
        pen_cell(p, style, value, VALUE_WIDTH + 1, true);
        (void) snprintf(spaced, sizeof spaced, "%s%s", doubted ? "?" : " ", age);
        pen_cell(p, DIM, spaced, AGE_WIDTH, false);
}

/* "high: SpO2Low 3m (ended, acknowledged)" */
static void print_alert(Pen *p, const json_t *alert, const Stamp *now) {
        const double since = json_number_value(json_object_get(alert, "since_us"));
        const char *state = json_string_value(json_object_get(alert, "state"));
        const bool taken = state && streq(state, "acknowledged");
        const char *words[] = { json_object_get(alert, "ended") ? "ended" : NULL,
                taken ? "acknowledged" : NULL, json_object_get(alert, "silence") ? "silenced" : NULL };
        char rule[TEXT_MAX], text[2 * TEXT_MAX], age[CLOCK_TEXT_SIZE];
        const char *before = " (";

        text_json(json_object_get(alert, "rule"), rule, sizeof rule);
        text_age(((double) now->wall_us - since) / 1e6, age);
        int n = snprintf(text, sizeof text, "%s: %s %s", priorities[priority_rank(alert)].priority, rule,
                        age);
        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (words[i]) {
                        n += snprintf(text + n, sizeof text - (size_t) n, "%s%s", before, words[i]);
                        before = ", ";
                }
        (void) snprintf(text + n, sizeof text - (size_t) n, "%s", before[0] == ',' ? ")" : "");
        pen_text(p, rank_style(alert_rank(alert)), text);
        pen_pad(p, 2);
}

static void print_alerts(Pen *p, const Row *row) {
        const json_t *alerts = json_object_get(row->json, "alerts");
        Stamp now;

        clock_now(&now);
        pen_pad(p, 2);
        for (int rank = RANKS - 1; rank >= 0; rank--)
                for (size_t i = 0; i < json_array_size(alerts); i++)
                        if (alert_rank(json_array_get(alerts, i)) == rank)
                                print_alert(p, json_array_get(alerts, i), &now);
        pen_line(p);
}

static void print_row(Pen *p, const Row *row, const Cell *cells, size_t n) {
        const json_t *vitals = json_object_get(row->json, "vitals");

        pen_cell(p, rank_style(row->rank), row->label, LABEL_WIDTH, false);
        for (size_t i = 0; i < n; i++)
                print_cell(p, json_object_get(vitals, cells[i].vital));
        pen_line(p);
        if (row->rank >= 0)
                print_alerts(p, row);
}

static void print_rows(Pen *p, const Row *rows, size_t n, const Cell *cells, size_t cell_count) {
        char text[64];

        for (size_t i = 0; i < n; i++) {
                const unsigned needs = rows[i].rank >= 0 ? 2 : 1;
                /* one line is kept for saying how many are not shown */
                if (p->view->height > 0 && p->lines_left < needs + (i + 1 < n)) {
                        (void) snprintf(text, sizeof text, "... and %zu more: enlarge the window", n - i);
                        pen_text(p, BOLD, text);
                        pen_line(p);
                        return;
                }
                print_row(p, &rows[i], cells, cell_count);
        }
}

int board_print(FILE *out, const json_t *json, const json_t *status, const BoardView *view) {
        const size_t n = json_array_size(json);
        _cleanup_free_ Row *rows = calloc(n + 1, sizeof *rows);
        Pen pen = { out, view, view->width, view->height };
        Cell cells[CELLS_MAX];

        if (!rows)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                row_read(json_array_get(json, i), &rows[i]);
        qsort(rows, n, sizeof *rows, row_compare);
        const size_t cell_count = choose_cells(rows, n, view->width, cells);
        print_header(&pen, status, n);
        print_titles(&pen, cells, cell_count);
        if (n == 0) {
                pen_text(&pen, DIM, "no subject has a reading yet");
                pen_line(&pen);
        }
        print_rows(&pen, rows, n, cells, cell_count);
        return 0;
}
