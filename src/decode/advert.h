/* Bluetooth advertising data -> samples. Pure. docs/ble-formats.md says what becomes of each field. */
#pragma once

#include <stdbool.h>

#include "model/sample.h"

typedef enum AdvertKind {
        ADVERT_MANUFACTURER, /* manufacturer data: the code is a company id, the data what follows it */
        ADVERT_SERVICE,      /* service data: the code is a 16-bit UUID, the data what follows it */
} AdvertKind;

enum { ADVERT_KEY_SIZE = 16, ADVERT_ADDRESS_SIZE = 6, ADVERT_DATA_MAX = 1650 /* of an extended advert */ };

/* What decrypts a device's adverts. */
typedef struct AdvertSecret {
        uint8_t key[ADVERT_KEY_SIZE];
        uint8_t address[ADVERT_ADDRESS_SIZE]; /* as written: most significant byte first */
} AdvertSecret;

/* list is cleared first. secret: NULL for a device whose adverts are plain. A device with a secret must encrypt: a plain
 * advert of it is refused, as anybody can send one in its name.
 *
 * Sample.seq is the counter of an encrypted advert, else the packet number that the format has, if any. An encrypted
 * advert that was recorded and sent again decrypts as well: whoever has the counters of the past refuses it.
 *
 * -EBADMSG with the reason where the code is not one that is known or the data is not what it should be. */
int advert_decode(AdvertKind kind, uint16_t code, Bytes data, const AdvertSecret *secret, SampleList *list,
                Error *e) _must_check_;

/* Where the formats that are known are found: false beyond the last. */
bool advert_at(size_t i, AdvertKind *ret_kind, uint16_t *ret_code, const char **ret_name);
