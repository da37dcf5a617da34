/* Where bytes come from: the interface between a transport and the pipeline.
 *
 * The pipeline owns what durable means. A source hands frames over and keeps each one unacknowledged until the pipeline
 * says that it is durable. All calls are on the loop thread. */
#pragma once

#include <systemd/sd-event.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/yaml.h"
#include "decode/decode.h"
#include "decode/mapping.h"
#include "decode/validate.h"
#include "model/registry.h"

typedef struct Source Source;
typedef struct SourceKind SourceKind;

/* One message. Everything is borrowed for the call. */
typedef struct Frame {
        const char *device; /* id, from the topic, path or identity; valid by name_is_valid() */
        const char *origin; /* topic, path or characteristic, for messages and quarantine */
        Bytes payload;
        Decoding decoding;
        bool redelivered; /* MQTT DUP */
        bool retained;
        bool durable; /* false on a best-effort lane: evaluated by the rules, neither stored nor acknowledged */
        DeviceClock clock;
        int64_t clock_offset_us; /* for DEVICE_CLOCK_CORRECTED */
} Frame;

enum { FRAME_REASON_MAX = 128 };

/* What became of a frame: for sources that can answer the device. */
typedef struct FrameResult {
        size_t accepted, duplicates, refused; /* samples; a frame that is refused whole counts as one */
        Verdict worst;                        /* VERDICT_ACCEPTED where nothing was refused */
        char reason[FRAME_REASON_MAX];        /* for people, of the last refusal; "" */
} FrameResult;

/* What a source asks of the pipeline. */
typedef struct SourceSink {
        /* ret: NULL where nobody is to be told. */
        void (*frame)(void *userdata, Source *s, const Frame *f, FrameResult *ret);
        /* All that is waiting at the socket has been read (the batch may be closed if the source has a backlog). */
        void (*drained)(void *userdata, Source *s);
        /* connected or lost; reason is for people, empty when up. */
        void (*state)(void *userdata, Source *s, bool up, const char *reason);
        /* A technical alert "<name>:<about>" that is the source's own to raise, and (summary NULL) to end. name is one of
         * source_alert_names, about a device or a source. */
        void (*alert)(void *userdata, Source *s, const char *name, const char *about, const char *summary);
        /* The device as it is now, or NULL where no configuration lists it. */
        const Device *(*device)(void *userdata, const char *id);
        void *userdata;
} SourceSink;

/* NULL-terminated. */
extern const char *const source_alert_names[];

typedef struct SourceCounters {
        uint64_t frames, bytes, acknowledged, redelivered, connects, disconnects;
        uint64_t refused; /* frames that never became one: topic without a device, payload too large */
} SourceCounters;

/* What an item of wardstone.yaml says of one source; the first member of each kind's options. */
typedef struct SourceOptions {
        const SourceKind *kind;
        char *name;
} SourceOptions;

/* What devices.yaml says for all sources of one kind; each kind has its own. */
typedef struct SourceDevices SourceDevices;

/* A kind of source, as the configuration knows it. */
struct SourceKind {
        const char *section; /* of wardstone.yaml: "mqtt" */
        /* One item of the section. Nothing is opened but files with secrets. maps must outlive the options. */
        int (*options_read)(const YamlNode *item, const MappingSet *maps, SourceOptions **ret, Error *e);
        SourceOptions *(*options_free)(SourceOptions *o);
        /* The root of devices.yaml, whose devices are read and valid. NULL (both) where a kind takes nothing from it. maps
         * is there to check names: a reload that finds wardstone.yaml as it was keeps the maps that it had. */
        int (*devices_read)(const YamlNode *root, const MappingSet *maps, SourceDevices **ret, Error *e);
        SourceDevices *(*devices_free)(SourceDevices *d);
        /* NULL, or what the library must do right for the guarantees to hold: checked before the first source starts. */
        int (*selftest)(Error *e);
        /* Starts; a peer that is absent is not an error. Borrows options, and devices (may be NULL) until devices(). */
        int (*start)(sd_event *event, const SourceOptions *o, const SourceDevices *devices,
                        const SourceSink *sink, Source **ret, Error *e);
};

typedef void (*SourceCounterFn)(void *userdata, const char *name, uint64_t value);

/* Dispatch: one const table for each kind of source. Each implementation embeds Source as its first member.
 *
 * Batches: everything that is handed over goes into the open batch. batch_closed() says that it is being written from now
 * on, and acknowledge() that it is durable, up to the last batch_closed(). A source that can't tell what it acknowledges
 * (MQTT) stops reading in between; others go on, and what they hand over then waits for the next batch. */
typedef struct SourceOps {
        const char *kind; /* "mqtt" */
        void (*batch_closed)(Source *s);
        /* The open batch is full too: stop reading until acknowledge(), suspend() or resume(). */
        void (*pause)(Source *s);
        /* What was handed over before the last batch_closed() is durable: let its acknowledgements leave, read on, but not
         * from within the call: no frame may come while the pipeline is up the stack. */
        void (*acknowledge)(Source *s);
        /* The store failed. Nothing since the last acknowledge() is durable and none of it may ever be acknowledged:
         * drop the connection without flushing, or refuse, so that the peer keeps and sends it again. Until resume() is
         * called the source delivers live, best effort, with durable = false, so that alerts go on. */
        void (*suspend)(Source *s);
        /* The store works again: back to the durable lane. */
        void (*resume)(Source *s);
        /* More was waiting right after the last acknowledge: a deeper queue than one read. */
        bool (*backlogged)(const Source *s);
        /* NULL, or: devices.yaml was read again; the old devices are not to be used any more. */
        void (*devices)(Source *s, const SourceDevices *devices);
        /* NULL, or: what this kind counts beside SourceCounters. */
        void (*counters)(const Source *s, SourceCounterFn each, void *userdata);
        Source *(*free)(Source *s);
} SourceOps;

struct Source {
        const SourceOps *ops;
        const char *name; /* from the configuration; for messages */
        SourceCounters counters;
        bool up;
};

enum { SOURCE_KINDS = 3 };
extern const SourceKind *const source_kinds[SOURCE_KINDS];
extern const SourceKind mqtt_kind, coap_kind, ble_kind;

/* For options_read(): a secret is in the file that the item names by key, or in one that the service manager passed under the
 * name `credential`: then *file becomes that one's path. Both NULL: *file stays NULL. -EINVAL where both are given, where
 * nothing was passed, or where the name is none; -ENOMEM. */
int source_secret_file(const YamlNode *item, const char *key, const char *credential, char **file,
                Error *e) _must_check_;

/* For devices_read(): calls fn for each device of devices.yaml that has the section, with its id. */
typedef int (*DeviceSectionFn)(void *userdata, const char *id, const YamlNode *section, Error *e);
int source_device_sections(const YamlNode *root, const char *section, DeviceSectionFn fn, void *userdata,
                Error *e) _must_check_;
