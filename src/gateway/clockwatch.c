#include "gateway/clockwatch.h"

#include <errno.h>

#include "gateway/internal.h"
#include "gateway/log.h"

/* The monotonic and the wall clock drift against each other while the kernel slews, at most 500 ppm, and a loop turn can
 * sit between the two looks: below that it is no step. */
enum { STEP_US = 500000 };

static void append_clock(Gateway *g, ClockEvent event, int64_t step_us, const Stamp *now) {
        uint8_t buffer[128];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        const ClockBody body = {
                .when = gateway_when(g, now), .event = event, .boot_id = g->clock.boot_id, .step_us = step_us
        };

        body_put_clock(&w, &body);
        pipeline_append(g, ENTRY_CLOCK, NULL, &w, now);
        log_message(LOG_NOTICE, LOG_FIELDS({ "EVENT", "clock" }, { "STATE", clock_event_name(event) }),
                        "clock: %s", clock_event_name(event));
}

/* State "boot": number 4, boot id 16. */
static int read_boot(void *userdata, const char *key, Bytes value) {
        ClockWatch *c = userdata;
        (void) key;

        if (value.len != 4 + BOOT_ID_SIZE)
                return -EBADMSG;
        c->boot = be32_read(value.data);
        memcpy(c->boot_id.bytes, value.data + 4, BOOT_ID_SIZE);
        return 0;
}

int clockwatch_start(Gateway *g) {
        ClockWatch *c = &g->clock;
        uint8_t value[4 + BOOT_ID_SIZE];
        BootId boot_id;

        clock_now_full(&c->now);
        c->offset_us = c->now.wall_us - c->now.mono_us;
        clock_boot_id(&boot_id);
        int r = ledger_visit_state(g->ledger, "boot", read_boot, c);
        if (r < 0)
                return r;
        if (c->boot > 0 && memcmp(boot_id.bytes, c->boot_id.bytes, BOOT_ID_SIZE) == 0)
                return 0;
        c->boot++;
        c->boot_id = boot_id;
        append_clock(g, CLOCK_BOOT, 0, &c->now);
        be32_write(value, c->boot);
        memcpy(value + 4, boot_id.bytes, BOOT_ID_SIZE);
        return ledger_put_state(g->ledger, "boot", BYTES(value, sizeof value));
}

static bool is_step(int64_t us) {
        return us >= STEP_US || us <= -STEP_US;
}

void clockwatch_resume(Gateway *g, const EntryTime *last) {
        const ClockWatch *c = &g->clock;
        int64_t step = c->offset_us - (last->wall_us - last->mono_us);

        if (last->boot == c->boot && is_step(step))
                append_clock(g, CLOCK_STEP, step, &c->now);
}

void clockwatch_tick(Gateway *g, Stamp *now) {
        ClockWatch *c = &g->clock;
        bool was = c->now.synchronised;

        clock_now_full(now);
        int64_t offset = now->wall_us - now->mono_us;
        int64_t step = offset - c->offset_us;
        c->now = *now;
        c->offset_us = offset;
        if (is_step(step)) {
                append_clock(g, CLOCK_STEP, step, now);
                (void) alert_manager_raise(g->alerts, "ClockStepped",
                                "The clock was set by more than half a second", now);
        } else {
                alert_manager_clear(g->alerts, "ClockStepped", now);
        }
        if (now->synchronised != was)
                append_clock(g, now->synchronised ? CLOCK_SYNCHRONISED : CLOCK_LOST, 0, now);
}
