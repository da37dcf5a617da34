/* A small file that is replaced by a thread of its own, so that the loop never waits for a disk. Where
 * writes come faster than the disk takes them, only the newest is written. */
#pragma once

#include <systemd/sd-event.h>

#include "base/error.h"

typedef struct StateFile StateFile;

/* Called on the loop: everything up to that write is durable (r == 0) or was not written (negative errno,
 * error says why). */
typedef void (*StateFileDoneFn)(void *userdata, uint64_t number, int r, const char *error);

int state_file_new(sd_event *event, const char *path, StateFileDoneFn done, void *userdata, StateFile **ret,
                Error *e) _must_check_;
/* Waits for the write under way and the one behind it. */
StateFile *state_file_free(StateFile *f);
DEFINE_CLEANUP(StateFile *, state_file_free);

/* Takes text (free()). The number of this write, counting up from 1. */
uint64_t state_file_write(StateFile *f, char *text);
