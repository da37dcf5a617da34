/* Over restarts: what is saved of an alert, what is told again, and that kills at random moments change nothing else. */
#include "dispatch-bench.h"

#define STEPS                                                                                               \
        "alerts: {repeat: 15m, group_interval: 0s}\n"                                                       \
        "routes:\n"                                                                                         \
        "- match: {priority: technical}\n"                                                                  \
        "  steps: [{notify: [mqtt]}]\n"                                                                     \
        "- steps:\n"                                                                                        \
        "  - {notify: [nurse, mqtt]}\n"                                                                     \
        "  - {after: 60s, notify: [charge]}\n"                                                              \
        "  - {after: 5m, notify: [nurse, doctor]}\n"

typedef struct Memory {
        uint8_t data[DISPATCH_MEMORY_MAX];
        size_t len;
} Memory;

static Memory save(const Bench *b, const char *id) {
        Memory m;
        CborWriter w = cbor_writer(m.data, sizeof m.data);

        assert_int_equal(dispatch_save(b->dispatch, id, &w), 0);
        assert_false(w.overflow);
        m.len = w.len;
        return m;
}

static int try_restore(Bench *b, const AlertEvent *e, const Memory *m, double at) {
        Stamp now = stamp(at);

        return dispatch_restore(b->dispatch, e, BYTES(m->data, m->len), &now);
}

static void restore(Bench *b, const AlertEvent *e, const Memory *m, double at) {
        assert_int_equal(try_restore(b, e, m, at), 0);
}

static void those_who_knew_are_told_once_more_with_the_same_key(void **state) {
        Bench *b = *state;

        route(b, STEPS);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        until(b, 60);
        b->seen = b->told;
        Memory m = save(b, "a");
        restart(b);
        restore(b, &e, &m, 100);
        nobody(b);
        tick(b, 100);
        told(b, NURSE, "a:raised");
        told(b, CHARGE, "a:escalated-2");
        told(b, MQTT, "a:raised");
        nobody(b);
        until(b, 300);
        told(b, NURSE, "a:escalated-3");
        told(b, DOCTOR, "a:escalated-3");
        until(b, 900);
        for (unsigned r = 0; r < 4; r++)
                told(b, r, "a:repeated-1");
        m = save(b, "a");
        restart(b);
        restore(b, &e, &m, 1000);
        until(b, 1000);
        b->seen = b->told;
        until(b, 1800);
        told(b, NURSE, "a:repeated-2");
}

static void steps_whose_time_has_come_meanwhile_are_taken(void **state) {
        Bench *b = *state;

        route(b, STEPS);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        b->seen = b->told;
        Memory m = save(b, "a");
        restart(b);
        restore(b, &e, &m, 4000);
        tick(b, 4000);
        told(b, NURSE, "a:raised");
        told(b, MQTT, "a:raised");
        told(b, NURSE, "a:escalated-3");
        told(b, CHARGE, "a:escalated-2");
        told(b, DOCTOR, "a:escalated-3");
        /* and one reminder for all that were missed */
        for (unsigned r = 0; r < 4; r++)
                told(b, r, "a:repeated-1");
        nobody(b);
}

static void an_alert_without_memory_is_told_as_raised(void **state) {
        const Memory none = { 0 };
        Bench *b = *state;

        route(b, STEPS);
        AlertEvent e = alert(b, "a", 1, PRIORITY_MEDIUM, 0);
        restore(b, &e, &none, 10);
        assert_int_equal(try_restore(b, &e, &none, 10), -EEXIST);
        tick(b, 10);
        told(b, NURSE, "a:raised");
        told(b, MQTT, "a:raised");
        nobody(b);
        until(b, 60);
        told(b, CHARGE, "a:escalated-2");
}

