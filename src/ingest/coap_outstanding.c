/* From the hand-over to the answer: a 2.04 leaves after the commit of the batch that its frame is in, and not before. */
#include <sodium.h>
#include <stdio.h>

#include "base/fault.h"
#include "ingest/coap_internal.h"

enum {
        /* How long a device is asked to wait: at random, so that a ward doesn't come back as one. */
        RETRY_MIN_SECONDS = 2,
        RETRY_SPREAD_SECONDS = 6,
};

Outstanding *outstanding_new(CoapPeer *peer, const CoapHead *head) {
        Outstanding *o = calloc(1, sizeof *o);

        if (!o)
                return NULL;
        o->peer = peer;
        o->head = *head;
        ring_init(&o->ring);
        (void) coap_session_reference(peer->session);
        peer->endpoint->outstanding++;
        return o;
}

static void outstanding_free(Outstanding *o) {
        CoapPeer *peer = o->peer;

        ring_remove(&o->ring);
        peer->endpoint->outstanding--;
        coap_session_release(peer->session);
        free(o->text);
        free(o->payload);
        free(o);
}

static void answer(Outstanding *o, CoapAnswer a) {
        a.has_block = o->has_block;
        a.block = o->block;
        peer_answer(o->peer, &o->head, a);
        outstanding_free(o);
}

static void answer_stored(Outstanding *o) {
        CoapAnswer a = { .code = ANSWER_CHANGED };

        a.text = TAKE(o->text);
        o->peer->endpoint->source->source.counters.acknowledged++;
        answer(o, a);
}

static void answer_unavailable(Outstanding *o) {
        CoapAnswer a = coap_answer(ANSWER_UNAVAILABLE, "readings can't be stored now");

        a.max_age = RETRY_MIN_SECONDS + randombytes_uniform(RETRY_SPREAD_SECONDS);
        answer(o, a);
}

/* What no sending again would change. */
static CoapAnswer refusal(const CoapSource *s, const FrameResult *result) {
        CoapAnswer a;

        switch (result->worst) {
        case VERDICT_UNKNOWN_DEVICE:
                return coap_answer(ANSWER_NOT_FOUND, "unknown device");
        case VERDICT_OVERSIZED:
                a = coap_answer(ANSWER_TOO_LARGE, "%s", result->reason);
                a.size1 = (uint32_t) s->options->limits.payload;
                return a;
        case VERDICT_ACCEPTED:
        case VERDICT_DUPLICATE:
        case VERDICT_NO_VALUE:
        case VERDICT_NOT_FINITE:
        case VERDICT_UNKNOWN_VITAL:
        case VERDICT_UNKNOWN_UNIT:
        case VERDICT_MALFORMED:
        case VERDICT_COUNT:
                break;
        }
        return coap_answer(ANSWER_BAD_REQUEST, "%s", result->reason);
}

/* The rest is stored, and no sending again would change what was refused: the answer is 2.04 and says so. */
static void note_partly_refused(Outstanding *o, const FrameResult *result) {
        CoapAnswer a = coap_answer(ANSWER_CHANGED, "%zu of %zu refused: %s", result->refused,
                        result->refused + result->accepted + result->duplicates, result->reason);

        o->text = a.text;
}

static void hand_over(CoapSource *s, Outstanding *o, Bytes payload) {
        char origin[NAME_MAX_LENGTH + 16];
        FrameResult result = { 0 };
        bool durable = !s->live;

        (void) snprintf(origin, sizeof origin, "%s/d/%s",
                        o->peer->endpoint->secure ? "coaps:" : "coap:", o->device);
        const Frame f = { .device = o->device,
                .origin = origin,
                .payload = payload,
                .decoding = o->decoding,
                .durable = durable };
        s->source.counters.frames++;
        s->source.counters.bytes += payload.len;
        s->handed++;
        s->read_us = (uint64_t) coap_now_us();
        ring_add(&s->open, &o->ring);
        s->current = o;
        s->sink.frame(s->sink.userdata, &s->source, &f, &result);
        s->current = NULL;
        if (result.refused > 0 && result.accepted + result.duplicates == 0)
                return answer(o, refusal(s, &result));
        if (!durable || s->live)
                return answer_unavailable(o);
        if (result.refused > 0)
                note_partly_refused(o, &result);
        if (fault_ack_early())
                answer_stored(o);
}

void outstanding_submit(CoapSource *s, Outstanding *o, Bytes payload) {
        if (!s->paused)
                return hand_over(s, o, payload);
        /* Read in the same turn as what filled the batch. */
        o->payload = malloc(payload.len + 1);
        if (!o->payload)
                return answer_unavailable(o);
        memcpy(o->payload, payload.data, payload.len);
        o->len = payload.len;
        ring_add(&s->held, &o->ring);
}

void outstanding_go_on(CoapSource *s) {
        while (!s->paused && !ring_is_empty(&s->held)) {
                Outstanding *o = container_of(s->held.next, Outstanding, ring);
                _cleanup_free_ uint8_t *payload = TAKE(o->payload);
                ring_remove(&o->ring);
                hand_over(s, o, BYTES(payload, o->len));
        }
}

void outstanding_close_batch(CoapSource *s) {
        ring_append(&s->closed, &s->open);
        s->handed = 0;
}

void outstanding_acknowledge(CoapSource *s) {
        size_t n = 0;

        while (!ring_is_empty(&s->closed)) {
                answer_stored(container_of(s->closed.next, Outstanding, ring));
                n++;
        }
        if (n == 0)
                return;
        s->window = MAX(n, s->window - (s->window + 15) / 16);
        s->answered_us = (uint64_t) coap_now_us();
}

/* What is being handed over just now is answered where that ends. */
static void refuse_all(CoapSource *s, Ring *list) {
        Ring *next;

        for (Ring *r = list->next; r != list; r = next) {
                Outstanding *o = container_of(r, Outstanding, ring);
                next = r->next;
                if (o != s->current)
                        answer_unavailable(o);
        }
}

void outstanding_refuse(CoapSource *s) {
        refuse_all(s, &s->open);
        refuse_all(s, &s->closed);
        s->handed = 0;
}

void outstanding_free_all(CoapSource *s) {
        Ring *lists[] = { &s->open, &s->closed, &s->held };

        for (size_t i = 0; i < ELEMENTS(lists); i++)
                while (!ring_is_empty(lists[i]))
                        outstanding_free(container_of(lists[i]->next, Outstanding, ring));
}
