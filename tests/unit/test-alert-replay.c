/* A restart: alerts come back from the store, what was pending and what kept firing from the readings that are replayed.
 * From then on everything goes on as if nothing had happened. */
#include "alert-fixture.h"

#define S USEC_PER_SEC

static const AlertRule low = { .name = "Low", .priority = PRIORITY_HIGH };

/* --- case by case --- */

#define RULE(f, k, r, l)                                                                                    \
        {                                                                                                   \
                .name = "R", .priority = PRIORITY_HIGH, .for_us = (f) *S, .keep_firing_us = (k) *S,         \
                .reraise_us = (r) *S, .latch = (l)                                                          \
        }

static const struct {
        const char *what;
        AlertRule rule;
        const char *before; /* the restart */
        double down, up;
        const char *after, *events;
} restarts[] = {
        { "`for` runs", RULE(10, 0, 0, false), "1T 5T", 6, 7, "8T 12?", "11 raised" },
        { "`for` runs, no reading after that", RULE(10, 0, 0, false), "1T 5T", 6, 7, "99?", "11 raised" },
        { "`for` runs out while it is down", RULE(10, 0, 0, false), "1T 5T", 6, 20, "21T", "11 raised" },
        { "and is false then", RULE(10, 0, 0, false), "1T 5T", 6, 20, "21F", "11 raised, 21 resolved" },
        { "`for` began anew", RULE(10, 0, 0, false), "1T 5F 6T", 8, 12, "13? 20T", "16 raised" },
        { "unknown in the middle of `for`", RULE(10, 0, 0, false), "1T 5U 6T", 8, 12, "20T", "16 raised" },
        { "it kept firing", RULE(0, 30, 0, false), "1T 5F", 8, 12, "34? 36?", "1 raised, 35 resolved" },
        { "it kept firing until it was down", RULE(0, 30, 0, false), "1T 5F", 8, 60, "61T",
                        "1 raised, 35 resolved, 61 raised" },
        { "unknown in the middle of that", RULE(0, 30, 0, false), "1T 5F 7U", 8, 60, "61U 99?", "1 raised" },
        { "raised and over before", RULE(0, 0, 0, false), "1T 2F 3T 4F", 8, 9, "10F 99?",
                        "1 raised, 2 resolved, 3 raised, 4 resolved" },
        { "over and pending again", RULE(10, 5, 0, false), "1T 12F 20T", 25, 26, "28T 99?",
                        "11 raised, 17 resolved, 30 raised" },
        { "latched", RULE(0, 0, 0, true), "1T 5F", 8, 9, "99A",
                        "1 raised, 5 latched, 99 acknowledged, 99 resolved" },
        { "latched, true again", RULE(0, 0, 0, true), "1T 5F", 8, 9, "99T 100F",
                        "1 raised, 5 latched, 99 reraised, 100 latched" },
        { "latched, true again too soon", RULE(0, 0, 0, true), "1T 5F 6T", 8, 9, "99?",
                        "1 raised, 5 latched, 61 reraised" },
        { "latched, true again too soon, over again", RULE(0, 30, 0, true), "1T 5F 36T 37F", 40, 41, "99?",
                        "1 raised, 35 latched" },
        { "it keeps firing, then latches", RULE(0, 30, 0, true), "1T 5F", 8, 60, "99F",
                        "1 raised, 35 latched" },
        { "latched, then acknowledged: over", RULE(0, 0, 0, true), "1T 5F 6A", 8, 9, "10F 11T",
                        "1 raised, 5 latched, 6 acknowledged, 6 resolved, 11 raised" },
        { "latched, acknowledged, pending", RULE(10, 0, 0, true), "1T 12F 13A 14T", 18, 19, "99T",
                        "11 raised, 12 latched, 13 acknowledged, 13 resolved, 24 raised" },
        { "acknowledged", RULE(0, 0, 0, false), "1T 5A 6T", 8, 9, "99F",
                        "1 raised, 5 acknowledged, 99 resolved" },
        { "acknowledged, and to be raised again", RULE(0, 0, 50, false), "1T 5A 6T", 8, 9, "99F",
                        "1 raised, 5 acknowledged, 55 reraised, 99 resolved" },
        { "raised again while it was down", RULE(0, 0, 50, false), "1T 5A 6T", 8, 90, "99F",
                        "1 raised, 5 acknowledged, 55 reraised, 99 resolved" },
        { "acknowledged, no reading since", RULE(0, 0, 50, false), "1T 5A", 8, 9, "99U",
                        "1 raised, 5 acknowledged, 55 reraised" },
        { "raised again before", RULE(0, 0, 3, false), "1T 5A 6T 9?", 10, 11, "12T 99F",
                        "1 raised, 5 acknowledged, 8 reraised, 99 resolved" },
        { "acknowledged while it keeps firing", RULE(0, 30, 3, true), "1T 5F 7A", 8, 9, "99?",
                        "1 raised, 7 acknowledged, 35 resolved" },
};

