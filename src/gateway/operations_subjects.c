/* Operations on subjects: who there is, and what operators say of them. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "gateway/internal.h"
#include "gateway/log.h"
#include "gateway/operations.h"
#include "gateway/restore.h"

static json_t *attributes_to_json(const Subject *s) {
        json_t *o = json_object();

        for (size_t i = 0; i < s->attribute_count; i++)
                (void) json_object_set_new(o, s->attributes[i].name, json_string(s->attributes[i].value));
        return o;
}

static int gather_subjects(Gateway *g, void *argument) {
        json_t **ret = argument;

        *ret = json_array();
        for (SubjectId i = 0; i < registry_subject_count(g->registry); i++) {
                const Subject *s = registry_subject(g->registry, i);
                if (s->kind == SUBJECT_DEVICE || s->kind == SUBJECT_GROUP)
                        continue;
                (void) json_array_append_new(*ret,
                                json_pack("{s:s, s:s, s:s, s:o, s:o}", "subject", s->name, "label", s->label,
                                                "kind", subject_kind_name(s->kind), "devices",
                                                devices_of(g, i), "attributes", attributes_to_json(s)));
        }
        return *ret ? 0 : -ENOMEM;
}

int operation_subjects(Session *s, const json_t *request, Error *e) {
        json_t *rows = NULL;
        (void) request;
        (void) e;

        int r = session_on_loop(s, gather_subjects, &rows);
        return r < 0 ? r : send_rows(s, rows);
}

/* --- set --- */

typedef struct Set {
        const char *subject, *why;
        bool has_kind;
        SubjectKind kind;
        const json_t *attributes;
        uid_t uid;
        json_t *row;
        Error *error;
} Set;

static void append_attribute(Gateway *g, const Set *a, const Subject *s, const char *name, const char *value,
                const Stamp *now) {
        uint8_t buffer[512];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        AttributeBody body = { .when = gateway_when(g, now), .uid = a->uid };

        memcpy(body.subject, s->name, sizeof body.subject);
        memcpy(body.name, name, strlen(name) + 1);
        memcpy(body.value, value, strlen(value) + 1);
        (void) snprintf(body.why, sizeof body.why, "%s", a->why);
        body_put_attribute(&w, &body);
        pipeline_append(g, ENTRY_ATTRIBUTE, s, &w, now);
        log_message(LOG_NOTICE, LOG_FIELDS({ "EVENT", "attribute" }, { "SUBJECT", s->name }),
                        "subject %s: %s set by user %u", s->name, name, a->uid);
}

static size_t count_new(const Subject *s, const json_t *attributes) {
        size_t n = 0;
        const char *name;
        json_t *value;

        json_object_foreach((json_t *) attributes, name, value) n +=
                        *json_string_value(value) && !(s && *subject_attribute(s, name));
        return n;
}

static int set_on_loop(Gateway *g, void *argument) {
        Set *a = argument;
        Stamp now = gateway_now(g);
        const char *name;
        json_t *value;
        SubjectId id;

        const Subject *known = registry_find_subject(g->registry, a->subject);
        if ((known ? known->attribute_count : 0) + count_new(known, a->attributes) > ATTRIBUTES_MAX)
                return error_set(a->error, -ENOSPC, "a subject has at most %d attributes", ATTRIBUTES_MAX);
        int r = registry_add_subject(
                        g->registry, a->subject, known && !a->has_kind ? known->kind : a->kind, &id);
        if (r < 0)
                return error_set(a->error, r,
                                "subject '%.63s' exists with another kind, or the name is not valid",
                                a->subject);
        const Subject *s = registry_subject(g->registry, id);
        json_object_foreach((json_t *) a->attributes, name, value) {
                r = registry_set_attribute(g->registry, id, name, json_string_value(value));
                if (r < 0)
                        return error_set(a->error, r, "%s", strerror(-r));
                append_attribute(g, a, s, name, json_string_value(value), &now);
        }
        restore_save_attributes(g, s);
        g->pipeline.now = now;
        rule_engine_refresh(g->engine, id, now.mono_us, now.wall_us);
        a->row = json_pack("{s:s, s:o}", "subject", s->name, "attributes", attributes_to_json(s));
        return 0;
}

/* All of it before anything is made. */
static int check_attributes(const json_t *attributes, Error *e) {
        const char *name;
        json_t *value;

        if (!json_is_object(attributes) || json_object_size(attributes) == 0)
                return error_set(e, -EINVAL, "set: expected attributes, {name: value}");
        json_object_foreach((json_t *) attributes, name, value) {
                if (json_is_string(value) && attribute_is_valid(name, json_string_value(value)))
                        continue;
                return error_set(e, -EINVAL,
                                "attribute '%.40s': expected a name of a-z, 0-9 and '_' (up to %d "
                                "characters) "
                                "and a value of letters, digits, '.', '_', ':', '-' (up to %d)",
                                name, ATTRIBUTE_NAME_MAX - 1, ATTRIBUTE_VALUE_MAX - 1);
        }
        return 0;
}

int operation_set(Session *s, const json_t *request, Error *e) {
        Set a = { .uid = session_uid(s), .why = "", .error = e };
        const char *kind = NULL;
        SubjectKey key;
        bool new;

        int r = argument_text(request, "subject", &a.subject, e);
        if (r == 0)
                r = argument_text(request, "kind", &kind, e);
        if (r == 0)
                r = argument_text(request, "why", &a.why, e);
        if (r < 0)
                return r;
        a.attributes = json_object_get(request, "attributes");
        if (!a.subject || !name_is_valid(a.subject))
                return error_set(
                                e, -EINVAL, "set: expected a subject (letters, digits, '.', '-', '_', ':')");
        r = check_attributes(a.attributes, e);
        if (r < 0)
                return r;
        a.has_kind = kind != NULL; /* else as it is, a patient where it is new */
        kind = kind ? kind : "patient";
        if (subject_kind_parse(kind, &a.kind) < 0 || (a.kind != SUBJECT_PATIENT && a.kind != SUBJECT_ASSET))
                return error_set(e, -EINVAL, "kind '%.20s': expected patient or asset", kind);
        if (strlen(a.why) >= ALERT_NOTE_MAX)
                return error_set(e, -EINVAL, "why: longer than %d bytes", ALERT_NOTE_MAX - 1);
        /* Here rather than on the loop, which waits for no disk. */
        r = keyring_subject(session_gateway(s)->keyring, a.subject, &key, &new, e);
        sodium_memzero(&key, sizeof key);
        if (r == 0)
                r = session_on_loop(s, set_on_loop, &a);
        return operations_answer(s, r, a.row, e);
}
