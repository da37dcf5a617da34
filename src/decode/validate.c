#include "decode/validate.h"

#include <errno.h>
#include <math.h>
#include <sodium.h>

#include "decode/identity.h"

enum {
        IDENTITIES_DEFAULT = 65536,
        RETRANSMIT_WINDOW = 64, /* messages; below the smallest counters in use, which wrap at 256 */
};

static const int64_t skew_past_default_us = INT64_C(7) * 86400 * USEC_PER_SEC;
static const int64_t skew_future_default_us = 120 * USEC_PER_SEC;

/* The newest believed device time of each vital, one row a device that ever gave one. */
typedef struct Newest {
        int64_t *times; /* by vital id; 0: none yet */
        size_t count;
} Newest;

struct Validator {
        const Catalogue *catalogue;
        ValidatorOptions options;
        IdentitySet *identities;
        uint8_t key[crypto_shorthash_KEYBYTES];
        Newest newest[DEVICES_MAX];
};

const char *verdict_name(Verdict v) {
        static const char *const names[VERDICT_COUNT] = {
                [VERDICT_ACCEPTED] = "accepted",
                [VERDICT_DUPLICATE] = "duplicate",
                [VERDICT_NO_VALUE] = "no_value",
                [VERDICT_NOT_FINITE] = "not_finite",
                [VERDICT_UNKNOWN_VITAL] = "unknown_vital",
                [VERDICT_UNKNOWN_UNIT] = "unknown_unit",
                [VERDICT_UNKNOWN_DEVICE] = "unknown_device",
                [VERDICT_MALFORMED] = "malformed",
                [VERDICT_OVERSIZED] = "oversized",
        };

        return names[v];
}

int validator_new(const ValidatorOptions *o, const Catalogue *catalogue, Validator **ret) {
        _cleanup_(validator_freep) Validator *v = calloc(1, sizeof *v);

        if (!v)
                return -ENOMEM;
        v->catalogue = catalogue;
        v->options = *o;
        if (v->options.skew_past_us == 0)
                v->options.skew_past_us = skew_past_default_us;
        if (v->options.skew_future_us == 0)
                v->options.skew_future_us = skew_future_default_us;
        if (v->options.identities == 0)
                v->options.identities = IDENTITIES_DEFAULT;
        int r = identity_set_new(v->options.identities, &v->identities);
        if (r < 0)
                return r;
        crypto_shorthash_keygen(v->key);
        *ret = TAKE(v);
        return 0;
}

Validator *validator_free(Validator *v) {
        if (!v)
                return NULL;
        for (size_t i = 0; i < DEVICES_MAX; i++)
                free(v->newest[i].times);
        identity_set_free(v->identities);
        free(v);
        return NULL;
}

/* Made of names, not of row numbers, so that it is the same after a restart. */
static uint64_t identity_of(const Validator *v, const char *device, const char *vital, int64_t time_us,
                bool has_seq, uint64_t seq, double value) {
        uint8_t text[NAME_MAX_LENGTH + VITAL_NAME_MAX + 1 + 3 * sizeof(uint64_t)];
        uint64_t number = has_seq ? seq : 0;
        double positive = value + 0.0; /* -0 and 0 are the same value */
        uint64_t identity;
        uint8_t *p = text;

        p = (uint8_t *) stpcpy((char *) p, device) + 1;
        p = (uint8_t *) stpcpy((char *) p, vital) + 1;
        *p++ = has_seq;
        memcpy(p, &time_us, sizeof time_us);
        memcpy(p + 8, &number, sizeof number);
        memcpy(p + 16, &positive, sizeof positive);
        (void) crypto_shorthash((uint8_t *) &identity, text, (size_t) (p - text) + 24, v->key);
        return identity;
}

static const Vital *find_vital(const Catalogue *c, const Sample *s) {
        /* Units that SenML registers for one measurement only (RFC 8428 12.1). */
        static const struct {
                const char *unit, *vital;
        } telling[] = {
                { "beat/min", "hr" },
                { "%RH", "humidity" },
                { "%EL", "battery" },
        };
        const char *name = sample_vital(s);

        const Vital *vital = catalogue_find(c, name);
        if (!vital)
                vital = catalogue_find_alias(c, name);
        for (size_t i = 0; i < ELEMENTS(telling) && !vital; i++)
                if (streq(s->unit, telling[i].unit))
                        vital = catalogue_find(c, telling[i].vital);
        return vital;
}

/* Whether the device time is older than one seen before, and remembers it where it is the newest. */
static bool is_late(Validator *v, const Reading *r, int64_t now_us) {
        Newest *n = v->newest + r->device;

        if (r->vital >= n->count) {
                size_t count = catalogue_count(v->catalogue);
                int64_t *times = reallocarray(n->times, count, sizeof *times);
                if (!times)
                        return false;
                memset(times + n->count, 0, (count - n->count) * sizeof *times);
                *n = (Newest){ .times = times, .count = count };
        }
        int64_t *newest = n->times + r->vital;
        /* A time ahead of now was believed while the gateway's clock was wrong: it must not make all that follow late. */
        if (r->device_time_us >= *newest || *newest > now_us + v->options.skew_future_us) {
                *newest = r->device_time_us;
                return false;
        }
        return true;
}

