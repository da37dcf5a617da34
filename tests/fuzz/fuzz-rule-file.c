/* Any file: refused with its name in front of what is wrong, or rules that take a reading and the passing of time. */
#include "../fuzz/fuzz.h"
#include "rules/rules.h"

static void summarise(void *userdata, const RuleOutcome *o) {
        char text[ALERT_SUMMARY_MAX];

        (void) userdata;
        if (o->summarise)
                o->summarise(o, text);
}

static void assign(Registry *r, const char *device, const char *name, SubjectId *ret) {
        DeviceId d;

        if (registry_add_unregistered(r, device, &d) < 0 ||
                        registry_assign(r, d, name, SUBJECT_PATIENT, "Bed", 0, ret) < 0)
                abort();
}

static void read_all(RuleEngine *e, const Catalogue *c, SubjectId subject, int64_t now_us) {
        for (size_t v = 0; v < catalogue_count(c); v++) {
                const Reading r = { .subject = subject,
                        .vital = (VitalId) v,
                        .value = (double) ((int64_t) v + now_us % 50),
                        .device_time_us = TIME_NONE };
                if (rule_engine_reading(e, &r, now_us + (int64_t) v) < 0)
                        abort();
        }
}

/* Two patients, one of whom moves to another ward; from a restart to when nothing is waited for any more. */
static void run(const RuleSet *s, const Catalogue *c) {
        _cleanup_(registry_freep) Registry *registry = NULL;
        _cleanup_(rule_engine_freep) RuleEngine *e = NULL;
        SubjectId subjects[2];

        if (registry_new(&registry) < 0)
                abort();
        assign(registry, "d", "p", &subjects[0]);
        assign(registry, "e", "q", &subjects[1]);
        if (rule_engine_new(s, registry, summarise, NULL, &e) < 0 ||
                        rule_engine_prime(e, subjects[0], 0, 50, -70 * USEC_PER_SEC) < 0)
                abort();
        for (int64_t now = -60 * USEC_PER_SEC; now < 60 * USEC_PER_SEC; now += 15 * USEC_PER_SEC) {
                read_all(e, c, subjects[0], now);
                read_all(e, c, subjects[1], now + 1000);
        }
        if (registry_set_attribute(registry, subjects[0], "ward", "7") < 0)
                abort();
        rule_engine_refresh(e, subjects[0], 61 * USEC_PER_SEC, 0);
        rule_engine_forget(e, subjects[1]);
        for (int64_t due; (due = rule_engine_deadline(e)) != INT64_MAX;) {
                rule_engine_tick(e, due, 0);
                if (rule_engine_deadline(e) <= due)
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(catalogue_freep) Catalogue *c = NULL;
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;
        _cleanup_(rule_set_freep) RuleSet *s = NULL;
        Error e = { "" };

        if (yaml_load("r.yaml", BYTES(data, size), &d, &e) < 0)
                return 0;
        if (catalogue_new(&c) < 0 || rule_set_new(c, &s) < 0)
                abort();
        YamlNode root = yaml_root(d);
        if (rule_set_read(s, &root, &e) < 0) {
                if (!startswith(e.message, "r.yaml:"))
                        abort();
                return 0;
        }
        run(s, c);
        return 0;
}
