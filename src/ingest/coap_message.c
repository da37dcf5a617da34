#include "ingest/coap_message.h"

#include <stdio.h>

enum {
        /* Options that libcoap has no name for in all its versions (RFC 7252 5.10, RFC 7959 2.1, RFC 7967 2.1). */
        OPTION_URI_HOST = 3,
        OPTION_OBSERVE = 6,
        OPTION_URI_PORT = 7,
        OPTION_URI_PATH = 11,
        OPTION_CONTENT_FORMAT = 12,
        OPTION_URI_QUERY = 15,
        OPTION_ACCEPT = 17,
        OPTION_BLOCK2 = 23,
        OPTION_BLOCK1 = 27,
        OPTION_SIZE1 = 60,
        OPTION_NO_RESPONSE = 258,
        SEGMENTS_MAX = 2,
};

/* What is collected on the way through the options. */
typedef struct OptionWalk {
        CoapRequest *request;
        Bytes segments[SEGMENTS_MAX];
        size_t segment_count;
        unsigned previous;
} OptionWalk;

static void digest(uint64_t *h, const void *data, size_t len) {
        const uint8_t *p = data;

        for (size_t i = 0; i < len; i++) /* FNV-1a: whoever makes two alike loses a reading of its own */
                *h = (*h ^ p[i]) * UINT64_C(0x100000001b3);
}

/* RFC 7252 3.2: leading zero bytes are allowed; -1 where it is longer than the option may be. */
static int64_t read_uint(Bytes value, size_t max) {
        int64_t v = 0;

        if (value.len > max)
                return -1;
        for (size_t i = 0; i < value.len; i++)
                v = v << 8 | value.data[i];
        return v;
}

static bool is_critical(unsigned number) {
        return number & 1;
}

static bool bad_option(unsigned number, CoapAnswer *refusal) {
        *refusal = coap_answer(ANSWER_BAD_OPTION, "option %u", number);
        return false;
}

/* One that may not be repeated counts as unknown from the second time on (RFC 7252 5.4.5), and so does one with a value of
 * a length that it can't have (5.4.3): then critical ones refuse the request, others are passed over. */
static bool unusable(unsigned number, CoapAnswer *refusal) {
        return !is_critical(number) || bad_option(number, refusal);
}

static bool take_option(OptionWalk *w, unsigned number, Bytes value, CoapAnswer *refusal) {
        CoapRequest *r = w->request;
        bool again = number == w->previous;
        int64_t v;

        w->previous = number;
        switch (number) {
        case OPTION_URI_PATH:
                if (w->segment_count < SEGMENTS_MAX)
                        w->segments[w->segment_count] = value;
                w->segment_count++;
                return true;
        case OPTION_URI_HOST:
        case OPTION_URI_PORT:
        case OPTION_URI_QUERY:
        case OPTION_ACCEPT:
        case OPTION_BLOCK2:
                return true;
        case OPTION_CONTENT_FORMAT:
                if (!again && (v = read_uint(value, 2)) >= 0)
                        r->content_format = (int) v;
                return true;
        case OPTION_BLOCK1:
                if (again || value.len > 3)
                        return unusable(number, refusal);
                r->has_block = true;
                if (block_option_read(value, &r->block))
                        return true;
                *refusal = coap_answer(ANSWER_BAD_REQUEST, "block size 7 is reserved");
                return false;
        case OPTION_SIZE1:
                if (!again)
                        r->size1 = read_uint(value, 4);
                return true;
        case OPTION_NO_RESPONSE:
                if (!again && (v = read_uint(value, 1)) >= 0)
                        r->head.no_response = (unsigned) v;
                return true;
        case OPTION_OBSERVE: /* of a POST or PUT it means nothing (RFC 7641 2) */
                return true;
        default:
                return unusable(number, refusal);
        }
}

static bool segment_is(Bytes segment, const char *text) {
        return bytes_equal(segment, BYTES_STRING(text));
}

static CoapPath find_path(const OptionWalk *w) {
        CoapRequest *r = w->request;
        Bytes device = w->segments[1];

        if (w->segment_count == 2 && segment_is(w->segments[0], ".well-known") &&
                        segment_is(w->segments[1], "core"))
                return PATH_DISCOVERY;
        if (w->segment_count < 1 || w->segment_count > SEGMENTS_MAX || !segment_is(w->segments[0], "d"))
                return PATH_OTHER;
        /* "/d/" has an empty segment at its end */
        if (w->segment_count == 1 || device.len == 0)
                return PATH_OWN;
        if (device.len >= sizeof r->device || memchr(device.data, '\0', device.len))
                return PATH_OTHER;
        memcpy(r->device, device.data, device.len);
        r->device[device.len] = '\0';
        return name_is_valid(r->device) ? PATH_DEVICE : PATH_OTHER;
}

static void read_head(const coap_pdu_t *pdu, CoapRequest *r) {
        coap_bin_const_t token = coap_pdu_get_token(pdu);
        const uint8_t *data;
        size_t len;

        *r = (CoapRequest){
                .code = (unsigned) coap_pdu_get_code(pdu),
                .content_format = CONTENT_FORMAT_NONE,
                .size1 = -1,
        };
        r->head.mid = (uint16_t) coap_pdu_get_mid(pdu);
        r->head.confirmable = coap_pdu_get_type(pdu) == COAP_MESSAGE_CON;
        r->head.digest = UINT64_C(0xcbf29ce484222325);
        r->head.token_len = MIN(token.length, (size_t) TOKEN_MAX);
        if (r->head.token_len > 0)
                memcpy(r->head.token, token.s, r->head.token_len);
        if (coap_get_data(pdu, &len, &data))
                r->payload = BYTES(data, len);
        digest(&r->head.digest, &r->code, sizeof r->code);
        digest(&r->head.digest, r->head.token, r->head.token_len);
        digest(&r->head.digest, r->payload.data, r->payload.len);
}

bool request_read(const coap_pdu_t *pdu, CoapRequest *ret, CoapAnswer *refusal) {
        OptionWalk w = { .request = ret, .previous = UINT16_MAX + 1U };
        coap_opt_iterator_t i;
        coap_opt_t *option;
        bool good = true;

        read_head(pdu, ret);
        coap_option_iterator_init(pdu, &i, COAP_OPT_ALL);
        while ((option = coap_option_next(&i))) {
                Bytes value = BYTES(coap_opt_value(option), coap_opt_length(option));
                digest(&ret->head.digest, &i.number, sizeof i.number);
                digest(&ret->head.digest, &value.len, sizeof value.len);
                digest(&ret->head.digest, value.data, value.len);
                good = good && take_option(&w, i.number, value, refusal);
        }
        ret->path = find_path(&w);
        return good;
}
