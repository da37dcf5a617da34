#include "gateway/replay.h"

#include <errno.h>
#include <systemd/sd-daemon.h>

#include "gateway/internal.h"
#include "gateway/log.h"
#include "gateway/reload.h"

enum { NEWEST_ENTRIES = 256, PROGRESS_EVERY = 65536 };

typedef struct Replay {
        Gateway *gateway;
        const Stamp *now;
        int64_t recorded_us;    /* monotonic: the newest recorded moment */
        int64_t horizon_us;     /* before that */
        int64_t counts_from_us; /* monotonic: windows are as full as they were from here on */
        bool start;             /* after a start: with alerts and board */
        bool same;              /* the rules in force there are those of now */
        bool changed;           /* they came into force in what is replayed */
        bool counts;            /* what they say does */
        uint64_t seen;
        SubjectId last_subject[DEVICES_MAX]; /* whose reading a device had last */
} Replay;

/* Monotonic time as of this boot; negative for what was before it. */
static int64_t mono_of(const Gateway *g, const Stamp *now, const EntryTime *when) {
        return when->boot == g->clock.boot ? when->mono_us : now->mono_us - (now->wall_us - when->wall_us);
}

/* --- identities --- */

/* As it would stand, had the device's readings come just now. */
static void remember_sequence(Gateway *g, const ReadingBody *b) {
        const Device *d = registry_find_device(g->registry, b->device);

        if (d && b->has_seq && !(b->flags & FLAG_RETAINED))
                registry_device(g->registry, d->id)->next_seq = b->seq + 1;
}

static int remember(void *userdata, const StoredEntry *stored) {
        Gateway *g = userdata;
        uint8_t plain[BODY_MAX];
        char subject[NAME_MAX_LENGTH];
        ReadingBody b;
        size_t len;

        if (stored->entry.type == ENTRY_READING &&
                        ledger_open_body(g->ledger, stored, plain, &len, subject) == 0 &&
                        body_get_reading(BYTES(plain, len), &b) == 0) {
                validator_remember(g->validator, b.device, b.vital,
                                b.device_clock_us != TIME_NONE ? b.device_clock_us : b.device_time_us,
                                b.has_seq, b.seq, b.value);
                remember_sequence(g, &b);
        }
        return 0;
}

void replay_identities(Gateway *g) {
        LedgerHead head;

        if (ledger_head(g->ledger, &head) < 0)
                return;
        uint64_t count = MIN(head.size, (uint64_t) g->config->validator.identities);
        int r = ledger_entries(g->ledger, head.size - count, count, remember, g);
        if (r < 0)
                log_warning("the newest readings can't be read: %s", strerror(-r));
}

/* --- the entries that matter to rules --- */

static void set_now(Replay *p, const EntryTime *when) {
        Gateway *g = p->gateway;

        g->pipeline.now = (Stamp){ .wall_us = when->wall_us,
                .mono_us = mono_of(g, p->now, when),
                .synchronised = when->synchronised };
}

static void evaluate_all(Gateway *g, const Stamp *now) {
        for (SubjectId i = 0; i < registry_subject_count(g->registry); i++)
                rule_engine_refresh(g->engine, i, now->mono_us, now->wall_us);
}

/* The first moment at which what rules say counts: all of them are evaluated, as after a reload. */
static void pass_time(Replay *p, const EntryTime *when) {
        Gateway *g = p->gateway;

        /* of another boot, and the clock has been set back since: no moment of ours */
        if (mono_of(g, p->now, when) > p->now->mono_us)
                return;
        set_now(p, when);
        if (p->start && p->same && !p->counts && g->pipeline.now.mono_us >= p->counts_from_us) {
                p->counts = true;
                g->replay_is_mute = false;
                /* as the reload did; else what came to be before has ended by recorded_us or is known */
                if (p->changed)
                        evaluate_all(g, &g->pipeline.now);
        }
        rule_engine_tick(g->engine, g->pipeline.now.mono_us, g->pipeline.now.wall_us);
        if (p->start)
                alert_manager_tick(g->alerts, &g->pipeline.now);
}

/* What came before is in the kept values, if anywhere. */
static bool is_before(const Replay *p, int64_t mono_us) {
        return p->recorded_us - mono_us > p->horizon_us;
}

