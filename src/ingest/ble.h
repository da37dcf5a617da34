/* The Bluetooth LE source, as its files share it: a central that speaks to BlueZ over the system bus.
 *
 *   ble_bus       the connection to the bus, who owns org.bluez, calls with a deadline
 *   ble_objects   what BlueZ's objects and signals say -> adapter, devices, characteristics
 *   ble_adapter   power and discovery
 *   ble_device    one device through the states of ble_state.h
 *   ble_gatt      subscriptions and values; ble_clock, ble_records: what else is asked of a connected device
 *   ble_adverts   readings that need no connection
 *   ble_recovery  what is done about a link or a scan that has gone quiet
 *   ble_queue     frames to the pipeline
 *   ble           time, turns, and the interface to the gateway
 *
 * All of it is on the loop; no call waits. Times are monotonic microseconds unless a name says otherwise. */
#pragma once

#include <systemd/sd-bus.h>

#include "ingest/ble_devices.h"
#include "ingest/ble_message.h"
#include "ingest/ble_options.h"
#include "ingest/ble_rotation.h"
#include "ingest/ble_state.h"

enum {
        BLE_CHARACTERISTICS_MAX = 24, /* known ones, of a device */
        BLE_LAST_ADVERTS_MAX = 4,     /* kinds of adverts of a device */
        BLE_ADVERT_MAX = 255,
        BLE_VALUE_MAX = 512, /* of any attribute (Core Specification, Vol 3, Part F, 3.2.9) */
        BLE_ORIGIN_MAX = 40,
};

typedef struct BleSource BleSource;

/* UNKNOWN: it may have been raised before this process began. */
typedef enum BleAlarm { BLE_ALARM_UNKNOWN, BLE_ALARM_ENDED, BLE_ALARM_RAISED } BleAlarm;

typedef struct BleCharacteristic {
        BlePath path;
        uint16_t code; /* its 16-bit UUID */
        char origin[BLE_ORIGIN_MAX];
        bool can_notify, can_read, can_write;
        bool subscribed;
        bool failed;  /* the last attempt to subscribe or read */
        bool reading; /* its value comes as an answer: the signal that goes with it is the same value */
} BleCharacteristic;

/* How stored measurements are fetched: ble_records.c. */
typedef enum BleRecordsPhase {
        BLE_RECORDS_IDLE,
        BLE_RECORDS_ASKED, /* the request is being written, or records come */
        BLE_RECORDS_ABORTING,
} BleRecordsPhase;

typedef enum BleRecordsWhich { BLE_RECORDS_FROM, BLE_RECORDS_NEWEST, BLE_RECORDS_ALL } BleRecordsWhich;

typedef struct BleRecords {
        BleRecordsPhase phase;
        BleRecordsWhich which;
        int64_t due_us; /* of the phase; idle: when to ask next */
        bool done;      /* asked once on this connection */
        bool no_from;   /* the device can't say which records to send */
        bool restarted; /* its numbers began anew: the newest one said so */
        unsigned failures;
        uint32_t next; /* the number to ask from; 0: from the first */
        uint32_t asked_from;
        uint32_t handed, closing,
                        durable; /* the same for what was handed over, is being written, is in the ledger */
        sd_bus_slot *call;
} BleRecords;

typedef struct BleLastAdvert {
        bool is_service;
        uint16_t code;
        int64_t at_us;
        size_t len;
        uint8_t bytes[BLE_ADVERT_MAX];
} BleLastAdvert;

typedef struct BleDevice {
        BleSource *source;
        BleDeviceConfig config;
        BleState state;
        int64_t due_us; /* of the state */
        BlePath path;   /* of its object */
        bool connected, resolved, bonded, has_rssi;
        bool heard;         /* since it was tried last */
        bool linked;        /* counted as connected */
        bool asked_again;   /* BlueZ was asked for what it may have forgotten to signal */
        BleAlarm barred;    /* it wants a bond */
        unsigned suspected; /* how often in a row a link ended as if for want of one */
        int64_t leaving_us; /* until then BlueZ may still be about to disconnect it */
        bool was_heard;     /* before it was tried last */
        BleCharacteristic characteristics[BLE_CHARACTERISTICS_MAX];
        size_t characteristic_count, step;
        sd_bus_slot *call;                     /* that the state is about */
        unsigned failures;                     /* in a row, of connecting */
        int64_t ready_us, served_us, since_us; /* see BleTurn */

        DeviceClock clock;       /* as far as it was measured on this connection */
        bool clock_set;          /* or it was tried */
        int64_t clock_offset_us; /* to be added to what it shows */
        int64_t clock_asked_wall_us;
        int64_t timed_us; /* when a value came last that may carry a time */
        sd_bus_slot *clock_call;

        BleRecords records;

        int64_t value_us;   /* when one came last */
        int64_t regular_us; /* likewise, of a characteristic that brings them regularly */
        int64_t usual_us;   /* the time between two of them */
        unsigned intervals; /* that were seen */
        bool has_habit;     /* values are expected to go on */
        unsigned rung;      /* of the recovery ladder, the next one */
        BleAlarm failing;   /* the ladder has ended */
        bool anew;          /* subscriptions are given up before they are made */
        unsigned again;     /* how often in a row they have failed */
        int64_t again_us;   /* when failed subscriptions are tried again; INT64_MAX: none has failed */

        BleLastAdvert adverts[BLE_LAST_ADVERTS_MAX];
        size_t advert_count;
        uint64_t counter_next; /* of encrypted adverts: what is below was seen */
} BleDevice;

