/* One accepted measurement, and the identity that makes it the same measurement when it comes again. */
#pragma once

#include "base/clock.h"
#include "model/vital.h"

typedef uint32_t DeviceId;  /* row of the registry's devices; stable within one run of the process only */
typedef uint32_t SubjectId; /* row of the registry's subjects; likewise */

#define SUBJECT_NONE UINT32_MAX

enum { NAME_MAX_LENGTH = 64 }; /* device and subject ids and labels, with the NUL */

/* Quality flags: said by the device or found at validation. A flagged value is evidence; rules look at usable ones. */
typedef enum ReadingFlag {
        FLAG_IMPLAUSIBLE = 1 << 0, /* outside the vital's plausible range: kept, but no rule sees it */
        FLAG_TIME_SKEWED =
                        1
                        << 1, /* the device time is outside the allowed skew, or the device says that its clock is
                                    * not set: gateway time is used */
        FLAG_LATE = 1 << 2,              /* older than what rules have already seen of this vital */
        FLAG_BEFORE_ASSIGNMENT = 1 << 3, /* measured before the device came to its present subject */
        FLAG_SENSOR_OFF = 1 << 4,        /* sensor off finger, no contact */
        FLAG_WEAK_SIGNAL = 1 << 5,
        FLAG_RETAINED = 1
                        << 6, /* of unknown age: the broker's retained copy, or a device's memory without a time */
        FLAG_TEST = 1
                    << 7, /* device says that it is a test, demonstration or control solution: of no patient */
        FLAG_INVALID = 1 << 8, /* device says that the value is none: fault, calibration, no usable signal */
        FLAG_QUESTIONABLE = 1 << 9, /* device doubts it: movement, irregular pulse, interference */
        FLAG_PROVISIONAL = 1 << 10, /* of a measurement that has not ended: the result is still to come */
} ReadingFlag;

/* Flags that keep a reading from rules. A weak or questionable value is one all the same: a patient who shivers or has an
 * irregular pulse is not to be silent. */
enum {
        FLAGS_UNUSABLE = FLAG_IMPLAUSIBLE | FLAG_BEFORE_ASSIGNMENT | FLAG_SENSOR_OFF | FLAG_RETAINED |
                         FLAG_TEST | FLAG_INVALID | FLAG_PROVISIONAL,
};

/* "implausible", ...; NULL beyond the last. bit counts from 0. */
const char *reading_flag_name(unsigned bit);

typedef struct Reading {
        DeviceId device;
        SubjectId subject; /* never SUBJECT_NONE once accepted: an unassigned device is a subject of its own */
        VitalId vital;
        uint16_t flags;         /* ReadingFlag */
        double value;           /* in the vital's canonical unit, finite */
        int64_t device_time_us; /* wall clock as the device says, TIME_NONE where it says nothing */
        int64_t device_clock_us; /* what the device's clock showed, where that is another time: TIME_NONE otherwise */
        uint64_t device_seq; /* valid where has_device_seq */
        bool has_device_seq;
        Stamp stamp; /* when the gateway had it */
} Reading;

/* The time that rules and views use: the device's where it is given and believed, else the gateway's. */
static inline int64_t reading_time(const Reading *r) {
        return r->device_time_us != TIME_NONE && !(r->flags & FLAG_TIME_SKEWED) ? r->device_time_us
                                                                                : r->stamp.wall_us;
}
