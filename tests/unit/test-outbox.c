/* The outbox asks the chain before it sends, keeps one anchor in flight, tries again after failures, and
 * stops for good where the chain and the ledger disagree. The chain here is a struct that answers when
 * the test says so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "anchor/outbox.h"
#include "base/clock.h"
#include "base/file.h"

enum { CHECKPOINTS_MAX = 16, DEADLINE_S = 20 };

typedef struct Fixture {
        sd_event *event;
        Outbox *outbox;
        char folder[64], path[128];
        OutboxPolicy policy;
        int64_t retry_min_us, retry_max_us;
        unsigned changes;

        /* the ledger */
        const char *origin;
        uint64_t sizes[CHECKPOINTS_MAX];
        size_t checkpoints;

        /* the call that is in flight */
        unsigned calls;
        char op[16];
        json_t *args;
        OutboxReplyFn reply;
        void *reply_userdata;
        int call_fails;

        unsigned answers;
        json_t *answer;
} Fixture;

static void root_of(const char *origin, uint64_t size, Hash *ret) {
        uint8_t bytes[8];

        be64_write(bytes, size);
        sha256_prefixed(1, BYTES_STRING(origin), BYTES(bytes, sizeof bytes), ret);
}

static void head_of(const Fixture *f, size_t i, AnchorHead *ret) {
        *ret = (AnchorHead){ .size = f->sizes[i], .height = i + 1 };
        root_of(f->origin, ret->size, &ret->root);
        (void) snprintf(ret->origin, sizeof ret->origin, "%s", f->origin);
        (void) snprintf(ret->text, sizeof ret->text, "note %llu", (unsigned long long) ret->size);
}

static int ledger_checkpoint(void *userdata, uint64_t after, bool latest, AnchorHead *ret) {
        const Fixture *f = userdata;

        for (size_t i = latest && f->checkpoints ? f->checkpoints - 1 : 0; i < f->checkpoints; i++)
                if (f->sizes[i] > after) {
                        head_of(f, i, ret);
                        return 0;
                }
        return -ENOENT;
}

static int ledger_proof(void *userdata, uint64_t old_size, uint64_t new_size,
                Hash ret[static PROOF_HASHES_MAX], size_t *ret_n) {
        root_of("proof", old_size * 1000 + new_size, &ret[0]);
        *ret_n = 1;
        return 0;
}

static int link_call(
                void *userdata, const char *op, const json_t *args, OutboxReplyFn fn, void *fn_userdata) {
        Fixture *f = userdata;

        assert_null(f->reply); /* one in flight */
        if (f->call_fails)
                return f->call_fails;
        f->calls++;
        (void) snprintf(f->op, sizeof f->op, "%s", op);
        json_decref(f->args);
        f->args = json_incref((json_t *) args);
        f->reply = fn;
        f->reply_userdata = fn_userdata;
        return 0;
}

static void link_answer(void *userdata, const json_t *answer) {
        Fixture *f = userdata;

        f->answers++;
        json_decref(f->answer);
        f->answer = json_incref((json_t *) answer);
}

static void on_changed(void *userdata, Outbox *o) {
        Fixture *f = userdata;

        f->changes++;
}

static int make(Fixture *f, Error *e) {
        const OutboxOptions o = {
                .name = "test",
                .state_path = f->path,
                .policy = f->policy,
                .retry_min_us = f->retry_min_us,
                .retry_max_us = f->retry_max_us,
                .changed = on_changed,
                .userdata = f,
        };
        const OutboxLedger l = {
                .checkpoint = ledger_checkpoint, .consistency = ledger_proof, .userdata = f
        };

        return outbox_new(f->event, &o, &l, &f->outbox, e);
}

static void start(Fixture *f) {
        Error e = { "" };

        if (make(f, &e) < 0)
                fail_msg("%s", e.message);
}

static void connect_chain(Fixture *f) {
        const OutboxLink l = { .call = link_call, .answer = link_answer, .userdata = f };

        outbox_connect(f->outbox, &l);
}

