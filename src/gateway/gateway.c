#include "gateway/gateway.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>

#include "base/file.h"
#include "gateway/internal.h"
#include "gateway/keys.h"
#include "gateway/latest.h"
#include "gateway/log.h"
#include "gateway/own_alerts.h"
#include "gateway/reload.h"
#include "gateway/replay.h"
#include "gateway/restore.h"

enum { COMMIT_PRIORITY = -10 /* an acknowledgement comes before the next message */ };

EntryTime gateway_when(const Gateway *g, const Stamp *now) {
        return (EntryTime){ .wall_us = now->wall_us,
                .mono_us = now->mono_us,
                .boot = g->clock.boot,
                .synchronised = now->synchronised };
}

Stamp gateway_now(const Gateway *g) {
        Stamp now = g->clock.now; /* synchronised: as of the last full look */

        if (g->replaying)
                return g->pipeline.now;
        clock_now(&now);
        return now;
}

/* --- the loop --- */

static int on_commit(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void) source;
        (void) fd;
        (void) revents;
        pipeline_committed(userdata);
        return 0;
}

static void note_local_time(Gateway *g, const Stamp *now) {
        time_t seconds = (time_t) (now->wall_us / USEC_PER_SEC);
        struct tm local;

        if (localtime_r(&seconds, &local))
                g->local_offset_us = local.tm_gmtoff * USEC_PER_SEC;
}

static void every_second(Gateway *g, Stamp *now) {
        clockwatch_tick(g, now);
        absence_sweep(g, now);
        receivers_tick(g->receivers, now);
        chains_tick(g->chains, now);
        note_local_time(g, now);
        latest_save(g, now, false);
        if (g->pipeline.malformed_us != INT64_MIN &&
                        now->mono_us - g->pipeline.malformed_us > 600 * USEC_PER_SEC) {
                alert_manager_clear(g->alerts, "UnknownDevice", now);
                alert_manager_clear(g->alerts, "MessageRefused", now);
        }
        (void) sd_notifyf(0, "WATCHDOG=1\nSTATUS=%llu readings accepted, store %s",
                        (unsigned long long) g->pipeline.verdicts[VERDICT_ACCEPTED],
                        g->pipeline.store == STORE_OK ? "ok" : "failing");
        g->next_second_us = now->mono_us + USEC_PER_SEC;
}

int64_t gateway_deadline(const Gateway *g) {
        return MIN(g->next_second_us, pipeline_deadline(g));
}

void gateway_tick(Gateway *g) {
        Stamp now = gateway_now(g);

        if (now.mono_us >= g->next_second_us)
                every_second(g, &now);
        pipeline_tick(g, &now);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) source;
        (void) usec;
        gateway_tick(userdata);
        return 0;
}

/* After each event: whatever happened may have moved what is due next. */
static int on_post(sd_event_source *source, void *userdata) {
        Gateway *g = userdata;
        uint64_t set;
        (void) source;

        int64_t next = gateway_deadline(g);
        uint64_t due = next > 0 ? (uint64_t) next : 0;
        int enabled;
        if (sd_event_source_get_time(g->timer, &set) >= 0 && set == due &&
                        sd_event_source_get_enabled(g->timer, &enabled) >= 0 && enabled == SD_EVENT_ONESHOT)
                return 0;
        int r = sd_event_source_set_time(g->timer, due);
        return r < 0 ? r : sd_event_source_set_enabled(g->timer, SD_EVENT_ONESHOT);
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Gateway *g = userdata;
        Error e = { "" };
        Stamp now = gateway_now(g);
        (void) source;
        (void) info;

        (void) sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long) now.mono_us);
        if (gateway_reload(g, &e) < 0) {
                log_message(LOG_ERR, LOG_FIELDS({ "EVENT", "reload" }, { "STATE", "refused" }),
                                "reload refused, the old configuration stays in force: %s", e.message);
                (void) alert_manager_raise(g->alerts, "ReloadRefused", e.message, &now);
        }
        (void) sd_notify(0, "READY=1");
        return 0;
}

static int on_terminate(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Gateway *g = userdata;
        (void) source;
        (void) info;
        return sd_event_exit(g->event, 0);
}

