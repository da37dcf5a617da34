/* The alerts and routes sections: what can be said, what is refused with its place, which route an alert takes. */
#include "dispatch-bench.h"

static void everything_that_can_be_said(void **state) {
        Routing r;
        (void) state;

        use_routing(&r, "alerts:\n"
                        "  repeat: 20m\n"
                        "  group_interval: 45s\n"
                        "  expire: 12h\n"
                        "  silence_max: 8h\n"
                        "  quiet_hours: {from: \"22:30\", to: 06:05, priority: medium}\n"
                        "routes:\n"
                        "  - match: {priority: [high, medium], kind: patient, rule: SpO2*, subject: p1,\n"
                        "            label: Bed 7, labels: {floor: 3, team: resp}}\n"
                        "    repeat: 5m\n"
                        "    steps:\n"
                        "      - notify: [nurse, mqtt]\n"
                        "      - {after: 60s, notify: [charge]}\n"
                        "      - {after: 5m, notify: [doctor, nurse]}\n"
                        "  - match: {priority: technical, kind: [device, group]}\n"
                        "    steps: [{notify: [mqtt]}]\n"
                        "  - steps: [{notify: [nurse]}]\n");
        const Route *first = &r.routes[0];
        assert_int_equal(r.route_count, 3);
        assert_int_equal(r.group_interval_us, 45 * USEC_PER_SEC);
        assert_int_equal(r.expire_us, 43200 * USEC_PER_SEC);
        assert_int_equal(r.silence_max_us, 28800 * USEC_PER_SEC);
        assert_int_equal(r.quiet.from_min, 22 * 60 + 30);
        assert_int_equal(r.quiet.to_min, 6 * 60 + 5);
        assert_int_equal(r.quiet.priority, PRIORITY_MEDIUM);
        assert_int_equal(first->filter.priorities, 1 << PRIORITY_HIGH | 1 << PRIORITY_MEDIUM);
        assert_int_equal(first->filter.kinds, 1 << SUBJECT_PATIENT);
        assert_string_equal(first->filter.rule, "SpO2*");
        assert_string_equal(first->filter.subject, "p1");
        assert_string_equal(first->filter.label, "Bed 7");
        assert_string_equal(first->filter.labels, "floor=3,team=resp");
        assert_int_equal(first->repeat_us, 300 * USEC_PER_SEC);
        assert_true(first->repeat_all);
        assert_int_equal(first->step_count, 3);
        assert_int_equal(first->steps[0].receivers, 1 << NURSE | 1 << MQTT);
        assert_int_equal(first->steps[1].after_us, 60 * USEC_PER_SEC);
        assert_int_equal(first->steps[2].receivers, 1 << NURSE | 1 << DOCTOR);
        assert_int_equal(r.routes[1].filter.kinds, 1 << SUBJECT_DEVICE | 1 << SUBJECT_GROUP);
        assert_int_equal(r.routes[1].repeat_us, 1200 * USEC_PER_SEC);
        assert_false(r.routes[1].repeat_all);
}

static void nothing_said_is_everything_to_everybody(void **state) {
        const AlertEvent e = { .priority = PRIORITY_LOW, .subject = SUBJECT_NONE };
        Routing r;
        (void) state;

        use_routing(&r, "{}");
        assert_int_equal(r.route_count, 1);
        assert_int_equal(r.routes[0].steps[0].receivers, 0xf);
        assert_int_equal(r.routes[0].repeat_us, 900 * USEC_PER_SEC);
        assert_int_equal(r.group_interval_us, 30 * USEC_PER_SEC);
        assert_int_equal(r.expire_us, 86400 * USEC_PER_SEC);
        assert_int_equal(r.silence_max_us, 86400 * USEC_PER_SEC);
        assert_int_equal(r.quiet.from_min, r.quiet.to_min);
        assert_ptr_equal(routing_find(&r, &e, NULL), &r.routes[0]);
}

