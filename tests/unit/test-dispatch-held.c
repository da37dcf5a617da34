/* What is not told at once: groups of one subject, quiet hours, rates; and what never waits. */
#include "dispatch-bench.h"

#define GROUPING "alerts: {group_interval: 30s}\nroutes: [{steps: [{notify: [nurse]}]}]\n"
#define ALONE    "alerts: {group_interval: 0s}\nroutes: [{steps: [{notify: [nurse]}]}]\n"
#define NIGHT                                                                                               \
        "alerts: {repeat: 0s, group_interval: 0s, quiet_hours: {from: '22:00', to: '06:00', priority: "     \
        "medium}}\n"                                                                                        \
        "routes: [{steps: [{notify: [nurse]}]}]\n"

static double clock_time(int hour, int minute) {
        return hour * 3600 + minute * 60;
}

/* Ten a minute, as an operator would say it. */
static void limited(Bench *b, const char *text, unsigned notices) {
        route(b, text);
        b->routing->receivers[NURSE].rate_notices = notices;
        b->routing->receivers[NURSE].rate_per_us = 60 * USEC_PER_SEC;
}

static void is_held(Bench *b, unsigned receiver, uint64_t now, uint64_t total) {
        uint64_t held, all;

        dispatch_held(b->dispatch, receiver, &held, &all);
        assert_int_equal(held, now);
        assert_int_equal(all, total);
}

/* --- groups --- */

static void further_ones_of_a_subject_go_together(void **state) {
        Bench *b = *state;

        route(b, GROUPING);
        raise_alert(b, "a", 1, PRIORITY_MEDIUM, 0);
        told(b, NURSE, "a:raised");
        raise_alert(b, "b", 1, PRIORITY_LOW, 10);
        raise_alert(b, "c", 1, PRIORITY_MEDIUM, 20);
        raise_alert(b, "d", 2, PRIORITY_LOW, 20);
        told(b, NURSE, "d:raised");
        nobody(b);
        is_held(b, NURSE, 2, 2);
        assert_int_equal(dispatch_deadline(b->dispatch), stamp(30).mono_us);
        until(b, 30);
        const Notice *n = told_several(b, NURSE, NOTICE_GROUP, 2, 0);
        assert_memory_equal(n->key, "group-", 6);
        assert_int_equal(strlen(n->key), 6 + 64);
        assert_int_equal(n->priority, PRIORITY_MEDIUM);
        /* the highest first */
        assert_string_equal(b->alerts[b->seen - 1].id, "c");
        /* and the interval begins anew */
        raise_alert(b, "e", 1, PRIORITY_LOW, 50);
        until(b, 59);
        nobody(b);
        until(b, 60);
        assert_int_equal(told(b, NURSE, "e:raised")->kind, NOTICE_ALERT);
        no_record(b);
        until(b, 91);
        raise_alert(b, "f", 1, PRIORITY_LOW, 91);
        told(b, NURSE, "f:raised");
        is_held(b, NURSE, 0, 3);
}

static void alerts_of_the_gateway_are_as_of_one_subject(void **state) {
        Bench *b = *state;

        route(b, GROUPING);
        raise_alert(b, "a", 0, PRIORITY_TECHNICAL, 0);
        raise_alert(b, "b", 0, PRIORITY_TECHNICAL, 1);
        told(b, NURSE, "a:raised");
        nobody(b);
        until(b, 30);
        told(b, NURSE, "b:raised");
}

