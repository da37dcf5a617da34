/* BTHome v2: device information, then objects of an id and a value (bthome.io/format). */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "decode/advert_internal.h"

enum { ENCRYPTED = 1 << 0, VERSION_SHIFT = 5, VERSION = 2 };
enum { UUID_LOW = 0xd2, UUID_HIGH = 0xfc, COUNTER_SIZE = 4, NONCE_SIZE = 13 };

enum { PACKET_ID = 0x00, TIMESTAMP = 0x50, TEXT = 0x53, RAW = 0x54 };

/* An object with a length alone is stepped over. Those of one length in a row are one row here. */
typedef struct Object {
        uint8_t first, last;
        uint8_t length; /* bytes; 0: the first byte says it */
        bool is_signed;
        uint8_t multiplier;
        uint16_t divisor; /* value: number * multiplier / divisor */
        const char *vital, *unit;
} Object;

static const Object objects[] = {
        { PACKET_ID, PACKET_ID, 1 }, { 0x01, 0x01, 1, false, 1, 1, "battery", "%" },
        { 0x02, 0x02, 2, true, 1, 100, "ambient_temp", "Cel" },
        { 0x03, 0x03, 2, false, 1, 100, "humidity", "%" },
        { 0x04, 0x04, 3, false, 1, 100, "pressure", "hPa" }, { 0x05, 0x05, 3 }, /* illuminance */
        { 0x06, 0x06, 2, false, 1, 100, "weight", "kg" },
        { 0x07, 0x07, 2, false, 1, 100, "weight", "[lb_av]" }, { 0x08, 0x08, 2 }, /* dew point */
        { 0x09, 0x09, 1 },                                                        /* count */
        { 0x0a, 0x0b, 3 },                                                        /* energy, power */
        { 0x0c, 0x0e, 2 },                                                        /* voltage, fine dust */
        { 0x0f, 0x10, 1 },                           /* on or off: generic, power */
        { 0x11, 0x11, 1, false, 1, 1, "door", "1" }, /* opening */
        { 0x12, 0x14, 2 },                           /* carbon dioxide, volatile compounds, moisture */
        { 0x15, 0x19, 1 },                           /* on or off: low battery to connectivity */
        { 0x1a, 0x1a, 1, false, 1, 1, "door", "1" },
        { 0x1b, 0x2d, 1 }, /* on or off: garage door to window */
        { 0x2e, 0x2e, 1, false, 1, 1, "humidity", "%" }, { 0x2f, 0x2f, 1 },       /* moisture */
        { 0x3a, 0x3a, 1 },                                                        /* button */
        { 0x3c, 0x3d, 2 },                                                        /* dimmer, count */
        { 0x3e, 0x3e, 4 },                                                        /* count */
        { 0x3f, 0x41, 2 },                                                        /* rotation, distance */
        { 0x42, 0x42, 3 },                                                        /* duration */
        { 0x43, 0x44, 2 },                                                        /* current, speed */
        { 0x45, 0x45, 2, true, 1, 10, "ambient_temp", "Cel" }, { 0x46, 0x46, 1 }, /* ultraviolet index */
        { 0x47, 0x4a, 2 },                                                        /* volume, flow, voltage */
        { 0x4b, 0x4b, 3 },                                                        /* gas */
        { 0x4c, 0x4f, 4 },                              /* gas, energy, volume, water */
        { TIMESTAMP, TIMESTAMP, 4 }, { 0x51, 0x52, 2 }, /* acceleration, gyroscope */
        { TEXT, RAW, 0 }, { 0x55, 0x55, 4 },            /* volume stored */
        { 0x56, 0x56, 2 },                              /* conductivity */
        { 0x57, 0x57, 1, true, 1, 1, "ambient_temp", "Cel" },
        { 0x58, 0x58, 1, true, 35, 100, "ambient_temp", "Cel" }, { 0x59, 0x59, 1 }, /* count */
        { 0x5a, 0x5a, 2 },                                                          /* count */
        { 0x5b, 0x5c, 4 },                                                          /* count, power */
        { 0x5d, 0x5f, 2 }, /* current, direction, precipitation */
        { 0x60, 0x60, 1 }, /* channel */
        { 0x61, 0x61, 2 }, /* revolutions */
        { 0x62, 0x63, 4 }, /* speed, acceleration */
        { 0x64, 0x64, 1 }, /* light level */
        { 0xf0, 0xf0, 2 }, /* device type */
        { 0xf1, 0xf1, 4 }, /* firmware version */
        { 0xf2, 0xf2, 3 }, /* firmware version */
};

