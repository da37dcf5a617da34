/* The ward: 30 patients, their devices, what happens to them and what is done about it, all from a seed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define ROUND   (2500 * USEC_PER_MSEC) /* what comes within one comes at the same moment */
#define BEGIN   (1000 * SECOND)
#define FIRST   (BEGIN + 2 * MINUTE) /* by then everybody is in bed */
#define EPISODE (3 * MINUTE)

/* Each patient's monitor, cuff and thermometer; the last patients have no monitor until somebody brings one. */
enum { MONITORS = 26, DEVICES = MONITORS + 2 * WARD_PATIENTS, WARD_SPLIT = 15 };

static const char config[] = "ledger: {block_age: 10m, block_entries: 65536}\n"
                             "validation: {slow_store: 60s, identities: 65536}\n"
                             "receivers:\n"
                             "- {name: nurses, plugin: none, min_priority: low, config: {}}\n"
                             "- {name: doctor, plugin: none, min_priority: high, config: {}}\n"
                             "alerts: {repeat: 15m, group_interval: 30s}\n"
                             "routes:\n"
                             "- match: {priority: [high]}\n"
                             "  steps: [{notify: [nurses]}, {after: 1m, notify: [doctor]}, {after: 6m, "
                             "notify: [nurses, doctor]}]\n"
                             "- steps: [{notify: [nurses]}]\n";

/* No duration is one of another's multiples: what runs out together would not say which came first. */
static const char rules[] =
                "groups:\n"
                "- name: bedside\n"
                "  match: {kind: patient}\n"
                "  freshness: {sbp: 1h, temp: 5h}\n"
                "  limits: {spo2_low: 90, hr_high: 130}\n"
                "  rules:\n"
                "  - {alert: SpO2Low, expr: spo2 < spo2_low, for: 10s, keep_firing_for: 31s, reraise_after: "
                "7m,\n"
                "     labels: {priority: high}, annotations: {summary: 'SpO2 {{ value }}'}}\n"
                "  - {alert: HrHigh, expr: hr > hr_high, reraise_after: 20m}\n"
                "  - {alert: HrKept, expr: hr > 125, for: 21s, keep_firing_for: 53s, labels: {priority: "
                "low}}\n"
                "  - {alert: Brady, expr: hr < 45, keep_firing_for: 11s, reraise_after: 3m, labels: "
                "{priority: high}}\n"
                "  - {alert: Silent, expr: 'absent(spo2, 33s)', labels: {priority: technical}}\n"
                "  - {alert: Hypotension, expr: sbp < 90, reraise_after: never}\n"
                "  - {alert: Shock, expr: sbp < 100 and hr > 110, labels: {priority: high}}\n"
                "  - {alert: Fever, expr: temp > 38.5, labels: {priority: low}}\n"
                "  - {alert: MeanHr, expr: 'mean(hr, 10m) > 108', for: 29s, labels: {priority: low}}\n"
                "  - {alert: Fall, expr: 'delta(spo2, 10m) < -6', keep_firing_for: 47s}\n"
                "  - {alert: Points, expr: news2_spo2() >= 3, for: 17s, latch: true}\n"
                "- name: ward\n"
                "  match: {kind: patient}\n"
                "  freshness: {temp: 5h}\n"
                "  rules:\n"
                "  - {alert: Outbreak, expr: count(temp > 38 by ward) >= 3}\n"
                "  - {alert: Many, expr: count(hr > 125 by ward) >= 3, for: 13s, reraise_after: 11m}\n"
                "  - {alert: Falls, expr: 'count(spo2 < 90 by ward, 10m) >= 3', keep_firing_for: 43s}\n";

/* --- what patients are like --- */

typedef enum Trouble {
        TROUBLE_NONE,
        DESATURATION,
        TACHYCARDIA,
        BRADYCARDIA,
        FLAPPING, /* around several thresholds */
        SENSOR_OFF,
        TROUBLES,
} Trouble;

typedef struct Patient {
        uint64_t random;
        Trouble trouble;
        int64_t until_us; /* of the trouble, or of the time without */
        bool febrile, hypotensive;
} Patient;

static void go_on(Patient *p, int64_t now_us) {
        if (now_us < p->until_us)
                return;
        if (p->trouble == TROUBLE_NONE) {
                p->trouble = (Trouble) (1 + sim_random(&p->random, TROUBLES - 1));
                p->until_us = now_us + 10 * SECOND +
                              (int64_t) sim_random(&p->random, (uint64_t) (4 * EPISODE));
        } else {
                p->trouble = TROUBLE_NONE;
                p->until_us = now_us + MINUTE + (int64_t) sim_random(&p->random, (uint64_t) (50 * MINUTE));
        }
}

