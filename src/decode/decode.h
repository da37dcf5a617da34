/* Payload bytes -> samples. Pure: no I/O, no clock, time is an argument. Every byte is hostile. */
#pragma once

#include "model/sample.h"

typedef struct Mapping Mapping;           /* decode/mapping.h */
typedef struct AdvertSecret AdvertSecret; /* decode/advert.h */

typedef enum DecodeFormat {
        DECODE_SENML_JSON,
        DECODE_SENML_CBOR,
        DECODE_JSON,
        DECODE_GATT,         /* a Bluetooth characteristic's value */
        DECODE_MANUFACTURER, /* a Bluetooth advert's manufacturer data */
        DECODE_SERVICE,      /* a Bluetooth advert's service data */
} DecodeFormat;

/* How a payload is to be read. */
typedef struct Decoding {
        DecodeFormat format;
        const Mapping *mapping; /* DECODE_JSON */
        uint16_t code;          /* GATT: the characteristic; adverts: company id or 16-bit service UUID */
        const AdvertSecret *secret; /* of encrypted adverts; NULL */
} Decoding;

const char *decode_format_name(DecodeFormat f); /* "senml+json", "senml+cbor", "json" */
/* One of decode_format_names. */
int decode_format_parse(const char *text, DecodeFormat *ret) _must_check_;
/* The formats of messages, which a configuration can name: NULL-terminated, in the order of DecodeFormat. */
extern const char *const decode_format_names[];

enum { DECODE_PAYLOAD_MAX = 64 * 1024 };

/* Decodes one payload into list (cleared first).
 * now_us: wall clock, to resolve SenML's relative times (RFC 8428 4.5.3).
 * -EBADMSG with the reason in e where the payload is refused as a whole; a sample that has no value is not an
 * error here (validation refuses it). */
int decode_payload(
                const Decoding *d, Bytes payload, int64_t now_us, SampleList *list, Error *e) _must_check_;
