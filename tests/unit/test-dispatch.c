/* Who is told of an alert, when, and with which key: steps, repetition, acknowledgement, silences. */
#include "dispatch-bench.h"

#define ESCALATING                                                                                          \
        "alerts: {repeat: 15m, group_interval: 0s}\n"                                                       \
        "routes:\n"                                                                                         \
        "- steps:\n"                                                                                        \
        "  - {notify: [nurse, mqtt]}\n"                                                                     \
        "  - {after: 60s, notify: [charge]}\n"                                                              \
        "  - {after: 5m, notify: [nurse, doctor]}\n"

static void without_routes_everything_goes_to_everybody(void **state) {
        Bench *b = *state;

        route(b, "{}");
        raise_alert(b, "a", 1, PRIORITY_LOW, 1);
        for (unsigned r = 0; r < ELEMENTS(receiver_names); r++)
                told(b, r, "a:raised");
        nobody(b);
}

static void each_step_is_told_when_its_time_has_come(void **state) {
        Bench *b = *state;

        route(b, ESCALATING);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_HIGH, 10);
        assert_int_equal(told(b, NURSE, "a:raised")->kind, NOTICE_ALERT);
        told(b, MQTT, "a:raised");
        nobody(b);
        no_record(b);
        assert_int_equal(dispatch_deadline(b->dispatch), stamp(70).mono_us);
        tick(b, 69.9);
        nobody(b);
        tick(b, 70);
        told(b, CHARGE, "a:escalated-2");
        assert_int_equal(b->alerts[b->seen - 1].transition, TRANSITION_ESCALATED);
        assert_int_equal(b->alerts[b->seen - 1].step, 2);
        assert_int_equal(recorded(b, "a", TRANSITION_ESCALATED)->step, 2);
        tick(b, 310);
        /* named in two steps: told again */
        told(b, NURSE, "a:escalated-3");
        told(b, DOCTOR, "a:escalated-3");
        recorded(b, "a", TRANSITION_ESCALATED);
        change(b, &e, TRANSITION_RESOLVED, 400);
        for (unsigned r = 0; r < ELEMENTS(receiver_names); r++)
                told(b, r, "a:resolved");
        nobody(b);
        no_record(b);
        assert_int_equal(dispatch_deadline(b->dispatch), INT64_MAX);
}

static void steps_that_come_due_together_tell_each_receiver_once(void **state) {
        Bench *b = *state;

        route(b, ESCALATING);
        raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        told(b, NURSE, "a:raised");
        told(b, MQTT, "a:raised");
        tick(b, 600);
        told(b, NURSE, "a:escalated-3");
        told(b, CHARGE, "a:escalated-2");
        told(b, DOCTOR, "a:escalated-3");
        nobody(b);
        recorded(b, "a", TRANSITION_ESCALATED);
        recorded(b, "a", TRANSITION_ESCALATED);
        no_record(b);
}

static void an_acknowledgement_stops_steps_and_repetition(void **state) {
        Bench *b = *state;

        route(b, ESCALATING);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        told(b, NURSE, "a:raised");
        told(b, MQTT, "a:raised");
        change(b, &e, TRANSITION_ACKNOWLEDGED, 30);
        told(b, NURSE, "a:acknowledged");
        told(b, MQTT, "a:acknowledged");
        assert_int_equal(dispatch_deadline(b->dispatch), INT64_MAX);
        until(b, 10000);
        nobody(b);
        no_record(b);
        change(b, &e, TRANSITION_RESOLVED, 10001);
        told(b, NURSE, "a:resolved");
        told(b, MQTT, "a:resolved");
        nobody(b);
}

