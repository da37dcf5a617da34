#include "cli/trial.h"

#include <errno.h>
#include <stdio.h>

/* Somebody will have seen the alert by then. */
typedef struct Promise {
        int64_t due_us;
        char id[ALERT_ID_MAX];
} Promise;

/* They fall due in the order in which they were made. */
typedef struct PromiseQueue {
        Promise *items;
        size_t first, count, room; /* count: with those that are done, before first */
} PromiseQueue;

struct Trial {
        TrialOptions options;
        Registry *registry;
        RuleEngine *engine;
        AlertManager *alerts;
        PromiseQueue promises;
        int64_t now_us;
        int failure; /* of a callback */
};

static Stamp stamp(int64_t time_us) {
        return (Stamp){ .wall_us = time_us, .mono_us = time_us, .synchronised = true };
}

/* --- acknowledgements to come --- */

static int promise(PromiseQueue *q, const char *id, int64_t due_us) {
        if (q->first == q->count)
                q->first = q->count = 0;
        if (q->count == q->room) {
                size_t room = q->room * 2 + 16;
                Promise *items = reallocarray(q->items, room, sizeof *items);
                if (!items)
                        return -ENOMEM;
                q->items = items;
                q->room = room;
        }
        Promise *p = &q->items[q->count++];
        p->due_us = due_us;
        (void) snprintf(p->id, sizeof p->id, "%s", id);
        return 0;
}

static int64_t promise_deadline(const PromiseQueue *q) {
        return q->first < q->count ? q->items[q->first].due_us : INT64_MAX;
}

static void keep_promises(Trial *t, const Stamp *now) {
        PromiseQueue *q = &t->promises;

        while (promise_deadline(q) <= now->mono_us) {
                Promise p = q->items[q->first++];
                /* one that has ended meanwhile needs nobody */
                (void) alert_manager_acknowledge(t->alerts, p.id, "trial", "", now);
        }
}

/* --- rules and alerts --- */

static void on_event(void *userdata, const AlertEvent *event) {
        Trial *t = userdata;
        const bool raised =
                        event->transition == TRANSITION_RAISED || event->transition == TRANSITION_RERAISED;

        t->options.fn(t->options.userdata, event);
        if (raised && t->options.acknowledge_after_us > 0 &&
                        promise(&t->promises, event->id, event->time_us + t->options.acknowledge_after_us) <
                                        0)
                t->failure = -ENOMEM;
}

static void on_outcome(void *userdata, const RuleOutcome *o) {
        Trial *t = userdata;
        AlertRule rule = *rule_set_rule(t->options.rules, o->rule);
        Stamp now = stamp(o->mono_us);

        if (t->options.without_holdoff)
                rule.for_us = rule.keep_firing_us = 0;
        int r = alert_manager_outcome(t->alerts, o, &rule, &now);
        if (r < 0)
                t->failure = r;
}

int trial_new(const TrialOptions *o, Trial **ret) {
        _cleanup_(trial_freep) Trial *t = calloc(1, sizeof *t);

        if (!t)
                return -ENOMEM;
        t->options = *o;
        t->now_us = INT64_MIN;
        int r = registry_new(&t->registry);
        if (r == 0)
                r = rule_engine_new(o->rules, t->registry, on_outcome, t, &t->engine);
        if (r == 0)
                r = alert_manager_new(t->registry, on_event, t, &t->alerts);
        if (r < 0)
                return r;
        *ret = TAKE(t);
        return 0;
}

Trial *trial_free(Trial *t) {
        if (!t)
                return NULL;
        alert_manager_free(t->alerts);
        rule_engine_free(t->engine);
        registry_free(t->registry);
        free(t->promises.items);
        free(t);
        return NULL;
}

/* --- subjects --- */

const Subject *trial_subject(const Trial *t, SubjectId id) {
        return registry_subject(t->registry, id);
}

