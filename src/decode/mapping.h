/* How a device's own JSON becomes samples: pointer, vital, unit, scale; from configuration alone.
 *
 *   maps:
 *     z2m-climate:
 *       time: {pointer: /last_seen, format: iso8601}     # unix_s | unix_ms | unix_us | iso8601; optional
 *       sequence: {pointer: /seq}                         # optional
 *       readings:
 *         - {pointer: /temperature, vital: ambient_temp, unit: Cel}
 *         - {pointer: /spo2, vital: spo2, unit: "%", scale: 0.1, offset: 0, optional: true, missing: [0, -1]}
 *
 * Pointers are RFC 6901; "" is the whole document, which may be a bare number or string. Numbers may come as strings, and
 * true and false are 1 and 0; acvpu also takes its letters. The value is what is found times scale, plus offset, in unit
 * (the vital's canonical one where none is given). `missing` lists numbers, as found, that mean "not measured".
 *
 * Where nothing is measured (the pointer leads nowhere, to null, to something that is not a number, to a missing one) the
 * sample has no value; an optional reading gives no sample at all. A time or sequence that is there but can't be read
 * refuses the payload. `assume_utc: true` beside iso8601 takes a time without a zone as UTC (it is refused else). */
#pragma once

#include "base/yaml.h"
#include "decode/decode.h"

enum { MAPPING_MISSING_MAX = 8 };

typedef struct MappingSet MappingSet;

/* Reads the `maps:` mapping; vitals and units are checked against the catalogue. An absent node gives an empty set. */
int mapping_set_read(
                const YamlNode *node, const Catalogue *catalogue, MappingSet **ret, Error *e) _must_check_;
MappingSet *mapping_set_free(MappingSet *s);
DEFINE_CLEANUP(MappingSet *, mapping_set_free);
const Mapping *mapping_set_find(const MappingSet *s, const char *name);

/* Handler of decode_payload(). */
int mapping_decode(const Mapping *m, Bytes payload, SampleList *list, Error *e) _must_check_;
