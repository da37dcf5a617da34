/* The National Early Warning Score 2 (Royal College of Physicians, London 2017, chart 1). Pure.
 *
 * The chart speaks of whole numbers (temperature: tenths). A value between two of its steps is rounded to the nearest, a
 * half upwards, as it would be charted. */
#pragma once

#include <stdbool.h>

typedef enum News2Part {
        NEWS2_RR,
        NEWS2_SPO2, /* on scale 1, or 2 for hypercapnic respiratory failure, where oxygen counts too */
        NEWS2_O2,
        NEWS2_SBP,
        NEWS2_PULSE,
        NEWS2_ACVPU,
        NEWS2_TEMP,
        NEWS2_PARTS,
} News2Part;

/* One NaN a part that is unknown. rr and pulse in /min, spo2 in %, o2 0 or 1, sbp in mm[Hg], acvpu 0 (A) to 4 (U), temp in
 * Cel. */
typedef struct News2 {
        double value[NEWS2_PARTS];
        bool scale2;
} News2;

/* 0 to 3; NaN where it is unknown. SpO2 on scale 2 needs o2 only above 92 %. */
double news2_part(const News2 *n, News2Part p);
/* The sum: 0 to 20; NaN where any part is unknown. */
double news2_total(const News2 *n);
/* The largest of the parts: 3 is the chart's "red score". 3 also where others are unknown, else NaN where any is. */
double news2_any(const News2 *n);
