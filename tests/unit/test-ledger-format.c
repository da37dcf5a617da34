/* The test vectors of docs/ledger-format.md are what the code gives: they can't go stale. Where one differs, what it should
 * be is printed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "sample-log.h"

static AlertBody alert_body(void) {
        Hash rule = hash_of_text("rule");
        AlertBody b = { .when = at(2),
                .event = { .id = "1-7",
                                .rule = "SpO2Low",
                                .priority = PRIORITY_HIGH,
                                .state = ALERT_ACTIVE,
                                .value = 84.1,
                                .since_us = NOON,
                                .raised_us = NOON + 2 * USEC_PER_SEC,
                                .ended_us = TIME_NONE,
                                .time_us = NOON + 2 * USEC_PER_SEC,
                                .labels = "floor=3,team=respiratory",
                                .summary = "SpO2 84.1 % in Bed 7" },
                .subject = SUBJECT };

        memcpy(b.event.rule_hash, rule.bytes, sizeof rule.bytes);
        return b;
}

/* The same one, later. */
static AlertBody alert_acknowledged_body(void) {
        AlertBody b = alert_body();

        b.when = at(8);
        b.event.state = ALERT_ACKNOWLEDGED;
        b.event.transition = TRANSITION_ACKNOWLEDGED;
        b.event.ended_us = NOON + 7 * USEC_PER_SEC;
        b.event.time_us = NOON + 8 * USEC_PER_SEC;
        strcpy(b.event.who, "uid:1000");
        strcpy(b.event.note, "repositioned");
        return b;
}

static AlertBody alert_delivered_body(void) {
        AlertBody b = alert_body();

        b.when = at(3);
        b.event.transition = TRANSITION_DELIVERED;
        b.event.time_us = NOON + 3 * USEC_PER_SEC;
        strcpy(b.event.note, "1-7/1");
        strcpy(b.event.receiver, "pager");
        b.event.step = 2;
        return b;
}

static AttributeBody attribute_body(void) {
        return (AttributeBody){ .when = at(5), SUBJECT, "spo2_low", "86", 1000, "COPD, target 88 to 92 %" };
}

static SilenceBody silence_body(void) {
        return (SilenceBody){ .when = at(6),
                .id = "5f1c0a93",
                .from_us = NOON + 6 * USEC_PER_SEC,
                .until_us = NOON + 606 * USEC_PER_SEC,
                .rule = "SpO2*",
                .subject = SUBJECT,
                .label = "Bed 7",
                .labels = "team=respiratory",
                .priorities = 1 << PRIORITY_LOW | 1 << PRIORITY_MEDIUM,
                .kinds = 1 << SUBJECT_PATIENT,
                .who = "uid:1000",
                .why = "suction" };
}

static SilenceBody silence_over_body(void) {
        SilenceBody b = silence_body();

        b.when = at(606);
        b.over = true;
        b.who[0] = '\0';
        return b;
}

static AssignBody assign_body(void) {
        return (AssignBody){ .when = at(0), "spo2-07", SUBJECT, SUBJECT_PATIENT, "Bed 7", 1000 };
}

static ConfigBody config_body(void) {
        return (ConfigBody){ at(0), hash_of_text("config"), hash_of_text("rules"), "0.1.0" };
}

static AccessBody access_body(void) {
        return (AccessBody){ .when = at(9), 1000, "readings", SUBJECT, "spo2", NOON, TIME_NONE };
}

typedef struct Vectors {
        char *document;
        size_t count, wrong;
} Vectors;

/* The fenced block "```text vector=<label>"; NULL where there is none. */
static const char *find_vector(const Vectors *v, const char *label, size_t *ret_len) {
        char fence[128];

        (void) snprintf(fence, sizeof fence, "```text vector=%s\n", label);
        const char *begin = strstr(v->document, fence);
        if (!begin)
                return NULL;
        begin += strlen(fence);
        const char *end = strstr(begin, "```\n");
        if (!end)
                return NULL;
        *ret_len = (size_t) (end - begin);
        return begin;
}

static void check_text(Vectors *v, const char *label, const char *want) {
        size_t len = 0;
        const char *have = find_vector(v, label, &len);

        v->count++;
        if (have && bytes_equal(BYTES(have, len), BYTES_STRING(want)))
                return;
        print_message("# vector %s is\n%s# end\n", label, want);
        v->wrong++;
}

