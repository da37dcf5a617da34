/* Two stacks of panes in one ring: the older `front` panes each hold the aggregate of themselves and all younger front
 * panes, the others hold their own, and `back` is the aggregate of those. Both stacks change over at multiples of the
 * length: the front is of one such block of time, the back of the next, and the front has left when the next block
 * begins. So how values are added up depends on the clock, and an answer on nothing but the values in the window. The
 * newest value is kept apart until the next comes, so that zscore() has the others without subtracting it. */
#include "rules/window.h"

#include <errno.h>
#include <math.h>

enum {
        ROOM_MIN = 8, /* a power of two, as WINDOW_PANES_MAX */
        STUCK_MIN = 5,
};

#define SPREAD_MIN    1e-9   /* relative; less is rounding */
#define MAD_TO_STDDEV 1.4826 /* of a normal distribution */

/* count 0: of nothing, and the rest is 0, too */
typedef struct Aggregate {
        double count, mean, squares; /* squares: of the differences from the mean */
        double min, max;
        double first, last, travel; /* travel: the absolute differences of successive values */
} Aggregate;

typedef struct Pane {
        Aggregate sum; /* without the newest value */
        int64_t first_us, last_us;
        double level; /* mean of its values, the newest too */
} Pane;

struct Window {
        int64_t length_us;
        Pane *panes;    /* a ring; its room is a power of two */
        double *levels; /* the panes', ascending, where is_sorted; the same room */
        size_t room, head, count, front;
        bool is_sorted;
        Aggregate back;
        int64_t pane;       /* number of the newest */
        double pane_values; /* how many values it has */
        double newest;      /* is in where there are panes */
        int64_t newest_us;
        double ewma, weight;
};

int window_new(int64_t length_us, bool sorted, Window **ret) {
        Window *w = calloc(1, sizeof *w);

        if (!w)
                return -ENOMEM;
        w->length_us = length_us;
        w->is_sorted = sorted;
        *ret = w;
        return 0;
}

Window *window_free(Window *w) {
        if (w) {
                free(w->panes);
                free(w->levels);
        }
        free(w);
        return NULL;
}

static Aggregate single(double v) {
        return (Aggregate){ .count = 1, .mean = v, .min = v, .max = v, .first = v, .last = v };
}

/* b is the younger. Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample variances. */
static Aggregate join(const Aggregate *a, const Aggregate *b) {
        if (a->count == 0)
                return *b;
        if (b->count == 0)
                return *a;
        double count = a->count + b->count, apart = b->mean - a->mean, share = b->count / count;
        return (Aggregate){
                .count = count,
                .mean = a->mean + apart * share,
                .squares = a->squares + b->squares + apart * apart * a->count * share,
                .min = a->min < b->min ? a->min : b->min,
                .max = a->max > b->max ? a->max : b->max,
                .first = a->first,
                .last = b->last,
                .travel = a->travel + fabs(b->first - a->last) + b->travel,
        };
}

static Pane *pane(const Window *w, size_t i) {
        return &w->panes[(w->head + i) & (w->room - 1)];
}

/* Multiplied before it is divided, so that WINDOW_PANES_MAX of them are the length to the microsecond. */
static int64_t number_at(const Window *w, int64_t now_us) {
        int64_t scaled = now_us * WINDOW_PANES_MAX;

        return scaled / w->length_us - (scaled % w->length_us < 0);
}

static int64_t block_of(int64_t number) {
        return number / WINDOW_PANES_MAX - (number % WINDOW_PANES_MAX < 0);
}

