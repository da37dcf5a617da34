/* What becomes of a request: answered at once, or handed over as a frame and answered with its batch. */
#include <sodium.h>

#include "base/clock.h"
#include "ingest/coap_internal.h"

enum {
        FORMAT_LINK = 40,        /* RFC 6690 7.3 */
        FORMAT_JSON = 50,        /* RFC 7252 12.3 */
        FORMAT_SENML_JSON = 110, /* RFC 8428 12.3.2 */
        FORMAT_SENML_CBOR = 112,
        METHOD_GET = 1, /* RFC 7252 12.1.1 */
        METHOD_POST = 2,
        METHOD_PUT = 3,
        ROOM_WAIT_SECONDS = 1,
};

static const char discovery[] = "</d>;rt=\"wardstone.readings\";ct=\"110 112 50\"";

static bool is_forbidden(CoapSource *s, CoapAnswer *a, unsigned code, const char *why) {
        s->counts[COUNT_FORBIDDEN]++;
        *a = coap_answer(code, "%s", why);
        return false;
}

/* A device that has a way to prove who it is has to take it. */
static bool needs_proof(const CoapSource *s, const char *device) {
        const CoapDevice *d = coap_devices_find(s->devices, device);

        return psk_table_has_device(s->keys, device) || (d && d->identity);
}

/* Which device the request speaks for; false: *a says why none. */
static bool find_device(const CoapPeer *peer, const CoapRequest *r, const char **ret, CoapAnswer *a) {
        CoapSource *s = peer->endpoint->source;

        if (peer->endpoint->secure) {
                if (!peer->device[0])
                        return is_forbidden(s, a, ANSWER_UNAUTHORIZED, "this identity is no device's");
                if (r->path == PATH_DEVICE && !streq(r->device, peer->device))
                        return is_forbidden(s, a, ANSWER_FORBIDDEN, "this identity is another device's");
                *ret = peer->device;
                return true;
        }
        if (r->path == PATH_OWN) {
                *a = coap_answer(ANSWER_BAD_REQUEST, "expected /d/<device>");
                return false;
        }
        if (needs_proof(s, r->device))
                return is_forbidden(s, a, ANSWER_UNAUTHORIZED, "this device has an identity: use coaps");
        *ret = r->device;
        return true;
}

bool request_decoding(
                const CoapSource *s, const char *device, int content_format, Decoding *ret, CoapAnswer *a) {
        const CoapDevice *d = coap_devices_find(s->devices, device);

        *ret = (Decoding){ .format = DECODE_SENML_JSON };
        if (content_format == FORMAT_SENML_JSON)
                return true;
        if (content_format == FORMAT_SENML_CBOR)
                ret->format = DECODE_SENML_CBOR;
        else if (content_format == FORMAT_JSON)
                ret->format = DECODE_JSON;
        else if (content_format == CONTENT_FORMAT_NONE && d && d->format != COAP_FORMAT_NONE)
                ret->format = (DecodeFormat) d->format;
        else {
                *a = coap_answer(ANSWER_UNSUPPORTED_FORMAT, "expected Content-Format 110, 112 or 50");
                return false;
        }
        if (ret->format != DECODE_JSON)
                return true;
        ret->mapping = d && d->map ? mapping_set_find(s->options->maps, d->map) : s->options->mapping;
        if (!ret->mapping)
                *a = coap_answer(ANSWER_UNSUPPORTED_FORMAT, "no map for this device's JSON");
        return ret->mapping;
}

/* --- limits --- */

static Bytes address_of(const coap_session_t *session) {
        const coap_address_t *a = coap_session_get_addr_remote(session);

        if (a->addr.sa.sa_family == AF_INET6)
                return BYTES(&a->addr.sin6.sin6_addr, sizeof a->addr.sin6.sin6_addr);
        return BYTES(&a->addr.sin.sin_addr, sizeof a->addr.sin.sin_addr);
}

