/* What a reading costs in rules and alerts alone: bench-rules SET RULES SUBJECTS
 * Prints one line of JSON. Under callgrind with --toggle-collect=drive* the instructions divided by `readings` are the
 * price of one: whatever has to be made first has been made, and windows are full. */
#include <errno.h>
#include <stdio.h>

#include "alert/alert.h"
#include "rules/rules.h"

#define ROUND_US   (5 * USEC_PER_SEC) /* each subject's heart rate */
#define WALL_START (INT64_C(1790000000) * USEC_PER_SEC)

enum {
        TEXT_MAX = 64 * 1024,
        ROUNDS_BEFORE = 130, /* more than the longest window */
        ROUNDS_MIN = 24,     /* two minutes: every timer has come up */
        READINGS_MIN = 2400,
};

/* The first is the one that is measured. */
static const char *const vitals[] = { "hr", "spo2", "rr", "temp", "sbp", "dbp", "map", "pulse", "glucose",
        "weight", "height", "pi", "battery", "ambient_temp", "humidity" };

static const char *const statistics[] = { "mean(hr, 1m)", "min(hr, 1m)", "max(hr, 1m)", "stddev(hr, 1m)",
        "zscore(hr, 1m)", "median(hr, 1m)", "mean(hr, 10m)", "min(hr, 10m)", "max(hr, 10m)",
        "stddev(hr, 10m)", "zscore(hr, 10m)", "median(hr, 10m)" };

typedef struct Bench {
        Catalogue *catalogue;
        Registry *registry;
        RuleSet *set;
        RuleEngine *engine;
        AlertManager *alerts;
        VitalId measured;
        uint32_t subjects; /* 0 to subjects - 1 of the registry */
        Stamp now;
        uint32_t random;
        uint64_t outcomes, events;
        int r; /* of the first failure */
} Bench;

static void fail(Bench *b, int r) {
        if (b->r == 0 && r < 0)
                b->r = r;
}

static void count_event(void *userdata, const AlertEvent *e) {
        Bench *b = userdata;
        b->events++;
}

static void take(void *userdata, const RuleOutcome *o) {
        Bench *b = userdata;

        b->outcomes++;
        fail(b, alert_manager_outcome(b->alerts, o, rule_set_rule(b->set, o->rule), &b->now));
}

/* What rule i looks at: none of them is ever true. */
static const char *operand(const char *set, unsigned i) {
        if (streq(set, "one"))
                return i == 0 ? vitals[0] : vitals[1 + i % (ELEMENTS(vitals) - 1)];
        if (streq(set, "spread"))
                return vitals[i % ELEMENTS(vitals)];
        if (streq(set, "all"))
                return vitals[0];
        if (streq(set, "windows"))
                return statistics[i % ELEMENTS(statistics)];
        return NULL;
}

static int write_rules(const char *set, unsigned rules, char ret[static TEXT_MAX]) {
        int n = snprintf(ret, TEXT_MAX, "groups:\n  - name: bench\n    rules:\n");

        for (unsigned i = 0; i < rules; i++) {
                const char *what = operand(set, i);
                if (!what || n >= TEXT_MAX)
                        return -EINVAL;
                n += snprintf(ret + n, (size_t) (TEXT_MAX - n),
                                "      - {alert: R%u, expr: \"%s > %u\"%s}\n", i, what, 100000 + i,
                                i % 2 > 0 ? ", for: 10s" : "");
        }
        return n < TEXT_MAX ? 0 : -EINVAL;
}

static int read_rules(Bench *b, const char *set, unsigned rules) {
        static char text[TEXT_MAX];
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;
        Error e = { 0 };

        int r = write_rules(set, rules, text);
        if (r == 0)
                r = yaml_load("rules", BYTES_STRING(text), &d, &e);
        if (r == 0) {
                YamlNode root = yaml_root(d);
                r = rule_set_read(b->set, &root, &e);
        }
        if (r < 0)
                (void) fprintf(stderr, "%s\n", e.message);
        return r;
}

