/* Transitions of alerts: those that a test expects and those that came, side by side. Pure. */
#pragma once

#include <stdio.h>

#include "model/alert.h"

typedef struct Moment {
        int64_t time_us;
        const char *alert;
        AlertTransition transition;
        const char *subject, *summary; /* of one that is expected, NULL: any */
} Moment;

/* The word for a transition in files of tests: that of the state after it ("active", "resolved"), or its own where it
 * leads into a state that the alert was in before ("latched", "reraised"). */
const char *moment_state(AlertTransition t);
/* The transitions that have one, by AlertTransition, ended by NULL: for tables of choices. */
enum { MOMENT_STATES = TRANSITION_RERAISED + 1 };
extern const char *const moment_states[MOMENT_STATES + 1];

/* Which of the actual each of the expected is: SIZE_MAX where it did not come. What agrees in all that is asked for is
 * paired first, then what differs in time or summary alone. Each is used once. */
void timeline_pair(const Moment *expected, size_t n, const Moment *actual, size_t m, size_t *ret);
/* Whether the actual is what was expected, to the microsecond. */
bool moment_fits(const Moment *expected, const Moment *actual);
/* Two columns in order of time; what differs is marked and said. Both are in order of time. -ENOMEM. */
int timeline_print(FILE *out, const Moment *expected, size_t n, const Moment *actual, size_t m) _must_check_;
