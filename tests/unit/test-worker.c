/* A worker process may crash, hang, lie, babble or be missing: the loop goes on, each call is answered
 * exactly once, and a new process comes. */
#include "worker-fixture.h"

#define UNRULY "tests/unit/plugins/unruly.so"

static void start_ready(Fixture *f, int64_t timeout_us) {
        start_plugin(f, UNRULY, timeout_us);
}

static void command(Fixture *f, const char *origin) {
        json_t *args = json_pack("{s:s}", "origin", origin);

        assert_int_equal(worker_call(f->worker, "head", args, on_reply, f), 0);
        json_decref(args);
}

static int command_wait(Fixture *f, const char *origin) {
        unsigned before = f->replies;

        command(f, origin);
        wait_for(f, &f->replies, before + 1);
        return f->result;
}

/* The call fails with r, and a new process answers the next one. */
static void assert_recovers(Fixture *f, const char *origin, int r, const char *reason) {
        unsigned ready = f->ready;

        assert_int_equal(command_wait(f, origin), r);
        assert_null(f->reply);
        if (f->backoffs == 0)
                wait_for(f, &f->backoffs, 1);
        if (!strstr(f->reason, reason))
                fail_msg("expected '%s', got '%s'", reason, f->reason);
        wait_for(f, &f->ready, ready + 1);
        assert_int_equal(command_wait(f, "ok"), 0);
}

static void calls_are_answered(void **state) {
        Fixture *f = *state;
        char expected[128];

        start_ready(f, 0);
        assert_int_equal(command_wait(f, "name"), 0);
        (void) snprintf(expected, sizeof expected, "test %s", f->folder);
        assert_string_equal(json_string_value(json_object_get(f->reply, "receipt")), expected);
        assert_int_equal(json_integer_value(json_object_get(f->reply, "final_size")), 0);
}

static void a_checkpoint_arrives_whole(void **state) {
        static const char hash[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        Fixture *f = *state;

        start_ready(f, 0);
        json_t *args = json_pack("{s:s,s:s,s:I,s:I,s:s,s:[s]}", "origin", "w/1", "note", "note", "old_size",
                        INT64_MAX - 1, "size", INT64_MAX, "root", hash, "proof", hash);
        assert_int_equal(worker_call(f->worker, "anchor", args, on_reply, f), 0);
        json_decref(args);
        wait_for(f, &f->replies, 1);
        assert_int_equal(f->result, 0);
        assert_true(json_integer_value(json_object_get(f->reply, "size")) == INT64_MAX);
        assert_string_equal(json_string_value(json_object_get(f->reply, "root")), hash);
        assert_string_equal(
                        json_string_value(json_object_get(f->reply, "receipt")), "note 9223372036854775806");
}

static void malformed_calls_are_refused(void **state) {
        Fixture *f = *state;

        start_ready(f, 0);
        assert_int_equal(worker_call(f->worker, "anchor", NULL, on_reply, f), 0);
        wait_for(f, &f->replies, 1);
        assert_int_equal(f->result, -EAGAIN);
        assert_int_equal(worker_call(f->worker, "deliver", NULL, on_reply, f), 0);
        wait_for(f, &f->replies, 2);
        assert_int_equal(f->result, -EINVAL);
        assert_int_equal(f->backoffs, 0);
}

static void failures_carry_their_kind_and_text(void **state) {
        static const struct {
                const char *command;
                int r;
                const char *error;
        } cases[] = {
                { "retry", -EAGAIN, "try later" },
                { "contradicted", -EBADMSG, "a fork" },
                { "configuration", -EINVAL, "no funds ?" },
                { "nonsense", -EAGAIN, "plugin returned 42, which is no result" },
                { "impossible", -EAGAIN, "plugin gave an impossible head" },
        };
        Fixture *f = *state;

        start_ready(f, 0);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(command_wait(f, cases[i].command), cases[i].r);
                assert_string_equal(json_string_value(json_object_get(f->reply, "error")), cases[i].error);
        }
        assert_int_equal(f->backoffs, 0);
}