static double spo2_of(Patient *p) {
        if (p->trouble == DESATURATION)
                return sim_uniform(&p->random, 82, 89.5);
        if (p->trouble == FLAPPING)
                return sim_uniform(&p->random, 86, 94);
        return sim_uniform(&p->random, 95, 99);
}

static double hr_of(Patient *p) {
        if (p->trouble == TACHYCARDIA)
                return sim_uniform(&p->random, 118, 150);
        if (p->trouble == BRADYCARDIA)
                return sim_uniform(&p->random, 38, 46);
        if (p->trouble == FLAPPING)
                return sim_uniform(&p->random, 110, 140);
        return sim_uniform(&p->random, 60, 100);
}

/* --- readings --- */

static SimFrame *add_frame(World *w, uint32_t device, int64_t at_us, uint64_t *random, bool untimed) {
        SimFrame *f = world_add_frame(w);

        f->device = device;
        f->at_us = at_us;
        /* some say no time at all; the others measured a moment ago, in whole milliseconds */
        if (!untimed || device % 4 != 3)
                f->device_us = (SIM_WALL + at_us) / 1000 * 1000 - (int64_t) sim_random(random, 800) * 1000;
        return f;
}

/* Frames of one round come at the same moment. */
static int64_t moment(const World *w, int64_t round) {
        uint64_t state = w->seed ^ (uint64_t) round;
        return FIRST + round * ROUND + (int64_t) sim_random(&state, 2 * SECOND);
}

static void monitor(World *w, uint32_t i, Patient *p, bool untimed) {
        int64_t period = 3 + (int64_t) sim_random(&p->random, 2);

        for (int64_t round = i % period; moment(w, round) < w->end_us; round += period) {
                int64_t at_us = moment(w, round);

                go_on(p, at_us);
                if (p->trouble == SENSOR_OFF)
                        continue;
                SimFrame *f = add_frame(w, i, at_us, &p->random, untimed);
                f->values[f->count++] = (SimValue){ "spo2", "%", spo2_of(p) };
                f->values[f->count++] = (SimValue){ "hr", "beat/min", hr_of(p) };
        }
}

static void spot(World *w, uint32_t device, Patient *p, int64_t every_us, bool cuff) {
        int64_t rounds = every_us / ROUND, first = (int64_t) sim_random(&p->random, (uint64_t) rounds);

        for (int64_t round = first; moment(w, round) < w->end_us; round += rounds) {
                SimFrame *f = add_frame(w, device, moment(w, round), &p->random, false);
                if (cuff)
                        f->values[f->count++] = (SimValue){ "sbp", "mm[Hg]",
                                sim_uniform(&p->random, p->hypotensive ? 75 : 102,
                                                p->hypotensive ? 110 : 140) };
                else
                        f->values[f->count++] = (SimValue){ "temp", "Cel",
                                sim_uniform(&p->random, p->febrile ? 37.5 : 36, p->febrile ? 40 : 37.8) };
        }
}

static void make_readings(World *w, bool untimed) {
        for (uint32_t i = 0; i < WARD_PATIENTS; i++) {
                Patient p = { .random = w->seed * 1000 + i, .until_us = FIRST };

                p.febrile = sim_random(&p.random, 3) == 0;
                p.hypotensive = sim_random(&p.random, 3) == 0;
                p.until_us += (int64_t) sim_random(&p.random, (uint64_t) (30 * MINUTE));
                if (i < MONITORS)
                        monitor(w, i, &p, untimed);
                spot(w, MONITORS + i, &p, 30 * MINUTE, true);
                spot(w, MONITORS + WARD_PATIENTS + i, &p, 4 * HOUR, false);
        }
}

/* --- people --- */

static SimOp *assign(World *w, int64_t at_us, unsigned device, unsigned patient) {
        SimOp *op = world_add_op(w, at_us, SIM_ASSIGN);

        (void) snprintf(op->a, sizeof op->a, "%s", w->devices[device]);
        (void) snprintf(op->b, sizeof op->b, "p%02u", patient);
        return op;
}