static void the_first_route_that_fits_is_taken(void **state) {
        const Subject p = { .name = "p1", .kind = SUBJECT_PATIENT },
                      a = { .name = "f", .kind = SUBJECT_ASSET };
        AlertEvent e = { .priority = PRIORITY_HIGH, .rule = "SpO2Low" };
        Routing r;
        (void) state;

        use_routing(&r, "routes:\n"
                        "- {match: {rule: SpO2*, kind: patient}, steps: [{notify: [nurse]}]}\n"
                        "- {match: {priority: high}, steps: [{notify: [doctor]}]}\n"
                        "- {match: {priority: [technical, low, medium, high]}, steps: [{notify: "
                        "[mqtt]}]}\n");
        assert_ptr_equal(routing_find(&r, &e, &p), &r.routes[0]);
        assert_ptr_equal(routing_find(&r, &e, &a), &r.routes[1]);
        e.priority = PRIORITY_LOW;
        assert_ptr_equal(routing_find(&r, &e, &a), &r.routes[2]);
}

static void mistakes_have_their_place(void **state) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "routes: [{steps: [{notify: [nurze]}]}]",
                                "c.yaml:1:29: notify: there is no receiver 'nurze': did you mean 'nurse'?" },
                { "routes: [{steps: [{notify: [xylophone]}]}]",
                                "c.yaml:1:29: notify: there is no receiver 'xylophone'" },
                { "routes: [{steps: [{notify: [[a]]}]}]",
                                "c.yaml:1:29: notify: expected a receiver's name" },
                { "routes: [{steps: [{notify: nurse}]}]",
                                "c.yaml:1:28: notify: expected a list of receivers" },
                { "routes: [{steps: [{notify: []}]}]", "c.yaml:1:28: notify: expected a list of receivers" },
                { "routes: [{steps: []}]", "c.yaml:1:18: steps: expected at least one" },
                { "routes: [{match: {}}]", "c.yaml:1:10: key 'steps' is missing" },
                { "routes: [{steps: [{after: 1s, notify: [nurse]}]}]",
                                "c.yaml:1:19: after: the first step is taken at once" },
                { "routes:\n- steps:\n  - notify: [nurse]\n  - {after: 60s, notify: [nurse]}\n"
                  "  - {after: 60s, notify: [doctor]}\n",
                                "c.yaml:5:5: after: expected more than the step before has" },
                { "routes:\n- steps: [{notify: [nurse]}]\n- steps: [{notify: [nurse]}]\n",
                                "c.yaml:3:3: the route before fits every alert: this one is never reached" },
                { "routes:\n- {match: {rule: '*'}, steps: [{notify: [nurse]}]}\n- steps: [{notify: "
                  "[nurse]}]\n",
                                "c.yaml:3:3: the route before fits every alert: this one is never reached" },
                { "routes:\n- {match: {kind: patient}, steps: [{notify: [nurse]}]}\n",
                                "c.yaml:2:3: the last route does not fit every alert, and nobody would be "
                                "told of "
                                "the others: expected one without match at the end" },
                { "routes: [{match: {priority: urgent}, steps: [{notify: [nurse]}]}]",
                                "c.yaml:1:29: priority: 'urgent' is none" },
                { "routes: [{match: {priority: []}, steps: [{notify: [nurse]}]}]",
                                "c.yaml:1:29: priority: expected at least one" },
                { "routes: [{match: {kind: [patient, bed]}, steps: [{notify: [nurse]}]}]",
                                "c.yaml:1:35: kind: 'bed' is none" },
                { "routes: [{match: {rule: a*b}, steps: [{notify: [nurse]}]}]",
                                "c.yaml:1:25: rule: 'a*b': expected a name, or its beginning and '*'" },
                { "routes: [{match: {labels: {a: 'b,c'}}, steps: [{notify: [nurse]}]}]",
                                "c.yaml:1:28: labels: expected names and values without ','" },
                { "routes: [{match: {labels: [a]}, steps: [{notify: [nurse]}]}]",
                                "c.yaml:1:27: labels: expected a mapping (name: value)" },
                { "routes: [{match: {subjekt: 1}, steps: [{notify: [nurse]}]}]",
                                "c.yaml:1:19: unknown key 'subjekt': did you mean 'subject'?" },
                { "routes: [{repeat: 1s, steps: [{notify: [nurse]}]}]",
                                "c.yaml:1:10: repeat: expected 10s or more, or 0s for never" },
                { "alerts: {repeat: 9s}", "c.yaml:1:9: repeat: expected 10s or more, or 0s for never" },
                { "alerts: {quiet_hours: {from: 24:00, to: 06:00}}",
                                "c.yaml:1:30: from: '24:00': expected a time of day such as 22:00" },
                { "alerts: {quiet_hours: {from: 22:00, to: 6:00}}",
                                "c.yaml:1:41: to: '6:00': expected a time of day such as 22:00" },
                { "alerts: {quiet_hours: {from: 06:00, to: 06:00}}",
                                "c.yaml:1:23: quiet_hours: expected from and to to differ" },
                { "alerts: {quiet_hours: {from: 06:00, to: 07:00, priority: high}}",
                                "c.yaml:1:23: quiet_hours: what is of high priority is never held back: "
                                "expected "
                                "medium, low or technical" },
        };
        (void) state;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Routing r;
                Error e = { "nothing" };
                int k = try_routing(&r, cases[i].text, &e);
                assert_string_equal(e.message, cases[i].message);
                assert_int_equal(k, -EINVAL);
        }
}

