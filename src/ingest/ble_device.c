#include <errno.h>
#include <stdio.h>

#include "base/backoff.h"
#include "ingest/ble.h"

enum {
        BARRED_US = 300 * 1000 * 1000,   /* then it is tried again: it may have been bonded elsewhere */
        SETTLE_US = 200 * 1000,          /* BlueZ tells of a device's services within milliseconds */
        SUSPECTED_US = 60 * 1000 * 1000, /* where it is not sure that it is a bond that it wants */
        LEAVING_US = 3 * 1000 *
                     1000, /* BlueZ takes up to 2 s to end a link, and until then says it is connected */
};

void ble_device_object(const BleDevice *d, char ret[static BLE_PATH_MAX]) {
        ble_device_path(d->source->adapter, &d->path.device, ret);
}

bool ble_device_is_it(const BleDevice *d, const BleNews *n) {
        const BleDeviceConfig *c = &d->config;

        if (c->address_type != BLE_ADDRESS_ANY && (c->address_type == BLE_ADDRESS_RANDOM) != n->is_random)
                return false;
        return (c->has_address && ble_address_equal(&c->address, &n->address)) ||
               (c->has_irk && ble_irk_resolves(c->irk, &n->address));
}

/* --- calls that a state is about --- */

static void tell_to_disconnect(BleDevice *d) {
        char path[BLE_PATH_MAX];

        ble_device_object(d, path);
        d->leaving_us = ble_now() + LEAVING_US;
        ble_tell_bluez(d->source, &(BleMethod){ path, "org.bluez.Device1", "Disconnect" });
}

static int on_connected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleDevice *d = userdata;

        switch (ble_fault(d->source, m, "")) {
        case BLE_FAULT_NONE:
        case BLE_FAULT_DONE:
                ble_device_event(d, BLE_ANSWERED);
                return 0;
        case BLE_FAULT_BOND:
        case BLE_FAULT_BUSY:
        case BLE_FAULT_LINK:
        case BLE_FAULT_GONE:
        case BLE_FAULT_OTHER:
                break;
        }
        d->source->counters.connect_failures++;
        /* A call that ran into its deadline goes on in BlueZ. */
        ble_device_event(d, sd_bus_message_get_errno(m) == ETIMEDOUT ? BLE_TIMED_OUT : BLE_FAILED);
        return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleDevice *d = userdata;

        ble_device_event(d, ble_fault(d->source, m, "") == BLE_FAULT_NONE ? BLE_ANSWERED : BLE_FAILED);
        return 0;
}

static void call(BleDevice *d, const char *name, sd_bus_message_handler_t handler, int64_t timeout_us) {
        char path[BLE_PATH_MAX];

        ble_device_object(d, path);
        const BleMethod method = { path, "org.bluez.Device1", name };
        if (ble_call(d->source, &d->call, &method, handler, d, timeout_us, NULL) < 0)
                ble_device_event(d, BLE_FAILED);
}

/* --- actions --- */

static void link_up(BleDevice *d) {
        if (d->linked)
                return;
        d->linked = true;
        d->source->source.counters.connects++;
        d->since_us = d->regular_us = ble_now();
}

static void link_down(BleDevice *d) {
        d->source->source.counters.disconnects += d->linked;
        d->linked = false;
        ble_gatt_lost(d);
        ble_clock_lost(d);
        ble_records_lost(d);
}

static void nothing(BleDevice *d) {
}

static void do_connect(BleDevice *d) {
        d->was_heard = d->heard;
        d->heard = d->asked_again = false;
        d->since_us = d->served_us = ble_now();
        call(d, "Connect", on_connected, d->source->options->connect_timeout_us);
}

/* That services are resolved is said before, after or in the midst of telling which there are: what comes in the next
 * moment belongs to them. */
static void settle(BleDevice *d) {
        if (d->state != BLE_CONNECTING && d->state != BLE_RESOLVING)
                return;
        d->due_us = MIN(d->due_us, ble_now() + SETTLE_US);
        ble_wake(d->source);
}

