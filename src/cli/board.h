/* The ward on a terminal: a line a subject, worst first, vitals in columns with their ages, alerts below. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/macro.h"

typedef struct BoardView {
        unsigned width, height; /* height 0: as many lines as it takes */
        bool colour;            /* ANSI colours, and each line clears its rest: for a live screen */
        double elapsed_s;       /* since the rows came: added to every age */
        const char *trouble;    /* why the rows may be old, or NULL */
} BoardView;

/* rows: array of what the board operation gives; status: the status operation's row, or NULL. */
int board_print(FILE *out, const json_t *rows, const json_t *status, const BoardView *view) _must_check_;