static void what_ends_in_its_group_is_only_counted(void **state) {
        Bench *b = *state;

        route(b, GROUPING);
        raise_alert(b, "a", 1, PRIORITY_MEDIUM, 0);
        told(b, NURSE, "a:raised");
        AlertEvent e = raise_alert(b, "b", 1, PRIORITY_LOW, 1);
        change(b, &e, TRANSITION_RESOLVED, 2);
        raise_alert(b, "c", 1, PRIORITY_LOW, 3);
        is_held(b, NURSE, 1, 2);
        until(b, 30);
        told_several(b, NURSE, NOTICE_GROUP, 1, 1);
        AlertEvent f = raise_alert(b, "f", 1, PRIORITY_LOW, 31);
        change(b, &f, TRANSITION_RESOLVED, 32);
        assert_int_equal(dispatch_deadline(b->dispatch), stamp(900).mono_us);
        until(b, 100);
        nobody(b);
        /* and not by a later one */
        raise_alert(b, "g", 1, PRIORITY_LOW, 100);
        raise_alert(b, "h", 1, PRIORITY_LOW, 101);
        until(b, 130);
        told(b, NURSE, "g:raised");
        assert_int_equal(told(b, NURSE, "h:raised")->more, 0);
}

static void an_interval_ends_when_it_was_to_end(void **state) {
        Bench *b = *state;

        route(b, GROUPING);
        raise_alert(b, "a", 1, PRIORITY_MEDIUM, 0);
        raise_alert(b, "b", 1, PRIORITY_MEDIUM, 1);
        raise_alert(b, "h", 1, PRIORITY_HIGH, 20);
        told(b, NURSE, "a:raised");
        told(b, NURSE, "h:raised");
        /* its time is over, but the timer is late: the next one joins it */
        raise_alert(b, "c", 1, PRIORITY_MEDIUM, 30.001);
        nobody(b);
        assert_int_equal(dispatch_deadline(b->dispatch), stamp(30).mono_us);
        until(b, 31);
        told_several(b, NURSE, NOTICE_GROUP, 2, 0);
}

static void what_waits_in_a_group_is_told_as_it_stands(void **state) {
        Bench *b = *state;

        route(b, GROUPING);
        raise_alert(b, "a", 1, PRIORITY_MEDIUM, 0);
        told(b, NURSE, "a:raised");
        AlertEvent e = raise_alert(b, "b", 1, PRIORITY_LOW, 1);
        change(b, &e, TRANSITION_ACKNOWLEDGED, 2);
        nobody(b);
        until(b, 30);
        told(b, NURSE, "b:acknowledged");
}

static void one_that_is_raised_again_waits_too_but_its_end_does_not(void **state) {
        Bench *b = *state;

        route(b, GROUPING);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_MEDIUM, 0);
        change(b, &e, TRANSITION_LATCHED, 1);
        told(b, NURSE, "a:raised");
        told(b, NURSE, "a:latched");
        for (int i = 0; i < 10; i++) {
                change(b, &e, TRANSITION_RERAISED, 2 + i);
                change(b, &e, TRANSITION_LATCHED, 2.5 + i);
        }
        nobody(b);
        change(b, &e, TRANSITION_RESOLVED, 20);
        told(b, NURSE, "a:resolved");
        until(b, 100);
        nobody(b);
}

static void a_large_group_is_told_in_parts(void **state) {
        Bench *b = *state;

        route(b, GROUPING);
        raise_alert(b, "a", 1, PRIORITY_MEDIUM, 0);
        told(b, NURSE, "a:raised");
        for (int i = 0; i < NOTICE_ALERTS_MAX + 5; i++) {
                char id[8];
                (void) snprintf(id, sizeof id, "b%02d", i);
                raise_alert(b, id, 1, PRIORITY_LOW, 1);
        }
        until(b, 30);
        told_several(b, NURSE, NOTICE_GROUP, NOTICE_ALERTS_MAX, 5);
        until(b, 60);
        told_several(b, NURSE, NOTICE_GROUP, 5, 0);
        assert_string_equal(b->alerts[b->seen - 1].id, "b20");
}

/* --- rates --- */

