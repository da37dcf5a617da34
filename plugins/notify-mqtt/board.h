/* What PREFIX/state/+ shows on the broker, as far as it told us. From any thread. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/macro.h"

/* What is beyond them is not looked at before the next connection. */
enum { BOARD_MAX = 20000, BOARD_ID_MAX = 128 };

typedef struct Board Board;

Board *board_new(void);
Board *board_free(Board *b);
DEFINE_CLEANUP(Board *, board_free);

/* A new connection: the broker will tell everything anew. */
void board_forget(Board *b);
/* An empty payload: it shows nothing any more. */
void board_set(Board *b, const char *id, Bytes payload);
bool board_shows(Board *b, const char *id, const char *payload);
/* New reference to an array of at most max ids that are shown and not in kept (an object). */
json_t *board_beyond(Board *b, const json_t *kept, size_t max);
