/* An example of a notification channel, complete and short, to copy: appends each notice to a file, one JSON object a
 * line, on disk before it says so. docs/plugins.md walks through it.
 *
 *     cc -shared -fPIC -o example-notify.so example_notify.c -ljansson
 *
 * Settings: file (a path; its folder exists). */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <wardstone/notify_plugin.h>

typedef struct Example {
        const struct wardstone_host *host;
        int fd;
} Example;

/* A line that a crash cut short was never acknowledged, and comes again: it is ended, so that it spoils no other. */
static int end_last_line(int fd) {
        char last = '\n';
        off_t size = lseek(fd, 0, SEEK_END);

        if (size > 0 && pread(fd, &last, 1, size - 1) != 1)
                return -1;
        return last == '\n' || write(fd, "\n", 1) == 1 ? 0 : -1;
}

static int open_file(Example *x, const char *path) {
        x->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (x->fd < 0 || end_last_line(x->fd) < 0)
                return x->host->fail(x->host, WARDSTONE_CONFIGURATION, "%s: %s", path, strerror(errno));
        return WARDSTONE_OK;
}

static void example_close(void *self) {
        Example *x = self;

        if (x->fd >= 0)
                (void) close(x->fd);
        free(x);
}

static int example_open(const struct wardstone_host *host, const char *config, void **ret_self) {
        json_error_t why;
        const char *path;

        Example *x = malloc(sizeof *x);
        if (!x)
                return host->fail(host, WARDSTONE_RETRY, "out of memory");
        *x = (Example){ .host = host, .fd = -1 };
        json_t *settings = json_loads(config, JSON_REJECT_DUPLICATES, &why);
        int r;
        if (json_unpack_ex(settings, &why, 0, "{s:s!}", "file", &path) == 0) /* '!': nothing else */
                r = open_file(x, path);
        else
                r = host->fail(host, WARDSTONE_CONFIGURATION, "config: %s", why.text);
        json_decref(settings);
        if (r == WARDSTONE_OK)
                *ret_self = x;
        else
                example_close(x);
        return r;
}

/* A notice is JSON without line breaks already. A full disk may have taken a part of it. */
static int example_deliver(void *self, const char *notice) {
        Example *x = self;
        struct iovec line[] = { { (char *) notice, strlen(notice) }, { "\n", 1 } };

        off_t size = lseek(x->fd, 0, SEEK_END);
        errno = ENOSPC; /* what a short write means */
        if (writev(x->fd, line, 2) != (ssize_t) (line[0].iov_len + 1) || fsync(x->fd) < 0) {
                int result = x->host->fail(x->host, WARDSTONE_RETRY, "cannot write: %s", strerror(errno));
                (void) !ftruncate(x->fd, size);
                return result;
        }
        return WARDSTONE_OK;
}

const struct wardstone_notify_plugin wardstone_notify_plugin = {
        .abi = WARDSTONE_NOTIFY_ABI,
        .name = "example-notify",
        .open = example_open,
        .deliver = example_deliver,
        .close = example_close,
};
