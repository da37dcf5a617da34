#include "body.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "text.h"

enum { LABEL_MAX = 256 };

void signature_make(const char *key, int64_t time_s, const char *body, char ret[static SIGNATURE_SIZE]) {
        uint8_t mac[crypto_auth_hmacsha256_BYTES];
        char hex[2 * sizeof mac + 1], time[32];
        crypto_auth_hmacsha256_state state;

        int n = snprintf(time, sizeof time, "%lld.", (long long) time_s);
        (void) crypto_auth_hmacsha256_init(&state, (const uint8_t *) key, strlen(key));
        (void) crypto_auth_hmacsha256_update(&state, (const uint8_t *) time, (size_t) n);
        (void) crypto_auth_hmacsha256_update(&state, (const uint8_t *) body, strlen(body));
        (void) crypto_auth_hmacsha256_final(&state, mac);
        sodium_memzero(&state, sizeof state);
        (void) sodium_bin2hex(hex, sizeof hex, mac, sizeof mac);
        (void) snprintf(ret, SIGNATURE_SIZE, "t=%lld,v1=%s", (long long) time_s, hex);
}

bool header_is_valid(const char *name, const char *value) {
        static const char *const taken[] = { "Authorization", "Connection", "Content-Length", "Content-Type",
                "Expect", "Host", "Idempotency-Key", "Transfer-Encoding", "Upgrade", "User-Agent",
                "Wardstone-Signature" };

        if (!*name || !text_is_printable(value))
                return false;
        for (const char *p = name; *p; p++)
                if (!isalnum((unsigned char) *p) && !strchr("!#$%&'*+-.^_`|~", *p))
                        return false;
        for (size_t i = 0; i < ELEMENTS(taken); i++)
                if (strcasecmp(name, taken[i]) == 0)
                        return false;
        return true;
}

/* --- Alertmanager --- */

/* Prometheus has [a-zA-Z_][a-zA-Z0-9_]* for a label's name, and says exported_ where a name is taken. */
static void add_rules_label(json_t *labels, const char *name, const json_t *value) {
        char fit[LABEL_MAX];
        size_t n = 0;

        if (isdigit((unsigned char) *name))
                fit[n++] = '_';
        for (const char *p = name; *p && n < LABEL_MAX / 2; p++)
                fit[n++] = (char) (isalnum((unsigned char) *p) ? *p : '_');
        fit[n] = '\0';
        while (json_object_get(labels, fit) && n + strlen("exported_") < sizeof fit) {
                memmove(fit + strlen("exported_"), fit, n + 1);
                memcpy(fit, "exported_", strlen("exported_"));
                n += strlen("exported_");
        }
        /* an empty value is no label there */
        if (n > 0 && *json_string_value(value))
                (void) json_object_set(labels, fit, (json_t *) value);
}

static void add_text(json_t *object, const char *name, const char *value) {
        if (value && *value)
                (void) json_object_set_new(object, name, json_string(value));
}

/* The words that routes of others know; a rule that has a severity of its own keeps it. */
static const char *severity_of(const char *priority) {
        static const char *const severities[][2] = { { "high", "critical" }, { "medium", "warning" },
                { "low", "info" }, { "technical", "warning" } };

        for (size_t i = 0; i < ELEMENTS(severities); i++)
                if (streq(priority, severities[i][0]))
                        return severities[i][1];
        return NULL;
}

/* What is read of an alert in a notice. */
typedef struct Told {
        const char *id, *rule, *priority, *state, *subject, *label, *summary, *since, *time, *who, *note;
        const json_t *labels;
        int64_t since_us, time_us;
} Told;

static bool read_alert(const json_t *alert, Told *t) {
        *t = (Told){ .subject = "", .label = "", .summary = "" };
        return json_unpack((json_t *) alert, "{s:s,s:s,s:s,s:s,s?:s,s?:s,s?:s,s:s,s:s,s?:s,s?:s,s?:o}", "id",
                               &t->id, "rule", &t->rule, "priority", &t->priority, "state", &t->state,
                               "subject", &t->subject, "label", &t->label, "summary", &t->summary, "since",
                               &t->since, "time", &t->time, "who", &t->who, "note", &t->note, "labels",
                               &t->labels) == 0 &&
               clock_parse(t->since, &t->since_us) == 0 && clock_parse(t->time, &t->time_us) == 0;
}

static json_t *labels_of(const Told *t, const char *gateway, json_t *places) {
        const char *name;
        json_t *value;

        if (!json_object_get(places, t->id))
                (void) json_object_set_new(places, t->id, json_string(t->label));
        json_t *labels = json_pack("{s:s,s:s,s:s,s:s}", "alertname", t->rule, "alert_id", t->id, "gateway",
                        gateway, "priority", t->priority);
        add_text(labels, "subject", t->subject);
        add_text(labels, "label", json_string_value(json_object_get(places, t->id)));
        json_object_foreach((json_t *) t->labels, name, value) {
                if (json_is_string(value))
                        add_rules_label(labels, name, value);
        }
        if (!json_object_get(labels, "severity"))
                add_text(labels, "severity", severity_of(t->priority));
        return labels;
}

static json_t *annotations_of(const Told *t) {
        json_t *annotations = json_pack("{s:s,s:s}", "id", t->id, "state", t->state);

        add_text(annotations, "summary", t->summary);
        add_text(annotations, "place", t->label);
        add_text(annotations, "who", t->who);
        add_text(annotations, "note", t->note);
        return annotations;
}

static json_t *alertmanager_alert(
                const Told *t, const char *gateway, json_t *places, int64_t now_us, int64_t skew_us) {
        char starts[CLOCK_TEXT_SIZE], ends[CLOCK_TEXT_SIZE];
        bool over = streq(t->state, "resolved");
        /* it refuses an end before the start, and takes one to come for not over yet */
        int64_t starts_us = MIN(t->since_us + skew_us, now_us),
                ends_us = over ? MAX(MIN(t->time_us + skew_us, now_us), starts_us)
                               : now_us + ALERTMANAGER_HOLD_US;

        clock_format(starts_us, starts);
        clock_format(ends_us, ends);
        return json_pack("{s:o,s:o,s:s,s:s}", "labels", labels_of(t, gateway, places), "annotations",
                        annotations_of(t), "startsAt", starts, "endsAt", ends);
}

json_t *alertmanager_alerts(
                const json_t *alerts, const char *gateway, json_t *places, int64_t now_us, int64_t skew_us) {
        json_t *list = json_array(), *alert;
        size_t i;
        Told t;

        json_array_foreach((json_t *) alerts, i, alert) {
                if (read_alert(alert, &t) &&
                                json_array_append_new(list, alertmanager_alert(&t, gateway, places, now_us,
                                                                            skew_us)) == 0)
                        continue;
                json_decref(list);
                return NULL;
        }
        return list;
}