static void on_reading(Replay *p, Bytes body, const char *subject) {
        Gateway *g = p->gateway;
        ReadingBody b;

        if (body_get_reading(body, &b) < 0)
                return;
        const Device *d = registry_find_device(g->registry, b.device);
        const Subject *s = registry_find_subject(g->registry, subject);
        const Vital *v = catalogue_find(g->catalogue, b.vital);
        int64_t mono_us = mono_of(g, p->now, &b.when);
        if (!d || !s || !v || mono_us > p->now->mono_us || is_before(p, mono_us))
                return;
        if (!d->registered && s->id == d->own_subject) /* gateway_release_unlisted() */
                return;
        pass_time(p, &b.when);
        const Reading r = {
                .device = d->id,
                .subject = s->id,
                .vital = v->id,
                .flags = b.flags,
                .value = b.value,
                .device_time_us = b.device_time_us,
                .device_clock_us = b.device_clock_us,
                .stamp = g->pipeline.now,
        };
        if (p->start && d->subject == s->id)
                board_note(g->board, &r);
        p->last_subject[d->id] = s->id;
        (void) rule_engine_reading(g->engine, &r, mono_us);
}

/* From here on, or until here, the rules were those of now. */
static void on_rules(Replay *p, const EntryTime *when, const Hash *rules) {
        bool same = hash_equal(rules, &p->gateway->rules_hash);

        if (!p->start || same == p->same)
                return;
        pass_time(p, when);
        p->same = same;
        if (same) {
                p->changed = true;
                pass_time(p, when);
        } else {
                p->counts = false;
                p->gateway->replay_is_mute = true;
        }
}

/* Nothing is attributed across a change. */
static void on_assign(Replay *p, const AssignBody *b) {
        Gateway *g = p->gateway;
        const Device *d = registry_find_device(g->registry, b->device);
        const Subject *s = registry_find_subject(g->registry, b->subject);

        if (is_before(p, mono_of(g, p->now, &b->when)))
                return;
        pass_time(p, &b->when);
        if (d && p->last_subject[d->id] != SUBJECT_NONE)
                rule_engine_forget(g->engine, p->last_subject[d->id]);
        if (s)
                rule_engine_forget(g->engine, s->id);
}

/* What was pending may be so only under the limits of now, of which there were others before. */
static void on_attribute(Replay *p, const AttributeBody *b) {
        Gateway *g = p->gateway;
        const Subject *s = registry_find_subject(g->registry, b->subject);

        if (!s)
                return;
        pass_time(p, &b->when);
        RuleOutcome o = { .subject = s->id,
                .truth = TRUTH_UNKNOWN,
                .time_us = TIME_NONE,
                .mono_us = g->pipeline.now.mono_us };
        for (o.rule = 0; o.rule < rule_set_count(g->config->rules); o.rule++)
                pipeline_outcome(g, &o);
        rule_engine_refresh(g->engine, s->id, g->pipeline.now.mono_us, g->pipeline.now.wall_us);
}

static void on_body(Replay *p, EntryType type, Bytes body, const char *subject) {
        union {
                SealBody seal;
                ConfigBody config;
                AssignBody assign;
                AttributeBody attribute;
        } b;

        if (type == ENTRY_READING)
                on_reading(p, body, subject);
        else if (type == ENTRY_SEAL && body_get_seal(body, &b.seal) == 0)
                on_rules(p, &b.seal.when, &b.seal.rules);
        else if (type == ENTRY_CONFIG && body_get_config(body, &b.config) == 0)
                on_rules(p, &b.config.when, &b.config.rules);
        else if (type == ENTRY_ASSIGN && body_get_assign(body, &b.assign) == 0)
                on_assign(p, &b.assign);
        else if (type == ENTRY_ATTRIBUTE && body_get_attribute(body, &b.attribute) == 0)
                on_attribute(p, &b.attribute);
}

static int on_entry(void *userdata, const StoredEntry *stored) {
        Replay *p = userdata;
        uint8_t plain[BODY_MAX];
        char subject[NAME_MAX_LENGTH];
        size_t len;

        if (++p->seen % PROGRESS_EVERY == 0)
                (void) sd_notifyf(0,
                                "EXTEND_TIMEOUT_USEC=30000000\nWATCHDOG=1\nSTATUS=replaying: %llu "
                                "entries",
                                (unsigned long long) p->seen);
        if (ledger_open_body(p->gateway->ledger, stored, plain, &len, subject) == 0)
                on_body(p, stored->entry.type, BYTES(plain, len), subject);
        return 0;
}

