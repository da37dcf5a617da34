/* What the ward's rules have to bring, by looking back at all that was recorded: nothing is kept from one moment to the
 * next but the alert's own life, so that it shares no way of thinking with the engine. */
#include "oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "model/reading.h"

static bool same(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

/* --- what was known --- */

static bool forgets(const History *h, const Fact *f) {
        return f->type == FACT_ASSIGN && (same(f->subject, h->subject) || f->was == h->number);
}

static bool is_value(const Fact *f, const char *vital) {
        return f->type == FACT_READING && !(f->flags & (FLAGS_UNUSABLE | FLAG_LATE)) &&
               same(f->vital, vital);
}

/* The last value of the vital before what came at `end`; NULL: none since the devices changed. */
static const Fact *last_value(const History *h, size_t end, const char *vital) {
        for (size_t i = end; i-- > 0;) {
                if (forgets(h, h->facts[i]))
                        return NULL;
                if (is_value(h->facts[i], vital))
                        return h->facts[i];
        }
        return NULL;
}

static double fresh(const History *h, const Moment *m, const char *vital, int64_t age_us) {
        const Fact *f = last_value(h, m->end, vital);
        return f && m->mono_us - f->mono_us < age_us ? f->value : (double) NAN;
}

const char *oracle_attribute(const History *h, const Moment *m, const char *name) {
        const Fact *last = m->end > 0 ? h->facts[m->end - 1] : NULL;

        /* facts of one book are in one array, in order */
        for (size_t i = h->said_count; i-- > 0;)
                if (last && h->said[i] <= last && same(h->said[i]->name, name))
                        return h->said[i]->text;
        return "";
}

static double limit(const History *h, const Moment *m, const char *name, double other) {
        const char *own = oracle_attribute(h, m, name);
        return own[0] ? atof(own) : other;
}

/* Values of the last while, newest first. */
static size_t window(const History *h, const Moment *m, const char *vital, int64_t length_us,
                double ret[static 1024]) {
        size_t n = 0;

        for (size_t i = m->end; i-- > 0 && n < 1024;) {
                const Fact *f = h->facts[i];
                if (forgets(h, f) || m->mono_us - f->mono_us >= length_us)
                        break;
                if (is_value(f, vital))
                        ret[n++] = f->value;
        }
        return n;
}

/* --- conditions --- */

static Truth truth(double known, bool is) {
        return isnan(known) ? TRUTH_UNKNOWN : is ? TRUTH_TRUE : TRUTH_FALSE;
}

static Truth spo2_low(const History *h, const Moment *m) {
        double v = fresh(h, m, "spo2", MINUTE);
        return truth(v, v < limit(h, m, "spo2_low", 90));
}

static Truth hr_high(const History *h, const Moment *m) {
        double v = fresh(h, m, "hr", MINUTE);
        return truth(v, v > limit(h, m, "hr_high", 130));
}

static Truth hr_kept(const History *h, const Moment *m) {
        double v = fresh(h, m, "hr", MINUTE);
        return truth(v, v > 125);
}

static Truth brady(const History *h, const Moment *m) {
        double v = fresh(h, m, "hr", MINUTE);
        return truth(v, v < 45);
}

static Truth silent(const History *h, const Moment *m) {
        const Fact *f = last_value(h, m->end, "spo2");
        return !f ? TRUTH_UNKNOWN : m->mono_us - f->mono_us >= 33 * SECOND ? TRUTH_TRUE : TRUTH_FALSE;
}

static Truth hypotension(const History *h, const Moment *m) {
        double v = fresh(h, m, "sbp", HOUR);
        return truth(v, v < 90);
}

static Truth shock(const History *h, const Moment *m) {
        double sbp = fresh(h, m, "sbp", HOUR), hr = fresh(h, m, "hr", MINUTE);

        if ((!isnan(sbp) && !(sbp < 100)) || (!isnan(hr) && !(hr > 110)))
                return TRUTH_FALSE;
        return isnan(sbp) || isnan(hr) ? TRUTH_UNKNOWN : TRUTH_TRUE;
}

static Truth fever(const History *h, const Moment *m) {
        double v = fresh(h, m, "temp", 5 * HOUR);
        return truth(v, v > 38.5);
}

static Truth mean_hr(const History *h, const Moment *m) {
        double v[1024], sum = 0;
        size_t n = window(h, m, "hr", 10 * MINUTE, v);

        for (size_t i = 0; i < n; i++)
                sum += v[i];
        return n == 0 ? TRUTH_UNKNOWN : truth(sum, sum / (double) n > 108);
}

static Truth fall(const History *h, const Moment *m) {
        double v[1024];
        size_t n = window(h, m, "spo2", 10 * MINUTE, v);

        return n < 2 ? TRUTH_UNKNOWN : truth(v[0], v[0] - v[n - 1] < -6);
}

/* NEWS2, chart 1: only what gives three points matters. */
static Truth points(const History *h, const Moment *m) {
        double v = fresh(h, m, "spo2", MINUTE), charted = floor(v + 0.5);

        if (isnan(v))
                return TRUTH_UNKNOWN;
        if (!same(oracle_attribute(h, m, "spo2_scale"), "2"))
                return charted <= 91 ? TRUTH_TRUE : TRUTH_FALSE;
        if (charted <= 92)
                return charted <= 83 ? TRUTH_TRUE : TRUTH_FALSE;
        const char *o2 = oracle_attribute(h, m, "o2");
        if (!o2[0])
                return TRUTH_UNKNOWN;
        return o2[0] == '1' && charted >= 97 ? TRUTH_TRUE : TRUTH_FALSE;
}

static Truth hot(const History *h, const Moment *m) {
        double v = fresh(h, m, "temp", 5 * HOUR);
        return truth(v, v > 38);
}

static Truth spo2_below_90(const History *h, const Moment *m) {
        double v = fresh(h, m, "spo2", MINUTE);
        return truth(v, v < 90);
}

const OracleRule oracle_rules[ORACLE_RULES] = {
        { "SpO2Low", spo2_low, .ages = { { "spo2", MINUTE } }, .for_us = 10 * SECOND, .keep_us = 31 * SECOND,
                        .reraise_us = 7 * MINUTE, .latch = true },
        { "HrHigh", hr_high, .ages = { { "hr", MINUTE } }, .reraise_us = 20 * MINUTE },
        { "HrKept", hr_kept, .ages = { { "hr", MINUTE } }, .for_us = 21 * SECOND, .keep_us = 53 * SECOND },
        { "Brady", brady, .ages = { { "hr", MINUTE } }, .keep_us = 11 * SECOND, .reraise_us = 3 * MINUTE,
                        .latch = true },
        { "Silent", silent, .ages = { { "spo2", 33 * SECOND } } },
        { "Hypotension", hypotension, .ages = { { "sbp", HOUR } } },
        { "Shock", shock, .ages = { { "sbp", HOUR }, { "hr", MINUTE } }, .reraise_us = 30 * MINUTE,
                        .latch = true },
        { "Fever", fever, .ages = { { "temp", 5 * HOUR } } },
        { "MeanHr", mean_hr, .ages = { { "hr", 10 * MINUTE } }, .for_us = 29 * SECOND },
        { "Fall", fall, .ages = { { "spo2", 10 * MINUTE } }, .keep_us = 47 * SECOND,
                        .reraise_us = 30 * MINUTE },
        { "Points", points, .ages = { { "spo2", MINUTE } }, .for_us = 17 * SECOND, .reraise_us = 30 * MINUTE,
                        .latch = true },
        { "Outbreak", hot, .ages = { { "temp", 5 * HOUR } }, .least = 3, .reraise_us = 30 * MINUTE },
        { "Many", hr_kept, .ages = { { "hr", MINUTE } }, .least = 3, .for_us = 13 * SECOND,
                        .reraise_us = 11 * MINUTE },
        { "Falls", spo2_below_90, .ages = { { "spo2", MINUTE } }, .least = 3, .within_us = 10 * MINUTE,
                        .keep_us = 43 * SECOND, .reraise_us = 30 * MINUTE },
};

/* --- moments --- */

void moments_add(Moments *list, const Moment *m) {
        if (list->count == list->room) {
                list->room = list->room * 2 + 256;
                list->items = reallocarray(list->items, list->room, sizeof *list->items);
                if (!list->items)
                        abort();
        }
        list->items[list->count++] = *m;
}

static bool uses(const OracleRule *rule, const char *vital) {
        for (size_t i = 0; i < ELEMENTS(rule->ages) && rule->ages[i].vital; i++)
                if (same(rule->ages[i].vital, vital))
                        return true;
        return false;
}

/* Whether something of the vital came, or the devices changed, up to that time. */
static bool is_newest(const History *h, size_t i, const char *vital, int64_t until_us) {
        for (size_t j = i + 1; j < h->count && h->facts[j]->mono_us <= until_us; j++)
                if (forgets(h, h->facts[j]) || is_value(h->facts[j], vital))
                        return false;
        return true;
}

static size_t known_at(const History *h, size_t i, int64_t mono_us) {
        while (i < h->count && h->facts[i]->mono_us <= mono_us)
                i++;
        return i;
}

static void add_ages(const World *w, const History *h, const OracleRule *rule, size_t i, Moments *ret) {
        const Fact *f = h->facts[i];

        for (size_t a = 0; a < ELEMENTS(rule->ages) && rule->ages[a].vital; a++) {
                int64_t at_us = f->mono_us + rule->ages[a].us;

                if (!is_value(f, rule->ages[a].vital) || !is_newest(h, i, rule->ages[a].vital, at_us))
                        continue;
                const Moment m = { .mono_us = at_us,
                        .order = SIZE_MAX,
                        .end = known_at(h, i, at_us),
                        .time_us = world_wall(w, at_us) };
                moments_add(ret, &m);
        }
}

static int64_t time_of(const Fact *f) {
        return f->type != FACT_READING || f->device_us == TIME_NONE || f->flags & FLAG_TIME_SKEWED
                               ? f->wall_us
                               : f->device_us;
}

static int by_time(const void *x, const void *y) {
        const Moment *a = x, *b = y;

        if (a->mono_us != b->mono_us)
                return a->mono_us < b->mono_us ? -1 : 1;
        return a->order < b->order ? -1 : a->order > b->order;
}

void oracle_moments(const World *w, const History *h, const OracleRule *rule, Moments *ret) {
        for (size_t i = 0; i < h->count; i++) {
                const Fact *f = h->facts[i];
                Moment m = {
                        .mono_us = f->mono_us, .order = h->order[i], .end = i + 1, .time_us = time_of(f)
                };

                if (f->type == FACT_READING &&
                                (!uses(rule, f->vital) || f->flags & (FLAGS_UNUSABLE | FLAG_LATE)))
                        continue;
                m.forgets = forgets(h, f);
                moments_add(ret, &m);
                add_ages(w, h, rule, i, ret);
        }
        if (ret->count > 0)
                qsort(ret->items, ret->count, sizeof *ret->items, by_time);
        for (size_t i = 0; i < ret->count; i++)
                ret->items[i].truth =
                                ret->items[i].forgets ? TRUTH_UNKNOWN : rule->condition(h, &ret->items[i]);
}
