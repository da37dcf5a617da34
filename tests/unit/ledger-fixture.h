/* A ledger in a folder of its own, for the tests of the ledger and of what is built on it. */
#pragma once

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "ledger/ledger_internal.h"

#define NOON INT64_C(1795176000000000)

typedef struct Fixture {
        char dir[64];
        SigningKey key;
        Keyring *keyring;
        LedgerOptions options;
        Ledger *ledger;
        LedgerRecovery recovery;
        Error error;
        int64_t now_us;
        Hash rules;
} Fixture;

static const uint8_t fixture_kek[KEY_SIZE] = { 7 };

/* One of four at a time. */
_unused_ static const char *fixture_path(const Fixture *f, const char *name) {
        static char paths[4][512];
        static unsigned next;
        char *path = paths[next++ % ELEMENTS(paths)];

        (void) snprintf(path, sizeof paths[0], "%s/%s", f->dir, name);
        return path;
}

_unused_ static int fixture_open(Fixture *f) {
        return ledger_open(&f->options, &f->ledger, &f->recovery, &f->error);
}

_unused_ static void fixture_start(Fixture *f) {
        if (fixture_open(f) < 0)
                fail_msg("%s", f->error.message);
}

_unused_ static void fixture_stop(Fixture *f) {
        f->ledger = ledger_free(f->ledger);
}

_unused_ static void fixture_open_keyring(Fixture *f) {
        char path[128];

        (void) snprintf(path, sizeof path, "%s/keys", f->dir);
        assert_int_equal(keyring_open(path, fixture_kek, &f->keyring, &f->error), 0);
        f->options.keyring = f->keyring;
}

_unused_ static void fixture_set_options(Fixture *f, const char *dir) {
        (void) snprintf(f->dir, sizeof f->dir, "%s", dir);
        f->options = (LedgerOptions){
                .state_dir = f->dir,
                .name = "ward-3.example",
                .signing_key = &f->key,
                .block_entries = 64,
                .block_age_us = 10 * USEC_PER_SEC,
                .block_idle_us = 3600 * USEC_PER_SEC,
                .create = true,
        };
        fixture_open_keyring(f);
}

_unused_ static int fixture_setup(void **state) {
        static Fixture fixture;
        char dir[] = "/tmp/test-ledger.XXXXXX";
        Fixture *f = &fixture;

        *f = (Fixture){ .now_us = NOON };
        assert_non_null(mkdtemp(dir));
        assert_int_equal(sodium_init() < 0, 0);
        assert_int_equal(signing_key_generate(&f->key), 0);
        fixture_set_options(f, dir);
        *state = f;
        return 0;
}

_unused_ static int fixture_remove(const char *path, const struct stat *st, int type, struct FTW *at) {
        return remove(path);
}

