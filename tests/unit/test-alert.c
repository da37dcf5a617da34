/* The life of alerts: what raises one, what resolves it, what neither does; identity, restarts, bounds. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "alert/alert.h"
#include "alert/table.h"
#include "base/sha256.h"

#define WALL INT64_C(1700000000000000)

enum { EVENTS_MAX = 64 };

typedef struct Bench {
        Registry *registry;
        AlertManager *manager;
        SubjectId p1, p2;
        AlertEvent events[EVENTS_MAX];
        size_t count; /* also beyond EVENTS_MAX */
} Bench;

static const AlertRule low = { .name = "Low",
        .priority = PRIORITY_HIGH,
        .summary = "SpO2 {{ value }} in {{ subject.label }}",
        .hash = { 1 } };
static const AlertRule slow = { .name = "Slow",
        .priority = PRIORITY_MEDIUM,
        .summary = "{{rule}} {{ value }}",
        .for_us = 10 * USEC_PER_SEC,
        .keep_firing_us = 30 * USEC_PER_SEC,
        .hash = { 2 } };

static void record(void *userdata, const AlertEvent *e) {
        Bench *b = userdata;

        if (b->count < EVENTS_MAX)
                b->events[b->count] = *e;
        b->count++;
}

static SubjectId assign(Bench *b, const char *device, const char *subject, const char *label) {
        DeviceId d;
        SubjectId s;

        assert_int_equal(registry_add_unregistered(b->registry, device, &d), 0);
        assert_int_equal(registry_assign(b->registry, d, subject, SUBJECT_PATIENT, label, 0, &s), 0);
        return s;
}

static int setup(void **state) {
        Bench *b = calloc(1, sizeof *b);

        assert_non_null(b);
        assert_int_equal(registry_new(&b->registry), 0);
        b->p1 = assign(b, "d1", "p1", "Bed 1");
        b->p2 = assign(b, "d2", "p2", "");
        assert_int_equal(alert_manager_new(b->registry, record, b, &b->manager), 0);
        *state = b;
        return 0;
}

static int teardown(void **state) {
        Bench *b = *state;

        alert_manager_free(b->manager);
        registry_free(b->registry);
        free(b);
        return 0;
}

static Stamp stamp(double at) {
        int64_t us = (int64_t) (at * (double) USEC_PER_SEC);
        return (Stamp){ .wall_us = WALL + us, .mono_us = us };
}

static int outcome(Bench *b, const AlertRule *rule, SubjectId subject, Truth t, double value, double at) {
        Stamp now = stamp(at);
        const RuleOutcome o = {
                .subject = subject,
                .truth = t,
                .value = value,
                .time_us = now.wall_us,
                .mono_us = now.mono_us,
        };

        return alert_manager_outcome(b->manager, &o, rule, &now);
}

static void is(Bench *b, const AlertRule *rule, SubjectId subject, Truth t, double value, double at) {
        assert_int_equal(outcome(b, rule, subject, t, value, at), 0);
}

static void tick(Bench *b, double at) {
        Stamp now = stamp(at);

        alert_manager_tick(b->manager, &now);
}

/* The newest event, the only one since the last look. */
static const AlertEvent *event(Bench *b, const char *rule, AlertState state, double at) {
        const AlertEvent *e = &b->events[0];

        assert_int_equal(b->count, 1);
        b->count = 0;
        assert_string_equal(e->rule, rule);
        assert_int_equal(e->state, state);
        assert_int_equal(e->time_us, stamp(at).wall_us);
        return e;
}

static void nothing(Bench *b) {
        assert_int_equal(b->count, 0);
}

static void count_visit(void *userdata, const AlertEvent *e) {
        assert_int_equal(e->state, ALERT_ACTIVE);
        (*(size_t *) userdata)++;
}

static size_t active(const Bench *b) {
        size_t n = 0;

        alert_manager_visit(b->manager, count_visit, &n);
        return n;
}

static void without_durations_truth_raises_and_falsehood_resolves(void **state) {
        Bench *b = *state;

        is(b, &low, b->p1, TRUTH_FALSE, 97, 1);
        nothing(b);
        is(b, &low, b->p1, TRUTH_TRUE, 85.25, 2);
        const AlertEvent *e = event(b, "Low", ALERT_ACTIVE, 2);
        assert_int_equal(e->priority, PRIORITY_HIGH);
        assert_int_equal(e->subject, b->p1);
        assert_true(e->value == 85.25);
        assert_int_equal(e->since_us, stamp(2).wall_us);
        assert_string_equal(e->summary, "SpO2 85.25 in Bed 1");
        assert_memory_equal(e->rule_hash, low.hash, sizeof low.hash);
        is(b, &low, b->p1, TRUTH_TRUE, 80, 3);
        nothing(b);
        is(b, &low, b->p1, TRUTH_FALSE, 97, 4);
        e = event(b, "Low", ALERT_RESOLVED, 4);
        assert_true(e->value == 97);
        assert_int_equal(e->since_us, stamp(2).wall_us);
        assert_int_equal(active(b), 0);
}

