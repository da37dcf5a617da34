/* A worker is STARTING from the spawn until the plugin's open() is answered, READY while calls are taken,
 * and in BACKOFF from any failure until the next spawn, which waits for the old process to be gone. A timer
 * serves one purpose a state: the deadline of open(), the deadline of the call under way, the end of the
 * backoff.
 *
 * The process is blocking and simple: one message is with it at a time, the rest wait here. What it sends
 * must be the reply to that message, a request within it, or something well-formed that it says unasked;
 * anything else ends it. */
#include "worker/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/fd.h"
#include "worker/launch.h"
#include "worker/said.h"

#define HEALTHY_AFTER_US (60 * USEC_PER_SEC) /* ready for that long: the next failure counts as the first */
#define EXIT_GRACE_US    (1 * USEC_PER_SEC)  /* from the closed socket to the end of the process */

enum { CALLS_MAX = 64, REQUESTS_MAX = 16 };

typedef struct Call {
        uint64_t id;
        char *text;
        size_t len;
        WorkerReplyFn fn;
        void *userdata;
} Call;

struct Worker {
        sd_event *event;
        WorkerCallbacks callbacks;
        char *name, *program, *plugin;
        json_t *open; /* the first message */
        uint64_t call_timeout_us;
        int64_t backoff_min_us, backoff_max_us;

        WorkerState state;
        pid_t pid;
        int pidfd; /* open until the process is reaped */
        int fd;
        sd_event_source *io, *exit, *timer;

        Call calls[CALLS_MAX]; /* a ring */
        size_t first, count;
        uint64_t last_id;
        bool sent;         /* the first call is with the process */
        bool asked;        /* the process waits for the answer to its request */
        bool hung_up;      /* it closed its end */
        unsigned requests; /* within the message under way */
        unsigned failures;
        bool backoff_over;
        uint64_t ready_since;
        bool refreshes;
        uint64_t said_since; /* the second that is being counted */
        unsigned said;       /* in it */
        uint64_t dropped;

        char buffer[WORKER_MESSAGE_MAX];
};

static void worker_fail(Worker *w, int r, const char *reason);
static void worker_restart(Worker *w);

