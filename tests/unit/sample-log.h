/* A log of five entries, made from fixed keys and a fixed nonce: docs/ledger-format.md prints it as its test vectors. */
#pragma once

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "ledger/proof.h"

#define NOON    INT64_C(1795176000000000) /* 2026-11-20T12:00:00Z */
#define ORIGIN  "ward-3.example/1"
#define SUBJECT "stay-0421"

enum { SIZE = 5, READING = 2, OLD_SIZE = 3 };

typedef struct Sample {
        SigningKey key;
        SubjectKey subject;
        Entry entries[SIZE];
        uint8_t bodies[SIZE][256]; /* as stored */
        size_t body_lens[SIZE];
        Hash leaves[SIZE];
        Checkpoint checkpoint;
        char note[NOTE_TEXT_MAX];
} Sample;

static Sample sample;

static inline void count_up(void *p, size_t n, uint8_t from) {
        for (size_t i = 0; i < n; i++)
                ((uint8_t *) p)[i] = (uint8_t) (from + i);
}

static inline EntryTime at(int64_t seconds) {
        return (EntryTime){ NOON + seconds * USEC_PER_SEC, (600 + seconds) * USEC_PER_SEC, 1, true };
}

static inline Hash hash_of_text(const char *text) {
        Hash h;

        sha256(BYTES_STRING(text), &h);
        return h;
}

static inline ClockBody clock_body(void) {
        ClockBody b = { .when = { NOON, 600 * USEC_PER_SEC, 1, false }, .event = CLOCK_BOOT };

        count_up(b.boot_id.bytes, sizeof b.boot_id.bytes, 0xe0);
        return b;
}

static inline KeyBody key_body(void) {
        KeyBody b = { .when = at(1), .subject = SUBJECT, .kind = SUBJECT_PATIENT, .key = sample.subject.id };

        keyring_commitment(&sample.subject, &b.commitment);
        return b;
}

static inline ReadingBody reading_body(void) {
        return (ReadingBody){ .when = at(1),
                .device_clock_us = TIME_NONE,
                .device = "spo2-07",
                .vital = "spo2",
                .unit = "%",
                .value = 97,
                .device_time_us = NOON + 750000 };
}

static inline GapBody gap_body(void) {
        return (GapBody){ .when = at(4),
                .reason = GAP_SEQUENCE,
                .what = "spo2-07",
                .from_us = NOON + 1 * USEC_PER_SEC,
                .to_us = NOON + 4 * USEC_PER_SEC,
                .first = 18,
                .count = 2 };
}

static inline SealBody seal_body(void) {
        SealBody b = { .when = at(10),
                .count = SIZE,
                .first_us = NOON,
                .last_us = NOON + 4 * USEC_PER_SEC,
                .rules = hash_of_text("rules") };

        merkle_empty(&b.previous_root);
        return b;
}

static inline CborWriter writer_at(size_t i) {
        return cbor_writer(sample.bodies[i], sizeof sample.bodies[i]);
}

static inline void add_entry(size_t i, EntryType type, const CborWriter *w) {
        assert_false(w->overflow);
        sample.entries[i].type = type;
        sample.body_lens[i] = w->len;
}

static inline void seal_reading(void) {
        RandomPool random = { .left = SEAL_NONCE_SIZE };
        uint8_t head[ENTRY_HEAD_SIZE], plain[sizeof sample.bodies[0]];
        Entry *e = &sample.entries[READING];
        size_t len = sample.body_lens[READING];

        e->flags = ENTRY_SEALED_BODY;
        e->stream = 1;
        e->key = sample.subject.id;
        memcpy(plain, sample.bodies[READING], len);
        count_up(random.bytes, SEAL_NONCE_SIZE, 0x60);
        entry_encode_head(e, head);
        body_seal(&sample.subject, &random, head, BYTES(plain, len), sample.bodies[READING]);
        sample.body_lens[READING] += SEAL_OVERHEAD;
}

static inline void make_bodies(void) {
        ClockBody clock = clock_body();
        KeyBody key = key_body();
        ReadingBody reading = reading_body();
        GapBody gap = gap_body();
        SealBody seal = seal_body();
        CborWriter w = writer_at(0);

        body_put_clock(&w, &clock);
        add_entry(0, ENTRY_CLOCK, &w);
        w = writer_at(1);
        body_put_key(&w, &key);
        add_entry(1, ENTRY_KEY, &w);
        w = writer_at(READING);
        body_put_reading(&w, &reading);
        add_entry(READING, ENTRY_READING, &w);
        w = writer_at(3);
        body_put_gap(&w, &gap);
        add_entry(3, ENTRY_GAP, &w);
        w = writer_at(4);
        body_put_seal(&w, &seal);
        add_entry(4, ENTRY_SEAL, &w);
}

static inline int make_sample(void **state) {
        Frontier f = { 0 };
        uint8_t seed[32];
        uint64_t seq = 0;

        count_up(seed, sizeof seed, 0);
        (void) crypto_sign_seed_keypair(sample.key.public, sample.key.secret, seed);
        count_up(sample.subject.id.bytes, KEY_ID_SIZE, 0xa0);
        count_up(sample.subject.key, KEY_SIZE, 0x40);
        make_bodies();
        sample.entries[1].key = sample.subject.id;
        for (size_t i = 0; i < SIZE; i++) {
                Entry *e = &sample.entries[i];
                uint8_t bytes[ENTRY_SIZE];
                if (i == READING)
                        seal_reading();
                else
                        e->seq = seq++;
                sha256(BYTES(sample.bodies[i], sample.body_lens[i]), &e->body);
                entry_encode(e, bytes);
                merkle_leaf(BYTES(bytes, sizeof bytes), &sample.leaves[i]);
                frontier_append(&f, &sample.leaves[i]);
        }
        strcpy(sample.checkpoint.origin, ORIGIN);
        sample.checkpoint.size = SIZE;
        frontier_root(&f, &sample.checkpoint.root);
        return checkpoint_sign(&sample.checkpoint, &sample.key, sample.note);
}

static inline int sample_node(void *userdata, unsigned level, uint64_t index, Hash *ret) {
        Frontier f = { 0 };

        for (uint64_t i = index << level; i < (index + 1) << level; i++)
                frontier_append(&f, &sample.leaves[i]);
        frontier_root(&f, ret);
        return 0;
}

static inline void make_proof(size_t index, bool disclose, Proof *ret) {
        NodeSource source = { sample_node, NULL };
        Bytes body = BYTES(sample.bodies[index], sample.body_lens[index]);

        memset(ret, 0, sizeof *ret);
        ret->index = index;
        ret->entry = sample.entries[index];
        memcpy(ret->body, body.data, body.len);
        ret->body_len = body.len;
        ret->has_subkey = disclose;
        if (disclose)
                assert_int_equal(body_disclose(&sample.subject, body, ret->subkey), 0);
        assert_int_equal(merkle_inclusion_proof(&source, index, SIZE, ret->hashes, &ret->hash_count), 0);
        strcpy(ret->note, sample.note);
}
