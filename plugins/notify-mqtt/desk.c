#include "desk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/sha256.h"

#define WINDOW_US (120 * USEC_PER_SEC) /* how far an acknowledgement's time may be from ours */
#define QUIET_US  (10 * USEC_PER_SEC)  /* between two lines about refused ones */

enum { SEEN_MAX = 1024, REASON_MAX = 256 };

typedef struct Seen {
        Hash hash; /* of who, id and time */
        int64_t time_us;
} Seen;

struct Desk {
        const struct wardstone_host *host;
        char *path;
        struct stat file; /* as it was read */
        People *people;   /* NULL: it could not be read */
        int64_t opened_us;
        Seen seen[SEEN_MAX];
        size_t count;
        uint64_t refused;
        int64_t logged_us;
};

/* --- the keys --- */

/* The time of the change covers chmod too, which is what mends a file that others could read. */
static bool is_same_file(const struct stat *a, const struct stat *b) {
        return a->st_ino == b->st_ino && a->st_size == b->st_size &&
               a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void read_keys(Desk *d) {
        Error e;

        d->people = people_free(d->people);
        if (people_read(d->path, &d->people, &e) < 0)
                d->host->log(d->host, WARDSTONE_ERROR, "no acknowledgement is taken: %s", e.message);
}

static void look_at_keys(Desk *d) {
        struct stat now = { 0 }; /* stays so where there is none */

        (void) stat(d->path, &now);
        if (is_same_file(&now, &d->file))
                return;
        d->file = now;
        read_keys(d);
}

/* --- what was seen --- */

static void forget_old(Desk *d, int64_t before_us) {
        size_t kept = 0;

        for (size_t i = 0; i < d->count; i++)
                if (d->seen[i].time_us >= before_us)
                        d->seen[kept++] = d->seen[i];
        d->count = kept;
}

static Seen see(const Acknowledgement *a) {
        char text[sizeof a->id + sizeof a->who + 32];
        Seen s = { .time_us = a->time_us };

        /* the time as a number: other spellings of it are the same */
        int n = snprintf(text, sizeof text, "%s\n%s\n%" PRId64, a->who, a->id, a->time_us);
        sha256(BYTES(text, (size_t) n), &s.hash);
        return s;
}

static bool was_seen(const Desk *d, const Seen *s) {
        for (size_t i = 0; i < d->count; i++)
                if (hash_equal(&d->seen[i].hash, &s->hash))
                        return true;
        return false;
}

/* --- one message --- */

static _printf_(3, 4) void refuse(Desk *d, const Stamp *now, const char *format, ...) {
        char reason[REASON_MAX];
        va_list ap;

        d->refused++;
        if (now->mono_us - d->logged_us < QUIET_US)
                return;
        d->logged_us = now->mono_us;
        va_start(ap, format);
        (void) vsnprintf(reason, sizeof reason, format, ap);
        va_end(ap);
        d->host->log(d->host, WARDSTONE_WARNING, "acknowledgement refused (%" PRIu64 " since the start): %s",
                        d->refused, reason);
}

static bool is_genuine(Desk *d, const Acknowledgement *a, const Stamp *now) {
        look_at_keys(d);
        const uint8_t *key = d->people ? people_key(d->people, a->who) : NULL;
        if (!key) {
                refuse(d, now, "%s is not in %s", a->who, d->path);
                return false;
        }
        if (!acknowledgement_verify(a, key)) {
                refuse(d, now, "not made with the key of %s", a->who);
                return false;
        }
        return true;
}

static bool is_fresh(Desk *d, const Acknowledgement *a, const Stamp *now) {
        int64_t oldest_us = now->wall_us - MIN(WINDOW_US, now->mono_us - d->opened_us);

        if (a->time_us >= oldest_us && a->time_us <= now->wall_us + WINDOW_US)
                return true;
        refuse(d, now, "%s by %s: not made within the last two minutes, or before the start of this channel",
                        a->time, a->who);
        return false;
}

void desk_take(Desk *d, Bytes message, const Stamp *now) {
        Acknowledgement a;
        Error e;

        if (acknowledgement_parse(message, &a, &e) < 0) {
                refuse(d, now, "%s", e.message);
                return;
        }
        if (!is_genuine(d, &a, now) || !is_fresh(d, &a, now))
                return;
        Seen s = see(&a);
        forget_old(d, now->wall_us - WINDOW_US);
        if (was_seen(d, &s))
                refuse(d, now, "%s by %s: came before", a.time, a.who);
        else if (d->count == SEEN_MAX)
                refuse(d, now, "more than %d within the last minutes", SEEN_MAX);
        else if (d->host->acknowledge(d->host, a.id, a.who, a.note[0] ? a.note : NULL) != WARDSTONE_OK)
                refuse(d, now, "the gateway does not take it now");
        else
                d->seen[d->count++] = s;
}

int desk_new(const struct wardstone_host *host, const char *keys_file, const Stamp *now, Desk **ret,
                Error *e) {
        _cleanup_(desk_freep) Desk *d = calloc(1, sizeof *d);

        if (!d)
                return error_set(e, -ENOMEM, "out of memory");
        d->host = host;
        d->opened_us = now->mono_us;
        d->logged_us = now->mono_us - QUIET_US;
        d->path = strdup(keys_file);
        if (!d->path)
                return error_set(e, -ENOMEM, "out of memory");
        (void) stat(d->path, &d->file);
        read_keys(d);
        *ret = TAKE(d);
        return 0;
}

Desk *desk_free(Desk *d) {
        if (!d)
                return NULL;
        people_free(d->people);
        free(d->path);
        free(d);
        return NULL;
}

uint64_t desk_refused(const Desk *d) {
        return d->refused;
}