static void bench_restart(Bench *b) {
        alert_manager_free(b->manager);
        assert_int_equal(alert_manager_new(b->registry, bench_record, b, &b->manager), 0);
}

/* The newest event of each alert that isn't over, as a store has them. */
static void bench_restore(Bench *b) {
        size_t told = b->count;

        assert_true(told <= EVENTS_MAX);
        for (size_t i = 0; i < told; i++) {
                size_t newest = i;

                for (size_t k = i; k < told; k++)
                        if (strcmp(b->events[k].id, b->events[i].id) == 0)
                                newest = k;
                if (newest == i && b->events[i].state != ALERT_RESOLVED)
                        assert_int_equal(restore_by(b->manager, &b->events[i], NULL, WALL), 0);
        }
        assert_int_equal(b->count, told);
}

/* The script without what people did. */
static void replay(
                Bench *b, const AlertRule *rule, const char *script, double begin, double down, double up) {
        char outcomes[256];
        size_t n = 0;
        Stamp now = stamp(up);

        alert_manager_replay_begin(b->manager, stamp(down).mono_us);
        for (const char *at = script; *at; at += strspn(at, " ")) {
                size_t len = strcspn(at, " ");

                if (at[len - 1] != 'A' && at[len - 1] != '?')
                        n += (size_t) snprintf(outcomes + n, sizeof outcomes - n, "%.*s ", (int) len, at);
                at += len;
        }
        outcomes[n] = '\0';
        play(b, rule, outcomes, begin);
        alert_manager_replay_end(b->manager, &now);
}

static void a_restart_is_not_noticed(void **state) {
        Bench *b = *state;
        char events[512];

        for (size_t i = 0; i < ELEMENTS(restarts); i++)
                for (int restarted = 0; restarted < 2; restarted++) {
                        double begin = (double) i * 1000000 + restarted * 500000;
                        double down = begin + restarts[i].down, up = begin + restarts[i].up;

                        play(b, &restarts[i].rule, restarts[i].before, begin);
                        tick(b, down);
                        if (restarted) {
                                bench_restart(b);
                                bench_restore(b);
                                replay(b, &restarts[i].rule, restarts[i].before, begin, down, up);
                        }
                        play(b, &restarts[i].rule, restarts[i].after, begin);
                        told(b, begin, events);
                        if (strcmp(events, restarts[i].events) != 0)
                                fail_msg("%s, %s: %s", restarts[i].what,
                                                restarted ? "restarted" : "not restarted", events);
                        bench_restart(b);
                        b->count = 0;
                }
}

/* --- what a store may bring --- */

