/* Operations on alerts: those that are active, what was recorded of them, and what caregivers do about them. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "gateway/internal.h"
#include "gateway/notice.h"
#include "gateway/operations.h"
#include "gateway/silences.h"

enum { ID_PREFIX_MIN = 4 };

static void who_asks(const Session *s, char ret[static ALERT_WHO_MAX]) {
        (void) snprintf(ret, ALERT_WHO_MAX, "uid:%u", session_uid(s));
}

/* --- alerts --- */

typedef struct AlertList {
        Gateway *gateway;
        json_t *rows;
} AlertList;

static void add_active(void *userdata, const AlertEvent *event) {
        AlertList *list = userdata;
        json_t *row = alert_to_json(list->gateway, event);
        const Silence *silence = dispatch_silence_of(list->gateway->dispatch, event);

        if (silence)
                (void) json_object_set_new(row, "silence", json_string(silence->id));
        (void) json_array_append_new(list->rows, row);
}

static int gather_alerts(Gateway *g, void *argument) {
        json_t **ret = argument;
        AlertList list = { .gateway = g, .rows = json_array() };

        alert_manager_visit(g->alerts, add_active, &list);
        *ret = list.rows;
        return 0;
}

typedef struct History {
        Ledger *ledger;
        json_t *rows; /* of one stretch, oldest first */
} History;

static int add_alert_entry(void *userdata, const StoredEntry *stored) {
        History *h = userdata;
        uint8_t plain[BODY_MAX];
        char subject[NAME_MAX_LENGTH];
        AlertBody b;
        size_t len;

        if (stored->entry.type != ENTRY_ALERT ||
                        ledger_open_body(h->ledger, stored, plain, &len, subject) < 0 ||
                        body_get_alert(BYTES(plain, len), &b) < 0)
                return 0;
        json_t *row = alert_event_to_json(&b.event, b.subject, "");
        (void) json_object_set_new(row, "index", json_integer((json_int_t) stored->index));
        return json_array_append_new(h->rows, row);
}

/* Newest first, in stretches of the log from its end, until limit alerts are found. */
static int send_history(Session *s, uint64_t limit) {
        enum { STRETCH = 16384 };
        History h = { .ledger = session_gateway(s)->ledger };
        LedgerHead head;

        int r = ledger_head(h.ledger, &head);
        for (uint64_t end = head.size; r == 0 && end > head.pruned_size && limit > 0;) {
                uint64_t count = MIN(end - head.pruned_size, (uint64_t) STRETCH);
                end -= count;
                h.rows = json_array();
                r = ledger_entries(h.ledger, end, count, add_alert_entry, &h);
                for (size_t i = json_array_size(h.rows); r == 0 && i > 0 && limit > 0; i--, limit--)
                        r = session_row(s, json_incref(json_array_get(h.rows, i - 1)));
                json_decref(h.rows);
        }
        return r;
}

int operation_alerts(Session *s, const json_t *request, Error *e) {
        uint64_t limit = 100;
        bool all = false;
        json_t *rows = NULL, *row;
        size_t i;

        int r = argument_bool(request, "all", &all, e);
        if (r == 0)
                r = argument_uint(request, "limit", &limit, e);
        if (r < 0 || all)
                return r < 0 ? r : send_history(s, limit);
        r = session_on_loop(s, gather_alerts, &rows);
        json_array_foreach(rows, i, row) if (r == 0 && i < limit) r = session_row(s, json_incref(row));
        json_decref(rows);
        return r;
}

/* --- acknowledge --- */

typedef struct Acknowledge {
        const char *id, *note;
        char who[ALERT_WHO_MAX];
        size_t matches;
        AlertEvent found;
        json_t *row;
        Error *error;
} Acknowledge;

static void find_alert(void *userdata, const AlertEvent *event) {
        Acknowledge *a = userdata;

        if (!startswith(event->id, a->id))
                return;
        a->matches++;
        a->found = *event;
}

static int acknowledge_on_loop(Gateway *g, void *argument) {
        Acknowledge *a = argument;
        Stamp now = gateway_now(g);
        int r;

        alert_manager_visit(g->alerts, find_alert, a);
        if (a->matches == 0)
                return error_set(a->error, -ENOENT,
                                "no alert '%.40s' is active; wardstone alerts lists them", a->id);
        if (a->matches > 1)
                return error_set(a->error, -EINVAL, "%zu alerts begin with '%.40s': give more of the id",
                                a->matches, a->id);
        r = alert_manager_acknowledge(g->alerts, a->found.id, a->who, a->note, &now);
        if (r == -EALREADY)
                return error_set(a->error, r, "%s was acknowledged already, by %s", a->found.rule,
                                a->found.who);
        if (r < 0)
                return error_set(a->error, r, "%s", strerror(-r));
        bool over = a->found.ended_us != TIME_NONE;
        a->row = json_pack("{s:s, s:s, s:s, s:s}", "alert", a->found.id, "rule", a->found.rule, "subject",
                        a->found.subject == SUBJECT_NONE
                                        ? ""
                                        : registry_subject(g->registry, a->found.subject)->name,
                        "state", alert_state_name(over ? ALERT_RESOLVED : ALERT_ACKNOWLEDGED));
        return 0;
}

int operation_acknowledge(Session *s, const json_t *request, Error *e) {
        Acknowledge a = { .note = "", .error = e };

        int r = argument_text(request, "alert", &a.id, e);
        if (r == 0)
                r = argument_text(request, "note", &a.note, e);
        if (r < 0)
                return r;
        if (!a.id || strlen(a.id) < ID_PREFIX_MIN)
                return error_set(e, -EINVAL, "alert: expected an id, or at least its first %d digits",
                                ID_PREFIX_MIN);
        who_asks(s, a.who);
        r = session_on_loop(s, acknowledge_on_loop, &a);
        return operations_answer(s, r, a.row, e);
}

