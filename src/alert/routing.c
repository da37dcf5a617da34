#include "alert/routing.h"

#include <errno.h>
#include <stdio.h>

#define SECOND 1e6
#define MINUTE (60 * SECOND)
#define DAY    (86400 * SECOND)

enum { KIND_COUNT = SUBJECT_GROUP + 1, PRIORITY_COUNT = PRIORITY_HIGH + 1 };

/* More often than that, a repetition is no reminder but an alarm tone. */
static const int64_t repeat_min_us = 10 * USEC_PER_SEC;

static const char *const priority_words[] = { "technical", "low", "medium", "high", NULL };

/* --- match --- */

/* One word or a list of words: their bits. */
static int read_words(const YamlNode *n, const char *what, size_t count, const char *(*name)(unsigned),
                unsigned *ret, Error *e) {
        unsigned bits = 0;

        if (!yaml_present(n))
                return 0;
        size_t items = yaml_is_sequence(n) ? yaml_length(n) : 1;
        for (size_t i = 0; i < items; i++) {
                YamlNode item = yaml_is_sequence(n) ? yaml_item(n, i) : *n;
                const char *text = yaml_text(&item);
                unsigned w = 0;

                while (text && w < count && !streq(name(w), text))
                        w++;
                if (!text || w == count)
                        return yaml_error(&item, e, -EINVAL, "%s: '%.40s' is none", what, text ? text : "");
                bits |= 1U << w;
        }
        if (bits == 0)
                return yaml_error(n, e, -EINVAL, "%s: expected at least one", what);
        *ret = bits;
        return 0;
}

static const char *priority_word(unsigned p) {
        return priority_name((Priority) p);
}

static const char *kind_word(unsigned k) {
        return subject_kind_name((SubjectKind) k);
}

static int read_text(const YamlNode *n, const char *what, char *ret, size_t size, Error *e) {
        const char *text = yaml_text(n);

        if (!yaml_present(n))
                return 0;
        if (!text || *text == '\0' || strlen(text) >= size)
                return yaml_error(n, e, -EINVAL, "%s: expected a text of up to %zu characters", what,
                                size - 1);
        memcpy(ret, text, strlen(text) + 1);
        return 0;
}

static int read_rule(const YamlNode *n, char ret[static ALERT_NAME_MAX], Error *e) {
        int r = read_text(n, "rule", ret, ALERT_NAME_MAX, e);

        if (r < 0 || ret[0] == '\0')
                return r;
        if (ret[strcspn(ret, "*")] == '*' && ret[strcspn(ret, "*") + 1] != '\0')
                return yaml_error(
                                n, e, -EINVAL, "rule: '%s': expected a name, or its beginning and '*'", ret);
        return 0;
}

static int read_labels(const YamlNode *n, char ret[static ALERT_LABELS_MAX], Error *e) {
        size_t used = 0;

        if (!yaml_present(n))
                return 0;
        if (!yaml_is_mapping(n))
                return yaml_error(n, e, -EINVAL, "labels: expected a mapping (name: value)");
        for (size_t i = 0; i < yaml_length(n); i++) {
                YamlNode key, value;

                yaml_pair(n, i, &key, &value);
                const char *name = yaml_text(&key), *text = yaml_text(&value);
                if (!name || !text || *name == '\0' || *text == '\0' || strpbrk(name, ",=") ||
                                strchr(text, ',') || strlen(text) >= NAME_MAX_LENGTH)
                        return yaml_error(&key, e, -EINVAL, "labels: expected names and values without ','");
                int k = snprintf(
                                ret + used, ALERT_LABELS_MAX - used, "%s%s=%s", used ? "," : "", name, text);
                if (k < 0 || (size_t) k >= ALERT_LABELS_MAX - used)
                        return yaml_error(&key, e, -EINVAL, "labels: more than %d characters",
                                        ALERT_LABELS_MAX - 1);
                used += (size_t) k;
        }
        return 0;
}

typedef struct MatchFields {
        YamlNode priority, kind, rule, subject, label, labels;
} MatchFields;

