#include "gateway/restore.h"

#include <errno.h>
#include <stdio.h>

#include "gateway/internal.h"
#include "gateway/log.h"

enum { REPLAY_US = 300000000, DEFERRED_MAX = 4096, STATE_MAX = 1200 };

/* --- assignments: state "assign/<device>" is CBOR [subject, kind, label, since] --- */

int restore_save_assignment(Gateway *g, const Device *device) {
        const Subject *s = registry_subject(g->registry, device->subject);
        uint8_t buffer[256];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        char key[NAME_MAX_LENGTH + 16];

        (void) snprintf(key, sizeof key, "assign/%s", device->name);
        if (s->kind == SUBJECT_DEVICE && device->assigned_us == TIME_NONE)
                return ledger_put_state(g->ledger, key, (Bytes){ 0 });
        cbor_put_array(&w, 4);
        cbor_put_text(&w, s->kind == SUBJECT_DEVICE ? "" : s->name);
        cbor_put_uint(&w, s->kind);
        cbor_put_text(&w, s->label);
        cbor_put_int(&w, device->assigned_us);
        return w.overflow ? -ENOSPC : ledger_put_state(g->ledger, key, BYTES(w.data, w.len));
}

static int restore_assignment(void *userdata, const char *key, Bytes value) {
        Gateway *g = userdata;
        CborReader r = cbor_reader(value);
        char subject[NAME_MAX_LENGTH], label[NAME_MAX_LENGTH];
        const char *name = key + strlen("assign/");
        uint64_t kind;
        int64_t since;
        size_t n;
        DeviceId id;
        SubjectId unused;

        if (cbor_take_array(&r, &n) < 0 || n != 4 || cbor_take_text(&r, subject, sizeof subject) < 0 ||
                        cbor_take_uint(&r, &kind) < 0 || kind > SUBJECT_DEVICE ||
                        cbor_take_text(&r, label, sizeof label) < 0 || cbor_take_int(&r, &since) < 0)
                return -EBADMSG;
        const Device *d = registry_find_device(g->registry, name);
        if (d)
                id = d->id;
        else if (registry_add_unregistered(g->registry, name, &id) < 0)
                return -ENOSPC;
        if (subject[0] == '\0')
                return registry_release(g->registry, id, since);
        return registry_assign(g->registry, id, subject, (SubjectKind) kind, label, since, &unused);
}

int restore_assignments(Gateway *g, Error *e) {
        int r = ledger_visit_state(g->ledger, "assign/", restore_assignment, g);
        return r < 0 ? error_set(e, r, "assignments in the ledger can't be read: %s", strerror(-r)) : 0;
}

/* --- alerts: state "alert/<id>" is the ALERT body, sealed with the subject's key where there is one,
 *     behind one byte that says whether it is and the subject's key id --- */

void restore_state_head(const char *key, uint8_t ret[static ENTRY_HEAD_SIZE]) {
        Hash h;

        sha256(BYTES_STRING(key), &h);
        memcpy(ret, h.bytes, ENTRY_HEAD_SIZE);
}

void restore_save_alert(Gateway *g, const AlertEvent *event) {
        uint8_t plain[STATE_MAX], value[1 + KEY_ID_SIZE + STATE_MAX + SEAL_OVERHEAD], head[ENTRY_HEAD_SIZE];
        CborWriter w = cbor_writer(plain, sizeof plain);
        char key[ALERT_ID_MAX + 16];
        AlertBody body = { .event = *event };
        RandomPool random = { 0 };
        SubjectKey k;
        bool new;

        (void) snprintf(key, sizeof key, "alert/%s", event->id);
        const Subject *s = event->subject == SUBJECT_NONE ? NULL
                                                          : registry_subject(g->registry, event->subject);
        if (s)
                memcpy(body.subject, s->name, sizeof body.subject);
        body_put_alert(&w, &body);
        if (w.overflow)
                return;
        value[0] = s != NULL;
        size_t len = 1;
        if (!s) {
                memcpy(value + len, w.data, w.len);
                len += w.len;
        } else {
                /* The key is there already: its subject had a reading that raised this. */
                if (keyring_subject(g->keyring, s->name, &k, &new, NULL) < 0)
                        return;
                restore_state_head(key, head);
                memcpy(value + len, k.id.bytes, KEY_ID_SIZE);
                body_seal(&k, &random, head, BYTES(w.data, w.len), value + len + KEY_ID_SIZE);
                len += KEY_ID_SIZE + w.len + SEAL_OVERHEAD;
        }
        if (ledger_put_state(g->ledger, key, BYTES(value, len)) < 0)
                g->pipeline.shed++;
}

