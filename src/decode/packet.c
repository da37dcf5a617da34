#include "decode/packet.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

Packet packet_open(Bytes payload, SampleList *list) {
        sample_list_clear(list);
        return (Packet){ .left = payload, .list = list, .time_us = TIME_NONE };
}

Bytes packet_bytes(Packet *p, size_t n) {
        if (n > p->left.len) {
                p->ran_out = true;
                p->left.len = 0;
                return BYTES(NULL, 0);
        }
        Bytes taken = BYTES(p->left.data, n);
        p->left = BYTES(p->left.data + n, p->left.len - n);
        return taken;
}

uint32_t packet_le(Packet *p, size_t n) {
        Bytes b = packet_bytes(p, n);
        uint32_t v = 0;

        for (size_t i = b.len; i > 0; i--)
                v = v << 8 | b.data[i - 1];
        return v;
}

uint32_t packet_be(Packet *p, size_t n) {
        Bytes b = packet_bytes(p, n);
        uint32_t v = 0;

        for (size_t i = 0; i < b.len; i++)
                v = v << 8 | b.data[i];
        return v;
}

static int32_t sign_extend(uint32_t v, size_t n) {
        if (n == 1)
                return (int8_t) v;
        return n == 2 ? (int16_t) v : (int32_t) v;
}

int32_t packet_le_signed(Packet *p, size_t n) {
        return sign_extend(packet_le(p, n), n);
}

int32_t packet_be_signed(Packet *p, size_t n) {
        return sign_extend(packet_be(p, n), n);
}

uint8_t packet_u8(Packet *p) {
        return (uint8_t) packet_le(p, 1);
}

Sample *packet_add(Packet *p, const char *vital, const char *unit) {
        Sample *s = sample_list_add(p->list);

        if (!s) {
                p->full = true;
                s = &p->spare;
        }
        (void) snprintf(s->name, sizeof s->name, "%s", vital);
        (void) snprintf(s->unit, sizeof s->unit, "%s", unit);
        return s;
}

Sample *packet_add_value(Packet *p, const char *vital, const char *unit, double value) {
        Sample *s = packet_add(p, vital, unit);

        s->has_value = !isnan(value);
        if (s->has_value)
                s->value = value;
        return s;
}

static int check(const Packet *p, bool may_be_longer, Error *e) {
        if (p->ran_out)
                return error_set(e, -EBADMSG, "the value ends before its last field");
        if (p->left.len > 0 && !may_be_longer)
                return error_set(e, -EBADMSG, "%zu bytes more than its fields take", p->left.len);
        if (p->full)
                return error_set(e, -EBADMSG, "more than %d samples, or out of memory", SAMPLES_MAX);
        return 0;
}

int packet_close(Packet *p, bool may_be_longer, Error *e) {
        int r = check(p, may_be_longer, e);

        if (r < 0) {
                sample_list_clear(p->list);
                return r;
        }
        for (size_t i = 0; i < p->list->count; i++) {
                Sample *s = p->list->items + i;
                s->time_us = p->time_us;
                s->seq = p->seq;
                s->has_seq = p->has_seq;
                s->flags |= p->flags;
        }
        return 0;
}
