/* What is known of an alert, from the store: any bytes are refused or taken, and what is taken is told within bounds and
 * saved as it was. */
#include <stdlib.h>

#include "../fuzz/fuzz.h"
#include "alert/dispatch.h"

static void on_notify(void *userdata, const Notice *n) {
        if (n->receiver > 2 || n->count > NOTICE_ALERTS_MAX || ++*(size_t *) userdata > 1000)
                abort();
}

static void on_event(void *userdata, const AlertEvent *e) {
        (void) userdata;
        if (e->transition > TRANSITION_HELD)
                abort();
}

static void on_silence_over(void *userdata, const Silence *s) {
        (void) userdata;
        (void) s;
}

static void try_with(const Routing *routing, const Registry *registry, AlertState state, Bytes memory) {
        size_t notices = 0;
        const DispatchCallbacks c = { on_notify, on_event, on_event, on_silence_over, &notices };
        const AlertEvent e = { .id = "a",
                .priority = PRIORITY_LOW,
                .state = state,
                .transition = TRANSITION_RAISED,
                .subject = SUBJECT_NONE };
        uint8_t saved[DISPATCH_MEMORY_MAX];
        CborWriter w = cbor_writer(saved, sizeof saved);
        _cleanup_(dispatch_freep) Dispatch *d = NULL;
        Stamp now = { .wall_us = 5 * USEC_PER_SEC, .mono_us = 5 * USEC_PER_SEC };

        if (dispatch_new(routing, registry, &c, &d) < 0)
                return;
        int r = dispatch_restore(d, &e, memory, &now);
        if (state == ALERT_ACTIVE && (dispatch_save(d, "a", &w) < 0 || w.overflow))
                abort();
        for (int i = 0; i < 4; i++) {
                dispatch_tick(d, &now, 0);
                now.mono_us += 60 * USEC_PER_SEC;
                now.wall_us += 60 * USEC_PER_SEC;
        }
        if (r < 0 || state != ALERT_ACTIVE)
                return;
        /* what was saved is taken, too */
        d = dispatch_free(d);
        if (dispatch_new(routing, registry, &c, &d) == 0 &&
                        dispatch_restore(d, &e, BYTES(saved, w.len), &now) < 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Routing routing = { .receivers = { { .name = "a" }, { .name = "b" }, { .name = "c" } },
                .receiver_count = 3,
                .route_count = 1 };
        Registry *registry;

        routing.routes[0] = (Route){ .step_count = 3,
                .steps = { { 0, 1 }, { 10 * USEC_PER_SEC, 2 }, { 100 * USEC_PER_SEC, 5 } },
                .repeat_us = 10 * USEC_PER_SEC,
                .repeat_all = true };
        if (registry_new(&registry) < 0)
                return 0;
        try_with(&routing, registry, ALERT_ACTIVE, BYTES(data, size));
        try_with(&routing, registry, ALERT_RESOLVED, BYTES(data, size));
        registry_free(registry);
        return 0;
}
