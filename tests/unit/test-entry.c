/* Entries and bodies: one encoding of each, and nothing else is read. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "ledger/entry.h"

/* With padding of zeros, so that whole structs can be compared. */
#define ZEROED(type, name)                                                                                  \
        type name;                                                                                          \
        memset(&name, 0, sizeof name)

static const EntryTime noon = { .wall_us = INT64_C(1795176000000000),
        .mono_us = INT64_C(86400000000),
        .boot = 7,
        .synchronised = true };

static void set_time(EntryTime *ret) {
        ret->wall_us = noon.wall_us;
        ret->mono_us = noon.mono_us;
        ret->boot = noon.boot;
        ret->synchronised = noon.synchronised;
}

static void fill(void *p, size_t n, uint8_t with) {
        memset(p, with, n);
}

static void spo2_body(ReadingBody *ret) {
        memset(ret, 0, sizeof *ret);
        set_time(&ret->when);
        strcpy(ret->device, "spo2-07");
        strcpy(ret->vital, "spo2");
        strcpy(ret->unit, "%");
        ret->value = 97;
        ret->device_time_us = noon.wall_us - 250000;
        ret->device_clock_us = TIME_NONE;
}

/* --- entries --- */

static void an_entry_has_the_documented_bytes(void **state) {
        Entry e = { .type = ENTRY_READING,
                .flags = ENTRY_SEALED_BODY,
                .stream = 0x01020304,
                .seq = 0x1112131415161718 };
        uint8_t bytes[ENTRY_SIZE];
        char text[2 * ENTRY_SIZE + 1];

        fill(&e.key, sizeof e.key, 0xaa);
        fill(&e.body, sizeof e.body, 0xbb);
        entry_encode(&e, bytes);
        assert_string_equal(sodium_bin2hex(text, sizeof text, bytes, sizeof bytes),
                        "01010001010203041112131415161718"
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
                        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
}

static void an_entry_reads_as_it_was_written(void **state) {
        for (int type = ENTRY_READING; type <= ENTRY_SILENCE; type++) {
                ZEROED(Entry, e);
                ZEROED(Entry, again);
                uint8_t bytes[ENTRY_SIZE];
                e.type = (EntryType) type;
                e.stream = UINT32_MAX;
                e.seq = UINT64_MAX;
                entry_encode(&e, bytes);
                assert_int_equal(entry_decode(bytes, &again), 0);
                assert_memory_equal(&e, &again, sizeof e);
        }
}

static void other_versions_types_and_flags_are_refused(void **state) {
        Entry e = { .type = ENTRY_CLOCK };
        uint8_t bytes[ENTRY_SIZE];

        entry_encode(&e, bytes);
        assert_int_equal(entry_decode(bytes, &e), 0);
        for (size_t i = 0; i < 4; i++)
                for (unsigned v = 0; v < 256; v++) {
                        uint8_t was = bytes[i];
                        bytes[i] = (uint8_t) v;
                        int want = v == was || (i == 1 && v >= 1 && v <= 12) ? 0 : -EBADMSG;
                        assert_int_equal(entry_decode(bytes, &e), want);
                        bytes[i] = was;
                }
}

static void a_sealed_body_needs_a_key(void **state) {
        Entry e = { .type = ENTRY_READING, .flags = ENTRY_SEALED_BODY };
        uint8_t bytes[ENTRY_SIZE];

        entry_encode(&e, bytes);
        assert_int_equal(entry_decode(bytes, &e), -EBADMSG);
        bytes[31] = 1;
        assert_int_equal(entry_decode(bytes, &e), 0);
}

static void names_of_types_events_and_reasons_end(void **state) {
        assert_string_equal(entry_type_name(ENTRY_READING), "READING");
        assert_string_equal(entry_type_name(ENTRY_ATTRIBUTE), "ATTRIBUTE");
        assert_string_equal(entry_type_name(ENTRY_SILENCE), "SILENCE");
        assert_null(entry_type_name((EntryType) 0));
        assert_null(entry_type_name((EntryType) 13));
        assert_string_equal(gap_reason_name(GAP_STORE), "store");
        assert_null(gap_reason_name((GapReason) (GAP_STORE + 1)));
        assert_string_equal(clock_event_name(CLOCK_LOST), "lost");
        assert_null(clock_event_name((ClockEvent) (CLOCK_LOST + 1)));
}

/* --- bodies --- */

/* Writes b, reads it back into `again` and wants the same; leaves the bytes in `data`. */
#define ROUND_TRIP(noun, b, again)                                                                          \
        do {                                                                                                \
                CborWriter w = cbor_writer(data, sizeof data);                                              \
                body_put_##noun(&w, &(b));                                                                  \
                assert_false(w.overflow);                                                                   \
                len = w.len;                                                                                \
                assert_int_equal(body_get_##noun(BYTES(data, len), &(again)), 0);                           \
                assert_memory_equal(&(b), &(again), sizeof(b));                                             \
        } while (0)

/* No prefix, no longer run and no other type reads; and a body with a bit changed reads only if it is itself written so. */
#define ONLY_ITSELF(noun, type, body)                                                                       \
        do {                                                                                                \
                uint8_t other[BODY_MAX], once_more[BODY_MAX];                                               \
                memcpy(other, data, len);                                                                   \
                for (size_t n = 0; n < len; n++)                                                            \
                        assert_int_equal(body_get_##noun(BYTES(other, n), &(body)), -EBADMSG);              \
                other[len] = 0;                                                                             \
                assert_int_equal(body_get_##noun(BYTES(other, len + 1), &(body)), -EBADMSG);                \
                for (int t = 0; t <= ENTRY_SILENCE + 1; t++)                                                \
                        assert_int_equal(body_check((EntryType) t, BYTES(data, len)),                       \
                                        t == (type) ? 0 : -EBADMSG);                                        \
                for (size_t bit = 0; bit < 8 * len; bit++) {                                                \
                        other[bit / 8] ^= (uint8_t) (1 << bit % 8);                                         \
                        if (body_get_##noun(BYTES(other, len), &(body)) == 0) {                             \
                                CborWriter w = cbor_writer(once_more, sizeof once_more);                    \
                                body_put_##noun(&w, &(body));                                               \
                                assert_int_equal(w.len, len);                                               \
                                assert_memory_equal(once_more, other, len);                                 \
                        }                                                                                   \
                        other[bit / 8] ^= (uint8_t) (1 << bit % 8);                                         \
                }                                                                                           \
        } while (0)

static uint8_t data[BODY_MAX + 1];
static size_t len;

static void a_reading_is_small_and_reads_as_it_was_written(void **state) {
        ZEROED(ReadingBody, again);
        ReadingBody b;

        spo2_body(&b);
        ROUND_TRIP(reading, b, again);
        print_message("# a plain reading's body is %zu bytes\n", len);
        assert_true(len <= 62);
        ONLY_ITSELF(reading, ENTRY_READING, again);

        b.has_seq = true;
        b.seq = 0;
        b.flags = FLAG_LATE | FLAG_TEST;
        b.value = -0.1;
        b.unit[0] = '\0';
        b.device_time_us = TIME_NONE;
        b.device_clock_us = INT64_C(1136073600000000);
        b.when.synchronised = false;
        b.when.wall_us = -1;
        ROUND_TRIP(reading, b, again);
        ONLY_ITSELF(reading, ENTRY_READING, again);
}

static void keys_and_seals_read_as_they_were_written(void **state) {
        ZEROED(KeyBody, k);
        ZEROED(KeyBody, k_again);
        set_time(&k.when);
        strcpy(k.subject, "stay-0421");
        k.kind = SUBJECT_ASSET;
        fill(&k.key, sizeof k.key, 1);
        fill(&k.commitment, sizeof k.commitment, 2);
        ROUND_TRIP(key, k, k_again);
        ONLY_ITSELF(key, ENTRY_KEY, k_again);
        k.kind = SUBJECT_GROUP;
        ROUND_TRIP(key, k, k_again);

        ZEROED(SealBody, s);
        ZEROED(SealBody, s_again);
        set_time(&s.when);
        s.height = 3;
        s.first = 12288;
        s.count = 4096;
        s.previous_size = 12288;
        fill(&s.previous_root, sizeof s.previous_root, 3);
        s.first_us = noon.wall_us - 10;
        s.last_us = noon.wall_us;
        fill(&s.rules, sizeof s.rules, 4);
        ROUND_TRIP(seal, s, s_again);
        ONLY_ITSELF(seal, ENTRY_SEAL, s_again);
}

static void gaps_and_alerts_read_as_they_were_written(void **state) {
        ZEROED(GapBody, g);
        ZEROED(GapBody, g_again);
        set_time(&g.when);
        g.reason = GAP_RECOVERY;
        g.from_us = g.to_us = TIME_NONE;
        memset(g.detail, 'x', sizeof g.detail - 1);
        ROUND_TRIP(gap, g, g_again);
        strcpy(g.what, "hr-3");
        g.from_us = 0;
        g.to_us = 1;
        g.first = 9;
        g.count = 2;
        memset(g.detail, 0, sizeof g.detail);
        ROUND_TRIP(gap, g, g_again);
        ONLY_ITSELF(gap, ENTRY_GAP, g_again);

        ZEROED(AlertBody, a);
        ZEROED(AlertBody, a_again);
        set_time(&a.when);
        strcpy(a.event.id, "7-1");
        strcpy(a.event.rule, "SpO2Low");
        fill(a.event.rule_hash, sizeof a.event.rule_hash, 5);
        a.event.priority = PRIORITY_HIGH;
        a.event.state = ALERT_ACTIVE;
        a.event.value = 84.5;
        a.event.since_us = noon.wall_us - 10 * USEC_PER_SEC;
        a.event.raised_us = a.event.time_us = noon.wall_us;
        a.event.ended_us = TIME_NONE;
        strcpy(a.event.summary, "SpO2 84.5 % in Bett 7, Zimmer \xc3\xbc");
        strcpy(a.subject, "stay-0421");
        ROUND_TRIP(alert, a, a_again);
        ONLY_ITSELF(alert, ENTRY_ALERT, a_again);

        a.event.state = ALERT_ACKNOWLEDGED;
        a.event.transition = TRANSITION_UNDELIVERED;
        a.event.ended_us = noon.wall_us;
        strcpy(a.event.labels, "floor=3,team=respiratory");
        strcpy(a.event.who, "webhook:anna");
        strcpy(a.event.note, "7-1/2: timed out");
        strcpy(a.event.receiver, "pager");
        a.event.step = 3;
        ROUND_TRIP(alert, a, a_again);
        ONLY_ITSELF(alert, ENTRY_ALERT, a_again);
}

/* Every text as long as it may be, and room for the seal. */
static void the_longest_alert_has_room(void **state) {
        ZEROED(AlertBody, a);
        ZEROED(AlertBody, again);

        set_time(&a.when);
        a.event.value = 0.1;
        a.event.state = ALERT_ACKNOWLEDGED;
        a.event.transition = TRANSITION_UNDELIVERED;
        a.event.since_us = a.event.raised_us = a.event.ended_us = a.event.time_us = INT64_MAX;
        a.event.step = UINT32_MAX;
        memset(a.event.id, 'x', sizeof a.event.id - 1);
        memset(a.event.rule, 'x', sizeof a.event.rule - 1);
        memset(a.event.summary, 'x', sizeof a.event.summary - 1);
        memset(a.event.labels, 'x', sizeof a.event.labels - 1);
        memset(a.event.who, 'x', sizeof a.event.who - 1);
        memset(a.event.note, 'x', sizeof a.event.note - 1);
        memset(a.event.receiver, 'x', sizeof a.event.receiver - 1);
        memset(a.subject, 'x', sizeof a.subject - 1);
        ROUND_TRIP(alert, a, again);
        print_message("# the longest alert's body is %zu bytes\n", len);
        assert_true(len <= 1024);
}

static void attributes_and_silences_read_as_they_were_written(void **state) {
        ZEROED(AttributeBody, a);
        ZEROED(AttributeBody, a_again);
        set_time(&a.when);
        strcpy(a.subject, "stay-0421");
        strcpy(a.name, "spo2_low");
        strcpy(a.value, "86");
        a.uid = 1000;
        strcpy(a.why, "COPD");
        ROUND_TRIP(attribute, a, a_again);
        ONLY_ITSELF(attribute, ENTRY_ATTRIBUTE, a_again);
        memset(a.value, 0, sizeof a.value);
        memset(a.why, 0, sizeof a.why);
        ROUND_TRIP(attribute, a, a_again);
        ONLY_ITSELF(attribute, ENTRY_ATTRIBUTE, a_again);

        ZEROED(SilenceBody, s);
        ZEROED(SilenceBody, s_again);
        set_time(&s.when);
        strcpy(s.id, "5f1c0a93");
        s.over = true;
        s.from_us = noon.wall_us;
        s.until_us = noon.wall_us + 600 * USEC_PER_SEC;
        ROUND_TRIP(silence, s, s_again);
        ONLY_ITSELF(silence, ENTRY_SILENCE, s_again);
        s.over = false;
        strcpy(s.rule, "SpO2*");
        strcpy(s.subject, "stay-0421");
        strcpy(s.label, "Bed 7");
        strcpy(s.labels, "team=respiratory");
        s.priorities = 1 << PRIORITY_LOW | 1 << PRIORITY_MEDIUM;
        s.kinds = 1 << SUBJECT_PATIENT;
        strcpy(s.who, "uid:1000");
        strcpy(s.why, "suction");
        ROUND_TRIP(silence, s, s_again);
        ONLY_ITSELF(silence, ENTRY_SILENCE, s_again);
}

static void what_is_absent_reads_as_absent(void **state) {
        ZEROED(AlertBody, a);
        AlertBody again;

        a.event.value = NAN;
        a.event.raised_us = a.event.ended_us = TIME_NONE;
        CborWriter w = cbor_writer(data, sizeof data);
        body_put_alert(&w, &a);
        assert_int_equal(body_get_alert(BYTES(data, w.len), &again), 0);
        assert_true(isnan(again.event.value));
        assert_true(again.event.raised_us == TIME_NONE && again.event.ended_us == TIME_NONE);
        assert_int_equal(again.event.transition, TRANSITION_RAISED);
        assert_string_equal(again.subject, "");

        ZEROED(AccessBody, c);
        AccessBody c_again;
        c.from_us = c.to_us = TIME_NONE;
        w = cbor_writer(data, sizeof data);
        body_put_access(&w, &c);
        assert_int_equal(body_get_access(BYTES(data, w.len), &c_again), 0);
        assert_true(c_again.from_us == TIME_NONE && c_again.to_us == TIME_NONE);
}

static void what_happens_to_the_gateway_reads_as_it_was_written(void **state) {
        ZEROED(AssignBody, a);
        ZEROED(AssignBody, a_again);
        set_time(&a.when);
        strcpy(a.device, "spo2-07");
        strcpy(a.subject, "stay-0421");
        strcpy(a.label, "Bed 7");
        a.uid = 1000;
        ROUND_TRIP(assign, a, a_again);
        ONLY_ITSELF(assign, ENTRY_ASSIGN, a_again);

        ZEROED(ClockBody, k);
        ZEROED(ClockBody, k_again);
        set_time(&k.when);
        k.event = CLOCK_STEP;
        fill(&k.boot_id, sizeof k.boot_id, 6);
        k.step_us = INT64_MIN;
        ROUND_TRIP(clock, k, k_again);
        ONLY_ITSELF(clock, ENTRY_CLOCK, k_again);

        ZEROED(ConfigBody, c);
        ZEROED(ConfigBody, c_again);
        set_time(&c.when);
        fill(&c.config, sizeof c.config, 7);
        fill(&c.rules, sizeof c.rules, 8);
        strcpy(c.version, "0.1.0");
        ROUND_TRIP(config, c, c_again);
        ONLY_ITSELF(config, ENTRY_CONFIG, c_again);

        ZEROED(AccessBody, r);
        ZEROED(AccessBody, r_again);
        set_time(&r.when);
        r.uid = UINT32_MAX;
        strcpy(r.operation, "readings");
        strcpy(r.subject, "stay-0421");
        strcpy(r.vital, "spo2");
        r.from_us = 0;
        r.to_us = INT64_MAX;
        ROUND_TRIP(access, r, r_again);
        ONLY_ITSELF(access, ENTRY_ACCESS, r_again);
}

static void what_could_not_be_read_back_is_not_written(void **state) {
        ReadingBody b;

        const double values[] = { NAN, INFINITY, -INFINITY };
        for (size_t i = 0; i < ELEMENTS(values); i++) {
                spo2_body(&b);
                b.value = values[i];
                CborWriter w = cbor_writer(data, sizeof data);
                body_put_reading(&w, &b);
                assert_true(w.overflow);
        }
        spo2_body(&b);
        strcpy(b.device, "bett-\xfc");
        CborWriter w = cbor_writer(data, sizeof data);
        body_put_reading(&w, &b);
        assert_true(w.overflow);
}

static void a_body_beyond_the_buffer_is_an_overflow(void **state) {
        ReadingBody b;

        spo2_body(&b);
        CborWriter w = cbor_writer(data, sizeof data);
        body_put_reading(&w, &b);
        for (size_t room = 0; room < w.len; room++) {
                CborWriter small = cbor_writer(data, room);
                body_put_reading(&small, &b);
                assert_true(small.overflow);
        }
}

static int get_hex(const char *hex) {
        ReadingBody b;
        size_t n;

        assert_int_equal(sodium_hex2bin(data, sizeof data, hex, strlen(hex), " ", &n, NULL), 0);
        return body_get_reading(BYTES(data, n), &b);
}

static void other_encodings_of_a_reading_are_refused(void **state) {
        /*                          wall  mono  boot  device  vital   value */
        assert_int_equal(get_hex("a6 0101  0202  0303  056161  066162  08f93c00"), 0);
        /* an integer, a float or a length longer than need be */
        assert_int_equal(get_hex("a6 011801  0202  0303  056161  066162  08f93c00"), -EBADMSG);
        assert_int_equal(get_hex("a6 0101  0202  0303  056161  066162  08fa3f800000"), -EBADMSG);
        assert_int_equal(get_hex("a6 0101  0202  0303  05780161  066162  08f93c00"), -EBADMSG);
        assert_int_equal(get_hex("b806 0101  0202  0303  056161  066162  08f93c00"), -EBADMSG);
        /* a number of another kind */
        assert_int_equal(get_hex("a6 0101  0202  0303  056161  066162  0801"), -EBADMSG);
        /* another order, a key twice, an unknown key, a missing one, a wrong count */
        assert_int_equal(get_hex("a6 0202  0101  0303  056161  066162  08f93c00"), -EBADMSG);
        assert_int_equal(get_hex("a7 0101  0101  0202  0303  056161  066162  08f93c00"), -EBADMSG);
        assert_int_equal(get_hex("a7 0101  0202  0303  056161  066162  08f93c00  0d00"), -EBADMSG);
        assert_int_equal(get_hex("a5 0101  0202  0303  056161  066162"), -EBADMSG);
        assert_int_equal(get_hex("a7 0101  0202  0303  056161  066162  08f93c00"), -EBADMSG);
        /* an absent member written all the same: synchronised false, no unit, no flags */
        assert_int_equal(get_hex("a7 0101  0202  0303  04f4  056161  066162  08f93c00"), -EBADMSG);
        assert_int_equal(get_hex("a7 0101  0202  0303  056161  066162  0760  08f93c00"), -EBADMSG);
        assert_int_equal(get_hex("a7 0101  0202  0303  056161  066162  08f93c00  0b00"), -EBADMSG);
        /* indefinite length, a tag, infinity, NaN, text that isn't UTF-8 */
        assert_int_equal(get_hex("bf 0101  0202  0303  056161  066162  08f93c00 ff"), -EBADMSG);
        assert_int_equal(get_hex("a6 01c101  0202  0303  056161  066162  08f93c00"), -EBADMSG);
        assert_int_equal(get_hex("a6 0101  0202  0303  056161  066162  08f97c00"), -EBADMSG);
        assert_int_equal(get_hex("a6 0101  0202  0303  056161  066162  08f97e00"), -EBADMSG);
        assert_int_equal(get_hex("a6 0101  0202  0303  0561ff  066162  08f93c00"), -EBADMSG);
        /* a boot number and flags beyond their range; the largest that there are */
        assert_int_equal(get_hex("a6 0101  0202  031b0000000100000000  056161  066162  08f93c00"), -EBADMSG);
        assert_int_equal(get_hex("a7 0101  0202  0303  056161  066162  08f93c00  0b1a00010000"), -EBADMSG);
        assert_int_equal(get_hex("a7 0101  0202  031affffffff  056161  066162  08f93c00  0b19ffff"), 0);
}

/* With the byte at which an enum's last value stands one higher. */
#define ONE_MORE(noun, at, last, body)                                                                      \
        do {                                                                                                \
                CborWriter w = cbor_writer(data, sizeof data);                                              \
                body_put_##noun(&w, &(body));                                                               \
                assert_int_equal(body_get_##noun(BYTES(data, w.len), &(body)), 0);                          \
                assert_int_equal(data[at], last);                                                           \
                data[at]++;                                                                                 \
                assert_int_equal(body_get_##noun(BYTES(data, w.len), &(body)), -EBADMSG);                   \
        } while (0)

static void enums_end_at_their_last_value(void **state) {
        ZEROED(ClockBody, k);
        ZEROED(KeyBody, key);
        ZEROED(AssignBody, assign);
        ZEROED(AlertBody, alert);

        /* {1: 0, 2: 0, 3: 0, 5: event, ... */
        k.event = CLOCK_LOST;
        ONE_MORE(clock, 8, CLOCK_LOST, k);
        /* {1: 0, 2: 0, 3: 0, 5: "", 6: kind, ... */
        key.kind = SUBJECT_GROUP;
        ONE_MORE(key, 10, SUBJECT_GROUP, key);
        /* {1: 0, 2: 0, 3: 0, 5: "", 7: kind, ...: a group has no devices */
        assign.kind = SUBJECT_DEVICE;
        ONE_MORE(assign, 10, SUBJECT_DEVICE, assign);
        /* {1: 0, 2: 0, 3: 0, 5: "", 6: "", 7: 32 bytes, 8: 0, 9: state, 11: 0, 12: 0, 13: 0, 15: transition} */
        alert.event.state = ALERT_ACKNOWLEDGED;
        alert.event.raised_us = alert.event.ended_us = TIME_NONE;
        ONE_MORE(alert, 49, ALERT_ACKNOWLEDGED, alert);
        alert.event.transition = TRANSITION_UNDELIVERED;
        ONE_MORE(alert, 59, TRANSITION_UNDELIVERED, alert);
}

static void nothing_is_written_to_the_result_on_failure(void **state) {
        ReadingBody b, before;

        spo2_body(&b);
        before = b;
        assert_int_equal(body_get_reading(BYTES("\xa6\x01\x01\x02\x02\x03\x03\x05\x61\x61", 10), &b),
                        -EBADMSG);
        assert_memory_equal(&b, &before, sizeof b);
}

static void utf8_is_that_of_unicode(void **state) {
        static const char *const good[] = { "", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
                "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
                "a\xe2\x80\x94z" };
        static const char *const bad[] = { "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2z",
                "\xc2\xc0", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x80", "\xe2\x80z", "\xe2z\x80",
                "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xf0\x90\x80",
                "\xf0\x90\x80\xc0" };

        for (size_t i = 0; i < ELEMENTS(good); i++)
                assert_true(utf8_is_valid(BYTES_STRING(good[i])));
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_false(utf8_is_valid(BYTES_STRING(bad[i])));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_entry_has_the_documented_bytes),
                cmocka_unit_test(an_entry_reads_as_it_was_written),
                cmocka_unit_test(other_versions_types_and_flags_are_refused),
                cmocka_unit_test(a_sealed_body_needs_a_key),
                cmocka_unit_test(names_of_types_events_and_reasons_end),
                cmocka_unit_test(a_reading_is_small_and_reads_as_it_was_written),
                cmocka_unit_test(keys_and_seals_read_as_they_were_written),
                cmocka_unit_test(gaps_and_alerts_read_as_they_were_written),
                cmocka_unit_test(the_longest_alert_has_room),
                cmocka_unit_test(attributes_and_silences_read_as_they_were_written),
                cmocka_unit_test(what_is_absent_reads_as_absent),
                cmocka_unit_test(what_happens_to_the_gateway_reads_as_it_was_written),
                cmocka_unit_test(what_could_not_be_read_back_is_not_written),
                cmocka_unit_test(a_body_beyond_the_buffer_is_an_overflow),
                cmocka_unit_test(other_encodings_of_a_reading_are_refused),
                cmocka_unit_test(enums_end_at_their_last_value),
                cmocka_unit_test(nothing_is_written_to_the_result_on_failure),
                cmocka_unit_test(utf8_is_that_of_unicode),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
