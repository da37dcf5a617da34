#include "alert/alert.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "alert/table.h"
#include "base/sha256.h"
#include "model/summary.h"

enum { PRIORITY_COUNT = PRIORITY_HIGH + 1, RECENT_MAX = 64 };

/* Alerts of one priority, ordered by when they began. */
typedef struct AlertList {
        Alert *oldest, *newest;
} AlertList;

struct AlertManager {
        const Registry *registry;
        AlertEventFn fn;
        void *userdata;
        AlertTable table;
        AlertList lists[PRIORITY_COUNT];
        Heap timers;
        uint64_t begun; /* timers that run out together do so in this order */
        uint64_t shed;
        char recent[RECENT_MAX][ALERT_ID_MAX]; /* ids of the newest resolved alerts, a ring */
        size_t recent_next;
};

int alert_manager_new(const Registry *registry, AlertEventFn fn, void *userdata, AlertManager **ret) {
        AlertManager *m = calloc(1, sizeof *m);

        if (!m)
                return -ENOMEM;
        m->registry = registry;
        m->fn = fn;
        m->userdata = userdata;
        *ret = m;
        return 0;
}

AlertManager *alert_manager_free(AlertManager *m) {
        if (!m)
                return NULL;
        alert_table_done(&m->table);
        heap_done(&m->timers);
        free(m);
        return NULL;
}

/* --- identity --- */

static const char *subject_name(const AlertManager *m, SubjectId subject) {
        return subject == SUBJECT_NONE ? "" : registry_subject(m->registry, subject)->name;
}

static void make_id(const AlertManager *m, AlertEvent *e) {
        uint8_t text[ALERT_NAME_MAX + NAME_MAX_LENGTH + sizeof(int64_t)];
        const char *subject = subject_name(m, e->subject);
        size_t n = 0;
        Hash h;

        memcpy(text, e->rule, strlen(e->rule) + 1);
        n += strlen(e->rule) + 1;
        memcpy(text + n, subject, strlen(subject) + 1);
        n += strlen(subject) + 1;
        be64_write(text + n, (uint64_t) e->since_us);
        sha256(BYTES(text, n + sizeof(int64_t)), &h);
        for (size_t i = 0; i < ALERT_ID_SIZE; i++)
                (void) snprintf(e->id + 2 * i, 3, "%02x", h.bytes[i]);
}

static bool is_recent(const AlertManager *m, const char *id) {
        for (size_t i = 0; i < RECENT_MAX; i++)
                if (streq(m->recent[i], id))
                        return true;
        return false;
}

static void remember(AlertManager *m, const AlertEvent *e) {
        /* one that ends before it began was restored, and what is replayed will raise it again */
        if (e->time_us < e->since_us)
                return;
        memcpy(m->recent[m->recent_next], e->id, sizeof e->id);
        m->recent_next = (m->recent_next + 1) % RECENT_MAX;
}

/* --- the alerts that there are --- */

static void list_add(AlertList *l, Alert *a) {
        Alert *older = l->newest;

        while (older && older->event.since_us > a->event.since_us)
                older = older->older;
        a->older = older;
        a->newer = older ? older->newer : l->oldest;
        *(a->older ? &a->older->newer : &l->oldest) = a;
        *(a->newer ? &a->newer->older : &l->newest) = a;
}

static void list_remove(AlertList *l, const Alert *a) {
        *(a->older ? &a->older->newer : &l->oldest) = a->newer;
        *(a->newer ? &a->newer->older : &l->newest) = a->older;
}

/* Takes it out of everything: the caller frees it. */
static void detach(AlertManager *m, Alert *a) {
        heap_remove(&m->timers, &a->timer);
        list_remove(&m->lists[a->event.priority], a);
        alert_table_remove(&m->table, a);
}

static void drop(AlertManager *m, Alert *a) {
        detach(m, a);
        free(a);
}

static void resolve(AlertManager *m, Alert *a, int64_t wall_us) {
        detach(m, a);
        a->event.state = ALERT_RESOLVED;
        a->event.time_us = wall_us;
        remember(m, &a->event);
        m->fn(m->userdata, &a->event);
        free(a);
}

static void raise(AlertManager *m, Alert *a, int64_t wall_us) {
        a->event.state = ALERT_ACTIVE;
        a->event.time_us = wall_us;
        m->fn(m->userdata, &a->event);
}

