#include "gateway/restore.h"

#include <errno.h>
#include <stdio.h>

#include "gateway/internal.h"
#include "gateway/log.h"
#include "gateway/sealed.h"
#include "gateway/silences.h"

enum { KEY_MAX = NAME_MAX_LENGTH + 16 };

/* --- assignments: state "assign/<device>" is CBOR [subject, kind, label, since] --- */

int restore_save_assignment(Gateway *g, const Device *device) {
        const Subject *s = registry_subject(g->registry, device->subject);
        uint8_t buffer[256];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        char key[KEY_MAX];

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
        if (!d && subject[0] == '\0')
                return ledger_put_state(g->ledger, key, (Bytes){ 0 }); /* released, and gone since */
        if (d)
                id = d->id;
        else if (registry_add_unregistered(g->registry, name, &id) < 0)
                return -ENOSPC;
        if (subject[0] == '\0')
                return registry_release(g->registry, id, since);
        return registry_assign(g->registry, id, subject, (SubjectKind) kind, label, since, &unused);
}

/* --- attributes: state "attribute/<subject>" is sealed CBOR [kind, [name, value]...] --- */

void restore_save_attributes(Gateway *g, const Subject *subject) {
        uint8_t buffer[SEALED_MAX];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        char key[KEY_MAX];

        (void) snprintf(key, sizeof key, "attribute/%s", subject->name);
        if (subject->attribute_count == 0) {
                sealed_remove(g, key);
                return;
        }
        cbor_put_array(&w, 1 + 2 * subject->attribute_count);
        cbor_put_uint(&w, subject->kind);
        for (size_t i = 0; i < subject->attribute_count; i++) {
                cbor_put_text(&w, subject->attributes[i].name);
                cbor_put_text(&w, subject->attributes[i].value);
        }
        sealed_put(g, key, subject, &w);
}

static int restore_attributes(void *userdata, const char *key, Bytes value) {
        Gateway *g = userdata;
        uint8_t plain[SEALED_MAX];
        char name[ATTRIBUTE_NAME_MAX], text[ATTRIBUTE_VALUE_MAX], subject[NAME_MAX_LENGTH];
        uint64_t kind;
        SubjectId id;
        size_t len, n;

        int r = sealed_open(g, key, value, plain, &len, subject);
        if (r == -ENOENT)
                return 0; /* the subject was erased */
        CborReader reader = cbor_reader(BYTES(plain, r == 0 ? len : 0));
        if (r < 0 || cbor_take_array(&reader, &n) < 0 || n % 2 != 1 || cbor_take_uint(&reader, &kind) < 0 ||
                        kind > SUBJECT_ASSET)
                return -EBADMSG;
        r = registry_add_subject(g->registry, key + strlen("attribute/"), (SubjectKind) kind, &id);
        if (r == -ENOSPC) {
                log_warning("%s: no room for a subject more, it is left out", key);
                return 0;
        }
        for (; r == 0 && n > 1; n -= 2)
                if (cbor_take_text(&reader, name, sizeof name) < 0 ||
                                cbor_take_text(&reader, text, sizeof text) < 0)
                        r = -EBADMSG;
                else
                        r = registry_set_attribute(g->registry, id, name, text);
        return r;
}

int restore_subjects(Gateway *g, Error *e) {
        int r = ledger_visit_state(g->ledger, "assign/", restore_assignment, g);

        if (r < 0)
                return error_set(e, r, "assignments in the ledger can't be read: %s", strerror(-r));
        r = ledger_visit_state(g->ledger, "attribute/", restore_attributes, g);
        return r < 0 ? error_set(e, r, "attributes in the ledger can't be read: %s", strerror(-r)) : 0;
}

/* --- alerts: state "alert/<id>" is sealed CBOR [ALERT body, what the dispatch knows, when it was raised, when acknowledged
 *     (monotonic, of the body's boot), [receivers that wait]...]; the receivers are kept for a resolved one only --- */

