/* A BlueZ for tests: what a central sees of bluetoothd on D-Bus, with devices that do as they are told, and faults.
 *
 * It follows BlueZ 5.66 with its cache of attributes off, down to the order of signals: services appear as objects after
 * the answer to Connect, ServicesResolved comes last; when a link is lost the objects of GATT go before Connected does.
 * org.bluez is on a bus connection of its own, which is closed and opened again for a restart; org.wardstone.Fake
 * (fake-control.c) is on another one. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "ble/glucose.h"

enum {
        FAKE_DEVICES_MAX = 64,
        FAKE_SERVICES_MAX = 10,
        FAKE_CHARACTERISTICS_MAX = 20,
        FAKE_DATA_MAX = 8, /* kinds of manufacturer or service data of one device */
        FAKE_OBJECTS_MAX = FAKE_DEVICES_MAX * (1 + FAKE_SERVICES_MAX + 2 * FAKE_CHARACTERISTICS_MAX) + 4,
        FAKE_FAULTS_MAX = 64,
        FAKE_LOG_MAX = 8192,
        FAKE_COUNTERS_MAX = 8192,
        FAKE_STEP_US = 2000,    /* from one step of a connection to the next */
        FAKE_LEAVE_US = 100000, /* Disconnect takes; BlueZ gives those who are in the middle of something 2 s */
        FAKE_BEACON_US = 200000, /* between two adverts of a device */
};

typedef struct Fake Fake;
typedef struct Object Object;
typedef struct Device Device;

typedef struct Property {
        const char *name, *type;
        int (*append)(sd_bus_message *m, const Object *o); /* its value, without the variant around it */
        bool (*present)(const Object *o);                  /* NULL: always */
        int (*set)(Fake *f, Object *o, sd_bus_message *m); /* NULL: read only; the variant is open */
} Property;

typedef struct Method {
        const char *name, *signature;
        int (*handle)(Fake *f, Object *o, sd_bus_message *m);
} Method;

typedef struct Interface {
        const char *name;
        const Property *properties; /* end with a NULL name */
        const Method *methods;
} Interface;

struct Object {
        char path[128];
        const Interface *interface;
        bool visible;
        Device *device; /* whose; NULL: the adapter's */
};

typedef struct Characteristic {
        Object object, descriptor;
        const ProfileCharacteristic *profile;
        struct Service *service;
        bool notifying, stale;
        unsigned n_samples;
        uint8_t value[512];
        size_t value_len;
        char uuid[PROFILE_UUID_SIZE];
} Characteristic;

typedef struct Service {
        Object object;
        const ProfileService *profile;
        char uuid[PROFILE_UUID_SIZE];
} Service;

typedef struct Data {
        char key[PROFILE_UUID_SIZE]; /* service data: a UUID; manufacturer data: decimal */
        uint8_t value[64];
        size_t len;
} Data;

typedef enum Stage { STAGE_IDLE, STAGE_CONNECTING, STAGE_CONNECTED, STAGE_RESOLVING, STAGE_RESOLVED } Stage;

/* How far one must go to end a trouble; TROUBLE_NONE: there is none. */
typedef enum Trouble {
        TROUBLE_NONE,
        TROUBLE_RESUBSCRIBE,
        TROUBLE_RECONNECT,
        TROUBLE_RESTART,
        TROUBLE_POWER
} Trouble;

struct Device {
        Object object;
        Fake *fake;
        char address[18], identity[18], name[64];
        bool public_address, sealed, clock_locked, out_of_range, false_bond;
        bool named;       /* false: its name comes only with the first connection */
        bool hidden;      /* it advertises only what Advert says */
        uint32_t passkey; /* 0: pairing needs none */
        int64_t clock_offset_s;
        int16_t rssi;
        bool has_rssi;
        Data manufacturer[FAKE_DATA_MAX], services_data[FAKE_DATA_MAX];
        size_t n_manufacturer, n_services_data;

        Service services[FAKE_SERVICES_MAX];
        Characteristic characteristics[FAKE_CHARACTERISTICS_MAX];
        size_t n_services, n_characteristics;
        Glucose glucose;

        Stage stage;
        bool connected, resolved, paired, bonded, trusted;
        Trouble stale_until;
        sd_bus_message *connecting, *pairing, *leaving; /* calls without their answer yet */
        sd_event_source *step, *report, *leave;
};

