/* What is done about quiet links and a quiet scan, one rung after the other: subscribe again, connect again, listen again,
 * switch the adapter off and on (where the configuration lets it). Each is counted; at the end of the ladder stands a
 * technical alert. */
#include <stdio.h>

#include "ingest/ble.h"

enum {
        STALE_INTERVALS = 8,         /* of the usual time between two values */
        CONNECT_FAILURES_LISTEN = 4, /* in a row, of a device that is heard */
        CONNECT_FAILURES_POWER = 8,
        SCAN_RESTARTS = 3,
        QUIET_RUNGS_MAX = 4,
};

/* Rungs of a link. */
enum { RUNG_RESUBSCRIBE, RUNG_RECONNECT, RUNG_LISTEN, RUNG_POWER, RUNG_END };

/* An adapter that serves somebody is not switched off for the sake of somebody else. */
static bool serves_others(const BleSource *s, const BleDevice *but, int64_t now_us) {
        for (size_t i = 0; i < s->device_count; i++) {
                const BleDevice *d = s->devices[i];
                if (d != but && ble_state_is_linked(d->state) && d->value_us > 0 &&
                                now_us - d->value_us < s->options->stale_after_us)
                        return true;
        }
        return false;
}

static void give_up(BleDevice *d, const char *what) {
        char summary[192];

        (void) snprintf(summary, sizeof summary, "%.63s %s", d->config.id, what);
        ble_alert(d->source, &d->failing, "BluetoothFailed", d, summary);
}

static void succeed(BleDevice *d) {
        BleSource *s = d->source;

        d->rung = RUNG_RESUBSCRIBE;
        d->failures = 0;
        ble_alert(s, &d->failing, "BluetoothFailed", d, NULL);
        ble_alert(s, &s->failing, "BluetoothFailed", NULL, NULL);
}

void ble_recovery_value(BleDevice *d, unsigned regular) {
        int64_t now = ble_now();

        d->value_us = now;
        succeed(d);
        if (regular == 0)
                return;
        int64_t interval = now - d->regular_us;
        /* The longest of late, so that a device that is slow at times is not taken for a quiet one. */
        d->usual_us = MAX(interval, d->usual_us - d->usual_us / 16);
        d->regular_us = now;
        if (d->has_habit)
                return;
        d->has_habit = ++d->intervals >= regular;
        ble_wake(d->source); /* from now on its silence is looked for */
}

/* --- a stale link --- */

static void climb(BleDevice *d, int64_t now_us) {
        BleSource *s = d->source;
        unsigned rung = d->rung;

        if (d->rung < RUNG_END)
                d->rung++;
        d->regular_us = now_us; /* and as long again until the next rung */
        switch (rung) {
        case RUNG_RESUBSCRIBE:
                s->counters.resubscribed++;
                d->anew = true;
                for (size_t i = 0; i < d->characteristic_count; i++)
                        d->characteristics[i].subscribed = false;
                ble_device_event(d, BLE_CHANGED);
                return;
        case RUNG_RECONNECT:
                break;
        case RUNG_LISTEN:
                ble_adapter_restart_discovery(s);
                break;
        case RUNG_POWER:
                give_up(d, "is connected and brings no values any more");
                if (!serves_others(s, d, now_us) && ble_adapter_cycle_power(s))
                        return;
                break;
        default:
                break;
        }
        s->counters.reconnected++;
        ble_device_event(d, BLE_DISMISSED);
}

/* Beyond the end of the ladder it is tried again less and less often. */
static int64_t patience(const BleDevice *d) {
        int64_t us = MAX(d->source->options->stale_after_us, d->usual_us * STALE_INTERVALS);

        return d->rung < RUNG_END ? us : us << QUIET_RUNGS_MAX;
}

int64_t ble_recovery_review(BleDevice *d, int64_t now_us) {
        const BleOptions *o = d->source->options;
        int64_t due = INT64_MAX;

        if (d->state != BLE_STREAMING)
                return due;
        if (d->config.mode == BLE_MODE_SPOT) {
                due = MAX(d->value_us, d->since_us) + o->spot_quiet_us;
                if (now_us >= due && ble_records_are_done(d)) {
                        ble_device_event(d, BLE_DISMISSED);
                        return INT64_MAX;
                }
                return now_us >= due ? now_us + o->spot_quiet_us : due;
        }
        if (now_us >= d->again_us) {
                d->again_us = INT64_MAX;
                ble_device_event(d, BLE_CHANGED);
                return INT64_MAX;
        }
        if (d->has_habit) {
                due = d->regular_us + patience(d);
                if (now_us >= due) {
                        climb(d, now_us);
                        return INT64_MAX;
                }
        }
        return MIN(due, d->again_us);
}

/* --- a device that is heard and can't be connected --- */

void ble_recovery_connect_failed(BleDevice *d) {
        BleSource *s = d->source;

        if (!d->heard && !d->was_heard)
                return;
        if (d->rung <= RUNG_LISTEN && d->failures >= CONNECT_FAILURES_LISTEN) {
                d->rung = RUNG_POWER;
                ble_adapter_restart_discovery(s);
        } else if (d->rung < RUNG_END && d->failures >= CONNECT_FAILURES_POWER) {
                d->rung = RUNG_END;
                give_up(d, "is heard, but a connection brings no values");
                if (!serves_others(s, d, ble_now()))
                        (void) ble_adapter_cycle_power(s);
        }
}

/* --- a scan that has stopped without a word --- */

void ble_recovery_heard(BleSource *s) {
        s->heard_us = ble_now();
        s->heard_ever = true;
        s->scan_rung = 0;
        ble_alert(s, &s->failing, "BluetoothFailed", NULL, NULL);
}

static bool misses_somebody(const BleSource *s) {
        for (size_t i = 0; i < s->device_count; i++) {
                const BleDevice *d = s->devices[i];
                if (d->config.mode == BLE_MODE_ADVERT || d->state == BLE_ABSENT || d->state == BLE_WAITING)
                        return true;
        }
        return false;
}

int64_t ble_recovery_scan(BleSource *s, int64_t now_us) {
        if (!ble_adapter_works(s) || !s->listening || !misses_somebody(s))
                return INT64_MAX;
        int64_t due = s->heard_us + s->options->scan_silence_us;
        if (now_us < due)
                return due;
        s->heard_us = now_us;
        if (s->scan_rung < SCAN_RESTARTS) {
                s->scan_rung++;
                ble_adapter_restart_discovery(s);
        } else if (s->heard_ever) {
                ble_alert(s, &s->failing, "BluetoothFailed", NULL, "The adapter hears nothing any more");
                if (serves_others(s, NULL, now_us) || !ble_adapter_cycle_power(s))
                        ble_adapter_restart_discovery(s);
        }
        return s->heard_us + s->options->scan_silence_us;
}