static int start_loop(Gateway *g) {
        const struct {
                int number;
                sd_event_signal_handler_t handler;
        } handled[] = { { SIGTERM, on_terminate }, { SIGINT, on_terminate }, { SIGHUP, on_hangup } };

        g->next_second_us = g->clock.now.mono_us;
        int r = sd_event_add_io(g->event, &g->commit, ledger_fd(g->ledger), EPOLLIN, on_commit, g);
        if (r >= 0)
                r = sd_event_source_set_priority(g->commit, COMMIT_PRIORITY);
        if (r >= 0)
                r = sd_event_add_time(g->event, &g->timer, CLOCK_BOOTTIME, 0, 1000, on_timer, g);
        if (r >= 0)
                r = sd_event_add_post(g->event, &g->post, on_post, g);
        for (size_t i = 0; r >= 0 && i < ELEMENTS(handled); i++)
                r = sd_event_add_signal(g->event, &g->signals[i], handled[i].number, handled[i].handler, g);
        return r;
}

/* --- start --- */

/* Before there is a second thread: the loop alone is to have them. */
static int block_signals(void) {
        sigset_t signals;

        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGTERM);
        (void) sigaddset(&signals, SIGINT);
        (void) sigaddset(&signals, SIGHUP);
        (void) sigaddset(&signals, SIGPIPE);
        return sigprocmask(SIG_BLOCK, &signals, NULL) < 0 ? -errno : 0;
}

static void salvage_progress(void *userdata, const char *what, uint64_t done) {
        (void) userdata;
        (void) sd_notifyf(0, "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=%s: %llu entries", what,
                        (unsigned long long) done);
}

static int open_ledger(Gateway *g, LedgerRecovery *recovery, Error *e) {
        const LedgerConfig *c = &g->config->ledger;
        char keys[4096];

        int r = dir_make(g->config->state_dir, 0700, e);
        if (r < 0)
                return error_prefix(e, r, "state_dir");
        r = keys_load_signing(g->config->signing_key, &g->signing_key, e);
        if (r < 0)
                return r;
        (void) snprintf(keys, sizeof keys, "%s/keys", g->config->state_dir);
        r = keys_open_keyring(g->config->encryption_key, keys, &g->keyring, e);
        if (r < 0)
                return r;
        const LedgerOptions options = {
                .state_dir = g->config->state_dir,
                .name = g->config->name,
                .signing_key = &g->signing_key,
                .keyring = g->keyring,
                .block_entries = (uint32_t) c->block_entries,
                .block_age_us = c->block_age_us,
                .block_idle_us = c->block_idle_us,
                .retention_us = c->retention_us,
                .size_budget = (uint64_t) c->size_budget,
                .prune_unanchored = c->prune_unanchored,
                .create = true,
                .progress = salvage_progress,
        };
        return ledger_open(&options, &g->ledger, recovery, e);
}

static int make_parts(Gateway *g, Error *e) {
        YamlNode devices = yaml_root(g->config->device_document);

        int r = registry_new(&g->registry);
        if (r == 0)
                r = registry_read(g->registry, &devices, e);
        if (r == 0)
                r = validator_new(&g->config->validator, g->catalogue, &g->validator);
        if (r == 0)
                r = rule_engine_new(g->config->rules, g->registry, pipeline_outcome, g, &g->engine);
        if (r == 0)
                r = alert_manager_new(g->registry, pipeline_alert, g, &g->alerts);
        if (r == 0)
                r = pipeline_new_dispatch(g);
        if (r == 0)
                r = board_new(&g->board);
        if (r == 0)
                r = absence_new(&g->absence);
        if (r == 0)
                r = quarantine_new(g, &g->quarantine, e);
        if (r < 0 && e->message[0] == '\0')
                error_set(e, r, "%s", strerror(-r));
        return r;
}

/* Nothing was recorded from the last seal until now; and what had to be mended. */
static void record_start(Gateway *g, const LedgerRecovery *recovery, const Stamp *now) {
        LedgerHead head;
        SealBody seal;
        uint64_t index;

        if (ledger_head(g->ledger, &head) == 0 && head.height > 0 &&
                        ledger_block(g->ledger, head.height - 1, &seal, &index) == 0) {
                clockwatch_resume(g, &seal.when);
                pipeline_append_gap(
                                g, GAP_SOURCE_DOWN, "gateway", seal.when.wall_us, now->wall_us, 0, 0, "");
        }
        gateway_append_config(g);
        if (recovery->message[0])
                log_message(recovery->start <= LEDGER_CREATED ? LOG_NOTICE : LOG_ERR,
                                LOG_FIELDS({ "EVENT", "recovery" }), "ledger: %s", recovery->message);
        if (recovery->start > LEDGER_CREATED)
                (void) alert_manager_raise(g->alerts, "LedgerRecovered", recovery->message, now);
}