_unused_ static int fixture_teardown(void **state) {
        Fixture *f = *state;

        fixture_stop(f);
        f->keyring = keyring_free(f->keyring);
        return nftw(f->dir, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
}

_unused_ static EntryTime fixture_when(const Fixture *f) {
        return (EntryTime){
                .wall_us = f->now_us, .mono_us = f->now_us - NOON + 1, .boot = 1, .synchronised = true
        };
}

/* xorshift64: the same numbers in each run. */
_unused_ static uint64_t fixture_random(uint64_t *seed, uint64_t below) {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        return *seed % below;
}

/* Each reading is a second later than the one before. */
_unused_ static int fixture_read(
                Fixture *f, const char *subject, const char *device, const char *vital, double value) {
        uint8_t data[BODY_MAX];
        CborWriter w = cbor_writer(data, sizeof data);
        uint32_t stream;

        f->now_us += USEC_PER_SEC;
        ReadingBody body = { .when = fixture_when(f),
                .value = value,
                .device_time_us = TIME_NONE,
                .device_clock_us = TIME_NONE };
        (void) snprintf(body.device, sizeof body.device, "%s", device);
        (void) snprintf(body.vital, sizeof body.vital, "%s", vital);
        body_put_reading(&w, &body);
        assert_false(w.overflow);
        assert_int_equal(ledger_stream(f->ledger, device, &stream), 0);
        return ledger_append(f->ledger, &(LedgerItem){
                                                        .type = ENTRY_READING,
                                                        .stream = stream,
                                                        .subject = subject,
                                                        .wall_us = f->now_us,
                                                        .body = BYTES(data, w.len),
                                        });
}

/* An entry of the gateway's own, in the clear. */
_unused_ static int fixture_note(Fixture *f, EntryType type, const char *text) {
        uint8_t data[BODY_MAX];
        CborWriter w = cbor_writer(data, sizeof data);

        f->now_us += USEC_PER_SEC;
        if (type == ENTRY_ASSIGN) {
                AssignBody body = { .when = fixture_when(f) };
                (void) snprintf(body.device, sizeof body.device, "%s", text);
                body_put_assign(&w, &body);
        } else {
                GapBody body = {
                        .when = fixture_when(f), .reason = GAP_SHED, .from_us = TIME_NONE, .to_us = TIME_NONE
                };
                (void) snprintf(body.what, sizeof body.what, "%s", text);
                body_put_gap(&w, &body);
        }
        return ledger_append(f->ledger, &(LedgerItem){
                                                        .type = type,
                                                        .wall_us = f->now_us,
                                                        .body = BYTES(data, w.len),
                                        });
}

_unused_ static LedgerResult fixture_collect(Fixture *f) {
        struct pollfd p = { .fd = ledger_fd(f->ledger), .events = POLLIN };
        LedgerResult result;

        assert_int_equal(poll(&p, 1, 10000), 1);
        assert_int_equal(ledger_collect(f->ledger, &result), 0);
        return result;
}

_unused_ static LedgerResult fixture_try_commit(Fixture *f, bool seal) {
        EntryTime when = fixture_when(f);

        assert_int_equal(ledger_close_batch(f->ledger, seal, &when, &f->rules), 0);
        return fixture_collect(f);
}

_unused_ static LedgerResult fixture_commit(Fixture *f, bool seal) {
        LedgerResult result = fixture_try_commit(f, seal);

        if (result.r < 0)
                fail_msg("%s", result.message);
        return result;
}

/* n readings of some subjects and devices. */
_unused_ static void fixture_fill(Fixture *f, unsigned n, unsigned batch) {
        char subject[16], device[16];

        for (unsigned i = 0; i < n; i++) {
                unsigned who = (unsigned) (f->now_us / USEC_PER_SEC) * 7 % 5;
                (void) snprintf(subject, sizeof subject, "stay-%u", who);
                (void) snprintf(device, sizeof device, "dev-%u", who);
                assert_int_equal(fixture_read(f, subject, device, "spo2", 80 + (i % 20)), 0);
                if (i % batch == batch - 1)
                        (void) fixture_commit(f, false);
        }
        (void) fixture_commit(f, false);
}

_unused_ static int fixture_count_reading(void *userdata, const StoredReading *r) {
        ++*(unsigned *) userdata;
        return 0;
}

_unused_ static unsigned fixture_readings(Fixture *f) {
        unsigned n = 0;
        const ReadingFilter all = { .from_us = TIME_NONE, .to_us = TIME_NONE, .after = UINT64_MAX };

        assert_int_equal(ledger_readings(f->ledger, &all, fixture_count_reading, &n), 0);
        return n;
}

_unused_ static LedgerHead fixture_head(Fixture *f) {
        LedgerHead head;

        assert_int_equal(ledger_head(f->ledger, &head), 0);
        return head;
}

_unused_ static VerifyReport fixture_verify(Fixture *f) {
        VerifyReport report = { 0 };

        assert_int_equal(ledger_verify_all(f->ledger, NULL, NULL, &report), 0);
        return report;
}

_unused_ static void fixture_expect_intact(Fixture *f) {
        VerifyReport report = fixture_verify(f);

        if (report.bad > 0)
                fail_msg("%llu faults, first: %s", (unsigned long long) report.bad, report.first_fault);
}

/* An entry's proof holds, against the head's checkpoint. */
_unused_ static void fixture_expect_proof(Fixture *f, uint64_t index) {
        uint8_t plain[BODY_MAX];
        Checkpoint checkpoint;
        size_t len = 0;
        Proof *p = calloc(1, sizeof *p);

        assert_non_null(p);
        if (ledger_prove(f->ledger, index, true, p, &f->error) < 0 ||
                        proof_verify(p, f->key.public, &checkpoint, plain, &len, &f->error) < 0)
                fail_msg("%s", f->error.message);
        assert_true(len > 0);
        free(p);
}