static void raised_again_it_starts_from_the_first_step_with_keys_of_its_own(void **state) {
        Bench *b = *state;

        route(b, ESCALATING);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        until(b, 60);
        change(b, &e, TRANSITION_ACKNOWLEDGED, 90);
        b->seen = b->told;
        change(b, &e, TRANSITION_RERAISED, 100);
        told(b, NURSE, "a:reraised-1699920100000000");
        told(b, MQTT, "a:reraised-1699920100000000");
        nobody(b);
        until(b, 160);
        told(b, CHARGE, "a:escalated-2-1699920100000000");
        change(b, &e, TRANSITION_LATCHED, 170);
        told(b, NURSE, "a:latched-1699920100000000");
        told(b, CHARGE, "a:latched-1699920100000000");
        told(b, MQTT, "a:latched-1699920100000000");
        /* nobody has acknowledged it: it goes on */
        until(b, 400);
        told(b, NURSE, "a:escalated-3-1699920100000000");
        told(b, DOCTOR, "a:escalated-3-1699920100000000");
        until(b, 1000);
        for (unsigned r = 0; r < ELEMENTS(receiver_names); r++)
                told(b, r, "a:repeated-1-1699920100000000");
        change(b, &e, TRANSITION_RESOLVED, 1001);
        for (unsigned r = 0; r < ELEMENTS(receiver_names); r++)
                told(b, r, "a:resolved");
        nobody(b);
}

static void it_is_repeated_to_those_who_know(void **state) {
        Bench *b = *state;

        route(b, ESCALATING);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_MEDIUM, 0);
        until(b, 899);
        b->seen = b->told;
        b->records_seen = b->recorded;
        until(b, 900);
        for (unsigned r = 0; r < ELEMENTS(receiver_names); r++)
                told(b, r, "a:repeated-1");
        assert_int_equal(recorded(b, "a", TRANSITION_REPEATED)->step, 1);
        /* after a pause once, not for each that was missed */
        tick(b, 3 * 900 + 10);
        for (unsigned r = 0; r < ELEMENTS(receiver_names); r++)
                told(b, r, "a:repeated-2");
        nobody(b);
        assert_int_equal(dispatch_deadline(b->dispatch), stamp(4 * 900).mono_us);
        change(b, &e, TRANSITION_RESOLVED, 4000);
        until(b, 10000);
        assert_int_equal(b->told - b->seen, ELEMENTS(receiver_names));
}

static void technical_ones_are_repeated_where_the_route_says_so(void **state) {
        Bench *b = *state;

        route(b, "alerts: {repeat: 1m}\n"
                 "routes:\n"
                 "- {match: {rule: Ruleloud}, repeat: 2m, steps: [{notify: [nurse]}]}\n"
                 "- {match: {rule: Rulemute}, repeat: 0s, steps: [{notify: [nurse]}]}\n"
                 "- steps: [{notify: [mqtt]}]\n");
        raise_alert(b, "quiet", 1, PRIORITY_TECHNICAL, 0);
        raise_alert(b, "own", 0, PRIORITY_LOW, 0);
        raise_alert(b, "loud", 2, PRIORITY_TECHNICAL, 0);
        raise_alert(b, "mute", 3, PRIORITY_HIGH, 0);
        b->seen = b->told;
        until(b, 120);
        told(b, NURSE, "loud:repeated-1");
        nobody(b);
}

static void a_receiver_is_told_nothing_below_its_priority(void **state) {
        Bench *b = *state;

        route(b, ESCALATING);
        b->routing->receivers[NURSE].min_priority = PRIORITY_MEDIUM;
        b->routing->receivers[DOCTOR].min_priority = PRIORITY_HIGH;
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_LOW, 0);
        told(b, MQTT, "a:raised");
        until(b, 300);
        told(b, CHARGE, "a:escalated-2");
        nobody(b);
        change(b, &e, TRANSITION_RESOLVED, 301);
        told(b, CHARGE, "a:resolved");
        told(b, MQTT, "a:resolved");
        nobody(b);
}

