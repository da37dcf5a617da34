/* What the clocks say, gathered in one place so that pure code takes time as an argument. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

#define USEC_PER_SEC  INT64_C(1000000)
#define USEC_PER_MSEC INT64_C(1000)
#define TIME_NONE     INT64_MIN

/* One look at the clocks.
 * wall_us: microseconds since 1970-01-01 UTC as the box believes it.
 * mono_us: CLOCK_BOOTTIME microseconds: never steps, counts through suspend, starts anew at each boot. */
typedef struct Stamp {
        int64_t wall_us;
        int64_t mono_us;
        bool synchronised; /* the kernel says the wall clock is disciplined (adjtimex) */
} Stamp;

enum { BOOT_ID_SIZE = 16 };

typedef struct BootId {
        uint8_t bytes[BOOT_ID_SIZE];
} BootId;

/* The two clocks, without asking for synchronisation (a cheap vDSO call): synchronised is left as it was. */
void clock_now(Stamp *s);
/* mono_us alone. */
int64_t clock_mono_us(void);
/* Also asks the kernel whether the clock is synchronised: a system call, for a timer, not for each reading. */
void clock_now_full(Stamp *s);
/* /proc/sys/kernel/random/boot_id; all zero where it can't be read. */
void clock_boot_id(BootId *ret);

/* "2026-11-20T08:15:30.123Z" (UTC, milliseconds); ret holds CLOCK_TEXT_SIZE bytes. */
enum { CLOCK_TEXT_SIZE = 32 };
void clock_format(int64_t wall_us, char ret[static CLOCK_TEXT_SIZE]);
/* ISO 8601 with date, time, optional fraction (. or ,), and Z, +hh:mm, +hhmm or +hh. -EINVAL otherwise: a time without
 * a zone is refused. */
int clock_parse(const char *text, int64_t *ret_wall_us) _must_check_;

/* "250ms", "10s", "5m", "2h", "1d", "1h30m": microseconds; -EINVAL on anything else, -ERANGE on overflow. */
int duration_parse(const char *text, int64_t *ret_us) _must_check_;
/* The largest exact unit: 90000000 -> "90s", 7200000000 -> "2h". ret holds 32 bytes. */
void duration_format(int64_t us, char ret[static CLOCK_TEXT_SIZE]);
