/* Bluetooth's pure parts: who a device is, what its object's path says, the life of a connection, and whose turn it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "ingest/ble_address.h"
#include "ingest/ble_profile.h"
#include "ingest/ble_rotation.h"
#include "ingest/ble_state.h"

/* --- addresses --- */

static BleAddress address(const char *text) {
        BleAddress a = { 0 };

        assert_int_equal(ble_address_parse(text, &a), 0);
        return a;
}

static void addresses_are_read_and_written(void **state) {
        static const char *const bad[] = { "", "C0:00:00:00:00", "C0:00:00:00:00:0", "C0:00:00:00:00:000",
                "C0-00-00-00-00-01", "G0:00:00:00:00:01", "C0:00:00:00:00:01 ", "C000000000001" };
        char text[BLE_ADDRESS_TEXT];
        BleAddress a = address("c0:0a:00:00:FF:01");

        ble_address_format(&a, text);
        assert_string_equal(text, "C0:0A:00:00:FF:01");
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_not_equal(ble_address_parse(bad[i], &a), 0);
}

/* Core Specification, Vol 3, Part H, D.7 */
static void a_private_address_is_resolved(void **state) {
        uint8_t irk[BLE_IRK_SIZE], other[BLE_IRK_SIZE];
        BleAddress its = address("70:81:94:0D:FB:AA"), wrong = address("70:81:94:0D:FB:AB"),
                   is_static = address("F0:81:94:0D:FB:AA");

        assert_int_equal(ble_irk_parse("ec0234a357c8ad05341010a60a397d9b", irk), 0);
        assert_int_equal(ble_irk_parse("EC0234A357C8AD05341010A60A397D9C", other), 0);
        assert_true(ble_irk_resolves(irk, &its));
        assert_false(ble_irk_resolves(irk, &wrong));
        assert_false(ble_irk_resolves(irk, &is_static));
        assert_false(ble_irk_resolves(other, &its));
        assert_int_not_equal(ble_irk_parse("ec0234a357c8ad05341010a60a397d9", irk), 0);
        assert_int_not_equal(ble_irk_parse("ec0234a357c8ad05341010a60a397d9bb", irk), 0);
        assert_int_not_equal(ble_irk_parse("xc0234a357c8ad05341010a60a397d9b", irk), 0);
}

static void uuids_are_sixteen_bits(void **state) {
        assert_int_equal(ble_uuid_parse("00002a37-0000-1000-8000-00805f9b34fb"), 0x2a37);
        assert_int_equal(ble_uuid_parse("00002A37-0000-1000-8000-00805F9B34FB"), 0x2a37);
        assert_int_equal(ble_uuid_parse("00012a37-0000-1000-8000-00805f9b34fb"), 0);
        assert_int_equal(ble_uuid_parse("00002a37-0000-1000-8000-00805f9b34fc"), 0);
        assert_int_equal(ble_uuid_parse("2a37"), 0);
        assert_int_equal(ble_uuid_parse(""), 0);
}

static void paths_tell_whose_they_are(void **state) {
        static const struct {
                const char *path;
                BlePathKind kind;
        } cases[] = {
                { "/org/bluez/hci0", BLE_PATH_ADAPTER },
                { "/org/bluez/hci1", BLE_PATH_OTHER },
                { "/org/bluez/hci01", BLE_PATH_OTHER },
                { "/org/bluez", BLE_PATH_OTHER },
                { "/", BLE_PATH_OTHER },
                { "/org/bluez/hci0/dev_C0_00_00_00_00_01", BLE_PATH_DEVICE },
                { "/org/bluez/hci0/dev_C0_00_00_00_00_0", BLE_PATH_OTHER },
                { "/org/bluez/hci0/dev_C0_00_00_00_00_011", BLE_PATH_OTHER },
                { "/org/bluez/hci0/dev_C0_00_00_00_00_01/service0010", BLE_PATH_OTHER },
                { "/org/bluez/hci0/dev_C0_00_00_00_00_01/service0010/char0011", BLE_PATH_CHARACTERISTIC },
                { "/org/bluez/hci0/dev_C0_00_00_00_00_01/service0010/char0011/desc0013", BLE_PATH_OTHER },
                { "/org/bluez/hci0/dev_C0_00_00_00_00_01/service0010/char001", BLE_PATH_OTHER },
                { "/org/bluez/hci0/dev_C0_00_00_00_00_01/char0011", BLE_PATH_OTHER },
        };
        char path[BLE_PATH_MAX];

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(ble_path_parse("/org/bluez/hci0", cases[i].path).kind, cases[i].kind);
        BlePath p = ble_path_parse(
                        "/org/bluez/hci0", "/org/bluez/hci0/dev_C0_0A_00_00_00_01/service00aB/char1234");
        assert_int_equal(p.service, 0xab);
        assert_int_equal(p.handle, 0x1234);
        ble_characteristic_path("/org/bluez/hci0", &p, path);
        assert_string_equal(path, "/org/bluez/hci0/dev_C0_0A_00_00_00_01/service00ab/char1234");
}