/* A new process of the gateway: what is on disk is all that it has. */
static void restart(Fixture *f) {
        f->outbox = outbox_free(f->outbox);
        f->reply = NULL;
        start(f);
}

static void add_checkpoint(Fixture *f, uint64_t size) {
        f->sizes[f->checkpoints++] = size;
        if (f->outbox)
                outbox_wake(f->outbox);
}

static void wait_until(Fixture *f, bool (*done)(const Fixture *f)) {
        Stamp begun = { 0 }, now = { 0 };

        clock_now(&begun);
        while (!done(f)) {
                assert_true(sd_event_run(f->event, 50 * USEC_PER_MSEC) >= 0);
                clock_now(&now);
                if (now.mono_us - begun.mono_us > DEADLINE_S * USEC_PER_SEC)
                        fail_msg("nothing happened within %d s", DEADLINE_S);
        }
}

static bool in_flight(const Fixture *f) {
        return f->reply;
}

static bool answered(const Fixture *f) {
        return f->answers > 0;
}

static void reply_json(Fixture *f, int r, json_t *reply) {
        OutboxReplyFn fn = f->reply;

        assert_non_null(fn);
        f->reply = NULL;
        fn(f->reply_userdata, r, reply);
        json_decref(reply);
}

static json_t *head_json(const char *origin, uint64_t size, uint64_t final_size, uint64_t pending_size) {
        char hex[65];
        Hash root = { 0 };

        if (size > 0)
                root_of(origin, size, &root);
        for (size_t i = 0; i < SHA256_SIZE; i++)
                (void) snprintf(hex + 2 * i, 3, "%02x", root.bytes[i]);
        return json_pack("{s:I,s:s,s:I,s:I,s:s}", "size", (json_int_t) size, "root", hex, "final_size",
                        (json_int_t) final_size, "pending_size", (json_int_t) pending_size, "receipt",
                        size ? "line 1" : "");
}

static void reply_head(Fixture *f, uint64_t size, uint64_t final_size, uint64_t pending_size) {
        reply_json(f, 0, head_json(f->origin, size, final_size, pending_size));
}

static void reply_error(Fixture *f, int r, const char *error) {
        reply_json(f, r, json_pack("{s:s}", "error", error));
}

static void assert_call(const Fixture *f, const char *op, uint64_t size) {
        assert_non_null(f->reply);
        assert_string_equal(f->op, op);
        assert_string_equal(json_string_value(json_object_get(f->args, "origin")), f->origin);
        assert_int_equal(json_integer_value(json_object_get(f->args, "size")), size);
}

static void assert_idle(const Fixture *f) {
        if (f->reply)
                fail_msg("'%s' is in flight", f->op);
}

static const OutboxStatus *status(const Fixture *f) {
        return outbox_status(f->outbox);
}

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof *f);

        if (!f || sd_event_new(&f->event) < 0)
                return -1;
        f->origin = "ward/1";
        f->retry_min_us = 2 * USEC_PER_MSEC;
        f->retry_max_us = 8 * USEC_PER_MSEC;
        (void) snprintf(f->folder, sizeof f->folder, "/tmp/test-outbox-XXXXXX");
        if (!mkdtemp(f->folder))
                return -1;
        (void) snprintf(f->path, sizeof f->path, "%s/state", f->folder);
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        outbox_free(f->outbox);
        sd_event_unref(f->event);
        json_decref(f->args);
        json_decref(f->answer);
        (void) unlink(f->path);
        (void) rmdir(f->folder);
        free(f);
        return 0;
}

/* Connected, the chain has nothing, the first checkpoint has just been sent. */
static void first_anchor(Fixture *f) {
        start(f);
        connect_chain(f);
        assert_idle(f);
        add_checkpoint(f, 10);
        assert_call(f, "head", 0);
        reply_head(f, 0, 0, 0);
        assert_call(f, "anchor", 10);
}

