/* SenML CBOR: any bytes are a pack or are refused, and names and units are what they must be. */
#include <stdlib.h>

#include "../fuzz/fuzz.h"
#include "decode/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        SampleList list = { 0 };
        Error e;

        if (decode_payload(&(Decoding){ .format = DECODE_SENML_CBOR }, BYTES(data, size), 0, &list, &e) == 0)
                for (size_t i = 0; i < list.count; i++) {
                        if (list.items[i].name[0] == '\0' || strpbrk(list.items[i].name, " \n\"\\%"))
                                abort();
                        if (strnlen(list.items[i].unit, VITAL_UNIT_MAX) == VITAL_UNIT_MAX)
                                abort();
                }
        sample_list_done(&list);
        return 0;
}
