/* SenML JSON: any bytes are a pack or are refused; and what is taken for a pack is JSON to jansson, too. */
#include <jansson.h>
#include <stdlib.h>

#include "../fuzz/fuzz.h"
#include "decode/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        SampleList list = { 0 };
        Error e;

        if (decode_payload(&(Decoding){ .format = DECODE_SENML_JSON }, BYTES(data, size), 0, &list, &e) ==
                        0) {
                json_t *root = json_loadb((const char *) data, size, JSON_DECODE_INT_AS_REAL, NULL);
                if (!json_is_array(root) || list.count > json_array_size(root))
                        abort();
                json_decref(root);
        }
        sample_list_done(&list);
        return 0;
}