static void a_restored_alert_goes_on(void **state) {
        Bench *b = *state;

        is(b, &low, b->p1, TRUTH_TRUE, 5, 0);
        AlertEvent raised = *event(b, "Low", TRANSITION_RAISED, 0);
        bench_restart(b);
        assert_int_equal(restore_by(b->manager, &raised, NULL, WALL), 0);
        nothing(b);
        assert_int_equal(active(b), 1);
        is(b, &low, b->p1, TRUTH_TRUE, 5, 100);
        nothing(b);
        is(b, &low, b->p1, TRUTH_FALSE, 9, 101);
        const AlertEvent *e = event(b, "Low", TRANSITION_RESOLVED, 101);
        assert_string_equal(e->id, raised.id);
        assert_string_equal(e->summary, raised.summary);
}

static void what_makes_no_sense_is_refused(void **state) {
        Bench *b = *state;

        is(b, &low, b->p1, TRUTH_TRUE, 5, 0);
        AlertEvent raised = *event(b, "Low", TRANSITION_RAISED, 0), e;
        assert_int_equal(restore_by(b->manager, &raised, NULL, WALL), -EEXIST);
        bench_restart(b);
        e = raised;
        e.state = ALERT_RESOLVED;
        assert_int_equal(restore_by(b->manager, &e, NULL, WALL), -EINVAL);
        e.state = ALERT_PENDING;
        assert_int_equal(restore_by(b->manager, &e, NULL, WALL), -EINVAL);
        e = raised;
        e.subject = 12345;
        assert_int_equal(restore_by(b->manager, &e, NULL, WALL), -EINVAL);
        e = raised;
        memset(e.rule, 'r', sizeof e.rule);
        assert_int_equal(restore_by(b->manager, &e, NULL, WALL), -EINVAL);
        assert_int_equal(active(b), 0);
        e = raised;
        e.raised_us = TIME_NONE; /* ledgers did not always keep it */
        assert_int_equal(restore_by(b->manager, &e, NULL, WALL), 0);
}

static void the_end_may_have_come_between_acknowledged_and_resolved(void **state) {
        Bench *b = *state;
        Stamp now = stamp(30);
        AlertRule r = low;

        r.latch = true;
        play(b, &r, "1T 5F 20A", 0);
        assert_int_equal(b->count, 4);
        AlertEvent acknowledged = b->events[2];
        bench_restart(b);
        b->count = 0;
        assert_int_equal(restore_by(b->manager, &acknowledged, NULL, WALL), 0);
        alert_manager_replay_begin(b->manager, stamp(20).mono_us);
        alert_manager_replay_end(b->manager, &now);
        assert_int_equal(b->count, 1);
        assert_int_equal(b->events[0].transition, TRANSITION_RESOLVED);
        assert_int_equal(b->events[0].time_us, stamp(20).wall_us + 1);
        assert_int_equal(b->events[0].ended_us, stamp(5).wall_us);
        assert_string_equal(b->events[0].who, "uid:1000");
}

static void a_silent_one_that_was_acknowledged_is_raised_again(void **state) {
        Bench *b = *state;
        Stamp now = stamp(30);
        AlertRule r = low;

        r.reraise_us = 50 * S;
        play(b, &r, "1T 10A", 0);
        AlertEvent acknowledged = b->events[1];
        bench_restart(b);
        b->count = 0;
        assert_int_equal(restore_by(b->manager, &acknowledged, &r, WALL), 0);
        alert_manager_replay_begin(b->manager, stamp(20).mono_us);
        alert_manager_replay_end(b->manager, &now);
        assert_int_equal(b->count, 0);
        tick(b, 99); /* no outcome ever since */
        (void) event(b, "Low", TRANSITION_RERAISED, 60);
}

/* Back from the store where each of its times is an hour ahead: the clock was set back. */
static void restore_ahead(Bench *b, const AlertEvent *e) {
        bench_restart(b);
        b->count = 0;
        assert_int_equal(restore_by(b->manager, e, NULL, WALL - 3600 * S), 0);
        alert_manager_replay_begin(b->manager, stamp(20).mono_us);
}