static int start_parts(Gateway *g, const LedgerRecovery *recovery, Error *e) {
        int r = clockwatch_start(g);

        if (r < 0)
                return error_set(e, r, "the boot's number can't be read from the ledger: %s", strerror(-r));
        Stamp now = g->clock.now;
        g->started_us = now.mono_us;
        rule_set_hash(g->config->rules, g->rules_hash.bytes);
        note_local_time(g, &now);
        r = restore_subjects(g, e);
        if (r == 0)
                r = receivers_new(g, &g->receivers, e);
        if (r == 0)
                r = chains_new(g, &g->chains, e);
        if (r == 0)
                r = latest_restore(g, &now, e);
        if (r == 0)
                r = restore_alerts(g, e);
        if (r < 0)
                return r;
        /* before anything happens to alerts: with it the dispatch knows the local time */
        dispatch_tick(g->dispatch, &now, g->local_offset_us);
        replay_identities(g);
        replay_at_start(g, &now);
        gateway_release_unlisted(g, &now);
        own_alerts_review(g, &now);
        record_start(g, recovery, &now);
        r = gateway_test_sources(g->config, e);
        if (r == 0)
                r = gateway_start_sources(g, e);
        if (r == 0)
                r = control_new(g, &g->control, e);
        return r;
}

int gateway_new(Config **config, Gateway **ret, Error *e) {
        _cleanup_(gateway_freep) Gateway *g = calloc(1, sizeof *g);
        LedgerRecovery recovery;

        if (!g)
                return error_set(e, -ENOMEM, "out of memory");
        if (sodium_init() < 0)
                return error_set(e, -EIO, "libsodium can't start");
        json_object_seed(0);
        g->config = TAKE(*config);
        pipeline_init(&g->pipeline, g->config);
        g->catalogue = TAKE(g->config->catalogue);
        e->message[0] = '\0';
        int r = block_signals();
        if (r == 0)
                r = sd_event_default(&g->event);
        if (r < 0)
                return error_set(e, r, "event loop: %s", strerror(-r));
        r = open_ledger(g, &recovery, e);
        if (r == 0)
                r = make_parts(g, e);
        if (r == 0)
                r = start_parts(g, &recovery, e);
        if (r < 0)
                return r;
        r = start_loop(g);
        if (r < 0)
                return error_set(e, r, "event loop: %s", strerror(-r));
        *ret = TAKE(g);
        return 0;
}

int gateway_run(Gateway *g) {
        log_notice("%s: started, %zu devices, %zu rules", g->config->name, g->config->device_count,
                        rule_set_count(g->config->rules));
        (void) sd_notify(0, "READY=1");
        int r = sd_event_loop(g->event);
        (void) sd_notify(0, "STOPPING=1");
        return r;
}

/* The ledger seals what is open when it is closed, by the boot and the rules of the batch before: where this is the first
 * one, it knows none. */
static void close_first_batch(Gateway *g, const Stamp *now) {
        EntryTime when = gateway_when(g, now);

        if (g->pipeline.batches == 0 && !ledger_is_writing(g->ledger) &&
                        ledger_open_entries(g->ledger) > 0 &&
                        ledger_close_batch(g->ledger, true, &when, &g->rules_hash) < 0)
                log_warning("the first batch can't be sealed");
}

Gateway *gateway_free(Gateway *g) {
        if (!g)
                return NULL;
        control_free(g->control);
        gateway_stop_sources(g);
        chains_free(g->chains);
        receivers_free(g->receivers);
        for (size_t i = 0; i < ELEMENTS(g->signals); i++)
                sd_event_source_disable_unref(g->signals[i]);
        sd_event_source_disable_unref(g->commit);
        sd_event_source_disable_unref(g->post);
        sd_event_source_disable_unref(g->timer);
        if (g->ledger && g->engine) {
                Stamp now = gateway_now(g);
                latest_save(g, &now, true);
                close_first_batch(g, &now);
        }
        ledger_free(g->ledger);
        keyring_free(g->keyring);
        quarantine_free(g->quarantine);
        absence_free(g->absence);
        board_free(g->board);
        dispatch_free(g->dispatch);
        alert_manager_free(g->alerts);
        rule_engine_free(g->engine);
        validator_free(g->validator);
        registry_free(g->registry);
        pipeline_done(&g->pipeline);
        config_free(g->config);
        catalogue_free(g->catalogue);
        signing_key_done(&g->signing_key);
        sd_event_unref(g->event);
        free(g);
        return NULL;
}
