/* Notices that wait for a receiver. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/delivery.h"

enum { MAX = 4 };

typedef struct Dropped {
        size_t count;
        char key[NOTICE_KEY_MAX], why[64]; /* of the last */
} Dropped;

static void note_dropped(void *userdata, const Delivery *d, const char *why) {
        Dropped *dropped = userdata;

        dropped->count++;
        (void) snprintf(dropped->key, sizeof dropped->key, "%s", d->notice.key);
        (void) snprintf(dropped->why, sizeof dropped->why, "%s", why);
}

static void add(DeliveryQueue *q, const char *alert, AlertTransition t, Priority priority, int64_t now_us,
                Dropped *dropped) {
        AlertEvent e = { .priority = priority, .transition = t };
        Notice n = { .kind = NOTICE_ALERT, .priority = priority, .alerts = &e, .count = 1 };

        e.state = t == TRANSITION_RESOLVED ? ALERT_RESOLVED : ALERT_ACTIVE;
        (void) snprintf(e.id, sizeof e.id, "%s", alert);
        (void) snprintf(n.key, sizeof n.key, "%s:%s", alert, alert_transition_name(t));
        assert_int_equal(delivery_queue_add(q, &n, MAX, now_us, note_dropped, dropped), 0);
}

static void expect_keys(const DeliveryQueue *q, const char *const *keys) {
        size_t i = 0;

        for (; keys[i]; i++) {
                assert_true(i < q->count);
                assert_string_equal(q->items[i]->notice.key, keys[i]);
        }
        assert_int_equal(q->count, i);
}

static void they_leave_in_order(void **state) {
        DeliveryQueue q = { 0 };
        Dropped dropped = { 0 };

        add(&q, "a", TRANSITION_RAISED, PRIORITY_HIGH, 0, &dropped);
        add(&q, "b", TRANSITION_RAISED, PRIORITY_LOW, 0, &dropped);
        assert_true(delivery_queue_has(&q, "a"));
        Delivery *d = delivery_queue_take(&q);
        assert_string_equal(d->notice.key, "a:raised");
        assert_string_equal(d->notice.alerts[0].id, "a");
        free(d);
        assert_false(delivery_queue_has(&q, "a"));
        expect_keys(&q, (const char *const[]){ "b:raised", NULL });
        delivery_queue_done(&q);
}

static void the_end_of_an_alert_replaces_what_waits_of_it(void **state) {
        DeliveryQueue q = { 0 };
        Dropped dropped = { 0 };

        add(&q, "a", TRANSITION_RAISED, PRIORITY_HIGH, 0, &dropped);
        q.in_flight = true; /* that one is with the worker */
        add(&q, "a", TRANSITION_ESCALATED, PRIORITY_HIGH, 0, &dropped);
        add(&q, "b", TRANSITION_RAISED, PRIORITY_HIGH, 0, &dropped);
        add(&q, "a", TRANSITION_RESOLVED, PRIORITY_HIGH, 0, &dropped);
        expect_keys(&q, (const char *const[]){ "a:raised", "b:raised", "a:resolved", NULL });
        assert_int_equal(dropped.count, 1);
        assert_string_equal(dropped.key, "a:escalated");
        assert_string_equal(dropped.why, "the alert is over");
        delivery_queue_done(&q);
}

static void a_repetition_replaces_the_one_before(void **state) {
        DeliveryQueue q = { 0 };
        Dropped dropped = { 0 };

        add(&q, "a", TRANSITION_RAISED, PRIORITY_HIGH, 0, &dropped);
        for (int i = 0; i < 10; i++)
                add(&q, "a", TRANSITION_REPEATED, PRIORITY_HIGH, 0, &dropped);
        expect_keys(&q, (const char *const[]){ "a:raised", "a:repeated", NULL });
        assert_int_equal(dropped.count, 9);
        delivery_queue_done(&q);
}

static void beyond_the_limit_the_oldest_of_the_lowest_priority_goes(void **state) {
        DeliveryQueue q = { 0 };
        Dropped dropped = { 0 };

        add(&q, "in-flight", TRANSITION_RAISED, PRIORITY_TECHNICAL, 0, &dropped);
        q.in_flight = true;
        add(&q, "a", TRANSITION_RAISED, PRIORITY_HIGH, 0, &dropped);
        add(&q, "b", TRANSITION_RAISED, PRIORITY_LOW, 0, &dropped);
        add(&q, "c", TRANSITION_RAISED, PRIORITY_LOW, 0, &dropped);
        add(&q, "d", TRANSITION_RAISED, PRIORITY_HIGH, 0, &dropped);
        expect_keys(&q, (const char *const[]){
                                        "in-flight:raised", "a:raised", "c:raised", "d:raised", NULL });
        assert_int_equal(dropped.count, 1);
        assert_string_equal(dropped.key, "b:raised");
        delivery_queue_done(&q);
}

