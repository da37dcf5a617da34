#include "decode/decode.h"

#include <errno.h>

#include "decode/mapping.h"
#include "decode/senml.h"

const char *const decode_format_names[] = {
        [DECODE_SENML_JSON] = "senml+json",
        [DECODE_SENML_CBOR] = "senml+cbor",
        [DECODE_JSON] = "json",
        NULL,
};

const char *decode_format_name(DecodeFormat f) {
        return decode_format_names[f];
}

int decode_format_parse(const char *text, DecodeFormat *ret) {
        for (size_t i = 0; decode_format_names[i]; i++)
                if (streq(text, decode_format_names[i])) {
                        *ret = (DecodeFormat) i;
                        return 0;
                }
        return -EINVAL;
}

static int dispatch(DecodeFormat format, const Mapping *mapping, Bytes payload, int64_t now_us,
                SampleList *list, Error *e) {
        switch (format) {
        case DECODE_SENML_JSON:
                return senml_json_decode(payload, now_us, list, e);
        case DECODE_SENML_CBOR:
                return senml_cbor_decode(payload, now_us, list, e);
        case DECODE_JSON:
                return mapping_decode(mapping, payload, list, e);
        }
        return error_set(e, -EBADMSG, "unknown format");
}

int decode_payload(DecodeFormat format, const Mapping *mapping, Bytes payload, int64_t now_us,
                SampleList *list, Error *e) {
        sample_list_clear(list);
        if (payload.len > DECODE_PAYLOAD_MAX)
                return error_set(e, -EBADMSG, "a payload of %zu bytes: expected at most %d", payload.len,
                                DECODE_PAYLOAD_MAX);
        int r = dispatch(format, mapping, payload, now_us, list, e);
        if (r < 0)
                sample_list_clear(list);
        return r;
}
