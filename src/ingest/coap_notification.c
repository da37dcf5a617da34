/* What observed devices send: a frame each, and its acknowledgement after the commit. */
#include <stdio.h>

#include "base/clock.h"
#include "ingest/coap_observe.h"

enum {
        MAX_AGE_DEFAULT_SECONDS = 60, /* RFC 7252 5.10.5 */
        MAX_AGE_SECONDS = 86400,      /* longer ones are not believed */
        CONTENT = COAP_CODE(2, 5),
};

/* The options that matter here. */
typedef struct Notification {
        bool observed; /* it has Observe: the registration is in force */
        uint32_t observe;
        int content_format;
        int64_t max_age_us;
        bool partial; /* more of it is in other blocks */
        Bytes payload;
} Notification;

static uint32_t number(const coap_opt_t *option) {
        return coap_opt_length(option) <= 4
                               ? coap_decode_var_bytes(coap_opt_value(option), coap_opt_length(option))
                               : UINT32_MAX;
}

static Notification read_options(const coap_pdu_t *pdu) {
        Notification n = { .content_format = CONTENT_FORMAT_NONE,
                .max_age_us = MAX_AGE_DEFAULT_SECONDS * USEC_PER_SEC };
        coap_opt_iterator_t i;
        coap_opt_t *option;
        const uint8_t *data;
        size_t len;

        coap_option_iterator_init(pdu, &i, COAP_OPT_ALL);
        while ((option = coap_option_next(&i))) {
                uint32_t v = number(option);
                if (i.number == COAP_OPTION_OBSERVE) {
                        n.observed = true;
                        n.observe = v;
                } else if (i.number == COAP_OPTION_CONTENT_FORMAT)
                        n.content_format = (int) MIN(v, (uint32_t) UINT16_MAX);
                else if (i.number == COAP_OPTION_MAXAGE)
                        n.max_age_us = (int64_t) MIN(v, (uint32_t) MAX_AGE_SECONDS) * USEC_PER_SEC;
                else if (i.number == COAP_OPTION_BLOCK2)
                        n.partial = v >> 3 & 1;
        }
        if (coap_get_data(pdu, &len, &data))
                n.payload = BYTES(data, len);
        return n;
}

/* Keeps libcoap from acknowledging, which it does for what is confirmable as soon as the handler is over. */
static void withhold_acknowledgement(const coap_pdu_t *received) {
        coap_pdu_set_type((coap_pdu_t *) received, COAP_MESSAGE_NON);
}

/* NULL where none is to leave: nobody wants one, or there is no memory. */
static NotificationAck *hold_acknowledgement(coap_session_t *session, const coap_pdu_t *received) {
        bool wanted = coap_pdu_get_type(received) == COAP_MESSAGE_CON;

        withhold_acknowledgement(received);
        NotificationAck *a = wanted ? malloc(sizeof *a) : NULL;
        if (!a)
                return NULL;
        a->session = coap_session_reference(session);
        a->mid = (uint16_t) coap_pdu_get_mid(received);
        ring_init(&a->ring);
        return a;
}

static void drop_acknowledgement(NotificationAck *a) {
        ring_remove(&a->ring);
        coap_session_release(a->session);
        free(a);
}

static void acknowledge(NotificationAck *a) {
        coap_pdu_t *pdu = coap_session_get_state(a->session) == COAP_SESSION_STATE_ESTABLISHED
                                          ? coap_pdu_init(COAP_MESSAGE_ACK, COAP_EMPTY_CODE, a->mid, 0)
                                          : NULL;

        if (pdu)
                (void) coap_send(a->session, pdu);
        drop_acknowledgement(a);
}

void observer_close_batch(Observer *o) {
        ring_append(&o->closed, &o->open);
}

void observer_acknowledge(Observer *o) {
        while (!ring_is_empty(&o->closed)) {
                o->source->source.counters.acknowledged++;
                acknowledge(container_of(o->closed.next, NotificationAck, ring));
        }
}