static void put_waiting(Gateway *g, const AlertEvent *event, CborWriter *w) {
        const char *names[CONFIG_PLUGINS_MAX];
        size_t n = event->state == ALERT_RESOLVED ? receivers_waiting(g->receivers, event->id, names) : 0;

        cbor_put_array(w, n);
        for (size_t i = 0; i < n; i++)
                cbor_put_text(w, names[i]);
}

void restore_save_alert(Gateway *g, const AlertEvent *event) {
        uint8_t buffer[SEALED_MAX], part[SEALED_MAX], memory[DISPATCH_MEMORY_MAX];
        CborWriter w = cbor_writer(buffer, sizeof buffer), p = cbor_writer(part, sizeof part);
        char key[ALERT_ID_MAX + 16];
        Stamp now = gateway_now(g);
        AlertBody body = { .when = gateway_when(g, &now), .event = *event };

        (void) snprintf(key, sizeof key, "alert/%s", event->id);
        CborWriter m = cbor_writer(memory, sizeof memory);
        bool known = dispatch_save(g->dispatch, event->id, &m) == 0;
        if (event->state == ALERT_RESOLVED && !known && !receivers_wait_for(g->receivers, event->id)) {
                sealed_remove(g, key);
                return;
        }
        const Subject *s = event->subject == SUBJECT_NONE ? NULL
                                                          : registry_subject(g->registry, event->subject);
        if (s)
                memcpy(body.subject, s->name, sizeof body.subject);
        body_put_alert(&p, &body);
        cbor_put_array(&w, 5);
        cbor_put_bytes(&w, BYTES(p.data, p.len));
        cbor_put_bytes(&w, BYTES(m.data, known ? m.len : 0));
        cbor_put_int(&w, event->raised_mono_us);
        cbor_put_int(&w, event->acknowledged_mono_us);
        put_waiting(g, event, &w);
        w.overflow |= p.overflow || m.overflow;
        sealed_put(g, key, pipeline_sealing_subject(s), &w);
}

/* -ENOENT: nobody's device is left. */
static int find_subject(Gateway *g, const char *name, SubjectId *ret) {
        const Subject *s = registry_find_subject(g->registry, name);
        DeviceId unused;

        if (!s && startswith(name, "device:")) {
                /* not listed any more: gateway_release_unlisted() ends its alerts */
                int r = registry_add_unregistered(g->registry, name + strlen("device:"), &unused);
                if (r < 0)
                        return r;
                s = registry_find_subject(g->registry, name);
        }
        if (!s)
                return registry_group_named(g->registry, name, ret);
        *ret = s->id;
        return 0;
}

/* Monotonic time as of this boot, where what was kept is of another: by the clock of now, but not to come. */
static int64_t mono_of(const Gateway *g, int64_t wall_us) {
        const Stamp *now = &g->clock.now;
        int64_t age_us;

        if (__builtin_sub_overflow(now->wall_us, wall_us, &age_us) || age_us < 0)
                age_us = 0;
        return now->mono_us - age_us;
}

static int take_alert(Gateway *g, CborReader *r, AlertEvent *ret, Bytes *ret_memory) {
        int64_t raised_us, acknowledged_us;
        AlertBody body;
        Bytes text;
        size_t n;

        if (cbor_take_array(r, &n) < 0 || n != 5 || cbor_take_bytes(r, &text) < 0 ||
                        body_get_alert(text, &body) < 0 || cbor_take_bytes(r, ret_memory) < 0 ||
                        cbor_take_int(r, &raised_us) < 0 || cbor_take_int(r, &acknowledged_us) < 0)
                return -EBADMSG;
        bool same = body.when.boot == g->clock.boot;
        *ret = body.event;
        ret->raised_mono_us = same ? MIN(raised_us, g->clock.now.mono_us) : mono_of(g, ret->raised_us);
        ret->acknowledged_mono_us =
                        same ? MIN(acknowledged_us, g->clock.now.mono_us) : mono_of(g, ret->time_us);
        ret->subject = SUBJECT_NONE;
        return body.subject[0] ? find_subject(g, body.subject, &ret->subject) : 0;
}

