#include "gateway/notice.h"

#include <inttypes.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>

#include "gateway/internal.h"

static void add_time(json_t *o, const char *name, int64_t us) {
        char text[CLOCK_TEXT_SIZE], name_us[32];

        if (us == TIME_NONE)
                return;
        clock_format(us, text);
        (void) snprintf(name_us, sizeof name_us, "%s_us", name);
        (void) json_object_set_new(o, name, json_string(text));
        (void) json_object_set_new(o, name_us, json_integer(us));
}

static void add_text(json_t *o, const char *name, const char *text) {
        if (*text)
                (void) json_object_set_new(o, name, json_string(text));
}

static json_t *labels_to_json(const char *labels) {
        json_t *o = json_object();

        for (const char *at = labels; *at;) {
                size_t len = strcspn(at, ","), name = strcspn(at, "=");
                char key[ALERT_LABELS_MAX];
                if (name < len) {
                        (void) snprintf(key, sizeof key, "%.*s", (int) name, at);
                        (void) json_object_set_new(o, key, json_stringn(at + name + 1, len - name - 1));
                }
                at += len + (at[len] == ',');
        }
        return o;
}

json_t *alert_event_to_json(const AlertEvent *e, const char *subject, const char *label) {
        char hash[2 * SHA256_SIZE + 1];

        (void) sodium_bin2hex(hash, sizeof hash, e->rule_hash, sizeof e->rule_hash);
        json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "id", e->id, "rule",
                        e->rule, "rule_hash", hash, "priority", priority_name(e->priority), "state",
                        alert_state_name(e->state), "transition", alert_transition_name(e->transition),
                        "subject", subject, "label", label, "summary", e->summary, "labels",
                        labels_to_json(e->labels));
        if (!o)
                return NULL;
        if (isfinite(e->value))
                (void) json_object_set_new(o, "value", json_real(e->value));
        add_time(o, "since", e->since_us);
        add_time(o, "raised", e->raised_us);
        add_time(o, "ended", e->ended_us);
        add_time(o, "time", e->time_us);
        add_text(o, "who", e->who);
        add_text(o, "note", e->note);
        add_text(o, "receiver", e->receiver);
        if (e->step > 0)
                (void) json_object_set_new(o, "step", json_integer(e->step));
        return o;
}

json_t *alert_to_json(const Gateway *g, const AlertEvent *event) {
        const Subject *s = event->subject == SUBJECT_NONE ? NULL
                                                          : registry_subject(g->registry, event->subject);

        return alert_event_to_json(event, s ? s->name : "", s ? s->label : "");
}

/* One line for people, where there is room for no more: an alert's own, or how many there are. */
static void summarise(const Notice *n, char *ret, size_t size) {
        const AlertEvent *e = n->alerts;
        const char *prefix = "";

        if (n->kind == NOTICE_DIGEST || n->count == 0) {
                (void) snprintf(ret, size, "%" PRIu64 " alerts were held back", n->count + n->more);
                return;
        }
        if (e->transition != TRANSITION_RAISED)
                prefix = alert_transition_name(e->transition);
        const char *text = e->summary[0] ? e->summary : e->rule;
        if (n->count == 1)
                (void) snprintf(ret, size, "%s%s%s", prefix, *prefix ? ": " : "", text);
        else
                (void) snprintf(ret, size, "%s%s%s and %zu more", prefix, *prefix ? ": " : "", text,
                                n->count - 1);
}

json_t *notice_to_json(const Gateway *g, const Notice *n) {
        char summary[ALERT_SUMMARY_MAX + 64];
        json_t *alerts = json_array();

        for (size_t i = 0; i < n->count; i++)
                (void) json_array_append_new(alerts, alert_to_json(g, &n->alerts[i]));
        summarise(n, summary, sizeof summary);
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:I}", "key", n->key, "kind",
                        notice_kind_name(n->kind), "gateway", g->config->name, "priority",
                        priority_name(n->priority), "summary", summary, "alerts", alerts, "more",
                        (json_int_t) n->more);
}