/* RFC 8516: in so many seconds. */
static bool is_too_often(CoapSource *s, RateTable *t, Bytes key, CoapAnswer *a) {
        int64_t wait_us = rate_take(t, key, coap_now_us());

        if (wait_us == 0)
                return false;
        s->counts[COUNT_RATE_LIMITED]++;
        *a = coap_answer(ANSWER_TOO_MANY, "too many requests");
        a->max_age = (uint32_t) MIN((wait_us + USEC_PER_SEC - 1) / USEC_PER_SEC, (int64_t) 60);
        return true;
}

static CoapAnswer busy(const char *what) {
        CoapAnswer a = coap_answer(ANSWER_UNAVAILABLE, "%s", what);

        a.max_age = ROOM_WAIT_SECONDS + randombytes_uniform(ROOM_WAIT_SECONDS + 1);
        return a;
}

static CoapAnswer too_large(const CoapSource *s) {
        CoapAnswer a = coap_answer(ANSWER_TOO_LARGE, "payloads have at most %lld bytes",
                        (long long) s->options->limits.payload);

        a.size1 = (uint32_t) s->options->limits.payload;
        return a;
}

/* One that never becomes a frame. */
static void refuse(CoapPeer *peer, const CoapRequest *r, CoapAnswer a) {
        peer->endpoint->source->source.counters.refused++;
        peer_answer(peer, &r->head, a);
}

/* --- blocks --- */

static CoapAnswer block_answer(CoapSource *s, const CoapRequest *r, BlockResult result) {
        CoapAnswer a = { .code = ANSWER_CONTINUE };

        s->counts[COUNT_BLOCKS_REFUSED] += result != BLOCK_MORE;
        switch (result) {
        case BLOCK_MORE:
        case BLOCK_COMPLETE:
                break;
        case BLOCK_MALFORMED:
                a = coap_answer(ANSWER_BAD_REQUEST, "a block of another size than it says");
                break;
        case BLOCK_INCOMPLETE:
                a = coap_answer(ANSWER_INCOMPLETE, "not the block that comes next: begin anew");
                break;
        case BLOCK_TOO_LARGE:
                a = too_large(s);
                break;
        case BLOCK_NO_ROOM:
                a = busy("too many block-wise transfers");
                break;
        }
        a.has_block = true;
        a.block = block_option_value(r->block);
        return a;
}

/* True where the payload is whole now; false where the block was answered. */
static bool assemble(CoapPeer *peer, CoapRequest *r, const char *device) {
        CoapSource *s = peer->endpoint->source;
        const BlockPart part = { .owner = peer,
                .device = device,
                .format = r->content_format,
                .option = r->block,
                .size1 = r->size1,
                .payload = r->payload };

        s->counts[COUNT_BLOCKS]++;
        BlockResult result = block_store_add(peer->endpoint->blocks, &part, coap_now_us(), &r->payload);
        if (result == BLOCK_COMPLETE)
                return true;
        if (result == BLOCK_MORE)
                peer_answer(peer, &r->head, block_answer(s, r, result));
        else
                refuse(peer, r, block_answer(s, r, result));
        return false;
}

/* --- one request --- */

static void submit(CoapPeer *peer, CoapRequest *r, const char *device) {
        CoapSource *s = peer->endpoint->source;
        Decoding decoding;
        CoapAnswer a;

        if (!request_decoding(s, device, r->content_format, &decoding, &a))
                return refuse(peer, r, a);
        if (r->has_block && !assemble(peer, r, device))
                return;
        if (r->payload.len > (size_t) s->options->limits.payload)
                return refuse(peer, r, too_large(s));
        Outstanding *o = outstanding_new(peer, &r->head);
        if (!o)
                return refuse(peer, r, busy("out of memory"));
        (void) memcpy(o->device, device, strlen(device) + 1);
        o->decoding = decoding;
        o->has_block = r->has_block;
        o->block = block_option_value(r->block);
        outstanding_submit(s, o, r->payload);
}

