/* A notification channel in its process: notices and refreshes arrive whole, and what its threads say comes up at any
 * time, bounded. */
#include "worker-fixture.h"
#include "wardstone/plugin.h"

#define HERALD "tests/unit/plugins/herald.so"

static int call_wait(Fixture *f, const char *op, json_t *args) {
        unsigned before = f->replies;

        assert_int_equal(worker_call(f->worker, op, args, on_reply, f), 0);
        json_decref(args);
        wait_for(f, &f->replies, before + 1);
        return f->result;
}

static int deliver(Fixture *f, const char *key) {
        return call_wait(f, "deliver", json_pack("{s:{s:s}}", "notice", "key", key));
}

static const char *error_of(const Fixture *f) {
        return json_string_value(json_object_get(f->reply, "error"));
}

static void assert_said(const Fixture *f, size_t i, const char *alert, const char *note) {
        const json_t *said = json_array_get(f->said, i);

        assert_string_equal(json_string_value(json_object_get(said, "op")), "acknowledge");
        assert_string_equal(json_string_value(json_object_get(said, "alert")), alert);
        assert_string_equal(json_string_value(json_object_get(said, "who")), "anna");
        assert_string_equal(json_string_value(json_object_get(said, "note")), note);
}

static void a_notice_arrives_whole(void **state) {
        Fixture *f = *state;

        start_plugin(f, HERALD, 0);
        json_t *args = json_pack("{s:{s:s,s:[{s:s}],s:i}}", "notice", "key", "k", "alerts", "id", "\u00e9",
                        "more", 3);
        assert_int_equal(call_wait(f, "deliver", args), -EAGAIN);
        assert_string_equal(error_of(f), "{\"key\":\"k\",\"alerts\":[{\"id\":\"\u00e9\"}],\"more\":3}");
}

/* A part with one alert, or with what is not an array of them. */
static json_t *part(bool first, bool last, json_t *alerts) {
        return json_pack(
                        "{s:s,s:b,s:b,s:o}", "gateway", "g", "first", first, "last", last, "alerts", alerts);
}

static void a_refresh_arrives_whole_and_is_known_of(void **state) {
        Fixture *f = *state;

        start_plugin(f, HERALD, 0);
        assert_true(worker_refreshes(f->worker));
        json_t *alerts = json_pack("[{s:s}]", "id", "a1");
        assert_int_equal(call_wait(f, "refresh", part(true, false, alerts)), -EAGAIN);
        assert_string_equal(error_of(f),
                        "{\"gateway\":\"g\",\"first\":true,\"last\":false,\"alerts\":[{\"id\":\"a1\"}]}");
}

static void a_channel_without_refresh_says_so_and_succeeds(void **state) {
        Fixture *f = *state;

        start_plugin(f, "tests/unit/plugins/mute.so", 0);
        assert_false(worker_refreshes(f->worker));
        assert_int_equal(call_wait(f, "refresh", part(true, true, json_array())), 0);
}

static void malformed_calls_are_refused(void **state) {
        Fixture *f = *state;

        start_plugin(f, HERALD, 0);
        assert_int_equal(call_wait(f, "deliver", json_object()), -EAGAIN);
        assert_string_equal(error_of(f), "malformed call by the gateway");
        assert_int_equal(call_wait(f, "deliver", json_pack("{s:s}", "notice", "text")), -EAGAIN);
        assert_string_equal(error_of(f), "malformed call by the gateway");
        assert_int_equal(call_wait(f, "refresh", json_pack("{s:s}", "gateway", "g")), -EAGAIN);
        assert_string_equal(error_of(f), "malformed call by the gateway");
        assert_int_equal(call_wait(f, "refresh", part(true, true, json_object())), -EAGAIN);
        assert_string_equal(error_of(f), "malformed call by the gateway");
}

static void a_thread_acknowledges_while_a_call_is_under_way(void **state) {
        Fixture *f = *state;

        start_plugin(f, HERALD, 0);
        assert_int_equal(deliver(f, "speak"), 0);
        assert_int_equal(f->said_count, 1);
        assert_said(f, 0, "alert-0", "on my way");
        assert_int_equal(f->backoffs, 0);
}

static void an_acknowledgement_before_open_has_returned_is_not_lost(void **state) {
        Fixture *f = *state;
        Error e = { "" };

        assert_int_equal(start(f, HERALD, "speak", 0, &e), 0);
        wait_for(f, &f->ready, 1);
        assert_int_equal(f->said_count, 1);
}

static void a_flood_is_cut_off_and_counted(void **state) {
        Fixture *f = *state;

        start_plugin(f, HERALD, 0);
        assert_int_equal(deliver(f, "flood"), -EAGAIN);
        unsigned taken = (unsigned) strtoul(error_of(f), NULL, 10);
        assert_true(taken > WORKER_SAID_MAX);
        assert_int_equal(f->said_count + worker_dropped(f->worker), taken);
        assert_true(worker_dropped(f->worker) > 0);
        assert_int_equal(f->backoffs, 0);
        /* a second later there is room again */
        (void) usleep(1100 * 1000);
        unsigned before = f->said_count;
        assert_int_equal(deliver(f, "speak"), 0);
        assert_int_equal(f->said_count, before + 1);
}

static void words_that_are_no_names_are_refused(void **state) {
        Fixture *f = *state;

        start_plugin(f, HERALD, 0);
        assert_int_equal(deliver(f, "bad"), -EAGAIN);
        assert_string_equal(error_of(f), "0");
        assert_int_equal(f->said_count, 0);
}

static void a_note_is_cut_to_what_is_printable(void **state) {
        Fixture *f = *state;
        char expected[WARDSTONE_NOTE_MAX] = "a b ";

        /* whole characters only: 4 + 51 * 3 = 157 bytes, another would be 160 with no room for the NUL */
        for (int i = 0; i < 51; i++)
                (void) strcat(expected, "\xe2\x82\xac");
        start_plugin(f, HERALD, 0);
        assert_int_equal(deliver(f, "long"), 0);
        assert_int_equal(f->said_count, 2);
        assert_said(f, 0, "a1", expected);
        assert_said(f, 1, "a1", "good, then ");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(a_notice_arrives_whole),
                CASE(a_refresh_arrives_whole_and_is_known_of),
                CASE(a_channel_without_refresh_says_so_and_succeeds),
                CASE(malformed_calls_are_refused),
                CASE(a_thread_acknowledges_while_a_call_is_under_way),
                CASE(an_acknowledgement_before_open_has_returned_is_not_lost),
                CASE(a_flood_is_cut_off_and_counted),
                CASE(words_that_are_no_names_are_refused),
                CASE(a_note_is_cut_to_what_is_printable),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