static void the_chain_is_asked_then_anchored(void **state) {
        Fixture *f = *state;

        first_anchor(f);
        assert_int_equal(status(f)->health, OUTBOX_BEHIND);
        assert_int_equal(status(f)->pending_size, 10);
        assert_int_equal(json_integer_value(json_object_get(f->args, "old_size")), 0);
        assert_string_equal(json_string_value(json_object_get(f->args, "note")), "note 10");
        assert_int_equal(json_array_size(json_object_get(f->args, "proof")), 0);
        reply_head(f, 10, 10, 0);
        assert_idle(f);
        assert_int_equal(status(f)->health, OUTBOX_OK);
        assert_int_equal(status(f)->anchored_size, 10);
        assert_int_equal(status(f)->anchored_height, 1);
        assert_int_equal(status(f)->pending_size, 0);
        assert_int_equal(status(f)->anchors, 1);
        assert_string_equal(status(f)->receipt, "line 1");
        assert_true(f->changes > 0);
}

static void latest_skips_what_came_in_between(void **state) {
        Fixture *f = *state;

        first_anchor(f);
        add_checkpoint(f, 20);
        add_checkpoint(f, 30);
        assert_int_equal(f->calls, 2);
        reply_head(f, 10, 10, 0);
        assert_call(f, "anchor", 30);
        assert_int_equal(json_integer_value(json_object_get(f->args, "old_size")), 10);
        assert_int_equal(json_array_size(json_object_get(f->args, "proof")), 1);
}

static void every_leaves_out_none(void **state) {
        Fixture *f = *state;

        f->policy = OUTBOX_EVERY;
        first_anchor(f);
        add_checkpoint(f, 20);
        add_checkpoint(f, 30);
        reply_head(f, 10, 10, 0);
        assert_call(f, "anchor", 20);
        reply_head(f, 20, 20, 0);
        assert_call(f, "anchor", 30);
        reply_head(f, 30, 30, 0);
        assert_idle(f);
        assert_int_equal(status(f)->anchors, 3);
}

static void a_failure_is_tried_again_after_asking(void **state) {
        Fixture *f = *state;

        first_anchor(f);
        reply_error(f, -EAGAIN, "unreachable");
        assert_idle(f);
        assert_int_equal(status(f)->health, OUTBOX_UNREACHABLE);
        assert_string_equal(status(f)->reason, "unreachable");
        outbox_wake(f->outbox); /* does not shorten the wait */
        assert_idle(f);
        wait_until(f, in_flight);
        assert_call(f, "head", 0);
        reply_head(f, 0, 0, 0);
        assert_call(f, "anchor", 10);
        reply_head(f, 10, 10, 0);
        assert_int_equal(status(f)->health, OUTBOX_OK);
        assert_int_equal(status(f)->failures, 1);
}

static void an_anchor_in_doubt_is_not_sent_twice(void **state) {
        Fixture *f = *state;

        first_anchor(f);
        reply_error(f, -ETIMEDOUT, "no answer");
        wait_until(f, in_flight);
        assert_call(f, "head", 0);
        reply_head(f, 10, 10, 0); /* it had arrived */
        assert_idle(f);
        assert_int_equal(status(f)->anchors, 1);
        assert_int_equal(status(f)->health, OUTBOX_OK);
}

static void what_is_pending_is_polled_and_nothing_else_sent(void **state) {
        Fixture *f = *state;

        first_anchor(f);
        reply_head(f, 0, 0, 10);
        add_checkpoint(f, 20);
        assert_idle(f);
        assert_int_equal(status(f)->health, OUTBOX_BEHIND);
        wait_until(f, in_flight);
        assert_call(f, "poll", 0);
        reply_head(f, 0, 0, 10);
        wait_until(f, in_flight);
        assert_call(f, "poll", 0);
        reply_head(f, 10, 0, 0);
        assert_call(f, "anchor", 20);
        assert_int_equal(status(f)->anchored_size, 0);
        reply_head(f, 20, 10, 0);
        assert_int_equal(status(f)->anchored_size, 10);
        assert_int_equal(status(f)->pending_size, 20);
        wait_until(f, in_flight);
        assert_call(f, "poll", 0);
        reply_head(f, 20, 20, 0);
        assert_idle(f);
        assert_int_equal(status(f)->health, OUTBOX_OK);
        assert_int_equal(status(f)->anchors, 2);
}

