/* PLX Spot-Check and Continuous Measurement, Pulse Oximeter Service 1.0.1, 3.1 and 3.2. */
#include "decode/gatt_internal.h"
#include "decode/gatt_time.h"

enum { /* flags of the spot check */
        SPOT_TIME = 1 << 0,
        SPOT_MEASUREMENT_STATUS = 1 << 1,
        SPOT_SENSOR_STATUS = 1 << 2,
        SPOT_AMPLITUDE = 1 << 3,
        SPOT_CLOCK_NOT_SET = 1 << 4,
};

enum { /* flags of the continuous measurement */
        CONTINUOUS_FAST = 1 << 0,
        CONTINUOUS_SLOW = 1 << 1,
        CONTINUOUS_MEASUREMENT_STATUS = 1 << 2,
        CONTINUOUS_SENSOR_STATUS = 1 << 3,
        CONTINUOUS_AMPLITUDE = 1 << 4,
};

enum { MEASUREMENT_ONGOING = 1 << 5, FROM_STORAGE = 1 << 9 };

static const uint16_t measurement_meaning[] = {
        [6] = FLAG_QUESTIONABLE,  /* early estimate */
        [10] = FLAG_TEST,         /* demonstration */
        [11] = FLAG_TEST,         /* testing */
        [12] = FLAG_INVALID,      /* calibration goes on */
        [13] = FLAG_INVALID,      /* measurement not available */
        [14] = FLAG_QUESTIONABLE, /* questionable measurement */
        [15] = FLAG_INVALID,      /* invalid measurement */
};

static const uint16_t sensor_meaning[] = {
        [1] = FLAG_INVALID,                    /* equipment malfunction */
        [2] = FLAG_QUESTIONABLE,               /* irregular signal processing */
        [3] = FLAG_INVALID | FLAG_WEAK_SIGNAL, /* inadequate signal */
        [4] = FLAG_WEAK_SIGNAL,                /* poor signal */
        [5] = FLAG_WEAK_SIGNAL,                /* low perfusion */
        [6] = FLAG_QUESTIONABLE,               /* erratic signal */
        [7] = FLAG_INVALID,                    /* no pulse in the signal */
        [8] = FLAG_QUESTIONABLE,               /* questionable pulse */
        [9] = FLAG_QUESTIONABLE,               /* the signal is still searched for */
        [10] = FLAG_QUESTIONABLE,              /* interference */
        [11] = FLAG_SENSOR_OFF,                /* sensor not on the user */
        [12] = FLAG_QUESTIONABLE,              /* unknown sensor */
        [13] = FLAG_SENSOR_OFF,                /* sensor displaced */
        [14] = FLAG_INVALID,                   /* sensor malfunction */
        [15] = FLAG_SENSOR_OFF,                /* sensor disconnected */
};

/* Percent, never the ratio that SenML's "%" may be: an SpO2 of 1 is a fault, not all of it. */
static void take_pair(Packet *p, const char *spo2, const char *pulse) {
        (void) packet_add_value(p, spo2, "percent", phd_value(gatt_take_sfloat(p)));
        (void) packet_add_value(p, pulse, "/min", phd_value(gatt_take_sfloat(p)));
}

static void take_measurement_status(Packet *p, bool ongoing_is_normal) {
        uint32_t status = packet_le(p, 2);

        p->flags |= gatt_status_flags(status, measurement_meaning, ELEMENTS(measurement_meaning));
        if (status & MEASUREMENT_ONGOING && !ongoing_is_normal)
                p->flags |= FLAG_PROVISIONAL;
        if (status & FROM_STORAGE && p->time_us == TIME_NONE)
                p->flags |= FLAG_RETAINED;
}

static void take_sensor_status(Packet *p) {
        p->flags |= gatt_status_flags(packet_le(p, 3), sensor_meaning, ELEMENTS(sensor_meaning));
}

/* The pulse's amplitude against the steady signal: the perfusion index. */
static void take_amplitude(Packet *p) {
        (void) packet_add_value(p, "pi", "%", phd_value(gatt_take_sfloat(p)));
}

void gatt_oximeter_spot_check(Packet *p, unsigned flags) {
        take_pair(p, "spo2", "pulse");
        if (flags & SPOT_TIME) {
                gatt_take_time(p);
                if (flags & SPOT_CLOCK_NOT_SET)
                        p->flags |= FLAG_TIME_SKEWED;
        }
        if (flags & SPOT_MEASUREMENT_STATUS)
                take_measurement_status(p, false);
        if (flags & SPOT_SENSOR_STATUS)
                take_sensor_status(p);
        if (flags & SPOT_AMPLITUDE)
                take_amplitude(p);
}

void gatt_oximeter_continuous(Packet *p, unsigned flags) {
        take_pair(p, "spo2", "pulse");
        if (flags & CONTINUOUS_FAST)
                take_pair(p, "spo2_fast", "pulse_fast");
        if (flags & CONTINUOUS_SLOW)
                take_pair(p, "spo2_slow", "pulse_slow");
        if (flags & CONTINUOUS_MEASUREMENT_STATUS)
                take_measurement_status(p, true);
        if (flags & CONTINUOUS_SENSOR_STATUS)
                take_sensor_status(p);
        if (flags & CONTINUOUS_AMPLITUDE)
                take_amplitude(p);
}
