/* What the files of one life share. */
#pragma once

#include "gateway/internal.h"
#include "sim.h"
#include "worker/worker.h"

enum { WORKERS_MAX = CONFIG_PLUGINS_MAX };

typedef struct Life {
        Run *run;
        Shared *shared;
        Gateway *gateway;
        Source source;
        bool paused, backlogged, stopping, in_operation;
        size_t handed;     /* frames, in this life */
        int64_t handed_us; /* when the first of those not yet acknowledged was */
        int64_t op_us;     /* when the command that is under way began, or TIME_NONE */
        int64_t commit_us; /* when the batch that is being written is done; INT64_MAX */
        int64_t look_us;
        Worker *workers[WORKERS_MAX];
        size_t worker_count;
} Life;

_Noreturn void life_fail(const Life *l, const char *what);
/* Does not return where the life ends here and now. */
void life_may_end(Life *l, KillPoint point);
void life_run(Life *l, int64_t until_us);

/* --- seams.c: what is replaced at link time --- */

/* From here on the gateway's clock is that life's. */
void clock_is(Life *l);
/* Workers answer after a moment. */
int64_t workers_deadline(const Life *l);
void workers_answer(Life *l);

/* One command, answered. */
void people_do(Life *l, const SimOp *op);
