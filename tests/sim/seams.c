/* What of the gateway is replaced at link time (--wrap): the clock, the control socket's sessions, the workers. */
#include <errno.h>
#include <stdlib.h>

#include "gateway/operations.h"
#include "life.h"

enum { DELIVERY_US = 20000 };

/* The program's one life: replaced functions have no other way to it. */
static Life *life;

void clock_is(Life *l) {
        life = l;
}

/* --- the clock --- */

void __wrap_clock_now(Stamp *s);
void __wrap_clock_now_full(Stamp *s);

void __wrap_clock_now(Stamp *s) {
        s->mono_us = life ? life->shared->now_us : 0;
        s->wall_us = life ? world_wall(life->run->world, s->mono_us) : SIM_WALL;
}

void __wrap_clock_now_full(Stamp *s) {
        __wrap_clock_now(s);
        s->synchronised = true;
}

/* --- workers --- */

struct Worker {
        WorkerReplyFn fn;
        void *userdata;
        int64_t due_us; /* INT64_MAX: no call is under way */
        unsigned number;
};

int __wrap_worker_new(
                sd_event *event, const WorkerOptions *o, const WorkerCallbacks *c, Worker **ret, Error *e);
Worker *__wrap_worker_free(Worker *w);
WorkerState __wrap_worker_state(const Worker *w);
bool __wrap_worker_refreshes(const Worker *w);
int __wrap_worker_call(Worker *w, const char *op, const json_t *args, WorkerReplyFn fn, void *userdata);

int __wrap_worker_new(
                sd_event *event, const WorkerOptions *o, const WorkerCallbacks *c, Worker **ret, Error *e) {
        Worker *w = calloc(1, sizeof *w);
        (void) event;
        (void) o;
        (void) c;

        if (!w || life->worker_count == WORKERS_MAX)
                return error_set(e, -ENOMEM, "no room for a worker");
        *w = (Worker){ .due_us = INT64_MAX, .number = (unsigned) life->worker_count };
        life->workers[life->worker_count++] = w;
        *ret = w;
        return 0;
}

Worker *__wrap_worker_free(Worker *w) {
        if (w && w->due_us != INT64_MAX)
                w->fn(w->userdata, w, -ECONNRESET, NULL);
        free(w);
        return NULL;
}

WorkerState __wrap_worker_state(const Worker *w) {
        (void) w;
        return WORKER_READY;
}

bool __wrap_worker_refreshes(const Worker *w) {
        (void) w;
        return false;
}

static void note(const Worker *w, json_t *notice) {
        Shared *s = life->shared;
        const char *kind = "", *priority = "", *transition = "";
        json_t *alerts = NULL;
        json_int_t more = 0;

        if (json_unpack(notice, "{s:s, s:s, s:o, s:I}", "kind", &kind, "priority", &priority, "alerts",
                            &alerts, "more", &more) < 0 ||
                        s->notice_count == SIM_NOTICES_MAX)
                life_fail(life, "a notice is not what it is to be, or there are too many");
        SimNotice *n = &s->notices[s->notice_count++];
        *n = (SimNotice){ .at_us = s->now_us,
                .receiver = w->number,
                .count = (uint32_t) json_array_size(alerts),
                .more = (uint32_t) more };
        if (priority_parse(priority, &n->priority) < 0)
                life_fail(life, "a notice without a priority");
        (void) json_unpack(json_array_get(alerts, 0), "{s:s}", "transition", &transition);
        (void) snprintf(n->kind, sizeof n->kind, "%s", kind);
        (void) snprintf(n->transition, sizeof n->transition, "%s", transition);
}

int __wrap_worker_call(Worker *w, const char *op, const json_t *args, WorkerReplyFn fn, void *userdata) {
        if (!streq(op, "deliver") || w->due_us != INT64_MAX)
                life_fail(life, "a call that no receiver makes");
        note(w, json_object_get(args, "notice"));
        w->fn = fn;
        w->userdata = userdata;
        w->due_us = life->shared->now_us + DELIVERY_US;
        return 0;
}

int64_t workers_deadline(const Life *l) {
        int64_t first_us = INT64_MAX;

        for (size_t i = 0; i < l->worker_count; i++)
                first_us = MIN(first_us, l->workers[i]->due_us);
        return first_us;
}

void workers_answer(Life *l) {
        for (size_t i = 0; i < l->worker_count; i++) {
                Worker *w = l->workers[i];

                if (w->due_us > l->shared->now_us)
                        continue;
                w->due_us = INT64_MAX;
                w->fn(w->userdata, w, 0, NULL);
        }
}

