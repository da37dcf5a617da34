/* A ward of simulated patients. Each vital returns to the patient's own level with noise on top
 * (Ornstein-Uhlenbeck), which is how a resting patient's monitor looks; a deteriorating patient's levels drift to those
 * of respiratory failure. */
#include <errno.h>
#include <math.h>

#include "cli/feed.h"

typedef enum WardVital { WARD_HR, WARD_SPO2, WARD_RR, WARD_TEMP, WARD_SBP, WARD_DBP, WARD_VITALS } WardVital;

static const struct {
        const char *vital, *unit;
        int decimals;
        double every_s; /* seconds between two measurements; 0: each time */
        double level;   /* of a healthy adult at rest */
        double between; /* standard deviation between patients */
        double within;  /* standard deviation within one patient */
        double min, max;
        double failing; /* where the deteriorating patient goes */
} vitals[WARD_VITALS] = {
        [WARD_HR] = { "hr", "beat/min", 0, 0, 78, 9, 2.5, 45, 150, 124 },
        [WARD_SPO2] = { "spo2", "%", 0, 0, 97, 0.7, 0.5, 70, 100, 83 },
        [WARD_RR] = { "rr", "1/min", 0, 0, 15.5, 1.5, 0.9, 6, 40, 31 },
        [WARD_TEMP] = { "temp", "Cel", 1, 10, 36.9, 0.25, 0.05, 35, 41, 38.6 },
        [WARD_SBP] = { "sbp", "mm[Hg]", 0, 60, 124, 10, 4, 70, 200, 102 },
        [WARD_DBP] = { "dbp", "mm[Hg]", 0, 60, 76, 6, 3, 40, 120, 60 },
};

enum {
        SETTLING_S = 8,           /* how fast a value returns to its level */
        DETERIORATION_STARTS = 5, /* seconds from the start */
        DETERIORATION_LASTS = 20, /* until it has arrived */
};

typedef struct Patient {
        double level[WARD_VITALS], value[WARD_VITALS], due_s[WARD_VITALS];
} Patient;

typedef struct Ward {
        Feed feed;
        WardOptions options;
        uint64_t random; /* state of SplitMix64 */
        uint64_t step;   /* measurements made: device step % patients */
        Patient patients[];
} Ward;

/* SplitMix64: good enough for noise, and the same on every machine. */
static uint64_t random_next(Ward *w) {
        uint64_t z = w->random += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

/* Standard normal (Box-Muller). */
static double random_normal(Ward *w) {
        double u = ((double) (random_next(w) >> 11) + 1) / 9007199254740993.0; /* in (0, 1) */
        double v = (double) (random_next(w) >> 11) / 9007199254740992.0;

        return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

static double deterioration(const Ward *w, unsigned device, double at_s) {
        if (device + 1 != w->options.deteriorate)
                return 0;
        return fmin(1, fmax(0, (at_s - DETERIORATION_STARTS) / DETERIORATION_LASTS));
}

static void patient_step(Ward *w, unsigned device, double at_s, FeedItem *ret) {
        Patient *p = &w->patients[device];
        const double keep =
                        exp(-1 / (w->options.rate * SETTLING_S)); /* of the distance to the level, a step */

        for (WardVital i = 0; i < WARD_VITALS; i++) {
                const double ill = deterioration(w, device, at_s);
                const double level = p->level[i] * (1 - ill) + vitals[i].failing * ill;
                p->value[i] = level + (p->value[i] - level) * keep +
                              vitals[i].within * sqrt(1 - keep * keep) * random_normal(w);
                p->value[i] = fmin(vitals[i].max, fmax(vitals[i].min, p->value[i]));
                if (at_s + 1e-9 < p->due_s[i])
                        continue;
                p->due_s[i] = at_s + vitals[i].every_s;
                ret->values[ret->count++] = (FeedValue){ vitals[i].vital, vitals[i].unit, p->value[i],
                        vitals[i].decimals };
        }
}

static int ward_next(Feed *f, FeedItem *ret) {
        Ward *w = container_of(f, Ward, feed);
        const unsigned n = w->options.patients;

        /* patients take turns, so that the broker sees a stream and no volleys */
        *ret = (FeedItem){ .device = (unsigned) (w->step % n),
                .at_s = (double) w->step / (w->options.rate * n) };
        w->step++;
        patient_step(w, ret->device, ret->at_s, ret);
        return 0;
}

static Feed *ward_free(Feed *f) {
        free(container_of(f, Ward, feed));
        return NULL;
}

int ward_new(const WardOptions *o, Feed **ret) {
        static const FeedOps ops = { .next = ward_next, .free = ward_free };
        Ward *w = calloc(1, sizeof *w + o->patients * sizeof w->patients[0]);

        if (!w)
                return -ENOMEM;
        w->feed.ops = &ops;
        w->options = *o;
        w->random = o->seed;
        for (unsigned i = 0; i < o->patients; i++)
                for (WardVital j = 0; j < WARD_VITALS; j++) {
                        Patient *p = &w->patients[i];
                        p->level[j] = vitals[j].level +
                                      vitals[j].between * fmax(-2, fmin(2, random_normal(w)));
                        p->level[j] = fmin(p->level[j], vitals[j].max);
                        p->value[j] = p->level[j];
                }
        *ret = &w->feed;
        return 0;
}