/* Receivers that had not been told that it is over; they know the notice by its key. */
static int tell_resolved(Gateway *g, const AlertEvent *e, CborReader *r) {
        char name[NAME_MAX_LENGTH];
        size_t n;

        if (cbor_take_array(r, &n) < 0)
                return -EBADMSG;
        for (; n > 0; n--) {
                if (cbor_take_text(r, name, sizeof name) < 0)
                        return -EBADMSG;
                for (unsigned i = 0; i < g->config->receiver_count; i++) {
                        Notice notice = { .receiver = i, .priority = e->priority, .alerts = e, .count = 1 };
                        (void) snprintf(notice.key, sizeof notice.key, "%s:resolved", e->id);
                        if (streq(g->config->receivers[i].name, name))
                                receivers_notify(g->receivers, &notice);
                }
        }
        return 0;
}

static int restore_alert(void *userdata, const char *key, Bytes value) {
        Gateway *g = userdata;
        uint8_t plain[SEALED_MAX];
        char subject[NAME_MAX_LENGTH];
        AlertEvent event;
        Bytes memory;
        size_t len;
        const Stamp *now = &g->clock.now;

        int r = sealed_open(g, key, value, plain, &len, subject);
        CborReader reader = cbor_reader(BYTES(plain, r == 0 ? len : 0));
        if (r == 0)
                r = take_alert(g, &reader, &event, &memory);
        if (r == -ENOENT || r == -EBADMSG || r == -ENOSPC) {
                /* the subject was erased, or nobody's device is left; a start matters more than what is damaged */
                if (r != -ENOENT)
                        log_error("%s can't be restored: %s", key, strerror(-r));
                sealed_remove(g, key);
                return 0;
        }
        if (r != 0)
                return r;
        if (event.state == ALERT_RESOLVED && tell_resolved(g, &event, &reader) < 0)
                log_warning("alert %s: who waits for its end can't be found out", event.id);
        r = dispatch_restore(g->dispatch, &event, memory, now);
        if (r < 0)
                log_warning("alert %s: who was told of it can't be found out: %s", event.id, strerror(-r));
        if (event.state == ALERT_RESOLVED) {
                restore_save_alert(g, &event);
                return 0;
        }
        r = alert_manager_restore(g->alerts, &event, rule_set_find_alert(g->config->rules, event.rule));
        if (r < 0)
                log_warning("alert %s can't be followed any more: %s", event.id, strerror(-r));
        return 0;
}

/* --- silences: state "silence/<id>" is the SILENCE body in the clear, as its entry is --- */

void restore_save_silence(Gateway *g, const Silence *s) {
        uint8_t buffer[1024];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        char key[SILENCE_ID_MAX + 16];
        SilenceBody body;

        (void) snprintf(key, sizeof key, "silence/%s", s->id);
        silence_to_body(s, &body);
        body_put_silence(&w, &body);
        sealed_put(g, key, NULL, &w);
}

void restore_forget_silence(Gateway *g, const char *id) {
        char key[SILENCE_ID_MAX + 16];

        (void) snprintf(key, sizeof key, "silence/%s", id);
        sealed_remove(g, key);
}

static int restore_silence(void *userdata, const char *key, Bytes value) {
        Gateway *g = userdata;
        uint8_t plain[SEALED_MAX];
        char subject[NAME_MAX_LENGTH];
        SilenceBody body;
        Silence s;
        size_t len;

        int r = sealed_open(g, key, value, plain, &len, subject);
        if (r == 0)
                r = body_get_silence(BYTES(plain, len), &body);
        if (r < 0)
                return r;
        silence_from_body(&body, &s);
        if (dispatch_silence(g->dispatch, &s, &g->clock.now) < 0)
                silences_over(g, &s); /* before the start, or longer than allowed by now */
        return 0;
}

int restore_alerts(Gateway *g, Error *e) {
        int r = ledger_visit_state(g->ledger, "silence/", restore_silence, g);

        if (r < 0)
                return error_set(e, r, "silences in the ledger can't be read: %s", strerror(-r));
        r = ledger_visit_state(g->ledger, "alert/", restore_alert, g);
        return r < 0 ? error_set(e, r, "alerts in the ledger can't be read: %s", strerror(-r)) : 0;
}
