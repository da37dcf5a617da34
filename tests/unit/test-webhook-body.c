/* What notify-webhook sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/clock.h"
#include "body.h"

/* 2026-11-20T08:20:00Z */
#define NOW_US (INT64_C(1795162800) * USEC_PER_SEC)

static json_t *parse(const char *text) {
        json_t *o = json_loads(text, 0, NULL);

        assert_non_null(o);
        return o;
}

static const char *text_at(const json_t *list, const char *part, const char *name) {
        const json_t *alert = json_array_get(list, 0), *object = part ? json_object_get(alert, part) : alert;

        return json_string_value(json_object_get(object, name));
}

/* One alert of a notice, with more members and other values. */
static json_t *alert_with(const char *more) {
        json_t *alert = parse("{\"id\": \"a1\", \"rule\": \"SpO2Low\", \"priority\": \"high\", \"state\": "
                              "\"active\","
                              " \"transition\": \"raised\", \"subject\": \"p-4711\", \"label\": \"Bed 7\","
                              " \"summary\": \"SpO2 85 %\", \"since\": \"2026-11-20T08:15:30.123Z\","
                              " \"time\": \"2026-11-20T08:15:40.123Z\", \"labels\": {}}");
        json_t *others = parse(more);

        assert_int_equal(json_object_update(alert, others), 0);
        json_decref(others);
        return json_pack("[o]", alert);
}

static json_t *told(const char *more, json_t *places, int64_t skew_us) {
        json_t *alerts = alert_with(more), *none = places ? NULL : json_object();

        json_t *list = alertmanager_alerts(alerts, "ward7.example", places ? places : none, NOW_US, skew_us);
        json_decref(alerts);
        json_decref(none);
        return list;
}

/* As `printf '%s' 0.TEXT | openssl dgst -sha256 -hmac KEY` has it. */
static void the_signature_is_hmac_sha256_of_time_and_body(void **state) {
        char signature[SIGNATURE_SIZE];

        signature_make("Jefe", 0, "what do ya want for nothing?", signature);
        assert_string_equal(signature,
                        "t=0,v1=37f471929915ccd2cbbe79feb84ffcff4f2bb25e15fc41c2506687331ae179cc");
        signature_make("a key of 32 characters or so ...", 1795162800, "{\"key\":\"a1:raised\"}", signature);
        assert_string_equal(signature,
                        "t=1795162800,v1=b4643d778e7f69685d57e8e5bb7e9a85a22feb1bc20913fc126383841b4590c6");
}

static void headers_that_break_the_request_are_refused(void **state) {
        assert_true(header_is_valid("X-Ward", "7"));
        assert_true(header_is_valid("x!#$%&'*+-.^_`|~9", "a b"));
        assert_false(header_is_valid("", "7"));
        assert_false(header_is_valid("X-Ward", ""));
        assert_false(header_is_valid("X Ward", "7"));
        assert_false(header_is_valid("X-Ward:", "7"));
        assert_false(header_is_valid("X-Ward", "7\r\nX-Other: 8"));
        assert_false(header_is_valid("X-W\303\244rd", "7"));
        assert_false(header_is_valid("X-Ward", "B\303\266"));
        assert_false(header_is_valid("content-length", "7"));
        assert_false(header_is_valid("AUTHORIZATION", "Bearer x"));
}

static void an_active_alert_ends_by_itself_where_nothing_more_is_heard(void **state) {
        json_t *list = told("{}", NULL, 0);

        assert_int_equal(json_array_size(list), 1);
        assert_string_equal(text_at(list, NULL, "startsAt"), "2026-11-20T08:15:30.123Z");
        assert_string_equal(text_at(list, NULL, "endsAt"), "2026-11-20T08:25:00.000Z");
        assert_string_equal(text_at(list, "labels", "alertname"), "SpO2Low");
        assert_string_equal(text_at(list, "labels", "alert_id"), "a1");
        assert_string_equal(text_at(list, "labels", "gateway"), "ward7.example");
        assert_string_equal(text_at(list, "labels", "subject"), "p-4711");
        assert_string_equal(text_at(list, "labels", "label"), "Bed 7");
        assert_string_equal(text_at(list, "labels", "priority"), "high");
        assert_string_equal(text_at(list, "labels", "severity"), "critical");
        assert_string_equal(text_at(list, "annotations", "summary"), "SpO2 85 %");
        assert_string_equal(text_at(list, "annotations", "id"), "a1");
        assert_null(text_at(list, "annotations", "note"));
        json_decref(list);
}

static void a_resolved_alert_has_ended_when_it_was_resolved(void **state) {
        json_t *list = told("{\"state\": \"resolved\", \"time\": \"2026-11-20T08:19:00.000Z\"}", NULL, 0);
        assert_string_equal(text_at(list, NULL, "startsAt"), "2026-11-20T08:15:30.123Z");
        assert_string_equal(text_at(list, NULL, "endsAt"), "2026-11-20T08:19:00.000Z");
        json_decref(list);

        /* the clock was set back between the two: an end before the start would be refused */
        list = told("{\"state\": \"resolved\", \"time\": \"2026-11-20T07:00:00.000Z\"}", NULL, 0);
        assert_string_equal(text_at(list, NULL, "endsAt"), "2026-11-20T08:15:30.123Z");
        json_decref(list);

        /* it was set back after them: what ends in the future would not be over yet */
        list = told("{\"state\": \"resolved\", \"since\": \"2026-11-20T09:00:00Z\", \"time\": "
                    "\"2026-11-20T09:01:00Z\"}",
                        NULL, 0);
        assert_string_equal(text_at(list, NULL, "startsAt"), "2026-11-20T08:20:00.000Z");
        assert_string_equal(text_at(list, NULL, "endsAt"), "2026-11-20T08:20:00.000Z");
        json_decref(list);
}

