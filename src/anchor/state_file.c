#include "anchor/state_file.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/file.h"

struct StateFile {
        char *path;
        StateFileDoneFn done;
        void *userdata;
        sd_event_source *source;
        int eventfd;
        pthread_t thread;
        bool started;

        pthread_mutex_t lock; /* for what follows */
        pthread_cond_t wake;
        char *text; /* to be written; NULL: nothing */
        uint64_t number;
        bool stop;
        uint64_t written; /* the newest write that is finished */
        int r;
        Error error;
};

static void write_one(StateFile *f, char *text, uint64_t number) {
        const uint64_t one = 1;
        Error e = { "" };

        (void) pthread_mutex_unlock(&f->lock);
        int r = fault_anchor_save_lost() ? 0 : file_replace(f->path, BYTES_STRING(text), 0600, &e);
        free(text);
        (void) pthread_mutex_lock(&f->lock);
        f->written = number;
        f->r = r;
        f->error = e;
        (void) !write(f->eventfd, &one, sizeof one);
}

static void *run(void *userdata) {
        StateFile *f = userdata;

        (void) pthread_mutex_lock(&f->lock);
        for (;;) {
                while (!f->text && !f->stop)
                        (void) pthread_cond_wait(&f->wake, &f->lock);
                if (!f->text)
                        break;
                write_one(f, TAKE(f->text), f->number);
        }
        (void) pthread_mutex_unlock(&f->lock);
        return NULL;
}

static int on_written(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        StateFile *f = userdata;
        uint64_t count;

        (void) !read(fd, &count, sizeof count);
        (void) pthread_mutex_lock(&f->lock);
        uint64_t written = f->written;
        int r = f->r;
        Error e = f->error;
        (void) pthread_mutex_unlock(&f->lock);
        f->done(f->userdata, written, r, e.message);
        return 0;
}

/* The loop's signals are not this thread's. */
static int start_thread(StateFile *f) {
        sigset_t all, before;

        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &before);
        int r = pthread_create(&f->thread, NULL, run, f);
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
        f->started = r == 0;
        return -r;
}

int state_file_new(sd_event *event, const char *path, StateFileDoneFn done, void *userdata, StateFile **ret,
                Error *e) {
        _cleanup_(state_file_freep) StateFile *f = calloc(1, sizeof *f);

        if (!f)
                return error_set(e, -ENOMEM, "%s: out of memory", path);
        (void) pthread_mutex_init(&f->lock, NULL);
        (void) pthread_cond_init(&f->wake, NULL);
        f->done = done;
        f->userdata = userdata;
        f->path = strdup(path);
        f->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        int r = !f->path ? -ENOMEM : f->eventfd < 0 ? -errno : 0;
        if (r == 0)
                r = sd_event_add_io(event, &f->source, f->eventfd, EPOLLIN, on_written, f);
        if (r >= 0)
                r = start_thread(f);
        if (r < 0)
                return error_set(e, r, "%s: %s", path, strerror(-r));
        *ret = TAKE(f);
        return 0;
}

StateFile *state_file_free(StateFile *f) {
        if (!f)
                return NULL;
        if (f->started) {
                (void) pthread_mutex_lock(&f->lock);
                f->stop = true;
                (void) pthread_cond_signal(&f->wake);
                (void) pthread_mutex_unlock(&f->lock);
                (void) pthread_join(f->thread, NULL);
        }
        sd_event_source_disable_unref(f->source);
        f->eventfd = fd_close(f->eventfd);
        (void) pthread_cond_destroy(&f->wake);
        (void) pthread_mutex_destroy(&f->lock);
        free(f->text);
        free(f->path);
        free(f);
        return NULL;
}

uint64_t state_file_write(StateFile *f, char *text) {
        (void) pthread_mutex_lock(&f->lock);
        free(f->text);
        f->text = text;
        uint64_t number = ++f->number;
        (void) pthread_cond_signal(&f->wake);
        (void) pthread_mutex_unlock(&f->lock);
        return number;
}