static void await_services(BleDevice *d) {
        link_up(d);
        d->due_us = d->since_us + d->source->options->resolve_timeout_us;
        if (d->resolved)
                settle(d);
}

static void read_clock(BleDevice *d) {
        link_up(d);
        ble_clock_read(d);
}

static void stream(BleDevice *d) {
        ble_alert(d->source, &d->barred, "BluetoothPairing", d, NULL);
        d->suspected = 0;
        d->regular_us = ble_now();
}

static void disconnect(BleDevice *d) {
        ble_records_lost(d);
        call(d, "Disconnect", on_disconnected, d->source->options->call_timeout_us);
}

static void rest(BleDevice *d) {
        const BleOptions *o = d->source->options;

        link_down(d);
        d->failures = 0;
        d->served_us = ble_now();
        d->ready_us = d->served_us + (d->config.mode == BLE_MODE_SPOT ? o->spot_pause_us : o->retry_min_us);
}

/* A spot-check device that has said something and went has done its turn. */
static void retry(BleDevice *d) {
        const BleOptions *o = d->source->options;

        if (d->config.mode == BLE_MODE_SPOT && d->linked && d->value_us >= d->since_us)
                return rest(d);
        link_down(d);
        d->served_us = ble_now();
        d->ready_us = d->served_us +
                      (int64_t) backoff_delay(o->retry_min_us, o->retry_max_us, ++d->failures);
        ble_recovery_connect_failed(d);
}

static void cancel(BleDevice *d) {
        tell_to_disconnect(d);
        retry(d);
}

static void bar(BleDevice *d) {
        char address[BLE_ADDRESS_TEXT], summary[256];

        ble_address_format(d->config.has_address ? &d->config.address : &d->path.device, address);
        (void) snprintf(summary, sizeof summary, "%.63s (%s) %s", d->config.id, address,
                        d->bonded ? "does not accept its bond any more: wardstone ble forget, then pair"
                                  : "wants to be paired: wardstone ble pair");
        ble_alert(d->source, &d->barred, "BluetoothPairing", d, summary);
        if (d->linked)
                tell_to_disconnect(d);
        link_down(d);
        d->due_us = ble_now() + (d->suspected > 0 ? SUSPECTED_US : BARRED_US);
        d->suspected = 0;
}

static void welcome(BleDevice *d) {
        d->failures = 0;
        d->ready_us = 0;
}

static void forget(BleDevice *d) {
        link_down(d);
        d->path.kind = BLE_PATH_OTHER;
        d->characteristic_count = 0;
        d->connected = d->resolved = d->has_rssi = d->heard = d->bonded = false;
}

void ble_device_event(BleDevice *d, BleEvent e) {
        static void (*const actions[])(BleDevice * d) = {
                [BLE_NOTHING] = nothing,
                [BLE_CONNECT] = do_connect,
                [BLE_AWAIT_SERVICES] = await_services,
                [BLE_READ_CLOCK] = read_clock,
                [BLE_SUBSCRIBE] = ble_gatt_subscribe,
                [BLE_STREAM] = stream,
                [BLE_DISCONNECT] = disconnect,
                [BLE_RETRY] = retry,
                [BLE_CANCEL] = cancel,
                [BLE_REST] = rest,
                [BLE_BAR] = bar,
                [BLE_WELCOME] = welcome,
                [BLE_FORGET] = forget,
        };
        const BleMove *m = ble_state_move(d->state, e);

        if (!m)
                return;
        d->source->counters.links_lost += e == BLE_LOST && d->state != BLE_LEAVING;
        d->state = m->next;
        d->due_us = INT64_MAX;
        /* A device that wants a bond drops the link; the error that says so may come after that. */
        if (e != BLE_LOST)
                d->call = sd_bus_slot_unref(d->call);
        actions[m->action](d);
        ble_wake(d->source);
}

/* --- news --- */

