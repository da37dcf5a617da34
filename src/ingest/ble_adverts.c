#include <stdio.h>

#include "decode/advert.h"
#include "ingest/ble.h"

enum { BTHOME = 0xfcd2, COUNTER_AND_TAG = 8 };

static bool is_known(const BleAdvert *a) {
        AdvertKind kind;
        const char *name;
        uint16_t code;

        for (size_t i = 0; advert_at(i, &kind, &code, &name); i++)
                if ((kind == ADVERT_SERVICE) == a->is_service && code == a->code)
                        return true;
        return false;
}

/* The place of that kind of advert; one that is the oldest where all are taken. */
static BleLastAdvert *find_last(BleDevice *d, const BleAdvert *a) {
        BleLastAdvert *oldest = NULL;

        for (size_t i = 0; i < d->advert_count; i++) {
                BleLastAdvert *l = &d->adverts[i];
                if (l->is_service == a->is_service && l->code == a->code)
                        return l;
                if (!oldest || l->at_us < oldest->at_us)
                        oldest = l;
        }
        if (d->advert_count < BLE_LAST_ADVERTS_MAX)
                oldest = &d->adverts[d->advert_count++];
        *oldest = (BleLastAdvert){ .is_service = a->is_service, .code = a->code };
        return oldest;
}

/* A sensor sends each advert many times, and BlueZ tells all kinds of data again when one has changed. */
static bool is_repeated(BleDevice *d, const BleAdvert *a) {
        BleLastAdvert *l = find_last(d, a);
        int64_t now = ble_now();

        if (l->len == a->data.len && memcmp(l->bytes, a->data.data, l->len) == 0 &&
                        now - l->at_us < d->source->options->advert_repeat_us)
                return true;
        l->at_us = now;
        l->len = a->data.len;
        memcpy(l->bytes, a->data.data, a->data.len);
        return false;
}

/* BTHome v2, encryption: info byte, what is encrypted, counter (4 bytes, least significant first), tag (4). */
static bool find_counter(const Decoding *decoding, Bytes data, uint64_t *ret) {
        if (!decoding->secret || decoding->format != DECODE_SERVICE || decoding->code != BTHOME ||
                        data.len <= COUNTER_AND_TAG)
                return false;
        const uint8_t *p = data.data + data.len - COUNTER_AND_TAG;
        *ret = (uint64_t) p[0] | (uint64_t) p[1] << 8 | (uint64_t) p[2] << 16 | (uint64_t) p[3] << 24;
        return true;
}

static void take(BleDevice *d, const BleAdvert *a) {
        BleSource *s = d->source;
        BleValue v = {
                .device = d,
                .decoding = { .format = a->is_service ? DECODE_SERVICE : DECODE_MANUFACTURER,
                                .code = a->code,
                                .secret = d->config.has_secret ? &d->config.secret : NULL },
        };
        char address[BLE_ADDRESS_TEXT];
        uint64_t counter;

        if (a->data.len == 0 || a->data.len > BLE_ADVERT_MAX) {
                s->counters.malformed++;
                return;
        }
        if (is_repeated(d, a)) {
                s->counters.adverts_repeated++;
                return;
        }
        if (find_counter(&v.decoding, a->data, &counter) && counter < d->counter_next) {
                s->counters.adverts_replayed++;
                return;
        }
        ble_address_format(d->config.has_address ? &d->config.address : &d->path.device, address);
        (void) snprintf(v.origin, sizeof v.origin, "%s/%s:%04X", address, a->is_service ? "svc" : "adv",
                        a->code);
        s->counters.adverts++;
        d->value_us = ble_now();
        ble_hand_over(&v, a->data);
}

void ble_adverts_take(BleDevice *d, const BleNews *n) {
        for (size_t i = 0; i < n->advert_count; i++)
                if (is_known(&n->adverts[i]))
                        take(d, &n->adverts[i]);
}

void ble_adverts_delivered(
                BleDevice *d, const Decoding *decoding, Bytes payload, const FrameResult *result) {
        uint64_t counter;

        /* Only what was decrypted moves it: anybody can send a number. */
        if (find_counter(decoding, payload, &counter) && result->worst != VERDICT_MALFORMED)
                d->counter_next = MAX(d->counter_next, counter + 1);
}