static void the_condition_has_to_last(void **state) {
        Bench *b = *state;

        is(b, &slow, b->p1, TRUTH_TRUE, 5, 1);
        assert_int_equal(alert_manager_deadline(b->manager), stamp(11).mono_us);
        assert_int_equal(active(b), 0);
        is(b, &slow, b->p1, TRUTH_TRUE, 4, 6);
        tick(b, 10.9);
        nothing(b);
        tick(b, 11);
        const AlertEvent *e = event(b, "Slow", ALERT_ACTIVE, 11);
        assert_int_equal(e->since_us, stamp(1).wall_us);
        assert_string_equal(e->summary, "Slow 4");
        assert_int_equal(alert_manager_deadline(b->manager), INT64_MAX);
        assert_int_equal(active(b), 1);
}

static void falsehood_and_unknown_end_a_pending_alert(void **state) {
        static const Truth ends[] = { TRUTH_FALSE, TRUTH_UNKNOWN };
        Bench *b = *state;

        for (size_t i = 0; i < ELEMENTS(ends); i++) {
                double at = 100 * (double) i;

                is(b, &slow, b->p1, TRUTH_TRUE, 5, at + 1);
                is(b, &slow, b->p1, ends[i], 5, at + 10);
                assert_int_equal(alert_manager_deadline(b->manager), INT64_MAX);
                is(b, &slow, b->p1, TRUTH_TRUE, 5, at + 11);
                tick(b, at + 20);
                is(b, &slow, b->p1, TRUTH_FALSE, 5, at + 20.5);
                nothing(b);
        }
}

static void it_keeps_firing_until_falsehood_has_lasted(void **state) {
        Bench *b = *state;

        is(b, &slow, b->p1, TRUTH_TRUE, 5, 0);
        tick(b, 10);
        (void) event(b, "Slow", ALERT_ACTIVE, 10);
        is(b, &slow, b->p1, TRUTH_FALSE, 6, 20);
        is(b, &slow, b->p1, TRUTH_FALSE, 7, 40);
        is(b, &slow, b->p1, TRUTH_TRUE, 5, 49); /* begins anew */
        is(b, &slow, b->p1, TRUTH_FALSE, 8, 60);
        tick(b, 89);
        nothing(b);
        tick(b, 90);
        assert_true(event(b, "Slow", ALERT_RESOLVED, 90)->value == 8);
}

static void unknown_never_resolves(void **state) {
        Bench *b = *state;

        is(b, &slow, b->p1, TRUTH_TRUE, 5, 0);
        tick(b, 10);
        (void) event(b, "Slow", ALERT_ACTIVE, 10);
        is(b, &slow, b->p1, TRUTH_FALSE, 6, 20);
        is(b, &slow, b->p1, TRUTH_UNKNOWN, (double) NAN, 30);
        tick(b, 10000);
        nothing(b);
        is(b, &slow, b->p1, TRUTH_FALSE, 6, 10001);
        tick(b, 10031);
        (void) event(b, "Slow", ALERT_RESOLVED, 10031);
}

static void events_do_not_depend_on_how_late_a_timer_is(void **state) {
        Bench *b = *state;
        Stamp late = stamp(500);
        const RuleOutcome stale = {
                .subject = b->p1,
                .truth = TRUTH_UNKNOWN,
                .value = (double) NAN,
                .time_us = stamp(9).wall_us,
                .mono_us = stamp(9).mono_us,
        };

        /* stale at 9 s, told at 500 s: not raised in between */
        is(b, &slow, b->p1, TRUTH_TRUE, 5, 0);
        assert_int_equal(alert_manager_outcome(b->manager, &stale, &slow, &late), 0);
        nothing(b);
        /* raised at 610 s, although nobody looked before 700 s */
        is(b, &slow, b->p1, TRUTH_TRUE, 5, 600);
        is(b, &slow, b->p1, TRUTH_FALSE, 6, 700);
        (void) event(b, "Slow", ALERT_ACTIVE, 610);
        tick(b, 800);
        (void) event(b, "Slow", ALERT_RESOLVED, 730);
}

