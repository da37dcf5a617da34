/* Storms: what reaches a receiver stays within its rate, what it holds stays bounded, and nothing gets lost in it. */
#include "dispatch-bench.h"

#define ROUTES                                                                                              \
        "alerts: {repeat: 0s}\n"                                                                            \
        "routes:\n"                                                                                         \
        "- {match: {priority: technical}, steps: [{notify: [mqtt]}]}\n"                                     \
        "- steps: [{notify: [nurse]}, {after: 60s, notify: [charge]}]\n"

enum { DEVICES = 500, RATE = 10 };

static void storm_route(Bench *b) {
        route(b, ROUTES);
        for (unsigned r = 0; r < ELEMENTS(receiver_names); r++) {
                b->routing->receivers[r].rate_notices = RATE;
                b->routing->receivers[r].rate_per_us = 60 * USEC_PER_SEC;
        }
}

static SubjectId subject(Bench *b, unsigned i) {
        char name[16];
        SubjectId s;

        (void) snprintf(name, sizeof name, "s%u", i);
        assert_int_equal(registry_add_subject(b->registry, name, SUBJECT_PATIENT, &s), 0);
        return s;
}

static AlertEvent numbered(Bench *b, unsigned i, SubjectId s, Priority p, double at) {
        AlertEvent e = alert(b, "", 0, p, at);

        (void) snprintf(e.id, sizeof e.id, "%08u", i);
        e.subject = s;
        return e;
}

static void count(void *userdata, const AlertEvent *e) {
        (void) e;
        (*(size_t *) userdata)++;
}

static size_t known(const Bench *b, unsigned receiver) {
        size_t n = 0;

        dispatch_visit(b->dispatch, receiver, count, &n);
        return n;
}

static uint64_t held(const Bench *b, unsigned receiver) {
        uint64_t now, total;

        dispatch_held(b->dispatch, receiver, &now, &total);
        return now;
}

/* By name or by number. */
static uint64_t all_told(const Bench *b) {
        uint64_t n = 0;

        for (size_t i = 0; i < b->told; i++)
                n += b->notices[i].count + b->notices[i].more;
        return n;
}

static void many_devices_are_silent_at_once(void **state) {
        Bench *b = *state;
        AlertEvent events[DEVICES];

        storm_route(b);
        for (unsigned i = 0; i < DEVICES; i++) {
                events[i] = numbered(b, i, subject(b, i), PRIORITY_TECHNICAL, 0);
                event(b, &events[i], 0);
        }
        AlertEvent high = numbered(b, DEVICES, subject(b, 0), PRIORITY_HIGH, 0);
        event(b, &high, 0);
        assert_int_equal(b->told, RATE + 1);
        assert_int_equal(b->notices[RATE].priority, PRIORITY_HIGH);
        assert_int_equal(held(b, MQTT), DEVICES - RATE);
        /* one digest tells of them all */
        until(b, 6);
        assert_int_equal(b->told, RATE + 2);
        assert_int_equal(all_told(b), DEVICES + 1);
        assert_int_equal(held(b, MQTT), 0);
        assert_int_equal(known(b, MQTT), DEVICES);
        b->told = 0;
        for (unsigned i = 0; i < DEVICES; i++)
                change(b, &events[i], TRANSITION_RESOLVED, 120);
        until(b, 180);
        assert_int_equal(all_told(b), DEVICES + 1 /* the high one's second step */);
        assert_int_equal(b->told, RATE + 2);
        assert_int_equal(known(b, MQTT), 0);
        assert_int_equal(held(b, MQTT), 0);
}

static void a_threshold_flaps(void **state) {
        Bench *b = *state;
        const unsigned minutes = 10, each = 600;

        storm_route(b);
        for (unsigned i = 0; i < minutes * each; i += 2) {
                AlertEvent e = numbered(b, i, b->subjects[i % 4 < 2 ? 0 : 1], PRIORITY_MEDIUM, i / 10.0);
                until(b, i / 10.0);
                event(b, &e, i / 10.0);
                until(b, (i + 1) / 10.0);
                change(b, &e, TRANSITION_RESOLVED, (i + 1) / 10.0);
                assert_true(held(b, NURSE) <= 4);
        }
        assert_true(b->told <= RATE + RATE * minutes);
        until(b, 3600);
        assert_int_equal(held(b, NURSE), 0);
        assert_int_equal(known(b, NURSE), 0);
        assert_int_equal(dispatch_deadline(b->dispatch), INT64_MAX);
}