void restore_forget_alert(Gateway *g, const char *id) {
        char key[ALERT_ID_MAX + 16];

        (void) snprintf(key, sizeof key, "alert/%s", id);
        if (ledger_put_state(g->ledger, key, (Bytes){ 0 }) < 0)
                g->pipeline.shed++;
}

static int open_alert(Gateway *g, const char *key, Bytes value, AlertBody *ret) {
        uint8_t plain[STATE_MAX], head[ENTRY_HEAD_SIZE];
        char subject[NAME_MAX_LENGTH];
        KeyId id;
        SubjectKey k;

        if (value.len < 1)
                return -EBADMSG;
        if (value.data[0] == 0)
                return body_get_alert(BYTES(value.data + 1, value.len - 1), ret);
        if (value.len < 1 + KEY_ID_SIZE + SEAL_OVERHEAD ||
                        value.len - 1 - KEY_ID_SIZE - SEAL_OVERHEAD > sizeof plain)
                return -EBADMSG;
        memcpy(id.bytes, value.data + 1, KEY_ID_SIZE);
        Bytes sealed = BYTES(value.data + 1 + KEY_ID_SIZE, value.len - 1 - KEY_ID_SIZE);
        int r = keyring_find(g->keyring, &id, &k, subject);
        if (r < 0)
                return r;
        restore_state_head(key, head);
        r = body_open(&k, head, sealed, plain);
        return r < 0 ? r : body_get_alert(BYTES(plain, sealed.len - SEAL_OVERHEAD), ret);
}

static int restore_alert(void *userdata, const char *key, Bytes value) {
        Gateway *g = userdata;
        AlertBody body;

        int r = open_alert(g, key, value, &body);
        if (r == -ENOENT)
                return 0; /* the subject was erased */
        if (r < 0)
                return r;
        const Subject *s = body.subject[0] ? registry_find_subject(g->registry, body.subject) : NULL;
        if (body.subject[0] && !s)
                return 0; /* nobody's device is left */
        body.event.subject = s ? s->id : SUBJECT_NONE;
        /* Told again: a receiver may not have had it before the end. Receivers know it by its id. */
        receivers_deliver(g->receivers, &body.event);
        return body.event.state == ALERT_ACTIVE ? alert_manager_restore(g->alerts, &body.event, 0) : 0;
}

int restore_alerts(Gateway *g, Error *e) {
        int r = ledger_visit_state(g->ledger, "alert/", restore_alert, g);
        return r < 0 ? error_set(e, r, "alerts in the ledger can't be read: %s", strerror(-r)) : 0;
}

/* --- the newest readings --- */

typedef struct Newest {
        Gateway *gateway;
        bool rules, board;        /* through the rules, on to the board; else identities only */
        int64_t wall_us, mono_us; /* now */
} Newest;

static void replay_reading(const Newest *n, const ReadingBody *b, const char *subject) {
        Gateway *g = n->gateway;
        const Device *d = registry_find_device(g->registry, b->device);
        const Subject *s = registry_find_subject(g->registry, subject);
        const Vital *v = catalogue_find(g->catalogue, b->vital);
        int64_t age = b->when.boot == g->clock.boot ? n->mono_us - b->when.mono_us
                                                    : n->wall_us - b->when.wall_us;

        if (!d || !s || !v || age < 0 || age > REPLAY_US)
                return;
        const Reading r = {
                .device = d->id,
                .subject = s->id,
                .vital = v->id,
                .flags = b->flags,
                .value = b->value,
                .device_time_us = b->device_time_us,
                .stamp = { .wall_us = b->when.wall_us,
                                .mono_us = n->mono_us - age,
                                .synchronised = b->when.synchronised },
        };
        if (n->board && d->subject == s->id)
                board_note(g->board, &r);
        g->pipeline.now = r.stamp;
        rule_engine_tick(g->engine, r.stamp.mono_us, r.stamp.wall_us);
        alert_manager_tick(g->alerts, &r.stamp);
        (void) rule_engine_reading(g->engine, &r, r.stamp.mono_us);
}

