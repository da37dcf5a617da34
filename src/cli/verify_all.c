/* verify --all: the whole ledger, recomputed by the daemon, or here where none runs. */
#include <errno.h>
#include <sodium.h>

#include "cli/progress.h"
#include "cli/request.h"
#include "cli/verify.h"
#include "gateway/config.h"
#include "gateway/keys.h"
#include "ledger/ledger.h"

static const char default_config[] = "/etc/wardstone/wardstone.yaml";

enum { ROW_TIMEOUT_MS = 5 * 60 * 1000 }; /* one step of the daemon's on a slow card */

static int report(const Invocation *in, const json_t *row, double seconds) {
        const json_int_t entries = json_integer_value(json_object_get(row, "entries"));
        const json_int_t bad = json_integer_value(json_object_get(row, "bad"));
        char fault[TEXT_MAX];

        if (in->json) {
                (void) json_dumpf(row, stdout, JSON_COMPACT);
                putchar('\n');
                return bad == 0 ? 0 : CLI_NO;
        }
        text_json(json_object_get(row, "first_fault"), fault, sizeof fault);
        printf("%s: %lld entries, %lld blocks, %lld sealed bodies opened, %lld erased, %lld pruned, in %.1f "
               "s (%.0f/s)\n",
                        bad == 0 ? "verified" : "NOT VERIFIED", (long long) entries,
                        (long long) json_integer_value(json_object_get(row, "blocks")),
                        (long long) json_integer_value(json_object_get(row, "sealed_bodies_opened")),
                        (long long) json_integer_value(json_object_get(row, "erased")),
                        (long long) json_integer_value(json_object_get(row, "pruned")), seconds,
                        seconds > 0 ? (double) entries / seconds : 0);
        if (bad > 0)
                printf("%lld faults; the first: %s\n", (long long) bad, fault);
        return bad == 0 ? 0 : CLI_NO;
}

static double seconds_since(const Progress *p) {
        Stamp now;

        clock_now(&now);
        return (double) (now.mono_us - p->start_us) / 1e6;
}

static int through_daemon(const Invocation *in, Client *c, Error *e) {
        _cleanup_(json_decrefp) json_t *result = NULL;
        Progress progress;
        const json_t *row;
        int r;

        progress_start(&progress, "entries");
        while ((r = client_next(c, ROW_TIMEOUT_MS, &row, e)) == CLIENT_ROW)
                if (json_object_get(row, "done"))
                        progress_update(&progress,
                                        (uint64_t) json_integer_value(json_object_get(row, "done")),
                                        (uint64_t) json_integer_value(json_object_get(row, "total")));
                else {
                        json_decref(result);
                        result = json_deep_copy(row);
                }
        progress_end(&progress);
        if (r < 0)
                return r;
        if (!json_is_integer(json_object_get(result, "bad")))
                return error_set(e, -EBADMSG, "the daemon ended without a result");
        return report(in, result, seconds_since(&progress));
}

static void wipe_key(SigningKey *k) {
        signing_key_done(k);
}

static int update(void *userdata, uint64_t done, uint64_t total) {
        progress_update(userdata, done, total);
        return 0;
}

static int verify_ledger(const Invocation *in, Ledger *ledger, Error *e) {
        VerifyReport found = { 0 };
        Progress progress;

        progress_start(&progress, "entries");
        int r = ledger_verify_all(ledger, update, &progress, &found);
        progress_end(&progress);
        if (r < 0)
                return error_set(e, r, "can't read the ledger: %s", strerror(-r));
        _cleanup_(json_decrefp) json_t *row = json_pack("{sI sI sI sI sI sI ss}", "entries",
                        (json_int_t) found.entries, "blocks", (json_int_t) found.blocks, "bad",
                        (json_int_t) found.bad, "pruned", (json_int_t) found.pruned, "sealed_bodies_opened",
                        (json_int_t) found.sealed_bodies_opened, "erased", (json_int_t) found.erased,
                        "first_fault", found.first_fault);
        return row ? report(in, row, seconds_since(&progress)) : error_set(e, -ENOMEM, "out of memory");
}

static int directly(const Invocation *in, Error *e) {
        const VerifyValues *v = in->values;
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_(wipe_key) SigningKey key = { 0 };
        _cleanup_free_ char *keys = NULL;
        _cleanup_(keyring_freep) Keyring *keyring = NULL;
        _cleanup_(ledger_freep) Ledger *ledger = NULL;
        LedgerRecovery recovery;

        if (sodium_init() < 0)
                return error_set(e, -EIO, "libsodium can't start");
        int r = config_load(v->config ? v->config : default_config, &config, e);
        if (r < 0)
                return r;
        const char *state = v->state ? v->state : config->state_dir;
        if (asprintf(&keys, "%s/keys", state) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        r = keys_load_signing(config->signing_key, &key, e);
        if (r == 0)
                r = keys_open_keyring(config->encryption_key, keys, &keyring, e);
        if (r < 0)
                return r;
        const LedgerOptions o = {
                .state_dir = state,
                .name = config->name,
                .signing_key = &key,
                .keyring = keyring,
                .catalogue = config->catalogue,
                .block_entries = (uint32_t) config->ledger.block_entries,
                .block_age_us = config->ledger.block_age_us,
                .block_idle_us = config->ledger.block_idle_us,
                .read_only = true,
        };
        r = ledger_open(&o, &ledger, &recovery, e);
        if (r == -EBUSY)
                return error_prefix(e, r,
                                "a daemon has the ledger open: leave --config and --state away, or stop it");
        return r < 0 ? r : verify_ledger(in, ledger, e);
}

int verify_all(const Invocation *in, Error *e) {
        const VerifyValues *v = in->values;
        _cleanup_(client_freep) Client *c = NULL;

        if (v->config || v->state)
                return directly(in, e);
        int r = client_open(in->socket, request_new("verify"), &c, e);
        /* whoever names a socket means that gateway, not the one of the default configuration */
        if ((r == -ENOENT || r == -ECONNREFUSED) && !in->socket && !getenv("WARDSTONE_SOCKET")) {
                fputs("no daemon is running: reading the ledger itself\n", stderr);
                return directly(in, e);
        }
        return r < 0 ? r : through_daemon(in, c, e);
}
