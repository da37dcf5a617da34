#include "gateway/control.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "gateway/internal.h"
#include "gateway/log.h"
#include "gateway/operations.h"

typedef enum SessionState { SESSION_FREE, SESSION_RUNNING, SESSION_FINISHED } SessionState;

struct Session {
        Control *control;
        SessionState state; /* under the lock */
        pthread_t thread;
        int fd;
        uid_t uid;
};

typedef struct LoopCall {
        LoopFn fn;
        void *argument;
        int result;
        bool done;
        struct LoopCall *next;
} LoopCall;

struct Control {
        Gateway *gateway;
        int listener, wake; /* wake: an eventfd that calls wait on */
        sd_event_source *accept_source, *wake_source;
        pthread_mutex_t lock;
        pthread_cond_t finished; /* a call is done, or the daemon stops */
        LoopCall *calls;         /* newest first */
        bool stopping;
        Session sessions[CONTROL_SESSIONS_MAX];
};

Gateway *session_gateway(const Session *s) {
        return s->control->gateway;
}

uid_t session_uid(const Session *s) {
        return s->uid;
}

/* --- calls on the loop --- */

int session_on_loop(Session *s, LoopFn fn, void *argument) {
        Control *c = s->control;
        LoopCall call = { .fn = fn, .argument = argument, .result = -ESHUTDOWN };
        const uint64_t one = 1;

        pthread_mutex_lock(&c->lock);
        if (!c->stopping) {
                call.next = c->calls;
                c->calls = &call;
                if (write(c->wake, &one, sizeof one) < 0 && errno != EAGAIN)
                        log_warning("control: cannot wake the loop: %s", strerror(errno));
                while (!call.done && !c->stopping)
                        pthread_cond_wait(&c->finished, &c->lock);
        }
        pthread_mutex_unlock(&c->lock);
        return call.result;
}

static int on_wake(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Control *c = userdata;
        uint64_t count;
        (void) source;
        (void) revents;

        if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN)
                return -errno;
        pthread_mutex_lock(&c->lock);
        LoopCall *calls = TAKE(c->calls);
        /* Under the lock: who waits may not leave while its argument is in use. */
        for (; calls; calls = calls->next) {
                calls->result = calls->fn(c->gateway, calls->argument);
                calls->done = true;
        }
        pthread_cond_broadcast(&c->finished);
        pthread_mutex_unlock(&c->lock);
        return 0;
}

/* --- a client --- */

static int write_line(int fd, const char *text, size_t len) {
        while (len > 0) {
                ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? -ETIMEDOUT : -errno;
                text += n;
                len -= (size_t) n;
        }
        return 0;
}

int session_row(Session *s, json_t *row) {
        if (!row)
                return -ENOMEM;
        size_t size = json_dumpb(row, NULL, 0, JSON_COMPACT);
        _cleanup_free_ char *text = malloc(size + 1);
        if (!text) {
                json_decref(row);
                return -ENOMEM;
        }
        (void) json_dumpb(row, text, size, JSON_COMPACT);
        json_decref(row);
        text[size] = '\n';
        return write_line(s->fd, text, size + 1);
}

int session_sleep(Session *s, int milliseconds) {
        struct pollfd p = { .fd = s->fd, .events = POLLRDHUP };

        if (poll(&p, 1, milliseconds) > 0)
                return -EPIPE;
        pthread_mutex_lock(&s->control->lock);
        bool stopping = s->control->stopping;
        pthread_mutex_unlock(&s->control->lock);
        return stopping ? -ESHUTDOWN : 0;
}

/* One line of JSON, within the deadline. */
static json_t *read_request(Session *s, Error *e) {
        _cleanup_free_ char *line = malloc(CONTROL_REQUEST_MAX);
        size_t len = 0;
        json_error_t fault;

        while (line && !memchr(line, '\n', len)) {
                if (len == CONTROL_REQUEST_MAX) {
                        error_set(e, -EMSGSIZE, "the request is longer than %d bytes", CONTROL_REQUEST_MAX);
                        return NULL;
                }
                ssize_t n = recv(s->fd, line + len, CONTROL_REQUEST_MAX - len, 0);
                if (n <= 0) {
                        error_set(e, -EBADMSG, "no request came");
                        return NULL;
                }
                len += (size_t) n;
        }
        json_t *request =
                        line ? json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &fault)
                             : NULL;
        if (!request)
                error_set(e, -EBADMSG, "the request is not a JSON object: %s",
                                line ? fault.text : "out of memory");
        return request;
}

static void *serve(void *argument) {
        Session *s = argument;
        Error e = { "" };

        json_t *request = read_request(s, &e);
        int r = request ? operations_run(s, request, &e) : -EBADMSG;
        json_decref(request);
        if (r == 0)
                r = session_row(s, json_pack("{s:b}", "end", 1));
        else
                r = session_row(s, json_pack("{s:s, s:i}", "error", e.message[0] ? e.message : strerror(-r),
                                                   "code", -r));
        if (r < 0 && r != -EPIPE && r != -ECONNRESET)
                log_message(LOG_DEBUG, NULL, "control: a client left early: %s", strerror(-r));
        (void) shutdown(s->fd, SHUT_RDWR);
        pthread_mutex_lock(&s->control->lock);
        s->state = SESSION_FINISHED;
        pthread_mutex_unlock(&s->control->lock);
        return NULL;
}

/* --- the listener --- */