static void beyond_the_rate_there_is_a_digest(void **state) {
        Bench *b = *state;

        limited(b, ALONE, 3);
        for (unsigned i = 0; i < 3; i++) {
                char id[2] = { (char) ('a' + i), '\0' };
                raise_alert(b, id, 1, PRIORITY_LOW, 0);
        }
        told(b, NURSE, "a:raised");
        told(b, NURSE, "b:raised");
        told(b, NURSE, "c:raised");
        raise_alert(b, "d", 1, PRIORITY_LOW, 1);
        raise_alert(b, "e", 2, PRIORITY_MEDIUM, 2);
        AlertEvent f = raise_alert(b, "f", 2, PRIORITY_MEDIUM, 3);
        nobody(b);
        is_held(b, NURSE, 3, 3);
        const AlertEvent *r = recorded(b, "d", TRANSITION_HELD);
        assert_string_equal(r->note, "rate limit");
        assert_string_equal(r->receiver, "nurse");
        recorded(b, "e", TRANSITION_HELD);
        recorded(b, "f", TRANSITION_HELD);
        /* f ends before anybody was told: counted */
        change(b, &f, TRANSITION_RESOLVED, 4);
        is_held(b, NURSE, 2, 3);
        /* three a minute: one each 20 s */
        assert_int_equal(dispatch_deadline(b->dispatch), stamp(20).mono_us);
        until(b, 20);
        const Notice *n = told_several(b, NURSE, NOTICE_DIGEST, 2, 1);
        assert_memory_equal(n->key, "digest-", 7);
        assert_string_equal(b->alerts[b->seen - 1].id, "e");
        no_record(b);
        is_held(b, NURSE, 0, 3);
}

static void what_comes_before_its_digest_joins_it(void **state) {
        Bench *b = *state;

        limited(b, ALONE, 1);
        raise_alert(b, "a", 1, PRIORITY_LOW, 0);
        told(b, NURSE, "a:raised");
        raise_alert(b, "b", 1, PRIORITY_LOW, 1);
        raise_alert(b, "c", 1, PRIORITY_MEDIUM, 60);
        nobody(b);
        tick(b, 60);
        told_several(b, NURSE, NOTICE_DIGEST, 2, 0);
}

static void what_ends_in_any_order_is_counted(void **state) {
        Bench *b = *state;
        AlertEvent events[5];

        limited(b, ALONE, 1);
        raise_alert(b, "x", 1, PRIORITY_LOW, 0);
        told(b, NURSE, "x:raised");
        for (unsigned i = 0; i < ELEMENTS(events); i++)
                events[i] = raise_alert(b, (char[]){ (char) ('a' + i), '\0' }, 1, PRIORITY_LOW, 1);
        change(b, &events[0], TRANSITION_RESOLVED, 2);
        change(b, &events[4], TRANSITION_RESOLVED, 2);
        change(b, &events[3], TRANSITION_RESOLVED, 2);
        is_held(b, NURSE, 2, 5);
        until(b, 60);
        told_several(b, NURSE, NOTICE_DIGEST, 2, 3);
        assert_string_equal(b->alerts[b->seen - 1].id, "b");
}

static void held_is_on_record_once_an_alert(void **state) {
        Bench *b = *state;

        route(b, "alerts: {group_interval: 0s}\nroutes: [{steps: [{notify: [nurse, doctor]}]}]\n");
        for (unsigned r = 0; r < ELEMENTS(receiver_names); r++) {
                b->routing->receivers[r].rate_notices = 1;
                b->routing->receivers[r].rate_per_us = 60 * USEC_PER_SEC;
        }
        raise_alert(b, "a", 1, PRIORITY_LOW, 0);
        raise_alert(b, "b", 1, PRIORITY_LOW, 1);
        recorded(b, "b", TRANSITION_HELD);
        no_record(b);
}

static void one_that_becomes_high_waits_no_longer(void **state) {
        Bench *b = *state;

        limited(b, ALONE, 1);
        raise_alert(b, "a", 1, PRIORITY_LOW, 0);
        told(b, NURSE, "a:raised");
        AlertEvent e = raise_alert(b, "b", 1, PRIORITY_LOW, 1);
        is_held(b, NURSE, 1, 1);
        /* its rule was changed */
        e.priority = PRIORITY_HIGH;
        change(b, &e, TRANSITION_RERAISED, 2);
        told(b, NURSE, "b:reraised-1699920002000000");
        is_held(b, NURSE, 0, 1);
        until(b, 120);
        nobody(b);
}

