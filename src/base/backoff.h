/* Waiting longer after each failure, at random within the second half of the step, so that what failed
 * together does not come back together. */
#pragma once

#include <sodium.h>
#include <stdint.h>

/* Microseconds to wait after `failures` failures in a row (from 1): min, 2 min, 4 min ... up to max. */
static inline uint64_t backoff_delay(int64_t min_us, int64_t max_us, unsigned failures) {
        int64_t step = min_us;

        while (failures-- > 1 && step < max_us)
                step *= 2;
        if (step > max_us)
                step = max_us;
        /* in milliseconds, because 32 random bits of microseconds end after 71 minutes */
        return (uint64_t) (step / 2) + (uint64_t) randombytes_uniform((uint32_t) (step / 2000) + 1) * 1000;
}
