/* The source against the real broker: nothing lost, nothing twice, over restarts of either. */
#include "mqtt_ward.h"

static void every_message_comes_once_and_in_order(void **state) {
        Ward *w = *state;

        start_broker(w);
        start_device(w);
        start_source(w);
        wait_until(w, w->up);
        for (unsigned i = 0; i < 3000; i++) {
                publish(w, i, 120, false);
                turn(w);
                assert_true(w->next <= i + 1);
        }
        wait_until(w, w->next == 3000);
        wait_until(w, w->source->counters.acknowledged == 3000);
        assert_int_equal(w->frames, 3000);
        assert_int_equal(w->redelivered, 0);
        assert_int_equal(w->source->counters.bytes, 3000 * 120);
}

static void what_is_not_acknowledged_comes_again(void **state) {
        Ward *w = *state;

        start_broker(w);
        start_device(w);
        start_source(w);
        wait_until(w, w->up);
        w->keep = true;
        for (unsigned i = 0; i < 10; i++)
                publish(w, i, 8, false);
        wait_until(w, w->frames == 10);
        stop_source(w);

        w->keep = false;
        start_source(w);
        wait_until(w, w->up && w->frames == 10);
        publish(w, 10, 8, false);
        wait_until(w, w->frames == 11 && w->batch == 0);
        assert_int_equal(w->redelivered, 10);
        stop_source(w);

        start_source(w);
        wait_until(w, w->up);
        publish(w, 11, 8, false);
        wait_until(w, w->frames == 1);
        assert_int_equal(w->next, 12);
}

static void a_broker_may_come_late_and_restart(void **state) {
        Ward *w = *state;

        start_source(w);
        wait_until(w, strstr(w->reason, "Connection refused"));
        start_broker(w);
        wait_until(w, w->up);
        w->keep = true;
        start_device(w);
        publish(w, 0, 8, false);
        wait_until(w, w->frames == 1);
        stop_device(w);
        stop_broker(w);
        wait_until(w, !w->up);

        w->keep = false;
        start_broker(w);
        wait_until(w, w->up && w->frames == 2); /* the broker kept it over its restart */
        assert_int_equal(w->source->counters.disconnects, 1);
}

static void the_best_effort_lane_acknowledges_nothing(void **state) {
        Ward *w = *state;

        start_broker(w);
        start_device(w);
        publish(w, 0, 8, true);
        start_source(w);
        wait_until(w, w->frames == 1 && w->retained == 1);
        w->source->ops->suspend(w->source);
        wait_until(w, w->frames == 2 && w->retained == 2);
        publish(w, 1, 8, false);
        wait_until(w, w->next == 2);
        assert_int_equal(w->durable, 1);

        w->source->ops->resume(w->source);
        wait_until(w, w->durable >= 3); /* the queued one and the retained one again */
}

static void a_wrong_password_is_said(void **state) {
        static char wrong[] = "wrong";
        Ward *w = *state;

        w->options.password = wrong;
        start_broker(w);
        start_source(w);
        wait_until(w, strstr(w->reason, "not authorised"));
        assert_false(w->up);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                ward_test(every_message_comes_once_and_in_order),
                ward_test(what_is_not_acknowledged_comes_again),
                ward_test(a_broker_may_come_late_and_restart),
                ward_test(the_best_effort_lane_acknowledges_nothing),
                ward_test(a_wrong_password_is_said),
        };

        (void) signal(SIGPIPE, SIG_IGN);
        (void) mosquitto_lib_init();
        int r = cmocka_run_group_tests(tests, NULL, NULL);
        (void) mosquitto_lib_cleanup();
        return r;
}