static void nothing_of_high_priority_ever_waits(void **state) {
        Bench *b = *state;

        limited(b, NIGHT, 1);
        b->routing->group_interval_us = 30 * USEC_PER_SEC;
        tick(b, clock_time(23, 0));
        raise_alert(b, "a", 1, PRIORITY_MEDIUM, clock_time(23, 0));
        AlertEvent last = { 0 };
        for (unsigned i = 0; i < 20; i++) {
                char id[8], key[32];
                (void) snprintf(id, sizeof id, "h%u", i);
                (void) snprintf(key, sizeof key, "%s:raised", id);
                last = raise_alert(b, id, 1, PRIORITY_HIGH, clock_time(23, 0));
                told(b, NURSE, key);
        }
        change(b, &last, TRANSITION_ACKNOWLEDGED, clock_time(23, 1));
        told(b, NURSE, "h19:acknowledged");
        change(b, &last, TRANSITION_RESOLVED, clock_time(23, 1));
        told(b, NURSE, "h19:resolved");
        nobody(b);
        until(b, clock_time(29, 59));
        nobody(b);
        /* nor does it use up the rate of the others */
        raise_alert(b, "h", 2, PRIORITY_HIGH, clock_time(30, 0));
        told(b, NURSE, "h:raised");
        until(b, clock_time(30, 0));
        told(b, NURSE, "a:raised");
}

static void those_who_knew_are_told_of_an_end_that_was_held(void **state) {
        Bench *b = *state;

        limited(b, ALONE, 1);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_LOW, 0);
        told(b, NURSE, "a:raised");
        change(b, &e, TRANSITION_ACKNOWLEDGED, 1);
        change(b, &e, TRANSITION_RESOLVED, 2);
        nobody(b);
        is_held(b, NURSE, 1, 1);
        until(b, 60);
        /* of one alone its own key */
        assert_int_equal(told(b, NURSE, "a:resolved")->kind, NOTICE_DIGEST);
        is_held(b, NURSE, 0, 1);
        assert_int_equal(dispatch_deadline(b->dispatch), INT64_MAX);
        uint8_t byte;
        CborWriter w = cbor_writer(&byte, sizeof byte);
        assert_int_equal(dispatch_save(b->dispatch, "a", &w), -ENOENT);
}

static void a_digest_that_only_counts_has_a_key_of_its_own(void **state) {
        Bench *b = *state;
        char key[NOTICE_KEY_MAX];

        limited(b, ALONE, 1);
        raise_alert(b, "a", 1, PRIORITY_LOW, 0);
        told(b, NURSE, "a:raised");
        for (int i = 1; i <= 2; i++) {
                AlertEvent e = raise_alert(b, i == 1 ? "b" : "c", 1, PRIORITY_LOW, 60 * i - 30);
                change(b, &e, TRANSITION_RESOLVED, 60 * i - 20);
                until(b, 60 * i);
                const Notice *n = told_several(b, NURSE, NOTICE_DIGEST, 0, 1);
                if (i == 2)
                        assert_string_not_equal(n->key, key);
                memcpy(key, n->key, sizeof key);
        }
}

static void a_large_digest_counts_the_rest_but_tells_of_each_medium_one(void **state) {
        Bench *b = *state;
        AlertEvent e = { 0 };

        limited(b, ALONE, 1);
        raise_alert(b, "a", 1, PRIORITY_TECHNICAL, 0);
        told(b, NURSE, "a:raised");
        for (int i = 0; i < 30; i++) {
                char id[8];
                (void) snprintf(id, sizeof id, "t%02d", i);
                e = raise_alert(b, id, 1, PRIORITY_TECHNICAL, 1);
                (void) snprintf(id, sizeof id, "m%02d", i);
                raise_alert(b, id, 1, PRIORITY_MEDIUM, 2);
        }
        until(b, 60);
        told_several(b, NURSE, NOTICE_DIGEST, NOTICE_ALERTS_MAX, 40);
        assert_string_equal(b->alerts[b->seen - 1].id, "m00");
        until(b, 120);
        told_several(b, NURSE, NOTICE_DIGEST, 10, 0);
        assert_string_equal(b->alerts[b->seen - 1].id, "m20");
        nobody(b);
        /* counted is told: its end is, too */
        change(b, &e, TRANSITION_RESOLVED, 180);
        told(b, NURSE, "t29:resolved");
}

