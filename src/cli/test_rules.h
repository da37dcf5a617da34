/* Files of rule tests: what is measured, and what the rules have to make of it. docs/rules.md has the format. */
#pragma once

#include "cli/rule_paths.h"
#include "cli/timeline.h"

enum {
        TEST_STEPS_MAX = 200000, /* values and whatever else happens in one test */
        TEST_MOMENTS_MAX = 10000,
};

typedef struct TestSubject {
        const char *name, *label;
        int kind; /* SubjectKind */
        YamlNode attributes;
} TestSubject;

/* What happens at one time does so in this order. */
typedef enum StepKind { STEP_SET, STEP_READING, STEP_ACKNOWLEDGE, STEP_PROBE } StepKind;

enum { SUBJECT_ANY = -1 };

typedef struct Step {
        int64_t time_us;
        size_t order; /* of those of one time and kind */
        StepKind kind;
        int subject; /* index of the test's subjects, SUBJECT_ANY where an acknowledgement asks for none */
        union {
                YamlNode attributes; /* STEP_SET */
                struct {
                        VitalId vital;
                        double value;
                } reading;
                const char *alert; /* STEP_ACKNOWLEDGE */
                struct {
                        size_t number;          /* of the rule set */
                        const char *expression; /* as written */
                        double value, within;   /* NaN: unknown */
                } probe;
        };
} Step;

/* Texts are the document's. */
typedef struct RuleTest {
        const char *name;
        RuleSet *rules; /* with the test's own probes */
        TestSubject *subjects;
        size_t subject_count;
        Step *steps; /* in order */
        size_t step_count;
        Moment *expected;
        size_t expected_count;
        int64_t interval_us, end_us;
} RuleTest;

typedef struct TestFile {
        YamlDocument *document;
        Catalogue *catalogue;
        RulePaths rules;
        YamlNode tests;
} TestFile;

int test_file_read(const char *path, TestFile *ret, Error *e) _must_check_;
void test_file_done(TestFile *f);

int rule_test_read(const TestFile *f, const YamlNode *n, RuleTest *ret, Error *e) _must_check_;
void rule_test_done(RuleTest *t);

/* Runs it; 0 where all came as expected, 1 where not: then out has been told. */
int rule_test_run(const RuleTest *t, const Catalogue *c, FILE *out, Error *e) _must_check_;