static int add_subjects(Bench *b, uint32_t subjects) {
        char name[NAME_MAX_LENGTH];
        int r = 0;

        b->subjects = subjects;
        for (uint32_t i = 0; r == 0 && i < subjects; i++) {
                SubjectId id;
                (void) snprintf(name, sizeof name, "stay-%04u", (unsigned) i);
                r = registry_add_subject(b->registry, name, SUBJECT_PATIENT, &id);
        }
        return r;
}

static int set_up(Bench *b, const char *set, unsigned rules, uint32_t subjects) {
        int r = catalogue_new(&b->catalogue);

        if (r == 0)
                r = registry_new(&b->registry);
        if (r == 0)
                r = add_subjects(b, subjects);
        if (r == 0)
                r = rule_set_new(b->catalogue, &b->set);
        if (r == 0)
                r = read_rules(b, set, rules);
        if (r == 0)
                r = alert_manager_new(b->registry, count_event, b, &b->alerts);
        if (r == 0)
                r = rule_engine_new(b->set, b->registry, take, b, &b->engine);
        return r;
}

static void tear_down(Bench *b) {
        rule_engine_free(b->engine);
        alert_manager_free(b->alerts);
        rule_set_free(b->set);
        registry_free(b->registry);
        catalogue_free(b->catalogue);
}

static void give(Bench *b, SubjectId subject, VitalId vital) {
        b->random = b->random * 1664525 + 1013904223;
        Reading r = {
                .subject = subject,
                .vital = vital,
                .value = 60 + (double) (b->random >> 28),
                .device_time_us = TIME_NONE,
                .stamp = b->now,
        };
        fail(b, rule_engine_reading(b->engine, &r, b->now.mono_us));
}

/* One heart rate of each subject, evenly in time. */
static void go_round(Bench *b) {
        for (uint32_t i = 0; i < b->subjects; i++) {
                b->now.mono_us += ROUND_US / b->subjects;
                b->now.wall_us += ROUND_US / b->subjects;
                give(b, i, b->measured);
        }
}

/* A reading of all there is, then only of what is measured: the others are stale when it begins. */
static void warm_up(Bench *b) {
        b->measured = catalogue_find(b->catalogue, vitals[0])->id;
        for (uint32_t i = 0; i < b->subjects; i++)
                for (size_t v = 0; v < ELEMENTS(vitals); v++)
                        give(b, i, catalogue_find(b->catalogue, vitals[v])->id);
        for (unsigned i = 0; i < ROUNDS_BEFORE; i++)
                go_round(b);
}

/* What callgrind counts. */
__attribute__((noinline)) static void drive(Bench *b, unsigned rounds) {
        for (unsigned i = 0; i < rounds; i++)
                go_round(b);
}

static int run(Bench *b) {
        unsigned rounds = MAX((unsigned) ROUNDS_MIN, READINGS_MIN / b->subjects);

        warm_up(b);
        b->outcomes = 0;
        drive(b, rounds);
        if (b->r < 0)
                return b->r;
        printf("{\"readings\": %u, \"outcomes\": %llu, \"events\": %llu, \"memory\": %zu}\n",
                        rounds * b->subjects, (unsigned long long) b->outcomes,
                        (unsigned long long) b->events, rule_engine_memory(b->engine));
        return 0;
}

int main(int argc, char **argv) {
        Bench b = { .now = { .wall_us = WALL_START, .mono_us = USEC_PER_SEC, .synchronised = true } };
        unsigned long rules = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
        unsigned long subjects = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;

        if (rules < 1 || rules > RULES_MAX || subjects < 1 || subjects > SUBJECTS_MAX) {
                (void) fprintf(stderr, "usage: bench-rules one|spread|all|windows RULES SUBJECTS\n");
                return 2;
        }
        int r = set_up(&b, argv[1], (unsigned) rules, (uint32_t) subjects);
        if (r == 0)
                r = run(&b);
        tear_down(&b);
        if (r < 0)
                (void) fprintf(stderr, "bench-rules: %s\n", strerror(-r));
        return r < 0;
}