static void news_that_is_newer_than_the_memory_is_told(void **state) {
        Bench *b = *state;

        route(b, STEPS);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_HIGH, 0),
                   f = raise_alert(b, "b", 2, PRIORITY_HIGH, 0);
        b->seen = b->told;
        Memory m = save(b, "a"), n = save(b, "b");
        restart(b);
        e.transition = TRANSITION_ACKNOWLEDGED;
        e.state = ALERT_ACKNOWLEDGED;
        f.transition = TRANSITION_RERAISED;
        f.raised_us = f.time_us = stamp(20).wall_us;
        restore(b, &e, &m, 30);
        restore(b, &f, &n, 30);
        tick(b, 30);
        bool acknowledged = false, reraised = false;
        for (; b->seen < b->told; b->seen++) {
                const char *key = b->notices[b->seen].key;
                if (b->notices[b->seen].receiver != NURSE)
                        continue;
                assert_true(streq(key, "a:acknowledged") || streq(key, "b:reraised-1699920020000000"));
                *(key[0] == 'a' ? &acknowledged : &reraised) = true;
        }
        assert_true(acknowledged && reraised);
        until(b, 80);
        told(b, CHARGE, "b:escalated-2-1699920020000000");
        nobody(b);
}

static void raised_again_only_its_steps_are_told(void **state) {
        Bench *b = *state;

        route(b, STEPS);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        until(b, 60);
        b->seen = b->told;
        Memory before = save(b, "a");
        change(b, &e, TRANSITION_RERAISED, 70);
        told(b, NURSE, "a:reraised-1699920070000000");
        told(b, MQTT, "a:reraised-1699920070000000");
        Memory after = save(b, "a");
        /* the charge nurse knows of it, but has heard nothing of it since; whether that was saved yet or not */
        for (unsigned i = 0; i < 2; i++) {
                restart(b);
                restore(b, &e, i == 0 ? &before : &after, 80);
                tick(b, 80);
                told(b, NURSE, "a:reraised-1699920070000000");
                told(b, MQTT, "a:reraised-1699920070000000");
                nobody(b);
        }
        change(b, &e, TRANSITION_RESOLVED, 90);
        told(b, NURSE, "a:resolved");
        told(b, CHARGE, "a:resolved");
        told(b, MQTT, "a:resolved");
        nobody(b);
}

static void what_a_silence_kept_back_is_told_after_a_restart(void **state) {
        Bench *b = *state;

        route(b, STEPS);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        until(b, 60);
        b->seen = b->told;
        silence_all(b, "s", "", 61, 100);
        change(b, &e, TRANSITION_RERAISED, 70);
        change(b, &e, TRANSITION_ACKNOWLEDGED, 80);
        Memory m = save(b, "a");
        nobody(b);
        /* the silence ends meanwhile */
        restart(b);
        restore(b, &e, &m, 200);
        tick(b, 200);
        told(b, NURSE, "a:acknowledged-1699920070000000");
        told(b, CHARGE, "a:acknowledged-1699920070000000");
        told(b, MQTT, "a:acknowledged-1699920070000000");
        nobody(b);
}

static void nothing_is_on_record_twice(void **state) {
        Bench *b = *state;

        route(b, STEPS);
        b->routing->receivers[MQTT] = (RoutingReceiver){ "mqtt", PRIORITY_TECHNICAL, 1, 3600000000 };
        b->routing->receivers[NURSE].min_priority = PRIORITY_HIGH;
        b->routing->receivers[CHARGE].min_priority = PRIORITY_HIGH;
        AlertEvent x = raise_alert(b, "x", 1, PRIORITY_LOW, 0);
        change(b, &x, TRANSITION_ACKNOWLEDGED, 0);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_LOW, 1);
        until(b, 70);
        b->seen = b->told;
        recorded(b, "x", TRANSITION_HELD);
        recorded(b, "a", TRANSITION_HELD);
        recorded(b, "a", TRANSITION_ESCALATED);
        no_record(b);
        Memory m = save(b, "a");
        restart(b);
        raise_alert(b, "y", 1, PRIORITY_LOW, 80);
        raise_alert(b, "z", 1, PRIORITY_LOW, 80);
        recorded(b, "z", TRANSITION_HELD);
        restore(b, &e, &m, 80);
        tick(b, 80);
        no_record(b);
}

