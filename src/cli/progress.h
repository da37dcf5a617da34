/* How far a long job is, on stderr: a bar where that is a terminal, else a line every five seconds. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct Progress {
        const char *unit; /* "entries" */
        bool terminal, drawn;
        int64_t start_us, next_us; /* monotonic */
} Progress;

void progress_start(Progress *p, const char *unit);
/* Draws at most ten times a second; total 0: unknown. */
void progress_update(Progress *p, uint64_t done, uint64_t total);
/* Clears the bar, so that what follows starts on an empty line. */
void progress_end(Progress *p);