static void an_alert_from_the_future_goes_on_from_what_is_recorded(void **state) {
        Bench *b = *state;
        Stamp now = stamp(30);
        AlertRule r = low;

        r.latch = true;
        r.reraise_us = 50 * S;
        play(b, &r, "1T 5F", 0);
        AlertEvent latched = b->events[1];
        restore_ahead(b, &latched);
        alert_manager_replay_end(b->manager, &now);
        play(b, &r, "31T 99?", 0);
        (void) event(b, "Low", TRANSITION_RERAISED, 80);

        assert_int_equal(acknowledge(b, latched.id, 100), 0);
        AlertEvent acknowledged = *event(b, "Low", TRANSITION_ACKNOWLEDGED, 100);
        restore_ahead(b, &acknowledged);
        is(b, &r, b->p1, TRUTH_TRUE, 1, 15);
        alert_manager_replay_end(b->manager, &now);
        tick(b, 99);
        (void) event(b, "Low", TRANSITION_RERAISED, 70);
        is(b, &r, b->p1, TRUTH_FALSE, 5, 100);
        (void) event(b, "Low", TRANSITION_LATCHED, 100);
}

/* Within a boot its own clock counts, whatever the other one has been set to since. */
static void a_clock_that_was_set_moves_nothing(void **state) {
        Bench *b = *state;
        Stamp now = stamp(30);
        AlertRule r = low;

        r.reraise_us = 50 * S;
        is(b, &r, b->p1, TRUTH_TRUE, 5, 0);
        assert_int_equal(acknowledge(b, b->events[0].id, 10), 0);
        AlertEvent acknowledged = b->events[1];
        acknowledged.raised_us += 3600 * S;
        acknowledged.time_us += 3600 * S;
        bench_restart(b);
        b->count = 0;
        assert_int_equal(alert_manager_restore(b->manager, &acknowledged, &r), 0);
        alert_manager_replay_begin(b->manager, stamp(20).mono_us);
        alert_manager_replay_end(b->manager, &now);
        nothing(b);
        tick(b, 59);
        nothing(b);
        tick(b, 60);
        (void) event(b, "Low", TRANSITION_RERAISED, 60);
}

/* As absent() does, or a timer: what raised it is not among what is replayed. */
static void what_was_before_it_was_raised_does_not_end_it(void **state) {
        Bench *b = *state;
        Stamp now = stamp(30);

        play(b, &low, "5F 10T", 0);
        AlertEvent raised = *event(b, "Low", TRANSITION_RAISED, 10);
        bench_restart(b);
        assert_int_equal(restore_by(b->manager, &raised, NULL, WALL), 0);
        alert_manager_replay_begin(b->manager, stamp(20).mono_us);
        play(b, &low, "5F", 0);
        alert_manager_replay_end(b->manager, &now);
        nothing(b);
        assert_int_equal(active(b), 1);
}

/* --- identity --- */

/* Of a device whose clock stands still at 10 s. */
static void stands_still(Bench *b, Truth t, double at) {
        const RuleOutcome o = {
                .subject = b->p1, .truth = t, .time_us = stamp(10).wall_us, .mono_us = stamp(at).mono_us
        };
        Stamp now = stamp(at);

        assert_int_equal(alert_manager_outcome(b->manager, &o, &low, &now), 0);
}

static void restart_standing_still(Bench *b, int outcomes, double down) {
        Stamp now = stamp(down + 1);

        bench_restart(b);
        bench_restore(b);
        alert_manager_replay_begin(b->manager, stamp(down).mono_us);
        for (int i = 0; i < outcomes; i++)
                stands_still(b, i % 2 ? TRUTH_FALSE : TRUTH_TRUE, 11 + i);
        alert_manager_replay_end(b->manager, &now);
}