static void an_id_is_of_rule_subject_and_since(void **state) {
        Bench *b = *state;
        char text[] = "Low\0p1\0########", id[ALERT_ID_MAX] = "";
        Hash h;

        be64_write((uint8_t *) text + 7, (uint64_t) stamp(1).wall_us);
        sha256(BYTES(text, 15), &h);
        for (size_t i = 0; i < 16; i++)
                (void) snprintf(id + 2 * i, 3, "%02x", h.bytes[i]);
        is(b, &low, b->p1, TRUTH_TRUE, 80, 1);
        assert_string_equal(event(b, "Low", ALERT_ACTIVE, 1)->id, id);
        is(b, &low, b->p1, TRUTH_FALSE, 99, 2);
        assert_string_equal(event(b, "Low", ALERT_RESOLVED, 2)->id, id);
        is(b, &low, b->p2, TRUTH_TRUE, 80, 1);
        const AlertEvent *e = event(b, "Low", ALERT_ACTIVE, 1);
        assert_string_not_equal(e->id, id);
        assert_string_equal(e->summary, "SpO2 80 in p2");
}

/* A device whose clock has whole seconds: three readings in one. */
static void alerts_of_the_same_time_have_their_own_ids(void **state) {
        Bench *b = *state;
        char id[ALERT_ID_MAX];

        is(b, &low, b->p1, TRUTH_TRUE, 80, 1);
        memcpy(id, event(b, "Low", ALERT_ACTIVE, 1)->id, sizeof id);
        is(b, &low, b->p1, TRUTH_FALSE, 99, 1);
        (void) event(b, "Low", ALERT_RESOLVED, 1);
        is(b, &low, b->p1, TRUTH_TRUE, 80, 1);
        const AlertEvent *e = event(b, "Low", ALERT_ACTIVE, 1);
        assert_string_not_equal(e->id, id);
        assert_int_equal(e->since_us, stamp(1).wall_us + 1);
}

static void names_of_the_same_hash_do_not_mix(void **state) {
        Bench *b = *state;
        AlertRule one = low, other = low;

        one.name = "R112382";
        other.name = "R349599";
        assert_int_equal(alert_hash(one.name, b->p1), alert_hash(other.name, b->p1));
        is(b, &one, b->p1, TRUTH_TRUE, 80, 1);
        (void) event(b, "R112382", ALERT_ACTIVE, 1);
        is(b, &other, b->p1, TRUTH_FALSE, 80, 2);
        nothing(b);
        is(b, &other, b->p1, TRUTH_TRUE, 80, 3);
        (void) event(b, "R349599", ALERT_ACTIVE, 3);
        is(b, &one, b->p1, TRUTH_FALSE, 80, 4);
        (void) event(b, "R112382", ALERT_RESOLVED, 4);
        is(b, &other, b->p1, TRUTH_FALSE, 80, 5);
        (void) event(b, "R349599", ALERT_RESOLVED, 5);
}

static void technical_alerts_go_by_name(void **state) {
        Bench *b = *state;
        char name[ALERT_NAME_MAX + 1];
        Stamp now = stamp(1), later = stamp(9);

        assert_int_equal(alert_manager_raise(b->manager, "StoreFailed", "disk {{ value }}", &now), 0);
        const AlertEvent *e = event(b, "StoreFailed", ALERT_ACTIVE, 1);
        assert_int_equal(e->priority, PRIORITY_TECHNICAL);
        assert_int_equal(e->subject, SUBJECT_NONE);
        assert_string_equal(e->summary, "disk {{ value }}");
        assert_true(isnan(e->value));
        assert_int_equal(alert_manager_raise(b->manager, "StoreFailed", "again", &later), 0);
        alert_manager_clear(b->manager, "ClockStepped", &later);
        nothing(b);
        alert_manager_clear(b->manager, "StoreFailed", &later);
        (void) event(b, "StoreFailed", ALERT_RESOLVED, 9);
        alert_manager_clear(b->manager, "StoreFailed", &later);
        nothing(b);
        memset(name, 'n', sizeof name);
        name[ALERT_NAME_MAX] = '\0';
        assert_int_equal(alert_manager_raise(b->manager, name, "", &now), -EINVAL);
}

static void a_summary_is_cut_between_characters(void **state) {
        Bench *b = *state;
        char text[ALERT_SUMMARY_MAX + 8];
        Stamp now = stamp(1);

        /* 254 bytes, then an e with an accent (2 bytes): only whole ones are kept, and the NUL needs one */
        memset(text, 'x', sizeof text);
        memcpy(text + ALERT_SUMMARY_MAX - 2, "\xC3\xA9...", 6);
        assert_int_equal(alert_manager_raise(b->manager, "T", text, &now), 0);
        const AlertEvent *e = event(b, "T", ALERT_ACTIVE, 1);
        assert_int_equal(strlen(e->summary), ALERT_SUMMARY_MAX - 2);
        assert_int_equal(strspn(e->summary, "x"), ALERT_SUMMARY_MAX - 2);
}

