/* The parts of `wardstone backtest`: backtest.c reads what is asked for, backtest_replay.c runs one recording through the
 * rules, backtest_report.c says what came of all of them. */
#pragma once

#include "cli/burden.h"
#include "cli/cli.h"
#include "cli/csv.h"
#include "cli/progress.h"

typedef struct BacktestValues {
        TextList rules, print;
        const char *map, *label, *kind;
        int64_t horizon_us, interval_us, acknowledge_after_us;
        bool csv, json, quiet, without_holdoff;
} BacktestValues;

typedef struct Backtest {
        const BacktestValues *values;
        SubjectKind kind;
        Catalogue *catalogue;
        CsvMap map;
        RuleSet *rules;
        size_t probes[TEXT_LIST_MAX]; /* numbers of values->print */
        Burden *burden;
        uint64_t readings, implausible, passed_over;
        uint64_t of_vital[VITALS_MAX];
        Progress progress;
        bool shows_progress;
        uint64_t done, total; /* bytes */
} Backtest;

/* The recording of one subject, in a ward of its own. */
int backtest_replay(Backtest *b, const char *path, Error *e) _must_check_;
int backtest_report(Backtest *b, Error *e) _must_check_;
