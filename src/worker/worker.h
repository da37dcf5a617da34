/* The parent's side of a plugin process: starts wardstone-worker, talks over a SOCK_SEQPACKET pair, gives
 * each call a deadline, kills what hangs, restarts with backoff. Nothing here blocks the loop. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "base/error.h"

typedef struct Worker Worker;

enum { WORKER_MESSAGE_MAX = 64 * 1024, WORKER_SAID_MAX = 50 };

typedef enum WorkerState { WORKER_STARTING, WORKER_READY, WORKER_BACKOFF, WORKER_STOPPED } WorkerState;

typedef struct WorkerOptions {
        const char *name;      /* connector's name from the configuration */
        const char *program;   /* path of wardstone-worker */
        const char *plugin;    /* path of the plugin's .so */
        const char *state_dir; /* folder that the plugin may write to, may be NULL */
        const json_t *config; /* the connector's own settings: handed over on the socket, not on the command line */
        int64_t call_timeout_us;                /* default 10 s */
        int64_t backoff_min_us, backoff_max_us; /* default 250 ms, 60 s */
} WorkerOptions;

typedef struct WorkerCallbacks {
        /* The worker is ready for calls, or went away (reason says why). Outstanding calls have been
         * answered before. */
        void (*state)(void *userdata, Worker *w, WorkerState state, const char *reason);
        /* A request by the plugin (for example {"op":"save","state":...}); the answer is what is returned
         * (new reference), or NULL: worker_answer() follows, within the call's deadline. May itself be
         * NULL: nothing is granted. */
        json_t *(*request)(void *userdata, Worker *w, const json_t *request);
        /* What the plugin says unasked, at any time from its open() on, also while a call is under way:
         * {"op": "acknowledge", "alert", "who", "note"}, all of them printable texts within the limits of
         * wardstone/plugin.h, the note may be empty. At most WORKER_SAID_MAX a second are passed on, the
         * others are dropped and counted (worker_dropped()). May be NULL. */
        void (*said)(void *userdata, Worker *w, const json_t *said);
        void *userdata;
} WorkerCallbacks;

/* r: 0 and the reply (borrowed), or -ETIMEDOUT, -ECONNRESET (worker died), or the plugin's own negative
 * errno with reply's "error" text: -EAGAIN may succeed later, -EINVAL needs an operator, -EBADMSG the
 * chain contradicts the ledger. */
typedef void (*WorkerReplyFn)(void *userdata, Worker *w, int r, const json_t *reply);

int worker_new(sd_event *event, const WorkerOptions *o, const WorkerCallbacks *c, Worker **ret,
                Error *e) _must_check_;
/* Closes the socket, upon which the process closes its plugin and ends; SIGKILL after a second.
 * Outstanding calls are answered with -ECONNRESET. Not from within a callback. */
Worker *worker_free(Worker *w);
DEFINE_CLEANUP(Worker *, worker_free);

const char *worker_name(const Worker *w);
WorkerState worker_state(const Worker *w);
/* The plugin has a refresh(): known from the first time it was ready on. */
bool worker_refreshes(const Worker *w);
/* What it said too fast, since the start. */
uint64_t worker_dropped(const Worker *w);
/* Calls in flight; at most 64, then worker_call gives -EBUSY. */
size_t worker_pending(const Worker *w);
/* Sends {"op": op, ...args}; fn is called exactly once, never from within. -ENOTCONN while not ready.
 * args is borrowed. */
int worker_call(Worker *w, const char *op, const json_t *args, WorkerReplyFn fn,
                void *userdata) _must_check_;
/* The late answer to a request. Where the worker that asked is gone by now, nothing happens. */
void worker_answer(Worker *w, const json_t *answer);
