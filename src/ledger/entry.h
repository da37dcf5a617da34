/* Ledger entries (64 bytes, the Merkle leaf's preimage) and their bodies (deterministic CBOR). Pure.
 * The layouts are specified in docs/ledger-format.md. */
#pragma once

#include "base/cbor.h"
#include "base/error.h"
#include "base/sha256.h"
#include "model/alert.h"

enum { ENTRY_SIZE = 64, ENTRY_HEAD_SIZE = 32, KEY_ID_SIZE = 16, BODY_MAX = 4096 };

typedef enum EntryType {
        ENTRY_READING = 1,
        ENTRY_KEY = 2,
        ENTRY_SEAL = 3,
        ENTRY_GAP = 4,
        ENTRY_ERASE = 5,
        ENTRY_ALERT = 6,
        ENTRY_ASSIGN = 7,
        ENTRY_CLOCK = 8,
        ENTRY_CONFIG = 9,
        ENTRY_ACCESS = 10,
        ENTRY_ATTRIBUTE = 11,
        ENTRY_SILENCE = 12,
} EntryType;

const char *entry_type_name(EntryType t); /* "READING"; NULL where unknown */

enum { ENTRY_SEALED_BODY = 1 << 0 /* the body is encrypted with the key of key_id */ };

typedef struct KeyId {
        uint8_t bytes[KEY_ID_SIZE]; /* all zero: none */
} KeyId;

/* Big-endian: version 1 (=1), type 1, flags 2, stream 4, stream sequence 8, key id 16, then SHA-256 of the stored body. */
typedef struct Entry {
        EntryType type;
        uint16_t flags;
        uint32_t stream; /* 0: the gateway's own */
        uint64_t seq;    /* per stream, from 0, without holes */
        KeyId key;
        Hash body;
} Entry;

void entry_encode_head(const Entry *e, uint8_t ret[static ENTRY_HEAD_SIZE]);
void entry_encode(const Entry *e, uint8_t ret[static ENTRY_SIZE]);
int entry_decode(const uint8_t data[static ENTRY_SIZE], Entry *ret) _must_check_; /* -EBADMSG */

/* When, as every body carries it. */
typedef struct EntryTime {
        int64_t wall_us, mono_us;
        uint32_t boot; /* number of the boot: a CLOCK entry ties it to the kernel's boot id */
        bool synchronised;
} EntryTime;

typedef struct ReadingBody {
        EntryTime when;
        char device[NAME_MAX_LENGTH];
        char vital[VITAL_NAME_MAX];
        char unit[VITAL_UNIT_MAX];
        double value;
        int64_t device_time_us; /* TIME_NONE: absent */
        bool has_seq;
        uint64_t seq;
        uint16_t flags;
        int64_t device_clock_us; /* TIME_NONE: absent */
} ReadingBody;

typedef struct KeyBody {
        EntryTime when;
        char subject[NAME_MAX_LENGTH];
        SubjectKind kind;
        KeyId key;
        Hash commitment; /* SHA-256(HKDF-SHA256(key, info "wardstone commit")) */
} KeyBody;

typedef struct SealBody {              /* the block header */
        EntryTime when;                /* seal time */
        uint64_t height, first, count; /* count includes the SEAL itself */
        uint64_t previous_size;
        Hash previous_root;
        int64_t first_us, last_us; /* gateway wall time of the block's first and last entry */
        Hash rules;                /* hash of the rules in force */
} SealBody;

typedef enum GapReason {
        GAP_SOURCE_DOWN, /* a source was not connected */
        GAP_SEQUENCE,    /* a device's own sequence jumped */
        GAP_SILENT,      /* a sensor said nothing */
        GAP_SHED,        /* a queue was full and entries were dropped */
        GAP_RECOVERY,    /* a new epoch: rollback, corruption */
        GAP_STORE,       /* the store failed; alerts went on */
} GapReason;
const char *gap_reason_name(GapReason r);

typedef struct GapBody {
        EntryTime when;
        GapReason reason;
        char what[NAME_MAX_LENGTH]; /* source or device */
        int64_t from_us, to_us;     /* TIME_NONE: unknown */
        uint64_t first, count;      /* of the sequence or of what was shed; count 0: unknown */
        char detail[1024];          /* recovery: the old checkpoint's note; else for people */
} GapBody;

typedef struct AlertBody {
        EntryTime when;
        AlertEvent event;              /* subject field is unused: name below */
        char subject[NAME_MAX_LENGTH]; /* empty: technical */
} AlertBody;