static void an_end_is_told_to_those_who_knew_and_forgotten(void **state) {
        const Memory none = { 0 };
        Bench *b = *state;

        route(b, STEPS);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        b->seen = b->told;
        Memory m = save(b, "a");
        restart(b);
        e.state = ALERT_RESOLVED;
        e.transition = TRANSITION_RESOLVED;
        e.time_us = stamp(5).wall_us;
        restore(b, &e, &m, 10);
        tick(b, 10);
        told(b, NURSE, "a:resolved");
        told(b, MQTT, "a:resolved");
        nobody(b);
        uint8_t byte;
        CborWriter w = cbor_writer(&byte, sizeof byte);
        assert_int_equal(dispatch_save(b->dispatch, "a", &w), -ENOENT);
        restore(b, &e, &none, 11);
        tick(b, 11);
        nobody(b);
}

static void an_end_that_was_held_is_told_after_a_restart(void **state) {
        Bench *b = *state;
        uint8_t byte;
        CborWriter w = cbor_writer(&byte, sizeof byte);

        route(b, "alerts: {group_interval: 0s}\nroutes: [{steps: [{notify: [nurse, mqtt]}]}]\n");
        b->routing->receivers[NURSE].rate_notices = 1;
        b->routing->receivers[NURSE].rate_per_us = 60 * USEC_PER_SEC;
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_LOW, 0);
        b->seen = b->told;
        size_t changes = b->changes;
        change(b, &e, TRANSITION_RESOLVED, 2);
        told(b, MQTT, "a:resolved");
        nobody(b);
        assert_true(b->changes == changes); /* whoever tells of an event saves it then */
        Memory m = save(b, "a");
        restart(b);
        restore(b, &e, &m, 10);
        assert_int_equal(save(b, "a").len, m.len);
        tick(b, 10);
        told(b, NURSE, "a:resolved"); /* and not those who have been told */
        nobody(b);
        assert_true(b->changes > changes);
        assert_int_equal(dispatch_save(b->dispatch, "a", &w), -ENOENT);
}

static void receivers_are_known_by_name(void **state) {
        Bench *b = *state;

        route(b, STEPS);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        Memory m = save(b, "a");
        /* nurse and doctor have changed places */
        b->routing->receivers[NURSE].name = "doctor";
        b->routing->receivers[DOCTOR].name = "nurse";
        b->routing->routes[1].steps[0].receivers = 1U << DOCTOR | 1U << MQTT;
        restart(b);
        b->seen = b->told;
        restore(b, &e, &m, 10);
        tick(b, 10);
        told(b, DOCTOR, "a:raised");
        told(b, MQTT, "a:raised");
        nobody(b);
}

static void a_damaged_memory_makes_nobody_know(void **state) {
        const Memory bad = { { 0x88, 0x02 }, 2 };
        Bench *b = *state;

        route(b, STEPS);
        AlertEvent e = alert(b, "a", 1, PRIORITY_HIGH, 0);
        assert_int_equal(try_restore(b, &e, &bad, 1), -EBADMSG);
        tick(b, 1);
        told(b, NURSE, "a:raised");
        told(b, MQTT, "a:raised");
        nobody(b);
        e = alert(b, "b", 1, PRIORITY_HIGH, 0);
        e.state = ALERT_PENDING;
        assert_int_equal(try_restore(b, &e, &bad, 1), -EINVAL);
}

static void an_alert_can_come_back_silenced(void **state) {
        Bench *b = *state;

        route(b, STEPS);
        AlertEvent e = raise_alert(b, "a", 1, PRIORITY_HIGH, 0);
        b->seen = b->told;
        silence_all(b, "s", "", 1, 100);
        b->records_seen = b->recorded;
        Memory m = save(b, "a");
        restart(b);
        restore(b, &e, &m, 10);
        silence_all(b, "s", "", 10, 100);
        until(b, 99);
        nobody(b);
        no_record(b); /* it was on record before */
        until(b, 100);
        told(b, CHARGE, "a:escalated-2");
        told(b, NURSE, "a:repeated-1");
        told(b, MQTT, "a:repeated-1");
        nobody(b);
}