static const Object *find_object(uint8_t id) {
        for (size_t i = 0; i < ELEMENTS(objects); i++)
                if (id >= objects[i].first && id <= objects[i].last)
                        return objects + i;
        return NULL;
}

static void take_object(Packet *p, const Object *o, bool has_counter) {
        if (o->vital) {
                double number;
                if (o->is_signed)
                        number = packet_le_signed(p, o->length);
                else
                        number = packet_le(p, o->length);
                (void) packet_add_value(p, o->vital, o->unit, number * o->multiplier / o->divisor);
        } else if (o->first == PACKET_ID) {
                uint8_t id = packet_u8(p);
                if (!has_counter) {
                        p->seq = id;
                        p->has_seq = true;
                }
        } else if (o->first == TIMESTAMP) {
                p->time_us = packet_le(p, o->length) * USEC_PER_SEC;
        } else {
                (void) packet_bytes(p, o->length > 0 ? o->length : packet_u8(p));
        }
}

/* An id that is not known ends what can be read, as nobody knows its length; those before it hold. */
static void take_objects(Packet *p, bool has_counter) {
        while (p->left.len > 0) {
                const Object *o = find_object(packet_u8(p));
                if (!o)
                        p->left.len = 0;
                else
                        take_object(p, o, has_counter);
        }
}

static int decrypt(Packet *p, uint8_t information, const AdvertSecret *secret, uint8_t *plain, Error *e) {
        uint8_t nonce[NONCE_SIZE] = { 0 };

        if (!secret)
                return error_set(e, -EBADMSG, "encrypted, and there is no key for it");
        if (p->left.len <= COUNTER_SIZE + ADVERT_TAG_SIZE)
                return error_set(e, -EBADMSG, "encrypted, but of %zu bytes: expected more than %d",
                                p->left.len, COUNTER_SIZE + ADVERT_TAG_SIZE);
        Bytes cipher = packet_bytes(p, p->left.len - COUNTER_SIZE - ADVERT_TAG_SIZE);
        const uint8_t *counter = p->left.data;
        uint32_t number = packet_le(p, COUNTER_SIZE);
        Bytes tag = packet_bytes(p, ADVERT_TAG_SIZE);
        uint8_t *at = mempcpy(nonce, secret->address, sizeof secret->address);
        *at++ = UUID_LOW;
        *at++ = UUID_HIGH;
        *at++ = information;
        memcpy(at, counter, COUNTER_SIZE);
        int r = advert_decrypt(secret, BYTES(nonce, sizeof nonce), BYTES(NULL, 0), cipher, tag, plain, e);
        if (r < 0)
                return r;
        p->seq = number;
        p->has_seq = true;
        p->left = BYTES(plain, cipher.len);
        return 0;
}

int advert_bthome(Packet *p, const AdvertSecret *secret, Error *e) {
        uint8_t plain[ADVERT_DATA_MAX], information = packet_u8(p);
        unsigned version = information >> VERSION_SHIFT;
        bool encrypted = information & ENCRYPTED;

        if (p->ran_out)
                return 0;
        if (version != VERSION)
                return error_set(e, -EBADMSG, "version %u: expected %d", version, VERSION);
        if (encrypted) {
                int r = decrypt(p, information, secret, plain, e);
                if (r < 0)
                        return r;
        } else if (secret)
                return error_set(e, -EBADMSG, "not encrypted, though the device has a key");
        take_objects(p, encrypted);
        p->left = BYTES(NULL, 0); /* not beyond plain's life */
        return 0;
}