static void beyond_the_limit_nothing_makes_way_for_what_is_lower(void **state) {
        DeliveryQueue q = { 0 };
        Dropped dropped = { 0 };

        for (size_t i = 0; i < MAX; i++)
                add(&q, (const char *const[]){ "a", "b", "c", "d" }[i], TRANSITION_RAISED, PRIORITY_HIGH, 0,
                                &dropped);
        add(&q, "e", TRANSITION_RAISED, PRIORITY_TECHNICAL, 0, &dropped);
        expect_keys(&q, (const char *const[]){ "a:raised", "b:raised", "c:raised", "d:raised", NULL });
        assert_int_equal(dropped.count, 1);
        assert_string_equal(dropped.key, "e:raised");
        assert_string_equal(dropped.why, "too many wait");
        add(&q, "f", TRANSITION_RAISED, PRIORITY_HIGH, 0, &dropped);
        expect_keys(&q, (const char *const[]){ "b:raised", "c:raised", "d:raised", "f:raised", NULL });
        delivery_queue_done(&q);
}

static void what_is_too_old_is_given_up_but_not_what_is_high(void **state) {
        DeliveryQueue q = { 0 };
        Dropped dropped = { 0 };

        add(&q, "a", TRANSITION_RAISED, PRIORITY_HIGH, 0, &dropped);
        add(&q, "b", TRANSITION_RAISED, PRIORITY_MEDIUM, 0, &dropped);
        add(&q, "c", TRANSITION_RAISED, PRIORITY_MEDIUM, 50, &dropped);
        delivery_queue_expire(&q, 100, 99, note_dropped, &dropped);
        assert_int_equal(dropped.count, 0);
        delivery_queue_expire(&q, 100, 100, note_dropped, &dropped);
        expect_keys(&q, (const char *const[]){ "a:raised", "c:raised", NULL });
        assert_string_equal(dropped.why, "expired");
        delivery_queue_done(&q);
}

static void a_notice_that_is_refused_lets_others_go_first(void **state) {
        DeliveryQueue q = { 0 };
        Dropped dropped = { 0 };

        add(&q, "a", TRANSITION_RAISED, PRIORITY_HIGH, 0, &dropped);
        delivery_queue_step_back(&q);
        expect_keys(&q, (const char *const[]){ "a:raised", NULL });
        add(&q, "a", TRANSITION_ESCALATED, PRIORITY_HIGH, 0, &dropped);
        delivery_queue_step_back(&q); /* but not one about the same alert */
        expect_keys(&q, (const char *const[]){ "a:raised", "a:escalated", NULL });
        add(&q, "b", TRANSITION_RAISED, PRIORITY_HIGH, 0, &dropped);
        add(&q, "b", TRANSITION_ESCALATED, PRIORITY_HIGH, 0, &dropped);
        delivery_queue_step_back(&q); /* and neither keeps another alert waiting */
        expect_keys(&q, (const char *const[]){ "b:raised", "a:raised", "a:escalated", "b:escalated", NULL });
        delivery_queue_done(&q);

        add(&q, "a", TRANSITION_RAISED, PRIORITY_HIGH, 0, &dropped);
        add(&q, "b", TRANSITION_RAISED, PRIORITY_HIGH, 0, &dropped);
        add(&q, "c", TRANSITION_RAISED, PRIORITY_HIGH, 0, &dropped);
        delivery_queue_step_back(&q);
        expect_keys(&q, (const char *const[]){ "b:raised", "a:raised", "c:raised", NULL });
        free(delivery_queue_take(&q));
        delivery_queue_step_back(&q);
        free(delivery_queue_take(&q)); /* c is taken: that a was not is its own fault */
        delivery_queue_drop_refused(&q, 3, note_dropped, &dropped);
        expect_keys(&q, (const char *const[]){ "a:raised", NULL });
        delivery_queue_drop_refused(&q, 2, note_dropped, &dropped);
        assert_int_equal(q.count, 0);
        assert_string_equal(dropped.key, "a:raised");
        assert_string_equal(dropped.why, "refused");
        delivery_queue_done(&q);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(they_leave_in_order),
                cmocka_unit_test(the_end_of_an_alert_replaces_what_waits_of_it),
                cmocka_unit_test(a_repetition_replaces_the_one_before),
                cmocka_unit_test(beyond_the_limit_the_oldest_of_the_lowest_priority_goes),
                cmocka_unit_test(beyond_the_limit_nothing_makes_way_for_what_is_lower),
                cmocka_unit_test(what_is_too_old_is_given_up_but_not_what_is_high),
                cmocka_unit_test(a_notice_that_is_refused_lets_others_go_first),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
