/* The alerts that there are: their identity, reloads, subjects that leave, and their limit. */
#include "alert-fixture.h"
#include "alert/table.h"
#include "base/sha256.h"

static const AlertRule low = { .name = "Low", .priority = PRIORITY_HIGH };
static const AlertRule slow = { .name = "Slow",
        .priority = PRIORITY_MEDIUM,
        .for_us = 10 * USEC_PER_SEC,
        .keep_firing_us = 30 * USEC_PER_SEC };

static void an_id_is_of_rule_subject_and_since(void **state) {
        Bench *b = *state;
        char text[] = "Low\0p1\0########", id[ALERT_ID_MAX] = "";
        Hash h;

        be64_write((uint8_t *) text + 7, (uint64_t) stamp(1).wall_us);
        sha256(BYTES(text, 15), &h);
        for (size_t i = 0; i < 16; i++)
                (void) snprintf(id + 2 * i, 3, "%02x", h.bytes[i]);
        is(b, &low, b->p1, TRUTH_TRUE, 80, 1);
        assert_string_equal(event(b, "Low", TRANSITION_RAISED, 1)->id, id);
        is(b, &low, b->p1, TRUTH_FALSE, 99, 2);
        assert_string_equal(event(b, "Low", TRANSITION_RESOLVED, 2)->id, id);
        is(b, &low, b->p2, TRUTH_TRUE, 80, 1);
        const AlertEvent *e = event(b, "Low", TRANSITION_RAISED, 1);
        assert_string_not_equal(e->id, id);
}

/* A device whose clock has whole seconds: three readings in one. */
static void alerts_of_the_same_time_have_their_own_ids(void **state) {
        Bench *b = *state;
        char id[ALERT_ID_MAX];

        is(b, &low, b->p1, TRUTH_TRUE, 80, 1);
        memcpy(id, event(b, "Low", TRANSITION_RAISED, 1)->id, sizeof id);
        is(b, &low, b->p1, TRUTH_FALSE, 99, 1);
        (void) event(b, "Low", TRANSITION_RESOLVED, 1);
        is(b, &low, b->p1, TRUTH_TRUE, 80, 1);
        const AlertEvent *e = event(b, "Low", TRANSITION_RAISED, 1);
        assert_string_not_equal(e->id, id);
        assert_int_equal(e->since_us, stamp(1).wall_us + 1);
}

static void names_of_the_same_hash_do_not_mix(void **state) {
        Bench *b = *state;
        AlertRule one = low, other = low;

        one.name = "R112382";
        other.name = "R349599";
        assert_int_equal(alert_hash(one.name, b->p1), alert_hash(other.name, b->p1));
        is(b, &one, b->p1, TRUTH_TRUE, 80, 1);
        (void) event(b, "R112382", TRANSITION_RAISED, 1);
        is(b, &other, b->p1, TRUTH_FALSE, 80, 2);
        nothing(b);
        is(b, &other, b->p1, TRUTH_TRUE, 80, 3);
        (void) event(b, "R349599", TRANSITION_RAISED, 3);
        is(b, &one, b->p1, TRUTH_FALSE, 80, 4);
        (void) event(b, "R112382", TRANSITION_RESOLVED, 4);
        is(b, &other, b->p1, TRUTH_FALSE, 80, 5);
        (void) event(b, "R349599", TRANSITION_RESOLVED, 5);
}

static bool is_low(void *userdata, const char *rule) {
        (void) userdata;
        return strcmp(rule, "Low") == 0;
}

static void alerts_of_rules_that_are_gone_are_resolved(void **state) {
        Bench *b = *state;
        Stamp now = stamp(20);

        is(b, &slow, b->p1, TRUTH_TRUE, 5, 0);
        tick(b, 10);
        is(b, &slow, b->p2, TRUTH_TRUE, 5, 15);
        is(b, &low, b->p1, TRUTH_TRUE, 5, 15);
        assert_int_equal(alert_manager_raise(b->manager, "StoreFailed", "", &now), 0);
        b->count = 0;
        alert_manager_retain(b->manager, is_low, NULL, &now);
        assert_int_equal(event(b, "Slow", TRANSITION_RESOLVED, 20)->subject, b->p1);
        assert_int_equal(active(b), 2);
        assert_int_equal(alert_manager_deadline(b->manager), INT64_MAX);
}

static bool is_any(void *userdata, const char *rule) {
        (void) userdata;
        (void) rule;
        return true;
}