/* One that nothing is known of yet, of a device. */
static void handle_new(CoapPeer *peer, CoapRequest *r) {
        CoapSource *s = peer->endpoint->source;
        const char *device;
        CoapAnswer a;

        if (r->code != METHOD_POST && r->code != METHOD_PUT)
                return refuse(peer, r, coap_answer(ANSWER_METHOD_NOT_ALLOWED, "expected POST or PUT"));
        if (!find_device(peer, r, &device, &a))
                return refuse(peer, r, a);
        if (is_too_often(s, s->device_rate, BYTES_STRING(device), &a))
                return refuse(peer, r, a);
        if (peer->endpoint->outstanding >= (size_t) s->options->limits.outstanding ||
                        !dedup_begin(&peer->known, r->head.mid, r->head.digest, coap_now_us())) {
                s->counts[COUNT_OUTSTANDING_FULL]++;
                return refuse(peer, r, busy("too many requests wait for the disk"));
        }
        submit(peer, r, device);
}

/* Answered as before, or not yet: RFC 7252 4.5. */
static bool is_known(CoapPeer *peer, const CoapRequest *r) {
        DedupEntry *e = dedup_find(&peer->known, r->head.mid, r->head.digest, coap_now_us());

        if (!e)
                return false;
        peer->endpoint->source->counts[COUNT_RETRANSMISSIONS]++;
        if (e->state == DEDUP_ANSWERED && r->head.confirmable &&
                        rate_take(peer->endpoint->rate, address_of(peer->session), coap_now_us()) == 0)
                peer_send(peer, &r->head, &e->answer);
        return true;
}

/* The address may be forged: whoever it is gets no more answers than it had requests to. */
static void refuse_address(CoapPeer *peer, const CoapRequest *r, CoapAnswer a) {
        if (rate_take(peer->endpoint->told, address_of(peer->session), coap_now_us()) == 0)
                return refuse(peer, r, a);
        peer->endpoint->source->source.counters.refused++;
        coap_answer_done(&a);
}

static void count(CoapSource *s, const CoapRequest *r) {
        s->counts[COUNT_REQUESTS]++;
        s->counts[COUNT_NON] += !r->head.confirmable;
        s->counts[COUNT_MULTICAST] += r->head.multicast;
}

void request_handle(
                CoapEndpoint *p, coap_session_t *session, const coap_pdu_t *request, coap_pdu_t *response) {
        CoapSource *s = p->source;
        CoapRequest r;
        CoapAnswer a;

        /* Non-confirmable, with code 0.00: libcoap sends nothing by itself. */
        coap_pdu_set_type(response, COAP_MESSAGE_NON);
        p->seen++;
        CoapPeer *peer = peer_of(p, session);
        if (!peer)
                return; /* it sends again */
        peer->heard_us = coap_now_us();
        bool good = request_read(request, &r, &a);
        r.head.multicast = coap_is_mcast(coap_session_get_addr_local(session));
        count(s, &r);
        if (is_known(peer, &r)) {
                if (!good)
                        coap_answer_done(&a);
                return;
        }
        if (!good)
                return refuse(peer, &r, a);
        if (is_too_often(s, p->rate, address_of(session), &a))
                return refuse_address(peer, &r, a);
        switch (r.path) {
        case PATH_OTHER:
                return refuse(peer, &r, coap_answer(ANSWER_NOT_FOUND, "expected /d/<device>"));
        case PATH_OWN:
        case PATH_DEVICE:
                return handle_new(peer, &r);
        case PATH_DISCOVERY:
                break;
        }
        if (r.code != METHOD_GET)
                return refuse(peer, &r, coap_answer(ANSWER_METHOD_NOT_ALLOWED, "expected GET"));
        if (r.head.multicast)
                return;
        coap_pdu_set_type(response, r.head.confirmable ? COAP_MESSAGE_ACK : COAP_MESSAGE_NON);
        coap_add_data_blocked_response(request, response, FORMAT_LINK, -1, sizeof discovery - 1,
                        (const uint8_t *) discovery);
}