static void reap(Session *s) {
        (void) pthread_join(s->thread, NULL);
        s->fd = fd_close(s->fd);
        s->state = SESSION_FREE;
}

static Session *free_session(Control *c) {
        Session *found = NULL;

        for (size_t i = 0; i < CONTROL_SESSIONS_MAX; i++) {
                pthread_mutex_lock(&c->lock);
                SessionState state = c->sessions[i].state;
                pthread_mutex_unlock(&c->lock);
                if (state == SESSION_FINISHED)
                        reap(&c->sessions[i]);
                if (state != SESSION_RUNNING && !found)
                        found = &c->sessions[i];
        }
        return found;
}

static int start_session(Control *c, int *fd) {
        static const char busy[] = "{\"error\":\"too many clients at once: try again\",\"code\":11}\n";
        const struct timeval read_limit = { .tv_sec = CONTROL_REQUEST_SECONDS },
                             write_limit = { .tv_sec = CONTROL_WRITE_SECONDS };
        struct ucred peer = { .uid = (uid_t) -1 };
        socklen_t size = sizeof peer;
        pthread_attr_t attributes;

        Session *s = free_session(c);
        if (!s)
                return write_line(*fd, busy, sizeof busy - 1);
        (void) getsockopt(*fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
        (void) setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &read_limit, sizeof read_limit);
        (void) setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &write_limit, sizeof write_limit);
        *s = (Session){ .control = c, .state = SESSION_RUNNING, .fd = fd_take(fd), .uid = peer.uid };
        (void) pthread_attr_init(&attributes);
        (void) pthread_attr_setstacksize(&attributes, (size_t) 512 * 1024);
        int r = -pthread_create(&s->thread, &attributes, serve, s);
        (void) pthread_attr_destroy(&attributes);
        if (r < 0) {
                s->fd = fd_close(s->fd);
                s->state = SESSION_FREE;
        }
        return r;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Control *c = userdata;
        (void) source;
        (void) revents;

        _cleanup_(fd_closep) int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
                return 0;
        int r = start_session(c, &client);
        if (r < 0)
                log_warning("control: a client could not be served: %s", strerror(-r));
        return 0;
}

static int listen_at(Control *c, const char *path, const char *group, Error *e) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (strlen(path) >= sizeof address.sun_path)
                return error_set(e, -ENAMETOOLONG, "control.socket %s: longer than %zu bytes", path,
                                sizeof address.sun_path - 1);
        memcpy(address.sun_path, path, strlen(path) + 1);
        c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (c->listener < 0)
                return error_set(e, -errno, "control socket: %s", strerror(errno));
        (void) unlink(path); /* the ledger's lock says that nobody else serves it */
        mode_t mask = umask(0117);
        int r = bind(c->listener, (struct sockaddr *) &address, sizeof address);
        (void) umask(mask);
        if (r < 0 || listen(c->listener, 16) < 0)
                return error_set(e, -errno, "control.socket %s: %s", path, strerror(errno));
        if (!group)
                return 0;
        const struct group *g = getgrnam(group);
        if (!g)
                return error_set(e, -EINVAL, "control.group %s: no such group", group);
        if (chown(path, (uid_t) -1, g->gr_gid) < 0)
                return error_set(e, -errno, "control.group %s: %s", group, strerror(errno));
        return 0;
}

int control_new(Gateway *g, Control **ret, Error *e) {
        Control *c = calloc(1, sizeof *c);

        if (!c)
                return error_set(e, -ENOMEM, "out of memory");
        c->gateway = g;
        c->listener = c->wake = -1;
        for (size_t i = 0; i < CONTROL_SESSIONS_MAX; i++)
                c->sessions[i].fd = -1;
        (void) pthread_mutex_init(&c->lock, NULL);
        (void) pthread_cond_init(&c->finished, NULL);
        int r = listen_at(c, g->config->socket, g->config->socket_group, e);
        if (r == 0) {
                c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                r = c->wake < 0 ? -errno
                                : sd_event_add_io(g->event, &c->wake_source, c->wake, EPOLLIN, on_wake, c);
                if (r >= 0)
                        r = sd_event_add_io(g->event, &c->accept_source, c->listener, EPOLLIN, on_accept, c);
                if (r < 0)
                        error_set(e, r, "control socket: %s", strerror(-r));
        }
        if (r < 0) {
                control_free(c);
                return r;
        }
        *ret = c;
        return 0;
}

Control *control_free(Control *c) {
        if (!c)
                return NULL;
        pthread_mutex_lock(&c->lock);
        c->stopping = true;
        c->calls = NULL;
        pthread_cond_broadcast(&c->finished);
        pthread_mutex_unlock(&c->lock);
        sd_event_source_disable_unref(c->accept_source);
        sd_event_source_disable_unref(c->wake_source);
        for (size_t i = 0; i < CONTROL_SESSIONS_MAX; i++) {
                Session *s = &c->sessions[i];
                if (s->fd >= 0)
                        (void) shutdown(s->fd, SHUT_RDWR);
                if (s->fd >= 0)
                        reap(s);
        }
        if (c->listener >= 0)
                (void) unlink(c->gateway->config->socket);
        c->listener = fd_close(c->listener);
        c->wake = fd_close(c->wake);
        (void) pthread_cond_destroy(&c->finished);
        (void) pthread_mutex_destroy(&c->lock);
        free(c);
        return NULL;
}
