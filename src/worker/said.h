/* What a plugin says unasked. It comes from another process: nothing of it is believed before it was checked. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* {"op": "acknowledge", "alert", "who", "note"}, as WorkerCallbacks' said() is promised. */
bool said_is_valid(const json_t *said);
