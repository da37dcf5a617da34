/* Measurements that a glucose meter keeps, through the Record Access Control Point (Glucose Service 1.0.1, 3.3).
 *
 * They are asked for from the number after the last one that is in the ledger, and never deleted on the meter: what was
 * handed over but did not become durable comes again. A meter whose memory was emptied counts from the beginning; its
 * newest record tells, where nothing new seems to be there. */
#include "base/backoff.h"
#include "decode/racp.h"
#include "ingest/ble.h"
#include "ingest/ble_profile.h"

enum {
        PATIENCE_US = 10 * 1000 * 1000, /* after the request, and between two records */
        ABORT_US = 3 * 1000 * 1000,
        RETRY_MIN_US = 1000 * 1000,
        RETRY_MAX_US = 60 * 1000 * 1000,
};

static BleCharacteristic *control_point(BleDevice *d) {
        BleCharacteristic *c = ble_gatt_find(d, BLE_RECORD_ACCESS), *m = ble_gatt_find(d, BLE_GLUCOSE);

        return c && m && c->subscribed && m->subscribed ? c : NULL;
}

bool ble_records_are_done(BleDevice *d) {
        return !control_point(d) || (d->records.done && d->records.phase == BLE_RECORDS_IDLE);
}

void ble_records_lost(BleDevice *d) {
        BleRecords *r = &d->records;

        r->call = sd_bus_slot_unref(r->call);
        r->phase = BLE_RECORDS_IDLE;
        r->done = r->restarted = false;
        r->due_us = 0;
        r->which = BLE_RECORDS_FROM;
}

static void rest(BleDevice *d, int64_t us) {
        d->records.phase = BLE_RECORDS_IDLE;
        d->records.due_us = ble_now() + us;
        ble_wake(d->source);
}

static void succeed(BleDevice *d) {
        d->records.done = true;
        d->records.failures = 0;
        d->records.which = BLE_RECORDS_FROM;
        rest(d, d->source->options->records_every_us);
}

static void fail(BleDevice *d) {
        d->source->counters.record_failures++;
        rest(d, (int64_t) backoff_delay(RETRY_MIN_US, RETRY_MAX_US, ++d->records.failures));
}

static void ask(BleDevice *d, BleRecordsWhich which);
static void abort_transfer(BleDevice *d);

/* What came since was sent for another request, from who knows which number on. */
static void take_back(BleDevice *d) {
        BleRecords *r = &d->records;

        r->next = r->asked_from;
        r->handed = MIN(r->handed, r->asked_from);
        r->closing = MIN(r->closing, r->asked_from);
        r->durable = MIN(r->durable, r->asked_from);
}

static int on_written(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        BleDevice *d = userdata;

        d->records.call = sd_bus_slot_unref(d->records.call);
        switch (ble_gatt_fault(d, m, "")) {
        case BLE_FAULT_NONE:
                return 0; /* what counts is the indication */
        case BLE_FAULT_BOND:
                ble_device_event(d, BLE_REFUSED);
                return 0;
        case BLE_FAULT_BUSY: /* an earlier request, be it of somebody who is no more */
                if (d->records.phase == BLE_RECORDS_ASKED) {
                        take_back(d);
                        abort_transfer(d);
                        return 0;
                }
                break;
        case BLE_FAULT_DONE:
        case BLE_FAULT_LINK:
        case BLE_FAULT_GONE:
        case BLE_FAULT_OTHER:
                break;
        }
        fail(d);
        return 0;
}

static void write_request(
                BleDevice *d, const RacpRequest *request, BleRecordsPhase phase, int64_t patience_us) {
        const BleCharacteristic *c = control_point(d);
        uint8_t bytes[RACP_REQUEST_MAX];

        int n = racp_encode(request, bytes);
        d->records.phase = phase;
        d->records.due_us = ble_now() + patience_us;
        if (!c || n < 0 || ble_gatt_write(d, c, &d->records.call, BYTES(bytes, (size_t) n), on_written) < 0)
                fail(d);
}

