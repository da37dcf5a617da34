/* What came of a replay: alarm burden, durations, and with labels what was found, how early, and what was false. */
#include <errno.h>
#include <math.h>

#include "cli/backtest.h"
#include "cli/table.h"

static const double us_per_day = 86400e6;

static double per_day(uint64_t count, int64_t monitored_us) {
        return monitored_us > 0 ? (double) count * us_per_day / (double) monitored_us : (double) NAN;
}

static double share(uint64_t part, uint64_t of) {
        return of > 0 ? (double) part / (double) of : (double) NAN;
}

static void set(json_t *row, const char *key, json_t *value) {
        (void) json_object_set_new(row, key, value);
}

static void set_number(json_t *row, const char *key, double v) {
        set(row, key, isfinite(v) ? json_real(v) : json_null());
}

static void set_count(json_t *row, const char *key, uint64_t n) {
        set(row, key, json_integer((json_int_t) n));
}

/* --- rows --- */

static void add_labelled(json_t *row, const Backtest *b, RuleBurden *rule) {
        const BurdenTotal *total = burden_total(b->burden);

        if (!b->values->label)
                return;
        set_count(row, "found", rule->found);
        set_number(row, "sensitivity", share(rule->found, total->labelled));
        set_number(row, "lead_s", spread_quantile(&rule->leads, 0.5));
        set_count(row, "alarmed", rule->alarmed);
        set_number(row, "false_alarm_rate", share(rule->alarmed, total->subjects - total->labelled));
        set_number(row, "false_per_day", per_day(rule->false_raised, total->unlabelled_us));
}

static json_t *rule_row(const Backtest *b, uint32_t i) {
        const AlertRule *rule = rule_set_rule(b->rules, i);
        RuleBurden *burden = burden_rule(b->burden, i);
        json_t *row = json_pack("{ss ss ss}", "type", "rule", "rule", rule->name, "priority",
                        priority_name(rule->priority));

        if (!row)
                return NULL;
        set_count(row, "raised", burden->raised);
        set_count(row, "again", burden->again);
        set_number(row, "per_day",
                        per_day(burden->raised + burden->again, burden_total(b->burden)->monitored_us));
        set_number(row, "median_s", spread_quantile(&burden->durations, 0.5));
        set_number(row, "p90_s", spread_quantile(&burden->durations, 0.9));
        add_labelled(row, b, burden);
        return row;
}

static json_t *total_row(const Backtest *b) {
        const BurdenTotal *total = burden_total(b->burden);
        json_t *row = json_pack("{ss}", "type", "total"), *values = json_object();
        uint64_t raised = 0;

        if (!row || !values) {
                json_decref(row);
                json_decref(values);
                return NULL;
        }
        set_count(row, "subjects", total->subjects);
        set_number(row, "days", (double) total->monitored_us / us_per_day);
        for (size_t i = 0; i < catalogue_count(b->catalogue); i++)
                if (b->of_vital[i] > 0)
                        set_count(values, catalogue_at(b->catalogue, (VitalId) i)->name, b->of_vital[i]);
        set(row, "values", values);
        set_count(row, "implausible", b->implausible);
        set_count(row, "passed_over", b->passed_over);
        for (int p = PRIORITY_HIGH; p >= PRIORITY_TECHNICAL; p--) {
                set_count(row, priority_name((Priority) p), total->by_priority[p]);
                raised += total->by_priority[p];
        }
        set_count(row, "raised", raised);
        set_number(row, "per_day", per_day(raised, total->monitored_us));
        if (b->values->label) {
                set_count(row, "labelled", total->labelled);
                add_labelled(row, b, burden_rule(b->burden, rule_set_count(b->rules)));
        }
        return row;
}

static int print_json(const Backtest *b) {
        for (uint32_t i = 0; i <= rule_set_count(b->rules); i++) {
                json_t *row = i < rule_set_count(b->rules) ? rule_row(b, i) : total_row(b);
                if (!row)
                        return -ENOMEM;
                (void) json_dumpf(row, stdout, JSON_COMPACT);
                putchar('\n');
                json_decref(row);
        }
        return 0;
}

/* --- for people --- */

/* Two digits that count are enough. */
static void show_rate(json_t *row, const char *key) {
        const json_t *value = json_object_get(row, key);
        char text[32] = "-";

        if (json_is_real(value)) {
                double v = json_real_value(value);
                (void) snprintf(text, sizeof text, "%.*f", v >= 10 || v == 0 ? 0 : v >= 1 ? 1 : 2, v);
        }
        set(row, key, json_string(text));
}

static void show_share(json_t *row, const char *key) {
        const json_t *value = json_object_get(row, key);
        char text[32] = "-";

        if (json_is_real(value))
                (void) snprintf(text, sizeof text, "%.0f %%", json_real_value(value) * 100);
        set(row, key, json_string(text));
}

