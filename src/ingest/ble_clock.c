/* The device's clock: how far off it is, and setting it. A time that it stamps its measurements with is right once the
 * offset is added, be it wrong by years; setting it changes what the times of stored measurements mean, so that is done
 * after they have come. */
#include "decode/gatt_time.h"
#include "ingest/ble.h"
#include "ingest/ble_profile.h"

enum {
        /* The characteristic may count whole seconds, and the way takes its time. */
        PRECISE_US = 2 * 1000 * 1000,
        /* Without a value that may have been stored, and at most: stored ones come at the beginning. */
        SETTLE_US = 3 * 1000 * 1000,
        SETTLE_MAX_US = 30 * 1000 * 1000,
};

static int64_t wall_now(void) {
        Stamp now;

        clock_now(&now);
        return now.wall_us;
}

static BleCharacteristic *find_clock(BleDevice *d) {
        BleCharacteristic *c = ble_gatt_find(d, BLE_CURRENT_TIME);

        return c && c->can_read ? c : ble_gatt_find(d, BLE_DATE_TIME);
}

/* It was read somewhere between the question and the answer: half of the way is taken off. */
static void take_offset(BleDevice *d, uint16_t code, Bytes value) {
        int64_t shown, answered = wall_now();
        Error unused;

        if (gatt_clock_decode(code, value, &shown, &unused) < 0) {
                d->source->counters.clock_failures++;
                d->clock = DEVICE_CLOCK_UNKNOWN;
                return;
        }
        d->clock_offset_us = d->clock_asked_wall_us + (answered - d->clock_asked_wall_us) / 2 - shown;
        bool is_right = d->clock_offset_us >= -PRECISE_US && d->clock_offset_us <= PRECISE_US;
        d->clock = is_right ? DEVICE_CLOCK_BELIEVED : DEVICE_CLOCK_CORRECTED;
}

static BleFault take_answer(BleDevice *d, sd_bus_message *m) {
        BleCharacteristic *c = find_clock(d);
        BleFault fault = ble_gatt_fault(d, m, "ay");
        Bytes value;

        d->clock_call = sd_bus_slot_unref(d->clock_call);
        if (!c)
                return BLE_FAULT_GONE;
        c->reading = false;
        if (fault != BLE_FAULT_NONE)
                d->source->counters.clock_failures++;
        else if (ble_read_bytes(m, &value) == 0)
                take_offset(d, c->code, value);
        return fault;
}

static int on_first(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleDevice *d = userdata;

        /* Also where it can't be read: then its times are not believed. */
        ble_device_event(d, take_answer(d, m) == BLE_FAULT_BOND ? BLE_REFUSED : BLE_ANSWERED);
        return 0;
}

static int on_again(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void) take_answer(userdata, m);
        return 0;
}

static bool ask(BleDevice *d, sd_bus_message_handler_t handler) {
        BleCharacteristic *c = find_clock(d);

        if (!c || !c->can_read)
                return false;
        c->reading = true;
        d->clock_asked_wall_us = wall_now();
        if (ble_gatt_read(d, c, &d->clock_call, handler) >= 0)
                return true;
        c->reading = false;
        return false;
}

void ble_clock_read(BleDevice *d) {
        d->clock = DEVICE_CLOCK_UNKNOWN;
        d->clock_set = false;
        if (!ask(d, on_first))
                ble_device_event(d, BLE_ANSWERED);
}

void ble_clock_lost(BleDevice *d) {
        /* An answer that says why the link went may still come: in ble_device_event() a bond is asked for. */
        if (d->state != BLE_WAITING)
                d->clock_call = sd_bus_slot_unref(d->clock_call);
        d->clock = DEVICE_CLOCK_UNKNOWN;
}

/* --- setting it --- */

static int on_set(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleDevice *d = userdata;

        d->clock_call = sd_bus_slot_unref(d->clock_call);
        if (ble_gatt_fault(d, m, "") == BLE_FAULT_NONE)
                d->source->counters.clocks_set++;
        else
                d->source->counters.clock_failures++;
        (void) ask(d, on_again); /* what it made of it */
        return 0;
}

static void set(BleDevice *d, const BleCharacteristic *c) {
        uint8_t value[GATT_CLOCK_MAX];

        d->clock_set = true;
        int n = gatt_clock_encode(c->code, wall_now(), value);
        if (n < 0 || ble_gatt_write(d, c, &d->clock_call, BYTES(value, (size_t) n), on_set) < 0) {
                d->source->counters.clock_failures++;
                return;
        }
        /* Until it is read again nobody knows which of the two a value is stamped with. */
        d->clock = DEVICE_CLOCK_UNKNOWN;
}

int64_t ble_clock_review(BleDevice *d, int64_t now_us) {
        if (d->state != BLE_STREAMING || !d->config.set_time || d->clock_set || d->clock_call ||
                        d->clock == DEVICE_CLOCK_BELIEVED || !ble_records_are_done(d))
                return INT64_MAX;
        const BleCharacteristic *c = find_clock(d);
        if (!c || !c->can_write)
                return INT64_MAX;
        int64_t due = MIN(MAX(d->since_us, d->timed_us) + SETTLE_US, d->since_us + SETTLE_MAX_US);
        if (now_us < due)
                return due;
        set(d, c);
        return INT64_MAX;
}
