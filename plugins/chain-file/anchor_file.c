#include "anchor_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"

/* What a crash left half written may be as long as a line, and the whole line before it as well. */
enum { TAIL_MAX = 2 * ANCHOR_LINE_MAX };

static int fail(const AnchorFile *f, int r, Error *e) {
        return error_set(e, r, "%s: %s", f->path, strerror(-r));
}

static int damaged(const AnchorFile *f, const char *what, Error *e) {
        return error_set(e, -EUCLEAN,
                        "%s: the last line %s; restore the file, or move it away to begin anew", f->path,
                        what);
}

static int beside(const AnchorFile *f, const char *suffix, char ret[static PATH_MAX]) {
        int n = snprintf(ret, PATH_MAX, "%s%s", f->path, suffix);

        return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int sync_folder(const AnchorFile *f) {
        char path[PATH_MAX];

        int r = beside(f, "", path);
        return r < 0 ? r : dir_sync(dirname(path));
}

int anchor_file_open(AnchorFile *f, const char *path, uint64_t max_bytes, Error *e) {
        char lock[PATH_MAX];

        *f = (AnchorFile){ .path = strdup(path), .max_bytes = max_bytes, .lock = -1 };
        if (!f->path)
                return error_set(e, -ENOMEM, "out of memory");
        int r = beside(f, ".lock", lock);
        if (r < 0)
                return fail(f, r, e);
        f->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (f->lock < 0)
                return fail(f, -errno, e);
        if (flock(f->lock, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? error_set(e, -EBUSY, "%s: in use by another process", f->path)
                                            : fail(f, -errno, e);
        return 0;
}

void anchor_file_close(AnchorFile *f) {
        f->lock = fd_close(f->lock);
        free(f->path);
        f->path = NULL;
}

/* There is no file: the first time, or a crash in the middle of rotate() left only the new one, complete,
 * under its temporary name. */
static int make_file(const AnchorFile *f, int *ret_fd) {
        char next[PATH_MAX];

        int r = beside(f, ".tmp", next);
        if (r == 0 && rename(next, f->path) < 0 && errno != ENOENT)
                r = -errno;
        if (r < 0)
                return r;
        _cleanup_(fd_closep) int fd = open(f->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        if (fd < 0)
                return -errno;
        r = sync_folder(f);
        if (r == 0)
                *ret_fd = fd_take(&fd);
        return r;
}

static int open_file(const AnchorFile *f, int *ret_fd) {
        int fd = open(f->path, O_RDWR | O_APPEND | O_CLOEXEC);

        if (fd < 0 && errno == ENOENT)
                return make_file(f, ret_fd);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

/* The file's last TAIL_MAX bytes or less, up to the last newline; *ret_end is the offset behind that. */
static int read_tail(int fd, char ret[static TAIL_MAX], size_t *ret_len, uint64_t *ret_end) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        off_t from = MAX(st.st_size - TAIL_MAX, (off_t) 0);
        ssize_t n = pread(fd, ret, TAIL_MAX, from);
        if (n < 0)
                return -errno;
        while (n > 0 && ret[n - 1] != '\n')
                n--;
        if (n == 0 && from > 0)
                return -EUCLEAN;
        *ret_len = (size_t) n;
        *ret_end = (uint64_t) (from + n);
        if (*ret_end < (uint64_t) st.st_size && (ftruncate(fd, from + n) < 0 || fsync(fd) < 0))
                return -errno;
        return 0;
}

static int hash_parse(const char *hex, Hash *ret) {
        size_t n = 0;

        return sodium_hex2bin(ret->bytes, sizeof ret->bytes, hex, strlen(hex), NULL, &n, NULL) == 0 &&
                                               n == SHA256_SIZE
                               ? 0
                               : -EUCLEAN;
}

static int parse_line(const char *line, size_t len, Anchor *ret) {
        json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
        const char *origin, *root, *note;
        json_int_t size;
        Anchor a = { 0 };
        int r = -EUCLEAN;

        if (object &&
                        json_unpack(object, "{s:s,s:I,s:s,s:s}", "origin", &origin, "size", &size, "root",
                                        &root, "note", &note) == 0 &&
                        size > 0 && strlen(origin) < sizeof a.checkpoint.origin &&
                        strlen(note) < sizeof a.note)
                r = hash_parse(root, &a.checkpoint.root);
        if (r == 0) {
                a.checkpoint.size = (uint64_t) size;
                (void) snprintf(a.checkpoint.origin, sizeof a.checkpoint.origin, "%s", origin);
                (void) snprintf(a.note, sizeof a.note, "%s", note);
                *ret = a;
        }
        json_decref(object);
        return r;
}

/* The last line's text, without its newline, is at tail + *ret_start. */
static int read_last(const AnchorFile *f, int fd, char tail[static TAIL_MAX], size_t *ret_start,
                size_t *ret_len, uint64_t *ret_offset, Error *e) {
        uint64_t end = 0;
        size_t n = 0;

        int r = read_tail(fd, tail, &n, &end);
        if (r == -EUCLEAN)
                return damaged(f, "is too long", e);
        if (r < 0)
                return fail(f, r, e);
        if (n == 0)
                return error_set(e, -ENOENT, "%s: empty", f->path);
        size_t start = n - 1;
        while (start > 0 && tail[start - 1] != '\n')
                start--;
        if (n - start > ANCHOR_LINE_MAX)
                return damaged(f, "is too long", e);
        *ret_start = start;
        *ret_len = n - 1 - start;
        *ret_offset = end - n + start;
        return 0;
}

int anchor_file_last(const AnchorFile *f, Anchor *ret, Error *e) {
        _cleanup_(fd_closep) int fd = -1;
        char tail[TAIL_MAX];
        size_t start, len;
        uint64_t offset;

        int r = open_file(f, &fd);
        if (r < 0)
                return fail(f, r, e);
        r = read_last(f, fd, tail, &start, &len, &offset, e);
        if (r < 0)
                return r;
        if (parse_line(tail + start, len, ret) < 0)
                return damaged(f, "is no anchor", e);
        ret->offset = offset;
        return 0;
}

static json_t *checkpoint_to_json(const Checkpoint *c) {
        char root[2 * SHA256_SIZE + 1];

        (void) sodium_bin2hex(root, sizeof root, c->root.bytes, sizeof c->root.bytes);
        return json_pack("{s:s,s:I,s:s}", "origin", c->origin, "size", (json_int_t) c->size, "root", root);
}

static int format_line(const Checkpoint *c, const char *note, const Checkpoint *predecessor,
                char ret[static ANCHOR_LINE_MAX], size_t *ret_len) {
        json_t *line = checkpoint_to_json(c);
        char time[CLOCK_TEXT_SIZE];
        Stamp now = { 0 };

        clock_now(&now);
        clock_format(now.wall_us, time);
        bool complete = line && json_object_set_new(line, "note", json_string(note)) == 0 &&
                        json_object_set_new(line, "time", json_string(time)) == 0 &&
                        (!predecessor || json_object_set_new(line, "predecessor",
                                                         checkpoint_to_json(predecessor)) == 0);
        size_t n = complete ? json_dumpb(line, ret, ANCHOR_LINE_MAX - 1, JSON_COMPACT) : 0;
        json_decref(line);
        if (n == 0 || n > ANCHOR_LINE_MAX - 1)
                return -EMSGSIZE;
        ret[n] = '\n';
        *ret_len = n + 1;
        return 0;
}

static int write_synced(int fd, const char *text, size_t len) {
        ssize_t n = write(fd, text, len);

        if (n < 0)
                return -errno;
        if ((size_t) n < len)
                return -ENOSPC;
        return fsync(fd) < 0 ? -errno : 0;
}

/* Starts a new file with the last line, so that the head is in it; the full one becomes PATH.1. */
static int rotate(const AnchorFile *f, const char *last, size_t len) {
        char next[PATH_MAX], old[PATH_MAX];
        int r = beside(f, ".tmp", next);

        if (r == 0)
                r = beside(f, ".1", old);
        if (r < 0)
                return r;
        _cleanup_(fd_closep) int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        if (fd < 0)
                return -errno;
        r = write_synced(fd, last, len);
        if (r == 0 && (rename(f->path, old) < 0 || rename(next, f->path) < 0))
                r = -errno;
        return r < 0 ? r : sync_folder(f);
}

static int rotate_if_full(const AnchorFile *f, size_t more, Error *e) {
        _cleanup_(fd_closep) int fd = -1;
        char tail[TAIL_MAX];
        size_t start, len;
        uint64_t offset;
        struct stat st;

        int r = open_file(f, &fd);
        if (r < 0 || fstat(fd, &st) < 0)
                return fail(f, r < 0 ? r : -errno, e);
        if ((uint64_t) st.st_size + more <= f->max_bytes)
                return 0;
        r = read_last(f, fd, tail, &start, &len, &offset, e);
        if (r < 0)
                return r;
        r = rotate(f, tail + start, len + 1);
        return r < 0 ? fail(f, r, e) : 0;
}

int anchor_file_append(const AnchorFile *f, const Checkpoint *c, const char *note,
                const Checkpoint *predecessor, uint64_t *ret_offset, Error *e) {
        _cleanup_(fd_closep) int fd = -1;
        char line[ANCHOR_LINE_MAX];
        size_t len;
        struct stat st;

        int r = format_line(c, note, predecessor, line, &len);
        if (r < 0)
                return fail(f, r, e);
        r = rotate_if_full(f, len, e);
        if (r < 0)
                return r;
        r = open_file(f, &fd);
        if (r < 0 || fstat(fd, &st) < 0)
                return fail(f, r < 0 ? r : -errno, e);
        r = write_synced(fd, line, len);
        if (r < 0) {
                (void) !ftruncate(fd, st.st_size);
                return fail(f, r, e);
        }
        *ret_offset = (uint64_t) st.st_size;
        return 0;
}
