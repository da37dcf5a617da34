#include "rules/news2.h"

#include <math.h>

#include "base/macro.h"

enum { BANDS_MAX = 7 };

/* The values that are at most `top`, and above the band before. */
typedef struct Band {
        double top; /* in charted steps */
        int score;
} Band;

typedef struct Row {
        double steps; /* of the chart a unit */
        Band bands[BANDS_MAX];
} Row;

static const Row chart[NEWS2_PARTS] = {
        [NEWS2_RR] = { 1, { { 8, 3 }, { 11, 1 }, { 20, 0 }, { 24, 2 }, { INFINITY, 3 } } },
        [NEWS2_SPO2] = { 1, { { 91, 3 }, { 93, 2 }, { 95, 1 }, { INFINITY, 0 } } },
        [NEWS2_O2] = { 1, { { 0, 0 }, { INFINITY, 2 } } },
        [NEWS2_SBP] = { 1, { { 90, 3 }, { 100, 2 }, { 110, 1 }, { 219, 0 }, { INFINITY, 3 } } },
        [NEWS2_PULSE] = { 1, { { 40, 3 }, { 50, 1 }, { 90, 0 }, { 110, 1 }, { 130, 2 }, { INFINITY, 3 } } },
        [NEWS2_ACVPU] = { 1, { { 0, 0 }, { INFINITY, 3 } } },
        [NEWS2_TEMP] = { 10, { { 350, 3 }, { 360, 1 }, { 380, 0 }, { 390, 1 }, { INFINITY, 2 } } },
};

/* SpO2 scale 2: on air nothing is too high. */
static const Row spo2_scale2_air = { 1, { { 83, 3 }, { 85, 2 }, { 87, 1 }, { INFINITY, 0 } } };
static const Row spo2_scale2_oxygen = { 1,
        { { 83, 3 }, { 85, 2 }, { 87, 1 }, { 92, 0 }, { 94, 1 }, { 96, 2 }, { INFINITY, 3 } } };
static const double spo2_scale2_target = 92; /* up to it oxygen makes no difference */

/* 36.05 Cel is a little less in binary, and is a half of the chart's step all the same. */
static const double half_step = 0.5 + 1e-6;

static double charted(double value, const Row *row) {
        return floor(value * row->steps + half_step);
}

static double look_up(double value, const Row *row) {
        double v = charted(value, row);
        size_t i = 0;

        if (isnan(v))
                return v;
        while (v > row->bands[i].top)
                i++;
        return row->bands[i].score;
}

static double spo2_scale2(const News2 *n) {
        double v = n->value[NEWS2_SPO2], o2 = n->value[NEWS2_O2];

        if (charted(v, &spo2_scale2_air) <= spo2_scale2_target)
                return look_up(v, &spo2_scale2_air);
        if (isnan(o2))
                return o2;
        return look_up(v, charted(o2, &chart[NEWS2_O2]) > 0 ? &spo2_scale2_oxygen : &spo2_scale2_air);
}

double news2_part(const News2 *n, News2Part p) {
        return p == NEWS2_SPO2 && n->scale2 ? spo2_scale2(n) : look_up(n->value[p], &chart[p]);
}

double news2_total(const News2 *n) {
        double sum = 0;

        for (News2Part p = 0; p < NEWS2_PARTS; p++)
                sum += news2_part(n, p);
        return sum;
}

double news2_any(const News2 *n) {
        double largest = 0;
        bool is_known = true;

        for (News2Part p = 0; p < NEWS2_PARTS; p++) {
                double score = news2_part(n, p);
                is_known = is_known && !isnan(score);
                largest = fmax(largest, score);
        }
        return is_known || largest >= 3 ? largest : (double) NAN;
}
