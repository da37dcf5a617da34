/* Mapped JSON: any bytes give samples or are refused, through a map with every kind of field. */
#include <stdlib.h>

#include "../fuzz/fuzz.h"
#include "decode/mapping.h"

static const char map_text[] =
                "all:\n"
                "  time: {pointer: /last_seen, format: iso8601, assume_utc: true}\n"
                "  sequence: {pointer: /seq}\n"
                "  readings:\n"
                "    - {pointer: /temperature, vital: temp, unit: degF, scale: 0.1, offset: -1}\n"
                "    - {pointer: /humidity, vital: humidity, optional: true}\n"
                "    - {pointer: /SI7021/Temperature, vital: ambient_temp, optional: true}\n"
                "    - {pointer: /v/1/0, vital: rr, optional: true, missing: [0, -1]}\n"
                "    - {pointer: /a~1b/m~0n, vital: acvpu, optional: true}\n"
                "    - {pointer: '', vital: hr, optional: true}\n";

static void fuzz(const Catalogue *c, YamlDocument *d, const uint8_t *data, size_t size) {
        YamlNode root = yaml_root(d);
        SampleList list = { 0 };
        MappingSet *maps;
        Error e;

        if (mapping_set_read(&root, c, &maps, &e) < 0)
                abort();
        const Decoding decoding = { .format = DECODE_JSON, .mapping = mapping_set_find(maps, "all") };
        if (decode_payload(&decoding, BYTES(data, size), 0, &list, &e) == 0 &&
                        (list.count == 0 || list.count > 6))
                abort();
        sample_list_done(&list);
        mapping_set_free(maps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(catalogue_freep) Catalogue *c = NULL;
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;
        Error e;

        if (catalogue_new(&c) < 0 || yaml_load("map", BYTES_STRING(map_text), &d, &e) < 0)
                abort();
        fuzz(c, d, data, size);
        return 0;
}
