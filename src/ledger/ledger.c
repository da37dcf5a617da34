/* The loop's side of the ledger: opening and closing, the open batch, results. */
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "ledger/ledger_internal.h"

enum { CLOSE_TIMEOUT_SEC = 10, BLOCK_ENTRIES_MIN = 4 };

pthread_mutex_t *ledger_lock(Ledger *l) {
        (void) pthread_mutex_lock(&l->lock);
        return &l->lock;
}

void ledger_unlockp(pthread_mutex_t **m) {
        (void) pthread_mutex_unlock(*m);
}

Ledger *ledger_lock_store(Ledger *l) {
        (void) pthread_rwlock_rdlock(&l->store_lock);
        if (l->store)
                return l;
        (void) pthread_rwlock_unlock(&l->store_lock);
        return NULL;
}

void ledger_unlock_storep(Ledger **l) {
        if (*l)
                (void) pthread_rwlock_unlock(&(*l)->store_lock);
}

void ledger_path(const Ledger *l, const char *name, char ret[static PATH_MAX]) {
        (void) snprintf(ret, PATH_MAX, "%s/%s", l->dir, name);
}

static int64_t monotonic_us(void) {
        Stamp s = { 0 };

        clock_now(&s);
        return s.mono_us;
}

/* --- opening --- */

static int take_options(Ledger *l, const LedgerOptions *o, Error *e) {
        l->options = *o;
        int n = snprintf(l->dir, sizeof l->dir, "%s", o->state_dir);
        if (n < 0 || (size_t) n >= sizeof l->dir)
                return error_set(e, -ENAMETOOLONG, "%s: path too long", o->state_dir);
        n = snprintf(l->name, sizeof l->name, "%s", o->name);
        if (n <= 0 || (size_t) n >= sizeof l->name)
                return error_set(e, -EINVAL, "the gateway's name has 1 to %zu bytes", sizeof l->name - 1);
        l->options.state_dir = l->dir;
        l->options.name = l->name;
        l->options.block_entries = MAX(o->block_entries, (uint32_t) BLOCK_ENTRIES_MIN);
        return 0;
}

static int make_parts(Ledger *l) {
        if (pthread_mutex_init(&l->lock, NULL) != 0)
                return -ENOMEM;
        (void) pthread_cond_init(&l->submitted_cond, NULL);
        (void) pthread_cond_init(&l->finished_cond, NULL);
        (void) pthread_rwlock_init(&l->store_lock, NULL);
        l->has_locks = true;
        l->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (l->event_fd < 0)
                return -errno;
        int r = batch_new(&l->open);
        if (r == 0)
                r = batch_new(&l->writing);
        return r;
}

static int add_device(Ledger *l, const char *device) {
        if (l->device_count == STREAMS_MAX)
                return -ENOSPC;
        if (l->device_count == l->device_room) {
                size_t room = MAX((size_t) 64, 2 * l->device_room);
                char(*grown)[NAME_MAX_LENGTH] = realloc(l->devices, room * sizeof *grown);
                if (!grown)
                        return -ENOMEM;
                l->devices = grown;
                l->device_room = room;
        }
        (void) snprintf(l->devices[l->device_count++], NAME_MAX_LENGTH, "%s", device);
        return 0;
}

static int open_ledger(Ledger *l, const LedgerOptions *o, LedgerRecovery *recovery, Error *e) {
        int r = take_options(l, o, e);
        if (r < 0)
                return r;
        r = make_parts(l);
        if (r < 0)
                return error_set(e, r, "cannot set up the ledger: %s", strerror(-r));
        r = ledger_start(l, recovery, e);
        if (r < 0)
                return r;
        for (size_t i = 0; r == 0 && i < l->writer->state.stream_count; i++)
                r = add_device(l, l->writer->state.streams[i].device);
        if (r < 0)
                return error_set(e, r, "out of memory");
        l->idle_since_us = monotonic_us();
        l->open_since_us = l->writer->open.count > 0 ? l->idle_since_us : TIME_NONE;
        if (o->read_only)
                return 0;
        l->idle = true;
        r = pthread_create(&l->thread, NULL, ledger_commit_thread, l);
        if (r != 0)
                return error_set(e, -r, "cannot start the commit thread: %s", strerror(r));
        l->has_thread = true;
        return 0;
}

