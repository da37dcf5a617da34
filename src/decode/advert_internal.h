/* The handlers of advert_decode(), one a format. They return -EBADMSG with the reason, else 0. */
#pragma once

#include "decode/advert.h"
#include "decode/packet.h"

int advert_bthome(Packet *p, const AdvertSecret *secret, Error *e) _must_check_;
int advert_atc(Packet *p, const AdvertSecret *secret, Error *e) _must_check_;
int advert_ruuvi(Packet *p, const AdvertSecret *secret, Error *e) _must_check_;
int advert_polar(Packet *p, const AdvertSecret *secret, Error *e) _must_check_;

enum { ADVERT_TAG_SIZE = 4 };

/* AES-128-CCM (RFC 3610) with a tag of 4 bytes: ret holds cipher.len bytes. -EBADMSG where the tag does not hold: another
 * key, another address, or changed on the way. */
int advert_decrypt(const AdvertSecret *secret, Bytes nonce, Bytes associated, Bytes cipher, Bytes tag,
                uint8_t *ret, Error *e) _must_check_;