/* Makes room for an alert of that priority, see ALERTS_MAX. */
static bool make_room(AlertManager *m, Priority priority, const Stamp *now) {
        if (m->table.count < ALERTS_MAX)
                return true;
        m->shed++;
        for (size_t p = 0; p < priority; p++) {
                Alert *victim = m->lists[p].newest;
                if (!victim)
                        continue;
                if (victim->event.state == ALERT_ACTIVE) {
                        (void) snprintf(victim->event.summary, sizeof victim->event.summary,
                                        "Not followed any more: too many alerts");
                        resolve(m, victim, now->wall_us);
                } else {
                        drop(m, victim);
                }
                return true;
        }
        return false;
}

static int add(AlertManager *m, const AlertEvent *e, Alert **ret) {
        Alert *a = calloc(1, sizeof *a);

        if (!a)
                return -ENOMEM;
        a->event = *e;
        a->timer.tie = m->begun++;
        if (heap_reserve(&m->timers, m->table.count + 1) < 0 || alert_table_add(&m->table, a) < 0) {
                free(a);
                return -ENOMEM;
        }
        list_add(&m->lists[e->priority], a);
        *ret = a;
        return 0;
}

/* A new pending alert with its id; *ret is NULL where it is shed. */
static int begin(AlertManager *m, AlertEvent *e, const char *rule, const Stamp *now, Alert **ret) {
        if (strlen(rule) >= sizeof e->rule)
                return -EINVAL;
        memcpy(e->rule, rule, strlen(rule) + 1);
        e->state = ALERT_PENDING;
        *ret = NULL;
        if (!make_room(m, e->priority, now))
                return 0;
        for (make_id(m, e); is_recent(m, e->id); make_id(m, e))
                e->since_us++;
        return add(m, e, ret);
}

/* --- outcomes of rules --- */

static int is_true(AlertManager *m, Alert *a, const RuleOutcome *o, const AlertRule *rule, const Stamp *at) {
        if (a && a->event.state == ALERT_ACTIVE) {
                heap_remove(&m->timers, &a->timer);
                return 0;
        }
        if (!a) {
                AlertEvent e = { .priority = rule->priority, .subject = o->subject, .since_us = o->time_us };
                int r = begin(m, &e, rule->name, at, &a);
                if (r < 0 || !a)
                        return r;
                if (rule->for_us > 0)
                        heap_set(&m->timers, &a->timer, at->mono_us + rule->for_us);
        }
        const Subject *s = registry_subject(m->registry, o->subject);
        a->event.value = o->value;
        memcpy(a->event.rule_hash, rule->hash, sizeof a->event.rule_hash);
        summary_render(rule->summary,
                        &(SummaryFields){ .value = o->value,
                                        .subject_id = s->name,
                                        .subject_label = s->label,
                                        .rule = rule->name },
                        a->event.summary);
        if (rule->for_us == 0) {
                heap_remove(&m->timers, &a->timer);
                raise(m, a, at->wall_us);
        }
        return 0;
}

static void is_false(
                AlertManager *m, Alert *a, const RuleOutcome *o, const AlertRule *rule, const Stamp *at) {
        if (a->event.state == ALERT_PENDING) {
                drop(m, a);
                return;
        }
        a->event.value = o->value;
        memcpy(a->event.rule_hash, rule->hash, sizeof a->event.rule_hash);
        if (rule->keep_firing_us == 0)
                resolve(m, a, at->wall_us);
        else if (a->timer.place == 0)
                heap_set(&m->timers, &a->timer, at->mono_us + rule->keep_firing_us);
}

static void is_unknown(AlertManager *m, Alert *a) {
        if (a->event.state == ALERT_PENDING)
                drop(m, a);
        else
                heap_remove(&m->timers, &a->timer);
}

/* What ran out before the moment. */
static void run_timers(AlertManager *m, int64_t before_us, const Stamp *now) {
        while (heap_key(&m->timers) < before_us) {
                Alert *a = container_of(heap_top(&m->timers), Alert, timer);
                int64_t wall_us = now->wall_us - (now->mono_us - a->timer.key);

                heap_remove(&m->timers, &a->timer);
                if (a->event.state == ALERT_PENDING)
                        raise(m, a, wall_us);
                else
                        resolve(m, a, wall_us);
        }
}

