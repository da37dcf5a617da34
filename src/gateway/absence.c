#include "gateway/absence.h"

#include <errno.h>

#include "gateway/internal.h"

typedef struct LastHeard {
        int64_t mono_us, wall_us; /* mono_us 0: never in this run */
        bool silent;
} LastHeard;

struct Absence {
        LastHeard devices[DEVICES_MAX];
};

int absence_new(Absence **ret) {
        *ret = calloc(1, sizeof **ret);
        return *ret ? 0 : -ENOMEM;
}

Absence *absence_free(Absence *s) {
        free(s);
        return NULL;
}

void absence_note(Gateway *g, const Reading *r) {
        LastHeard *d = &g->absence->devices[r->device];

        if (d->silent) {
                pipeline_append_gap(g, GAP_SILENT, registry_device(g->registry, r->device)->name, d->wall_us,
                                r->stamp.wall_us, 0, 0, "");
                d->silent = false;
        }
        d->mono_us = r->stamp.mono_us;
        d->wall_us = r->stamp.wall_us;
}

void absence_sweep(Gateway *g, const Stamp *now) {
        for (DeviceId i = 0; i < registry_device_count(g->registry); i++) {
                LastHeard *d = &g->absence->devices[i];

                if (d->mono_us == 0 || d->silent || now->mono_us - d->mono_us < g->config->silent_after_us)
                        continue;
                d->silent = true;
                pipeline_append_gap(g, GAP_SILENT, registry_device(g->registry, i)->name, d->wall_us,
                                TIME_NONE, 0, 0, "");
        }
}
