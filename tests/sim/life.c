/* One life of the gateway: what happens until it ends, in order of the world's time. */
#include "life.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/operations.h"

enum { COMMIT_PATIENCE_MS = 30000, IDLE_MAX = 10000 };

#define SET_QUIET (2 * MINUTE)

_Noreturn void life_fail(const Life *l, const char *what) {
        (void) fprintf(stderr, "the simulation failed at %lld us: %s\n", (long long) l->shared->now_us,
                        what);
        l->shared->failed = true;
        _exit(EXIT_FAILURE);
}

/* --- ends --- */

/* A restart soon after somebody said something of a subject is known to make a difference: what its rules were waiting for
 * begins anew (see on_attribute() in gateway/replay.c). */
static bool is_soon_after_set(const Life *l) {
        const World *w = l->run->world;
        size_t i = MIN(l->shared->ops + 1, w->op_count);

        for (; i-- > 0 && w->ops[i].at_us > l->shared->now_us - SET_QUIET;)
                if (w->ops[i].type == SIM_SET && w->ops[i].at_us <= l->shared->now_us)
                        return true;
        return false;
}

/* Where no time passes between lives, what is delivered again must come at the very time at which it came first. */
static bool may_end(const Life *l) {
        const Shared *s = l->shared;

        if (is_soon_after_set(l))
                return false;
        if (l->run->downtime_us > 0)
                return true;
        return (s->acked == l->handed || l->handed_us == s->now_us) &&
               (l->op_us == TIME_NONE || l->op_us == s->now_us);
}

void life_may_end(Life *l, KillPoint point) {
        Shared *s = l->shared;
        const Kill *k = &l->run->kills[s->kills];

        if (s->kills == l->run->kill_count || s->now_us < k->at_us || !may_end(l) ||
                        (k->point == KILL_STOP ? l->in_operation : k->point != point))
                return;
        s->kills++;
        s->ends[k->point]++;
        if (k->point != KILL_STOP)
                (void) kill(getpid(), SIGKILL);
        l->stopping = true;
}

/* --- the source --- */

static void source_pause(Source *s) {
        container_of(s, Life, source)->paused = true;
}

static void source_acknowledge(Source *s) {
        Life *l = container_of(s, Life, source);

        l->paused = false;
        l->shared->acked = l->handed;
}

static void source_suspend(Source *s) {
        life_fail(container_of(s, Life, source), "the gateway took its store for broken");
}

static void source_resume(Source *s) {
        (void) s;
}

static bool source_backlogged(const Source *s) {
        return ((const Life *) ((const char *) s - offsetof(Life, source)))->backlogged;
}

static Source *source_free(Source *s) {
        (void) s;
        return NULL;
}

static const SourceOps source_ops = {
        .kind = "simulated",
        .batch_closed = source_pause,
        .pause = source_pause,
        .acknowledge = source_acknowledge,
        .suspend = source_suspend,
        .resume = source_resume,
        .backlogged = source_backlogged,
        .free = source_free,
};

/* --- commits --- */

/* Where time passes between lives, it does while a batch is written. */
static int64_t commit_time(const Life *l) {
        uint64_t state = l->run->world->seed + (uint64_t) l->shared->now_us;

        if (l->run->downtime_us == 0)
                return 0;
        return (int64_t) sim_random(&state, 5) * (int64_t) sim_random(&state, 100 * USEC_PER_MSEC);
}

static void commit(Life *l) {
        Gateway *g = l->gateway;

        while (ledger_is_writing(g->ledger)) {
                struct pollfd p = { .fd = ledger_fd(g->ledger), .events = POLLIN };

                if (l->commit_us == INT64_MAX) {
                        l->commit_us = l->shared->now_us + commit_time(l);
                        life_may_end(l, KILL_WRITING);
                }
                if (l->commit_us > l->shared->now_us)
                        return;
                l->commit_us = INT64_MAX;
                if (poll(&p, 1, COMMIT_PATIENCE_MS) <= 0)
                        life_fail(l, "the commit thread does not answer");
                life_may_end(l, KILL_DURABLE);
                pipeline_committed(g);
        }
}

/* --- what comes --- */

static int format_payload(const SimFrame *f, char *ret, size_t size) {
        int n = 0;

        for (uint32_t i = 0; i < f->count; i++) {
                const SimValue *v = &f->values[i];
                n += snprintf(ret + n, size - (size_t) n, "%s{", i ? "," : "[");
                if (i == 0 && f->device_us != TIME_NONE)
                        n += snprintf(ret + n, size - (size_t) n, "\"bt\":%lld.%06lld,",
                                        (long long) (f->device_us / SECOND),
                                        (long long) (f->device_us % SECOND));
                n += snprintf(ret + n, size - (size_t) n, "\"n\":\"%s\",\"u\":\"%s\",\"v\":%.9f}", v->vital,
                                v->unit, v->value);
        }
        return n + snprintf(ret + n, size - (size_t) n, "]");
}