static void set(World *w, int64_t at_us, unsigned patient, const char *name, const char *value) {
        SimOp *op = world_add_op(w, at_us, SIM_SET);

        (void) snprintf(op->a, sizeof op->a, "p%02u", patient);
        (void) snprintf(op->b, sizeof op->b, "%s", name);
        (void) snprintf(op->c, sizeof op->c, "%s", value);
}

static void admit(World *w) {
        int64_t at_us = BEGIN + SECOND;

        for (unsigned i = 0; i < WARD_PATIENTS; i++, at_us += SECOND) {
                if (i < MONITORS)
                        assign(w, at_us, i, i);
                assign(w, at_us + 250000, MONITORS + i, i);
                assign(w, at_us + 500000, MONITORS + WARD_PATIENTS + i, i);
                set(w, at_us + 750000, i, "ward", i < WARD_SPLIT ? "7" : "8");
        }
}

/* A moment of the world after the begin, never one of another thing. */
static int64_t some_time(const World *w, uint64_t *random) {
        return FIRST + 5 * MINUTE +
               (int64_t) sim_random(random, (uint64_t) (w->end_us - FIRST - 10 * MINUTE));
}

static void make_changes(World *w, uint64_t random) {
        static const char *const silenced[] = { "SpO2Low", "Hr*", "Falls" };
        char name[SIM_TEXT_MAX];

        /* monitors go to patients who have none; those who are left keep what else they have */
        for (unsigned i = 0; i < 4; i++)
                assign(w, some_time(w, &random), (unsigned) sim_random(&random, MONITORS), MONITORS + i);
        for (unsigned i = 0; i < 6; i++) {
                unsigned p = (unsigned) sim_random(&random, MONITORS);
                int64_t at_us = some_time(w, &random);
                set(w, at_us, p, "spo2_low",
                                (const char *[]){ "86", "88", "93", "" }[sim_random(&random, 4)]);
                set(w, some_time(w, &random), p, "hr_high", "120");
                p = (unsigned) sim_random(&random, MONITORS);
                set(w, at_us + 5 * SECOND, p, "spo2_scale", "2");
                set(w, at_us + 9 * SECOND, p, "o2", sim_random(&random, 2) ? "1" : "0");
        }
        set(w, some_time(w, &random), (unsigned) sim_random(&random, WARD_SPLIT), "ward", "8");
        for (size_t i = 0; i < 9; i++) {
                SimOp *op = world_add_op(w, some_time(w, &random), SIM_SILENCE);
                (void) snprintf(op->a, sizeof op->a, "%s", silenced[i % 3]);
                (void) snprintf(name, sizeof name, "p%02u", (unsigned) sim_random(&random, MONITORS));
                (void) snprintf(op->b, sizeof op->b, "%s", i % 3 == 2 ? "" : name);
        }
        for (int64_t at_us = FIRST; at_us < w->end_us - MINUTE; at_us += 2 * MINUTE)
                (void) world_add_op(w, at_us + (int64_t) sim_random(&random, MINUTE), SIM_NURSE);
}

/* An hour forward and back, then the other way round. */
static void make_steps(World *w, uint64_t random) {
        static const int64_t by_us[] = { HOUR, -HOUR, -HOUR, HOUR };
        int64_t part = (w->end_us - w->begin_us) / 5;

        for (size_t i = 0; i < 4; i++)
                w->steps[w->step_count++] = (SimStep){
                        .at_us = w->begin_us + ((int64_t) i + 1) * part +
                                 (int64_t) sim_random(&random, SECOND),
                        .by_us = by_us[i],
                };
}

void ward_make(World *w, uint64_t seed, int64_t hours, bool steps, bool untimed) {
        static const char *const kinds[] = { "monitor", "cuff", "thermometer" };

        *w = (World){ .seed = seed,
                .config = config,
                .rules = rules,
                .device_count = DEVICES,
                .begin_us = BEGIN,
                .end_us = FIRST + hours * HOUR };
        w->devices = calloc(DEVICES, sizeof *w->devices);
        if (!w->devices)
                abort();
        for (unsigned i = 0; i < DEVICES; i++) {
                unsigned kind = i < MONITORS ? 0 : 1 + (i - MONITORS) / WARD_PATIENTS;
                (void) snprintf(w->devices[i], sizeof w->devices[i], "%s-%02u", kinds[kind],
                                i < MONITORS ? i : (i - MONITORS) % WARD_PATIENTS);
        }
        make_readings(w, untimed);
        admit(w);
        make_changes(w, seed);
        if (steps)
                make_steps(w, seed);
        world_sort(w);
}
