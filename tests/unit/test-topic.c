/* Device patterns: which device a topic speaks of, and which patterns are refused at load. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "ingest/topic.h"

static void topics_give_devices(void **state) {
        static const struct {
                const char *pattern, *topic, *device;
        } cases[] = {
                { "ward/{device}/senml", "ward/bed-7/senml", "bed-7" },
                { "{device}", "bed-7", "bed-7" },
                { "{device}/+/data", "a/b/data", "a" },
                { "{device}/#", "a/b/c", "a" },
                { "{device}/#", "a", "a" }, /* MQTT 3.1.1, 4.7.1.2: # includes the parent level */
                { "x/{device}-hr", "x/bed-hr", "bed" },
                { "x/{device}-hr", "x/a-hr-hr", "a-hr" },
                { "x/bed-{device}", "x/bed-7", "7" },
                { "x/<{device}>", "x/<7>", "7" },
                { "/{device}", "/7", "7" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char device[NAME_MAX_LENGTH] = "";
                assert_true(topic_device(cases[i].pattern, cases[i].topic, device));
                assert_string_equal(device, cases[i].device);
        }
}

static void other_topics_give_none(void **state) {
        static const struct {
                const char *pattern, *topic;
        } cases[] = {
                { "ward/{device}/senml", "ward/bed-7" },
                { "ward/{device}/senml", "ward/bed-7/senml/x" },
                { "ward/{device}/senml", "ward/bed-7/cbor" },
                { "ward/{device}/senml", "ward//senml" },
                { "ward/{device}/senml", "Ward/7/senml" },
                { "x/{device}-hr", "x/-hr" },
                { "x/{device}-hr", "x/hr" },
                { "x/a{device}a", "x/a" },
                { "x/{device}", "x/.hidden" },
                { "x/{device}", "x/a b" },
                { "x/{device}", "x/\xc3\xa9" },
                { "x/{device}", "x" },
                { "x/{device}", "" },
                { "x/{device}", "x/a234567890123456789012345678901234567890123456789012345678901234" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char device[NAME_MAX_LENGTH] = "untouched";
                assert_false(topic_device(cases[i].pattern, cases[i].topic, device));
                assert_string_equal(device, "untouched");
        }
}

static void patterns_fit_their_filter(void **state) {
        static const struct {
                const char *filter, *pattern;
        } cases[] = {
                { "ward/+/senml", "ward/{device}/senml" },
                { "ward/+/senml", "ward/bed-{device}/senml" },
                { "ward/+/+", "ward/{device}/senml" },
                { "ward/bed7/senml", "ward/{device}/senml" },
                { "#", "a/b/{device}" },
                { "ward/#", "ward/{device}" },
                { "ward/#", "ward/{device}/#" },
                { "+/#", "{device}" },
                { "+", "{device}/#" },
                { "+/+", "+/{device}" },
        };
        Error e;

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(topic_pattern_check(cases[i].filter, cases[i].pattern, &e), 0);
}

static void bad_patterns_are_refused(void **state) {
        static const struct {
                const char *filter, *pattern, *message;
        } cases[] = {
                { "ward/+/senml", "ward/{device}/cbor", "can never match" },
                { "ward/+/senml", "ward/{device}", "can never match" },
                { "ward/+", "ward/{device}/senml", "can never match" },
                { "ward/bed7", "ward/{device}-hr", "can never match" },
                { "ward/a b", "ward/{device}", "can never match" },
                { "other/#", "ward/{device}", "can never match" },
                { "ward/+", "ward/+", "exactly once" },
                { "ward/+", "ward/{devise}", "exactly once" },
                { "+/+", "{device}/{device}", "exactly once" },
                { "ward/x+", "ward/{device}", "not an MQTT topic filter" },
                { "ward/#/x", "ward/{device}/x", "not an MQTT topic filter" },
                { "", "{device}", "not an MQTT topic filter" },
                { "ward/+/+", "ward/{device}/a+", "whole levels" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Error e = { "" };
                assert_int_equal(topic_pattern_check(cases[i].filter, cases[i].pattern, &e), -EINVAL);
                if (!strstr(e.message, cases[i].message))
                        fail_msg("case %zu: '%s', not '%s'", i, e.message, cases[i].message);
        }
}

static void filters_match_as_mqtt_says(void **state) {
        assert_true(topic_matches("ward/+/senml", "ward/a/senml"));
        assert_true(topic_matches("ward/#", "ward"));
        assert_false(topic_matches("ward/+", "ward/a/b"));
        assert_false(topic_matches("#", "$SYS/broker"));
        assert_false(topic_matches("#", "a/+")); /* a broker must not send such a topic */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(topics_give_devices),
                cmocka_unit_test(other_topics_give_none),
                cmocka_unit_test(patterns_fit_their_filter),
                cmocka_unit_test(bad_patterns_are_refused),
                cmocka_unit_test(filters_match_as_mqtt_says),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
