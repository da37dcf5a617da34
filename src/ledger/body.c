/* The tables are the CDDL of docs/ledger-format.md in C. Keys below 5 say when and are the same in every body. */
#include <assert.h>
#include <errno.h>

#include "ledger/entry.h"
#include "ledger/layout.h"

#define WHEN(type)                                                                                          \
        { 1, FIELD_INT64, offsetof(type, when.wall_us) }, { 2, FIELD_INT64, offsetof(type, when.mono_us) }, \
                        { 3, FIELD_UINT32, offsetof(type, when.boot) }, {                                   \
                4, FIELD_BOOL, offsetof(type, when.synchronised), .optional = true                          \
        }
#define TEXT(key, type, member)                                                                             \
        { key, FIELD_TEXT, offsetof(type, member), sizeof(((type *) NULL)->member) }
#define BLOB(key, type, member)                                                                             \
        { key, FIELD_BYTES, offsetof(type, member), sizeof(((type *) NULL)->member) }
#define MEMBER(key, kind, type, member)                                                                     \
        { key, kind, offsetof(type, member) }
#define CHOICE(key, type, member, last)                                                                     \
        { key, FIELD_ENUM, offsetof(type, member), last }
#define MAYBE_CHOICE(key, type, member, last)                                                               \
        { key, FIELD_ENUM, offsetof(type, member), last, .optional = true }
#define MAYBE_TEXT(key, type, member)                                                                       \
        { key, FIELD_TEXT, offsetof(type, member), sizeof(((type *) NULL)->member), .optional = true }
#define MAYBE(key, kind, type, member)                                                                      \
        { key, kind, offsetof(type, member), .optional = true }

static const Field reading_fields[] = {
        WHEN(ReadingBody),
        TEXT(5, ReadingBody, device),
        TEXT(6, ReadingBody, vital),
        MAYBE_TEXT(7, ReadingBody, unit),
        MEMBER(8, FIELD_DOUBLE, ReadingBody, value),
        MAYBE(9, FIELD_TIME, ReadingBody, device_time_us),
        { 10, FIELD_UINT64, offsetof(ReadingBody, seq), .given = offsetof(ReadingBody, has_seq) },
        MAYBE(11, FIELD_UINT16, ReadingBody, flags),
        MAYBE(12, FIELD_TIME, ReadingBody, device_clock_us),
};

static const Field key_fields[] = {
        WHEN(KeyBody),
        TEXT(5, KeyBody, subject),
        CHOICE(6, KeyBody, kind, SUBJECT_GROUP),
        BLOB(7, KeyBody, key),
        BLOB(8, KeyBody, commitment),
};

static const Field seal_fields[] = {
        WHEN(SealBody),
        MEMBER(5, FIELD_UINT64, SealBody, height),
        MEMBER(6, FIELD_UINT64, SealBody, first),
        MEMBER(7, FIELD_UINT64, SealBody, count),
        MEMBER(8, FIELD_UINT64, SealBody, previous_size),
        BLOB(9, SealBody, previous_root),
        MEMBER(10, FIELD_INT64, SealBody, first_us),
        MEMBER(11, FIELD_INT64, SealBody, last_us),
        BLOB(12, SealBody, rules),
};

static const Field gap_fields[] = {
        WHEN(GapBody),
        CHOICE(5, GapBody, reason, GAP_STORE),
        MAYBE_TEXT(6, GapBody, what),
        MAYBE(7, FIELD_TIME, GapBody, from_us),
        MAYBE(8, FIELD_TIME, GapBody, to_us),
        MAYBE(9, FIELD_UINT64, GapBody, first),
        MAYBE(10, FIELD_UINT64, GapBody, count),
        MAYBE_TEXT(11, GapBody, detail),
};

static const Field alert_fields[] = {
        WHEN(AlertBody),
        TEXT(5, AlertBody, event.id),
        TEXT(6, AlertBody, event.rule),
        BLOB(7, AlertBody, event.rule_hash),
        CHOICE(8, AlertBody, event.priority, PRIORITY_HIGH),
        CHOICE(9, AlertBody, event.state, ALERT_ACKNOWLEDGED),
        MAYBE_TEXT(10, AlertBody, subject),
        MAYBE(11, FIELD_DOUBLE, AlertBody, event.value),
        MEMBER(12, FIELD_INT64, AlertBody, event.since_us),
        MEMBER(13, FIELD_INT64, AlertBody, event.time_us),
        MAYBE_TEXT(14, AlertBody, event.summary),
        MAYBE_CHOICE(15, AlertBody, event.transition, TRANSITION_UNDELIVERED),
        MAYBE(16, FIELD_TIME, AlertBody, event.raised_us),
        MAYBE(17, FIELD_TIME, AlertBody, event.ended_us),
        MAYBE_TEXT(18, AlertBody, event.labels),
        MAYBE_TEXT(19, AlertBody, event.who),
        MAYBE_TEXT(20, AlertBody, event.note),
        MAYBE_TEXT(21, AlertBody, event.receiver),
        MAYBE(22, FIELD_UINT32, AlertBody, event.step),
};

static const Field assign_fields[] = {
        WHEN(AssignBody),
        TEXT(5, AssignBody, device),
        MAYBE_TEXT(6, AssignBody, subject),
        CHOICE(7, AssignBody, kind, SUBJECT_DEVICE),
        MAYBE_TEXT(8, AssignBody, label),
        MEMBER(9, FIELD_UINT32, AssignBody, uid),
};

static const Field clock_fields[] = {
        WHEN(ClockBody),
        CHOICE(5, ClockBody, event, CLOCK_LOST),
        BLOB(6, ClockBody, boot_id),
        MAYBE(7, FIELD_INT64, ClockBody, step_us),
};