/* --- the life of a connection --- */

static BleState go(BleState s, BleEvent e) {
        const BleMove *m = ble_state_move(s, e);

        return m ? m->next : s;
}

static void a_good_life(void **state) {
        static const struct {
                BleEvent event;
                BleState state;
        } steps[] = {
                { BLE_APPEARED, BLE_WAITING },
                { BLE_CHOSEN, BLE_CONNECTING },
                { BLE_ANSWERED, BLE_RESOLVING },
                { BLE_RESOLVED, BLE_READING_CLOCK },
                { BLE_ANSWERED, BLE_SUBSCRIBING },
                { BLE_ANSWERED, BLE_STREAMING },
                { BLE_CHANGED, BLE_SUBSCRIBING },
                { BLE_ANSWERED, BLE_STREAMING },
                { BLE_DISMISSED, BLE_LEAVING },
                { BLE_LOST, BLE_WAITING },
                { BLE_CHOSEN, BLE_CONNECTING },
                { BLE_RESOLVED, BLE_READING_CLOCK },
                { BLE_REFUSED, BLE_BARRED },
                { BLE_BONDED, BLE_WAITING },
        };
        BleState s = BLE_ABSENT;

        for (size_t i = 0; i < ELEMENTS(steps); i++) {
                s = go(s, steps[i].event);
                assert_string_equal(ble_state_name(s), ble_state_name(steps[i].state));
        }
}

/* Whatever is going on: an object that goes takes all with it, and a lost link is tried again. */
static void every_state_has_a_way_out(void **state) {
        for (BleState s = BLE_ABSENT; s < BLE_STATE_COUNT; s++) {
                assert_non_null(ble_state_name(s));
                if (s != BLE_ABSENT)
                        assert_int_equal(go(s, BLE_VANISHED), BLE_ABSENT);
                if (ble_state_is_linked(s) && s != BLE_CONNECTING)
                        assert_int_equal(go(s, BLE_LOST), BLE_WAITING);
                if (ble_state_is_linked(s) && s != BLE_STREAMING)
                        assert_int_equal(go(s, BLE_TIMED_OUT), BLE_WAITING);
        }
}

static void a_failure_is_tried_again(void **state) {
        static const BleState states[] = { BLE_CONNECTING, BLE_RESOLVING, BLE_READING_CLOCK,
                BLE_SUBSCRIBING };

        for (size_t i = 0; i < ELEMENTS(states); i++) {
                const BleMove *m = ble_state_move(states[i], BLE_FAILED);
                assert_non_null(m);
                assert_int_equal(m->next, BLE_WAITING);
                assert_true(m->action == BLE_RETRY || m->action == BLE_CANCEL);
        }
        /* only a bond lets it out before its time */
        assert_null(ble_state_move(BLE_BARRED, BLE_CHOSEN));
}

/* --- turns --- */

