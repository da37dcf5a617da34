/* The life of alerts: what raises one, what resolves it, what neither does; what an event says. */
#include "alert-fixture.h"

#define S USEC_PER_SEC

static const AlertRule low = {
        .name = "Low", .priority = PRIORITY_HIGH, .labels = "team=resp", .hash = { 1 }
};
static const AlertRule slow = { .name = "Slow",
        .priority = PRIORITY_MEDIUM,
        .for_us = 10 * S,
        .keep_firing_us = 30 * S,
        .hash = { 2 } };
static const AlertRule latching = { .name = "Latching", .priority = PRIORITY_HIGH, .latch = true };

/* Rule by its seconds: for, keep_firing_for, reraise_after, latch. */
#define RULE(f, k, r, l)                                                                                    \
        {                                                                                                   \
                .name = "R", .priority = PRIORITY_HIGH, .for_us = (f) *S, .keep_firing_us = (k) *S,         \
                .reraise_us = (r) *S, .latch = (l)                                                          \
        }

static const struct {
        const char *what;
        AlertRule rule;
        const char *script, *events;
} lives[] = {
        { "truth raises", RULE(0, 0, 0, false), "1F 2T 3T 4T", "2 raised" },
        { "falsehood resolves", RULE(0, 0, 0, false), "2T 4F 5F 6T", "2 raised, 4 resolved, 6 raised" },
        { "unknown neither raises nor resolves", RULE(0, 0, 0, false), "1U 2T 4U 5T 6U 999?", "2 raised" },

        { "the condition has to last", RULE(10, 0, 0, false), "1T 6T 10.9?", "" },
        { "it has lasted", RULE(10, 0, 0, false), "1T 6T 11?", "11 raised" },
        { "it has lasted, nobody looked", RULE(10, 0, 0, false), "1T 99T", "11 raised" },
        { "false ends `for`", RULE(10, 0, 0, false), "1T 10F 11T 20? 20.5F 99?", "" },
        { "unknown ends `for`", RULE(10, 0, 0, false), "1T 10U 11T 20? 20.5F 99?", "" },
        { "false just when `for` is over", RULE(10, 0, 0, false), "1T 11F 99?", "" },

        { "it keeps firing", RULE(0, 30, 0, false), "0T 20F 40F 49?", "0 raised" },
        { "until falsehood has lasted", RULE(0, 30, 0, false), "0T 20F 40F 50?", "0 raised, 50 resolved" },
        { "truth begins it anew", RULE(0, 30, 0, false), "0T 20F 49T 60F 89?", "0 raised" },
        { "and again", RULE(0, 30, 0, false), "0T 20F 49T 60F 99?", "0 raised, 90 resolved" },
        { "unknown begins it anew", RULE(0, 30, 0, false), "0T 20F 30U 999? 1000F 1029?", "0 raised" },
        { "falsehood lasted after that", RULE(0, 30, 0, false), "0T 20F 30U 1000F 1030?",
                        "0 raised, 1030 resolved" },
        { "nobody looked while it kept firing", RULE(10, 30, 0, false), "0T 20F 99T 999?",
                        "10 raised, 50 resolved, 109 raised" },

        { "latched until acknowledged", RULE(0, 0, 0, true), "0T 5F 9F 99U 100A",
                        "0 raised, 5 latched, 100 acknowledged, 100 resolved" },
        { "latched when it has kept firing", RULE(0, 30, 0, true), "0T 5F 99? 100A",
                        "0 raised, 35 latched, 100 acknowledged, 100 resolved" },
        { "true while latched: raised again", RULE(0, 0, 0, true), "0T 5F 99T 200T",
                        "0 raised, 5 latched, 99 reraised" },
        { "latched again after that", RULE(0, 0, 0, true), "0T 5F 99T 100F",
                        "0 raised, 5 latched, 99 reraised, 100 latched" },
        { "acknowledged before the end does not latch", RULE(0, 0, 0, true), "0T 3A 5F",
                        "0 raised, 3 acknowledged, 5 resolved" },
        { "not sooner than a minute", RULE(0, 0, 0, true), "0T 5F 6T 59?", "0 raised, 5 latched" },
        { "raised again when the minute is over", RULE(0, 0, 0, true), "0T 5F 6T 99?",
                        "0 raised, 5 latched, 60 reraised" },
        { "not where it is over again by then", RULE(0, 0, 0, true), "0T 5F 6T 7F 99?",
                        "0 raised, 5 latched" },
        { "but with the next truth", RULE(0, 0, 0, true), "0T 5F 6T 7F 99T",
                        "0 raised, 5 latched, 99 reraised" },
        { "unknown may be true still", RULE(0, 0, 0, true), "0T 5F 6T 7U 99?",
                        "0 raised, 5 latched, 60 reraised" },
        { "untold, but true: acknowledged, not resolved", RULE(0, 0, 0, true), "0T 5F 6T 7A 99? 100F",
                        "0 raised, 5 latched, 7 acknowledged, 100 resolved" },
        { "untold while it kept firing", RULE(0, 30, 0, true), "0T 5F 36T 40F 99? 100T",
                        "0 raised, 35 latched, 100 reraised" },

        { "acknowledged for good", RULE(0, 0, 0, false), "0T 5A 6T 9999T 10000F",
                        "0 raised, 5 acknowledged, 10000 resolved" },
        { "acknowledged too long ago", RULE(0, 0, 20, false), "0T 5A 6T 30T",
                        "0 raised, 5 acknowledged, 25 reraised" },
        { "nobody acknowledged that", RULE(0, 0, 20, false), "0T 5A 30T 99? 100F",
                        "0 raised, 5 acknowledged, 25 reraised, 100 resolved" },
        { "acknowledged again", RULE(0, 0, 20, false), "0T 5A 30A 60?",
                        "0 raised, 5 acknowledged, 25 reraised, 30 acknowledged, 50 reraised" },
        { "unknown is not over", RULE(0, 0, 20, false), "0T 5A 6U 30?",
                        "0 raised, 5 acknowledged, 25 reraised" },
        { "over in time", RULE(0, 0, 20, false), "0T 5A 24F 99?", "0 raised, 5 acknowledged, 24 resolved" },
        { "not raised again while it is false", RULE(0, 30, 20, false), "0T 5A 20F 49?",
                        "0 raised, 5 acknowledged" },
        { "but when it is true again", RULE(0, 30, 20, false), "0T 5A 20F 49T 99?",
                        "0 raised, 5 acknowledged, 49 reraised" },
        { "acknowledged while it keeps firing", RULE(0, 30, 20, true), "0T 5F 10A 99?",
                        "0 raised, 10 acknowledged, 35 resolved" },
        { "latched after it was raised again", RULE(0, 0, 20, true), "0T 5A 30F 99A",
                        "0 raised, 5 acknowledged, 25 reraised, 30 latched, 99 acknowledged, 99 resolved" },
        { "the acknowledgement came too late", RULE(0, 0, 20, true), "0T 5F 10A 15T 16F",
                        "0 raised, 5 latched, 10 acknowledged, 10 resolved, 15 raised, 16 latched" },
};