static void arm(Worker *w, uint64_t delay_us) {
        (void) sd_event_source_set_time_relative(w->timer, delay_us);
        (void) sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

static void disarm(Worker *w) {
        (void) sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
}

static uint64_t now_us(const Worker *w) {
        uint64_t now = 0;

        (void) sd_event_now(w->event, CLOCK_MONOTONIC, &now);
        return now;
}

static void set_state(Worker *w, WorkerState state, const char *reason) {
        w->state = state;
        if (w->callbacks.state)
                w->callbacks.state(w->callbacks.userdata, w, state, reason);
}

static int send_text(const Worker *w, const char *text, size_t len) {
        /* never blocks: there is at most one message in the socket, which has room for several */
        return send(w->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int send_object(Worker *w, const json_t *object) {
        size_t len = json_dumpb(object, w->buffer, sizeof w->buffer, JSON_COMPACT);

        if (len == 0 || len > sizeof w->buffer)
                return -EMSGSIZE;
        return send_text(w, w->buffer, len);
}

static Call take_first(Worker *w) {
        Call c = w->calls[w->first];

        w->first = (w->first + 1) % CALLS_MAX;
        w->count--;
        w->sent = false;
        free(c.text);
        return c;
}

/* The call that was under way gets r, those that waited only -ECONNRESET. */
static void answer_all(Worker *w, int r) {
        while (w->count > 0) {
                bool under_way = w->sent;
                Call c = take_first(w);
                c.fn(c.userdata, w, under_way ? r : -ECONNRESET, NULL);
        }
}

static void send_next(Worker *w) {
        if (w->state != WORKER_READY || w->sent || w->count == 0)
                return;
        const Call *c = &w->calls[w->first];
        w->sent = true;
        w->requests = 0;
        /* a failure means that the process is going: the call is answered when it has gone, never from
         * within here */
        w->hung_up = send_text(w, c->text, c->len) < 0;
        arm(w, w->hung_up ? (uint64_t) EXIT_GRACE_US : w->call_timeout_us);
}

static void close_socket(Worker *w) {
        w->io = sd_event_source_disable_unref(w->io);
        w->fd = fd_close(w->fd);
        w->asked = w->hung_up = false;
}

static void worker_fail(Worker *w, int r, const char *reason) {
        bool was_healthy = w->state == WORKER_READY &&
                           now_us(w) - w->ready_since >= (uint64_t) HEALTHY_AFTER_US;

        close_socket(w);
        if (w->pidfd >= 0)
                (void) kill(w->pid, SIGKILL);
        w->failures = was_healthy ? 1 : w->failures + 1;
        w->backoff_over = false;
        arm(w, backoff_delay(w->backoff_min_us, w->backoff_max_us, w->failures));
        w->state = WORKER_BACKOFF; /* before the answers, so that nobody calls again from within them */
        answer_all(w, r);
        set_state(w, WORKER_BACKOFF, reason);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        Worker *w = userdata;
        char within[CLOCK_TEXT_SIZE], reason[128];

        if (w->state == WORKER_BACKOFF) {
                w->backoff_over = true;
                worker_restart(w);
                return 0;
        }
        if (w->hung_up) {
                worker_fail(w, -ECONNRESET, "worker closed its socket");
                return 0;
        }
        duration_format((int64_t) w->call_timeout_us, within);
        (void) snprintf(reason, sizeof reason, "%s not answered within %s",
                        w->state == WORKER_STARTING ? "start" : "call", within);
        worker_fail(w, -ETIMEDOUT, reason);
        return 0;
}

static void reap(Worker *w, siginfo_t *ret) {
        w->exit = sd_event_source_disable_unref(w->exit);
        if (waitid(P_PIDFD, (id_t) w->pidfd, ret, WEXITED | WNOHANG) < 0)
                ret->si_code = 0;
        w->pidfd = fd_close(w->pidfd);
}

static int on_exit_event(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Worker *w = userdata;
        siginfo_t info = { 0 };
        char reason[128];

        reap(w, &info);
        if (w->state == WORKER_BACKOFF) {
                worker_restart(w);
                return 0;
        }
        if (info.si_code == CLD_EXITED)
                (void) snprintf(reason, sizeof reason, "worker ended with status %d", info.si_status);
        else
                (void) snprintf(reason, sizeof reason, "worker was killed by signal %d (%s)", info.si_status,
                                strsignal(info.si_status));
        worker_fail(w, -ECONNRESET, reason);
        return 0;
}

void worker_answer(Worker *w, const json_t *answer) {
        if (!w->asked)
                return;
        w->asked = false;
        json_t *message = json_pack("{s:O}", "answer", (json_t *) answer);
        int r = message ? send_object(w, message) : -ENOMEM;
        json_decref(message);
        if (r < 0)
                worker_fail(w, -ECONNRESET, "cannot answer the worker");
}

static void handle_request(Worker *w, const json_t *request) {
        bool within = w->state == WORKER_STARTING || w->sent;

        if (!within || w->asked || !json_is_object(request)) {
                worker_fail(w, -ECONNRESET, "worker asked out of turn");
                return;
        }
        if (++w->requests > REQUESTS_MAX) { /* each may cost a write to the disk */
                worker_fail(w, -ECONNRESET, "worker asked too often within one call");
                return;
        }
        w->asked = true;
        json_t *answer;
        if (w->callbacks.request)
                answer = w->callbacks.request(w->callbacks.userdata, w, request);
        else
                answer = json_pack("{s:i,s:s}", "r", -EOPNOTSUPP, "error",
                                "the gateway keeps no state for this plugin");
        if (answer)
                worker_answer(w, answer);
        json_decref(answer);
}

static void handle_said(Worker *w, const json_t *said) {
        uint64_t now = now_us(w);

        if (!said_is_valid(said)) {
                worker_fail(w, -ECONNRESET, "worker said something malformed");
                return;
        }
        if (now - w->said_since >= (uint64_t) USEC_PER_SEC) {
                w->said_since = now;
                w->said = 0;
        }
        if (++w->said > WORKER_SAID_MAX)
                w->dropped++;
        else if (w->callbacks.said)
                w->callbacks.said(w->callbacks.userdata, w, said);
}

static void handle_opened(Worker *w, int r, const json_t *reply) {
        const char *error = json_string_value(json_object_get(reply, "error"));

        if (r < 0) {
                worker_fail(w, r, error ? error : strerror(-r));
                return;
        }
        w->ready_since = now_us(w);
        w->refreshes = json_is_true(json_object_get(reply, "refresh"));
        set_state(w, WORKER_READY, NULL);
        send_next(w);
}

static void handle_reply(Worker *w, const json_t *reply) {
        const json_t *id = json_object_get(reply, "id"), *result = json_object_get(reply, "r");
        bool opening = w->state == WORKER_STARTING;
        uint64_t expected = opening ? 0 : w->calls[w->first].id;
        json_int_t r = json_integer_value(result);

        if (w->asked || (!opening && !w->sent) || !json_is_integer(id) || !json_is_integer(result) ||
                        r > 0 || r < -4095 || (uint64_t) json_integer_value(id) != expected) {
                worker_fail(w, -ECONNRESET, "worker sent a reply that nobody waits for");
                return;
        }
        disarm(w);
        if (opening) {
                handle_opened(w, (int) r, reply);
                return;
        }
        Call c = take_first(w);
        c.fn(c.userdata, w, (int) r, reply);
        send_next(w);
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Worker *w = userdata;

        ssize_t n = recv(fd, w->buffer, sizeof w->buffer, MSG_DONTWAIT | MSG_TRUNC);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0) {
                /* the process closes its files a moment before its exit status can be had */
                (void) sd_event_source_set_enabled(w->io, SD_EVENT_OFF);
                w->hung_up = true;
                arm(w, EXIT_GRACE_US);
                return 0;
        }
        if ((size_t) n > sizeof w->buffer) {
                worker_fail(w, -ECONNRESET, "worker sent a message that is too long");
                return 0;
        }
        json_t *message = json_loadb(w->buffer, (size_t) n, JSON_REJECT_DUPLICATES, NULL);
        const json_t *request = json_object_get(message, "request"),
                     *said = json_object_get(message, "said");
        if (!json_is_object(message))
                worker_fail(w, -ECONNRESET, "worker sent a malformed message");
        else if (request)
                handle_request(w, request);
        else if (said)
                handle_said(w, said);
        else
                handle_reply(w, message);
        json_decref(message);
        return 0;
}

static int worker_start(Worker *w, Error *e) {
        int r = worker_launch(w->program, w->name, w->plugin, &w->pid, &w->pidfd, &w->fd, e);

        if (r < 0)
                return r;
        r = sd_event_add_io(w->event, &w->io, w->fd, EPOLLIN, on_io, w);
        if (r >= 0)
                r = sd_event_add_io(w->event, &w->exit, w->pidfd, EPOLLIN, on_exit_event, w);
        if (r >= 0) /* what the process said before it died is read first */
                r = sd_event_source_set_priority(w->exit, SD_EVENT_PRIORITY_NORMAL + 1);
        if (r >= 0) {
                w->requests = 0;
                r = send_object(w, w->open);
        }
        if (r < 0)
                return error_set(e, r, "%s: cannot reach the worker: %s", w->name, strerror(-r));
        arm(w, w->call_timeout_us);
        return 0;
}

/* Once both the backoff is over and the old process is gone. */
static void worker_restart(Worker *w) {
        Error e;

        if (!w->backoff_over || w->pidfd >= 0)
                return;
        set_state(w, WORKER_STARTING, NULL);
        if (worker_start(w, &e) < 0)
                worker_fail(w, -ECONNRESET, e.message);
}

static int check_paths(const WorkerOptions *o, Error *e) {
        if (access(o->program, X_OK) < 0)
                return error_set(e, -errno, "%s: cannot run %s: %s", o->name, o->program, strerror(errno));
        if (access(o->plugin, R_OK) < 0)
                return error_set(e, -errno, "%s: no plugin %s: %s", o->name, o->plugin, strerror(errno));
        return 0;
}

int worker_new(sd_event *event, const WorkerOptions *o, const WorkerCallbacks *c, Worker **ret, Error *e) {
        int r = check_paths(o, e);

        if (r < 0)
                return r;
        _cleanup_(worker_freep) Worker *w = calloc(1, sizeof *w);
        if (!w)
                return error_set(e, -ENOMEM, "%s: out of memory", o->name);
        w->fd = w->pidfd = -1;
        w->event = sd_event_ref(event);
        w->callbacks = *c;
        w->call_timeout_us = (uint64_t) (o->call_timeout_us ? o->call_timeout_us : 10 * USEC_PER_SEC);
        w->backoff_min_us = o->backoff_min_us ? o->backoff_min_us : 250 * USEC_PER_MSEC;
        w->backoff_max_us = o->backoff_max_us ? o->backoff_max_us : 60 * USEC_PER_SEC;
        w->name = strdup(o->name);
        w->program = strdup(o->program);
        w->plugin = strdup(o->plugin);
        json_t *config = o->config ? json_incref((json_t *) o->config) : json_object();
        w->open = json_pack("{s:i,s:s,s:s?,s:o}", "id", 0, "op", "open", "state_dir", o->state_dir, "config",
                        config);
        if (!w->name || !w->program || !w->plugin || !w->open)
                return error_set(e, -ENOMEM, "%s: out of memory", o->name);
        r = sd_event_add_time_relative(event, &w->timer, CLOCK_MONOTONIC, 0, 1, on_timer, w);
        if (r < 0)
                return error_set(e, r, "%s: %s", o->name, strerror(-r));
        r = worker_start(w, e);
        if (r < 0)
                return r;
        *ret = TAKE(w);
        return 0;
}

static bool wait_for_exit(const Worker *w) {
        struct pollfd p = { .fd = w->pidfd, .events = POLLIN };

        return poll(&p, 1, (int) (EXIT_GRACE_US / USEC_PER_MSEC)) > 0;
}

Worker *worker_free(Worker *w) {
        siginfo_t info;

        if (!w)
                return NULL;
        w->state = WORKER_STOPPED;
        w->timer = sd_event_source_disable_unref(w->timer);
        close_socket(w);
        answer_all(w, -ECONNRESET);
        if (w->pidfd >= 0) {
                if (!wait_for_exit(w)) {
                        (void) kill(w->pid, SIGKILL);
                        (void) wait_for_exit(w); /* not for ever: it may hang on a dead disk */
                }
                reap(w, &info);
        }
        sd_event_unref(w->event);
        json_decref(w->open);
        free(w->name);
        free(w->program);
        free(w->plugin);
        free(w);
        return NULL;
}

const char *worker_name(const Worker *w) {
        return w->name;
}

WorkerState worker_state(const Worker *w) {
        return w->state;
}

bool worker_refreshes(const Worker *w) {
        return w->refreshes;
}

uint64_t worker_dropped(const Worker *w) {
        return w->dropped;
}

size_t worker_pending(const Worker *w) {
        return w->count;
}

int worker_call(Worker *w, const char *op, const json_t *args, WorkerReplyFn fn, void *userdata) {
        if (w->state != WORKER_READY)
                return -ENOTCONN;
        if (w->count == CALLS_MAX)
                return -EBUSY;
        json_t *message = args ? json_copy((json_t *) args) : json_object();
        bool complete = message &&
                        json_object_set_new(message, "id", json_integer((json_int_t) ++w->last_id)) == 0 &&
                        json_object_set_new(message, "op", json_string(op)) == 0;
        char *text = complete ? json_dumps(message, JSON_COMPACT) : NULL;
        json_decref(message);
        if (!text)
                return -ENOMEM;
        size_t len = strlen(text);
        if (len > WORKER_MESSAGE_MAX) {
                free(text);
                return -EMSGSIZE;
        }
        w->calls[(w->first + w->count++) % CALLS_MAX] =
                        (Call){ .id = w->last_id, .text = text, .len = len, .fn = fn, .userdata = userdata };
        send_next(w);
        return 0;
}
