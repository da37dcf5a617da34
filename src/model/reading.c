#include "model/reading.h"

#include <assert.h>

const char *reading_flag_name(unsigned bit) {
        static const char *const names[] = {
                "implausible",
                "time_skewed",
                "late",
                "before_assignment",
                "sensor_off",
                "weak_signal",
                "retained",
                "test",
                "invalid",
                "questionable",
                "provisional",
        };
        static_assert(FLAG_PROVISIONAL == 1 << (ELEMENTS(names) - 1), "a name for each flag");

        return bit < ELEMENTS(names) ? names[bit] : NULL;
}
