/* Payload bytes -> samples. Pure: no I/O, no clock, time is an argument. Every byte is hostile. */
#pragma once

#include "model/sample.h"

typedef struct Mapping Mapping; /* decode/mapping.h */

typedef enum DecodeFormat { DECODE_SENML_JSON, DECODE_SENML_CBOR, DECODE_JSON } DecodeFormat;

const char *decode_format_name(DecodeFormat f); /* "senml+json", "senml+cbor", "json" */
int decode_format_parse(const char *text, DecodeFormat *ret) _must_check_;
extern const char *const decode_format_names
                []; /* NULL-terminated, in the order of DecodeFormat: for YamlField.choices */

enum { DECODE_PAYLOAD_MAX = 64 * 1024 };

/* Decodes one payload into list (cleared first). mapping is needed for DECODE_JSON only.
 * now_us: wall clock, to resolve SenML's relative times (RFC 8428 4.5.3).
 * -EBADMSG with the reason in e where the payload is refused as a whole; a sample that has no value is not an
 * error here (validation refuses it). */
int decode_payload(DecodeFormat format, const Mapping *mapping, Bytes payload, int64_t now_us,
                SampleList *list, Error *e) _must_check_;