static void alerts_nobody_follows_do_nothing(void **state) {
        Bench *b = *state;

        route(b, ESCALATING);
        AlertEvent e = alert(b, "a", 1, PRIORITY_HIGH, 0);
        change(b, &e, TRANSITION_ACKNOWLEDGED, 1);
        change(b, &e, TRANSITION_LATCHED, 1);
        change(b, &e, TRANSITION_RESOLVED, 2);
        nobody(b);
        Stamp now = stamp(3);
        e.transition = TRANSITION_DELIVERED;
        assert_int_equal(dispatch_event(b->dispatch, &e, &now), -EINVAL);
}

/* --- silences --- */

static void a_silenced_alert_is_told_when_the_silence_is_over(void **state) {
        Bench *b = *state;

        route(b, ESCALATING);
        silence_all(b, "s1", "", 0, 120);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_HIGH, 10);
        assert_string_equal(recorded(b, "a", TRANSITION_SILENCED)->note, "s1");
        assert_string_equal(dispatch_silence_of(b->dispatch, &e)->id, "s1");
        until(b, 119);
        nobody(b);
        no_record(b);
        until(b, 120);
        assert_int_equal(b->silences_over, 1);
        /* the second step's time has come meanwhile, the third's has not */
        told(b, NURSE, "a:raised");
        told(b, CHARGE, "a:escalated-2");
        told(b, MQTT, "a:raised");
        nobody(b);
        recorded(b, "a", TRANSITION_ESCALATED);
        assert_null(dispatch_silence_of(b->dispatch, &e));
        until(b, 310);
        told(b, NURSE, "a:escalated-3");
        told(b, DOCTOR, "a:escalated-3");
        nobody(b);
}

static void a_silence_stops_what_was_told_before_and_ends_with_a_reminder(void **state) {
        Bench *b = *state;

        route(b, ESCALATING);
        raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        b->seen = b->told;
        silence_all(b, "s1", "Rulea", 30, 2000);
        recorded(b, "a", TRANSITION_SILENCED);
        until(b, 1000);
        nobody(b);
        Stamp now = stamp(1000);
        assert_int_equal(dispatch_unsilence(b->dispatch, "s1", &now), 0);
        assert_int_equal(dispatch_unsilence(b->dispatch, "s1", &now), -ENOENT);
        told(b, NURSE, "a:escalated-3");
        told(b, CHARGE, "a:escalated-2");
        told(b, DOCTOR, "a:escalated-3");
        told(b, MQTT, "a:repeated-1");
        nobody(b);
        /* the next one a whole period later */
        assert_int_equal(dispatch_deadline(b->dispatch), stamp(1900).mono_us);
        assert_int_equal(b->silences_over, 0);
}

static void the_end_of_a_silenced_alert_is_told_to_those_who_knew(void **state) {
        Bench *b = *state;

        route(b, ESCALATING);
        AlertEvent knew = raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        b->seen = b->told;
        silence_all(b, "s1", "", 1, 100);
        AlertEvent never = raise_alert(b, "b", 2, PRIORITY_HIGH, 2);
        change(b, &knew, TRANSITION_ACKNOWLEDGED, 3);
        change(b, &never, TRANSITION_ACKNOWLEDGED, 3);
        nobody(b);
        change(b, &knew, TRANSITION_RESOLVED, 4);
        change(b, &never, TRANSITION_RESOLVED, 4);
        told(b, NURSE, "a:resolved");
        told(b, MQTT, "a:resolved");
        nobody(b);
        until(b, 200);
        nobody(b);
}

static void an_acknowledgement_in_a_silence_is_told_after_it(void **state) {
        Bench *b = *state;

        route(b, ESCALATING);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        b->seen = b->told;
        silence_all(b, "s1", "", 1, 100);
        change(b, &e, TRANSITION_ACKNOWLEDGED, 3);
        nobody(b);
        until(b, 100);
        told(b, NURSE, "a:acknowledged");
        told(b, MQTT, "a:acknowledged");
        nobody(b);
}