static void as_many_alerts_as_there_can_be(void **state) {
        static const unsigned subjects = 400;
        Bench *b = *state;
        AlertEvent *events = calloc(ALERTS_MAX, sizeof *events);
        SubjectId s[400];

        assert_non_null(events);
        storm_route(b);
        for (unsigned i = 0; i < subjects; i++)
                s[i] = subject(b, i);
        for (unsigned i = 0; i < ALERTS_MAX; i++) {
                events[i] = numbered(b, i, s[i % subjects], PRIORITY_LOW, 0);
                event(b, &events[i], 0);
        }
        assert_int_equal(b->told, RATE);
        until(b, 600);
        assert_int_equal(known(b, NURSE), ALERTS_MAX);
        /* the second step of all at once */
        assert_int_equal(known(b, CHARGE), ALERTS_MAX);
        assert_true(b->told <= (size_t) 22 * RATE);
        for (unsigned i = 0; i < ALERTS_MAX; i++)
                change(b, &events[i], i % 2 ? TRANSITION_ACKNOWLEDGED : TRANSITION_RESOLVED, 700);
        until(b, 900);
        assert_int_equal(known(b, NURSE), ALERTS_MAX / 2);
        assert_int_equal(held(b, NURSE) + held(b, CHARGE), 0);
        for (unsigned i = 1; i < ALERTS_MAX; i += 2)
                change(b, &events[i], TRANSITION_RESOLVED, 1000);
        until(b, 1100);
        assert_int_equal(held(b, NURSE) + held(b, CHARGE), 0);
        assert_int_equal(dispatch_deadline(b->dispatch), INT64_MAX);
        free(events);
}

static void resolve_all(Bench *b, unsigned first, double raised, double at) {
        for (unsigned i = 0; i < ALERTS_MAX; i++) {
                AlertEvent e = numbered(b, first + i, b->subjects[0], PRIORITY_LOW, raised);
                change(b, &e, TRANSITION_RESOLVED, at);
        }
}

static void raise_all(Bench *b, unsigned first, double at) {
        for (unsigned i = 0; i < ALERTS_MAX; i++) {
                AlertEvent e = numbered(b, first + i, b->subjects[0], PRIORITY_LOW, at);
                event(b, &e, at);
        }
}

/* One receiver has room for a digest when the other's is far: ends of two rounds wait, of which the first is counted. */
static void what_is_over_and_still_to_be_told_is_bounded(void **state) {
        Bench *b = *state;

        route(b, "alerts: {repeat: 0s, group_interval: 0s}\nroutes: [{steps: [{notify: [nurse, "
                 "charge]}]}]\n");
        b->routing->receivers[NURSE] =
                        (RoutingReceiver){ "nurse", PRIORITY_TECHNICAL, 1, 60 * USEC_PER_SEC };
        b->routing->receivers[CHARGE] =
                        (RoutingReceiver){ "charge", PRIORITY_TECHNICAL, 1, 3600 * USEC_PER_SEC };
        raise_alert(b, "a", 1, PRIORITY_LOW, 0);
        raise_all(b, 0, 1);
        until(b, 3600);
        assert_int_equal(known(b, CHARGE), ALERTS_MAX + 1);
        resolve_all(b, 0, 1, 3601);
        assert_int_equal(held(b, CHARGE), ALERTS_MAX);
        raise_all(b, ALERTS_MAX, 3602);
        until(b, 3661);
        assert_int_equal(known(b, NURSE), ALERTS_MAX + 1);
        assert_int_equal(held(b, CHARGE), 2 * ALERTS_MAX);
        resolve_all(b, ALERTS_MAX, 3602, 3662);
        assert_int_equal(held(b, NURSE), ALERTS_MAX);
        assert_int_equal(held(b, CHARGE), 0);
        b->told = 0;
        until(b, 8000);
        assert_int_equal(b->told, 2);
        assert_int_equal(b->notices[0].count + b->notices[0].more, ALERTS_MAX);
        assert_int_equal(b->notices[1].count + b->notices[1].more, 2 * ALERTS_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(many_devices_are_silent_at_once, setup, teardown),
                cmocka_unit_test_setup_teardown(a_threshold_flaps, setup, teardown),
                cmocka_unit_test_setup_teardown(as_many_alerts_as_there_can_be, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                what_is_over_and_still_to_be_told_is_bounded, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
