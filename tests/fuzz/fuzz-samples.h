/* What holds for samples of binary formats: the decoder chose name and unit, so that they are right. */
#pragma once

#include <math.h>
#include <stdlib.h>

#include "model/sample.h"
#include "model/vital.h"

static void check_samples(const SampleList *list) {
        static Catalogue *catalogue; /* kept: one for all inputs */
        double value;

        if (!catalogue && catalogue_new(&catalogue) < 0)
                abort();
        for (size_t i = 0; i < list->count; i++) {
                const Sample *s = list->items + i;
                const Vital *vital = catalogue_find(catalogue, s->name);
                if (!vital || (s->has_value && (!isfinite(s->value) || unit_convert(s->unit, vital, s->value,
                                                                                       &value) < 0)))
                        abort();
        }
}
