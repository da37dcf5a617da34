#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fd.h"

enum { ROW_MAX = 4 * 1024 * 1024 };

static const char default_path[] = "/run/wardstone/control.sock";

struct Client {
        int fd;
        char *buffer; /* [start, len) is not read yet; the row returned last lies before start */
        size_t start, len, room;
        size_t seen; /* bytes from start that hold no newline */
        const char *line;
        json_t *row;
};

static int connect_error(const char *path, int error, Error *e) {
        if (error == ENOENT || error == ECONNREFUSED)
                return error_set(e, -error,
                                "%s: nobody is listening: is wardstoned running? (systemctl status "
                                "wardstoned)",
                                path);
        if (error == EACCES || error == EPERM)
                return error_set(e, -error,
                                "%s: not allowed: run as root or as a member of the socket's group (ls -l "
                                "%s)",
                                path, path);
        return error_set(e, -error, "%s: %s", path, strerror(error));
}

static int connect_to(const char *path, int *ret_fd, Error *e) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (strlen(path) >= sizeof address.sun_path)
                return error_set(e, -ENAMETOOLONG, "%s: longer than a socket's path may be (%zu)", path,
                                sizeof address.sun_path - 1);
        memcpy(address.sun_path, path, strlen(path) + 1);
        _cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return error_set(e, -errno, "can't make a socket: %s", strerror(errno));
        if (connect(fd, (const struct sockaddr *) &address, sizeof address) < 0)
                return connect_error(path, errno, e);
        *ret_fd = fd_take(&fd);
        return 0;
}

static int send_all(int fd, const char *data, size_t len) {
        while (len > 0) {
                ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                len -= (size_t) n;
        }
        return 0;
}

static int send_request(int fd, const json_t *request) {
        _cleanup_free_ char *text = json_dumps(request, JSON_COMPACT);

        if (!text)
                return -ENOMEM;
        size_t len = strlen(text);
        text[len] = '\n'; /* in place of the NUL: the length goes with it */
        return send_all(fd, text, len + 1);
}

int client_open(const char *path, json_t *request, Client **ret, Error *e) {
        _cleanup_(json_decrefp) json_t *owned = request;
        _cleanup_(client_freep) Client *c = calloc(1, sizeof *c);

        if (!c || !owned)
                return error_set(e, -ENOMEM, "out of memory");
        c->fd = -1;
        if (!path)
                path = getenv("WARDSTONE_SOCKET");
        if (!path || !*path)
                path = default_path;
        int r = connect_to(path, &c->fd, e);
        if (r < 0)
                return r;
        r = send_request(c->fd, owned);
        if (r < 0)
                return error_set(e, r, "%s: can't send: %s", path, strerror(-r));
        *ret = TAKE(c);
        return 0;
}

Client *client_free(Client *c) {
        if (!c)
                return NULL;
        c->fd = fd_close(c->fd);
        json_decref(c->row);
        free(c->buffer);
        free(c);
        return NULL;
}

/* A whole line in the buffer, NUL-terminated there, or NULL. */
static char *take_line(Client *c) {
        if (c->len == c->start + c->seen)
                return NULL; /* nothing new: perhaps not even a buffer */
        char *start = c->buffer + c->start;
        char *end = memchr(start + c->seen, '\n', c->len - c->start - c->seen);
        c->seen = c->len - c->start;
        if (!end)
                return NULL;
        *end = '\0';
        c->start = (size_t) (end + 1 - c->buffer);
        c->seen = 0;
        return start;
}

static int make_room(Client *c, Error *e) {
        if (c->start > 0) {
                memmove(c->buffer, c->buffer + c->start, c->len - c->start);
                c->len -= c->start;
                c->start = 0;
        }
        if (c->room - c->len >= 4096)
                return 0;
        if (c->room >= ROW_MAX)
                return error_set(e, -EMSGSIZE, "the daemon sent a row of more than %d bytes", ROW_MAX);
        size_t room = c->room ? c->room * 2 : 16384;
        char *grown = realloc(c->buffer, room);
        if (!grown)
                return error_set(e, -ENOMEM, "out of memory");
        c->buffer = grown;
        c->room = room;
        return 0;
}

static int receive(Client *c, int timeout_ms, Error *e) {
        struct pollfd p = { .fd = c->fd, .events = POLLIN };

        int r = make_room(c, e);
        if (r < 0)
                return r;
        r = poll(&p, 1, timeout_ms);
        if (r < 0 && errno == EINTR)
                return 0; /* the caller looks at the time and comes again */
        if (r < 0)
                return error_set(e, -errno, "can't wait for the daemon: %s", strerror(errno));
        if (r == 0 && timeout_ms == 0)
                return -EAGAIN;
        if (r == 0)
                return error_set(e, -ETIMEDOUT,
                                "the daemon has not answered for %d s (journalctl -u wardstoned)",
                                timeout_ms / 1000);
        ssize_t n = recv(c->fd, c->buffer + c->len, c->room - c->len, MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return 0;
        if (n < 0)
                return error_set(e, -errno, "the daemon's connection broke: %s", strerror(errno));
        if (n == 0)
                return error_set(e, -ECONNRESET,
                                "the daemon closed the connection before the end of its answer "
                                "(journalctl -u wardstoned)");
        c->len += (size_t) n;
        return 0;
}

static int read_row(Client *c, const json_t **ret_row, Error *e) {
        json_error_t error;

        json_decref(c->row);
        c->row = json_loads(c->line, JSON_REJECT_DUPLICATES, &error);
        if (!json_is_object(c->row))
                return error_set(e, -EBADMSG, "the daemon sent something that is not a JSON object: %.80s",
                                c->line);
        const json_t *refused = json_object_get(c->row, "error");
        if (json_is_string(refused)) {
                json_int_t code = json_integer_value(json_object_get(c->row, "code"));
                if (code <= 0 || code > 4095)
                        code = EIO;
                return error_set(e, (int) -code, "%s", json_string_value(refused));
        }
        *ret_row = c->row;
        return json_is_true(json_object_get(c->row, "end")) ? CLIENT_END : CLIENT_ROW;
}

int client_next(Client *c, int timeout_ms, const json_t **ret_row, Error *e) {
        for (;;) {
                c->line = take_line(c);
                if (c->line)
                        return read_row(c, ret_row, e);
                int r = receive(c, timeout_ms, e);
                if (r < 0)
                        return r;
        }
}

const char *client_line(const Client *c) {
        return c->line;
}

int client_fd(const Client *c) {
        return c->fd;
}

int client_call(const char *path, json_t *request, json_t **ret_row, Error *e) {
        _cleanup_(client_freep) Client *c = NULL;
        _cleanup_(json_decrefp) json_t *last = NULL;
        const json_t *row;
        int r;

        r = client_open(path, request, &c, e);
        if (r < 0)
                return r;
        while ((r = client_next(c, CLIENT_TIMEOUT_MS, &row, e)) == CLIENT_ROW) {
                json_decref(last);
                last = json_deep_copy(row);
                if (!last)
                        return error_set(e, -ENOMEM, "out of memory");
        }
        if (r < 0)
                return r;
        if (!last)
                last = json_deep_copy(row);
        if (!last)
                return error_set(e, -ENOMEM, "out of memory");
        *ret_row = TAKE(last);
        return 0;
}
