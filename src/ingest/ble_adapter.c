#include "base/backoff.h"
#include "ingest/ble.h"

enum {
        OFF_US = 1000 * 1000 /* how long the adapter stays off in a power cycle */,
        POWER_PATIENCE_US = 10 * 1000 * 1000
};

void ble_adapter_gone(BleSource *s) {
        s->adapter_call = sd_bus_slot_unref(s->adapter_call);
        s->adapter_here = s->powered = s->listening = s->discovering = false;
        s->power = BLE_POWER_STEADY;
        s->discovery_due_us = 0;
        s->discovery_failures = 0;
        ble_wake(s);
}

static void lost_power(BleSource *s) {
        if (s->power == BLE_POWER_STEADY) /* else it is what switches it off */
                s->adapter_call = sd_bus_slot_unref(s->adapter_call);
        s->listening = s->discovering = false;
        for (size_t i = 0; i < s->device_count; i++)
                ble_device_reset(s->devices[i]);
}

static void stopped_by_itself(BleSource *s) {
        s->counters.discovery_restarted++;
        s->listening = false;
        s->discovery_due_us = ble_now() + s->options->retry_min_us;
}

void ble_adapter_news(BleSource *s, const BleNews *n) {
        s->adapter_here = true;
        if (n->powered == BLE_NO && s->powered)
                lost_power(s);
        /* What is there now may have been there all the time, without a signal. */
        if (n->powered == BLE_YES && !s->powered && s->loaded)
                ble_objects_load(s);
        if (n->powered != BLE_UNSAID)
                s->powered = n->powered == BLE_YES;
        if (n->discovering != BLE_UNSAID) {
                if (s->listening && n->discovering == BLE_NO && !s->adapter_call)
                        stopped_by_itself(s);
                s->discovering = n->discovering == BLE_YES;
        }
        ble_wake(s);
}

/* --- power --- */

static int on_power(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleSource *s = userdata;

        s->adapter_call = sd_bus_slot_unref(s->adapter_call);
        if (ble_fault(s, m, "") != BLE_FAULT_NONE) {
                s->power_due_us = ble_now() + s->options->retry_max_us;
                s->power = BLE_POWER_STEADY;
        } else if (s->power == BLE_POWER_GOING_OFF) {
                s->power = BLE_POWER_OFF;
                s->power_due_us = ble_now() + OFF_US;
        } else {
                s->power = BLE_POWER_STEADY;
                s->power_due_us = 0;
        }
        ble_wake(s);
        return 0;
}

static void set_power(BleSource *s, bool on) {
        const BleMethod method = { s->adapter, "org.freedesktop.DBus.Properties", "Set" };

        s->power = on ? BLE_POWER_GOING_ON : BLE_POWER_GOING_OFF;
        s->power_due_us = INT64_MAX;
        if (ble_call(s, &s->adapter_call, &method, on_power, s, POWER_PATIENCE_US, "ssv",
                            "org.bluez.Adapter1", "Powered", "b", on) < 0) {
                s->power = BLE_POWER_STEADY;
                s->power_due_us = ble_now() + s->options->retry_max_us;
        }
}

bool ble_adapter_cycle_power(BleSource *s) {
        if (!s->options->power_cycle || !ble_adapter_works(s))
                return false;
        s->counters.power_cycled++;
        set_power(s, false);
        return true;
}

/* --- discovery --- */

static int on_stopped(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleSource *s = userdata;

        s->adapter_call = sd_bus_slot_unref(s->adapter_call);
        (void) ble_fault(s, m, ""); /* what was not on is off too */
        s->listening = false;
        ble_wake(s);
        return 0;
}

static void stop_discovery(BleSource *s) {
        const BleMethod method = { s->adapter, "org.bluez.Adapter1", "StopDiscovery" };

        if (ble_call(s, &s->adapter_call, &method, on_stopped, s, s->options->call_timeout_us, NULL) < 0)
                s->listening = false;
}

static void discovery_failed(BleSource *s) {
        s->discovery_failures++;
        s->discovery_due_us = ble_now() + (int64_t) backoff_delay(s->options->retry_min_us,
                                                          s->options->retry_max_us, s->discovery_failures);
}