/* When it was measured, as far as the device's clock tells. */
static void read_clock(const Arrival *a, int64_t shown_us, Reading *r) {
        r->device_time_us = r->device_clock_us = TIME_NONE;
        if (shown_us == TIME_NONE)
                return;
        /* A device that says that its clock is not set is not believed; an offset holds for such a clock as well. */
        DeviceClock clock = a->clock;
        if (clock == DEVICE_CLOCK_BELIEVED && r->flags & FLAG_TIME_SKEWED)
                clock = DEVICE_CLOCK_UNKNOWN;
        switch (clock) {
        case DEVICE_CLOCK_BELIEVED:
                r->device_time_us = shown_us;
                return;
        case DEVICE_CLOCK_CORRECTED:
                r->flags &= (uint16_t) ~FLAG_TIME_SKEWED;
                r->device_clock_us = shown_us;
                if (__builtin_add_overflow(shown_us, a->clock_offset_us, &r->device_time_us))
                        r->device_time_us = TIME_NONE;
                return;
        case DEVICE_CLOCK_UNKNOWN:
                r->device_clock_us = shown_us;
                return;
        }
}

/* Flags and subject that follow from when the device says that it measured. */
static void judge_time(Validator *v, const Device *d, const Arrival *a, Reading *r) {
        int64_t now_us = a->stamp.wall_us;

        if (r->device_time_us == TIME_NONE)
                return;
        if (r->device_time_us > now_us + v->options.skew_future_us) {
                r->flags |= FLAG_TIME_SKEWED;
                return;
        }
        if (is_late(v, r, now_us) || r->device_time_us < now_us - v->options.skew_past_us)
                r->flags |= FLAG_LATE;
        /* Never attributed across a change: the measurement may be the previous patient's. */
        if (d->assigned_us != TIME_NONE && r->device_time_us < d->assigned_us) {
                r->flags |= FLAG_BEFORE_ASSIGNMENT;
                r->subject = d->own_subject;
        }
}

static bool may_be_repeated(const Device *d, const Sample *s, const Arrival *a) {
        if (s->time_us != TIME_NONE || a->redelivered || a->retained)
                return true;
        return s->has_seq &&
               (d->next_seq == 0 || (s->seq < d->next_seq && d->next_seq - s->seq <= RETRANSMIT_WINDOW));
}

static Verdict examine(Validator *v, const Sample *s, const Arrival *a, const Device *d, Reading *ret) {
        double value;

        if (!s->has_value)
                return VERDICT_NO_VALUE;
        if (!isfinite(s->value))
                return VERDICT_NOT_FINITE;
        const Vital *vital = find_vital(v->catalogue, s);
        if (!vital)
                return VERDICT_UNKNOWN_VITAL;
        if (unit_convert(s->unit, vital, s->value, &value) < 0)
                return VERDICT_UNKNOWN_UNIT;
        if (!isfinite(value))
                return VERDICT_NOT_FINITE;
        uint64_t identity = identity_of(v, d->name, vital->name, s->time_us, s->has_seq, s->seq, value);
        if (may_be_repeated(d, s, a) && identity_set_has(v->identities, identity))
                return VERDICT_DUPLICATE;
        identity_set_add(v->identities, identity);
        *ret = (Reading){
                .device = d->id,
                .subject = d->subject,
                .vital = vital->id,
                .flags = s->flags,
                .value = value,
                .device_seq = s->seq,
                .has_device_seq = s->has_seq,
                .stamp = a->stamp,
        };
        if (value < vital->min || value > vital->max)
                ret->flags |= FLAG_IMPLAUSIBLE;
        if (a->retained)
                ret->flags |= FLAG_RETAINED;
        read_clock(a, s->time_us, ret);
        judge_time(v, d, a, ret);
        return VERDICT_ACCEPTED;
}

/* The samples of one payload share a number; a number that goes back is a counter that began anew. */
static void advance_sequence(Device *d, uint64_t seq, SequenceGap *ret_gap) {
        if (d->next_seq != 0 && seq > d->next_seq)
                *ret_gap = (SequenceGap){ .first = d->next_seq, .count = seq - d->next_seq };
        d->next_seq = seq + 1;
}

Verdict validate_sample(Validator *v, const Sample *s, const Arrival *arrival, Registry *registry,
                Reading *ret, SequenceGap *ret_gap) {
        Device *d = registry_device(registry, arrival->device);

        *ret_gap = (SequenceGap){ 0 };
        if (!d->registered)
                return VERDICT_UNKNOWN_DEVICE;
        Verdict verdict = examine(v, s, arrival, d, ret);
        /* A message without a usable value came all the same: it is no gap. */
        if (verdict != VERDICT_DUPLICATE && s->has_seq && !arrival->retained)
                advance_sequence(d, s->seq, ret_gap);
        return verdict;
}

void validator_remember(Validator *v, const char *device, const char *vital, int64_t shown_us, bool has_seq,
                uint64_t seq, double value) {
        identity_set_add(v->identities, identity_of(v, device, vital, shown_us, has_seq, seq, value));
}

void validator_forget(Validator *v) {
        identity_set_clear(v->identities);
}