static void state_is_saved_through_the_parent(void **state) {
        Fixture *f = *state;

        start_ready(f, 0);
        assert_int_equal(command_wait(f, "keep:signed transaction"), 0);
        assert_string_equal(f->state, "c2lnbmVkIHRyYW5zYWN0aW9u");
        assert_string_equal(json_string_value(json_object_get(f->reply, "receipt")), "signed transaction");
}

static void a_late_answer_is_waited_for(void **state) {
        Fixture *f = *state;

        start_ready(f, 0);
        f->late = true;
        command(f, "keep:x");
        wait_for(f, &f->requests, 1);
        assert_int_equal(f->replies, 0);
        json_t *no = json_pack("{s:i,s:s}", "r", -EIO, "error", "disk full");
        worker_answer(f->worker, no);
        worker_answer(f->worker, no); /* one too many is nothing */
        json_decref(no);
        wait_for(f, &f->replies, 1);
        assert_int_equal(f->result, -EAGAIN);
        assert_string_equal(json_string_value(json_object_get(f->reply, "error")), "saved state: disk full");
        assert_int_equal(command_wait(f, "ok"), 0);
}

static void a_late_answer_may_not_come_at_all(void **state) {
        Fixture *f = *state;

        start_ready(f, 300 * USEC_PER_MSEC);
        f->late = true;
        assert_recovers(f, "keep:x", -ETIMEDOUT, "call not answered within 300ms");
}

static void crash(void **state) {
        start_ready(*state, 0);
        assert_recovers(*state, "crash", -ECONNRESET, "killed by signal 6");
}

static void exit_at_once(void **state) {
        start_ready(*state, 0);
        assert_recovers(*state, "exit", -ECONNRESET, "ended with status 7");
}

static void hang(void **state) {
        start_ready(*state, 400 * USEC_PER_MSEC);
        assert_recovers(*state, "hang", -ETIMEDOUT, "call not answered within 400ms");
}

static void closed_socket(void **state) {
        start_ready(*state, 0);
        assert_recovers(*state, "close", -ECONNRESET, "closed its socket");
}

static void garbage(void **state) {
        start_ready(*state, 0);
        assert_recovers(*state, "garbage", -ECONNRESET, "malformed message");
}

static void reply_to_another_call(void **state) {
        start_ready(*state, 0);
        assert_recovers(*state, "unasked", -ECONNRESET, "nobody waits for");
}

static void oversize(void **state) {
        start_ready(*state, 0);
        assert_recovers(*state, "oversize", -ECONNRESET, "too long");
}

#define FORTY_LETTERS "0123456789012345678901234567890123456789"

/* Sent by the plugin past its host: what the parent must not believe. */
static void something_malformed_said(void **state) {
        static const char *const cases[] = {
                "say:{\"said\":7}",
                "say:{\"said\":{}}",
                "say:{\"said\":{\"op\":\"resolve\",\"alert\":\"a\",\"who\":\"w\",\"note\":\"\"}}",
                "say:{\"said\":{\"op\":\"acknowledge\",\"alert\":7,\"who\":\"w\",\"note\":\"\"}}",
                "say:{\"said\":{\"op\":\"acknowledge\",\"alert\":\"\",\"who\":\"w\",\"note\":\"\"}}",
                "say:{\"said\":{\"op\":\"acknowledge\",\"alert\":\"a\",\"who\":\"\",\"note\":\"\"}}",
                "say:{\"said\":{\"op\":\"acknowledge\",\"alert\":\"a\",\"who\":\"w\"}}",
                "say:{\"said\":{\"op\":\"acknowledge\",\"alert\":\"a\",\"who\":\"w\",\"note\":\"a\\nb\"}}",
                ("say:{\"said\":{\"op\":\"acknowledge\",\"who\":\"w\",\"note\":\"\",\"alert\":"
                 "\"" FORTY_LETTERS "\"}}"),
        };
        Fixture *f = *state;

        start_ready(f, 0);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                f->backoffs = 0;
                assert_recovers(f, cases[i], -ECONNRESET, "said something malformed");
        }
        assert_int_equal(f->said_count, 0);
}

