/* Worlds and runs: what is common to all simulations. */
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim.h"

/* --- numbers --- */

uint64_t sim_random(uint64_t *state, uint64_t below) {
        /* splitmix64 */
        uint64_t z = *state += 0x9E3779B97F4A7C15U;

        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
        z = (z ^ z >> 27) * 0x94D049BB133111EBU;
        return (z ^ z >> 31) % below;
}

double sim_uniform(uint64_t *state, double from, double to) {
        return from +
               (to - from) * (double) sim_random(state, UINT64_C(1) << 40) / (double) (UINT64_C(1) << 40);
}

static void check(bool good, const char *what) {
        if (good)
                return;
        perror(what);
        abort();
}

/* --- worlds --- */

void world_done(World *w) {
        free(w->devices);
        free(w->frames);
        free(w->ops);
        *w = (World){ 0 };
}

int64_t world_wall(const World *w, int64_t mono_us) {
        int64_t wall_us = SIM_WALL + mono_us;

        for (size_t i = 0; i < w->step_count; i++)
                if (w->steps[i].at_us <= mono_us)
                        wall_us += w->steps[i].by_us;
        return wall_us;
}

SimFrame *world_add_frame(World *w) {
        if (w->frame_count == w->frame_room) {
                w->frame_room = w->frame_room * 2 + 1024;
                w->frames = reallocarray(w->frames, w->frame_room, sizeof *w->frames);
                check(w->frames, "frames");
        }
        SimFrame *f = &w->frames[w->frame_count++];
        *f = (SimFrame){ .device_us = TIME_NONE };
        return f;
}

SimOp *world_add_op(World *w, int64_t at_us, SimOpType type) {
        if (w->op_count == w->op_room) {
                w->op_room = w->op_room * 2 + 256;
                w->ops = reallocarray(w->ops, w->op_room, sizeof *w->ops);
                check(w->ops, "ops");
        }
        SimOp *op = &w->ops[w->op_count++];
        *op = (SimOp){ .at_us = at_us, .type = type };
        return op;
}

static int by_frame(const void *x, const void *y) {
        const SimFrame *a = x, *b = y;

        if (a->at_us != b->at_us)
                return a->at_us < b->at_us ? -1 : 1;
        return a->device < b->device ? -1 : a->device > b->device;
}

static int by_op(const void *x, const void *y) {
        const SimOp *a = x, *b = y;
        return a->at_us < b->at_us ? -1 : a->at_us > b->at_us;
}

void world_sort(World *w) {
        /* either may be none at all, which qsort() must not be given */
        if (w->frame_count > 0)
                qsort(w->frames, w->frame_count, sizeof *w->frames, by_frame);
        if (w->op_count > 0)
                qsort(w->ops, w->op_count, sizeof *w->ops, by_op);
}

/* --- the folder --- */

static void write_file(const Run *r, const char *name, const char *text) {
        char path[128];

        (void) snprintf(path, sizeof path, "%s/%s", r->dir, name);
        FILE *f = fopen(path, "we");
        check(f && fputs(text, f) >= 0 && fclose(f) == 0 && chmod(path, 0600) == 0, path);
}

static void write_config(const Run *r) {
        char text[4096];

        (void) snprintf(text, sizeof text,
                        "gateway: {name: ward.example}\n"
                        "state_dir: %s/state\n"
                        "control: {socket: %s/socket}\n"
                        "keys: {signing: %s/signing-key, encryption: %s/key-encryption-key}\n"
                        "devices: devices.yaml\n"
                        "rules: rules.d\n"
                        "mqtt: []\n"
                        "%s",
                        r->dir, r->dir, r->dir, r->dir, r->world->config);
        write_file(r, "wardstone.yaml", text);
        write_file(r, "signing-key",
                        "wardstone-signing-key-v1 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n");
        write_file(r, "key-encryption-key",
                        "wardstone-key-encryption-key-v1 AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\n");
        write_file(r, "rules.d/ward.yaml", r->world->rules);
}

static void write_devices(const Run *r) {
        char path[128];

        (void) snprintf(path, sizeof path, "%s/devices.yaml", r->dir);
        FILE *f = fopen(path, "we");
        check(f && fputs("devices:\n", f) >= 0, path);
        for (size_t i = 0; i < r->world->device_count; i++)
                (void) fprintf(f, "- {id: %s}\n", r->world->devices[i]);
        check(fclose(f) == 0, path);
}