static int visit_newest(void *userdata, const StoredEntry *stored) {
        const Newest *n = userdata;
        Gateway *g = n->gateway;
        uint8_t plain[BODY_MAX];
        char subject[NAME_MAX_LENGTH];
        ReadingBody b;
        size_t len;

        if (stored->entry.type != ENTRY_READING ||
                        ledger_open_body(g->ledger, stored, plain, &len, subject) < 0 ||
                        body_get_reading(BYTES(plain, len), &b) < 0)
                return 0;
        if (n->rules)
                replay_reading(n, &b, subject);
        else
                validator_remember(g->validator, b.device, b.vital, b.device_time_us, b.has_seq, b.seq,
                                b.value);
        return 0;
}

static void visit_newest_entries(Gateway *g, Newest *n) {
        LedgerHead head;

        if (ledger_head(g->ledger, &head) < 0)
                return;
        uint64_t count = MIN(head.size, (uint64_t) g->config->validator.identities);
        int r = ledger_entries(g->ledger, head.size - count, count, visit_newest, n);
        if (r < 0)
                log_warning("the newest readings can't be read: %s", strerror(-r));
}

void restore_identities(Gateway *g) {
        visit_newest_entries(g, &(Newest){ .gateway = g });
}

/* --- rules --- */

struct Deferred {
        char (*known)[ALERT_ID_MAX]; /* active before */
        size_t known_count;
        size_t count;
        AlertEvent events[];
};

static void count_known(void *userdata, const AlertEvent *event) {
        struct Deferred *d = userdata;
        (void) event;
        d->known_count++;
}

static void note_known(void *userdata, const AlertEvent *event) {
        struct Deferred *d = userdata;
        memcpy(d->known[d->known_count++], event->id, ALERT_ID_MAX);
}

static void deferred_free(struct Deferred **d) {
        if (*d)
                free((*d)->known);
        free(*d);
}

static struct Deferred *deferred_new(const AlertManager *alerts) {
        _cleanup_(deferred_free) struct Deferred *d =
                        calloc(1, sizeof *d + DEFERRED_MAX * sizeof(AlertEvent));

        if (!d)
                return NULL;
        alert_manager_visit(alerts, count_known, d);
        d->known = calloc(d->known_count + 1, sizeof *d->known);
        if (!d->known)
                return NULL;
        d->known_count = 0;
        alert_manager_visit(alerts, note_known, d);
        return TAKE(d);
}

static bool was_known(const struct Deferred *d, const AlertEvent *event) {
        for (size_t i = 0; i < d->known_count; i++)
                if (streq(d->known[i], event->id))
                        return true;
        return false;
}

bool restore_defers(Gateway *g, const AlertEvent *event) {
        struct Deferred *d = g->deferred;

        if (!d)
                return false;
        for (size_t i = 0; i < d->count; i++)
                if (streq(d->events[i].id, event->id)) {
                        d->events[i] = *event;
                        return true;
                }
        if (d->count < DEFERRED_MAX)
                d->events[d->count++] = *event;
        return true;
}

void restore_rules(Gateway *g, const Stamp *now, bool board) {
        _cleanup_(deferred_free) struct Deferred *d = deferred_new(g->alerts);

        if (!d)
                return;
        g->deferred = d;
        visit_newest_entries(g, &(Newest){ .gateway = g,
                                                .rules = true,
                                                .board = board,
                                                .wall_us = now->wall_us,
                                                .mono_us = now->mono_us });
        g->pipeline.now = *now;
        rule_engine_tick(g->engine, now->mono_us, now->wall_us);
        alert_manager_tick(g->alerts, now);
        g->deferred = NULL;
        for (size_t i = 0; i < d->count; i++) {
                /* Raised and over within the replay: it is in the ledger. Else it happened while nobody watched. */
                if ((d->events[i].state == ALERT_ACTIVE) != was_known(d, &d->events[i]))
                        pipeline_alert(g, &d->events[i]);
        }
}