/* --- kills at random moments --- */

enum { ALERTS = 12, EVENTS = 400, LINES_MAX = 16384 };

typedef struct Kept {
        AlertEvent event;
        Memory memory;
        bool there;
} Kept;

typedef struct Line {
        int64_t at_us; /* monotonic */
        unsigned receiver;
        char key[NOTICE_KEY_MAX];
} Line;

/* A ward that keeps what a gateway keeps: events as they come, memory as it changes. */
typedef struct Ward {
        Bench *bench;
        const Routing *routing;
        Dispatch *dispatch;
        Kept kept[ALERTS];
        bool silenced[2];
        int64_t silence_end_us[2]; /* wall */
        Stamp now;
        bool only_high;
        Line lines[LINES_MAX];
        size_t count;
} Ward;

static void keep_memory(Ward *w, const char *id) {
        Kept *k = &w->kept[id[0] - 'a'];
        CborWriter out = cbor_writer(k->memory.data, sizeof k->memory.data);

        if (dispatch_save(w->dispatch, id, &out) < 0)
                return;
        assert_false(out.overflow);
        k->memory.len = out.len;
}

static void ward_notify(void *userdata, const Notice *n) {
        Ward *w = userdata;

        if (w->only_high && n->priority != PRIORITY_HIGH)
                return;
        for (size_t i = 0; i < w->count; i++)
                if (w->lines[i].receiver == n->receiver && streq(w->lines[i].key, n->key))
                        return;
        assert_true(w->count < LINES_MAX);
        Line *l = &w->lines[w->count++];
        *l = (Line){ .at_us = w->now.mono_us, .receiver = n->receiver };
        memcpy(l->key, n->key, sizeof l->key);
}

static void ward_record(void *userdata, const AlertEvent *e) {
        (void) userdata;
        (void) e;
}

static void ward_changed(void *userdata, const AlertEvent *e) {
        keep_memory(userdata, e->id);
}

static void ward_silence_over(void *userdata, const Silence *s) {
        Ward *w = userdata;

        w->silenced[s->id[0] - '0'] = false;
}

static void ward_start(Ward *w) {
        const DispatchCallbacks c = { ward_notify, ward_record, ward_changed, ward_silence_over, w };

        dispatch_free(w->dispatch);
        assert_int_equal(dispatch_new(w->routing, w->bench->registry, &c, &w->dispatch), 0);
}

static void ward_silence(Ward *w, unsigned i, int64_t end_us) {
        Silence s = { .id = { (char) ('0' + i) }, .until_us = end_us };

        s.filter.priorities = i == 0 ? 1U << PRIORITY_MEDIUM : 1U << PRIORITY_HIGH;
        assert_int_equal(dispatch_silence(w->dispatch, &s, &w->now), 0);
        w->silenced[i] = true;
        w->silence_end_us[i] = end_us;
}

/* Killed and started at once; alerts come back in whatever order. */
static void ward_kill(Ward *w, uint32_t random) {
        ward_start(w);
        for (size_t n = 0; n < ALERTS; n++) {
                const Kept *k = &w->kept[(n * 5 + random) % ALERTS];
                if (k->there)
                        assert_int_equal(dispatch_restore(w->dispatch, &k->event,
                                                         BYTES(k->memory.data, k->memory.len), &w->now),
                                        0);
        }
        for (unsigned i = 0; i < ELEMENTS(w->silenced); i++)
                if (w->silenced[i])
                        ward_silence(w, i, w->silence_end_us[i]);
        dispatch_tick(w->dispatch, &w->now, 0);
}

static void ward_until(Ward *w, int64_t at_us) {
        for (int64_t next; (next = dispatch_deadline(w->dispatch)) <= at_us;) {
                w->now = stamp_us(MAX(next, w->now.mono_us));
                dispatch_tick(w->dispatch, &w->now, 0);
        }
        w->now = stamp_us(at_us);
        dispatch_tick(w->dispatch, &w->now, 0);
}

