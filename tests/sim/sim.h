/* The real gateway in virtual time: a world is what happens (readings, what people do, when the clock is set), a run lives
 * through it in one or more lives of the gateway, a book is what the ledger says afterwards.
 *
 * Time is the world's: clock_now() of the gateway is replaced at link time, there is no event loop, no socket and no
 * worker process. The ledger is real, in a temporary folder. Each life is a process of its own, so that its end can be
 * SIGKILL; what it did not acknowledge is delivered again to the next one, as a broker would. */
#pragma once

#include <stdio.h>

#include "model/alert.h"

#define SECOND   USEC_PER_SEC
#define MINUTE   (60 * SECOND)
#define HOUR     (60 * MINUTE)

#define SIM_WALL INT64_C(1795176000000000) /* the true wall clock where the monotonic one is 0 */

enum {
        SIM_VALUES_MAX = 2,  /* of a frame */
        SIM_STEPS_MAX = 8,   /* of the wall clock */
        SIM_KILLS_MAX = 256, /* ends of lives in a run */
        SIM_NOTICES_MAX = 65536,
        SIM_TEXT_MAX = 40,
};

typedef struct SimValue {
        const char *vital, *unit;
        double value;
} SimValue;

/* One message of a device. */
typedef struct SimFrame {
        int64_t at_us;     /* monotonic: when it comes */
        int64_t device_us; /* wall time as the device says; TIME_NONE: it says none */
        uint32_t device;
        uint32_t count;
        SimValue values[SIM_VALUES_MAX];
} SimFrame;

typedef enum SimOpType {
        SIM_ASSIGN,  /* a: device, b: subject */
        SIM_SET,     /* a: subject, b: attribute, c: value */
        SIM_NURSE,   /* acknowledges the oldest active alert of those that nurses take care of */
        SIM_SILENCE, /* a: rule, b: subject, for ten minutes */
} SimOpType;

typedef struct SimOp {
        int64_t at_us;
        SimOpType type;
        char a[SIM_TEXT_MAX], b[SIM_TEXT_MAX], c[SIM_TEXT_MAX];
} SimOp;

/* The wall clock is set. */
typedef struct SimStep {
        int64_t at_us, by_us;
} SimStep;

typedef struct World {
        uint64_t seed;
        const char *config; /* what of wardstone.yaml is the world's own */
        const char *rules;
        char (*devices)[SIM_TEXT_MAX];
        size_t device_count;
        SimFrame *frames; /* by at_us */
        size_t frame_count, frame_room;
        SimOp *ops; /* by at_us */
        size_t op_count, op_room;
        SimStep steps[SIM_STEPS_MAX];
        size_t step_count;
        int64_t begin_us, end_us;
} World;

void world_done(World *w);
/* The wall clock of the gateway at a monotonic time. */
int64_t world_wall(const World *w, int64_t mono_us);
SimFrame *world_add_frame(World *w);
SimOp *world_add_op(World *w, int64_t at_us, SimOpType type);
/* By time, what came first first. */
void world_sort(World *w);

/* The same numbers everywhere, from a seed. */
uint64_t sim_random(uint64_t *state, uint64_t below);
double sim_uniform(uint64_t *state, double from, double to);

/* Where a life may end, once its time has come. */
typedef enum KillPoint {
        KILL_HANDED,  /* a frame was handed over, its batch is open */
        KILL_WRITING, /* a batch is with the commit thread */
        KILL_DURABLE, /* it is durable, nobody knows */
        KILL_TICK,    /* a timer has run */
        KILL_OP,      /* a command was carried out, nobody was answered */
        KILL_STOP,    /* an orderly end, wherever it is */
        KILL_POINTS,
} KillPoint;

typedef struct Kill {
        int64_t at_us;
        KillPoint point;
} Kill;

/* What a receiver was told. */
typedef struct SimNotice {
        int64_t at_us;
        unsigned receiver;
        Priority priority;
        uint32_t count, more;
        char kind[8];
        char transition[16]; /* of its first alert */
} SimNotice;

/* What lives leave to each other; memory that they share. */
typedef struct Shared {
        int64_t now_us;       /* monotonic */
        size_t acked, handed; /* frames: all before acked are durable; all before handed were delivered once */
        size_t ops;           /* carried out and answered */
        size_t kills, lives;
        size_t ends[KILL_POINTS];
        bool over, failed;
        size_t notice_count;
        size_t held_max, memory_max; /* of any look, once a second */
        SimNotice notices[SIM_NOTICES_MAX];
} Shared;

typedef struct Run {
        const World *world;
        char dir[64];
        int64_t downtime_us; /* between lives; 0: the clock stands still */
        Kill kills[SIM_KILLS_MAX];
        size_t kill_count;
        Shared *shared;
} Run;

/* Makes the folder and what the gateway reads at start. */
void run_begin(Run *r, const World *w);
/* Ends of lives at random moments and points, from the seed. */
void run_plan(Run *r, uint64_t seed, size_t count);
/* All lives to the end of the world. */
void run_live(Run *r);
void run_done(Run *r);
/* One life, in this process; returns where the gateway came to an orderly end. */
void life_live(Run *r);

/* --- what the ledger says --- */

typedef enum FactType { FACT_READING, FACT_ASSIGN, FACT_ATTRIBUTE } FactType;

typedef struct Fact {
        FactType type;
        int64_t mono_us, wall_us;
        int64_t device_us; /* as the device says, or TIME_NONE */
        double value;
        uint16_t flags;
        char vital[12];
        char device[16];
        char subject[32];        /* empty: released */
        char name[16], text[16]; /* of an attribute */
        int was;                 /* of an assignment, for the oracle: whose the device was, -1 nobody's */
} Fact;

typedef struct AlertRow {
        AlertTransition transition;
        uint32_t step;
        int64_t mono_us; /* when it was recorded */
        int64_t since_us, time_us, ended_us;
        char id[ALERT_ID_MAX], rule[32], subject[32], receiver[16];
        char key[80]; /* of a delivery */
} AlertRow;

typedef struct Book {
        Fact *facts;
        AlertRow *alerts;
        size_t fact_count, alert_count;
        size_t bad; /* what a verification of the whole ledger found */
        char failure[256];
} Book;

enum { BOOK_FACTS_MAX = 1 << 20, BOOK_ALERTS_MAX = 1 << 19 };

/* Reads it in a process of its own: LevelDB starts a thread, without which no further life could be forked. */
void book_read(const Run *r, Book *ret);
void book_write(const Run *r, Book *b); /* what that process does */
void book_done(Book *b);

/* Whether it changes the life of the alert; the others are what was done about it. */
static inline bool alert_is_life(const AlertRow *a) {
        return a->transition <= TRANSITION_RERAISED;
}

/* --- the ward --- */

enum { WARD_PATIENTS = 30 };

void ward_make(World *w, uint64_t seed, int64_t hours, bool steps, bool untimed);

/* What the ward's rules have to bring of what was recorded, by other means than the engine's: rows with rule, subject,
 * transition, since, time and ended, by rule and subject. The caller frees. */
AlertRow *oracle_expect(const World *w, Book *b, size_t *ret_count);
