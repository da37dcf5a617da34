/* Whose turn it is to be connected where there are more sensors than connections. Pure. */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

/* One device, as the rotation sees it. Times are monotonic microseconds. */
typedef struct BleTurn {
        bool waits;        /* for a connection */
        bool holds;        /* a connection that it could give up: a spot-check device that is being served */
        bool monitor;      /* its connection is for long */
        bool heard;        /* it advertised since it was tried last */
        int64_t served_us; /* when its last connection ended, or was tried; INT64_MIN: never */
        int64_t ready_us;  /* when it may be tried at the earliest */
        int64_t since_us;  /* holds: since when it is being served */
} BleTurn;

/* The one to be connected next: those heard before those that may be away, monitors before spot-check devices, then whoever
 * was served least recently. n: nobody. */
size_t ble_rotation_next(const BleTurn *t, size_t n, int64_t now_us);

/* All connections are used: the one that has to give its own up because others wait, having held it for hold_us. n: nobody
 * has to. */
size_t ble_rotation_yield(const BleTurn *t, size_t n, int64_t now_us, int64_t hold_us);