static void ask(BleDevice *d, BleRecordsWhich which) {
        BleRecords *r = &d->records;
        RacpRequest request = { .operation = RACP_REPORT, .operator= RACP_ALL };

        if (which == BLE_RECORDS_FROM && (r->no_from || r->next == 0 || r->next > UINT16_MAX))
                which = BLE_RECORDS_ALL;
        r->which = which;
        r->asked_from = r->next;
        if (which == BLE_RECORDS_FROM) {
                request.operator= RACP_FROM;
                request.first = (uint16_t) r->next;
        } else if (which == BLE_RECORDS_NEWEST)
                request.operator= RACP_NEWEST;
        write_request(d, &request, BLE_RECORDS_ASKED, PATIENCE_US);
}

static void abort_transfer(BleDevice *d) {
        static const RacpRequest request = { .operation = RACP_ABORT, .operator= RACP_NONE };

        write_request(d, &request, BLE_RECORDS_ABORTING, ABORT_US);
}

int64_t ble_records_review(BleDevice *d, int64_t now_us) {
        BleRecords *r = &d->records;

        if (d->state != BLE_STREAMING || !control_point(d))
                return INT64_MAX;
        if (now_us < r->due_us)
                return r->due_us;
        switch (r->phase) {
        case BLE_RECORDS_IDLE:
                ask(d, r->which);
                break;
        case BLE_RECORDS_ASKED:
                abort_transfer(d);
                break;
        case BLE_RECORDS_ABORTING:
                fail(d);
                break;
        }
        return r->due_us;
}

/* Nothing from the next number on: is the newest one the last that is known, or did the numbers begin anew? */
static void none_match(BleDevice *d) {
        BleRecords *r = &d->records;

        if (r->which == BLE_RECORDS_FROM && !r->done)
                ask(d, BLE_RECORDS_NEWEST);
        else
                succeed(d);
}

static void reported(BleDevice *d, RacpResult result) {
        BleRecords *r = &d->records;

        switch (result) {
        case RACP_SUCCESS:
                if (r->which == BLE_RECORDS_NEWEST && r->restarted) {
                        r->restarted = false;
                        r->next = 0;
                        ask(d, BLE_RECORDS_ALL);
                } else
                        succeed(d);
                return;
        case RACP_NO_RECORDS:
                none_match(d);
                return;
        case RACP_OPERATOR_NOT_SUPPORTED:
        case RACP_OPERAND_NOT_SUPPORTED:
        case RACP_INVALID_OPERAND:
        case RACP_INVALID_OPERATOR:
                if (r->which == BLE_RECORDS_NEWEST)
                        succeed(d);
                else if (r->which == BLE_RECORDS_FROM) {
                        r->no_from = true;
                        ask(d, BLE_RECORDS_ALL);
                } else
                        fail(d);
                return;
        case RACP_OPERATION_NOT_SUPPORTED:
        case RACP_ABORT_FAILED:
        case RACP_NOT_COMPLETED:
                fail(d);
                return;
        }
}

void ble_records_response(BleDevice *d, Bytes value) {
        BleRecords *r = &d->records;
        RacpResponse response;
        Error unused;

        if (racp_parse(value, &response, &unused) < 0) {
                d->source->counters.malformed++;
                return;
        }
        if (r->phase == BLE_RECORDS_ABORTING && response.operation == RACP_ABORT)
                fail(d); /* it is free; what has come is not asked for again */
        else if (r->phase == BLE_RECORDS_ASKED && response.operation == RACP_REPORT)
                reported(d, response.result);
}

void ble_records_delivered(BleDevice *d, uint16_t seq, bool durable) {
        BleRecords *r = &d->records;

        d->source->counters.records++;
        if (r->phase == BLE_RECORDS_ASKED)
                r->due_us = ble_now() + PATIENCE_US;
        if (r->which == BLE_RECORDS_NEWEST) {
                r->restarted = r->next > 0 && (uint32_t) seq + 1 < r->next;
                return;
        }
        r->next = (uint32_t) seq + 1;
        if (durable)
                r->handed = r->next;
}

void ble_records_resume(BleDevice *d) {
        BleRecords *r = &d->records;

        if (r->next == r->durable)
                return;
        r->next = r->durable;
        r->done = false;
        if (r->phase == BLE_RECORDS_ASKED) /* what still comes is not the next one */
                abort_transfer(d);
        else if (r->phase == BLE_RECORDS_IDLE)
                r->due_us = 0;
}

void ble_records_dropped(BleDevice *d) {
        if (d->records.phase == BLE_RECORDS_ASKED)
                abort_transfer(d);
}
