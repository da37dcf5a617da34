/* Expected transitions and those that came, side by side. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "cli/timeline.h"

#define S(n) ((n) *USEC_PER_SEC)

static const Moment expected[] = {
        { S(45), "SpO2Low", TRANSITION_RAISED, NULL, NULL },
        { S(60), "SpO2Low", TRANSITION_RESOLVED, "bed-7", NULL },
        { S(80), "Fever", TRANSITION_RAISED, NULL, "hot" },
        { S(90), "Shock", TRANSITION_RAISED, NULL, NULL },
};
static const Moment actual[] = {
        { S(45), "SpO2Low", TRANSITION_RAISED, "bed-7", "low" },
        { S(50), "HeartRateHigh", TRANSITION_RAISED, "bed-7", "" },
        { S(70), "SpO2Low", TRANSITION_RESOLVED, "bed-7", "low" },
        { S(80), "Fever", TRANSITION_RAISED, "bed-7", "warm" },
};

static void what_agrees_is_paired_before_what_is_similar(void **state) {
        const Moment twice[] = {
                { S(1), "A", TRANSITION_RAISED, NULL, NULL },
                { S(3), "A", TRANSITION_RAISED, NULL, NULL },
        };
        const Moment came[] = {
                { S(2), "A", TRANSITION_RAISED, "x", "" },
                { S(3), "A", TRANSITION_RAISED, "x", "" },
        };
        size_t pairs[ELEMENTS(expected)];

        timeline_pair(twice, 2, came, 2, pairs);
        assert_int_equal(pairs[0], 0);
        assert_int_equal(pairs[1], 1);
        timeline_pair(twice, 2, came + 1, 1, pairs);
        assert_int_equal(pairs[0], SIZE_MAX);
        assert_int_equal(pairs[1], 0);
        timeline_pair(expected, ELEMENTS(expected), actual, ELEMENTS(actual), pairs);
        assert_int_equal(pairs[0], 0);
        assert_int_equal(pairs[1], 2);
        assert_int_equal(pairs[2], 3);
        assert_int_equal(pairs[3], SIZE_MAX);
}

static void another_alert_state_or_subject_is_another_thing(void **state) {
        const Moment want = { S(1), "A", TRANSITION_RAISED, "x", NULL };
        const Moment others[] = {
                { S(1), "B", TRANSITION_RAISED, "x", "" },
                { S(1), "A", TRANSITION_RERAISED, "x", "" },
                { S(1), "A", TRANSITION_RAISED, "y", "" },
        };
        size_t pair;

        timeline_pair(&want, 1, others, ELEMENTS(others), &pair);
        assert_int_equal(pair, SIZE_MAX);
}

static void what_is_not_asked_for_fits(void **state) {
        assert_true(moment_fits(&expected[0], &actual[0]));
        assert_false(moment_fits(&expected[1], &actual[2])); /* time */
        assert_false(moment_fits(&expected[2], &actual[3])); /* summary */
}

static void differences_are_marked_and_said(void **state) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        assert_non_null(out);
        assert_int_equal(timeline_print(out, expected, ELEMENTS(expected), actual, ELEMENTS(actual)), 0);
        (void) fclose(out);
        assert_string_equal(text,
                        "    expected                      | actual\n"
                        "    45s    SpO2Low active         | 45s    SpO2Low active bed-7\n"
                        "  ! -                             | 50s    HeartRateHigh active bed-7  <- not "
                        "expected\n"
                        "  ! 1m     SpO2Low resolved bed-7 | 1m10s  SpO2Low resolved bed-7  <- another "
                        "time\n"
                        "  ! 1m20s  Fever active           | 1m20s  Fever active bed-7  <- another summary\n"
                        "        expected summary: hot\n"
                        "        actual summary:   warm\n"
                        "  ! 1m30s  Shock active           | -  <- missing\n");
        free(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_agrees_is_paired_before_what_is_similar),
                cmocka_unit_test(another_alert_state_or_subject_is_another_thing),
                cmocka_unit_test(what_is_not_asked_for_fits),
                cmocka_unit_test(differences_are_marked_and_said),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