static void hand_over(Life *l) {
        const SimFrame *f = &l->run->world->frames[l->handed];
        const SourceSink sink = pipeline_sink(l->gateway);
        char payload[256];
        int n = format_payload(f, payload, sizeof payload);
        const Frame frame = {
                .device = l->run->world->devices[f->device],
                .origin = "simulated",
                .payload = BYTES(payload, (size_t) n),
                .decoding = { .format = DECODE_SENML_JSON },
                .redelivered = l->handed < l->shared->handed,
                .durable = true,
        };

        if (l->shared->acked == l->handed)
                l->handed_us = l->shared->now_us;
        l->handed++;
        l->shared->handed = MAX(l->shared->handed, l->handed);
        sink.frame(sink.userdata, &l->source, &frame, NULL);
        life_may_end(l, KILL_HANDED);
        commit(l);
}

/* All that has come by now; with some a backlog makes the batch close at once. */
static void hand_over_all(Life *l) {
        const World *w = l->run->world;
        const SourceSink sink = pipeline_sink(l->gateway);
        size_t first = l->handed;

        while (!l->stopping && !l->paused && l->handed < w->frame_count &&
                        w->frames[l->handed].at_us <= l->shared->now_us)
                hand_over(l);
        if (l->handed == first)
                return;
        l->backlogged = sim_random(&(uint64_t){ w->seed + l->handed }, 4) == 0;
        sink.drained(sink.userdata, &l->source);
        commit(l);
}

static int64_t next_frame(const Life *l) {
        const World *w = l->run->world;
        return !l->paused && l->handed < w->frame_count ? w->frames[l->handed].at_us : INT64_MAX;
}

/* --- time --- */

static void look(Life *l) {
        Gateway *g = l->gateway;
        Shared *s = l->shared;
        uint64_t held, total;

        s->memory_max = MAX(s->memory_max, rule_engine_memory(g->engine));
        for (unsigned i = 0; i < g->config->receiver_count; i++) {
                dispatch_held(g->dispatch, i, &held, &total);
                s->held_max = MAX(s->held_max, (size_t) held);
        }
        l->look_us = s->now_us + SECOND;
}

/* Everything but commands, until the moment. */
void life_run(Life *l, int64_t until_us) {
        Gateway *g = l->gateway;
        Shared *s = l->shared;
        unsigned idle = 0;

        while (!l->stopping) {
                int64_t timer = gateway_deadline(g), worker = workers_deadline(l);
                int64_t next = MIN(timer, worker);

                next = MIN(next, l->commit_us);
                next = MIN(next, next_frame(l));
                if (next > until_us)
                        break;
                idle = next > s->now_us ? 0 : idle + 1;
                if (idle > IDLE_MAX)
                        life_fail(l, "a timer is due again and again");
                s->now_us = MAX(s->now_us, next);
                if (worker <= s->now_us)
                        workers_answer(l);
                if (timer <= s->now_us) {
                        gateway_tick(g);
                        life_may_end(l, KILL_TICK);
                }
                commit(l);
                hand_over_all(l);
                if (s->now_us >= l->look_us)
                        look(l);
        }
        if (!l->stopping)
                s->now_us = MAX(s->now_us, until_us);
}

/* --- a life --- */

static void start(Life *l) {
        Config *config = NULL;
        char path[128];
        Error e = { "" };

        (void) snprintf(path, sizeof path, "%s/wardstone.yaml", l->run->dir);
        if (config_load(path, &config, &e) < 0 || gateway_new(&config, &l->gateway, &e) < 0)
                life_fail(l, e.message);
        Gateway *g = l->gateway;
        g->sources[0] = (SourceWatch){ .source = &l->source, .down_since_us = TIME_NONE };
        g->source_count = 1;
        l->handed = l->shared->acked;
        life_may_end(l, KILL_TICK);
        hand_over_all(l);
}

void life_live(Run *r) {
        Life l = {
                .run = r,
                .shared = r->shared,
                .source = { .ops = &source_ops, .name = "simulated", .up = true },
                .op_us = TIME_NONE,
                .commit_us = INT64_MAX,
        };
        Shared *s = r->shared;

        clock_is(&l);
        s->lives++;
        start(&l);
        while (!l.stopping) {
                int64_t at_us = s->ops < r->world->op_count ? r->world->ops[s->ops].at_us : INT64_MAX;

                life_run(&l, MIN(at_us, r->world->end_us));
                if (l.stopping)
                        break;
                if (at_us > r->world->end_us) {
                        s->over = true;
                        break;
                }
                people_do(&l, &r->world->ops[s->ops]);
        }
        l.gateway = gateway_free(l.gateway);
}