static void an_alert_under_two_silences_waits_for_both(void **state) {
        Bench *b = *state;

        route(b, ESCALATING);
        silence_all(b, "s1", "", 0, 50);
        silence_all(b, "s2", "Rulea", 0, 55);
        raise_alert(b, "a", 1, PRIORITY_LOW, 1);
        raise_alert(b, "b", 1, PRIORITY_LOW, 1);
        until(b, 50);
        told(b, NURSE, "b:raised");
        told(b, MQTT, "b:raised");
        nobody(b);
        until(b, 55);
        told(b, NURSE, "a:raised");
        told(b, MQTT, "a:raised");
        nobody(b);
        /* once an alert */
        recorded(b, "a", TRANSITION_SILENCED);
        recorded(b, "b", TRANSITION_SILENCED);
        no_record(b);
}

static void silences_that_are_over_or_too_long_are_refused(void **state) {
        Bench *b = *state;
        Stamp now = stamp(10);

        route(b, "alerts: {silence_max: 1h}\n");
        Silence s = { .id = "s", .until_us = stamp(10).wall_us };
        assert_int_equal(dispatch_silence(b->dispatch, &s, &now), -EINVAL);
        s.until_us = stamp(10 + 3601).wall_us;
        assert_int_equal(dispatch_silence(b->dispatch, &s, &now), -EINVAL);
        s.until_us = stamp(10 + 3600).wall_us;
        assert_int_equal(dispatch_silence(b->dispatch, &s, &now), 0);
        assert_int_equal(dispatch_silence(b->dispatch, &s, &now), -EEXIST);
        assert_int_equal(dispatch_silences(b->dispatch)->count, 1);
}

/* --- another configuration --- */

static void a_reload_keeps_who_knows_by_name(void **state) {
        Bench *b = *state;
        Stamp now = stamp(70);

        route(b, ESCALATING);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        until(b, 60);
        b->seen = b->told;
        /* in another order, without the charge nurse, and the doctor's turn has come */
        use_routing(b->other,
                        "routes: [{steps: [{notify: [nurse, mqtt]}, {after: 30s, notify: [doctor]}]}]\n");
        b->other->receivers[0].name = "mqtt";
        b->other->receivers[1].name = "doctor";
        b->other->receivers[2].name = "nurse";
        b->other->receiver_count = 3;
        b->other->routes[0].steps[0].receivers = 1U << 0 | 1U << 2;
        b->other->routes[0].steps[1].receivers = 1U << 1;
        dispatch_use(b->dispatch, b->other, &now);
        assert_string_equal(b->notices[b->seen].key, "a:escalated-2");
        assert_int_equal(b->notices[b->seen++].receiver, 1);
        nobody(b);
        change(b, &e, TRANSITION_RESOLVED, 80);
        for (unsigned r = 0; r < 3; r++)
                told(b, r, "a:resolved");
        nobody(b);
}

static void what_was_held_for_a_receiver_that_is_gone_is_gone(void **state) {
        Bench *b = *state;
        Stamp now = stamp(2);
        uint64_t held, total;

        route(b, "routes: [{steps: [{notify: [charge, mqtt]}]}]\n");
        for (unsigned r = 0; r < 4; r++)
                b->routing->receivers[r] =
                                (RoutingReceiver){ receiver_names[r], PRIORITY_TECHNICAL, 1, 60000000 };
        AlertEvent first = raise_alert(b, "a", 1, PRIORITY_LOW, 0);
        told(b, CHARGE, "a:raised");
        told(b, MQTT, "a:raised");
        raise_alert(b, "b", 2, PRIORITY_LOW, 1);
        change(b, &first, TRANSITION_RESOLVED, 1);
        nobody(b);
        *b->other = *b->routing;
        b->other->receivers[0] = b->routing->receivers[MQTT];
        b->other->receiver_count = 1;
        b->other->routes[0].steps[0].receivers = 1;
        dispatch_use(b->dispatch, b->other, &now);
        dispatch_held(b->dispatch, 0, &held, &total);
        assert_int_equal(held, 2);
        assert_int_equal(total, 2);
        until(b, 60);
        told_several(b, 0, NOTICE_DIGEST, 2, 0);
        nobody(b);
        dispatch_held(b->dispatch, 0, &held, &total);
        assert_int_equal(held, 0);
}

