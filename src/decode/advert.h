/* Bluetooth advertising data -> samples. Pure. */
#pragma once

#include "model/sample.h"

typedef enum AdvertKind {
        ADVERT_MANUFACTURER, /* manufacturer data: the code is a company id */
        ADVERT_SERVICE,      /* service data: the code is a 16-bit UUID */
} AdvertKind;

/* What decrypts a device's adverts. */
typedef struct AdvertSecret {
        uint8_t key[16];
        uint8_t address[6]; /* as written: most significant byte first */
} AdvertSecret;

/* -EBADMSG with the reason where the code is not one that is known or the data is not what it should be. */
int advert_decode(AdvertKind kind, uint16_t code, Bytes data, const AdvertSecret *secret, SampleList *list,
                Error *e) _must_check_;