static void check_line(Vectors *v, const char *label, const char *want) {
        char line[PROOF_TEXT_MAX + 1];

        (void) snprintf(line, sizeof line, "%s\n", want);
        check_text(v, label, line);
}

/* In hexadecimal, 32 bytes a line. */
static void check_hex(Vectors *v, const char *label, const void *data, size_t len) {
        char want[4096] = "";
        size_t n = 0;

        for (size_t i = 0; i < len; i += 32) {
                size_t part = MIN(len - i, (size_t) 32);
                (void) sodium_bin2hex(want + n, sizeof want - n, (const uint8_t *) data + i, part);
                n += 2 * part;
                want[n++] = '\n';
        }
        want[n] = '\0';
        check_text(v, label, want);
}

#define CHECK_BODY(v, noun, label, body)                                                                    \
        do {                                                                                                \
                uint8_t _data[512];                                                                         \
                CborWriter _w = cbor_writer(_data, sizeof _data);                                           \
                body_put_##noun(&_w, &(body));                                                              \
                assert_false(_w.overflow);                                                                  \
                check_hex(v, "body-" label, _data, _w.len);                                                 \
        } while (0)

static void check_bodies(Vectors *v) {
        ReadingBody reading = reading_body();
        KeyBody key = key_body();
        SealBody seal = seal_body();
        GapBody gap = gap_body();
        AlertBody alert = alert_body();
        AssignBody assign = assign_body();
        ClockBody clock = clock_body();
        ConfigBody config = config_body();
        AccessBody access = access_body();
        AttributeBody attribute = attribute_body();
        SilenceBody silence = silence_body(), over = silence_over_body();
        AlertBody acknowledged = alert_acknowledged_body(), delivered = alert_delivered_body();

        CHECK_BODY(v, reading, "reading", reading);
        CHECK_BODY(v, key, "key", key);
        CHECK_BODY(v, seal, "seal", seal);
        CHECK_BODY(v, gap, "gap", gap);
        CHECK_BODY(v, alert, "alert", alert);
        CHECK_BODY(v, alert, "alert-acknowledged", acknowledged);
        CHECK_BODY(v, alert, "alert-delivered", delivered);
        CHECK_BODY(v, assign, "assign", assign);
        CHECK_BODY(v, clock, "clock", clock);
        CHECK_BODY(v, config, "config", config);
        CHECK_BODY(v, access, "access", access);
        CHECK_BODY(v, attribute, "attribute", attribute);
        CHECK_BODY(v, silence, "silence", silence);
        CHECK_BODY(v, silence, "silence-over", over);
}

static void check_log(Vectors *v) {
        static const char *const labels[SIZE][2] = { { "entry-0", "leaf-0" }, { "entry-1", "leaf-1" },
                { "entry-2", "leaf-2" }, { "entry-3", "leaf-3" }, { "entry-4", "leaf-4" } };
        NodeSource source = { sample_node, NULL };
        Hash proof[MERKLE_PROOF_MAX], root;
        size_t n;

        for (size_t i = 0; i < SIZE; i++) {
                uint8_t bytes[ENTRY_SIZE];
                entry_encode(&sample.entries[i], bytes);
                check_hex(v, labels[i][0], bytes, sizeof bytes);
                check_hex(v, labels[i][1], &sample.leaves[i], SHA256_SIZE);
        }
        check_hex(v, "root-5", &sample.checkpoint.root, SHA256_SIZE);
        assert_int_equal(merkle_inclusion_proof(&source, READING, SIZE, proof, &n), 0);
        check_hex(v, "inclusion-2-5", proof, n * SHA256_SIZE);
        assert_int_equal(merkle_root_at(&source, OLD_SIZE, &root), 0);
        check_hex(v, "root-3", &root, SHA256_SIZE);
        assert_int_equal(merkle_consistency_proof(&source, OLD_SIZE, SIZE, proof, &n), 0);
        check_hex(v, "consistency-3-5", proof, n * SHA256_SIZE);
}