/* The routing with its receivers the other way round, of which only the first `count` are left. */
static void turn_round(Bench *b, unsigned count) {
        *b->other = *b->routing;
        for (unsigned r = 0; r < count; r++)
                b->other->receivers[r] = b->routing->receivers[3 - r];
        b->other->receiver_count = count;
}

static void what_waits_survives_a_reload(void **state) {
        Bench *b = *state;
        Stamp now = stamp(3);
        AlertEvent events[4];

        route(b, "alerts: {repeat: 0s}\n");
        for (unsigned r = 0; r < 4; r++)
                b->routing->receivers[r] =
                                (RoutingReceiver){ receiver_names[r], PRIORITY_TECHNICAL, 1, 3600000000 };
        for (unsigned i = 0; i < 4; i++)
                events[i] = raise_alert(b, (char[]){ (char) ('a' + i), '\0' }, i < 3 ? 1 : 2, PRIORITY_LOW,
                                i / 10.0);
        b->seen = b->told;
        /* b and c wait in the group of 1, d and the end of a in digests */
        change(b, &events[0], TRANSITION_RESOLVED, 2);
        nobody(b);
        turn_round(b, 2);
        for (unsigned r = 0; r < 2; r++)
                b->other->receivers[r].rate_per_us = 60 * USEC_PER_SEC;
        b->other->routes[0].steps[0].receivers = 3;
        dispatch_use(b->dispatch, b->other, &now);
        nobody(b);
        change(b, &events[1], TRANSITION_RESOLVED, 4);
        change(b, &events[3], TRANSITION_RESOLVED, 4);
        raise_alert(b, "e", 1, PRIORITY_LOW, 5);
        until(b, 63);
        /* the old rate's debt is at most a minute now; c, e and a's end by name, d by number */
        for (unsigned r = 0; r < 2; r++) {
                const Notice *n = told_several(b, r, NOTICE_DIGEST, 3, 1);
                assert_int_equal(n->priority, PRIORITY_LOW);
                assert_string_equal(b->alerts[b->seen - 1].id, "c");
        }
        nobody(b);
}

static void each_receiver_keeps_its_own_over_a_reload(void **state) {
        Bench *b = *state;
        Stamp now = stamp(61);

        route(b, "alerts: {repeat: 0s, group_interval: 30s}\n"
                 "routes:\n"
                 "- {match: {rule: Rulem}, steps: [{notify: [mqtt]}]}\n"
                 "- {match: {rule: Rulen}, steps: [{notify: [nurse]}]}\n"
                 "- steps: [{notify: [nurse, mqtt]}, {after: 60s, notify: [mqtt]}]\n");
        b->routing->receivers[MQTT] = (RoutingReceiver){ "mqtt", PRIORITY_TECHNICAL, 1, 3600000000 };
        raise_alert(b, "a", 1, PRIORITY_LOW, 0);
        until(b, 60);
        b->seen = b->told;
        AlertEvent m = raise_alert(b, "m", 2, PRIORITY_LOW, 60),
                   x = raise_alert(b, "x", 3, PRIORITY_LOW, 60);
        told(b, NURSE, "x:raised");
        /* for mqtt: the second step of a, m, x; for the nurse, n in a group */
        AlertEvent n = raise_alert(b, "n", 3, PRIORITY_LOW, 61);
        turn_round(b, 4);
        b->other->routes[0].steps[0].receivers = 1;
        b->other->routes[1].steps[0].receivers = 8;
        b->other->routes[2].steps[0].receivers = 9;
        b->other->routes[2].steps[1].receivers = 1;
        dispatch_use(b->dispatch, b->other, &now);
        until(b, 89);
        nobody(b);
        until(b, 90);
        assert_string_equal(b->notices[b->seen].key, "n:raised");
        assert_int_equal(b->notices[b->seen++].receiver, 3);
        change(b, &x, TRANSITION_RESOLVED, 91);
        assert_string_equal(b->notices[b->seen++].key, "x:resolved");
        change(b, &m, TRANSITION_RESOLVED, 92);
        change(b, &n, TRANSITION_RESOLVED, 92);
        b->seen = b->told;
        until(b, 3600);
        assert_string_equal(b->notices[b->seen].key, "a:escalated-2");
        assert_int_equal(b->notices[b->seen].receiver, 0);
        assert_int_equal(b->notices[b->seen++].more, 2);
        nobody(b);
}

