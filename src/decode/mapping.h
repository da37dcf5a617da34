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
 * Pointers are RFC 6901. Numbers may come as strings. `missing` lists values that mean "not measured". */
#pragma once

#include "base/yaml.h"
#include "decode/decode.h"

typedef struct MappingSet MappingSet;

/* Reads the `maps:` mapping; vitals are checked against the catalogue. An absent node gives an empty set. */
int mapping_set_read(
                const YamlNode *node, const Catalogue *catalogue, MappingSet **ret, Error *e) _must_check_;
MappingSet *mapping_set_free(MappingSet *s);
DEFINE_CLEANUP(MappingSet *, mapping_set_free);
const Mapping *mapping_set_find(const MappingSet *s, const char *name);