static int read_match(const YamlNode *n, AlertFilter *f, Error *e) {
        static const YamlField fields[] = {
                { "priority", YAML_NODE, offsetof(MatchFields, priority) },
                { "kind", YAML_NODE, offsetof(MatchFields, kind) },
                { "rule", YAML_NODE, offsetof(MatchFields, rule) },
                { "subject", YAML_NODE, offsetof(MatchFields, subject) },
                { "label", YAML_NODE, offsetof(MatchFields, label) },
                { "labels", YAML_NODE, offsetof(MatchFields, labels) },
                { NULL },
        };
        MatchFields m = { 0 };
        int r;

        if (!yaml_present(n))
                return 0;
        if ((r = yaml_read(n, fields, &m, e)) < 0 ||
                        (r = read_words(&m.priority, "priority", PRIORITY_COUNT, priority_word,
                                         &f->priorities, e)) < 0 ||
                        (r = read_words(&m.kind, "kind", KIND_COUNT, kind_word, &f->kinds, e)) < 0 ||
                        (r = read_rule(&m.rule, f->rule, e)) < 0 ||
                        (r = read_text(&m.subject, "subject", f->subject, sizeof f->subject, e)) < 0 ||
                        (r = read_text(&m.label, "label", f->label, sizeof f->label, e)) < 0)
                return r;
        return read_labels(&m.labels, f->labels, e);
}

static bool fits_everything(const AlertFilter *f) {
        return (f->rule[0] == '\0' || streq(f->rule, "*")) && f->subject[0] == '\0' && f->label[0] == '\0' &&
               (f->priorities == 0 || f->priorities == (1U << PRIORITY_COUNT) - 1) && f->kinds == 0 &&
               f->labels[0] == '\0';
}

/* --- steps --- */