/* The first level that is not below v. */
static size_t find_level(const Window *w, size_t count, double v) {
        size_t low = 0, high = count;

        while (low < high) {
                size_t middle = (low + high) / 2;
                if (w->levels[middle] < v)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* count: how many levels there are without it */
static void insert_level(Window *w, size_t count, double v) {
        size_t i = find_level(w, count, v);

        memmove(w->levels + i + 1, w->levels + i, (count - i) * sizeof *w->levels);
        w->levels[i] = v;
}

static void remove_level(Window *w, size_t count, double v) {
        size_t i = find_level(w, count + 1, v);

        memmove(w->levels + i, w->levels + i + 1, (count - i) * sizeof *w->levels);
}

/* It is of the front. */
static void drop_oldest(Window *w) {
        double level = pane(w, 0)->level;

        w->head = (w->head + 1) & (w->room - 1);
        w->count--;
        w->front--;
        if (w->is_sorted)
                remove_level(w, w->count, level);
}

static void drop_what_left(Window *w, int64_t now_us) {
        while (w->front > 0 && now_us - pane(w, 0)->last_us >= w->length_us)
                drop_oldest(w);
}

/* The back becomes the front. */
static void change_over(Window *w) {
        Aggregate sum = { 0 };

        for (size_t i = w->count; i > 0; i--) {
                Pane *p = pane(w, i - 1);
                sum = join(&p->sum, &sum);
                p->sum = sum;
        }
        w->front = w->count;
        w->back = (Aggregate){ 0 };
}

void window_advance(Window *w, int64_t now_us) {
        drop_what_left(w, now_us);
        if (w->front == 0 && w->count > 0 && block_of(number_at(w, now_us)) > block_of(w->pane)) {
                change_over(w);
                drop_what_left(w, now_us);
        }
}

/* What was the newest value joins the others. Where its pane is of the front already (time has passed since), it joins
 * each: that is once a block. */
static void settle(Window *w) {
        Aggregate newest = single(w->newest);
        Pane *last = pane(w, w->count - 1);

        if (w->front < w->count) {
                last->sum = join(&last->sum, &newest);
                w->back = join(&w->back, &newest);
                return;
        }
        for (size_t i = 0; i < w->count; i++)
                pane(w, i)->sum = join(&pane(w, i)->sum, &newest);
}

static int grow(Window *w) {
        size_t room = w->room > 0 ? w->room * 2 : ROOM_MIN;

        if (w->is_sorted) {
                double *levels = reallocarray(w->levels, room, sizeof *levels);
                if (!levels)
                        return -ENOMEM;
                w->levels = levels;
        }
        Pane *panes = calloc(room, sizeof *panes);
        if (!panes)
                return -ENOMEM;
        for (size_t i = 0; i < w->count; i++)
                panes[i] = *pane(w, i);
        free(w->panes);
        w->panes = panes;
        w->room = room;
        w->head = 0;
        return 0;
}

/* Where there is a pane too many, the oldest makes room. */
static void begin_pane(Window *w, int64_t number, int64_t now_us) {
        if (w->count == WINDOW_PANES_MAX)
                drop_oldest(w);
        *pane(w, w->count++) = (Pane){ .first_us = now_us };
        w->pane = number;
        w->pane_values = 0;
}

static void put_newest(Window *w, double value, int64_t now_us) {
        Pane *last = pane(w, w->count - 1);

        if (w->is_sorted && w->pane_values > 0)
                remove_level(w, w->count - 1, last->level);
        last->last_us = now_us;
        last->level += (value - last->level) / ++w->pane_values;
        if (w->is_sorted)
                insert_level(w, w->count - 1, last->level);
        if (w->weight > 0)
                w->weight *= exp((double) (w->newest_us - now_us) / (double) w->length_us);
        w->weight++;
        w->ewma += (value - w->ewma) / w->weight;
        w->newest = value;
        w->newest_us = now_us;
}

int window_add(Window *w, double value, int64_t now_us) {
        int64_t number = number_at(w, now_us);

        window_advance(w, now_us);
        bool begins = w->count == 0 || number != w->pane;
        if (begins && w->count == w->room && w->room < WINDOW_PANES_MAX) {
                int r = grow(w);
                if (r < 0)
                        return r;
        }
        if (w->count > 0)
                settle(w);
        if (begins)
                begin_pane(w, number, now_us);
        put_newest(w, value, now_us);
        return 0;
}

void window_clear(Window *w) {
        w->head = w->count = w->front = 0;
        w->back = (Aggregate){ 0 };
        w->ewma = w->weight = 0;
}

int64_t window_leaves(const Window *w) {
        return w->count > 0 ? pane(w, 0)->last_us + w->length_us : INT64_MAX;
}

size_t window_memory(const Window *w) {
        return sizeof *w + w->room * (sizeof *w->panes + (w->is_sorted ? sizeof *w->levels : 0));
}

/* All but the newest. */
static Aggregate earlier(const Window *w) {
        return w->front > 0 ? join(&pane(w, 0)->sum, &w->back) : w->back;
}

static Aggregate all(const Window *w) {
        if (w->count == 0)
                return (Aggregate){ 0 };
        Aggregate a = earlier(w), newest = single(w->newest);
        return join(&a, &newest);
}

/* The number, where the aggregate has at least that many values and it is one. */
static double answer(const Aggregate *a, double least, double v) {
        return a->count >= least && isfinite(v) ? v : (double) NAN;
}

static double deviation(const Aggregate *a) {
        return sqrt(a->squares / a->count);
}

/* How many spreads v is from the middle. */
static double score(double v, double middle, double spread) {
        return spread > SPREAD_MIN * fabs(middle) ? (v - middle) / spread : (double) NAN;
}

double window_count(const Window *w) {
        return all(w).count;
}

double window_mean(const Window *w) {
        Aggregate a = all(w);
        return answer(&a, 1, a.mean);
}

double window_min(const Window *w) {
        Aggregate a = all(w);
        return answer(&a, 1, a.min);
}

double window_max(const Window *w) {
        Aggregate a = all(w);
        return answer(&a, 1, a.max);
}

double window_stddev(const Window *w) {
        Aggregate a = all(w);
        return answer(&a, 2, deviation(&a));
}

double window_delta(const Window *w) {
        Aggregate a = all(w);
        return answer(&a, 2, a.last - a.first);
}

double window_rate(const Window *w) {
        Aggregate a = all(w);

        if (a.count < 2)
                return (double) NAN;
        double seconds = (double) (w->newest_us - pane(w, 0)->first_us) / (double) USEC_PER_SEC;
        return answer(&a, 2, (a.last - a.first) / seconds);
}

double window_zscore(const Window *w) {
        Aggregate a = w->count > 0 ? earlier(w) : (Aggregate){ 0 };
        return answer(&a, 2, score(w->newest, a.mean, deviation(&a)));
}

double window_ewma(const Window *w) {
        Aggregate a = all(w);
        return answer(&a, 1, w->ewma);
}

double window_noise(const Window *w) {
        Aggregate a = all(w);
        return answer(&a, 2, a.travel / (a.count - 1));
}

double window_median(const Window *w) {
        const double *x = w->levels;
        size_t n = w->count;

        if (n == 0)
                return (double) NAN;
        return n % 2 > 0 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

/* The distances from the median to the levels below it, and to those from it on, are two ascending series: what is
 * asked for is the k-th (from 0) of both together, where k is at most half of them. Found by halving how many of those
 * before it are from below. */
static double distance_at(const Window *w, double median, size_t k) {
        const double *x = w->levels;
        size_t below = w->count / 2, above = w->count - below;
        size_t low = 0, high = k;

        while (low < high) {
                size_t i = (low + high) / 2;
                if (median - x[below - 1 - i] < x[below + k - i - 1] - median)
                        low = i + 1;
                else
                        high = i;
        }
        double from_below = low < below ? median - x[below - 1 - low] : INFINITY;
        double from_above = k - low < above ? x[below + k - low] - median : INFINITY;
        return MIN(from_below, from_above);
}

double window_mad(const Window *w) {
        double median = window_median(w);
        size_t n = w->count;

        if (n == 0)
                return (double) NAN;
        double upper = distance_at(w, median, n / 2);
        return n % 2 > 0 ? upper : (distance_at(w, median, n / 2 - 1) + upper) / 2;
}

double window_robust_zscore(const Window *w) {
        Aggregate a = all(w);
        return answer(&a, 3, score(w->newest, window_median(w), MAD_TO_STDDEV * window_mad(w)));
}

double window_stuck(const Window *w) {
        Aggregate a = all(w);

        if (a.count > 0 && a.min != a.max)
                return 0;
        if (a.count < STUCK_MIN)
                return (double) NAN;
        /* each value stands for the time to the next: n of them cover n such times, with n - 1 between them */
        double covered = (double) (w->newest_us - pane(w, 0)->first_us) * a.count / (a.count - 1);
        return covered >= 0.9 * (double) w->length_us ? 1 : (double) NAN;
}
