/* Thermometers with the ATC firmware: atc1441's format, most significant byte first, and pvvx's "custom" format, least
 * significant byte first, plain and encrypted. They differ in length alone. */
#include <errno.h>
#include <stdio.h>

#include "decode/advert_internal.h"

enum { ATC1441_SIZE = 13, CUSTOM_SIZE = 15, ENCRYPTED_SIZE = 11, PLAIN_SIZE = 6 };

static void add(Packet *p, double temperature, double humidity, unsigned battery, uint8_t counter) {
        (void) packet_add_value(p, "ambient_temp", "Cel", temperature);
        (void) packet_add_value(p, "humidity", "%", humidity);
        (void) packet_add_value(p, "battery", "%", battery);
        p->seq = counter;
        p->has_seq = true;
}

static void take_atc1441(Packet *p) {
        (void) packet_bytes(p, ADVERT_ADDRESS_SIZE);
        double temperature = packet_be_signed(p, 2) / 10.0;
        unsigned humidity = packet_u8(p), battery = packet_u8(p);
        (void) packet_bytes(p, 2); /* the battery's voltage */
        add(p, temperature, humidity, battery, packet_u8(p));
}

static void take_custom(Packet *p) {
        (void) packet_bytes(p, ADVERT_ADDRESS_SIZE);
        double temperature = packet_le_signed(p, 2) / 100.0, humidity = packet_le(p, 2) / 100.0;
        (void) packet_bytes(p, 2); /* the battery's voltage */
        unsigned battery = packet_u8(p);
        add(p, temperature, humidity, battery, packet_u8(p));
        (void) packet_u8(p); /* the state of a pin */
}

/* The nonce is the address, last byte first, what stands before the data in the advert (length, type, UUID), and the
 * counter. */
static int take_encrypted(Packet *p, const AdvertSecret *secret, Error *e) {
        static const uint8_t head[] = { ENCRYPTED_SIZE + 3, 0x16, 0x1a, 0x18 }, associated[] = { 0x11 };
        uint8_t nonce[ADVERT_ADDRESS_SIZE + sizeof head + 1], plain[PLAIN_SIZE], *at = nonce;

        uint8_t counter = packet_u8(p);
        Bytes cipher = packet_bytes(p, PLAIN_SIZE), tag = packet_bytes(p, ADVERT_TAG_SIZE);
        for (size_t i = ADVERT_ADDRESS_SIZE; i > 0; i--)
                *at++ = secret->address[i - 1];
        at = mempcpy(at, head, sizeof head);
        *at = counter;
        int r = advert_decrypt(secret, BYTES(nonce, sizeof nonce), BYTES(associated, sizeof associated),
                        cipher, tag, plain, e);
        if (r < 0)
                return r;
        p->left = BYTES(plain, sizeof plain);
        double temperature = packet_le_signed(p, 2) / 100.0, humidity = packet_le(p, 2) / 100.0;
        add(p, temperature, humidity, packet_u8(p), counter);
        p->left = BYTES(NULL, 0); /* but for the state of a pin; not beyond plain's life */
        return 0;
}

int advert_atc(Packet *p, const AdvertSecret *secret, Error *e) {
        bool encrypted = p->left.len == ENCRYPTED_SIZE;

        if (!encrypted && p->left.len != ATC1441_SIZE && p->left.len != CUSTOM_SIZE)
                return error_set(e, -EBADMSG, "%zu bytes: expected %d, %d, or %d where encrypted",
                                p->left.len, ATC1441_SIZE, CUSTOM_SIZE, ENCRYPTED_SIZE);
        if (encrypted && !secret)
                return error_set(e, -EBADMSG, "encrypted, and there is no key for it");
        if (!encrypted && secret)
                return error_set(e, -EBADMSG, "not encrypted, though the device has a key");
        if (encrypted)
                return take_encrypted(p, secret, e);
        if (p->left.len == ATC1441_SIZE)
                take_atc1441(p);
        else
                take_custom(p);
        return 0;
}