/* --- sessions: a command in the place of a client's thread --- */

typedef struct Command {
        Life *life;
        json_t *rows;
} Command;

Gateway *__wrap_session_gateway(const Session *s);
uid_t __wrap_session_uid(const Session *s);
int __wrap_session_on_loop(Session *s, LoopFn fn, void *argument);
int __wrap_session_row(Session *s, json_t *row);
int __wrap_session_sleep(Session *s, int milliseconds);

Gateway *__wrap_session_gateway(const Session *s) {
        return ((const Command *) (const void *) s)->life->gateway;
}

uid_t __wrap_session_uid(const Session *s) {
        (void) s;
        return 1000;
}

int __wrap_session_on_loop(Session *s, LoopFn fn, void *argument) {
        Command *c = (Command *) (void *) s;
        int r = fn(c->life->gateway, argument);

        life_may_end(c->life, KILL_OP);
        return r;
}

int __wrap_session_row(Session *s, json_t *row) {
        return json_array_append_new(((Command *) (void *) s)->rows, row);
}

int __wrap_session_sleep(Session *s, int milliseconds) {
        Command *c = (Command *) (void *) s;

        life_run(c->life, c->life->shared->now_us + milliseconds * USEC_PER_MSEC);
        return 0;
}

/* --- what people do --- */

/* The rows of one command; takes the request. */
static json_t *ask(Life *l, json_t *request) {
        Command c = { .life = l, .rows = json_array() };
        Error e = { "" };

        l->op_us = l->shared->now_us;
        l->in_operation = true;
        int r = operations_run((Session *) (void *) &c, request, &e);
        l->in_operation = false;
        l->op_us = TIME_NONE;
        json_decref(request);
        if (r < 0 && r != -EALREADY)
                life_fail(l, e.message);
        return c.rows;
}

static bool nurses_see_to(const Life *l, const json_t *alert) {
        const char *id = "", *state = "";
        uint64_t h = l->run->world->seed;

        if (json_unpack((json_t *) alert, "{s:s, s:s}", "id", &id, "state", &state) < 0)
                life_fail(l, "an alert without a state");
        for (size_t i = 0; id[i]; i++)
                h = h * 31 + (uint8_t) id[i];
        return streq(state, "active") && sim_random(&h, 3) > 0;
}

/* Of those that began together it must not matter which one is listed first. */
static void acknowledge_one(Life *l) {
        json_t *rows = ask(l, json_pack("{s:s}", "op", "alerts")), *row;
        const char *first = NULL;
        size_t i;

        json_array_foreach(rows, i, row) {
                const char *id = json_string_value(json_object_get(row, "id"));
                if (nurses_see_to(l, row) && (!first || strcmp(id, first) < 0))
                        first = id;
        }
        if (first)
                json_decref(ask(l, json_pack("{s:s, s:s, s:s}", "op", "acknowledge", "alert", first, "note",
                                                   "seen")));
        json_decref(rows);
}

static bool is_silenced(Life *l, const char *why) {
        json_t *rows = ask(l, json_pack("{s:s}", "op", "silences")), *row;
        bool found = false;
        size_t i;

        json_array_foreach(rows, i, row) found |= streq(json_string_value(json_object_get(row, "why")), why);
        json_decref(rows);
        return found;
}

static void silence(Life *l, const SimOp *op) {
        char why[64];

        /* who got no answer looks before asking again */
        (void) snprintf(why, sizeof why, "of %lld", (long long) op->at_us);
        if (!is_silenced(l, why))
                json_decref(ask(l, json_pack("{s:s, s:s, s:s, s:I, s:s}", "op", "silence", "rule", op->a,
                                                   "subject", op->b, "for_us", (json_int_t) (10 * MINUTE),
                                                   "why", why)));
}

void people_do(Life *l, const SimOp *op) {
        switch (op->type) {
        case SIM_ASSIGN:
                json_decref(ask(l, json_pack("{s:s, s:s, s:s}", "op", "assign", "device", op->a, "subject",
                                                   op->b)));
                break;
        case SIM_SET:
                json_decref(ask(l, json_pack("{s:s, s:s, s:{s:s}}", "op", "set", "subject", op->a,
                                                   "attributes", op->b, op->c)));
                break;
        case SIM_NURSE:
                acknowledge_one(l);
                break;
        case SIM_SILENCE:
                silence(l, op);
                break;
        }
        l->shared->ops++;
}