typedef enum FaultKind { FAULT_FAIL, FAULT_HANG, FAULT_DROP } FaultKind;

typedef struct Fault {
        FaultKind kind;
        char point[32], address[18]; /* "": any device */
        char error[128];
        unsigned left;
} Fault;

typedef struct Counter {
        char what[96];
        uint32_t n;
} Counter;

struct Fake {
        sd_event *event;
        sd_bus *bus, *control;
        Object root, manager, adapter;
        Object *objects[FAKE_OBJECTS_MAX];
        size_t n_objects;
        Device *devices;
        size_t n_devices;

        bool powered, discovering, duplicates, suppress_connected;
        Trouble scan_trouble;
        char filter[8][PROFILE_UUID_SIZE]; /* UUIDs of the discovery filter */
        size_t n_filter;
        char discoverer[64], agent_owner[64], agent_path[128], agent_capability[32];
        unsigned connections_max; /* 0: no limit */

        Fault faults[FAKE_FAULTS_MAX];
        size_t n_faults;
        Counter *counters;
        size_t n_counters;
        char *log[FAKE_LOG_MAX];
        size_t n_log;

        sd_event_source *restart, *stream, *beacon;
        uint64_t stream_period_us;
        unsigned stream_left;
};

/* ---- fake-objects.c: objects and their properties on the bus ---- */
_printf_(5, 6) void object_init(
                Fake *f, Object *o, const Interface *interface, Device *d, const char *path_format, ...);
/* Both signal what changes, and do nothing where it is so already. */
void object_show(Fake *f, Object *o);
void object_hide(Fake *f, Object *o);
/* PropertiesChanged with the named properties. */
void object_changed_names(Fake *f, const Object *o, const char *const *names);
#define object_changed(f, o, ...) object_changed_names(f, o, (const char *const[]){ __VA_ARGS__, NULL })
int objects_open(Fake *f); /* serves them on f->bus */
extern const Interface root_interface;

/* ---- fake-adapter.c ---- */
extern const Interface adapter_interface, manager_interface;
void adapter_set_powered(Fake *f, bool powered);
void adapter_remove(Fake *f);
void adapter_add(Fake *f, bool powered);
void adapter_forget_client(Fake *f, const char *owner); /* it left the bus */
void adapter_advertise(Device *d, bool data); /* the radio hears the device; with its data or without */

/* ---- fake-device.c ---- */
extern const Interface device_interface;
Device *device_add(Fake *f, const char *description, const char **ret_fault);
Device *device_find(Fake *f, const char *address);
void device_drop(Device *d);   /* the link is lost */
void device_forget(Device *d); /* its bond, and its object */
int device_pair_now(Device *d);
static inline int64_t device_clock(const Device *d, int64_t now_s) {
        return now_s + d->clock_offset_s;
}

/* ---- fake-gatt.c ---- */
extern const Interface service_interface, characteristic_interface, descriptor_interface;
void gatt_add(Device *d, const ProfileService *profile);
void gatt_show(Device *d, size_t from, size_t to); /* services [from, to) */
void gatt_hide(Device *d);
void gatt_set_trouble(Device *d, Trouble until);
Characteristic *gatt_find(Device *d, const char *uuid);
/* False: it isn't subscribed, or its device is stale. */
bool gatt_notify(Characteristic *c, Bytes value);
bool gatt_notify_sample(Characteristic *c);
int64_t fake_now_s(void);

/* ---- fake-faults.c ---- */
int fault_add(Fake *f, FaultKind kind, const char *point_and_address, const char *error, unsigned count);
/* Uses the fault up. NULL: none at that point. */
const Fault *fault_take(Fake *f, FaultKind kind, const char *point, const Device *d);
int fault_malformed(Characteristic *c,
                const char *kind); /* a signal with types that are wrong; -EINVAL: no such kind */
int fault_malformed_advert(Device *d, const char *kind);
void fake_count(Fake *f, const Device *d, const char *what, const char *uuid);
void fake_log(Fake *f, const char *format, ...) _printf_(2, 3);
void fake_log_clear(Fake *f);

/* ---- fake-control.c ---- */
int control_open(Fake *f);

/* ---- fake-bluez.c ---- */
int fake_open(Fake *f);                       /* org.bluez appears on the bus */
void fake_restart(Fake *f, uint64_t down_us); /* it goes, and comes back; UINT64_MAX: it does not */