static void each_life_brings_its_events(void **state) {
        Bench *b = *state;
        char events[512];

        for (size_t i = 0; i < ELEMENTS(lives); i++) {
                double begin = (double) i * 100000;
                Stamp over = stamp(begin + 50000);

                play(b, &lives[i].rule, lives[i].script, begin);
                told(b, begin, events);
                if (strcmp(events, lives[i].events) != 0)
                        fail_msg("%s: %s", lives[i].what, events);
                alert_manager_release(b->manager, b->p1, &over);
                b->count = 0;
        }
}

/* Ten times a second, for ten minutes, acknowledged by nobody. */
static void a_latched_alert_that_flaps_is_no_storm(void **state) {
        Bench *b = *state;

        for (int i = 0; i < 6000; i++)
                is(b, &latching, b->p1, i % 2 ? TRUTH_FALSE : TRUTH_TRUE, i, i / 10.0);
        assert_int_equal(b->count, 20);
        for (size_t minute = 0; minute < 10; minute++) {
                const AlertEvent *raised = &b->events[2 * minute], *latched = raised + 1;

                assert_int_equal(raised->transition, minute == 0 ? TRANSITION_RAISED : TRANSITION_RERAISED);
                assert_int_equal(raised->time_us, stamp(60.0 * (double) minute).wall_us);
                assert_int_equal(latched->transition, TRANSITION_LATCHED);
                assert_int_equal(latched->time_us, stamp(60.0 * (double) minute + 0.1).wall_us);
        }
}