typedef struct AssignBody {
        EntryTime when;
        char device[NAME_MAX_LENGTH];
        char subject[NAME_MAX_LENGTH]; /* empty: released */
        SubjectKind kind;
        char label[NAME_MAX_LENGTH];
        uint32_t uid; /* who asked: UNIX user id on the control socket */
} AssignBody;

typedef enum ClockEvent { CLOCK_BOOT, CLOCK_STEP, CLOCK_SYNCHRONISED, CLOCK_LOST } ClockEvent;
const char *clock_event_name(ClockEvent e);

typedef struct ClockBody {
        EntryTime when;
        ClockEvent event;
        BootId boot_id;
        int64_t step_us; /* new wall time less what was expected; 0 for the others */
} ClockBody;

typedef struct ConfigBody {
        EntryTime when;
        Hash config, rules;
        char version[32]; /* of the program */
} ConfigBody;

typedef struct AccessBody {
        EntryTime when;
        uint32_t uid;
        char operation[32];            /* "readings", "prove" */
        char subject[NAME_MAX_LENGTH]; /* empty: all */
        char vital[VITAL_NAME_MAX];    /* empty: all */
        int64_t from_us, to_us;        /* TIME_NONE: open */
} AccessBody;

/* What an operator says of a subject: its ward, its scale, its own limits. Sealed with the subject's key. */
typedef struct AttributeBody {
        EntryTime when;
        char subject[NAME_MAX_LENGTH];
        char name[ATTRIBUTE_NAME_MAX];
        char value[ATTRIBUTE_VALUE_MAX]; /* empty: taken away */
        uint32_t uid;                    /* who: UNIX user id on the control socket */
        char why[ALERT_NOTE_MAX];
} AttributeBody;

typedef struct SilenceBody {
        EntryTime when;
        char id[24];
        bool over; /* it ended, by itself or before its time; else it begins */
        int64_t from_us, until_us;
        /* which alerts: what is empty or zero fits all */
        char rule[ALERT_NAME_MAX], subject[NAME_MAX_LENGTH], label[NAME_MAX_LENGTH];
        char labels[ALERT_LABELS_MAX];
        uint16_t priorities, kinds; /* bits */
        char who[ALERT_WHO_MAX];    /* who began it, or who ended it; empty where its time was over */
        char why[ALERT_NOTE_MAX];
} SilenceBody;

/* Writers into w: check w->overflow after, which is also set where a body could not be read back (text that isn't UTF-8, a
 * number that isn't finite). Readers take only what a writer writes, else -EBADMSG. */
void body_put_reading(CborWriter *w, const ReadingBody *b);
int body_get_reading(Bytes body, ReadingBody *ret) _must_check_;
void body_put_key(CborWriter *w, const KeyBody *b);
int body_get_key(Bytes body, KeyBody *ret) _must_check_;
void body_put_seal(CborWriter *w, const SealBody *b);
int body_get_seal(Bytes body, SealBody *ret) _must_check_;
void body_put_gap(CborWriter *w, const GapBody *b);
int body_get_gap(Bytes body, GapBody *ret) _must_check_;
void body_put_alert(CborWriter *w, const AlertBody *b);
int body_get_alert(Bytes body, AlertBody *ret) _must_check_;
void body_put_assign(CborWriter *w, const AssignBody *b);
int body_get_assign(Bytes body, AssignBody *ret) _must_check_;
void body_put_clock(CborWriter *w, const ClockBody *b);
int body_get_clock(Bytes body, ClockBody *ret) _must_check_;
void body_put_config(CborWriter *w, const ConfigBody *b);
int body_get_config(Bytes body, ConfigBody *ret) _must_check_;
void body_put_access(CborWriter *w, const AccessBody *b);
int body_get_access(Bytes body, AccessBody *ret) _must_check_;
void body_put_attribute(CborWriter *w, const AttributeBody *b);
int body_get_attribute(Bytes body, AttributeBody *ret) _must_check_;
void body_put_silence(CborWriter *w, const SilenceBody *b);
int body_get_silence(Bytes body, SilenceBody *ret) _must_check_;
/* When, of a body of any type. */
int body_get_when(Bytes body, EntryTime *ret) _must_check_;
/* Whether the body reads as one of that type: 0 or -EBADMSG. */
int body_check(EntryType type, Bytes body) _must_check_;
