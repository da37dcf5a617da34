/* Payload bytes -> samples. Pure: no I/O, no clock, time is an argument. Every byte is hostile. */
#pragma once

#include <stdbool.h>

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

/* What an operator can ask for by name, in the order of a list: decode_format_names, "bthome", then each characteristic and
 * advert that is known ("gatt:2A37", "adv:0499", "svc:181A"). false beyond the last; mapping and secret are NULL. */
enum { DECODING_NAME_MAX = 24 };
bool decoding_at(size_t i, char ret_name[static DECODING_NAME_MAX], Decoding *ret);
/* One of them, with hexadecimal digits of any case. -EINVAL with the list and what is nearest. */
int decoding_parse(const char *text, Decoding *ret, Error *e) _must_check_;

enum { DECODE_PAYLOAD_MAX = 64 * 1024 };

/* Decodes one payload into list (cleared first).
 * now_us: wall clock, to resolve SenML's relative times (RFC 8428 4.5.3).
 * -EBADMSG with the reason in e where the payload is refused as a whole; a sample that has no value is not an
 * error here (validation refuses it). */
int decode_payload(
                const Decoding *d, Bytes payload, int64_t now_us, SampleList *list, Error *e) _must_check_;