static void *shared_memory(size_t size) {
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                        0);

        check(p != MAP_FAILED, "mmap");
        return p;
}

void run_begin(Run *r, const World *w) {
        char path[128];

        *r = (Run){ .world = w, .shared = shared_memory(sizeof(Shared)) };
        r->shared->now_us = w->begin_us;
        /* not on a disk: each of some ten thousand batches is synced */
        (void) snprintf(r->dir, sizeof r->dir, "%s/wardstone-sim-XXXXXX",
                        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        check(mkdtemp(r->dir) != NULL, r->dir);
        (void) snprintf(path, sizeof path, "%s/rules.d", r->dir);
        check(mkdir(path, 0700) == 0, path);
        write_config(r);
        write_devices(r);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void) st;
        (void) type;
        (void) ftw;
        return remove(path);
}

void run_done(Run *r) {
        (void) nftw(r->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        (void) munmap(r->shared, sizeof *r->shared);
        *r = (Run){ 0 };
}

/* --- lives --- */

static int by_kill(const void *x, const void *y) {
        const Kill *a = x, *b = y;
        return a->at_us < b->at_us ? -1 : a->at_us > b->at_us;
}

void run_plan(Run *r, uint64_t seed, size_t count) {
        const World *w = r->world;

        for (r->kill_count = 0; r->kill_count < count; r->kill_count++)
                r->kills[r->kill_count] = (Kill){
                        .at_us = w->begin_us +
                                 (int64_t) sim_random(&seed, (uint64_t) (w->end_us - w->begin_us)),
                        .point = (KillPoint) sim_random(&seed, KILL_POINTS),
                };
        qsort(r->kills, r->kill_count, sizeof *r->kills, by_kill);
}

static void show_log(const Run *r) {
        char path[128], line[512];

        (void) snprintf(path, sizeof path, "%s/log", r->dir);
        FILE *f = fopen(path, "re");
        if (!f)
                return;
        if (fseek(f, -4000, SEEK_END) < 0)
                rewind(f);
        while (fgets(line, sizeof line, f))
                (void) fprintf(stderr, "%s", line);
        (void) fclose(f);
}

/* Runs fn in a process of its own, which writes to the log; returns its status. */
static int in_child(const Run *r, void (*fn)(void *argument), void *argument) {
        char path[128];
        int status = -1;

        (void) snprintf(path, sizeof path, "%s/log", r->dir);
        (void) fflush(NULL);
        pid_t pid = fork();
        check(pid >= 0, "fork");
        if (pid == 0) {
                check(freopen(path, "ae", stderr) != NULL, path);
                fn(argument);
                _exit(EXIT_SUCCESS);
        }
        check(waitpid(pid, &status, 0) == pid, "waitpid");
        return status;
}

static void live(void *argument) {
        life_live(argument);
}

void run_live(Run *r) {
        Shared *s = r->shared;

        while (!s->over) {
                size_t kills = s->kills;
                int status = in_child(r, live, r);
                bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && s->kills == kills + 1;

                if (s->failed || (status != 0 && !killed)) {
                        show_log(r);
                        (void) fprintf(stderr, "seed %llu: a life ended with status %d\n",
                                        (unsigned long long) r->world->seed, status);
                        abort();
                }
                if (!s->over)
                        s->now_us += r->downtime_us;
        }
}

/* --- the book, by the same ways --- */

typedef struct BookReading {
        const Run *run;
        Book *book;
} BookReading;

static void read_book(void *argument) {
        const BookReading *b = argument;
        book_write(b->run, b->book);
}

void book_read(const Run *r, Book *ret) {
        Book *shared = shared_memory(sizeof *shared);
        BookReading b = { r, shared };

        *shared = (Book){
                .facts = shared_memory(BOOK_FACTS_MAX * sizeof(Fact)),
                .alerts = shared_memory(BOOK_ALERTS_MAX * sizeof(AlertRow)),
        };
        int status = in_child(r, read_book, &b);
        if (status != 0)
                (void) snprintf(shared->failure, sizeof shared->failure, "reading the ledger: status %d",
                                status);
        *ret = *shared;
        (void) munmap(shared, sizeof *shared);
}

void book_done(Book *b) {
        (void) munmap(b->facts, BOOK_FACTS_MAX * sizeof(Fact));
        (void) munmap(b->alerts, BOOK_ALERTS_MAX * sizeof(AlertRow));
        *b = (Book){ 0 };
}