int alert_manager_outcome(AlertManager *m, const RuleOutcome *o, const AlertRule *rule, const Stamp *now) {
        const Stamp at = {
                .wall_us = now->wall_us - (now->mono_us - o->mono_us),
                .mono_us = o->mono_us,
        };

        if (o->truth != TRUTH_TRUE && !alert_table_has(&m->table, o->subject))
                return 0;
        run_timers(m, o->mono_us, now);
        Alert *a = alert_table_find(&m->table, alert_hash(rule->name, o->subject), rule->name, o->subject);
        switch (o->truth) {
        case TRUTH_TRUE:
                return is_true(m, a, o, rule, &at);
        case TRUTH_FALSE:
                if (a)
                        is_false(m, a, o, rule, &at);
                return 0;
        case TRUTH_UNKNOWN:
                if (a)
                        is_unknown(m, a);
                return 0;
        }
        return -EINVAL;
}

void alert_manager_tick(AlertManager *m, const Stamp *now) {
        run_timers(m, now->mono_us + 1, now);
}

int64_t alert_manager_deadline(const AlertManager *m) {
        return heap_key(&m->timers);
}

/* --- the gateway's own --- */

static Alert *find_technical(const AlertManager *m, const char *name) {
        return alert_table_find(&m->table, alert_hash(name, SUBJECT_NONE), name, SUBJECT_NONE);
}

int alert_manager_raise(AlertManager *m, const char *name, const char *summary, const Stamp *now) {
        AlertEvent e = {
                .priority = PRIORITY_TECHNICAL,
                .subject = SUBJECT_NONE,
                .value = (double) NAN,
                .since_us = now->wall_us,
        };
        Alert *a;

        if (find_technical(m, name))
                return 0;
        summary_copy(summary, e.summary);
        int r = begin(m, &e, name, now, &a);
        if (r < 0 || !a)
                return r;
        raise(m, a, now->wall_us);
        return 0;
}

void alert_manager_clear(AlertManager *m, const char *name, const Stamp *now) {
        Alert *a = find_technical(m, name);

        if (a)
                resolve(m, a, now->wall_us);
}

/* --- restarts, reloads, subjects that go --- */

int alert_manager_restore(AlertManager *m, const AlertEvent *active, int64_t offset_us) {
        const char *rule = active->rule;
        Alert *a;

        if (active->state != ALERT_ACTIVE || active->priority > PRIORITY_HIGH ||
                        strnlen(rule, sizeof active->rule) == sizeof active->rule)
                return -EINVAL;
        if (m->table.count == ALERTS_MAX)
                return -ENOSPC;
        if (alert_table_find(&m->table, alert_hash(rule, active->subject), rule, active->subject))
                return -EEXIST;
        return add(m, active, &a);
}

static void end(AlertManager *m, Alert *a, const Stamp *now) {
        if (a->event.state == ALERT_ACTIVE)
                resolve(m, a, now->wall_us);
        else
                drop(m, a);
}

void alert_manager_retain(AlertManager *m, bool (*keep)(void *userdata, const char *rule), void *userdata,
                const Stamp *now) {
        for (size_t p = PRIORITY_COUNT; p-- > 0;)
                for (Alert *a = m->lists[p].oldest, *newer; a; a = newer) {
                        newer = a->newer;
                        if (a->event.subject == SUBJECT_NONE)
                                continue;
                        if (keep(userdata, a->event.rule))
                                is_unknown(m, a);
                        else
                                end(m, a, now);
                }
}

void alert_manager_release(AlertManager *m, SubjectId subject, const Stamp *now) {
        for (size_t p = PRIORITY_COUNT; p-- > 0;)
                for (Alert *a = m->lists[p].oldest, *newer; a; a = newer) {
                        newer = a->newer;
                        if (a->event.subject == subject)
                                end(m, a, now);
                }
}

/* --- views --- */

void alert_manager_visit(const AlertManager *m, AlertVisitFn fn, void *userdata) {
        const Alert *at[PRIORITY_COUNT];

        for (size_t p = 0; p < PRIORITY_COUNT; p++)
                at[p] = m->lists[p].oldest;
        for (;;) {
                const Alert **oldest = NULL;

                for (size_t p = 0; p < PRIORITY_COUNT; p++)
                        if (at[p] && (!oldest || at[p]->event.since_us < (*oldest)->event.since_us))
                                oldest = &at[p];
                if (!oldest)
                        return;
                if ((*oldest)->event.state == ALERT_ACTIVE)
                        fn(userdata, &(*oldest)->event);
                *oldest = (*oldest)->newer;
        }
}

uint64_t alert_manager_shed(const AlertManager *m) {
        return m->shed;
}
