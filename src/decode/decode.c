#include "decode/decode.h"

#include <errno.h>

#include "decode/advert.h"
#include "decode/gatt.h"
#include "decode/mapping.h"
#include "decode/senml.h"

const char *const decode_format_names[] = {
        [DECODE_SENML_JSON] = "senml+json",
        [DECODE_SENML_CBOR] = "senml+cbor",
        [DECODE_JSON] = "json",
        NULL,
};

const char *decode_format_name(DecodeFormat f) {
        switch (f) {
        case DECODE_SENML_JSON:
        case DECODE_SENML_CBOR:
        case DECODE_JSON:
                return decode_format_names[f];
        case DECODE_GATT:
                return "gatt";
        case DECODE_MANUFACTURER:
                return "adv";
        case DECODE_SERVICE:
                return "svc";
        }
        return NULL;
}

int decode_format_parse(const char *text, DecodeFormat *ret) {
        for (size_t i = 0; decode_format_names[i]; i++)
                if (streq(text, decode_format_names[i])) {
                        *ret = (DecodeFormat) i;
                        return 0;
                }
        return -EINVAL;
}

static int dispatch(const Decoding *d, Bytes payload, int64_t now_us, SampleList *list, Error *e) {
        switch (d->format) {
        case DECODE_SENML_JSON:
                return senml_json_decode(payload, now_us, list, e);
        case DECODE_SENML_CBOR:
                return senml_cbor_decode(payload, now_us, list, e);
        case DECODE_JSON:
                return mapping_decode(d->mapping, payload, list, e);
        case DECODE_GATT:
                return gatt_decode(d->code, payload, list, e);
        case DECODE_MANUFACTURER:
                return advert_decode(ADVERT_MANUFACTURER, d->code, payload, d->secret, list, e);
        case DECODE_SERVICE:
                return advert_decode(ADVERT_SERVICE, d->code, payload, d->secret, list, e);
        }
        return error_set(e, -EBADMSG, "unknown format");
}

int decode_payload(const Decoding *d, Bytes payload, int64_t now_us, SampleList *list, Error *e) {
        sample_list_clear(list);
        if (payload.len > DECODE_PAYLOAD_MAX)
                return error_set(e, -EBADMSG, "a payload of %zu bytes: expected at most %d", payload.len,
                                DECODE_PAYLOAD_MAX);
        int r = dispatch(d, payload, now_us, list, e);
        if (r < 0)
                sample_list_clear(list);
        return r;
}