/* --- silences --- */

static bool labels_are_valid(const char *labels) {
        for (const char *at = labels; *at; at += strcspn(at, ","), at += *at == ',') {
                size_t len = strcspn(at, ","), name = strcspn(at, "=");
                if (name == 0 || name + 1 >= len)
                        return false;
        }
        return true;
}

static int read_filter(const json_t *request, AlertFilter *ret, Error *e) {
        const char *rule = "", *subject = "", *label = "", *labels = "", *priority = NULL;
        Priority p;

        int r = argument_text(request, "rule", &rule, e);
        if (r == 0)
                r = argument_text(request, "subject", &subject, e);
        if (r == 0)
                r = argument_text(request, "label", &label, e);
        if (r == 0)
                r = argument_text(request, "labels", &labels, e);
        if (r == 0)
                r = argument_text(request, "priority", &priority, e);
        if (r < 0)
                return r;
        if (strlen(rule) >= sizeof ret->rule || strlen(subject) >= sizeof ret->subject ||
                        strlen(label) >= sizeof ret->label || strlen(labels) >= sizeof ret->labels)
                return error_set(e, -EINVAL, "rule, subject, label or labels: too long");
        if (!labels_are_valid(labels))
                return error_set(e, -EINVAL, "labels '%.60s': expected name=value, with commas between",
                                labels);
        *ret = (AlertFilter){ 0 };
        memcpy(ret->rule, rule, strlen(rule) + 1);
        memcpy(ret->subject, subject, strlen(subject) + 1);
        memcpy(ret->label, label, strlen(label) + 1);
        memcpy(ret->labels, labels, strlen(labels) + 1);
        if (!priority)
                return 0;
        if (priority_parse(priority, &p) < 0)
                return error_set(e, -EINVAL, "priority '%.20s': expected high, medium, low or technical",
                                priority);
        ret->priorities = 1u << p;
        return 0;
}

typedef struct Silencing {
        Silence silence;
        int64_t for_us;
        const char *id;
        json_t *row;
        Error *error;
} Silencing;

static int silence_on_loop(Gateway *g, void *argument) {
        Silencing *a = argument;
        char until[CLOCK_TEXT_SIZE];
        Stamp now = gateway_now(g);

        a->silence.from_us = now.wall_us;
        if (__builtin_add_overflow(now.wall_us, a->for_us, &a->silence.until_us))
                return error_set(a->error, -EINVAL, "for_us: too long");
        int r = silences_begin(g, &a->silence, a->error);
        if (r < 0)
                return r;
        clock_format(a->silence.until_us, until);
        a->row = json_pack("{s:s, s:s, s:I}", "silence", a->silence.id, "until", until, "until_us",
                        (json_int_t) a->silence.until_us);
        return 0;
}

int operation_silence(Session *s, const json_t *request, Error *e) {
        Silencing a = { .error = e };
        const char *why = NULL;

        int r = argument_int(request, "for_us", &a.for_us, e);
        if (r == 0)
                r = argument_text(request, "why", &why, e);
        if (r == 0)
                r = read_filter(request, &a.silence.filter, e);
        if (r < 0)
                return r;
        if (a.for_us <= 0 || !why || !*why)
                return error_set(e, -EINVAL, "a silence needs for_us, how long it lasts, and why");
        if (strlen(why) >= sizeof a.silence.why)
                return error_set(e, -EINVAL, "why: longer than %zu bytes", sizeof a.silence.why - 1);
        memcpy(a.silence.why, why, strlen(why) + 1);
        who_asks(s, a.silence.who);
        r = session_on_loop(s, silence_on_loop, &a);
        return operations_answer(s, r, a.row, e);
}

static json_t *silence_to_json(const Silence *s) {
        char from[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];
        json_t *priorities = json_array();

        for (int p = PRIORITY_TECHNICAL; p <= PRIORITY_HIGH; p++)
                if (s->filter.priorities & 1u << p)
                        (void) json_array_append_new(priorities, json_string(priority_name((Priority) p)));
        clock_format(s->from_us, from);
        clock_format(s->until_us, until);
        return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:I, s:I, s:s, s:s}", "silence", s->id,
                        "rule", s->filter.rule, "subject", s->filter.subject, "label", s->filter.label,
                        "priorities", priorities, "labels", s->filter.labels, "from", from, "until", until,
                        "from_us", (json_int_t) s->from_us, "until_us", (json_int_t) s->until_us, "who",
                        s->who, "why", s->why);
}

static int gather_silences(Gateway *g, void *argument) {
        json_t **ret = argument;
        const SilenceList *list = dispatch_silences(g->dispatch);

        *ret = json_array();
        for (size_t i = 0; i < list->count; i++)
                (void) json_array_append_new(*ret, silence_to_json(&list->items[i]));
        return 0;
}

int operation_silences(Session *s, const json_t *request, Error *e) {
        json_t *rows = NULL;
        (void) request;
        (void) e;

        int r = session_on_loop(s, gather_silences, &rows);
        return r < 0 ? r : send_rows(s, rows);
}

static int unsilence_on_loop(Gateway *g, void *argument) {
        Silencing *a = argument;
        return silences_end(g, a->id, a->silence.who, a->error);
}

int operation_unsilence(Session *s, const json_t *request, Error *e) {
        Silencing a = { .error = e };

        int r = argument_text(request, "silence", &a.id, e);
        if (r < 0)
                return r;
        if (!a.id)
                return error_set(e, -EINVAL, "silence: expected its id");
        who_asks(s, a.silence.who);
        r = session_on_loop(s, unsilence_on_loop, &a);
        return operations_answer(s, r, json_pack("{s:s}", "silence", a.id), e);
}
