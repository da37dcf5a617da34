/* What the ward board shows: each subject's newest value of each vital, and the last readings for those who follow. */
#pragma once

#include "model/registry.h"

enum {
        BOARD_RECENT = 512 /* readings kept for followers; who is slower misses some and is told how many */
};

typedef struct Board Board;

int board_new(Board **ret) _must_check_;
Board *board_free(Board *b);
DEFINE_CLEANUP(Board *, board_free);

void board_note(Board *b, const Reading *r);
/* The subject's devices changed: what it showed is another's. */
void board_forget(Board *b, SubjectId subject);

typedef void (*BoardFn)(void *userdata, const Reading *r);
/* The newest readings of one subject, by vital. */
void board_visit(const Board *b, SubjectId subject, BoardFn fn, void *userdata);
/* Readings noted since *cursor (a count since the start), oldest first; moves *cursor; returns how many were missed. */
uint64_t board_since(const Board *b, uint64_t *cursor, BoardFn fn, void *userdata);
