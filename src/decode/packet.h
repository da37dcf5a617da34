/* A binary payload of a Bluetooth device on its way to samples: fields are taken from its front, and what holds for all
 * samples (time, number, flags) is said once, wherever in the payload it stands.
 *
 * Nothing here needs a check in between: taking beyond the end gives zeros, adding beyond what fits goes nowhere, and
 * packet_close() says that it happened. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "model/sample.h"

typedef struct Packet {
        Bytes left;
        SampleList *list;
        bool ran_out, full;
        int64_t time_us; /* of all samples; TIME_NONE */
        uint64_t seq;    /* likewise, where has_seq */
        bool has_seq;
        uint16_t flags; /* ReadingFlag, added to those of each sample */
        Sample spare;   /* where samples go that don't fit */
} Packet;

Packet packet_open(Bytes payload, SampleList *list); /* list is cleared */

Bytes packet_bytes(Packet *p, size_t n); /* exactly n bytes; where there are fewer: none, and ran_out */
uint8_t packet_u8(Packet *p);
/* Least significant byte first, as Bluetooth writes. n is at most 4; for signed numbers 1, 2 or 4. */
uint32_t packet_le(Packet *p, size_t n);
int32_t packet_le_signed(Packet *p, size_t n);
/* Most significant byte first. */
uint32_t packet_be(Packet *p, size_t n);
int32_t packet_be_signed(Packet *p, size_t n);

/* A sample without a value, which can be changed until the next is added. unit: as unit_convert() knows it. */
Sample *packet_add(Packet *p, const char *vital, const char *unit);
/* value NAN: the sample stays without one. */
Sample *packet_add_value(Packet *p, const char *vital, const char *unit, double value);

/* Gives all samples what they share. -EBADMSG where the payload was too short, or bytes are left and may_be_longer is
 * false, or memory. The list is empty then. */
int packet_close(Packet *p, bool may_be_longer, Error *e) _must_check_;
