#include "ledger/epoch.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "ledger/note.h"

static void closedirp(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

static int path_join(const char *dir, const char *name, char ret[static PATH_MAX]) {
        int n = snprintf(ret, PATH_MAX, "%s/%s", dir, name);

        return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* --- checkpoints --- */

/* The number that a text ends with, or goes on behind with a '.'. */
static int parse_number(const char *text, uint32_t *ret) {
        char *end;

        if (*text < '1' || *text > '9')
                return -EBADMSG;
        errno = 0;
        unsigned long v = strtoul(text, &end, 10);
        if (errno != 0 || v > UINT32_MAX || (*end != '\0' && *end != '.'))
                return -EBADMSG;
        *ret = (uint32_t) v;
        return 0;
}

int epoch_of_origin(const char *origin, uint32_t *ret) {
        const char *slash = strrchr(origin, '/');

        return slash && !strchr(slash, '.') ? parse_number(slash + 1, ret) : -EBADMSG;
}

static bool line_names_key(
                const char *line, size_t len, const char *origin, const uint8_t public[static 32]) {
        static const char dash[] = "\xe2\x80\x94 ";
        char name[ORIGIN_MAX];
        uint8_t signature[128];
        size_t n;

        if (len < sizeof dash || memcmp(line, dash, sizeof dash - 1) != 0)
                return false;
        line += sizeof dash - 1;
        len -= sizeof dash - 1;
        const char *space = memchr(line, ' ', len);
        if (!space || (size_t) (space - line) >= sizeof name)
                return false;
        (void) snprintf(name, sizeof name, "%.*s", (int) (space - line), line);
        if (sodium_base642bin(signature, sizeof signature, space + 1, len - (size_t) (space + 1 - line),
                            NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) < 0 ||
                        n < 4)
                return false;
        uint32_t hash = be32_read(signature);
        return hash == note_key_hash(name, public) || hash == note_key_hash(origin, public);
}

bool epoch_note_names_key(const char *note, const uint8_t public[static 32]) {
        char origin[ORIGIN_MAX];

        (void) snprintf(origin, sizeof origin, "%.*s", (int) strcspn(note, "\n"), note);
        for (const char *line = note; *line;) {
                size_t len = strcspn(line, "\n");
                if (line_names_key(line, len, origin, public))
                        return true;
                line += len + (line[len] == '\n');
        }
        return false;
}

/* --- folders --- */

/* Calls fn for each name in the folder; its non-zero answers end it. */
typedef int (*NameFn)(void *userdata, const char *name);

static int visit_folder(const char *path, NameFn fn, void *userdata, Error *e) {
        _cleanup_(closedirp) DIR *d = opendir(path);

        if (!d)
                return error_set(e, -errno, "%s: %s", path, strerror(errno));
        for (;;) {
                errno = 0;
                const struct dirent *item = readdir(d);
                if (!item)
                        return errno ? error_set(e, -errno, "%s: %s", path, strerror(errno)) : 0;
                int r = fn(userdata, item->d_name);
                if (r != 0)
                        return r;
        }
}

static int is_table(void *userdata, const char *name) {
        const char *dot = strrchr(name, '.');

        return startswith(name, "MANIFEST-") || (dot && (streq(dot, ".ldb") || streq(dot, ".log")));
}

bool epoch_folder_has_tables(const char *path) {
        Error e;

        return visit_folder(path, is_table, NULL, &e) > 0;
}

typedef struct LinkTo {
        const char *from, *to;
} LinkTo;

static int link_file(void *userdata, const char *name) {
        const LinkTo *l = userdata;
        char from[PATH_MAX], to[PATH_MAX];

        if (name[0] == '.' || streq(name, "LOCK") || startswith(name, "LOG") || streq(name, "lost"))
                return 0;
        int r = path_join(l->from, name, from);
        if (r == 0)
                r = path_join(l->to, name, to);
        return r == 0 && link(from, to) < 0 ? -errno : r;
}

int epoch_link_folder(const char *from, const char *to, Error *e) {
        LinkTo l = { from, to };

        int r = epoch_remove_folder(to, e);
        if (r == 0)
                r = dir_make(to, 0700, e);
        if (r < 0)
                return r;
        r = visit_folder(from, link_file, &l, e);
        return r < 0 ? error_set(e, r, "cannot copy %s to %s: %s", from, to, strerror(-r)) : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
        return remove(path) < 0 ? errno : 0;
}

int epoch_remove_folder(const char *path, Error *e) {
        enum { DESCRIPTORS = 8 };

        if (access(path, F_OK) < 0 && errno == ENOENT)
                return 0;
        int r = nftw(path, remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
        return r != 0 ? error_set(e, r > 0 ? -r : -EIO, "cannot remove %s", path) : 0;
}

/* --- the steps of a new epoch --- */

static int raise_newest(void *userdata, const char *name) {
        static const char *const prefixes[] = { "ledger.epoch-", "checkpoint.epoch-" };
        uint32_t *newest = userdata, epoch;

        for (size_t i = 0; i < ELEMENTS(prefixes); i++)
                if (startswith(name, prefixes[i]) && parse_number(name + strlen(prefixes[i]), &epoch) == 0)
                        *newest = MAX(*newest, epoch + 1);
        return 0;
}

int epoch_newest_known(const char *state_dir, uint32_t *newest, Error *e) {
        return visit_folder(state_dir, raise_newest, newest, e);
}

static void kept_name(const char *what, uint32_t epoch, char ret[static EPOCH_NAME_MAX]) {
        char utc[32] = "";
        struct tm tm;
        time_t now = time(NULL);

        if (gmtime_r(&now, &tm))
                (void) strftime(utc, sizeof utc, "%Y%m%dT%H%M%SZ", &tm);
        (void) snprintf(ret, EPOCH_NAME_MAX, "%s.epoch-%u.%s", what, epoch, utc);
}

int epoch_keep_checkpoint(const char *state_dir, uint32_t epoch, Error *e) {
        char name[EPOCH_NAME_MAX], from[PATH_MAX], to[PATH_MAX];

        kept_name("checkpoint", epoch - 1, name);
        int r = path_join(state_dir, "checkpoint", from);
        if (r == 0)
                r = path_join(state_dir, name, to);
        if (r == 0 && link(from, to) < 0 && errno != ENOENT && errno != EEXIST)
                r = -errno;
        return r < 0 ? error_set(e, r, "cannot keep %s: %s", from, strerror(-r)) : 0;
}

/* Where the names do not exist the answer is -ENOENT. */
static int rename_in(const char *dir, const char *from, const char *to, Error *e) {
        char a[PATH_MAX], b[PATH_MAX];

        int r = path_join(dir, from, a);
        if (r == 0)
                r = path_join(dir, to, b);
        if (r == 0 && rename(a, b) < 0)
                r = -errno;
        if (r == 0)
                r = dir_sync(dir);
        return r < 0 ? error_set(e, r, "cannot rename %s to %s: %s", a, to, strerror(-r)) : 0;
}

int epoch_ready(const char *state_dir, uint32_t epoch, Error *e) {
        char name[EPOCH_NAME_MAX];

        (void) snprintf(name, sizeof name, "ledger.ready-%u", epoch);
        return rename_in(state_dir, "ledger.building", name, e);
}

static int find_ready(void *userdata, const char *name) {
        static const char prefix[] = "ledger.ready-";
        uint32_t epoch;

        if (!startswith(name, prefix) || parse_number(name + sizeof prefix - 1, &epoch) < 0)
                return 0;
        *(uint32_t *) userdata = epoch;
        return 1;
}

int epoch_swap(const char *state_dir, char ret[static EPOCH_NAME_MAX], Error *e) {
        char ready[EPOCH_NAME_MAX], aside[EPOCH_NAME_MAX];
        uint32_t epoch = 0;

        ret[0] = '\0';
        int r = visit_folder(state_dir, find_ready, &epoch, e);
        if (r <= 0)
                return r;
        (void) snprintf(ready, sizeof ready, "ledger.ready-%u", epoch);
        kept_name("ledger", epoch - 1, aside);
        r = rename_in(state_dir, "ledger", aside, e);
        if (r == 0)
                memcpy(ret, aside, sizeof aside);
        return r == 0 || r == -ENOENT ? rename_in(state_dir, ready, "ledger", e) : r;
}