int trial_add_subject(Trial *t, const char *name, SubjectKind kind, const char *label, SubjectId *ret) {
        char device[DEVICE_NAME_MAX];
        DeviceId id;

        if (kind == SUBJECT_DEVICE)
                (void) snprintf(device, sizeof device, "%.*s", (int) sizeof device - 1, name);
        else
                (void) snprintf(device, sizeof device, "trial-%zu", registry_device_count(t->registry));
        int r = registry_add_unregistered(t->registry, device, &id);
        if (r < 0)
                return r;
        if (kind != SUBJECT_DEVICE)
                return registry_assign(t->registry, id, name, kind, label, TIME_NONE, ret);
        *ret = registry_device(t->registry, id)->own_subject;
        return 0;
}

/* --- time --- */

/* Each timer in its turn, as the daemon's loop would. */
static int run(Trial *t, int64_t until_us) {
        for (;;) {
                int64_t next = MIN(rule_engine_deadline(t->engine), alert_manager_deadline(t->alerts));

                next = MIN(next, promise_deadline(&t->promises));
                if (next > until_us || t->failure < 0)
                        return t->failure;
                t->now_us = MAX(t->now_us, next);
                Stamp now = stamp(t->now_us);
                rule_engine_tick(t->engine, t->now_us, t->now_us);
                alert_manager_tick(t->alerts, &now);
                keep_promises(t, &now);
        }
}

static int run_before(Trial *t, int64_t time_us) {
        int r = run(t, time_us - 1);

        t->now_us = time_us;
        return r;
}

int trial_set_attribute(Trial *t, SubjectId s, const char *name, const char *value, int64_t time_us) {
        int r = run_before(t, time_us);

        if (r == 0)
                r = registry_set_attribute(t->registry, s, name, value);
        if (r < 0)
                return r;
        rule_engine_refresh(t->engine, s, time_us, time_us);
        return t->failure;
}

int trial_feed(Trial *t, SubjectId s, VitalId v, double value, int64_t time_us) {
        const Vital *vital = catalogue_at(t->options.catalogue, v);
        const bool plausible = value >= vital->min && value <= vital->max;
        const Reading reading = {
                .subject = s,
                .vital = v,
                .flags = plausible ? 0 : FLAG_IMPLAUSIBLE,
                .value = value,
                .device_time_us = TIME_NONE,
                .stamp = stamp(time_us),
        };

        int r = run_before(t, time_us);
        if (r == 0)
                r = rule_engine_reading(t->engine, &reading, time_us);
        if (r == 0)
                r = t->failure;
        if (r < 0)
                return r;
        return plausible ? 0 : TRIAL_IMPLAUSIBLE;
}

int trial_advance(Trial *t, int64_t time_us) {
        int r = run(t, time_us);

        t->now_us = time_us;
        return r;
}

/* --- questions --- */

typedef struct Wanted {
        const char *rule;
        SubjectId subject;
        char id[ALERT_ID_MAX];
} Wanted;

static void find_active(void *userdata, const AlertEvent *event) {
        Wanted *w = userdata;

        if (!w->id[0] && event->state == ALERT_ACTIVE && streq(event->rule, w->rule) &&
                        (w->subject == SUBJECT_NONE || w->subject == event->subject))
                (void) snprintf(w->id, sizeof w->id, "%s", event->id);
}

int trial_acknowledge(Trial *t, const char *rule, SubjectId subject, int64_t time_us) {
        Wanted w = { .rule = rule, .subject = subject };
        Stamp now = stamp(time_us);

        int r = trial_advance(t, time_us);
        if (r < 0)
                return r;
        alert_manager_visit(t->alerts, find_active, &w);
        return w.id[0] ? alert_manager_acknowledge(t->alerts, w.id, "trial", "", &now) : -ENOENT;
}

double trial_probe(Trial *t, size_t probe, SubjectId s) {
        return rule_engine_probe(t->engine, probe, s, t->now_us);
}
