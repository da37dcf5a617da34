#include "decode/gatt.h"

#include <errno.h>

int gatt_decode(uint16_t characteristic, Bytes value, SampleList *list, Error *e) {
        (void) value;
        (void) list;
        return error_set(e, -EBADMSG, "no reading is known of characteristic %04X", characteristic);
}