static void a_since_is_not_used_twice(void **state) {
        Bench *b = *state;

        stands_still(b, TRUTH_TRUE, 11);
        stands_still(b, TRUTH_FALSE, 12);
        stands_still(b, TRUTH_TRUE, 13);
        restart_standing_still(b, 3, 13);
        stands_still(b, TRUTH_FALSE, 14);
        stands_still(b, TRUTH_TRUE, 15);
        stands_still(b, TRUTH_FALSE, 16);
        restart_standing_still(b, 6, 16);
        stands_still(b, TRUTH_TRUE, 20);
        assert_int_equal(b->count, 7);
        for (int i = 0; i < 7; i++)
                assert_int_equal(b->events[i].since_us, stamp(10).wall_us + i / 2);
}

/* --- rules that are not what they were --- */

/* The rule is new: nobody was told of what it would have raised. */
static void what_nobody_was_told_of_is_raised_with_the_next_truth(void **state) {
        Bench *b = *state;
        AlertRule slow = low;
        Stamp now = stamp(90);

        slow.for_us = 20 * S;
        alert_manager_replay_begin(b->manager, stamp(60).mono_us);
        is(b, &low, b->p1, TRUTH_TRUE, 1, 10);
        is(b, &slow, b->p2, TRUTH_TRUE, 1, 10);
        is(b, &low, b->p1, TRUTH_TRUE, 1, 50);
        is(b, &slow, b->p2, TRUTH_TRUE, 1, 50);
        alert_manager_replay_end(b->manager, &now);
        nothing(b);
        assert_int_equal(active(b), 0);
        assert_int_equal(alert_manager_deadline(b->manager), INT64_MAX);
        is(b, &low, b->p1, TRUTH_TRUE, 2, 91);
        assert_int_equal(event(b, "Low", TRANSITION_RAISED, 91)->since_us, stamp(91).wall_us);
        is(b, &slow, b->p2, TRUTH_TRUE, 2, 92);
        assert_int_equal(event(b, "Low", TRANSITION_RAISED, 92)->since_us, stamp(92).wall_us);
        is(b, &slow, b->p2, TRUTH_FALSE, 2, 93);
        (void) event(b, "Low", TRANSITION_RESOLVED, 93);
}

static void or_never_where_it_was_over(void **state) {
        static const Truth ends[] = { TRUTH_FALSE, TRUTH_UNKNOWN };
        Bench *b = *state;
        AlertRule slow = low;

        slow.for_us = 20 * S;
        for (size_t i = 0; i < ELEMENTS(ends); i++) {
                double begin = (double) i * 1000;
                Stamp now = stamp(begin + 90);

                alert_manager_replay_begin(b->manager, stamp(begin + 60).mono_us);
                is(b, &slow, b->p1, TRUTH_TRUE, 1, begin + 10);
                is(b, &slow, b->p1, ends[i], 1, begin + 50);
                is(b, &slow, b->p1, TRUTH_TRUE, 1, begin + 80);
                alert_manager_replay_end(b->manager, &now);
                is(b, &slow, b->p1, TRUTH_TRUE, 1, begin + 91);
                nothing(b);
                tick(b, begin + 100);
                (void) event(b, "Low", TRANSITION_RAISED, begin + 100);
                is(b, &slow, b->p1, TRUTH_FALSE, 1, begin + 101);
                (void) event(b, "Low", TRANSITION_RESOLVED, begin + 101);
        }
}

/* By the rule as it is now it was over while the old one was in force. */
static void what_would_have_ended_ends_after_what_is_recorded(void **state) {
        Bench *b = *state;
        AlertRule keeping = low;
        Stamp now = stamp(90);

        is(b, &low, b->p1, TRUTH_TRUE, 1, 10);
        is(b, &low, b->p2, TRUTH_TRUE, 1, 10);
        AlertEvent first = b->events[0], second = b->events[1];
        b->count = 0;
        bench_restart(b);
        assert_int_equal(restore_by(b->manager, &first, NULL, WALL), 0);
        assert_int_equal(restore_by(b->manager, &second, NULL, WALL), 0);
        keeping.keep_firing_us = 5 * S;
        alert_manager_replay_begin(b->manager, stamp(60).mono_us);
        is(b, &low, b->p1, TRUTH_FALSE, 1, 20);
        is(b, &keeping, b->p2, TRUTH_FALSE, 1, 20);
        is(b, &keeping, b->p2, TRUTH_TRUE, 1, 40); /* that one is true again */
        nothing(b);
        alert_manager_replay_end(b->manager, &now);
        assert_int_equal(b->count, 1);
        assert_string_equal(b->events[0].id, first.id);
        assert_int_equal(b->events[0].transition, TRANSITION_RESOLVED);
        assert_int_equal(b->events[0].time_us, stamp(60).wall_us + 1);
        assert_int_equal(b->events[0].ended_us, stamp(20).wall_us);
        assert_int_equal(active(b), 1);
}