static void a_group_forgets_a_receiver_that_is_gone(void **state) {
        Bench *b = *state;
        Stamp now = stamp(2);

        route(b, "routes: [{match: {rule: Ruleb}, steps: [{notify: [nurse]}]}, {steps: [{notify: [nurse, "
                 "mqtt]}]}]\n");
        raise_alert(b, "a", 1, PRIORITY_LOW, 0);
        AlertEvent e = raise_alert(b, "b", 1, PRIORITY_LOW, 1);
        raise_alert(b, "c", 1, PRIORITY_LOW, 1);
        turn_round(b, 1);
        b->other->routes[0].steps[0].receivers = 1;
        b->other->routes[0].filter = (AlertFilter){ .rule = "none" };
        b->other->routes[1].steps[0].receivers = 0;
        b->seen = b->told;
        dispatch_use(b->dispatch, b->other, &now);
        change(b, &e, TRANSITION_RESOLVED, 3);
        raise_alert(b, "d", 1, PRIORITY_LOW, 4);
        until(b, 30);
        assert_string_equal(b->notices[b->seen].key, "c:raised");
        assert_int_equal(b->notices[b->seen++].receiver, 0);
        nobody(b);
}

static void repetitions_count_from_when_it_was_raised_again(void **state) {
        Bench *b = *state;

        route(b, "{alerts: {repeat: 1m}, routes: [{steps: [{notify: [nurse]}]}]}");
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        until(b, 120);
        change(b, &e, TRANSITION_LATCHED, 130);
        change(b, &e, TRANSITION_RERAISED, 140);
        b->seen = b->told;
        until(b, 200);
        told(b, NURSE, "a:repeated-1-1699920140000000");
        nobody(b);
}

static void an_end_that_waits_survives_a_reload(void **state) {
        Bench *b = *state;
        Stamp now = stamp(3);

        route(b, "{}");
        for (unsigned r = 0; r < 4; r++)
                b->routing->receivers[r] =
                                (RoutingReceiver){ receiver_names[r], PRIORITY_TECHNICAL, 1, 60000000 };
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_LOW, 0);
        b->seen = b->told;
        change(b, &e, TRANSITION_RESOLVED, 2);
        turn_round(b, 1);
        b->other->routes[0].steps[0].receivers = 1;
        dispatch_use(b->dispatch, b->other, &now);
        until(b, 60);
        told(b, 0, "a:resolved");
        nobody(b);
}

static void a_reload_can_ask_for_repetition(void **state) {
        Bench *b = *state;
        Stamp now = stamp(100);

        route(b, ESCALATING);
        raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        until(b, 60);
        use_routing(b->other, "{alerts: {repeat: 1m}, routes: [{steps: [{notify: [mqtt]}]}]}");
        dispatch_use(b->dispatch, b->other, &now);
        b->seen = b->told;
        assert_int_equal(dispatch_deadline(b->dispatch), stamp(160).mono_us);
        use_routing(b->routing, "{alerts: {repeat: 0s}, routes: [{steps: [{notify: [mqtt]}]}]}");
        dispatch_use(b->dispatch, b->routing, &now);
        assert_int_equal(dispatch_deadline(b->dispatch), INT64_MAX);
        nobody(b);
}