static int read_receiver(const Routing *r, const YamlNode *n, unsigned *receivers, Error *e) {
        const char *names[ROUTING_RECEIVERS_MAX], *text = yaml_text(n);

        for (size_t i = 0; i < r->receiver_count; i++) {
                names[i] = r->receivers[i].name;
                if (text && streq(text, names[i])) {
                        *receivers |= 1U << i;
                        return 0;
                }
        }
        if (!text)
                return yaml_error(n, e, -EINVAL, "notify: expected a receiver's name");
        const char *near = nearest_word(text, names, r->receiver_count);
        return yaml_error(n, e, -EINVAL, "notify: there is no receiver '%.60s'%s%s%s", text,
                        near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
}

typedef struct StepFields {
        int64_t after;
        YamlNode notify;
} StepFields;

static int read_step(const Routing *r, Route *route, const YamlNode *n, Error *e) {
        static const YamlField fields[] = {
                { "after", YAML_DURATION, offsetof(StepFields, after), .max = 7 * DAY },
                { "notify", YAML_NODE, offsetof(StepFields, notify), .required = true },
                { NULL },
        };
        RouteStep *step = &route->steps[route->step_count];
        StepFields f = { 0 };

        int k = yaml_read(n, fields, &f, e);
        if (k < 0)
                return k;
        if (route->step_count == 0 && f.after != 0)
                return yaml_error(n, e, -EINVAL, "after: the first step is taken at once");
        if (route->step_count > 0 && f.after <= step[-1].after_us)
                return yaml_error(n, e, -EINVAL, "after: expected more than the step before has");
        if (!yaml_is_sequence(&f.notify) || yaml_length(&f.notify) == 0)
                return yaml_error(&f.notify, e, -EINVAL, "notify: expected a list of receivers");
        step->after_us = f.after;
        for (size_t i = 0; i < yaml_length(&f.notify); i++) {
                YamlNode item = yaml_item(&f.notify, i);
                if ((k = read_receiver(r, &item, &step->receivers, e)) < 0)
                        return k;
        }
        route->step_count++;
        return 0;
}

static int read_steps(const Routing *r, Route *route, const YamlNode *list, Error *e) {
        int k = yaml_expect_sequence(list, "steps", e);

        if (k == 0 && yaml_length(list) == 0)
                return yaml_error(list, e, -EINVAL, "steps: expected at least one");
        for (size_t i = 0; k == 0 && i < yaml_length(list); i++) {
                YamlNode item = yaml_item(list, i);
                if (route->step_count == ROUTE_STEPS_MAX)
                        return yaml_error(&item, e, -EINVAL, "steps: more than %d", ROUTE_STEPS_MAX);
                k = read_step(r, route, &item, e);
        }
        return k;
}

/* --- routes --- */

static int check_repeat(int64_t repeat_us, const YamlNode *n, Error *e) {
        if (repeat_us != 0 && repeat_us < repeat_min_us)
                return yaml_error(n, e, -EINVAL, "repeat: expected 10s or more, or 0s for never");
        return 0;
}

typedef struct RouteFields {
        YamlNode match, steps;
        int64_t repeat;
} RouteFields;

static int read_route(Routing *r, int64_t repeat_us, const YamlNode *n, Error *e) {
        static const YamlField fields[] = {
                { "match", YAML_NODE, offsetof(RouteFields, match) },
                { "repeat", YAML_DURATION, offsetof(RouteFields, repeat), .max = 7 * DAY },
                { "steps", YAML_NODE, offsetof(RouteFields, steps), .required = true },
                { NULL },
        };
        Route *route = &r->routes[r->route_count];
        RouteFields f = { .repeat = -1 };
        int k;

        *route = (Route){ 0 };
        if ((k = yaml_read(n, fields, &f, e)) < 0 || (k = read_match(&f.match, &route->filter, e)) < 0 ||
                        (k = read_steps(r, route, &f.steps, e)) < 0)
                return k;
        route->repeat_all = f.repeat >= 0;
        route->repeat_us = f.repeat >= 0 ? f.repeat : repeat_us;
        r->route_count++;
        return check_repeat(route->repeat_us, n, e);
}

static int read_routes(Routing *r, int64_t repeat_us, const YamlNode *list, Error *e) {
        int k = yaml_expect_sequence(list, "routes", e);

        for (size_t i = 0; k == 0 && i < yaml_length(list); i++) {
                YamlNode item = yaml_item(list, i);
                if (r->route_count == ROUTES_MAX)
                        return yaml_error(&item, e, -EINVAL, "more than %d routes", ROUTES_MAX);
                if (i > 0 && fits_everything(&r->routes[i - 1].filter))
                        return yaml_error(&item, e, -EINVAL,
                                        "the route before fits every alert: this one is never reached");
                k = read_route(r, repeat_us, &item, e);
        }
        if (k < 0)
                return k;
        if (r->route_count == 0) {
                r->routes[0] = (Route){ .repeat_us = repeat_us, .step_count = 1 };
                r->routes[0].steps[0].receivers = (1U << r->receiver_count) - 1;
                r->route_count = 1;
        } else if (!fits_everything(&r->routes[r->route_count - 1].filter)) {
                YamlNode last = yaml_item(list, r->route_count - 1);
                return yaml_error(&last, e, -EINVAL,
                                "the last route does not fit every alert, and nobody would be told of the "
                                "others: expected one without match at the end");
        }
        return 0;
}

/* --- alerts --- */

static int digits(const char *text) {
        return (text[0] - '0') * 10 + text[1] - '0';
}

/* "22:00" */
static int read_minute(const YamlNode *n, const char *what, int *ret, Error *e) {
        const char *text = yaml_text(n);

        if (!text || strlen(text) != 5 || strspn(text, "0123456789") != 2 || text[2] != ':' ||
                        strspn(text + 3, "0123456789") != 2 || digits(text) > 23 || digits(text + 3) > 59)
                return yaml_error(n, e, -EINVAL, "%s: '%.20s': expected a time of day such as 22:00", what,
                                text ? text : "");
        *ret = digits(text) * 60 + digits(text + 3);
        return 0;
}

typedef struct QuietFields {
        YamlNode from, to;
        int priority;
} QuietFields;

static int read_quiet(const YamlNode *n, QuietHours *ret, Error *e) {
        static const YamlField fields[] = {
                { "from", YAML_NODE, offsetof(QuietFields, from), .required = true },
                { "to", YAML_NODE, offsetof(QuietFields, to), .required = true },
                { "priority", YAML_CHOICE, offsetof(QuietFields, priority), .choices = priority_words },
                { NULL },
        };
        QuietFields f = { .priority = PRIORITY_LOW };
        int r;

        if (!yaml_present(n))
                return 0;
        if ((r = yaml_read(n, fields, &f, e)) < 0 ||
                        (r = read_minute(&f.from, "from", &ret->from_min, e)) < 0 ||
                        (r = read_minute(&f.to, "to", &ret->to_min, e)) < 0)
                return r;
        if (ret->from_min == ret->to_min)
                return yaml_error(n, e, -EINVAL, "quiet_hours: expected from and to to differ");
        if (f.priority == PRIORITY_HIGH)
                return yaml_error(n, e, -EINVAL,
                                "quiet_hours: what is of high priority is never held back: expected medium, "
                                "low "
                                "or technical");
        ret->priority = (Priority) f.priority;
        return 0;
}

typedef struct AlertsFields {
        int64_t repeat, group_interval, expire, silence_max;
        YamlNode quiet;
} AlertsFields;

int routing_read(Routing *r, const YamlNode *alerts, const YamlNode *routes, Error *e) {
        static const YamlField fields[] = {
                { "repeat", YAML_DURATION, offsetof(AlertsFields, repeat), .max = 7 * DAY },
                { "group_interval", YAML_DURATION, offsetof(AlertsFields, group_interval),
                                .max = 10 * MINUTE },
                { "expire", YAML_DURATION, offsetof(AlertsFields, expire), .min = MINUTE, .max = 30 * DAY },
                { "silence_max", YAML_DURATION, offsetof(AlertsFields, silence_max), .min = MINUTE,
                                .max = 7 * DAY },
                { "quiet_hours", YAML_NODE, offsetof(AlertsFields, quiet) },
                { NULL },
        };
        AlertsFields f = { .repeat = (int64_t) (15 * MINUTE),
                .group_interval = (int64_t) (30 * SECOND),
                .expire = (int64_t) DAY,
                .silence_max = (int64_t) DAY };
        QuietHours quiet = { 0 };
        int k = yaml_present(alerts) ? yaml_read(alerts, fields, &f, e) : 0;

        if (k < 0 || (k = check_repeat(f.repeat, alerts, e)) < 0 ||
                        (k = read_quiet(&f.quiet, &quiet, e)) < 0)
                return k;
        r->group_interval_us = f.group_interval;
        r->expire_us = f.expire;
        r->silence_max_us = f.silence_max;
        r->quiet = quiet;
        r->route_count = 0;
        return read_routes(r, f.repeat, routes, e);
}

typedef struct RateFields {
        int64_t notices, per;
} RateFields;

int routing_read_rate(RoutingReceiver *r, const YamlNode *rate, Error *e) {
        static const YamlField fields[] = {
                { "notices", YAML_INT, offsetof(RateFields, notices), .required = true, .min = 1,
                                .max = 1000 },
                { "per", YAML_DURATION, offsetof(RateFields, per), .required = true, .min = SECOND,
                                .max = DAY },
                { NULL },
        };
        RateFields f = { 0 };

        if (!yaml_present(rate))
                return 0;
        int k = yaml_read(rate, fields, &f, e);
        if (k < 0)
                return k;
        r->rate_notices = (unsigned) f.notices;
        r->rate_per_us = f.per;
        return 0;
}

const Route *routing_find(const Routing *r, const AlertEvent *e, const Subject *subject) {
        for (size_t i = 0; i < r->route_count; i++)
                if (alert_filter_fits(&r->routes[i].filter, e, subject))
                        return &r->routes[i];
        return NULL;
}