static void events_do_not_depend_on_how_late_a_timer_is(void **state) {
        Bench *b = *state;

        /* stale at 9 s, heard of at 500 s: not raised in between */
        is(b, &slow, b->p1, TRUTH_TRUE, 5, 0);
        assert_int_equal(late_outcome(b, &slow, b->p1, TRUTH_UNKNOWN, (double) NAN, 9, 500), 0);
        tick(b, 500);
        nothing(b);
        is(b, &slow, b->p1, TRUTH_TRUE, 5, 600);
        assert_int_equal(alert_manager_deadline(b->manager), stamp(610).mono_us);
        assert_int_equal(late_outcome(b, &slow, b->p1, TRUTH_FALSE, 6, 611, 700), 0);
        (void) event(b, "Slow", TRANSITION_RAISED, 610);
        assert_int_equal(alert_manager_deadline(b->manager), stamp(641).mono_us);
        tick(b, 800);
        (void) event(b, "Slow", TRANSITION_RESOLVED, 641);
        assert_int_equal(alert_manager_deadline(b->manager), INT64_MAX);
}

/* --- what an event says --- */

static void an_event_is_whole(void **state) {
        Bench *b = *state;

        is(b, &low, b->p1, TRUTH_TRUE, 85.25, 2);
        AlertEvent raised = *event(b, "Low", TRANSITION_RAISED, 2);
        assert_int_equal(raised.priority, PRIORITY_HIGH);
        assert_int_equal(raised.state, ALERT_ACTIVE);
        assert_int_equal(raised.subject, b->p1);
        assert_true(raised.value == 85.25);
        assert_int_equal(raised.since_us, stamp(2).wall_us);
        assert_int_equal(raised.raised_us, stamp(2).wall_us);
        assert_true(raised.ended_us == TIME_NONE);
        assert_string_equal(raised.summary, "value 85.25");
        assert_string_equal(raised.labels, "team=resp");
        assert_memory_equal(raised.rule_hash, low.hash, sizeof low.hash);
        assert_string_equal(raised.who, "");
        assert_string_equal(raised.note, "");

        assert_int_equal(acknowledge(b, raised.id, 3), 0);
        const AlertEvent *e = event(b, "Low", TRANSITION_ACKNOWLEDGED, 3);
        assert_int_equal(e->state, ALERT_ACKNOWLEDGED);
        assert_string_equal(e->who, "uid:1000");
        assert_string_equal(e->note, "on my way");
        assert_int_equal(e->raised_us, stamp(2).wall_us);

        is(b, &low, b->p1, TRUTH_FALSE, 97, 4);
        e = event(b, "Low", TRANSITION_RESOLVED, 4);
        assert_int_equal(e->state, ALERT_RESOLVED);
        assert_string_equal(e->id, raised.id);
        assert_true(e->value == 97);
        assert_string_equal(e->summary, "value 85.25");
        assert_string_equal(e->who, "uid:1000");
        assert_string_equal(e->note, "");
        assert_int_equal(e->since_us, stamp(2).wall_us);
        assert_int_equal(e->ended_us, stamp(4).wall_us);
        assert_int_equal(active(b), 0);
}

