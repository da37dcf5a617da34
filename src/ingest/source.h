/* Where bytes come from: the interface between a transport and the pipeline.
 *
 * The pipeline owns what durable means. A source hands frames over and keeps each one unacknowledged until the pipeline
 * says that everything handed over so far is durable. All calls are on the loop thread. */
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "decode/decode.h"
#include "model/registry.h"

typedef struct Source Source;

/* One message. Everything is borrowed for the call. */
typedef struct Frame {
        const char *device; /* id, from the topic, path or identity; valid by name_is_valid() */
        const char *origin; /* topic or path, for messages and quarantine */
        Bytes payload;
        Decoding decoding;
        bool redelivered; /* MQTT DUP */
        bool retained;
        bool durable; /* false on a best-effort lane: evaluated by the rules, neither stored nor acknowledged */
} Frame;

/* What a source asks of the pipeline. */
typedef struct SourceSink {
        void (*frame)(void *userdata, Source *s, const Frame *f);
        /* All that is waiting at the socket has been read (the batch may be closed if the source has a backlog). */
        void (*drained)(void *userdata, Source *s);
        /* connected or lost; reason is for people, empty when up. */
        void (*state)(void *userdata, Source *s, bool up, const char *reason);
        void *userdata;
} SourceSink;

typedef struct SourceCounters {
        uint64_t frames, bytes, acknowledged, redelivered, connects, disconnects;
        uint64_t refused; /* frames that never became one: topic without a device, payload too large */
} SourceCounters;

/* Dispatch: one const table for each kind of source. Each implementation embeds Source as its first member. */
typedef struct SourceOps {
        const char *kind; /* "mqtt" */
        /* Stop reading: a batch with frames of this source is being written. */
        void (*pause)(Source *s);
        /* Everything handed over so far is durable: let the acknowledgements leave, then read on. */
        void (*acknowledge)(Source *s);
        /* The store failed. Nothing since the last acknowledge() is durable and none of it may ever be acknowledged:
         * drop the connection without flushing, so that the peer keeps and redelivers it. Until resume() is called the
         * source delivers live, best effort, with durable = false, so that alerts go on. */
        void (*suspend)(Source *s);
        /* The store works again: connect the durable lane, close the live one. */
        void (*resume)(Source *s);
        /* More was waiting right after the last acknowledge: a deeper queue than one read. */
        bool (*backlogged)(const Source *s);
        Source *(*free)(Source *s);
} SourceOps;

struct Source {
        const SourceOps *ops;
        const char *name; /* from the configuration; for messages */
        SourceCounters counters;
        bool up;
};