/* --- where to begin --- */

/* The first entry of the block that was open that long ago. */
static uint64_t first_entry(Replay *p, const LedgerHead *head) {
        const Gateway *g = p->gateway;
        uint64_t first = 0, index;
        SealBody seal;

        for (uint64_t height = head->height; height-- > 0;) {
                if (ledger_block(g->ledger, height, &seal, &index) < 0)
                        break;
                if (is_before(p, mono_of(g, p->now, &seal.when))) {
                        first = index + 1;
                        p->same = hash_equal(&seal.rules, &g->rules_hash);
                        break;
                }
        }
        first = MAX(first, head->pruned_size);
        if (head->size - first > REPLAY_ENTRIES_MAX) {
                first = head->size - REPLAY_ENTRIES_MAX;
                log_warning("rules look back further than the newest %d entries: longer windows start short",
                                REPLAY_ENTRIES_MAX);
        }
        return first;
}

static void visit(Replay *p) {
        LedgerHead head;

        for (size_t i = 0; i < ELEMENTS(p->last_subject); i++)
                p->last_subject[i] = SUBJECT_NONE;
        /* however long: REPLAY_ENTRIES_MAX is what keeps a start short */
        p->horizon_us = MAX(rule_set_horizon(p->gateway->config->rules), REPLAY_MIN_US);
        p->counts_from_us = p->recorded_us - p->horizon_us + rule_set_warmup(p->gateway->config->rules);
        int r = ledger_head(p->gateway->ledger, &head);
        if (r == 0) {
                uint64_t first = first_entry(p, &head);
                r = ledger_entries(p->gateway->ledger, first, head.size - first, on_entry, p);
        }
        if (r < 0)
                log_warning("the newest readings can't be read: %s", strerror(-r));
}

/* --- the newest recorded moment --- */

typedef struct Newest {
        const Gateway *gateway;
        const Stamp *now;
        int64_t mono_us;
} Newest;

static int note_when(void *userdata, const StoredEntry *stored) {
        Newest *n = userdata;
        uint8_t plain[BODY_MAX];
        char subject[NAME_MAX_LENGTH];
        EntryTime when;
        size_t len;

        if (ledger_open_body(n->gateway->ledger, stored, plain, &len, subject) == 0 &&
                        body_get_when(BYTES(plain, len), &when) == 0)
                n->mono_us = MAX(n->mono_us, mono_of(n->gateway, n->now, &when));
        return 0;
}

static int64_t newest_recorded(const Gateway *g, const Stamp *now) {
        Newest n = { .gateway = g, .now = now, .mono_us = INT64_MIN };
        LedgerHead head;

        if (ledger_head(g->ledger, &head) == 0) {
                uint64_t count = MIN(head.size, (uint64_t) NEWEST_ENTRIES);
                int r = ledger_entries(g->ledger, head.size - count, count, note_when, &n);
                if (r < 0)
                        log_warning("the newest entries can't be read: %s", strerror(-r));
        }
        return n.mono_us == INT64_MIN ? now->mono_us : MIN(n.mono_us, now->mono_us);
}

/* --- the two occasions --- */

void replay_at_start(Gateway *g, const Stamp *now) {
        _cleanup_free_ Replay *p = calloc(1, sizeof *p);

        if (!p)
                return;
        *p = (Replay){ .gateway = g, .now = now, .recorded_us = newest_recorded(g, now), .start = true };
        g->replaying = g->replay_is_mute = true;
        alert_manager_replay_begin(g->alerts, p->recorded_us);
        visit(p);
        g->pipeline.now = *now;
        rule_engine_tick(g->engine, now->mono_us, now->wall_us);
        g->replaying = g->replay_is_mute = false;
        alert_manager_replay_end(g->alerts, now);
        if (!p->counts) { /* the rules are new since the end */
                gateway_retain_alerts(g, now);
                evaluate_all(g, now);
        }
}

void replay_after_reload(Gateway *g, const Stamp *now) {
        _cleanup_free_ Replay *p = calloc(1, sizeof *p);

        if (!p)
                return;
        *p = (Replay){ .gateway = g, .now = now, .recorded_us = now->mono_us };
        g->replaying = g->replay_is_mute = true;
        visit(p);
        g->pipeline.now = *now;
        rule_engine_tick(g->engine, now->mono_us, now->wall_us);
        g->replaying = g->replay_is_mute = false;
        evaluate_all(g, now);
}
