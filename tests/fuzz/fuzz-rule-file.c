/* Any file: refused with its name in front of what is wrong, or rules that take a reading and the passing of time. */
#include "../fuzz/fuzz.h"
#include "rules/rules.h"

static void ignore(void *userdata, const RuleOutcome *o) {
        (void) userdata;
        (void) o;
}

static void run(const RuleSet *s, const Catalogue *c) {
        _cleanup_(registry_freep) Registry *registry = NULL;
        _cleanup_(rule_engine_freep) RuleEngine *e = NULL;
        DeviceId device;
        SubjectId subject;

        if (registry_new(&registry) < 0 || registry_add_unregistered(registry, "d", &device) < 0 ||
                        registry_assign(registry, device, "p", SUBJECT_PATIENT, "Bed", 0, &subject) < 0 ||
                        rule_engine_new(s, registry, ignore, NULL, &e) < 0)
                abort();
        for (size_t v = 0; v < catalogue_count(c); v++) {
                const Reading r = { .subject = subject,
                        .vital = (VitalId) v,
                        .value = (double) v,
                        .device_time_us = TIME_NONE };
                if (rule_engine_reading(e, &r, (int64_t) v) < 0)
                        abort();
        }
        while (rule_engine_deadline(e) != INT64_MAX)
                rule_engine_tick(e, rule_engine_deadline(e), 0);
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
