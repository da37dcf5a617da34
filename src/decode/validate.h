/* Samples -> readings that can be believed, or a verdict why not. Pure but for the memory of what was seen. */
#pragma once

#include "model/registry.h"
#include "model/sample.h"

typedef enum Verdict {
        VERDICT_ACCEPTED,
        VERDICT_DUPLICATE, /* the same measurement again: acknowledged, not stored */
        VERDICT_NO_VALUE,
        VERDICT_NOT_FINITE,
        VERDICT_UNKNOWN_VITAL,
        VERDICT_UNKNOWN_UNIT,
        VERDICT_UNKNOWN_DEVICE, /* not registered: to quarantine */
        VERDICT_MALFORMED, /* the payload could not be decoded: to quarantine; counted by the pipeline */
        VERDICT_OVERSIZED, /* the payload is too large; counted by the pipeline */
        VERDICT_COUNT,
} Verdict;

const char *verdict_name(Verdict v); /* "accepted", "duplicate", "no_value", ... */

/* Zero members take their defaults. */
typedef struct ValidatorOptions {
        int64_t skew_past_us; /* device time further back than that is still believed but late; default 7 days */
        int64_t skew_future_us; /* device time further ahead is FLAG_TIME_SKEWED; default 2 min */
        size_t identities;      /* how many identities are remembered; default 65536, a power of two */
} ValidatorOptions;

typedef struct Validator Validator;

int validator_new(const ValidatorOptions *o, const Catalogue *catalogue, Validator **ret) _must_check_;
Validator *validator_free(Validator *v);
DEFINE_CLEANUP(Validator *, validator_free);

/* A jump of a device's own sequence: [first, first + count) never came. */
typedef struct SequenceGap {
        uint64_t first, count; /* count 0: no gap */
} SequenceGap;

/* What is known of the clock that a device stamps its measurements with. */
typedef enum DeviceClock {
        DEVICE_CLOCK_BELIEVED,  /* it is right, within the allowed skew */
        DEVICE_CLOCK_CORRECTED, /* it is off by an offset that was measured */
        DEVICE_CLOCK_UNKNOWN,   /* nobody has looked: what it shows is kept, the gateway's time is used */
} DeviceClock;

typedef struct Arrival {
        DeviceId device;
        Stamp stamp;
        bool redelivered; /* the transport's DUP flag: never trusted alone */
        bool retained;
        DeviceClock clock;
        int64_t clock_offset_us; /* to be added to what the device's clock shows, for DEVICE_CLOCK_CORRECTED */
} Arrival;

/* The vital is what sample_vital() says, by name, else by alias or LOINC code, else by a unit that only one vital has in
 * SenML: beat/min (hr), %RH (humidity), %EL (battery).
 *
 * One sample of a device. On VERDICT_ACCEPTED *ret is complete (device, subject, vital, canonical value, flags) and its
 * identity is remembered; values outside the plausible range are accepted with FLAG_IMPLAUSIBLE.
 *
 * Identity: (device, vital, what the device's clock shows and device sequence as far as given, value). It counts as a duplicate where it is
 * known and
 *   - the payload gives a device time, or
 *   - it gives a sequence that is not beyond what the device sent last, nor further behind than a retransmission can be: a
 *     counter that wrapped or began anew gives the same numbers to new measurements, or
 *   - arrival->redelivered or arrival->retained says that it may have come before.
 * SenML's times relative to now give another identity at each delivery: such a reading can be stored twice.
 *
 * device->next_seq is advanced, but for duplicates and retained copies. *ret_gap is always set. */
Verdict validate_sample(Validator *v, const Sample *s, const Arrival *arrival, Registry *registry,
                Reading *ret, SequenceGap *ret_gap);

/* What the ledger already holds, at start: the same identity as validate_sample makes. */
void validator_remember(Validator *v, const char *device, const char *vital, int64_t shown_us, bool has_seq,
                uint64_t seq, double value);
/* Forgets all identities: after a commit failed nothing since is known to be stored. The caller remembers anew from the ledger. */
void validator_forget(Validator *v);
