/* Frames on their way to the pipeline. While the pipeline has no room they wait here, up to a limit; what finds no room
 * here either is evaluated by the rules at once and not stored, so that no alert waits, or, where the device keeps it,
 * left there and fetched again. */
#include <errno.h>

#include "ingest/ble.h"

enum { QUEUE_MAX = 1024 };

typedef struct Item {
        BleValue value;
        size_t len;
        uint8_t bytes[BLE_VALUE_MAX];
} Item;

struct BleQueue {
        size_t first, count;
        Item items[QUEUE_MAX];
};

int ble_queue_new(BleQueue **ret) {
        return (*ret = calloc(1, sizeof **ret)) ? 0 : -ENOMEM;
}

BleQueue *ble_queue_free(BleQueue *q) {
        free(q);
        return NULL;
}

/* Sequence Number of a Glucose Measurement: behind its flags. */
static bool find_seq(Bytes payload, uint16_t *ret) {
        if (payload.len < 3)
                return false;
        *ret = (uint16_t) (payload.data[1] | payload.data[2] << 8);
        return true;
}

static void deliver(BleSource *s, const BleValue *v, Bytes payload, bool durable) {
        const Frame f = {
                .device = v->device->config.id,
                .origin = v->origin,
                .payload = payload,
                .decoding = v->decoding,
                .durable = durable,
                .clock = v->clock,
                .clock_offset_us = v->clock_offset_us,
        };
        FrameResult result;
        uint16_t seq;

        s->source.counters.frames++;
        s->source.counters.bytes += payload.len;
        s->unacked += durable;
        s->sink.frame(s->sink.userdata, &s->source, &f, &result);
        /* The store may have failed in that call: then nothing of it is durable. */
        if (v->stored && find_seq(payload, &seq))
                ble_records_delivered(v->device, seq, durable && !s->live);
        if (v->decoding.secret)
                ble_adverts_delivered(v->device, &v->decoding, payload, &result);
}

static void keep(BleQueue *q, const BleValue *v, Bytes payload) {
        Item *i = &q->items[(q->first + q->count++) % QUEUE_MAX];

        i->value = *v;
        i->len = payload.len;
        memcpy(i->bytes, payload.data, payload.len);
}

void ble_hand_over(const BleValue *v, Bytes payload) {
        BleSource *s = v->device->source;

        if (s->queue->count == 0 && (s->live || !s->paused))
                deliver(s, v, payload, !s->live);
        else if (s->queue->count < QUEUE_MAX)
                keep(s->queue, v, payload);
        else if (v->stored) {
                s->counters.queued_dropped++;
                ble_records_dropped(v->device);
        } else {
                s->counters.queued_live++;
                deliver(s, v, payload, false);
        }
}

void ble_queue_flush(BleSource *s) {
        BleQueue *q = s->queue;

        while (q->count > 0 && (s->live || !s->paused)) {
                Item *i = &q->items[q->first];
                q->first = (q->first + 1) % QUEUE_MAX;
                q->count--;
                if (i->value.device)
                        deliver(s, &i->value, BYTES(i->bytes, i->len), !s->live);
        }
}

void ble_queue_forget(BleSource *s, const BleDevice *d) {
        BleQueue *q = s->queue;

        for (size_t i = 0; i < q->count; i++) {
                Item *item = &q->items[(q->first + i) % QUEUE_MAX];
                if (item->value.device == d) {
                        item->value.device = NULL;
                        s->counters.queued_dropped++;
                }
        }
}