static const Field config_fields[] = {
        WHEN(ConfigBody),
        BLOB(5, ConfigBody, config),
        BLOB(6, ConfigBody, rules),
        TEXT(7, ConfigBody, version),
};

static const Field access_fields[] = {
        WHEN(AccessBody),
        MEMBER(5, FIELD_UINT32, AccessBody, uid),
        TEXT(6, AccessBody, operation),
        MAYBE_TEXT(7, AccessBody, subject),
        MAYBE_TEXT(8, AccessBody, vital),
        MAYBE(9, FIELD_TIME, AccessBody, from_us),
        MAYBE(10, FIELD_TIME, AccessBody, to_us),
};

static const Field attribute_fields[] = {
        WHEN(AttributeBody),
        TEXT(5, AttributeBody, subject),
        TEXT(6, AttributeBody, name),
        MAYBE_TEXT(7, AttributeBody, value),
        MEMBER(8, FIELD_UINT32, AttributeBody, uid),
        MAYBE_TEXT(9, AttributeBody, why),
};

static const Field silence_fields[] = {
        WHEN(SilenceBody),
        TEXT(5, SilenceBody, id),
        MAYBE(6, FIELD_BOOL, SilenceBody, over),
        MEMBER(7, FIELD_INT64, SilenceBody, from_us),
        MEMBER(8, FIELD_INT64, SilenceBody, until_us),
        MAYBE_TEXT(9, SilenceBody, rule),
        MAYBE_TEXT(10, SilenceBody, subject),
        MAYBE_TEXT(11, SilenceBody, label),
        MAYBE_TEXT(12, SilenceBody, labels),
        MAYBE(13, FIELD_UINT16, SilenceBody, priorities),
        MAYBE(14, FIELD_UINT16, SilenceBody, kinds),
        MAYBE_TEXT(15, SilenceBody, who),
        MAYBE_TEXT(16, SilenceBody, why),
};

/* clang-format off: one line a body */
#define BODY(noun, type)                                                                                    \
        static const Layout noun##_layout = { noun##_fields, ELEMENTS(noun##_fields), sizeof(type) };       \
        static_assert(sizeof(type) <= LAYOUT_SIZE_MAX, "the scratch of layout_get() holds it");             \
        void body_put_##noun(CborWriter *w, const type *b) {                                                \
                layout_put(w, &noun##_layout, b);                                                           \
        }                                                                                                   \
        int body_get_##noun(Bytes body, type *ret) {                                                        \
                return layout_get(&noun##_layout, body, ret);                                               \
        }
/* clang-format on */

BODY(reading, ReadingBody)
BODY(key, KeyBody)
BODY(seal, SealBody)
BODY(gap, GapBody)
BODY(alert, AlertBody)
BODY(assign, AssignBody)
BODY(clock, ClockBody)
BODY(config, ConfigBody)
BODY(access, AccessBody)
BODY(attribute, AttributeBody)
BODY(silence, SilenceBody)

static const Layout *const layouts[] = {
        [ENTRY_READING] = &reading_layout,
        [ENTRY_KEY] = &key_layout,
        [ENTRY_SEAL] = &seal_layout,
        [ENTRY_GAP] = &gap_layout,
        [ENTRY_ALERT] = &alert_layout,
        [ENTRY_ASSIGN] = &assign_layout,
        [ENTRY_CLOCK] = &clock_layout,
        [ENTRY_CONFIG] = &config_layout,
        [ENTRY_ACCESS] = &access_layout,
        [ENTRY_ATTRIBUTE] = &attribute_layout,
        [ENTRY_SILENCE] = &silence_layout,
};

int body_get_when(Bytes body, EntryTime *ret) {
        CborReader r = cbor_reader(body);
        EntryTime when = { 0 };
        uint64_t key, boot;
        size_t n;

        if (cbor_take_map(&r, &n) < 0 || n < 3 || cbor_take_uint(&r, &key) < 0 || key != 1 ||
                        cbor_take_int(&r, &when.wall_us) < 0 || cbor_take_uint(&r, &key) < 0 || key != 2 ||
                        cbor_take_int(&r, &when.mono_us) < 0 || cbor_take_uint(&r, &key) < 0 || key != 3 ||
                        cbor_take_uint(&r, &boot) < 0 || boot > UINT32_MAX)
                return -EBADMSG;
        when.boot = (uint32_t) boot;
        if (n > 3 && cbor_take_uint(&r, &key) == 0 && key == 4 && cbor_take_bool(&r, &when.synchronised) < 0)
                return -EBADMSG;
        *ret = when;
        return 0;
}

int body_check(EntryType type, Bytes body) {
        _Alignas(max_align_t) uint8_t scratch[LAYOUT_SIZE_MAX];

        if ((size_t) type >= ELEMENTS(layouts) || !layouts[type])
                return -EBADMSG;
        return layout_get(layouts[type], body, scratch);
}

const char *gap_reason_name(GapReason r) {
        static const char *const names[] = {
                [GAP_SOURCE_DOWN] = "source-down",
                [GAP_SEQUENCE] = "sequence",
                [GAP_SILENT] = "silent",
                [GAP_SHED] = "shed",
                [GAP_RECOVERY] = "recovery",
                [GAP_STORE] = "store",
        };

        return (size_t) r < ELEMENTS(names) ? names[r] : NULL;
}

const char *clock_event_name(ClockEvent e) {
        static const char *const names[] = {
                [CLOCK_BOOT] = "boot",
                [CLOCK_STEP] = "step",
                [CLOCK_SYNCHRONISED] = "synchronised",
                [CLOCK_LOST] = "lost",
        };

        return (size_t) e < ELEMENTS(names) ? names[e] : NULL;
}