static void what_the_chain_dropped_is_anchored_again(void **state) {
        Fixture *f = *state;

        first_anchor(f);
        reply_head(f, 10, 0, 0);
        wait_until(f, in_flight);
        assert_call(f, "poll", 0);
        reply_head(f, 0, 0, 0);
        assert_call(f, "anchor", 10);
}

static void an_older_chain_goes_on_from_there(void **state) {
        Fixture *f = *state;

        add_checkpoint(f, 10);
        add_checkpoint(f, 20);
        start(f);
        connect_chain(f);
        reply_head(f, 10, 10, 0);
        assert_call(f, "anchor", 20);
        assert_int_equal(json_integer_value(json_object_get(f->args, "old_size")), 10);
}

static void assert_stopped(Fixture *f, const char *reason) {
        assert_idle(f);
        assert_int_equal(status(f)->health, OUTBOX_CONTRADICTED);
        if (!strstr(status(f)->reason, reason))
                fail_msg("'%s' is not in '%s'", reason, status(f)->reason);
        outbox_connect(f->outbox, NULL);
        assert_int_equal(status(f)->health, OUTBOX_CONTRADICTED);
        connect_chain(f);
        add_checkpoint(f, 1000);
        assert_idle(f);
        restart(f);
        connect_chain(f);
        assert_call(f, "head", 0);
}

static void a_fork_stops_it(void **state) {
        Fixture *f = *state;

        first_anchor(f);
        reply_error(f, -EBADMSG, "does not extend size 7");
        assert_stopped(f, "does not extend size 7");
}

static void resubmit_begins_anew_after_a_contradiction(void **state) {
        Fixture *f = *state;

        first_anchor(f);
        reply_error(f, -EBADMSG, "does not extend size 7");
        assert_idle(f);
        outbox_resubmit(f->outbox);
        assert_call(f, "head", 0);
        reply_head(f, 0, 0, 0);
        assert_call(f, "anchor", 10);
        reply_head(f, 10, 10, 0);
        assert_int_equal(status(f)->health, OUTBOX_OK);
}

static void resubmit_leaves_what_is_under_way_alone(void **state) {
        Fixture *f = *state;

        first_anchor(f);
        unsigned calls = f->calls;

        outbox_resubmit(f->outbox);
        assert_int_equal(f->calls, calls);
        reply_head(f, 10, 10, 0);
        assert_int_equal(status(f)->anchored_size, 10);
}

static void another_root_stops_it(void **state) {
        Fixture *f = *state;

        add_checkpoint(f, 10);
        start(f);
        connect_chain(f);
        reply_json(f, 0, head_json("liar/1", 10, 10, 0));
        assert_stopped(f, "another root at size 10 of ward/1");
}

static void a_chain_ahead_of_the_ledger_stops_it(void **state) {
        Fixture *f = *state;

        add_checkpoint(f, 10);
        start(f);
        connect_chain(f);
        reply_head(f, 11, 11, 0);
        assert_stopped(f, "ahead of the ledger");
}

static void a_size_that_was_never_signed_stops_it(void **state) {
        Fixture *f = *state;

        add_checkpoint(f, 10);
        start(f);
        connect_chain(f);
        reply_head(f, 9, 9, 0);
        assert_stopped(f, "no checkpoint");
}