static void a_chain_acknowledges_nothing(void **state) {
        Fixture *f = *state;

        start_ready(f, 0);
        assert_int_equal(command_wait(f, "acknowledge"), -EINVAL);
        assert_int_equal(f->said_count, 0);
        assert_false(worker_refreshes(f->worker));
}

static void endless_requests(void **state) {
        start_ready(*state, 0);
        assert_recovers(*state, "beg", -ECONNRESET, "asked too often");
}

static void killed_from_outside_while_idle(void **state) {
        Fixture *f = *state;
        char line[256], command_line[128], *rest;
        pid_t newest = 0;

        start_ready(f, 0);
        /* the newest child of this process: one that was killed while a sanitizer looked for leaks in it stays on as a
         * zombie of its tracer's for a moment */
        (void) snprintf(command_line, sizeof command_line, "/proc/self/task/%d/children", getpid());
        FILE *children = fopen(command_line, "re");
        assert_non_null(children);
        assert_non_null(fgets(line, sizeof line, children));
        (void) fclose(children);
        for (char *word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
                newest = (pid_t) strtol(word, NULL, 10);
        assert_true(newest > 0);
        assert_int_equal(kill(newest, SIGKILL), 0);
        wait_for(f, &f->ready, 2);
        assert_non_null(strstr(f->reason, "killed by signal 9"));
        assert_int_equal(command_wait(f, "ok"), 0);
}

static void slow_calls_wait_in_turn_and_the_queue_is_bounded(void **state) {
        Fixture *f = *state;

        /* longer than one slow call, shorter than all: the clock of a call runs from when it is sent */
        start_ready(f, 900 * USEC_PER_MSEC);
        for (unsigned i = 0; i < 5; i++)
                command(f, "slow");
        while (worker_pending(f->worker) < 64)
                command(f, "ok");
        assert_int_equal(worker_call(f->worker, "head", NULL, on_reply, f), -EBUSY);
        assert_int_equal(f->replies, 0);
        wait_for(f, &f->replies, 64);
        assert_int_equal(f->result, 0);
        assert_int_equal(worker_pending(f->worker), 0);
        assert_int_equal(f->backoffs, 0);
}

static void calls_behind_a_crash_are_answered_before_the_state_changes(void **state) {
        Fixture *f = *state;

        start_ready(f, 0);
        command(f, "crash");
        command(f, "ok");
        command(f, "ok");
        wait_for(f, &f->backoffs, 1);
        assert_int_equal(f->replies, 3);
        assert_int_equal(f->result, -ECONNRESET);
        assert_int_equal(f->again, -ENOTCONN);
        assert_int_equal(worker_call(f->worker, "head", NULL, on_reply, f), -ENOTCONN);
}

static void freeing_answers_what_is_outstanding_and_closes_the_plugin(void **state) {
        Fixture *f = *state;
        char path[128];

        start_ready(f, 0);
        command(f, "slow");
        command(f, "ok");
        f->worker = worker_free(f->worker);
        assert_int_equal(f->replies, 2);
        assert_int_equal(f->result, -ECONNRESET);
        (void) snprintf(path, sizeof path, "%s/closed", f->folder);
        assert_int_equal(access(path, F_OK), 0);
}

static void freeing_ends_a_hanging_worker(void **state) {
        Fixture *f = *state;

        start_ready(f, 0);
        command(f, "hang");
        f->worker = worker_free(f->worker);
        assert_int_equal(f->replies, 1);
}

static void calls_before_the_start_are_refused(void **state) {
        Fixture *f = *state;
        Error e = { "" };

        assert_int_equal(start(f, UNRULY, "", 0, &e), 0);
        assert_int_equal(worker_state(f->worker), WORKER_STARTING);
        assert_int_equal(worker_call(f->worker, "head", NULL, on_reply, f), -ENOTCONN);
}

static void oversize_calls_are_refused(void **state) {
        Fixture *f = *state;
        static char text[WORKER_MESSAGE_MAX];

        memset(text, 'a', sizeof text - 1);
        start_ready(f, 0);
        json_t *args = json_pack("{s:s}", "origin", text);
        assert_int_equal(worker_call(f->worker, "head", args, on_reply, f), -EMSGSIZE);
        json_decref(args);
        assert_int_equal(command_wait(f, "ok"), 0);
}

/* A start that fails is tried again and again, with the reason. */
static void assert_start_fails(Fixture *f, const char *plugin, const char *open, const char *reason) {
        Error e = { "" };

        if (start(f, plugin, open, 300 * USEC_PER_MSEC, &e) < 0)
                fail_msg("%s", e.message);
        wait_for(f, &f->backoffs, 3);
        assert_true(f->starts >= 2);
        assert_int_equal(f->ready, 0);
        if (!strstr(f->reason, reason))
                fail_msg("expected '%s', got '%s'", reason, f->reason);
}

static void another_abi(void **state) {
        assert_start_fails(*state, "tests/unit/plugins/stranger.so", "",
                        "built for plugin ABI 99, this gateway has 1");
}

static void no_plugin_in_the_object(void **state) {
        assert_start_fails(*state, "tests/unit/plugins/hollow.so", "", "exports neither");
}

static void not_an_object(void **state) {
        assert_start_fails(*state, "build.ninja", "", "cannot load plugin");
}

static void open_fails(void **state) {
        assert_start_fails(*state, UNRULY, "configuration", "no funds");
}

static void open_crashes(void **state) {
        assert_start_fails(*state, UNRULY, "crash", "killed by signal 6");
}

static void open_exits(void **state) {
        assert_start_fails(*state, UNRULY, "exit", "ended with status 7");
}

static void open_hangs(void **state) {
        assert_start_fails(*state, UNRULY, "hang", "start not answered within 300ms");
}

static void missing_files_are_said_at_once(void **state) {
        Fixture *f = *state;
        const WorkerCallbacks c = { .userdata = f };
        WorkerOptions o = {
                .name = "test", .program = "/nonexistent/worker", .plugin = "/nonexistent/plugin.so"
        };
        Error e = { "" };

        assert_int_equal(worker_new(f->event, &o, &c, &f->worker, &e), -ENOENT);
        assert_non_null(strstr(e.message, "/nonexistent/worker"));
        o.program = "/bin/true";
        assert_int_equal(worker_new(f->event, &o, &c, &f->worker, &e), -ENOENT);
        assert_non_null(strstr(e.message, "/nonexistent/plugin.so"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(calls_are_answered),
                CASE(a_checkpoint_arrives_whole),
                CASE(malformed_calls_are_refused),
                CASE(failures_carry_their_kind_and_text),
                CASE(state_is_saved_through_the_parent),
                CASE(a_late_answer_is_waited_for),
                CASE(a_late_answer_may_not_come_at_all),
                CASE(crash),
                CASE(exit_at_once),
                CASE(hang),
                CASE(closed_socket),
                CASE(garbage),
                CASE(reply_to_another_call),
                CASE(oversize),
                CASE(something_malformed_said),
                CASE(a_chain_acknowledges_nothing),
                CASE(endless_requests),
                CASE(killed_from_outside_while_idle),
                CASE(slow_calls_wait_in_turn_and_the_queue_is_bounded),
                CASE(calls_behind_a_crash_are_answered_before_the_state_changes),
                CASE(freeing_answers_what_is_outstanding_and_closes_the_plugin),
                CASE(freeing_ends_a_hanging_worker),
                CASE(calls_before_the_start_are_refused),
                CASE(oversize_calls_are_refused),
                CASE(another_abi),
                CASE(no_plugin_in_the_object),
                CASE(not_an_object),
                CASE(open_fails),
                CASE(open_crashes),
                CASE(open_exits),
                CASE(open_hangs),
                CASE(missing_files_are_said_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