static void the_least_recently_served_is_next(void **state) {
        BleTurn t[] = {
                { .waits = true, .heard = true, .served_us = 300 },
                { .waits = true, .heard = true, .served_us = 100 },
                { .waits = true, .heard = true, .served_us = 200 },
        };

        assert_int_equal(ble_rotation_next(t, 3, 1000), 1);
        t[1].ready_us = 2000;
        assert_int_equal(ble_rotation_next(t, 3, 1000), 2);
        t[0].served_us = INT64_MIN; /* never */
        assert_int_equal(ble_rotation_next(t, 3, 1000), 0);
        t[2].monitor = true;
        assert_int_equal(ble_rotation_next(t, 3, 1000), 2);
        t[2].heard = false; /* it may be away */
        assert_int_equal(ble_rotation_next(t, 3, 1000), 0);
        t[0].waits = t[1].waits = t[2].waits = false;
        assert_int_equal(ble_rotation_next(t, 3, 5000), 3);
        assert_int_equal(ble_rotation_next(t, 0, 5000), 0);
}

static void who_has_held_longest_yields(void **state) {
        BleTurn t[] = {
                { .holds = true, .since_us = 100 },
                { .holds = true, .since_us = 50 },
                { .monitor = true, .since_us = 0 },
                { .waits = true, .heard = true },
        };

        assert_int_equal(ble_rotation_yield(t, 4, 1000, 500), 1);
        assert_int_equal(ble_rotation_yield(t, 4, 300, 500), 4); /* nobody has had its time */
        t[3].heard = false;                                      /* nobody is sure to be there */
        assert_int_equal(ble_rotation_yield(t, 4, 1000, 500), 4);
        t[3].waits = false;
        assert_int_equal(ble_rotation_yield(t, 4, 1000, 500), 4);
}

/* A night in which ten devices share two connections: all are served, and equally often. */
static void turns_are_fair(void **state) {
        enum { N = 10, CONNECTIONS = 2, HOLD = 10 };
        unsigned served[N] = { 0 };
        BleTurn t[N];

        for (size_t i = 0; i < N; i++)
                t[i] = (BleTurn){ .waits = true, .heard = true, .served_us = INT64_MIN };
        for (int64_t now = 0; now < 10000; now++) {
                size_t held = 0;
                for (size_t i = 0; i < N; i++)
                        held += t[i].holds;
                size_t next = held < CONNECTIONS ? ble_rotation_next(t, N, now) : N;
                if (next < N) {
                        t[next] = (BleTurn){ .holds = true, .since_us = now };
                        served[next]++;
                        continue;
                }
                size_t out = ble_rotation_yield(t, N, now, HOLD);
                if (out < N)
                        t[out] = (BleTurn){
                                .waits = true, .heard = true, .served_us = now, .ready_us = now
                        };
        }
        for (size_t i = 0; i < N; i++)
                assert_in_range(served[i], served[0] - 1, served[0] + 1);
        assert_true(served[0] > 100);
}

static void only_what_is_known_is_subscribed_to(void **state) {
        assert_non_null(ble_profile_find(0x2a37));
        assert_true(ble_profile_find(0x2a37)->is_reading);
        assert_true(ble_profile_find(BLE_RECORD_ACCESS)->wants_notify);
        assert_false(ble_profile_find(BLE_RECORD_ACCESS)->is_reading);
        assert_false(ble_profile_find(BLE_CURRENT_TIME)->is_reading);
        assert_null(ble_profile_find(0x2a00));
        assert_null(ble_profile_find(0));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(addresses_are_read_and_written),
                cmocka_unit_test(a_private_address_is_resolved),
                cmocka_unit_test(uuids_are_sixteen_bits),
                cmocka_unit_test(paths_tell_whose_they_are),
                cmocka_unit_test(a_good_life),
                cmocka_unit_test(every_state_has_a_way_out),
                cmocka_unit_test(a_failure_is_tried_again),
                cmocka_unit_test(the_least_recently_served_is_next),
                cmocka_unit_test(who_has_held_longest_yields),
                cmocka_unit_test(turns_are_fair),
                cmocka_unit_test(only_what_is_known_is_subscribed_to),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