static void show_duration(json_t *row, const char *key) {
        const json_t *value = json_object_get(row, key);
        char text[CLOCK_TEXT_SIZE] = "-";

        if (json_is_real(value)) { /* to the second, from ten minutes on to the minute */
                double v = json_real_value(value), unit = fabs(v) < 600 ? 1 : 60;
                text_offset((int64_t) (round(v / unit) * unit) * USEC_PER_SEC, text);
        }
        set(row, key, json_string(text));
}

static void show(json_t *row) {
        show_rate(row, "per_day");
        show_duration(row, "median_s");
        show_duration(row, "p90_s");
        show_share(row, "sensitivity");
        show_duration(row, "lead_s");
        show_share(row, "false_alarm_rate");
        show_rate(row, "false_per_day");
}

static int print_rules(const Backtest *b) {
        static const Column columns[] = {
                { "RULE", "rule", COLUMN_TEXT, 0 },
                { "PRIORITY", "priority", COLUMN_TEXT, 0 },
                { "RAISED", "raised", COLUMN_NUMBER, 0 },
                { "AGAIN", "again", COLUMN_NUMBER, 0 },
                { "PER DAY", "per_day", COLUMN_NUMBER, 0 },
                { "MEDIAN", "median_s", COLUMN_NUMBER, 0 },
                { "P90", "p90_s", COLUMN_NUMBER, 0 },
                { "FOUND", "sensitivity", COLUMN_NUMBER, 0 }, /* from here on with labels */
                { "LEAD", "lead_s", COLUMN_NUMBER, 0 },
                { "FALSE", "false_alarm_rate", COLUMN_NUMBER, 0 },
                { "FALSE/DAY", "false_per_day", COLUMN_NUMBER, 0 },
        };
        _cleanup_(table_freep) Table *t = NULL;

        int r = table_new(stdout, columns, b->values->label ? ELEMENTS(columns) : 7, &t);
        for (uint32_t i = 0; r == 0 && i < rule_set_count(b->rules); i++) {
                json_t *row = rule_row(b, i);
                if (!row)
                        return -ENOMEM;
                show(row);
                r = table_add(t, row);
                json_decref(row);
        }
        if (r == 0)
                table_flush(t);
        return r;
}

static void print_measured(const Backtest *b) {
        const BurdenTotal *t = burden_total(b->burden);
        const double days = (double) t->monitored_us / us_per_day;
        const char *between = "";

        printf("%llu recording%s, %.*f monitored days; values: ", (unsigned long long) t->subjects,
                        t->subjects == 1 ? "" : "s", days >= 10 ? 0 : 2, days);
        for (size_t i = 0; i < catalogue_count(b->catalogue); i++)
                if (b->of_vital[i] > 0) {
                        printf("%s%s %llu", between, catalogue_at(b->catalogue, (VitalId) i)->name,
                                        (unsigned long long) b->of_vital[i]);
                        between = ", ";
                }
        puts(*between ? "" : "none");
        if (b->implausible > 0)
                printf("%llu implausible values were not seen by rules\n",
                                (unsigned long long) b->implausible);
        if (b->passed_over > 0)
                printf("%llu rows were passed over: their time runs back\n",
                                (unsigned long long) b->passed_over);
}

static void print_total(const Backtest *b, json_t *total) {
        const BurdenTotal *t = burden_total(b->burden);
        char text[TEXT_MAX];

        show(total);
        text_json(json_object_get(total, "per_day"), text, sizeof text);
        printf("%lld alerts, %s a monitored day: ",
                        (long long) json_integer_value(json_object_get(total, "raised")), text);
        for (int p = PRIORITY_HIGH; p >= PRIORITY_TECHNICAL; p--)
                printf("%s %llu%s", priority_name((Priority) p), (unsigned long long) t->by_priority[p],
                                p > PRIORITY_TECHNICAL ? ", " : "\n");
        if (!b->values->label)
                return;
        printf("%s: %llu of %llu recordings; ", b->values->label, (unsigned long long) t->labelled,
                        (unsigned long long) t->subjects);
        printf("any rule but technical ones found %s of them, %s before (median), and alarmed for %s of the "
               "others, ",
                        json_string_value(json_object_get(total, "sensitivity")),
                        json_string_value(json_object_get(total, "lead_s")),
                        json_string_value(json_object_get(total, "false_alarm_rate")));
        printf("%s times a day\n", json_string_value(json_object_get(total, "false_per_day")));
}

int backtest_report(Backtest *b, Error *e) {
        if (b->values->json)
                return print_json(b) < 0 ? error_set(e, -ENOMEM, "out of memory") : 0;
        json_t *total = total_row(b);
        if (!total)
                return error_set(e, -ENOMEM, "out of memory");
        print_measured(b);
        putchar('\n');
        int r = print_rules(b);
        putchar('\n');
        print_total(b, total);
        json_decref(total);
        return r < 0 ? error_set(e, r, "out of memory") : 0;
}