static void there_are_limits(void **state) {
        char text[8192] = "routes:\n";
        Routing r;
        Error e;
        (void) state;

        for (int i = 0; i < ROUTES_MAX; i++)
                strcat(text, "- {match: {rule: x}, steps: [{notify: [nurse]}]}\n");
        strcat(text, "- steps: [{notify: [nurse]}]\n");
        assert_int_equal(try_routing(&r, text, &e), -EINVAL);
        assert_string_equal(e.message, "c.yaml:66:3: more than 64 routes");
        strcpy(text, "routes:\n- steps:\n  - notify: [nurse]\n");
        for (int i = 1; i <= ROUTE_STEPS_MAX; i++)
                (void) sprintf(text + strlen(text), "  - {after: %ds, notify: [nurse]}\n", i);
        assert_int_equal(try_routing(&r, text, &e), -EINVAL);
        assert_string_equal(e.message, "c.yaml:11:5: steps: more than 8");
}

static int read_rate(RoutingReceiver *r, const char *text, Error *e) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;

        assert_int_equal(yaml_load("c.yaml", BYTES_STRING(text), &d, e), 0);
        YamlNode root = yaml_root(d);
        return routing_read_rate(r, &root, e);
}

static void a_receiver_can_have_a_rate(void **state) {
        RoutingReceiver r = { .name = "nurse" };
        const YamlNode absent = { 0 };
        Error e;
        (void) state;

        assert_int_equal(routing_read_rate(&r, &absent, &e), 0);
        assert_int_equal(r.rate_notices, 0);
        assert_int_equal(read_rate(&r, "{notices: 10}", &e), -EINVAL);
        assert_int_equal(read_rate(&r, "{notices: 0, per: 1m}", &e), -EINVAL);
        assert_int_equal(read_rate(&r, "{notices: 10, per: 1ms}", &e), -EINVAL);
        assert_int_equal(r.rate_notices, 0);
        assert_int_equal(read_rate(&r, "{notices: 10, per: 1m}", &e), 0);
        assert_int_equal(r.rate_notices, 10);
        assert_int_equal(r.rate_per_us, 60 * USEC_PER_SEC);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(everything_that_can_be_said),
                cmocka_unit_test(nothing_said_is_everything_to_everybody),
                cmocka_unit_test(the_first_route_that_fits_is_taken),
                cmocka_unit_test(mistakes_have_their_place),
                cmocka_unit_test(there_are_limits),
                cmocka_unit_test(a_receiver_can_have_a_rate),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