static void check_signed(Vectors *v) {
        char text[PROOF_TEXT_MAX];
        size_t len;
        Proof p;

        assert_int_equal(signing_key_format(&sample.key, text, sizeof text), 0);
        check_line(v, "signing-key", text);
        assert_int_equal(note_verifier_key(ORIGIN, sample.key.public, text, sizeof text), 0);
        check_line(v, "verifier-key", text);
        check_hex(v, "public-key", sample.key.public, sizeof sample.key.public);
        check_text(v, "checkpoint", sample.note);
        make_proof(READING, false, &p);
        assert_int_equal(proof_format(&p, text, &len), 0);
        text[len] = '\0';
        check_text(v, "proof", text);
        make_proof(READING, true, &p);
        assert_int_equal(proof_format(&p, text, &len), 0);
        text[len] = '\0';
        check_text(v, "proof-disclosed", text);
}

static size_t hex_vector(const Vectors *v, const char *label, uint8_t *ret, size_t size) {
        size_t len = 0, n = 0;
        const char *text = find_vector(v, label, &len);

        if (!text)
                fail_msg("the document has no vector %s", label);
        assert_int_equal(sodium_hex2bin(ret, size, text, len, "\n", &n, NULL), 0);
        return n;
}

/* A folder with the document's key file opens with the document's key-encryption key. */
static void check_keys(Vectors *v) {
        char folder[] = "/tmp/test-proof.XXXXXX", path[64], subject[NAME_MAX_LENGTH];
        uint8_t kek[KEY_SIZE], file[512], subkey[KEY_SIZE];
        _cleanup_free_ char *check = NULL;
        Keyring *k;
        SubjectKey key;
        Hash commitment;
        size_t len = 0;
        Error e;

        v->count++;
        size_t file_len = hex_vector(v, "key-file", file, sizeof file);
        count_up(kek, sizeof kek, 0x80);
        assert_non_null(mkdtemp(folder));
        (void) snprintf(path, sizeof path, "%s/a0a1a2a3a4a5a6a7a8a9aaabacadaeaf", folder);
        assert_int_equal(file_replace(path, BYTES(file, file_len), 0600, &e), 0);
        int r = keyring_open(folder, kek, &k, &e);
        (void) unlink(path);
        (void) snprintf(path, sizeof path, "%s/check", folder);
        if (r == 0)
                assert_int_equal(file_read(path, 64, &check, &len, &e), 0);
        (void) unlink(path);
        (void) rmdir(folder);
        if (r < 0)
                fail_msg("%s", e.message);
        assert_int_equal(keyring_find(k, &sample.subject.id, &key, subject), 0);
        keyring_free(k);
        assert_memory_equal(&key, &sample.subject, sizeof key);
        assert_string_equal(subject, SUBJECT);
        check_hex(v, "check-file", check, len);

        keyring_commitment(&sample.subject, &commitment);
        check_hex(v, "commitment", &commitment, sizeof commitment);
        check_hex(v, "sealed-body", sample.bodies[READING], sample.body_lens[READING]);
        Bytes sealed = BYTES(sample.bodies[READING], sample.body_lens[READING]);
        assert_int_equal(body_disclose(&sample.subject, sealed, subkey), 0);
        check_hex(v, "subkey", subkey, sizeof subkey);
}

static size_t count_vectors(const char *document) {
        static const char fence[] = "```text vector=";
        size_t n = 0;

        for (const char *p = document; (p = strstr(p, fence)); p += sizeof fence - 1)
                n++;
        return n;
}

static void the_documents_vectors_are_what_the_code_gives(void **state) {
        char path[4096];
        Vectors v = { 0 };
        Error e;

        const char *source = getenv("WARDSTONE_SOURCE");
        if (!source) {
                print_message("# WARDSTONE_SOURCE is not set: the document is not read\n");
                skip();
        }
        (void) snprintf(path, sizeof path, "%s/docs/ledger-format.md", source);
        if (file_read(path, 1 << 20, &v.document, NULL, &e) < 0)
                fail_msg("%s", e.message);
        check_bodies(&v);
        check_log(&v);
        check_signed(&v);
        check_keys(&v);
        assert_int_equal(count_vectors(v.document), v.count);
        free(v.document);
        assert_int_equal(v.wrong, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_documents_vectors_are_what_the_code_gives),
        };

        return cmocka_run_group_tests(tests, make_sample, NULL);
}
