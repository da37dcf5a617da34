/* Operations that change something: on the loop, recorded in the ledger with who asked. */
#include <errno.h>
#include <stdio.h>

#include "gateway/internal.h"
#include "gateway/latest.h"
#include "gateway/log.h"
#include "gateway/operations.h"
#include "gateway/reload.h"
#include "gateway/restore.h"

typedef struct Steer {
        const char *device, *subject, *label;
        SubjectKind kind;
        uid_t uid;
        Error *error;
} Steer;

static void append_assign(Gateway *g, const Device *d, const char *subject, uid_t uid, const Stamp *now) {
        uint8_t buffer[512];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        const Subject *s = registry_subject(g->registry, d->subject);
        AssignBody body = { .when = gateway_when(g, now), .kind = s->kind, .uid = uid };

        memcpy(body.device, d->name, sizeof body.device);
        (void) snprintf(body.subject, sizeof body.subject, "%s", subject);
        memcpy(body.label, s->label, sizeof body.label);
        body_put_assign(&w, &body);
        pipeline_append(g, ENTRY_ASSIGN, NULL, &w, now);
}

static bool has_device(Gateway *g, SubjectId subject) {
        for (DeviceId i = 0; i < registry_device_count(g->registry); i++)
                if (registry_device(g->registry, i)->subject == subject)
                        return true;
        return false;
}

/* What was measured before a change counts for nobody after it. */
static int change(Gateway *g, Steer *s) {
        Stamp now = gateway_now(g);
        const Device *found = registry_find_device(g->registry, s->device);
        SubjectId subject;
        int r;

        if (!found)
                return error_set(s->error, -ENOENT,
                                "device '%.63s' is unknown; wardstone devices lists those that are",
                                s->device);
        Device *d = registry_device(g->registry, found->id);
        SubjectId before = d->subject;
        if (s->subject)
                r = registry_assign(g->registry, d->id, s->subject, s->kind, s->label ? s->label : "",
                                now.wall_us, &subject);
        else
                r = registry_release(g->registry, d->id, now.wall_us);
        if (r == -EINVAL)
                return error_set(s->error, r,
                                "subject '%.63s' exists with another kind, or the name is not valid",
                                s->subject);
        if (r < 0)
                return error_set(s->error, r, "%s", strerror(-r));
        g->pipeline.now = now;
        rule_engine_tick(g->engine, now.mono_us, now.wall_us); /* what the engine says next is of now */
        rule_engine_forget(g->engine, before);
        rule_engine_forget(g->engine, d->subject);
        latest_forget(g, registry_subject(g->registry, before)->name);
        latest_forget(g, registry_subject(g->registry, d->subject)->name);
        if (!has_device(g, before))
                alert_manager_release(g->alerts, before, &now);
        board_forget(g->board, before);
        append_assign(g, d, s->subject ? s->subject : "", s->uid, &now);
        r = restore_save_assignment(g, d);
        if (r < 0)
                return error_set(s->error, r, "the change can't be recorded: %s", strerror(-r));
        log_message(LOG_NOTICE,
                        LOG_FIELDS({ "EVENT", "assign" }, { "DEVICE", d->name },
                                        { "SUBJECT", s->subject ? s->subject : "" }),
                        "device %s: %s%s by user %u", d->name, s->subject ? "assigned to " : "released",
                        s->subject ? s->subject : "", s->uid);
        return 0;
}

static int change_on_loop(Gateway *g, void *argument) {
        return change(g, argument);
}

static int steer(Session *s, Steer *request) {
        int r = session_on_loop(s, change_on_loop, request);

        return operations_answer(s, r,
                        json_pack("{s:s, s:s}", "device", request->device, "subject",
                                        request->subject ? request->subject : ""),
                        request->error);
}

int operation_assign(Session *s, const json_t *request, Error *e) {
        Steer a = { .uid = session_uid(s), .kind = SUBJECT_PATIENT, .error = e };
        const char *kind = "patient";

        int r = argument_text(request, "device", &a.device, e);
        if (r == 0)
                r = argument_text(request, "subject", &a.subject, e);
        if (r == 0)
                r = argument_text(request, "label", &a.label, e);
        if (r == 0)
                r = argument_text(request, "kind", &kind, e);
        if (r < 0)
                return r;
        if (!a.device || !a.subject || !name_is_valid(a.subject))
                return error_set(e, -EINVAL,
                                "assign: expected a device and a subject (letters, digits, '.', '-', '_', "
                                "':')");
        if (subject_kind_parse(kind, &a.kind) < 0 || a.kind == SUBJECT_DEVICE)
                return error_set(e, -EINVAL, "kind '%.20s': expected patient or asset", kind);
        if (a.label && strlen(a.label) >= NAME_MAX_LENGTH)
                return error_set(e, -EINVAL, "label: longer than %d bytes", NAME_MAX_LENGTH - 1);
        return steer(s, &a);
}

int operation_release(Session *s, const json_t *request, Error *e) {
        Steer a = { .uid = session_uid(s), .error = e };

        int r = argument_text(request, "device", &a.device, e);
        if (r < 0)
                return r;
        if (!a.device)
                return error_set(e, -EINVAL, "release: expected a device");
        return steer(s, &a);
}

static int reload_on_loop(Gateway *g, void *argument) {
        return gateway_reload(g, argument);
}

int operation_reload(Session *s, const json_t *request, Error *e) {
        (void) request;
        return session_on_loop(s, reload_on_loop, e);
}

typedef struct Resubmit {
        const char *chain;
        Error *error;
} Resubmit;

static int resubmit_on_loop(Gateway *g, void *argument) {
        const Resubmit *a = argument;

        int r = chains_resubmit(g->chains, a->chain);
        if (r < 0 && a->chain)
                return error_set(a->error, r, "no chain is named '%.63s'", a->chain);
        return r < 0 ? error_set(a->error, r, "no chain is configured") : 0;
}

int operation_resubmit(Session *s, const json_t *request, Error *e) {
        Resubmit a = { .error = e };

        int r = argument_text(request, "chain", &a.chain, e);
        return r < 0 ? r : session_on_loop(s, resubmit_on_loop, &a);
}