static void a_new_epoch_begins_at_nothing(void **state) {
        Fixture *f = *state;

        first_anchor(f);
        reply_head(f, 10, 10, 0);
        f->checkpoints = 0;
        f->origin = "ward/2";
        restart(f);
        assert_int_equal(status(f)->anchored_size, 0);
        connect_chain(f);
        add_checkpoint(f, 5);
        assert_call(f, "head", 0);
        assert_int_equal(status(f)->anchored_size, 0);
        reply_head(f, 0, 0, 0);
        assert_call(f, "anchor", 5);
        assert_int_equal(json_integer_value(json_object_get(f->args, "old_size")), 0);
}

static void what_was_anchored_of_another_epoch_is_not_counted(void **state) {
        Fixture *f = *state;

        first_anchor(f);
        reply_head(f, 10, 10, 0);
        f->origin = "ward/2";
        f->sizes[0] = 50;
        restart(f);
        assert_int_equal(status(f)->anchored_size, 0);
        assert_string_equal(status(f)->receipt, "");
}

static void what_was_known_survives_a_restart(void **state) {
        Fixture *f = *state;

        first_anchor(f);
        reply_head(f, 10, 10, 0);
        restart(f);
        assert_int_equal(status(f)->anchored_size, 10);
        assert_int_equal(status(f)->anchored_height, 1);
        assert_string_equal(status(f)->receipt, "line 1");
        connect_chain(f);
        assert_call(f, "head", 0); /* but the chain is asked */
}

static void impossible_replies_are_failures(void **state) {
        Fixture *f = *state;

        first_anchor(f);
        reply_head(f, 0, 0, 0); /* neither accepted nor under way */
        assert_int_equal(status(f)->health, OUTBOX_UNREACHABLE);
        wait_until(f, in_flight);
        reply_json(f, 0, json_object());
        assert_int_equal(status(f)->health, OUTBOX_UNREACHABLE);
        wait_until(f, in_flight);
        reply_head(f, 10, 11, 0);
        assert_int_equal(status(f)->health, OUTBOX_UNREACHABLE);
        assert_int_equal(status(f)->failures, 3);
}

static void a_lost_worker_is_waited_for(void **state) {
        Fixture *f = *state;

        first_anchor(f);
        reply_error(f, -ECONNRESET, "worker died");
        outbox_connect(f->outbox, NULL);
        assert_int_equal(status(f)->health, OUTBOX_UNREACHABLE);
        assert_string_equal(status(f)->reason, "worker died");
        add_checkpoint(f, 20);
        assert_idle(f);
        connect_chain(f);
        assert_call(f, "head", 0);
        reply_head(f, 10, 10, 0);
        assert_call(f, "anchor", 20);
}

static void a_call_that_cannot_be_made_is_a_failure(void **state) {
        Fixture *f = *state;

        add_checkpoint(f, 10);
        start(f);
        f->call_fails = -EBUSY;
        connect_chain(f);
        assert_int_equal(status(f)->health, OUTBOX_UNREACHABLE);
        f->call_fails = 0;
        wait_until(f, in_flight);
        assert_call(f, "head", 0);
}

static json_t *request(Fixture *f, const char *op, const char *text) {
        json_t *r = json_pack("{s:s,s:s?}", "op", op, "state", text);
        json_t *answer = outbox_request(f->outbox, r);

        json_decref(r);
        return answer;
}

static void assert_loaded(Fixture *f, const char *text) {
        json_t *answer = request(f, "load", NULL);

        assert_int_equal(json_integer_value(json_object_get(answer, "r")), 0);
        assert_string_equal(json_string_value(json_object_get(answer, "state")), text);
        json_decref(answer);
}

