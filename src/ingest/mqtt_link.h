/* The MQTT source's connection: making it, keeping it, losing it and trying again. mqtt.c does the reading.
 *
 * One connection at a time: the durable lane (persistent session, QoS 1) or, after suspend(), the best-effort lane
 * (clean session, QoS 0, its own client id). Each attempt has a fresh libmosquitto client, so that nothing that an old
 * connection had queued can leave on a new one. */
#pragma once

#include <errno.h>
#include <mosquitto.h>
#include <systemd/sd-event.h>

#include "ingest/mqtt_options.h"

typedef struct MqttSource {
        Source source;
        const MqttOptions *options;
        SourceSink sink;
        sd_event *event;
        sd_event_source *io;    /* the socket; absent without a connection */
        sd_event_source *timer; /* with a connection: keepalive; without: the next attempt */
        sd_event_source *again; /* work for the next turn of the loop that no socket event will bring */
        struct mosquitto *client;
        bool live;      /* best-effort lane */
        bool paused;    /* between pause() and acknowledge() or suspend(): nothing is read or written */
        bool reading;   /* mosquitto_loop_read() is up the stack */
        bool reopen;    /* the lane has changed: this connection is already shut down */
        bool draining;  /* reading what a connection that is shut down had brought */
        bool reached;   /* TCP is up: before, only writability tells */
        bool accepted;  /* CONNACK said yes */
        bool refused;   /* CONNACK said no for a reason that won't pass by itself */
        bool denied;    /* SUBACK refused a filter */
        bool resending; /* the broker is still sending again what an earlier connection left unacknowledged */
        bool in_message;      /* while resending: its first byte has been looked at */
        uint64_t unacked;     /* durable frames handed over since the last acknowledge() */
        uint64_t window;      /* frames in a batch of late: what the broker has in flight at most */
        uint64_t flushed_us;  /* when the last acknowledgements left */
        uint64_t read_us;     /* when something was last read */
        uint64_t up_since_us; /* of this connection */
        int64_t backoff_us;
        char detail[128]; /* what libmosquitto said before a connection failed */
        char reason[256]; /* last told to the sink */
} MqttSource;

/* Sets the first attempt, for the next turn of the loop. */
int link_init(MqttSource *s) _must_check_;
/* Attempts a connection now; failure leads to another one later. */
void link_open(MqttSource *s);
/* Drops the connection with whatever is queued. */
void link_close(MqttSource *s);
/* The connection failed with libmosquitto's code (errno as it left it): tells the sink and sets the next attempt. */
void link_lost(MqttSource *s, int code);
/* Lets everything queued leave, as far as the socket takes it: acknowledgements too, so never while a frame is not yet
 * durable. */
void link_flush(MqttSource *s);
/* Waits for what makes sense now. Called after anything that may change it. */
void link_watch(MqttSource *s);

/* mosquitto_loop_read() goes on with a next packet where it believes that one is there (with TLS always while OpenSSL
 * holds bytes), unless errno says that there is none. Each callback ends with this, so that a call reads one packet: a
 * frame that came after pause() would be acknowledged with the batch that it isn't part of. */
static inline void link_end_packet(MqttSource *s) {
        s->in_message = false;
        errno = EAGAIN;
}

/* In mqtt.c: called by libmosquitto for each message, and by the loop where there is something to read. */
void source_on_message(struct mosquitto *m, void *userdata, const struct mosquitto_message *message);
int source_on_socket(sd_event_source *es, int fd, uint32_t revents, void *userdata);
