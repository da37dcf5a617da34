/* Rules -> alerts -> receivers, and what the ledger keeps of it. */
#include <stdio.h>

#include "gateway/internal.h"
#include "gateway/log.h"
#include "gateway/restore.h"
#include "gateway/silences.h"

enum { ALERT_BODY_MAX = 2048 };

void pipeline_outcome(void *userdata, const RuleOutcome *o) {
        Gateway *g = userdata;

        if (!g->replay_is_mute)
                (void) alert_manager_outcome(
                                g->alerts, o, rule_set_rule(g->config->rules, o->rule), &g->pipeline.now);
}

const Subject *pipeline_sealing_subject(const Subject *s) {
        return s && s->kind == SUBJECT_GROUP ? NULL : s;
}

void pipeline_record(Gateway *g, const AlertEvent *event) {
        uint8_t buffer[ALERT_BODY_MAX];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        Stamp now = gateway_now(g);
        const Subject *subject = event->subject == SUBJECT_NONE
                                                 ? NULL
                                                 : registry_subject(g->registry, event->subject);
        AlertBody body = { .when = gateway_when(g, &now), .event = *event };

        if (subject)
                memcpy(body.subject, subject->name, sizeof body.subject);
        body_put_alert(&w, &body);
        pipeline_append(g, ENTRY_ALERT, pipeline_sealing_subject(subject), &w, &now);
        log_message(event->transition == TRANSITION_DELIVERED ? LOG_DEBUG : LOG_NOTICE,
                        LOG_FIELDS({ "EVENT", "alert" }, { "ALERT", event->id }, { "RULE", event->rule },
                                        { "PRIORITY", priority_name(event->priority) },
                                        { "STATE", alert_state_name(event->state) },
                                        { "TRANSITION", alert_transition_name(event->transition) },
                                        { "RECEIVER", event->receiver }, { "SUBJECT", body.subject }),
                        "alert %s %s: %s", event->rule, alert_transition_name(event->transition), event->id);
}

/* On record first, so that the entries' order is the alert's history; no disk is waited for. */
void pipeline_alert(void *userdata, const AlertEvent *event) {
        Gateway *g = userdata;
        Stamp now = gateway_now(g);

        const char *outer = g->pipeline.telling;

        pipeline_record(g, event);
        g->pipeline.telling = event->id;
        if (dispatch_event(g->dispatch, event, &now) < 0)
                log_error("alert %s: out of memory, it will not be escalated", event->id);
        g->pipeline.telling = outer;
        restore_save_alert(g, event);
}

static void on_notice(void *userdata, const Notice *n) {
        Gateway *g = userdata;
        receivers_notify(g->receivers, n);
}

static void on_record(void *userdata, const AlertEvent *event) {
        pipeline_record(userdata, event);
}

static void on_changed(void *userdata, const AlertEvent *event) {
        Gateway *g = userdata;

        if (!g->pipeline.telling || !streq(g->pipeline.telling, event->id))
                restore_save_alert(g, event);
}

int pipeline_new_dispatch(Gateway *g) {
        const DispatchCallbacks callbacks = { .notify = on_notice,
                .record = on_record,
                .changed = on_changed,
                .silence_over = silences_over,
                .userdata = g };

        return dispatch_new(g->config->routing, g->registry, &callbacks, &g->dispatch);
}
