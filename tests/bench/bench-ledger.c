/* What a reading costs in the ledger alone: bench-ledger FOLDER ENTRIES BATCH [PAUSE_MS]
 * Prints one line of JSON. Under callgrind its instructions divided by ENTRIES are the price of one. */
#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ledger/ledger_internal.h"

enum { SUBJECTS = 50, VITALS = 4, KEK_FILL = 7 };

static const char *const vitals[VITALS] = { "spo2", "hr", "rr", "temp" };

typedef struct Bench {
        Ledger *ledger;
        uint64_t entries, batch;
        long pause_ms;
        EntryTime when;
} Bench;

static double seconds(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* The number behind `name` in a file of /proc. */
static uint64_t proc_number(const char *path, const char *name) {
        char line[128];
        uint64_t n = 0;

        FILE *f = fopen(path, "re");
        while (f && n == 0 && fgets(line, sizeof line, f))
                if (startswith(line, name))
                        n = strtoull(line + strlen(name), NULL, 10);
        if (f)
                (void) fclose(f);
        return n;
}

/* Bytes that this process has sent to the block layer. */
static uint64_t bytes_written(void) {
        return proc_number("/proc/self/io", "write_bytes:");
}

static uint64_t resident_kib(void) {
        return proc_number("/proc/self/smaps_rollup", "Pss:");
}

static int append(Bench *b, uint64_t i) {
        unsigned who = (unsigned) (i / VITALS % SUBJECTS);
        char subject[32], device[32];
        uint8_t data[256];
        CborWriter w = cbor_writer(data, sizeof data);
        uint32_t stream;

        (void) snprintf(subject, sizeof subject, "stay-%04u", who);
        (void) snprintf(device, sizeof device, "monitor-%02u", who);
        b->when.wall_us += 1000;
        b->when.mono_us += 1000;
        ReadingBody body = {
                .when = b->when, .value = 90 + (double) (i % 10), .device_time_us = b->when.wall_us - 20000
        };
        memcpy(body.device, device, sizeof device);
        (void) snprintf(body.vital, sizeof body.vital, "%s", vitals[i % VITALS]);
        (void) snprintf(body.unit, sizeof body.unit, "%s", "%");
        body_put_reading(&w, &body);
        int r = ledger_stream(b->ledger, device, &stream);
        if (r < 0)
                return r;
        return ledger_append(b->ledger, &(LedgerItem){
                                                        .type = ENTRY_READING,
                                                        .stream = stream,
                                                        .subject = subject,
                                                        .wall_us = b->when.wall_us,
                                                        .body = BYTES(data, w.len),
                                        });
}

static int collect(Bench *b) {
        struct pollfd p = { .fd = ledger_fd(b->ledger), .events = POLLIN };
        LedgerResult result;

        if (poll(&p, 1, -1) < 0 || ledger_collect(b->ledger, &result) < 0)
                return -1;
        if (result.r < 0)
                (void) fprintf(stderr, "%s\n", result.message);
        return result.r;
}

/* As the gateway does: the next batch fills while one is written. */
static int run(Bench *b) {
        const Hash rules = { 0 };

        for (uint64_t i = 0; i < b->entries; i++) {
                int r = append(b, i);
                if (r == 0 && i % b->batch == b->batch - 1) {
                        if (ledger_is_writing(b->ledger))
                                r = collect(b);
                        if (r == 0 && b->pause_ms > 0)
                                (void) usleep((useconds_t) b->pause_ms * 1000);
                        if (r == 0)
                                r = ledger_close_batch(b->ledger, false, &b->when, &rules);
                }
                if (r < 0)
                        return r;
        }
        return ledger_is_writing(b->ledger) ? collect(b) : 0;
}

static int open_ledger(Bench *b, const char *dir, const SigningKey *key, Keyring *keyring) {
        LedgerOptions options = {
                .state_dir = dir,
                .name = "bench",
                .signing_key = key,
                .keyring = keyring,
                .block_entries = 4096,
                .block_age_us = 10 * USEC_PER_SEC,
                .create = true,
        };
        LedgerRecovery recovery;
        Error e;

        double start = seconds();
        if (ledger_open(&options, &b->ledger, &recovery, &e) < 0) {
                (void) fprintf(stderr, "%s\n", e.message);
                return -1;
        }
        (void) fprintf(stderr, "start-up: %.1f ms, %" PRIu64 " records read\n", 1e3 * (seconds() - start),
                        store_reads(b->ledger->store));
        return 0;
}

int main(int argc, char **argv) {
        Bench b = { .when = { .wall_us = INT64_C(1795176000000000), .mono_us = 1, .boot = 1 } };
        uint8_t kek[KEY_SIZE] = { KEK_FILL };
        _cleanup_(keyring_freep) Keyring *keyring = NULL;
        SigningKey key;
        char keys[256];
        Error e;

        if (argc < 4) {
                (void) fprintf(stderr, "usage: %s FOLDER ENTRIES BATCH [PAUSE_MS]\n", argv[0]);
                return 2;
        }
        b.entries = strtoull(argv[2], NULL, 10);
        b.batch = MAX(strtoull(argv[3], NULL, 10), 1ULL);
        b.pause_ms = argc > 4 ? strtol(argv[4], NULL, 10) : 0;
        (void) snprintf(keys, sizeof keys, "%s/keys", argv[1]);
        if (sodium_init() < 0 || keyring_open(keys, kek, &keyring, &e) < 0)
                return 1;
        /* The same key each time, so that a second run goes on. */
        static const uint8_t seed[crypto_sign_SEEDBYTES] = { 1 };
        (void) crypto_sign_seed_keypair(key.public, key.secret, seed);
        if (open_ledger(&b, argv[1], &key, keyring) < 0)
                return 1;
        uint64_t bytes = bytes_written();
        double start = seconds();
        if (run(&b) < 0)
                return 1;
        double took = seconds() - start;
        (void) printf("{\"entries\": %" PRIu64 ", \"batch\": %" PRIu64
                      ", \"rate\": %.0f, \"bytes_per_entry\": %.1f, \"pss_kib\": %" PRIu64 "}\n",
                        b.entries, b.batch, (double) b.entries / took,
                        (double) (bytes_written() - bytes) / (double) b.entries, resident_kib());
        ledger_free(b.ledger);
        return 0;
}