static void to_those_that_stay_a_reload_is_unknown(void **state) {
        Bench *b = *state;
        Stamp now = stamp(25);

        is(b, &slow, b->p1, TRUTH_TRUE, 5, 0);
        tick(b, 10);
        (void) event(b, "Slow", TRANSITION_RAISED, 10);
        is(b, &slow, b->p1, TRUTH_FALSE, 9, 20);
        is(b, &slow, b->p2, TRUTH_TRUE, 5, 20);
        alert_manager_retain(b->manager, is_any, NULL, &now);
        tick(b, 1000);
        nothing(b);
        assert_int_equal(active(b), 1);
}

static void alerts_of_a_subject_that_leaves_are_resolved(void **state) {
        Bench *b = *state;
        Stamp now = stamp(20);

        is(b, &low, b->p1, TRUTH_TRUE, 5, 1);
        is(b, &low, b->p2, TRUTH_TRUE, 5, 1);
        is(b, &slow, b->p1, TRUTH_TRUE, 5, 19);
        b->count = 0;
        alert_manager_release(b->manager, b->p1, &now);
        assert_int_equal(event(b, "Low", TRANSITION_RESOLVED, 20)->subject, b->p1);
        assert_int_equal(active(b), 1);
        tick(b, 100);
        nothing(b);
}

typedef struct Order {
        int64_t since_us;
        size_t count;
} Order;

static void check_order(void *userdata, const AlertEvent *e) {
        Order *o = userdata;

        assert_true(e->since_us >= o->since_us);
        o->since_us = e->since_us;
        o->count++;
}

static void the_oldest_is_shown_first(void **state) {
        static const double times[] = { 5, 3, 9, 1, 7, 2 };
        Bench *b = *state;
        Order o = { 0 };
        AlertRule rules[ELEMENTS(times)];
        char names[ELEMENTS(times)][8];

        for (size_t i = 0; i < ELEMENTS(times); i++) {
                (void) snprintf(names[i], sizeof names[i], "R%zu", i);
                rules[i] = low;
                rules[i].name = names[i];
                rules[i].priority = i % 2 ? PRIORITY_HIGH : PRIORITY_LOW;
                is(b, &rules[i], b->p1, TRUTH_TRUE, 1, times[i]);
        }
        alert_manager_visit(b->manager, check_order, &o);
        assert_int_equal(o.count, ELEMENTS(times));
}

static void beyond_the_limit_the_lowest_priority_is_shed(void **state) {
        Bench *b = *state;
        AlertRule medium = low;
        char name[16];

        medium.name = name;
        medium.priority = PRIORITY_MEDIUM;
        for (int i = 0; i < ALERTS_MAX; i++) {
                (void) snprintf(name, sizeof name, "R%d", i);
                is(b, &medium, b->p1, TRUTH_TRUE, 1, i);
        }
        assert_int_equal(b->count, ALERTS_MAX);
        b->count = 0;
        (void) snprintf(name, sizeof name, "another");
        is(b, &medium, b->p1, TRUTH_TRUE, 1, 70000);
        nothing(b);
        assert_int_equal(alert_manager_shed(b->manager), 1);
        is(b, &low, b->p1, TRUTH_TRUE, 1, 70001);
        assert_int_equal(b->count, 2);
        assert_string_equal(b->events[0].rule, "R16383");
        assert_int_equal(b->events[0].state, ALERT_RESOLVED);
        assert_string_equal(b->events[0].note, "Not followed any more: too many alerts");
        assert_string_equal(b->events[1].rule, "Low");
        assert_int_equal(b->events[1].state, ALERT_ACTIVE);
        assert_int_equal(alert_manager_shed(b->manager), 2);
        assert_int_equal(active(b), ALERTS_MAX);
        /* every one of them is still found and ends */
        for (int i = 0; i < ALERTS_MAX - 1; i++) {
                (void) snprintf(name, sizeof name, "R%d", i);
                is(b, &medium, b->p1, TRUTH_FALSE, 1, 80000);
        }
        is(b, &low, b->p1, TRUTH_FALSE, 1, 80000);
        assert_int_equal(active(b), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(an_id_is_of_rule_subject_and_since),
                CASE(alerts_of_the_same_time_have_their_own_ids),
                CASE(names_of_the_same_hash_do_not_mix),
                CASE(alerts_of_rules_that_are_gone_are_resolved),
                CASE(to_those_that_stay_a_reload_is_unknown),
                CASE(alerts_of_a_subject_that_leaves_are_resolved),
                CASE(the_oldest_is_shown_first),
                CASE(beyond_the_limit_the_lowest_priority_is_shed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