static AlertTransition next_transition(const Kept *k, uint32_t random) {
        if (!k->there)
                return TRANSITION_RAISED;
        if (k->event.state == ALERT_ACKNOWLEDGED)
                return random % 3 ? TRANSITION_RESOLVED : TRANSITION_RERAISED;
        if (k->event.transition == TRANSITION_LATCHED)
                return random % 2 ? TRANSITION_RERAISED : TRANSITION_ACKNOWLEDGED;
        return random % 4 == 0   ? TRANSITION_LATCHED
               : random % 4 == 1 ? TRANSITION_RESOLVED
                                 : TRANSITION_ACKNOWLEDGED;
}

static void ward_event(Ward *w, unsigned i, uint32_t random, unsigned number) {
        static const AlertState states[] = { ALERT_ACTIVE, ALERT_RESOLVED, ALERT_ACKNOWLEDGED, ALERT_ACTIVE,
                ALERT_ACTIVE };
        Kept *k = &w->kept[i];
        AlertTransition t = next_transition(k, random);

        if (t == TRANSITION_RAISED) {
                char id[16];
                (void) snprintf(id, sizeof id, "%c%u", (char) ('a' + i), number);
                k->event = alert(w->bench, id, i % BENCH_SUBJECTS + 1, (Priority) (random % 4), 0);
                k->event.since_us = w->now.wall_us;
                k->memory.len = 0;
        }
        if (t == TRANSITION_RAISED || t == TRANSITION_RERAISED)
                k->event.raised_us = w->now.wall_us;
        k->event.transition = t;
        k->event.state = states[t];
        k->event.time_us = w->now.wall_us;
        k->there = t != TRANSITION_RESOLVED;
        assert_int_equal(dispatch_event(w->dispatch, &k->event, &w->now), 0);
}

/* The same night for each seed; killed one time in `kills`, 0: never. */
static void ward_run(Ward *w, uint32_t seed, unsigned kills) {
        uint32_t random = seed * 2654435761U + 1, other = seed;
        int64_t at_us = 0;

        ward_start(w);
        for (unsigned n = 0; n < EVENTS; n++) {
                random = random * 1664525 + 1013904223;
                at_us += (random >> 8) % (40 * USEC_PER_SEC);
                ward_until(w, at_us);
                random = random * 1664525 + 1013904223;
                unsigned which = (random >> 16) % 20;
                if (which < 2 && !w->silenced[which])
                        ward_silence(w, which, w->now.wall_us + (random >> 8) % 600 * USEC_PER_SEC + 1);
                else
                        ward_event(w, (random >> 16) % ALERTS, random >> 24, n);
                other = other * 1664525 + 1013904223;
                if (kills > 0 && (other >> 16) % kills == 0)
                        ward_kill(w, other >> 20);
        }
        ward_until(w, at_us + 7200 * USEC_PER_SEC);
}

static int by_time(const void *a, const void *b) {
        const Line *x = a, *y = b;

        if (x->at_us != y->at_us)
                return x->at_us < y->at_us ? -1 : 1;
        if (x->receiver != y->receiver)
                return x->receiver < y->receiver ? -1 : 1;
        return strcmp(x->key, y->key);
}

static Ward *ward_new(Bench *b, const Routing *routing) {
        Ward *w = calloc(1, sizeof *w);

        assert_non_null(w);
        w->bench = b;
        w->routing = routing;
        return w;
}

static void ward_done(Ward *w) {
        dispatch_free(w->dispatch);
        free(w);
}

static void the_same_was_told(Ward *a, Ward *b) {
        qsort(a->lines, a->count, sizeof(Line), by_time);
        qsort(b->lines, b->count, sizeof(Line), by_time);
        assert_true(a->count > 100);
        for (size_t i = 0; i < a->count && i < b->count; i++)
                if (by_time(&a->lines[i], &b->lines[i]) != 0)
                        fail_msg("%zu: %lld %s %s against %lld %s %s", i, (long long) a->lines[i].at_us,
                                        receiver_names[a->lines[i].receiver], a->lines[i].key,
                                        (long long) b->lines[i].at_us, receiver_names[b->lines[i].receiver],
                                        b->lines[i].key);
        assert_int_equal(a->count, b->count);
}

