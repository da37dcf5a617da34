/* What the files of the CoAP source share. */
#pragma once

#include <coap3/coap.h>
#include <openssl/ssl.h>

#include "ingest/coap_block.h"
#include "ingest/coap_dedup.h"
#include "ingest/coap_devices.h"
#include "ingest/coap_message.h"
#include "ingest/coap_options.h"
#include "ingest/coap_rate.h"
#include "ingest/source.h"

typedef struct CoapSource CoapSource;
typedef struct CoapEndpoint CoapEndpoint;
typedef struct CoapPeer CoapPeer;
typedef struct Outstanding Outstanding;
typedef struct Observer Observer; /* coap_observe.c */

/* What is counted beside SourceCounters, by name in coap_count_names. */
typedef enum CoapCount {
        COUNT_REQUESTS,
        COUNT_RETRANSMISSIONS, /* the same message again: answered as before, or its answer is still to come */
        COUNT_MIDS_REUSED,     /* a message id again with another message: taken as new */
        COUNT_NON,             /* non-confirmable */
        COUNT_MULTICAST,
        COUNT_CLIENT_ERRORS, /* answered 4.xx */
        COUNT_UNAVAILABLE,   /* answered 5.03 */
        COUNT_RATE_LIMITED,
        COUNT_FORBIDDEN, /* spoke for another device, or had no identity to speak at all */
        COUNT_OUTSTANDING_FULL,
        COUNT_BLOCKS,
        COUNT_BLOCKS_REFUSED,
        COUNT_UNKNOWN_IDENTITIES,
        COUNT_RETURNED,        /* sessions closed because their device began a new one */
        COUNT_SESSIONS_CLOSED, /* because their key is gone or another one */
        COUNT_UNANSWERED,      /* the peer was gone before its answer */
        COUNT_KEYS_NOT_READ,   /* a reload that could not read psk_file: the old keys stay */
        COUNT_NOTIFICATIONS,
        COUNT_STALE, /* notifications that came too late (RFC 7641 3.4) */
        COUNT_REGISTRATIONS,
        COUNT_SILENCES, /* observed devices that were asked anew because they were silent */
        COUNT_OBSERVE_ERRORS,
        COAP_COUNTS,
} CoapCount;

/* A doubly linked list whose items are embedded. */
typedef struct Ring {
        struct Ring *previous, *next;
} Ring;

static inline void ring_init(Ring *head) {
        head->previous = head->next = head;
}
static inline bool ring_is_empty(const Ring *head) {
        return head->next == head;
}
static inline void ring_add(Ring *head, Ring *l) {
        *l = (Ring){ .previous = head->previous, .next = head };
        head->previous->next = l;
        head->previous = l;
}
static inline void ring_remove(Ring *l) {
        l->previous->next = l->next;
        l->next->previous = l->previous;
        ring_init(l);
}
/* All of from at the end of to. */
static inline void ring_append(Ring *to, Ring *from) {
        if (from->next == from)
                return;
        from->next->previous = to->previous;
        to->previous->next = from->next;
        from->previous->next = to;
        to->previous = from->previous;
        ring_init(from);
}

/* A request whose answer waits for the disk. It keeps its session alive. */
struct Outstanding {
        Ring ring; /* in one of the source's lists */
        CoapPeer *peer;
        CoapHead head;
        bool has_block;
        uint32_t block;
        char *text; /* what a 2.04 says beside; NULL */
        /* until it is handed over, which waits where the open batch is full */
        char device[NAME_MAX_LENGTH];
        Decoding decoding;
        uint8_t *payload;
        size_t len;
};

/* Who is at the other end of a session. */
struct CoapPeer {
        Ring ring; /* of the endpoint's peers */
        CoapEndpoint *endpoint;
        coap_session_t *session;
        char identity[PSK_IDENTITY_MAX]; /* that the handshake proved; "" */
        bool by_key;                     /* with a pre-shared key; else with a certificate */
        char device[NAME_MAX_LENGTH];    /* which it may speak for; "": none */
        int64_t heard_us;                /* its newest message, or the end of its handshake */
        DedupRing known;
};

