#include "gateway/operations.h"

#include <errno.h>
#include <stdio.h>

#include "gateway/internal.h"

enum { SETTLE_MS = 10, SETTLE_TRIES = 1500 };

static const struct {
        const char *name;
        OperationFn run;
} operations[] = {
        { "status", operation_status },
        { "board", operation_board },
        { "tail", operation_tail },
        { "devices", operation_devices },
        { "assign", operation_assign },
        { "release", operation_release },
        { "reload", operation_reload },
        { "resubmit", operation_resubmit },
        { "readings", operation_readings },
        { "alerts", operation_alerts },
        { "acknowledge", operation_acknowledge },
        { "silence", operation_silence },
        { "silences", operation_silences },
        { "unsilence", operation_unsilence },
        { "subjects", operation_subjects },
        { "set", operation_set },
        { "quarantine", operation_quarantine },
        { "block", operation_block },
        { "checkpoint", operation_checkpoint },
        { "prove", operation_prove },
        { "consistency", operation_consistency },
        { "verify", operation_verify },
};

int operations_run(Session *s, const json_t *request, Error *e) {
        const char *name = NULL;

        int r = argument_text(request, "op", &name, e);
        if (r < 0)
                return r;
        for (size_t i = 0; name && i < ELEMENTS(operations); i++)
                if (streq(operations[i].name, name)) {
                        r = operations[i].run(s, request, e);
                        if (r == -EIO && e->message[0] == '\0')
                                error_set(e, r,
                                                "the ledger can't be read while the store fails: wardstone "
                                                "status says why");
                        return r;
                }
        return error_set(e, -EOPNOTSUPP, "unknown operation '%.40s'", name ? name : "");
}

static bool absent(const json_t *v) {
        return !v || json_is_null(v);
}

int argument_text(const json_t *request, const char *name, const char **ret, Error *e) {
        const json_t *v = json_object_get(request, name);

        if (absent(v))
                return 0;
        if (!json_is_string(v))
                return error_set(e, -EINVAL, "%s: expected a text", name);
        *ret = json_string_value(v);
        return 0;
}

int argument_int(const json_t *request, const char *name, int64_t *ret, Error *e) {
        const json_t *v = json_object_get(request, name);

        if (absent(v))
                return 0;
        if (!json_is_integer(v))
                return error_set(e, -EINVAL, "%s: expected a whole number", name);
        *ret = json_integer_value(v);
        return 0;
}

int argument_uint(const json_t *request, const char *name, uint64_t *ret, Error *e) {
        int64_t v = -1;

        int r = argument_int(request, name, &v, e);
        if (r < 0 || absent(json_object_get(request, name)))
                return r;
        if (v < 0)
                return error_set(e, -EINVAL, "%s: expected a number from 0", name);
        *ret = (uint64_t) v;
        return 0;
}

int argument_bool(const json_t *request, const char *name, bool *ret, Error *e) {
        const json_t *v = json_object_get(request, name);

        if (absent(v))
                return 0;
        if (!json_is_boolean(v))
                return error_set(e, -EINVAL, "%s: expected true or false", name);
        *ret = json_is_true(v);
        return 0;
}

int argument_time(const json_t *request, const char *name, int64_t *ret, Error *e) {
        const json_t *v = json_object_get(request, name);

        if (absent(v))
                return 0;
        if (json_is_integer(v)) {
                *ret = json_integer_value(v);
                return 0;
        }
        if (!json_is_string(v) || clock_parse(json_string_value(v), ret) < 0)
                return error_set(e, -EINVAL, "%s: expected a time such as 2026-11-20T08:15:00Z", name);
        return 0;
}

int send_rows(Session *s, json_t *rows) {
        json_t *row;
        size_t i;
        int r = 0;

        json_array_foreach(rows, i, row) {
                r = session_row(s, json_incref(row));
                if (r < 0)
                        break;
        }
        json_decref(rows);
        return r;
}

json_t *devices_of(Gateway *g, SubjectId subject) {
        json_t *list = json_array();

        for (DeviceId i = 0; i < registry_device_count(g->registry); i++)
                if (registry_device(g->registry, i)->subject == subject)
                        (void) json_array_append_new(
                                        list, json_string(registry_device(g->registry, i)->name));
        return list;
}

json_t *flags_to_json(uint16_t flags) {
        json_t *list = json_array();

        for (unsigned bit = 0; reading_flag_name(bit); bit++)
                if (flags & 1u << bit)
                        (void) json_array_append_new(list, json_string(reading_flag_name(bit)));
        return list;
}

typedef struct Settling {
        uint64_t batches; /* to be committed in all; 0: not known yet */
        bool done, failing;
} Settling;

static int look_at_batches(Gateway *g, void *argument) {
        Settling *s = argument;
        const Pipeline *p = &g->pipeline;

        /* what was asked for may have been committed between the two turns of the loop: then nothing is open */
        if (s->batches == 0)
                s->batches = p->batches + (p->batch_deadline_us != INT64_MAX) + ledger_is_writing(g->ledger);
        s->failing = p->store != STORE_OK;
        s->done = !s->failing && p->batches >= s->batches;
        return 0;
}

/* Waits until what the loop did before is durable. */
static int settle(Session *s, Error *e) {
        Settling settling = { 0 };

        for (int tries = 0; tries < SETTLE_TRIES; tries++) {
                int r = session_on_loop(s, look_at_batches, &settling);
                if (r < 0 || settling.done)
                        return r;
                if (settling.failing)
                        break;
                r = session_sleep(s, SETTLE_MS);
                if (r < 0)
                        return r;
        }
        return error_set(e, -EIO,
                        "it is done, but can't be recorded while the store fails: wardstone status");
}

int operations_answer(Session *s, int r, json_t *row, Error *e) {
        if (r == 0)
                r = settle(s, e);
        if (r == 0)
                return session_row(s, row);
        json_decref(row);
        return r;
}

static int append_access(Gateway *g, void *argument) {
        AccessBody *body = argument;
        uint8_t buffer[256];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        Stamp now = gateway_now(g);

        body->when = gateway_when(g, &now);
        body_put_access(&w, body);
        pipeline_append(g, ENTRY_ACCESS, NULL, &w, &now);
        return 0;
}

int operations_record_access(Session *s, const char *operation, const char *subject, const char *vital,
                int64_t from_us, int64_t to_us) {
        AccessBody body = { .uid = session_uid(s), .from_us = from_us, .to_us = to_us };

        (void) snprintf(body.operation, sizeof body.operation, "%s", operation);
        (void) snprintf(body.subject, sizeof body.subject, "%s", subject ? subject : "");
        (void) snprintf(body.vital, sizeof body.vital, "%s", vital ? vital : "");
        return session_on_loop(s, append_access, &body);
}
