/* One recording through the rules, in virtual time. */
#include <errno.h>
#include <math.h>

#include "cli/backtest.h"
#include "cli/text.h"
#include "cli/trial.h"

typedef struct Replay {
        Backtest *b;
        Csv *csv;
        Trial *trial;
        SubjectId subject;
        char name[NAME_MAX_LENGTH];
        double printed[TEXT_LIST_MAX]; /* what --print said last */
        bool has_printed;
        int64_t first_us, now_us, print_us; /* print_us: when --interval is next due */
        uint64_t moments;                   /* different times of rows */
        int failure;                        /* of the callback */
} Replay;

static void replay_done(Replay *r) {
        trial_free(r->trial);
        csv_close(r->csv);
}

/* --- what is told --- */

static void time_text(const Replay *r, int64_t time_us, char ret[static CLOCK_TEXT_SIZE]) {
        if (csv_is_dated(r->csv))
                clock_format(time_us, ret);
        else
                text_offset(time_us, ret);
}

static void print_json(json_t *row) {
        if (row)
                (void) json_dumpf(row, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(row);
}

static json_t *number_json(double v) {
        return isfinite(v) ? json_real(v) : json_null();
}

static void print_event(const Replay *r, const AlertEvent *e) {
        char time[CLOCK_TEXT_SIZE], summary[ALERT_SUMMARY_MAX];
        const char *subject = trial_subject(r->trial, e->subject)->name;

        time_text(r, e->time_us, time);
        if (r->b->values->json) {
                print_json(json_pack("{ss ss sf ss ss ss ss ss so}", "type", "event", "time", time, "time_s",
                                (double) e->time_us / 1e6, "subject", subject, "transition",
                                alert_transition_name(e->transition), "priority", priority_name(e->priority),
                                "rule", e->rule, "summary", e->summary, "value", number_json(e->value)));
                return;
        }
        text_clean(e->summary, summary, sizeof summary);
        printf("%-8s  %s  %-12s  %-9s  %s%s%s\n", time, subject, alert_transition_name(e->transition),
                        priority_name(e->priority), e->rule, *summary ? ": " : "", summary);
}

static void on_event(void *userdata, const AlertEvent *e) {
        Replay *r = userdata;

        int k = burden_event(r->b->burden, e);
        if (k < 0)
                r->failure = k;
        if (!r->b->values->quiet)
                print_event(r, e);
}

static void print_value(const Replay *r, const char *expression, double v) {
        char time[CLOCK_TEXT_SIZE], text[32] = "unknown";

        time_text(r, r->now_us, time);
        if (r->b->values->json) {
                print_json(json_pack("{ss ss sf ss ss so}", "type", "value", "time", time, "time_s",
                                (double) r->now_us / 1e6, "subject", r->name, "expression", expression,
                                "value", number_json(v)));
                return;
        }
        if (isfinite(v))
                (void) snprintf(text, sizeof text, "%.10g", v);
        printf("%-8s  %s  %s = %s\n", time, r->name, expression, text);
}

static bool is_other(double a, double b) {
        return isnan(a) != isnan(b) || (!isnan(a) && a != b);
}

static void print_values(Replay *r, bool all) {
        const TextList *print = &r->b->values->print;

        for (size_t i = 0; i < print->count; i++) {
                double v = trial_probe(r->trial, r->b->probes[i], r->subject);
                if (all || !r->has_printed || is_other(v, r->printed[i]))
                        print_value(r, print->items[i], v);
                r->printed[i] = v;
        }
        r->has_printed = true;
}

/* --- time --- */

static int advance(Replay *r, int64_t time_us) {
        int k = trial_advance(r->trial, time_us);

        r->now_us = time_us;
        return k < 0 ? k : r->failure;
}

/* All of the rows up to now are in: what does --print say of them, and of the time before the next one? */
static int settle(Replay *r, int64_t before_us) {
        const int64_t interval_us = r->b->values->interval_us;
        int k;

        if (r->b->values->print.count == 0)
                return 0;
        if (interval_us == 0) {
                k = advance(r, r->now_us);
                if (k == 0)
                        print_values(r, false);
                return k;
        }
        for (; r->print_us < before_us; r->print_us += interval_us) {
                k = advance(r, r->print_us);
                if (k < 0)
                        return k;
                print_values(r, true);
        }
        return 0;
}

static int feed(Replay *r, const CsvRow *row) {
        for (size_t i = 0; i < row->count; i++) {
                int k = trial_feed(r->trial, r->subject, row->values[i].vital, row->values[i].value,
                                row->time_us);
                if (k < 0)
                        return k;
                r->b->implausible += k == TRIAL_IMPLAUSIBLE;
                r->b->readings++;
                r->b->of_vital[row->values[i].vital]++;
        }
        return r->failure;
}

static int take_row(Replay *r, const CsvRow *row) {
        int k = 0;

        if (r->moments == 0)
                r->first_us = r->print_us = row->time_us;
        else if (row->time_us > r->now_us)
                k = settle(r, row->time_us);
        if (k < 0)
                return k;
        r->moments += r->moments == 0 || row->time_us > r->now_us;
        r->now_us = row->time_us;
        return feed(r, row);
}

/* What the last row says holds as long as rows are apart. */
static int finish(Replay *r) {
        if (r->moments == 0)
                return 0;
        const int64_t span_us = r->now_us - r->first_us;
        const int64_t step_us = r->moments > 1 ? span_us / (int64_t) (r->moments - 1) : 0;
        const int64_t end_us = r->now_us + step_us;

        int k = settle(r, r->now_us + 1);
        if (k == 0)
                k = advance(r, end_us);
        return k < 0 ? k : burden_end(r->b->burden, end_us, span_us + step_us);
}

/* --- a recording --- */

/* bidmc_01_Numerics.csv is subject "bidmc_01_Numerics". */
static void subject_name(const char *path, char ret[static NAME_MAX_LENGTH]) {
        const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
        const char *dot = strrchr(base, '.');
        size_t n = dot && dot > base ? (size_t) (dot - base) : strlen(base);

        n = MIN(n, (size_t) NAME_MAX_LENGTH - 1);
        memcpy(ret, base, n);
        ret[n] = '\0';
        for (char *p = ret; *p; p++) {
                const char one[2] = { *p, '\0' };
                if (!name_is_valid(one) && (*p != '.' || p == ret))
                        *p = '_';
        }
}

/* A look ahead: TIME_NONE where the label never comes. */
static int find_label(const char *path, const CsvOptions *o, int64_t *ret, Error *e) {
        _cleanup_(csv_closep) Csv *csv = NULL;
        CsvRow row;

        *ret = TIME_NONE;
        int r = o->label ? csv_open(path, o, &csv, e) : 0;
        while (csv && r == 0 && *ret == TIME_NONE) {
                r = csv_next(csv, &row, e);
                if (r == 0 && row.positive)
                        *ret = row.time_us;
        }
        return r == -ENODATA ? 0 : r;
}

static int open_recording(Replay *r, const char *path, Error *e) {
        Backtest *b = r->b;
        const CsvOptions csv = {
                .catalogue = b->catalogue,
                .map = b->values->map ? &b->map : NULL,
                .label = b->values->label,
        };
        const TrialOptions trial = {
                .catalogue = b->catalogue,
                .rules = b->rules,
                .acknowledge_after_us = b->values->acknowledge_after_us,
                .without_holdoff = b->values->without_holdoff,
                .fn = on_event,
                .userdata = r,
        };
        int64_t label_us;

        int k = find_label(path, &csv, &label_us, e);
        if (k == 0)
                k = csv_open(path, &csv, &r->csv, e);
        if (k < 0)
                return k;
        burden_begin(b->burden, label_us);
        subject_name(path, r->name);
        k = trial_new(&trial, &r->trial);
        if (k == 0)
                k = trial_add_subject(r->trial, r->name, b->kind, r->name, &r->subject);
        return k < 0 ? error_set(e, k, "%s: %s", path, strerror(-k)) : 0;
}

int backtest_replay(Backtest *b, const char *path, Error *e) {
        _cleanup_(replay_done) Replay r = { .b = b };
        CsvRow row;

        int k = open_recording(&r, path, e);
        while (k == 0) {
                k = csv_next(r.csv, &row, e);
                if (k == -ENODATA)
                        break;
                if (k == 0 && (k = take_row(&r, &row)) < 0)
                        (void) error_set(e, k, "%s: %s", path, strerror(-k));
                if (b->shows_progress)
                        progress_update(&b->progress, b->done + csv_position(r.csv), b->total);
        }
        if (k == -ENODATA && (k = finish(&r)) < 0)
                (void) error_set(e, k, "%s: %s", path, strerror(-k));
        if (k < 0)
                return k;
        b->passed_over += csv_passed_over(r.csv);
        b->done += csv_position(r.csv);
        return 0;
}