static void the_end_is_when_it_became_false(void **state) {
        Bench *b = *state;
        AlertRule r = slow;

        r.latch = true;
        play(b, &r, "0T 10? 20F 25F 30T 40F 45F 70?", 0);
        assert_int_equal(b->count, 2);
        assert_int_equal(b->events[0].since_us, stamp(0).wall_us);
        assert_int_equal(b->events[0].raised_us, stamp(10).wall_us);
        assert_int_equal(b->events[1].transition, TRANSITION_LATCHED);
        assert_int_equal(b->events[1].state, ALERT_ACTIVE);
        assert_int_equal(b->events[1].ended_us, stamp(40).wall_us);
        play(b, &r, "80T", 0);
        assert_int_equal(b->events[2].transition, TRANSITION_RERAISED);
        assert_int_equal(b->events[2].since_us, stamp(0).wall_us);
        assert_int_equal(b->events[2].raised_us, stamp(80).wall_us);
        assert_true(b->events[2].ended_us == TIME_NONE);
        play(b, &r, "90F 120? 130A", 0);
        assert_int_equal(b->count, 6);
        for (size_t i = 3; i < 6; i++)
                assert_int_equal(b->events[i].ended_us, stamp(90).wall_us);
}

/* Whoever acknowledged the old one has not seen the new one. */
static void raised_again_it_is_nobodys(void **state) {
        Bench *b = *state;
        AlertRule r = low;

        r.reraise_us = 20 * S;
        is(b, &r, b->p1, TRUTH_TRUE, 85, 0);
        assert_int_equal(acknowledge(b, event(b, "Low", TRANSITION_RAISED, 0)->id, 5), 0);
        (void) event(b, "Low", TRANSITION_ACKNOWLEDGED, 5);
        is(b, &r, b->p1, TRUTH_TRUE, 70, 24);
        tick(b, 25);
        const AlertEvent *e = event(b, "Low", TRANSITION_RERAISED, 25);
        assert_int_equal(e->state, ALERT_ACTIVE);
        assert_string_equal(e->who, "");
        assert_string_equal(e->summary, "value 70");
        assert_true(e->value == 70);
        assert_int_equal(e->raised_us, stamp(25).wall_us);
}

static void latched_and_true_again_it_says_what_is_now(void **state) {
        Bench *b = *state;

        play(b, &latching, "0T 5F", 0);
        assert_string_equal(b->events[1].summary, "value 1");
        b->count = 0;
        is(b, &latching, b->p1, TRUTH_TRUE, 77, 99);
        assert_string_equal(event(b, "Latching", TRANSITION_RERAISED, 99)->summary, "value 77");
}

static void the_summary_is_of_the_last_truth_before_it_is_raised(void **state) {
        Bench *b = *state;

        is(b, &slow, b->p1, TRUTH_TRUE, 5, 1);
        is(b, &slow, b->p1, TRUTH_TRUE, 4, 6);
        tick(b, 11);
        assert_string_equal(event(b, "Slow", TRANSITION_RAISED, 11)->summary, "value 4");
}

static void an_acknowledgement_is_of_an_alert_that_waits_for_one(void **state) {
        Bench *b = *state;
        char id[ALERT_ID_MAX];
        Stamp now = stamp(3);

        assert_int_equal(acknowledge(b, "", 0), -ENOENT);
        is(b, &low, b->p1, TRUTH_TRUE, 85, 1);
        memcpy(id, event(b, "Low", TRANSITION_RAISED, 1)->id, sizeof id);
        is(b, &low, b->p2, TRUTH_TRUE, 85, 1);
        assert_string_not_equal(event(b, "Low", TRANSITION_RAISED, 1)->id, id);
        assert_int_equal(acknowledge(b, id, 2), 0);
        assert_int_equal(event(b, "Low", TRANSITION_ACKNOWLEDGED, 2)->subject, b->p1);
        assert_int_equal(acknowledge(b, id, 2), -EALREADY);
        nothing(b);
        assert_int_equal(active(b), 2);
        is(b, &low, b->p1, TRUTH_FALSE, 99, 3);
        (void) event(b, "Low", TRANSITION_RESOLVED, 3);
        assert_int_equal(acknowledge(b, id, 4), -ENOENT);
        assert_int_equal(alert_manager_raise(b->manager, "StoreFailed", "", &now), 0);
        assert_int_equal(acknowledge(b, event(b, "StoreFailed", TRANSITION_RAISED, 3)->id, 5), 0);
        (void) event(b, "StoreFailed", TRANSITION_ACKNOWLEDGED, 5);
        alert_manager_clear(b->manager, "StoreFailed", &now);
        assert_int_equal(event(b, "StoreFailed", TRANSITION_RESOLVED, 3)->ended_us, now.wall_us);
}

