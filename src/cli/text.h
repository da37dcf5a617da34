/* Text for a person's terminal: nothing that came from outside may steer it. */
#pragma once

#include <jansson.h>

#include "base/clock.h"

enum { TEXT_MAX = 512 };

/* Copies at most size - 1 bytes, whole characters only; control characters (C0, DEL, C1) become '?'. */
void text_clean(const char *text, char *ret, size_t size);
/* Columns on the terminal, taking each character as one wide. */
size_t text_width(const char *text);
/* The first bytes of text that fill at most width columns. */
size_t text_fit(const char *text, size_t width);

/* How long: "0s", "59s", "12m", "3h", "2d": at most four columns up to 999 days. */
void text_age(double seconds, char ret[static CLOCK_TEXT_SIZE]);
/* How long since a start, to the microsecond, as duration_parse() reads it: "0s", "1m20s", "-2h500ms". */
void text_offset(int64_t us, char ret[static CLOCK_TEXT_SIZE]);
/* "512 B", "1.5 KiB", "12 MiB". */
void text_bytes(double bytes, char ret[static CLOCK_TEXT_SIZE]);

/* A JSON value as a cell: text cleaned, numbers short, arrays joined with ',', objects as "name=value,...", null and absent
 * empty. */
void text_json(const json_t *value, char *ret, size_t size);
/* As clock_format(), "" where value is no number. */
void text_time(const json_t *value, char *ret, size_t size);