/* What is in memory only is gone. */
static Ledger *destroy(Ledger *l) {
        writer_free(l->writer);
        store_free(l->store);
        batch_free(l->open);
        batch_free(l->writing);
        free(l->devices);
        fd_close(l->event_fd);
        fd_close(l->dir_fd);
        if (l->has_locks) {
                (void) pthread_rwlock_destroy(&l->store_lock);
                (void) pthread_cond_destroy(&l->finished_cond);
                (void) pthread_cond_destroy(&l->submitted_cond);
                (void) pthread_mutex_destroy(&l->lock);
        }
        free(l);
        return NULL;
}

static void destroyp(Ledger **l) {
        if (*l)
                destroy(*l);
}

int ledger_open(const LedgerOptions *o, Ledger **ret, LedgerRecovery *ret_recovery, Error *e) {
        _cleanup_(destroyp) Ledger *l = calloc(1, sizeof *l);
        LedgerRecovery recovery = { 0 };

        if (!l)
                return error_set(e, -ENOMEM, "out of memory");
        l->event_fd = l->dir_fd = -1;
        int r = open_ledger(l, o, &recovery, e);
        if (r < 0)
                return r;
        *ret_recovery = recovery;
        *ret = TAKE(l);
        return 0;
}

/* --- closing --- */

/* False where the commit thread is stuck: on a dead disk a write may never return. */
static bool wait_finished(Ledger *l) {
        _cleanup_(ledger_unlockp) _unused_ pthread_mutex_t *locked = ledger_lock(l);
        struct timespec until;
        int r = 0;

        (void) clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += CLOSE_TIMEOUT_SEC;
        while (l->submitted && !l->finished && r == 0)
                r = pthread_cond_timedwait(&l->finished_cond, &l->lock, &until);
        return !l->submitted || l->finished;
}

static bool flush(Ledger *l) {
        LedgerResult result;
        Stamp now = { 0 };

        if (!wait_finished(l))
                return false;
        (void) !ledger_collect(l, &result);
        if (batch_is_empty(l->open) && l->open_since_us == TIME_NONE)
                return true;
        clock_now_full(&now);
        EntryTime when = {
                .wall_us = now.wall_us,
                .mono_us = now.mono_us,
                .boot = l->last_when.boot,
                .synchronised = now.synchronised,
        };
        return ledger_close_batch(l, true, &when, &l->last_rules) < 0 || wait_finished(l);
}

static void stop_thread(Ledger *l) {
        {
                _cleanup_(ledger_unlockp) _unused_ pthread_mutex_t *locked = ledger_lock(l);
                l->stop = true;
                (void) pthread_cond_signal(&l->submitted_cond);
        }
        (void) pthread_join(l->thread, NULL);
        l->has_thread = false;
}

Ledger *ledger_free(Ledger *l) {
        if (!l)
                return NULL;
        if (l->has_thread && !flush(l)) {
                /* Everything stays as it is for the thread that may still wake up; the process is about to end. */
                (void) pthread_detach(l->thread);
                return NULL;
        }
        if (l->has_thread)
                stop_thread(l);
        return destroy(l);
}

/* --- the open batch --- */

int ledger_stream(Ledger *l, const char *device, uint32_t *ret) {
        for (size_t i = 1; i < l->device_count; i++)
                if (streq(l->devices[i], device)) {
                        *ret = (uint32_t) i;
                        return 0;
                }
        if (l->options.read_only)
                return -EROFS;
        if (device[0] == '\0' || strlen(device) >= NAME_MAX_LENGTH)
                return -EINVAL;
        uint32_t number = (uint32_t) l->device_count;
        int r = add_device(l, device);
        if (r < 0)
                return r;
        r = batch_put_stream(l->open, number, device);
        if (r < 0) {
                l->device_count--;
                return r;
        }
        *ret = number;
        return 0;
}

int ledger_append(Ledger *l, const LedgerItem *item) {
        if (l->options.read_only)
                return -EROFS;
        if (item->stream >= l->device_count)
                return -EINVAL;
        return batch_add(l->open, item, monotonic_us());
}