void observer_drop(Observer *o) {
        Ring *lists[] = { &o->open, &o->closed };

        for (size_t i = 0; i < ELEMENTS(lists); i++)
                for (Ring *r = lists[i]->next, *next; r != lists[i]; r = next) {
                        NotificationAck *a = container_of(r, NotificationAck, ring);
                        next = r->next;
                        if (a != o->handing) /* that one is dropped where its hand-over ends */
                                drop_acknowledgement(a);
                }
}

static void hand_over(Watched *w, const Notification *n, const Decoding *decoding, NotificationAck *a) {
        CoapSource *s = w->observer->source;
        const CoapTarget *t = &w->device->target;
        char origin[COAP_HOST_MAX + 128];
        FrameResult result = { 0 };
        bool durable = !s->live;

        (void) snprintf(origin, sizeof origin, "%s://%s/%.100s", t->secure ? "coaps" : "coap", t->host,
                        t->path);
        const Frame f = { .device = w->device->id,
                .origin = origin,
                .payload = n->payload,
                .decoding = *decoding,
                .durable = durable };
        s->source.counters.frames++;
        s->source.counters.bytes += n->payload.len;
        if (a)
                ring_add(&w->observer->open, &a->ring);
        w->observer->handing = a;
        s->sink.frame(s->sink.userdata, &s->source, &f, &result);
        w->observer->handing = NULL;
        if (!a)
                return;
        if (result.refused > 0 && result.accepted + result.duplicates == 0)
                return acknowledge(a); /* it would be the same the next time */
        if (!durable || s->live)
                drop_acknowledgement(a);
}

static void take_content(
                Watched *w, coap_session_t *session, const coap_pdu_t *received, const Notification *n) {
        CoapSource *s = w->observer->source;
        Decoding decoding;
        CoapAnswer why;

        s->counts[COUNT_NOTIFICATIONS]++;
        if (n->partial) {
                s->counts[COUNT_OBSERVE_ERRORS]++;
                return watched_failed(w, false, 0, "its readings don't fit one message");
        }
        if (!request_decoding(s, w->device->id, n->content_format, &decoding, &why)) {
                s->counts[COUNT_OBSERVE_ERRORS]++;
                watched_failed(w, false, 0, why.text ? why.text : "its format is unknown");
                return coap_answer_done(&why);
        }
        if (n->observed && !notification_is_fresh(&w->order, n->observe, coap_now_us())) {
                s->counts[COUNT_STALE]++;
                return;
        }
        watched_heard(w, n->max_age_us);
        if (rate_take(s->device_rate, BYTES_STRING(w->device->id), coap_now_us()) > 0) {
                s->counts[COUNT_RATE_LIMITED]++;
                return withhold_acknowledgement(received);
        }
        hand_over(w, n, &decoding, hold_acknowledgement(session, received));
}

/* False for what no registration of ours asked for: a reset ends it (RFC 7641 3.6). */
static bool is_expected(const Watched *w, const coap_pdu_t *received) {
        coap_bin_const_t token = coap_pdu_get_token(received);

        return w && w->state != WATCH_IDLE && w->session &&
               bytes_equal(BYTES(token.s, token.length), BYTES(w->token, sizeof w->token));
}

coap_response_t notification_handle(coap_session_t *session, const coap_pdu_t *sent,
                const coap_pdu_t *received, const coap_mid_t mid) {
        Watched *w = coap_session_get_app_data(session);
        unsigned code = (unsigned) coap_pdu_get_code(received);

        if (!is_expected(w, received))
                return COAP_RESPONSE_FAIL;
        Notification n = read_options(received);
        /* The answer to a registration is newer than all before: a device that began anew counts from the start. */
        if (sent || w->state == WATCH_ASKED)
                w->order.known = false;
        if (code == CONTENT) {
                take_content(w, session, received, &n);
                return COAP_RESPONSE_OK;
        }
        char why[64];
        (void) snprintf(why, sizeof why, "it answers %u.%02u", code >> 5, code & 31);
        w->observer->source->counts[COUNT_OBSERVE_ERRORS]++;
        watched_failed(w, false, code == ANSWER_UNAVAILABLE ? n.max_age_us : 0, why);
        return COAP_RESPONSE_OK;
}
