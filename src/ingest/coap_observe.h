/* Devices that are servers: what the two files about them share. */
#pragma once

#include "ingest/coap_internal.h"
#include "ingest/coap_order.h"

/* A confirmable notification whose acknowledgement waits for the disk. */
typedef struct NotificationAck {
        Ring ring;
        coap_session_t *session;
        uint16_t mid;
} NotificationAck;

typedef enum WatchState {
        WATCH_IDLE,  /* asks at due_us */
        WATCH_ASKED, /* gives up waiting at due_us */
        WATCH_HEARD, /* asks anew at due_us, where nothing comes until then */
} WatchState;

/* One observed device. */
typedef struct Watched {
        Observer *observer;
        const CoapDevice *device;
        coap_session_t *session; /* NULL: to be made */
        bool renew;              /* the session is to be made anew */
        bool lost;               /* and an alert says so */
        uint8_t token[TOKEN_MAX];
        WatchState state;
        int64_t due_us;
        unsigned failures;
        NotificationOrder order;
} Watched;

struct Observer {
        CoapSource *source;
        coap_context_t *context;
        sd_event_source *io, *timer;
        Watched **watched;
        size_t count;
        Ring open, closed;        /* NotificationAck */
        NotificationAck *handing; /* of what is being handed over */
};

/* When the next thing is due may have changed. */
void observer_schedule(Observer *o);
/* It is asked again after a while, with a session of its own where renew; why is for people. */
void watched_failed(Watched *w, bool renew, int64_t wait_us, const char *why);
/* Something came that is as it should be; silence_us: how long nothing may come now. */
void watched_heard(Watched *w, int64_t silence_us);

/* The acknowledgements that have not left will not. */
void observer_drop(Observer *o);
/* coap_notification.c: libcoap's handler for all that comes. */
coap_response_t notification_handle(coap_session_t *session, const coap_pdu_t *sent,
                const coap_pdu_t *received, const coap_mid_t mid);