static void an_active_alert_lives_over_a_restart(void **state) {
        Bench *b = *state;
        AlertEvent raised;

        is(b, &slow, b->p1, TRUTH_TRUE, 5, 0);
        tick(b, 10);
        raised = *event(b, "Slow", ALERT_ACTIVE, 10);
        alert_manager_free(b->manager);
        assert_int_equal(alert_manager_new(b->registry, record, b, &b->manager), 0);
        assert_int_equal(alert_manager_restore(b->manager, &raised, 0), 0);
        assert_int_equal(alert_manager_restore(b->manager, &raised, 0), -EEXIST);
        nothing(b);
        assert_int_equal(active(b), 1);
        is(b, &slow, b->p1, TRUTH_TRUE, 5, 100);
        nothing(b);
        is(b, &slow, b->p1, TRUTH_FALSE, 9, 101);
        tick(b, 131);
        assert_string_equal(event(b, "Slow", ALERT_RESOLVED, 131)->id, raised.id);
        raised.state = ALERT_RESOLVED;
        assert_int_equal(alert_manager_restore(b->manager, &raised, 0), -EINVAL);
}

/* Replay begins before the restored alert did: the same alert comes out of it. */
static void what_is_replayed_raises_the_restored_alert_again(void **state) {
        Bench *b = *state;
        AlertEvent raised;

        is(b, &low, b->p1, TRUTH_TRUE, 80, 50);
        raised = *event(b, "Low", ALERT_ACTIVE, 50);
        alert_manager_free(b->manager);
        assert_int_equal(alert_manager_new(b->registry, record, b, &b->manager), 0);
        assert_int_equal(alert_manager_restore(b->manager, &raised, 0), 0);
        is(b, &low, b->p1, TRUTH_FALSE, 99, 40);
        assert_string_equal(event(b, "Low", ALERT_RESOLVED, 40)->id, raised.id);
        is(b, &low, b->p1, TRUTH_TRUE, 80, 50);
        assert_string_equal(event(b, "Low", ALERT_ACTIVE, 50)->id, raised.id);
}

static bool is_low(void *userdata, const char *rule) {
        (void) userdata;
        return strcmp(rule, "Low") == 0;
}

static void alerts_of_rules_that_are_gone_are_resolved(void **state) {
        Bench *b = *state;
        Stamp now = stamp(20);

        is(b, &slow, b->p1, TRUTH_TRUE, 5, 0);
        tick(b, 10);
        is(b, &slow, b->p2, TRUTH_TRUE, 5, 15);
        is(b, &low, b->p1, TRUTH_TRUE, 5, 15);
        assert_int_equal(alert_manager_raise(b->manager, "StoreFailed", "", &now), 0);
        b->count = 0;
        alert_manager_retain(b->manager, is_low, NULL, &now);
        assert_int_equal(event(b, "Slow", ALERT_RESOLVED, 20)->subject, b->p1);
        assert_int_equal(active(b), 2);
        assert_int_equal(alert_manager_deadline(b->manager), INT64_MAX);
}

static bool is_any(void *userdata, const char *rule) {
        (void) userdata;
        (void) rule;
        return true;
}

static void to_those_that_stay_a_reload_is_unknown(void **state) {
        Bench *b = *state;
        Stamp now = stamp(25);

        is(b, &slow, b->p1, TRUTH_TRUE, 5, 0);
        tick(b, 10);
        (void) event(b, "Slow", ALERT_ACTIVE, 10);
        is(b, &slow, b->p1, TRUTH_FALSE, 9, 20);
        is(b, &slow, b->p2, TRUTH_TRUE, 5, 20);
        alert_manager_retain(b->manager, is_any, NULL, &now);
        tick(b, 1000);
        nothing(b);
        assert_int_equal(active(b), 1);
}

static void alerts_of_a_subject_that_leaves_are_resolved(void **state) {
        Bench *b = *state;
        Stamp now = stamp(20);

        is(b, &low, b->p1, TRUTH_TRUE, 5, 1);
        is(b, &low, b->p2, TRUTH_TRUE, 5, 1);
        is(b, &slow, b->p1, TRUTH_TRUE, 5, 19);
        b->count = 0;
        alert_manager_release(b->manager, b->p1, &now);
        assert_int_equal(event(b, "Low", ALERT_RESOLVED, 20)->subject, b->p1);
        assert_int_equal(active(b), 1);
        tick(b, 100);
        nothing(b);
}

