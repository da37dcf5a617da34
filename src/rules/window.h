/* A sliding window over the values of one vital of one subject. Pure: time is an argument.
 *
 * A value is in while it is younger than the length. Values are kept in at most WINDOW_PANES_MAX panes. A pane covers a
 * 256th of the window's length, by the clock, so that it does not matter with which value a window began: as long as
 * values come no faster than one a pane everything is exact; faster ones share a pane, and leave the window together,
 * up to a pane too late or too early. What was in the window before has no part in an answer, not even in its rounding:
 * who replays a length and a 256th of it by the same clock gets the same answers again (but for the ewma).
 *
 * Each operation costs O(1) amortised, however many values there are: sums are kept by two stacks (nothing is ever
 * subtracted, so rounding does not build up). The values of a window that is asked for its median are kept sorted, at
 * most WINDOW_PANES_MAX of them: median and mad are O(log n), a value moves up to 2 KiB.
 *
 * Memory: see window_memory(); 96 bytes a pane, by powers of two, so never more than 25 KiB. */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

enum { WINDOW_PANES_MAX = 256 };
#define WINDOW_LENGTH_MIN USEC_PER_SEC
#define WINDOW_LENGTH_MAX (INT64_C(86400) * USEC_PER_SEC)

typedef struct Window Window;

/* sorted: median, mad and robust zscore will be asked for. */
int window_new(int64_t length_us, bool sorted, Window **ret) _must_check_;
Window *window_free(Window *w);
DEFINE_CLEANUP(Window *, window_free);

/* value is finite, now_us does not go back. -ENOMEM: the value is not in. */
int window_add(Window *w, double value, int64_t now_us) _must_check_;
/* Drops the panes that have left by now_us: call before asking. */
void window_advance(Window *w, int64_t now_us);
void window_clear(Window *w);
/* When the oldest pane leaves; INT64_MAX where the window is empty. */
int64_t window_leaves(const Window *w);
size_t window_memory(const Window *w); /* bytes */

/* Each is NaN (unknown) where the window holds too little for it: no value; for those marked 2 or 3 fewer than that many
 * values; where it says so, no spread. */
double window_count(const Window *w); /* 0 where it is empty */
double window_mean(const Window *w);
double window_min(const Window *w);
double window_max(const Window *w);
double window_stddev(const Window *w); /* 2; of the population */
double window_delta(const Window *w);  /* 2; newest less oldest value */
double window_rate(const Window *w);   /* 2; delta by the seconds between the two */
/* 3; how many standard deviations the newest value is from the mean of those before it; unknown without spread */
double window_zscore(const Window *w);
/* Exponentially weighted mean with the length as its time constant: what is n lengths older weighs e^-n as much, also
 * where it has left the window */
double window_ewma(const Window *w);
/* 2; mean absolute difference of successive values */
double window_noise(const Window *w);
/* Of the panes' means, as all that follow but stuck */
double window_median(const Window *w);
double window_mad(const Window *w); /* median absolute deviation from the median, not scaled */
/* 3; (newest - median) / (1.4826 * mad); unknown without spread */
double window_robust_zscore(const Window *w);
/* 1 where values cover nine tenths of the length, each as long as it is to the next on average, at least 5 of them, all
 * equal; 0 where two differ; else NaN */
double window_stuck(const Window *w);