typedef struct BleCounters {
        uint64_t unlisted;  /* devices that are not ours, each time BlueZ makes an object */
        uint64_t malformed; /* messages with wrong types, or values that are none */
        uint64_t foreign;   /* signals in BlueZ's name from somebody else */
        uint64_t call_errors, connect_failures, subscribe_failures, links_lost;
        uint64_t adverts, adverts_repeated, adverts_replayed;
        uint64_t records, record_failures, clocks_set, clock_failures;
        uint64_t resubscribed, reconnected, discovery_restarted, power_cycled; /* the ladder */
        uint64_t rotated, queued_live, queued_dropped;
        uint64_t daemon_restarts;
} BleCounters;

typedef struct BleQueue BleQueue;

typedef enum BlePower { BLE_POWER_STEADY, BLE_POWER_GOING_OFF, BLE_POWER_OFF, BLE_POWER_GOING_ON } BlePower;

struct BleSource {
        Source source;
        const BleOptions *options;
        SourceSink sink;
        sd_event *event;
        sd_event_source *timer;
        char adapter[48]; /* its object's path */

        sd_bus *bus;
        char owner[64]; /* the unique name behind org.bluez; "": nobody */
        bool asking;    /* the bus, who that is */
        sd_bus_slot *objects_call, *adapter_call;
        int64_t bus_due_us; /* without a connection: the next attempt */
        unsigned bus_failures;

        bool loading, loaded; /* BlueZ's objects */
        int64_t load_due_us;  /* they could not be had: the next attempt */
        bool adapter_here, powered;
        bool listening;   /* discovery is on because of us, as far as we were told */
        bool discovering; /* because of anybody */
        BlePower power;
        int64_t power_due_us, discovery_due_us;
        unsigned discovery_failures;
        int64_t heard_us; /* when any device was heard last, or listening began */
        bool heard_ever;
        unsigned scan_rung;
        BleAlarm failing; /* likewise, of the scan */

        BleDevice **devices;
        BleTurn *turns; /* one a device */
        size_t device_count;

        BleQueue *queue;
        bool live, paused, asleep; /* asleep: the timer need not be set, all is looked at anyway */
        uint64_t unacked, closing;
        BleCounters counters;
        char reason[128]; /* why it is down, as last told */
};

static inline int64_t ble_now(void) {
        Stamp now;

        clock_now(&now);
        return now.mono_us;
}

/* --- ble.c --- */
/* Something changed: everything is looked at in the next turn of the loop. */
void ble_wake(BleSource *s);
/* Tells the gateway whether the source works. reason "": it does. */
void ble_tell(BleSource *s, const char *reason);
/* A technical alert about the source (d NULL) or a device, raised once until it ends; summary NULL: it ends. */
void ble_alert(BleSource *s, BleAlarm *alarm, const char *name, const BleDevice *d, const char *summary);

/* --- ble_bus.c --- */
void ble_bus_open(BleSource *s);
/* Without a word to anybody. */
void ble_bus_close(BleSource *s);

typedef struct BleMethod {
        const char *path, *interface, *name;
} BleMethod;

/* Calls BlueZ; the handler hears of the answer, an error or the deadline. *slot holds the call: unref it to forget it. */
int ble_call(BleSource *s, sd_bus_slot **slot, const BleMethod *method, sd_bus_message_handler_t handler,
                void *userdata, int64_t timeout_us, const char *types, ...) _must_check_;
/* The same without an answer. */
void ble_tell_bluez(BleSource *s, const BleMethod *method);

typedef enum BleFault {
        BLE_FAULT_NONE,
        BLE_FAULT_BOND, /* encryption or authentication is wanted */
        BLE_FAULT_BUSY, /* in progress already */
        BLE_FAULT_DONE, /* what was asked for is so already */
        BLE_FAULT_LINK, /* the link went while it was asked for: for want of a bond, or for any other reason */
        BLE_FAULT_GONE, /* not connected any more, or no such object */
        BLE_FAULT_OTHER,
} BleFault;

/* What an answer says that is to have that signature; errors are counted. */
BleFault ble_fault(BleSource *s, sd_bus_message *answer, const char *signature);