static int on_started(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleSource *s = userdata;

        s->adapter_call = sd_bus_slot_unref(s->adapter_call);
        BleFault fault = ble_fault(s, m, "");
        if (fault == BLE_FAULT_BUSY) { /* one that nobody knows of any more */
                discovery_failed(s);
                stop_discovery(s);
        } else if (fault != BLE_FAULT_NONE)
                discovery_failed(s);
        else {
                s->discovery_failures = 0;
                s->listening = true;
                s->heard_us = ble_now();
                s->discovery_due_us = s->heard_us + s->options->call_timeout_us; /* until it is on indeed */
        }
        ble_wake(s);
        return 0;
}

static int on_filter(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleSource *s = userdata;
        const BleMethod method = { s->adapter, "org.bluez.Adapter1", "StartDiscovery" };

        s->adapter_call = sd_bus_slot_unref(s->adapter_call);
        if (ble_fault(s, m, "") != BLE_FAULT_NONE || ble_call(s, &s->adapter_call, &method, on_started, s,
                                                                     s->options->call_timeout_us, NULL) < 0)
                discovery_failed(s);
        ble_wake(s);
        return 0;
}

static bool has_adverts(const BleSource *s) {
        for (size_t i = 0; i < s->device_count; i++)
                if (s->devices[i]->config.mode == BLE_MODE_ADVERT)
                        return true;
        return false;
}

/* DuplicateData: BlueZ signals each advert, also one with the same data, and at ward scale that is not for nothing. */
static void start_discovery(BleSource *s) {
        const BleMethod method = { s->adapter, "org.bluez.Adapter1", "SetDiscoveryFilter" };

        s->discovery_due_us = 0;
        if (ble_call(s, &s->adapter_call, &method, on_filter, s, s->options->call_timeout_us, "a{sv}", 2,
                            "Transport", "s", "le", "DuplicateData", "b", has_adverts(s)) < 0)
                discovery_failed(s);
}

/* As soon as it has stopped it is wanted again. */
void ble_adapter_restart_discovery(BleSource *s) {
        s->counters.discovery_restarted++;
        if (!s->adapter_call && ble_adapter_works(s))
                stop_discovery(s);
}

/* Listening costs the connections airtime: only while somebody is missing, or adverts are readings. */
static bool wants_discovery(const BleSource *s) {
        for (size_t i = 0; i < s->device_count; i++) {
                const BleDevice *d = s->devices[i];
                if (d->config.mode == BLE_MODE_ADVERT || d->state == BLE_ABSENT || d->state == BLE_WAITING)
                        return true;
        }
        return false;
}

static const char *why_down(const BleSource *s) {
        if (s->owner[0] == '\0')
                return "bluetoothd does not run";
        if (!s->loaded)
                return "bluetoothd does not answer";
        if (!s->adapter_here)
                return "there is no such adapter";
        if (s->power != BLE_POWER_STEADY)
                return "the adapter is being switched off and on";
        if (!s->powered)
                return "the adapter is off";
        return s->discovery_failures > 1 ? "the adapter does not listen" : "";
}

int64_t ble_adapter_review(BleSource *s, int64_t now_us) {
        if (s->bus && !s->asking && !(s->loading && !s->loaded))
                ble_tell(s, why_down(s));
        if (!s->loaded || !s->adapter_here)
                return INT64_MAX;
        if (s->power == BLE_POWER_OFF && now_us >= s->power_due_us)
                set_power(s, true);
        else if (s->power == BLE_POWER_STEADY && !s->powered && s->options->power_cycle &&
                        !s->adapter_call) {
                if (now_us < s->power_due_us)
                        return s->power_due_us;
                set_power(s, true);
        }
        if (!ble_adapter_works(s))
                return s->power == BLE_POWER_OFF ? s->power_due_us : INT64_MAX;
        if (s->listening && !s->discovering && !s->adapter_call && now_us >= s->discovery_due_us)
                stopped_by_itself(s);
        if (s->adapter_call || wants_discovery(s) == s->listening)
                return s->listening && !s->discovering ? s->discovery_due_us : INT64_MAX;
        if (s->listening)
                stop_discovery(s);
        else if (now_us >= s->discovery_due_us)
                start_discovery(s);
        else
                return s->discovery_due_us;
        return INT64_MAX;
}
