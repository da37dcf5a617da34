#include "decode/advert.h"

#include <errno.h>

int advert_decode(AdvertKind kind, uint16_t code, Bytes data, const AdvertSecret *secret, SampleList *list,
                Error *e) {
        (void) data;
        (void) secret;
        (void) list;
        return error_set(e, -EBADMSG, "no reading is known of %s %04X",
                        kind == ADVERT_SERVICE ? "service data" : "manufacturer data", code);
}