/* --- ble_objects.c --- */
int ble_objects_watch(BleSource *s) _must_check_; /* subscribes to signals */
void ble_objects_load(BleSource *s);              /* asks for all objects */

/* --- ble_adapter.c --- */
void ble_adapter_news(BleSource *s, const BleNews *n);
void ble_adapter_gone(BleSource *s);
/* Does what is due; returns when it wants to be called again. */
int64_t ble_adapter_review(BleSource *s, int64_t now_us);
/* Discovery is stopped and started. */
void ble_adapter_restart_discovery(BleSource *s);
/* Off and on again, where the configuration lets it. */
bool ble_adapter_cycle_power(BleSource *s);
static inline bool ble_adapter_works(const BleSource *s) {
        return s->loaded && s->adapter_here && s->powered && s->power == BLE_POWER_STEADY;
}

/* --- ble_device.c --- */
int ble_device_new(BleSource *s, const BleDeviceConfig *c, BleDevice **ret) _must_check_;
BleDevice *ble_device_free(BleDevice *d);
void ble_device_event(BleDevice *d, BleEvent e);
void ble_device_news(BleDevice *d, const BleNews *n);
void ble_device_appear(BleDevice *d, const BlePath *p, const BleNews *n);
/* BlueZ or the adapter went: nothing of it is there any more. */
void ble_device_reset(BleDevice *d);
void ble_device_time_out(BleDevice *d, int64_t now_us);
bool ble_device_is_it(const BleDevice *d, const BleNews *n);
void ble_device_object(const BleDevice *d, char ret[static BLE_PATH_MAX]);

/* --- ble_gatt.c --- */
void ble_gatt_subscribe(BleDevice *d);
void ble_gatt_value(BleDevice *d, BleCharacteristic *c, Bytes value);
void ble_gatt_add(BleDevice *d, const BlePath *p, const BleNews *n);
void ble_gatt_remove(BleDevice *d, const BlePath *p);
BleCharacteristic *ble_gatt_find(BleDevice *d, uint16_t code);
BleCharacteristic *ble_gatt_at(BleDevice *d, uint16_t handle);
void ble_gatt_lost(BleDevice *d);
/* As ble_fault(), but never BLE_FAULT_LINK: it is for want of a bond where it happens again and again. */
BleFault ble_gatt_fault(BleDevice *d, sd_bus_message *answer, const char *signature);
int ble_gatt_read(BleDevice *d, BleCharacteristic *c, sd_bus_slot **slot,
                sd_bus_message_handler_t handler) _must_check_;
int ble_gatt_write(BleDevice *d, const BleCharacteristic *c, sd_bus_slot **slot, Bytes value,
                sd_bus_message_handler_t handler) _must_check_;

/* --- ble_clock.c --- */
void ble_clock_read(BleDevice *d);
int64_t ble_clock_review(BleDevice *d, int64_t now_us);
void ble_clock_lost(BleDevice *d);

/* --- ble_records.c --- */
int64_t ble_records_review(BleDevice *d, int64_t now_us);
void ble_records_response(BleDevice *d, Bytes value);
void ble_records_delivered(BleDevice *d, uint16_t seq, bool durable);
/* The store works again: what is not in it is asked for anew. */
void ble_records_resume(BleDevice *d);
/* One that came found no room: it is asked for again. */
void ble_records_dropped(BleDevice *d);
void ble_records_lost(BleDevice *d);
bool ble_records_are_done(BleDevice *d);

/* --- ble_adverts.c --- */
void ble_adverts_take(BleDevice *d, const BleNews *n);
/* The counter of what was handed over: what is not above it does not count any more. */
void ble_adverts_delivered(BleDevice *d, const Decoding *decoding, Bytes payload, const FrameResult *result);

/* --- ble_recovery.c --- */
/* regular: how many intervals make a habit; 0: values come when they come. */
void ble_recovery_value(BleDevice *d, unsigned regular);
int64_t ble_recovery_review(BleDevice *d, int64_t now_us);
void ble_recovery_connect_failed(BleDevice *d);
int64_t ble_recovery_scan(BleSource *s, int64_t now_us);
void ble_recovery_heard(BleSource *s);

/* --- ble_queue.c --- */
typedef struct BleValue {
        BleDevice *device;
        Decoding decoding;
        bool stored; /* a record that the device keeps */
        DeviceClock clock;
        int64_t clock_offset_us;
        char origin[BLE_ORIGIN_MAX];
} BleValue;

int ble_queue_new(BleQueue **ret) _must_check_;
BleQueue *ble_queue_free(BleQueue *q);
void ble_hand_over(const BleValue *v, Bytes payload);
/* Hands over what waited, until there is a pause again. */
void ble_queue_flush(BleSource *s);
void ble_queue_forget(BleSource *s, const BleDevice *d);
