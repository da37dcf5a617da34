/* What the tests of plugin processes share: a loop, one worker, and what came back of it. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "worker/worker.h"

enum { DEADLINE_S = 20 };

typedef struct Fixture {
        sd_event *event;
        Worker *worker;
        unsigned ready, backoffs, starts;
        char reason[256];
        unsigned replies;
        int result;
        json_t *reply;
        char *state; /* what the plugin saved */
        bool late;   /* answer requests later */
        unsigned requests;
        int again;    /* what a call from within a failed reply gave */
        json_t *said; /* all that the plugin said, an array */
        unsigned said_count;
        char folder[64];
} Fixture;

static void on_state(void *userdata, Worker *w, WorkerState state, const char *reason) {
        Fixture *f = userdata;

        f->ready += state == WORKER_READY;
        f->starts += state == WORKER_STARTING;
        f->backoffs += state == WORKER_BACKOFF;
        if (reason)
                (void) snprintf(f->reason, sizeof f->reason, "%s", reason);
}

static json_t *on_request(void *userdata, Worker *w, const json_t *request) {
        Fixture *f = userdata;
        const char *op = json_string_value(json_object_get(request, "op"));

        f->requests++;
        if (f->late)
                return NULL;
        if (streq(op, "save")) {
                free(f->state);
                f->state = strdup(json_string_value(json_object_get(request, "state")));
                return json_pack("{s:i}", "r", 0);
        }
        return json_pack("{s:i,s:s}", "r", 0, "state", f->state ? f->state : "");
}

static void on_said(void *userdata, Worker *w, const json_t *said) {
        Fixture *f = userdata;

        (void) json_array_append(f->said, (json_t *) said);
        f->said_count++;
}

static void on_reply(void *userdata, Worker *w, int r, const json_t *reply) {
        Fixture *f = userdata;

        f->replies++;
        f->result = r;
        if (r == -ECONNRESET)
                f->again = worker_call(w, "head", NULL, on_reply, f);
        json_decref(f->reply);
        f->reply = json_deep_copy(reply);
}

static const char *in_build(const char *path, char ret[static 512]) {
        const char *build = getenv("WARDSTONE_BUILD");

        assert_non_null(build);
        (void) snprintf(ret, 512, "%s/%s", build, path);
        return ret;
}

/* open: a command for the plugin while it starts. */
static int start(Fixture *f, const char *plugin, const char *open, int64_t timeout_us, Error *e) {
        char program[512], path[512];
        json_t *config = json_pack("{s:s}", "open", open);
        const WorkerOptions o = {
                .name = "test",
                .program = in_build("src/worker/wardstone-worker", program),
                .plugin = in_build(plugin, path),
                .state_dir = f->folder,
                .config = config,
                .call_timeout_us = timeout_us,
                .backoff_min_us = 2 * USEC_PER_MSEC,
                .backoff_max_us = 20 * USEC_PER_MSEC,
        };
        const WorkerCallbacks c = {
                .state = on_state, .request = on_request, .said = on_said, .userdata = f
        };

        int r = worker_new(f->event, &o, &c, &f->worker, e);
        json_decref(config);
        return r;
}

/* Runs the loop until *counter is at least value. */
static void wait_for(Fixture *f, const unsigned *counter, unsigned value) {
        Stamp start_time = { 0 }, now = { 0 };

        clock_now(&start_time);
        while (*counter < value) {
                assert_true(sd_event_run(f->event, 100 * USEC_PER_MSEC) >= 0);
                clock_now(&now);
                if (now.mono_us - start_time.mono_us > DEADLINE_S * USEC_PER_SEC)
                        fail_msg("nothing came within %d s (last reason: %s)", DEADLINE_S, f->reason);
        }
}

static void start_plugin(Fixture *f, const char *plugin, int64_t timeout_us) {
        Error e = { "" };

        if (start(f, plugin, "", timeout_us, &e) < 0)
                fail_msg("%s", e.message);
        wait_for(f, &f->ready, 1);
        assert_int_equal(worker_state(f->worker), WORKER_READY);
}

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof *f);

        if (!f || sd_event_new(&f->event) < 0)
                return -1;
        f->said = json_array();
        (void) snprintf(f->folder, sizeof f->folder, "/tmp/test-worker-XXXXXX");
        *state = f;
        return mkdtemp(f->folder) ? 0 : -1;
}

static int tear_down(void **state) {
        Fixture *f = *state;
        char path[128];

        worker_free(f->worker);
        sd_event_unref(f->event);
        json_decref(f->reply);
        json_decref(f->said);
        free(f->state);
        (void) snprintf(path, sizeof path, "%s/closed", f->folder);
        (void) unlink(path);
        (void) rmdir(f->folder);
        free(f);
        return 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