static void a_silence_takes_back_what_is_held(void **state) {
        Bench *b = *state;

        limited(b, ALONE, 1);
        raise_alert(b, "a", 1, PRIORITY_LOW, 0);
        told(b, NURSE, "a:raised");
        raise_alert(b, "b", 1, PRIORITY_LOW, 1);
        is_held(b, NURSE, 1, 1);
        silence_all(b, "s", "Ruleb", 2, 300);
        is_held(b, NURSE, 0, 1);
        until(b, 299);
        nobody(b);
        until(b, 300);
        told(b, NURSE, "b:raised");
}

/* --- quiet hours --- */

static void in_quiet_hours_it_is_held_until_their_end(void **state) {
        Bench *b = *state;

        route(b, NIGHT);
        double at = clock_time(21, 59);
        tick(b, at);
        AlertEvent before = raise_alert(b, "a", 1, PRIORITY_LOW, at);
        told(b, NURSE, "a:raised");
        at = clock_time(22, 0);
        tick(b, at);
        change(b, &before, TRANSITION_RESOLVED, at);
        AlertEvent e = raise_alert(b, "b", 1, PRIORITY_MEDIUM, at);
        raise_alert(b, "c", 1, PRIORITY_TECHNICAL, at);
        change(b, &e, TRANSITION_RESOLVED, at + 60);
        AlertEvent still = raise_alert(b, "d", 2, PRIORITY_LOW, at + 70);
        change(b, &still, TRANSITION_ACKNOWLEDGED, at + 80);
        nobody(b);
        assert_string_equal(recorded(b, "b", TRANSITION_HELD)->note, "quiet hours");
        assert_int_equal(dispatch_deadline(b->dispatch), stamp(clock_time(30, 0)).mono_us);
        until(b, clock_time(29, 59));
        nobody(b);
        until(b, clock_time(30, 0));
        /* a's end, c as it was raised, d as it is acknowledged; b is over and was never told */
        told_several(b, NURSE, NOTICE_DIGEST, 3, 1);
        assert_string_equal(b->alerts[b->seen - 1].id, "d");
        assert_int_equal(b->alerts[b->seen - 1].transition, TRANSITION_ACKNOWLEDGED);
        raise_alert(b, "e", 1, PRIORITY_LOW, clock_time(30, 1));
        told(b, NURSE, "e:raised");
        nobody(b);
}

static void quiet_hours_go_by_local_time(void **state) {
        Bench *b = *state;
        const int64_t hour = 3600 * USEC_PER_SEC;

        route(b, NIGHT);
        Stamp now = stamp(clock_time(21, 30));
        dispatch_tick(b->dispatch, &now, hour);
        raise_alert(b, "a", 1, PRIORITY_LOW, clock_time(21, 30));
        nobody(b);
        /* the clocks are put back in the night */
        now = stamp(clock_time(29, 0));
        dispatch_tick(b->dispatch, &now, 0);
        nobody(b);
        now = stamp(clock_time(30, 0));
        dispatch_tick(b->dispatch, &now, 0);
        told(b, NURSE, "a:raised");
        /* west of Greenwich, before 1970 even */
        route(b, NIGHT);
        now = (Stamp){ .wall_us = -hour, .mono_us = now.mono_us };
        dispatch_tick(b->dispatch, &now, -5 * hour);
        AlertEvent e = alert(b, "b", 1, PRIORITY_LOW, 0);
        assert_int_equal(dispatch_event(b->dispatch, &e, &now), 0);
        told(b, NURSE, "b:raised");
}