static void kills_change_nothing_but_that_keys_come_again(void **state) {
        Bench *b = *state;

        use_routing(b->routing, STEPS);
        b->routing->receivers[CHARGE].min_priority = PRIORITY_MEDIUM;
        for (uint32_t seed = 0; seed < 20; seed++) {
                Ward *reference = ward_new(b, b->routing), *killed = ward_new(b, b->routing);
                ward_run(reference, seed, 0);
                ward_run(killed, seed, 4);
                the_same_was_told(reference, killed);
                ward_done(reference);
                ward_done(killed);
        }
}

static void note_known(void *userdata, const AlertEvent *e) {
        bool *known = userdata;

        known[e->id[0] - 'a'] = true;
}

/* After a while without silences each active alert is known where it should be. */
static void everything_was_told(const Ward *w) {
        bool known[2][ALERTS] = { 0 };

        dispatch_visit(w->dispatch, NURSE, note_known, known[0]);
        dispatch_visit(w->dispatch, MQTT, note_known, known[1]);
        for (size_t i = 0; i < ALERTS; i++)
                if (w->kept[i].there && w->kept[i].event.state == ALERT_ACTIVE)
                        assert_true(known[w->kept[i].event.priority == PRIORITY_TECHNICAL][i]);
}

static void limits_and_kills_change_nothing_for_high_priority(void **state) {
        Bench *b = *state;

        use_routing(b->routing, STEPS);
        use_routing(b->other, "alerts: {repeat: 15m, group_interval: 2m,\n"
                              "         quiet_hours: {from: '01:00', to: '02:00', priority: medium}}\n"
                              "routes:\n"
                              "- match: {priority: technical}\n"
                              "  steps: [{notify: [mqtt]}]\n"
                              "- steps:\n"
                              "  - {notify: [nurse, mqtt]}\n"
                              "  - {after: 60s, notify: [charge]}\n"
                              "  - {after: 5m, notify: [nurse, doctor]}\n");
        for (unsigned r = 0; r < 4; r++) {
                b->other->receivers[r].rate_notices = 1;
                b->other->receivers[r].rate_per_us = 300 * USEC_PER_SEC;
        }
        for (uint32_t seed = 0; seed < 20; seed++) {
                Ward *reference = ward_new(b, b->routing), *limited = ward_new(b, b->other);
                reference->only_high = limited->only_high = true;
                ward_run(reference, seed, 0);
                ward_run(limited, seed, 4);
                the_same_was_told(reference, limited);
                everything_was_told(limited);
                ward_done(reference);
                ward_done(limited);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                those_who_knew_are_told_once_more_with_the_same_key, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                steps_whose_time_has_come_meanwhile_are_taken, setup, teardown),
                cmocka_unit_test_setup_teardown(an_alert_without_memory_is_told_as_raised, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                an_end_that_was_held_is_told_after_a_restart, setup, teardown),
                cmocka_unit_test_setup_teardown(news_that_is_newer_than_the_memory_is_told, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                an_end_is_told_to_those_who_knew_and_forgotten, setup, teardown),
                cmocka_unit_test_setup_teardown(receivers_are_known_by_name, setup, teardown),
                cmocka_unit_test_setup_teardown(a_damaged_memory_makes_nobody_know, setup, teardown),
                cmocka_unit_test_setup_teardown(an_alert_can_come_back_silenced, setup, teardown),
                cmocka_unit_test_setup_teardown(raised_again_only_its_steps_are_told, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                what_a_silence_kept_back_is_told_after_a_restart, setup, teardown),
                cmocka_unit_test_setup_teardown(nothing_is_on_record_twice, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                kills_change_nothing_but_that_keys_come_again, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                limits_and_kills_change_nothing_for_high_priority, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