/* One socket with what libcoap keeps for it. */
struct CoapEndpoint {
        CoapSource *source;
        bool secure;
        coap_context_t *context;
        sd_event_source *io;
        int socket; /* libcoap's own: looked at, not read */
        Ring peers;
        size_t peer_count;
        size_t outstanding; /* of all peers */
        RateTable *rate;    /* by address */
        RateTable *told;    /* how often an address is told that it is over it */
        BlockStore *blocks;
        SSL_CTX *tls;         /* libcoap's, known from the first handshake on */
        coap_bin_const_t psk; /* what libcoap was told last */
        unsigned burst;       /* datagrams a turn */
        uint64_t seen;        /* messages that reached a handler */
};

struct CoapSource {
        Source source;
        const CoapOptions *options;
        const SourceDevices *devices;
        SourceSink sink;
        sd_event *event;
        sd_event_source *begin; /* tells that it is up; tries again to be */
        sd_event_source *again; /* what was held goes on */
        PskTable *keys;         /* NULL: no keys */
        CoapEndpoint *plain, *secure;
        RateTable *device_rate;
        Observer *observer;      /* NULL: none */
        Ring open, closed, held; /* not yet in a closed batch; being written; not handed over */
        Outstanding *current;    /* is being handed over: what the pipeline does meanwhile concerns it too */
        bool live, paused;
        uint64_t read_us, answered_us; /* monotonic: newest hand-over, newest answers */
        size_t window;                 /* how many were answered at once, lately */
        size_t handed;                 /* handed over since the last batch was closed */
        uint64_t frames_told;
        uint64_t counts[COAP_COUNTS];
};

/* --- coap_endpoint.c --- */
/* Binds. -EADDRINUSE, -EADDRNOTAVAIL... where that can't be done now. */
int endpoint_open(CoapSource *s, bool secure, CoapEndpoint **ret, Error *e) _must_check_;
CoapEndpoint *endpoint_free(CoapEndpoint *p);
/* Reading is as the source's state says. */
void endpoint_watch(CoapEndpoint *p);
/* Answers left outside of its own turns. p may be NULL. Not from within one: it may forget sessions. */
void endpoint_answered(CoapEndpoint *p);

/* --- coap_peer.c --- */
/* The session's peer, made where there is none yet; NULL without memory. */
CoapPeer *peer_of(CoapEndpoint *p, coap_session_t *session);
void peer_free(CoapPeer *peer);
/* Sends it. Nothing leaves where the request wants none, or its session is over. */
void peer_send(CoapPeer *peer, const CoapHead *to, const CoapAnswer *a);
/* Sends it, and remembers it for retransmissions. Takes what a owns. */
void peer_answer(CoapPeer *peer, const CoapHead *to, CoapAnswer a);
/* A handshake is done: finds out who it was. */
void peer_authenticate(CoapPeer *peer);
/* The one with that address, or NULL. */
CoapPeer *peer_find(const CoapEndpoint *p, const coap_address_t *address);
/* Keys or devices changed: sessions of those that are gone or others are closed. old: the keys that were in force. */
void peers_review(CoapEndpoint *p, const PskTable *old);

/* --- coap_request.c --- */
void request_handle(
                CoapEndpoint *p, coap_session_t *session, const coap_pdu_t *request, coap_pdu_t *response);

/* How a payload of the device with that Content-Format is read; false: *a says why not. */
bool request_decoding(
                const CoapSource *s, const char *device, int content_format, Decoding *ret, CoapAnswer *a);

/* --- coap_outstanding.c --- */
/* A request of the peer's that is to be handed over; NULL without memory. */
Outstanding *outstanding_new(CoapPeer *peer, const CoapHead *head);
/* Hands the payload over, and answers now or with its batch. Takes o. */
void outstanding_submit(CoapSource *s, Outstanding *o, Bytes payload);
void outstanding_close_batch(CoapSource *s);
void outstanding_acknowledge(CoapSource *s);
/* None of them is or will be durable: 5.03. */
void outstanding_refuse(CoapSource *s);
/* What waited for room goes on. */
void outstanding_go_on(CoapSource *s);
void outstanding_free_all(CoapSource *s);

/* --- coap_observe.c --- */
int observer_new(CoapSource *s, Observer **ret, Error *e) _must_check_;
Observer *observer_free(Observer *o);
void observer_watch(Observer *o);
/* The source's devices changed. */
void observer_devices(Observer *o);
void observer_close_batch(Observer *o);
void observer_acknowledge(Observer *o);
void observer_suspend(Observer *o);
void observer_resume(Observer *o);

int64_t coap_now_us(void);