static void a_save_is_answered_when_it_is_durable(void **state) {
        Fixture *f = *state;
        _cleanup_free_ char *text = NULL;
        struct stat st;

        first_anchor(f);
        assert_loaded(f, "");
        assert_null(request(f, "save", "c2lnbmVk"));
        wait_until(f, answered);
        assert_int_equal(json_integer_value(json_object_get(f->answer, "r")), 0);
        assert_int_equal(file_read(f->path, 65536, &text, NULL, NULL), 0);
        assert_non_null(strstr(text, "c2lnbmVk"));
        assert_int_equal(stat(f->path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        reply_head(f, 10, 10, 0);
        restart(f);
        assert_loaded(f, "c2lnbmVk");
}

static void a_save_that_fails_says_so(void **state) {
        Fixture *f = *state;

        first_anchor(f);
        (void) unlink(f->path);
        assert_int_equal(rmdir(f->folder), 0);
        assert_null(request(f, "save", "c2lnbmVk"));
        wait_until(f, answered);
        assert_int_equal(json_integer_value(json_object_get(f->answer, "r")), -ENOENT);
        assert_non_null(strstr(json_string_value(json_object_get(f->answer, "error")), f->folder));
}

static void assert_refused(json_t *answer) {
        assert_true(json_integer_value(json_object_get(answer, "r")) < 0);
        assert_true(json_is_string(json_object_get(answer, "error")));
        json_decref(answer);
}

static void bad_requests_are_refused(void **state) {
        Fixture *f = *state;
        static char large[64 * 1024];

        start(f);
        assert_refused(request(f, "save", "c2lnbmVk")); /* the worker is not ready */
        connect_chain(f);
        memset(large, 'a', sizeof large - 1);
        assert_refused(request(f, "save", large));
        assert_refused(request(f, "save", NULL));
        assert_refused(request(f, "steal", NULL));
        assert_int_equal(f->answers, 0);
}

static void a_damaged_state_file_is_said(void **state) {
        static const char *const damaged[] = { "", "{", "[]", "{\"version\":2}",
                "{\"version\":1,\"origin\":\"w/1\"}" };
        Fixture *f = *state;
        Error e = { "" };

        for (size_t i = 0; i < ELEMENTS(damaged); i++) {
                assert_int_equal(file_replace(f->path, BYTES_STRING(damaged[i]), 0600, NULL), 0);
                assert_int_equal(make(f, &e), -EINVAL);
                assert_non_null(strstr(e.message, f->path));
        }
}

static void configuration_faults_wait_the_longest(void **state) {
        Fixture *f = *state;

        f->retry_min_us = 1 * USEC_PER_MSEC;
        f->retry_max_us = 3600 * USEC_PER_SEC;
        first_anchor(f);
        reply_error(f, -EINVAL, "no funds");
        for (unsigned i = 0; i < 5; i++)
                assert_true(sd_event_run(f->event, 10 * USEC_PER_MSEC) >= 0);
        assert_idle(f);
        assert_string_equal(status(f)->reason, "no funds");
        outbox_resubmit(f->outbox); /* somebody has sent some */
        assert_call(f, "head", 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(the_chain_is_asked_then_anchored),
                CASE(latest_skips_what_came_in_between),
                CASE(every_leaves_out_none),
                CASE(a_failure_is_tried_again_after_asking),
                CASE(an_anchor_in_doubt_is_not_sent_twice),
                CASE(what_is_pending_is_polled_and_nothing_else_sent),
                CASE(what_the_chain_dropped_is_anchored_again),
                CASE(an_older_chain_goes_on_from_there),
                CASE(a_fork_stops_it),
                CASE(resubmit_begins_anew_after_a_contradiction),
                CASE(resubmit_leaves_what_is_under_way_alone),
                CASE(another_root_stops_it),
                CASE(a_chain_ahead_of_the_ledger_stops_it),
                CASE(a_size_that_was_never_signed_stops_it),
                CASE(a_new_epoch_begins_at_nothing),
                CASE(what_was_anchored_of_another_epoch_is_not_counted),
                CASE(what_was_known_survives_a_restart),
                CASE(impossible_replies_are_failures),
                CASE(a_lost_worker_is_waited_for),
                CASE(a_call_that_cannot_be_made_is_a_failure),
                CASE(a_save_is_answered_when_it_is_durable),
                CASE(a_save_that_fails_says_so),
                CASE(bad_requests_are_refused),
                CASE(a_damaged_state_file_is_said),
                CASE(configuration_faults_wait_the_longest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