static void a_rate_goes_on_in_quiet_hours(void **state) {
        Bench *b = *state;

        limited(b,
                        "alerts: {repeat: 0s, group_interval: 0s, quiet_hours: {from: '22:00', to: "
                        "'06:00'}}\n"
                        "routes: [{steps: [{notify: [nurse]}]}]\n",
                        1);
        double at = clock_time(23, 0);
        tick(b, at);
        raise_alert(b, "m1", 1, PRIORITY_MEDIUM, at);
        told(b, NURSE, "m1:raised");
        raise_alert(b, "low", 1, PRIORITY_LOW, at);
        raise_alert(b, "m2", 1, PRIORITY_MEDIUM, at);
        nobody(b);
        until(b, at + 60);
        told(b, NURSE, "m2:raised");
        until(b, clock_time(29, 59));
        nobody(b);
        until(b, clock_time(30, 0));
        told(b, NURSE, "low:raised");
}

static void quiet_hours_by_day(void **state) {
        Bench *b = *state;

        route(b, "alerts: {quiet_hours: {from: '12:00', to: '13:00', priority: technical}}\n");
        tick(b, clock_time(11, 59));
        for (int hour = 11; hour < 14; hour++) {
                char id[2] = { (char) ('a' + hour - 11), '\0' };
                until(b, clock_time(hour, 58));
                assert_int_equal(b->told - b->seen, hour == 13 ? ELEMENTS(receiver_names) : 0);
                b->seen = b->told;
                raise_alert(b, id, (unsigned) hour - 10, PRIORITY_TECHNICAL, clock_time(hour, 59));
                assert_int_equal(b->told - b->seen, hour == 12 ? 0 : ELEMENTS(receiver_names));
                b->seen = b->told;
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(further_ones_of_a_subject_go_together, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                alerts_of_the_gateway_are_as_of_one_subject, setup, teardown),
                cmocka_unit_test_setup_teardown(what_ends_in_its_group_is_only_counted, setup, teardown),
                cmocka_unit_test_setup_teardown(what_waits_in_a_group_is_told_as_it_stands, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                one_that_is_raised_again_waits_too_but_its_end_does_not, setup, teardown),
                cmocka_unit_test_setup_teardown(a_large_group_is_told_in_parts, setup, teardown),
                cmocka_unit_test_setup_teardown(beyond_the_rate_there_is_a_digest, setup, teardown),
                cmocka_unit_test_setup_teardown(an_interval_ends_when_it_was_to_end, setup, teardown),
                cmocka_unit_test_setup_teardown(what_comes_before_its_digest_joins_it, setup, teardown),
                cmocka_unit_test_setup_teardown(what_ends_in_any_order_is_counted, setup, teardown),
                cmocka_unit_test_setup_teardown(held_is_on_record_once_an_alert, setup, teardown),
                cmocka_unit_test_setup_teardown(one_that_becomes_high_waits_no_longer, setup, teardown),
                cmocka_unit_test_setup_teardown(nothing_of_high_priority_ever_waits, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                those_who_knew_are_told_of_an_end_that_was_held, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_digest_that_only_counts_has_a_key_of_its_own, setup, teardown),
                cmocka_unit_test_setup_teardown(a_large_digest_counts_the_rest_but_tells_of_each_medium_one,
                                setup, teardown),
                cmocka_unit_test_setup_teardown(a_silence_takes_back_what_is_held, setup, teardown),
                cmocka_unit_test_setup_teardown(in_quiet_hours_it_is_held_until_their_end, setup, teardown),
                cmocka_unit_test_setup_teardown(quiet_hours_go_by_local_time, setup, teardown),
                cmocka_unit_test_setup_teardown(a_rate_goes_on_in_quiet_hours, setup, teardown),
                cmocka_unit_test_setup_teardown(quiet_hours_by_day, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