static void the_end_comes_before_an_acknowledgement_that_is_later(void **state) {
        Bench *b = *state;

        is(b, &slow, b->p1, TRUTH_TRUE, 5, 0);
        tick(b, 10);
        AlertEvent raised = *event(b, "Slow", TRANSITION_RAISED, 10);
        is(b, &slow, b->p1, TRUTH_FALSE, 9, 20);
        assert_int_equal(acknowledge(b, raised.id, 60), -ENOENT);
        (void) event(b, "Slow", TRANSITION_RESOLVED, 50);
}

static void texts_are_cut_between_characters(void **state) {
        Bench *b = *state;
        char text[ALERT_SUMMARY_MAX + 8];
        Stamp now = stamp(1);

        /* one byte less than fits, then an e with an accent (2 bytes): only whole ones are kept, and the NUL needs one */
        memset(text, 'x', sizeof text);
        memcpy(text + ALERT_SUMMARY_MAX - 2, "\xC3\xA9...", 6);
        assert_int_equal(alert_manager_raise(b->manager, "T", text, &now), 0);
        AlertEvent raised = *event(b, "T", TRANSITION_RAISED, 1);
        assert_int_equal(strlen(raised.summary), ALERT_SUMMARY_MAX - 2);
        assert_int_equal(strspn(raised.summary, "x"), ALERT_SUMMARY_MAX - 2);
        memset(text, 'x', sizeof text - 1);
        memcpy(text + ALERT_WHO_MAX - 2, "\xC3\xA9", 2);
        memcpy(text + ALERT_NOTE_MAX - 3, "\xE2\x82\xAC", 3);
        text[sizeof text - 1] = '\0';
        assert_int_equal(alert_manager_acknowledge(b->manager, raised.id, text, text, &now), 0);
        const AlertEvent *e = event(b, "T", TRANSITION_ACKNOWLEDGED, 1);
        assert_int_equal(strlen(e->who), ALERT_WHO_MAX - 2);
        assert_int_equal(strlen(e->note), ALERT_NOTE_MAX - 3);
}

static void technical_alerts_go_by_name(void **state) {
        Bench *b = *state;
        char name[ALERT_NAME_MAX + 1];
        Stamp now = stamp(1), later = stamp(9);

        assert_int_equal(alert_manager_raise(b->manager, "StoreFailed", "disk {{ value }}", &now), 0);
        const AlertEvent *e = event(b, "StoreFailed", TRANSITION_RAISED, 1);
        assert_int_equal(e->priority, PRIORITY_TECHNICAL);
        assert_int_equal(e->subject, SUBJECT_NONE);
        assert_string_equal(e->summary, "disk {{ value }}");
        assert_true(isnan(e->value));
        assert_int_equal(alert_manager_raise(b->manager, "StoreFailed", "again", &later), 0);
        alert_manager_clear(b->manager, "ClockStepped", &later);
        nothing(b);
        alert_manager_clear(b->manager, "StoreFailed", &later);
        (void) event(b, "StoreFailed", TRANSITION_RESOLVED, 9);
        alert_manager_clear(b->manager, "StoreFailed", &later);
        nothing(b);
        memset(name, 'n', sizeof name);
        name[ALERT_NAME_MAX] = '\0';
        assert_int_equal(alert_manager_raise(b->manager, name, "", &now), -EINVAL);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(each_life_brings_its_events),
                CASE(a_latched_alert_that_flaps_is_no_storm),
                CASE(events_do_not_depend_on_how_late_a_timer_is),
                CASE(an_event_is_whole),
                CASE(the_end_is_when_it_became_false),
                CASE(raised_again_it_is_nobodys),
                CASE(latched_and_true_again_it_says_what_is_now),
                CASE(the_summary_is_of_the_last_truth_before_it_is_raised),
                CASE(an_acknowledgement_is_of_an_alert_that_waits_for_one),
                CASE(the_end_comes_before_an_acknowledgement_that_is_later),
                CASE(texts_are_cut_between_characters),
                CASE(technical_alerts_go_by_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
