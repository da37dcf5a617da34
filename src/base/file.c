#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static int read_all(int fd, const char *path, size_t limit, char **ret_data, size_t *ret_len, Error *e) {
        _cleanup_free_ char *data = NULL;
        size_t len = 0, room = 0;

        for (;;) {
                if (room - len < 2) {
                        room = room ? room * 2 : 4096;
                        char *grown = realloc(data, room);
                        if (!grown)
                                return error_set(e, -ENOMEM, "%s: out of memory", path);
                        data = grown;
                }
                ssize_t n = read(fd, data + len, room - len - 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_set(e, -errno, "%s: %s", path, strerror(errno));
                if (n == 0)
                        break;
                len += (size_t) n;
                if (len > limit)
                        return error_set(e, -EFBIG, "%s: larger than %zu bytes", path, limit);
        }
        data[len] = '\0';
        *ret_data = TAKE(data);
        if (ret_len)
                *ret_len = len;
        return 0;
}

int file_read(const char *path, size_t limit, char **ret_data, size_t *ret_len, Error *e) {
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

        if (fd < 0)
                return error_set(e, -errno, "%s: %s", path, strerror(errno));
        return read_all(fd, path, limit, ret_data, ret_len, e);
}

int file_read_secret(const char *path, size_t limit, char **ret_data, size_t *ret_len, Error *e) {
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        struct stat st;
        size_t len;

        if (fd < 0)
                return error_set(e, -errno, "%s: %s", path, strerror(errno));
        if (fstat(fd, &st) < 0)
                return error_set(e, -errno, "%s: %s", path, strerror(errno));
        if (st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP))
                return error_set(e, -EACCES,
                                "%s: holds a secret but others may read or change it; run: chmod 0600 %s",
                                path, path);
        int r = read_all(fd, path, limit, ret_data, &len, e);
        if (r < 0)
                return r;
        if (len > 0 && (*ret_data)[len - 1] == '\n')
                (*ret_data)[--len] = '\0';
        if (ret_len)
                *ret_len = len;
        return 0;
}

int dir_sync(const char *path) {
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}

static int write_all(int fd, Bytes data) {
        while (data.len > 0) {
                ssize_t n = write(fd, data.data, data.len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data.data += n;
                data.len -= (size_t) n;
        }
        return 0;
}

int file_replace(const char *path, Bytes data, mode_t mode, Error *e) {
        char temporary[PATH_MAX], folder[PATH_MAX];
        int r;

        int n = snprintf(temporary, sizeof temporary, "%s.tmp", path);
        if (n < 0 || (size_t) n >= sizeof temporary)
                return error_set(e, -ENAMETOOLONG, "%s: path too long", path);
        {
                _cleanup_(fd_closep) int fd =
                                open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
                if (fd < 0)
                        return error_set(e, -errno, "%s: %s", temporary, strerror(errno));
                r = write_all(fd, data);
                if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
                        r = -errno;
        }
        if (r == 0 && rename(temporary, path) < 0)
                r = -errno;
        if (r < 0) {
                (void) unlink(temporary);
                return error_set(e, r, "%s: %s", path, strerror(-r));
        }
        (void) snprintf(folder, sizeof folder, "%s", path);
        r = dir_sync(dirname(folder));
        if (r < 0)
                return error_set(e, r, "%s: cannot sync its folder: %s", path, strerror(-r));
        return 0;
}

int dir_make(const char *path, mode_t mode, Error *e) {
        char p[PATH_MAX];

        int n = snprintf(p, sizeof p, "%s", path);
        if (n < 0 || (size_t) n >= sizeof p)
                return error_set(e, -ENAMETOOLONG, "%s: path too long", path);
        for (char *slash = strchr(p + 1, '/');; slash = strchr(slash + 1, '/')) {
                if (slash)
                        *slash = '\0';
                if (mkdir(p, mode) < 0 && errno != EEXIST)
                        return error_set(e, -errno, "%s: %s", p, strerror(errno));
                if (!slash)
                        return 0;
                *slash = '/';
        }
}