typedef struct Order {
        int64_t since_us;
        size_t count;
} Order;

static void check_order(void *userdata, const AlertEvent *e) {
        Order *o = userdata;

        assert_true(e->since_us >= o->since_us);
        o->since_us = e->since_us;
        o->count++;
}

static void the_oldest_is_shown_first(void **state) {
        static const double times[] = { 5, 3, 9, 1, 7, 2 };
        Bench *b = *state;
        Order o = { 0 };
        AlertRule rules[ELEMENTS(times)];
        char names[ELEMENTS(times)][8];

        for (size_t i = 0; i < ELEMENTS(times); i++) {
                (void) snprintf(names[i], sizeof names[i], "R%zu", i);
                rules[i] = low;
                rules[i].name = names[i];
                rules[i].priority = i % 2 ? PRIORITY_HIGH : PRIORITY_LOW;
                is(b, &rules[i], b->p1, TRUTH_TRUE, 1, times[i]);
        }
        alert_manager_visit(b->manager, check_order, &o);
        assert_int_equal(o.count, ELEMENTS(times));
}

static void beyond_the_limit_the_lowest_priority_is_shed(void **state) {
        Bench *b = *state;
        AlertRule medium = low;
        char name[16];

        medium.name = name;
        medium.priority = PRIORITY_MEDIUM;
        for (int i = 0; i < ALERTS_MAX; i++) {
                (void) snprintf(name, sizeof name, "R%d", i);
                is(b, &medium, b->p1, TRUTH_TRUE, 1, i);
        }
        assert_int_equal(b->count, ALERTS_MAX);
        b->count = 0;
        (void) snprintf(name, sizeof name, "another");
        is(b, &medium, b->p1, TRUTH_TRUE, 1, 70000);
        nothing(b);
        assert_int_equal(alert_manager_shed(b->manager), 1);
        is(b, &low, b->p1, TRUTH_TRUE, 1, 70001);
        assert_int_equal(b->count, 2);
        assert_string_equal(b->events[0].rule, "R65535");
        assert_int_equal(b->events[0].state, ALERT_RESOLVED);
        assert_string_equal(b->events[0].summary, "Not followed any more: too many alerts");
        assert_string_equal(b->events[1].rule, "Low");
        assert_int_equal(b->events[1].state, ALERT_ACTIVE);
        assert_int_equal(alert_manager_shed(b->manager), 2);
        assert_int_equal(active(b), ALERTS_MAX);
        /* every one of them is still found and ends */
        for (int i = 0; i < ALERTS_MAX - 1; i++) {
                (void) snprintf(name, sizeof name, "R%d", i);
                is(b, &medium, b->p1, TRUTH_FALSE, 1, 80000);
        }
        is(b, &low, b->p1, TRUTH_FALSE, 1, 80000);
        assert_int_equal(active(b), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                without_durations_truth_raises_and_falsehood_resolves, setup, teardown),
                cmocka_unit_test_setup_teardown(the_condition_has_to_last, setup, teardown),
                cmocka_unit_test_setup_teardown(falsehood_and_unknown_end_a_pending_alert, setup, teardown),
                cmocka_unit_test_setup_teardown(it_keeps_firing_until_falsehood_has_lasted, setup, teardown),
                cmocka_unit_test_setup_teardown(unknown_never_resolves, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                events_do_not_depend_on_how_late_a_timer_is, setup, teardown),
                cmocka_unit_test_setup_teardown(an_id_is_of_rule_subject_and_since, setup, teardown),
                cmocka_unit_test_setup_teardown(alerts_of_the_same_time_have_their_own_ids, setup, teardown),
                cmocka_unit_test_setup_teardown(names_of_the_same_hash_do_not_mix, setup, teardown),
                cmocka_unit_test_setup_teardown(technical_alerts_go_by_name, setup, teardown),
                cmocka_unit_test_setup_teardown(a_summary_is_cut_between_characters, setup, teardown),
                cmocka_unit_test_setup_teardown(an_active_alert_lives_over_a_restart, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                what_is_replayed_raises_the_restored_alert_again, setup, teardown),
                cmocka_unit_test_setup_teardown(alerts_of_rules_that_are_gone_are_resolved, setup, teardown),
                cmocka_unit_test_setup_teardown(to_those_that_stay_a_reload_is_unknown, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                alerts_of_a_subject_that_leaves_are_resolved, setup, teardown),
                cmocka_unit_test_setup_teardown(the_oldest_is_shown_first, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                beyond_the_limit_the_lowest_priority_is_shed, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