static void times_are_told_in_the_other_clock(void **state) {
        json_t *list = told("{}", NULL, -60 * USEC_PER_SEC);

        assert_string_equal(text_at(list, NULL, "startsAt"), "2026-11-20T08:14:30.123Z");
        assert_string_equal(text_at(list, NULL, "endsAt"),
                        "2026-11-20T08:25:00.000Z"); /* NOW_US is the other's */
        json_decref(list);
}

static void labels_stay_the_same_from_raise_to_resolve(void **state) {
        json_t *places = json_object();
        json_t *raised = told("{}", places, 0);
        json_t *resolved =
                        told("{\"state\": \"resolved\", \"transition\": \"resolved\", \"label\": \"Bed 9\","
                             " \"summary\": \"SpO2 96 %\", \"value\": 96, \"who\": \"uid:1000\", \"note\": "
                             "\"on my way\"}",
                                        places, 0);

        assert_true(json_equal(json_object_get(json_array_get(raised, 0), "labels"),
                        json_object_get(json_array_get(resolved, 0), "labels")));
        assert_string_equal(text_at(resolved, "annotations", "place"), "Bed 9");
        assert_string_equal(text_at(resolved, "annotations", "who"), "uid:1000");
        assert_string_equal(text_at(resolved, "annotations", "note"), "on my way");
        assert_string_equal(json_string_value(json_object_get(places, "a1")), "Bed 7");
        json_decref(raised);
        json_decref(resolved);
        json_decref(places);
}

static void a_rules_labels_become_valid_names(void **state) {
        json_t *list = told(
                        "{\"labels\": {\"floor\": \"3\", \"on-call.team\": \"r\", \"24h\": \"y\", "
                        "\"subject\": \"mine\","
                        " \"exported_subject\": \"too\", \"empty\": \"\", \"\": \"nameless\", \"n\": 7}}",
                        NULL, 0);

        assert_string_equal(text_at(list, "labels", "floor"), "3");
        assert_string_equal(text_at(list, "labels", "on_call_team"), "r");
        assert_string_equal(text_at(list, "labels", "_24h"), "y");
        assert_string_equal(text_at(list, "labels", "subject"), "p-4711");
        assert_string_equal(text_at(list, "labels", "exported_subject"), "mine");
        assert_string_equal(text_at(list, "labels", "exported_exported_subject"), "too");
        assert_null(text_at(list, "labels", "empty"));
        assert_null(text_at(list, "labels", ""));
        assert_null(text_at(list, "labels", "n"));
        json_decref(list);
}

static void severity_is_in_the_words_of_others_unless_the_rule_has_its_own(void **state) {
        static const char *const cases[][2] = {
                { "{\"priority\": \"medium\"}", "warning" },
                { "{\"priority\": \"low\"}", "info" },
                { "{\"priority\": \"technical\"}", "warning" },
                { "{\"labels\": {\"severity\": \"page\"}}", "page" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                json_t *list = told(cases[i][0], NULL, 0);
                assert_string_equal(text_at(list, "labels", "severity"), cases[i][1]);
                json_decref(list);
        }
}

static void a_technical_alert_belongs_to_nobody(void **state) {
        json_t *list = told("{\"subject\": \"\", \"label\": \"\", \"summary\": \"\"}", NULL, 0);

        assert_null(text_at(list, "labels", "subject"));
        assert_null(text_at(list, "labels", "label"));
        assert_null(text_at(list, "annotations", "summary"));
        json_decref(list);
}

static void what_is_no_alert_is_refused(void **state) {
        static const char *const cases[] = { "{\"id\": 7}", "{\"rule\": null}", "{\"since\": \"yesterday\"}",
                "{\"time\": \"\"}", "{\"state\": {}}" };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_null(told(cases[i], NULL, 0));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_signature_is_hmac_sha256_of_time_and_body),
                cmocka_unit_test(headers_that_break_the_request_are_refused),
                cmocka_unit_test(an_active_alert_ends_by_itself_where_nothing_more_is_heard),
                cmocka_unit_test(a_resolved_alert_has_ended_when_it_was_resolved),
                cmocka_unit_test(times_are_told_in_the_other_clock),
                cmocka_unit_test(labels_stay_the_same_from_raise_to_resolve),
                cmocka_unit_test(a_rules_labels_become_valid_names),
                cmocka_unit_test(severity_is_in_the_words_of_others_unless_the_rule_has_its_own),
                cmocka_unit_test(a_technical_alert_belongs_to_nobody),
                cmocka_unit_test(what_is_no_alert_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