/* --- shed --- */

static void restore_many(Bench *b, AlertEvent *e, int count) {
        for (int i = 0; i < count; i++) {
                (void) snprintf(e->rule, sizeof e->rule, "R%d", i);
                (void) snprintf(e->id, sizeof e->id, "%032d", i);
                assert_int_equal(restore_by(b->manager, e, NULL, WALL), 0);
        }
}

/* Full of what was restored: the replay must not push out what it pushed out, or not, when it was lived. */
static void what_is_restored_is_not_shed_for_what_is_replayed(void **state) {
        Bench *b = *state;
        AlertRule pending = low, medium = low;
        Stamp now = stamp(90);

        medium.priority = PRIORITY_MEDIUM;
        is(b, &medium, b->p1, TRUTH_TRUE, 1, 10);
        AlertEvent e = *event(b, "Low", TRANSITION_RAISED, 10);
        bench_restart(b);
        restore_many(b, &e, ALERTS_MAX - 1);
        pending.name = "Pending";
        pending.priority = PRIORITY_LOW;
        pending.for_us = 60 * S;
        alert_manager_replay_begin(b->manager, stamp(60).mono_us);
        is(b, &pending, b->p1, TRUTH_TRUE, 1, 40);
        is(b, &low, b->p1, TRUTH_TRUE, 1, 50); /* in the place of the one that is pending */
        is(b, &low, b->p2, TRUTH_TRUE, 1, 50);
        alert_manager_replay_end(b->manager, &now);
        nothing(b);
        assert_int_equal(active(b), ALERTS_MAX - 1);
        assert_int_equal(alert_manager_shed(b->manager), 0);
        assert_int_equal(alert_manager_deadline(b->manager), INT64_MAX);
        /* from now on what is high comes first */
        is(b, &low, b->p2, TRUTH_TRUE, 1, 91);
        assert_int_equal(b->count, 2);
        assert_int_equal(b->events[0].transition, TRANSITION_RESOLVED);
        assert_int_equal(b->events[0].priority, PRIORITY_MEDIUM);
        assert_int_equal(b->events[1].transition, TRANSITION_RAISED);
        assert_int_equal(b->events[1].subject, b->p2);
        assert_int_equal(alert_manager_shed(b->manager), 1);
        assert_int_equal(restore_by(b->manager, &e, NULL, WALL), -ENOSPC);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(a_restart_is_not_noticed),
                CASE(a_restored_alert_goes_on),
                CASE(what_makes_no_sense_is_refused),
                CASE(the_end_may_have_come_between_acknowledged_and_resolved),
                CASE(a_silent_one_that_was_acknowledged_is_raised_again),
                CASE(an_alert_from_the_future_goes_on_from_what_is_recorded),
                CASE(a_clock_that_was_set_moves_nothing),
                CASE(what_was_before_it_was_raised_does_not_end_it),
                CASE(a_since_is_not_used_twice),
                CASE(what_nobody_was_told_of_is_raised_with_the_next_truth),
                CASE(or_never_where_it_was_over),
                CASE(what_would_have_ended_ends_after_what_is_recorded),
                CASE(what_is_restored_is_not_shed_for_what_is_replayed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