static void note_bond(BleDevice *d, const BleNews *n) {
        BleSaid said = n->bonded != BLE_UNSAID ? n->bonded : n->paired; /* BlueZ before 5.65 has no Bonded */

        if (said == BLE_UNSAID)
                return;
        d->bonded = said == BLE_YES;
        if (d->bonded)
                ble_device_event(d, BLE_BONDED);
}

static void note_link(BleDevice *d, const BleNews *n) {
        bool was_resolved = d->resolved;

        if (n->connected != BLE_UNSAID)
                d->connected = n->connected == BLE_YES;
        if (n->connected == BLE_NO) {
                d->leaving_us = 0;
                ble_wake(d->source);
        }

        if (n->resolved == BLE_YES) {
                d->resolved = true;
                settle(d);
        } else if (n->resolved == BLE_NO || n->connected == BLE_NO)
                d->resolved = false;
        if (n->connected == BLE_NO || (was_resolved && !d->resolved))
                ble_device_event(d, BLE_LOST);
}

void ble_device_news(BleDevice *d, const BleNews *n) {
        if (n->has_rssi) {
                d->has_rssi = d->heard = true;
                ble_wake(d->source);
        }
        if (n->lost_rssi)
                d->has_rssi = false;
        note_bond(d, n);
        if (d->config.mode != BLE_MODE_ADVERT)
                note_link(d, n);
}

/* A private address changes, and BlueZ makes another object: the newest one counts, once the link over the old is gone. */
void ble_device_appear(BleDevice *d, const BlePath *p, const BleNews *n) {
        bool is_same = d->path.kind == BLE_PATH_DEVICE && ble_address_equal(&d->path.device, &p->device);

        if (!is_same) {
                if (d->path.kind == BLE_PATH_DEVICE && ble_state_is_linked(d->state))
                        return;
                ble_device_event(d, BLE_VANISHED);
                d->path = *p;
                d->heard = n->has_rssi;
                ble_device_event(d, BLE_APPEARED);
        }
        ble_device_news(d, n);
}

void ble_device_reset(BleDevice *d) {
        ble_device_event(d, BLE_VANISHED);
        d->path.kind = BLE_PATH_OTHER;
        d->ready_us = 0;
        d->failures = 0;
}

void ble_device_time_out(BleDevice *d, int64_t now_us) {
        if (now_us < d->due_us)
                return;
        if ((d->state == BLE_CONNECTING || d->state == BLE_RESOLVING) && d->resolved &&
                        d->characteristic_count > 0)
                return ble_device_event(d, BLE_RESOLVED);
        if (d->state == BLE_CONNECTING) { /* none came yet; the call has a deadline of its own */
                d->due_us = INT64_MAX;
                return;
        }
        if (d->state == BLE_RESOLVING && !d->asked_again) {
                /* Signals get lost; objects tell. */
                d->asked_again = true;
                d->due_us = now_us + d->source->options->call_timeout_us;
                ble_objects_load(d->source);
                return;
        }
        ble_device_event(d, BLE_TIMED_OUT);
}

int ble_device_new(BleSource *s, const BleDeviceConfig *c, BleDevice **ret) {
        const Device *listed = s->sink.device(s->sink.userdata, c->id);
        BleDevice *d = calloc(1, sizeof *d);

        if (!d)
                return -ENOMEM;
        d->source = s;
        d->config = *c;
        d->due_us = d->again_us = INT64_MAX;
        d->served_us = INT64_MIN;
        d->path.kind = BLE_PATH_OTHER;
        if (listed) {
                d->counter_next = listed->next_seq;
                if (listed->next_seq <= UINT16_MAX)
                        d->records.next = d->records.handed = d->records.closing = d->records.durable =
                                        (uint32_t) listed->next_seq;
        }
        *ret = d;
        return 0;
}

BleDevice *ble_device_free(BleDevice *d) {
        if (!d)
                return NULL;
        if (ble_state_is_linked(d->state))
                tell_to_disconnect(d);
        sd_bus_slot_unref(d->call);
        sd_bus_slot_unref(d->clock_call);
        sd_bus_slot_unref(d->records.call);
        explicit_bzero(d, sizeof *d);
        free(d);
        return NULL;
}