static void an_alert_can_begin_before_its_end_was_told(void **state) {
        Bench *b = *state;

        route(b, ESCALATING);
        b->routing->receivers[NURSE] = (RoutingReceiver){ "nurse", PRIORITY_TECHNICAL, 1, 60000000 };
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_LOW, 0);
        change(b, &e, TRANSITION_RESOLVED, 1);
        b->seen = b->told;
        /* a coarse clock gave it the same id */
        e.raised_us = stamp(2).wall_us;
        change(b, &e, TRANSITION_RAISED, 2);
        told(b, MQTT, "a:raised");
        until(b, 59);
        nobody(b);
        until(b, 60);
        told(b, NURSE, "a:raised");
        change(b, &e, TRANSITION_RESOLVED, 61);
        told(b, MQTT, "a:resolved");
        until(b, 120);
        told(b, NURSE, "a:resolved");
        nobody(b);
}

static void collect(void *userdata, const AlertEvent *e) {
        char *text = userdata;

        strcat(text, e->id);
}

static void who_was_told_of_what_can_be_looked_at(void **state) {
        Bench *b = *state;
        char text[16] = "";

        route(b, "alerts: {group_interval: 0s}\n"
                 "routes: [{match: {rule: Rulec}, steps: [{notify: [nurse]}]}, {steps: [{notify: "
                 "[mqtt]}]}]\n");
        /* told in another order than they were raised */
        for (const char *id = "badce"; *id; id++) {
                AlertEvent e = alert(b, (char[]){ *id, '\0' }, 1, PRIORITY_LOW,
                                *id == 'd'   ? 1
                                : *id == 'b' ? 2
                                             : 3);
                event(b, &e, 4);
                if (*id == 'd')
                        change(b, &e, TRANSITION_ACKNOWLEDGED, 4);
                else if (*id == 'e')
                        change(b, &e, TRANSITION_RESOLVED, 4);
        }
        dispatch_visit(b->dispatch, MQTT, collect, text);
        assert_string_equal(text, "dba");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                without_routes_everything_goes_to_everybody, setup, teardown),
                cmocka_unit_test_setup_teardown(each_step_is_told_when_its_time_has_come, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                steps_that_come_due_together_tell_each_receiver_once, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                an_acknowledgement_stops_steps_and_repetition, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                raised_again_it_starts_from_the_first_step_with_keys_of_its_own, setup,
                                teardown),
                cmocka_unit_test_setup_teardown(it_is_repeated_to_those_who_know, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                technical_ones_are_repeated_where_the_route_says_so, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_receiver_is_told_nothing_below_its_priority, setup, teardown),
                cmocka_unit_test_setup_teardown(alerts_nobody_follows_do_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_silenced_alert_is_told_when_the_silence_is_over, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_silence_stops_what_was_told_before_and_ends_with_a_reminder, setup,
                                teardown),
                cmocka_unit_test_setup_teardown(
                                the_end_of_a_silenced_alert_is_told_to_those_who_knew, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                an_acknowledgement_in_a_silence_is_told_after_it, setup, teardown),
                cmocka_unit_test_setup_teardown(an_alert_under_two_silences_waits_for_both, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                silences_that_are_over_or_too_long_are_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(a_reload_keeps_who_knows_by_name, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                what_was_held_for_a_receiver_that_is_gone_is_gone, setup, teardown),
                cmocka_unit_test_setup_teardown(what_waits_survives_a_reload, setup, teardown),
                cmocka_unit_test_setup_teardown(each_receiver_keeps_its_own_over_a_reload, setup, teardown),
                cmocka_unit_test_setup_teardown(a_group_forgets_a_receiver_that_is_gone, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                repetitions_count_from_when_it_was_raised_again, setup, teardown),
                cmocka_unit_test_setup_teardown(an_end_that_waits_survives_a_reload, setup, teardown),
                cmocka_unit_test_setup_teardown(a_reload_can_ask_for_repetition, setup, teardown),
                cmocka_unit_test_setup_teardown(an_alert_can_begin_before_its_end_was_told, setup, teardown),
                cmocka_unit_test_setup_teardown(who_was_told_of_what_can_be_looked_at, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