int ledger_put_state(Ledger *l, const char *key, Bytes value) {
        return l->options.read_only ? -EROFS : batch_put_state(l->open, key, value);
}

int ledger_visit_state(Ledger *l, const char *prefix, LedgerStateFn fn, void *userdata) {
        {
                /* Once idle it stays so, as only this thread gives it work. */
                _cleanup_(ledger_unlockp) _unused_ pthread_mutex_t *locked = ledger_lock(l);
                if (l->has_thread && !l->idle)
                        return -EBUSY;
        }
        if (!l->writer)
                return -EIO;
        const State *s = &l->writer->state;
        for (size_t i = 0; i < s->item_count; i++) {
                if (!s->items[i].value || !startswith(s->items[i].key, prefix))
                        continue;
                int r = fn(userdata, s->items[i].key, BYTES(s->items[i].value, s->items[i].len));
                if (r != 0)
                        return r;
        }
        return 0;
}

size_t ledger_open_entries(const Ledger *l) {
        return l->open->count;
}

bool ledger_is_writing(const Ledger *l) {
        return l->is_writing;
}

int ledger_close_batch(Ledger *l, bool seal, const EntryTime *when, const Hash *rules) {
        if (l->options.read_only)
                return -EROFS;
        if (l->is_writing)
                return -EBUSY;

        Batch *b = l->open;
        l->open = l->writing;
        l->writing = b;
        b->seal = seal;
        b->when = l->last_when = *when;
        b->rules = l->last_rules = *rules;
        if (l->open_since_us == TIME_NONE)
                l->open_since_us = b->first_mono_us;
        l->is_writing = true;

        _cleanup_(ledger_unlockp) _unused_ pthread_mutex_t *locked = ledger_lock(l);
        l->submitted = true;
        l->idle = false;
        (void) pthread_cond_signal(&l->submitted_cond);
        return 0;
}

/* --- results --- */

int ledger_fd(const Ledger *l) {
        return l->event_fd;
}

/* The failed batch's entries come before those of the open one. */
static void carry(Ledger *l, LedgerResult *result) {
        Batch *failed = l->writing;

        for (size_t i = 0; i < failed->count; i++)
                result->dropped += failed->items[i].type != ENTRY_READING;
        ssize_t dropped = batch_carry(failed, l->open);
        if (dropped < 0) /* no memory: the open batch is whole */
                return;
        result->dropped = (size_t) dropped;
        l->writing = l->open;
        l->open = failed;
}

static void note_block(Ledger *l, const LedgerResult *result, bool block_open) {
        if (result->r < 0)
                return;
        if (!block_open || result->sealed)
                l->idle_since_us = monotonic_us();
        if (!block_open)
                l->open_since_us = TIME_NONE;
        else if (result->sealed)
                l->open_since_us = l->idle_since_us;
}

int ledger_collect(Ledger *l, LedgerResult *ret) {
        bool block_open;
        uint64_t count;

        {
                _cleanup_(ledger_unlockp) _unused_ pthread_mutex_t *locked = ledger_lock(l);
                if (!l->finished)
                        return -EAGAIN;
                l->finished = l->submitted = false;
                block_open = l->block_open;
                *ret = l->result;
        }
        (void) !read(l->event_fd, &count, sizeof count);
        l->is_writing = false;
        note_block(l, ret, block_open);
        if (ret->r < 0)
                carry(l, ret);
        batch_clear(l->writing);
        return 0;
}

int64_t ledger_seal_deadline(const Ledger *l) {
        int64_t since = l->open_since_us != TIME_NONE ? l->open_since_us : l->open->first_mono_us;

        if (since != TIME_NONE)
                return since + l->options.block_age_us;
        return l->options.block_idle_us > 0 ? l->idle_since_us + l->options.block_idle_us : INT64_MAX;
}

void ledger_set_anchored(Ledger *l, uint64_t size) {
        _cleanup_(ledger_unlockp) _unused_ pthread_mutex_t *locked = ledger_lock(l);

        l->shared.anchored = size;
}
