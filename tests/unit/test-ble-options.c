/* An item of `ble:` in wardstone.yaml, and the `ble:` of devices: what they fill in, and that each mistake has a place. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/fd.h"
#include "ingest/ble_devices.h"
#include "ingest/ble_options.h"

static int read_item(const char *text, BleOptions **ret, Error *e) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;

        int r = yaml_load("w.yaml", BYTES_STRING(text), &d, e);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(d);
        return ble_options_read(&root, ret, e);
}

static int read_devices(const char *text, SourceDevices **ret, Error *e) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;

        int r = yaml_load("devices.yaml", BYTES_STRING(text), &d, e);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(d);
        return ble_devices_read(&root, ret, e);
}

static void the_least_has_defaults(void **state) {
        _cleanup_(ble_options_freep) BleOptions *o = NULL;
        Error e;

        assert_int_equal(read_item("name: radio\n", &o, &e), 0);
        assert_string_equal(o->common.name, "radio");
        assert_ptr_equal(o->common.kind, &ble_kind);
        assert_string_equal(o->adapter, "hci0");
        assert_int_equal(o->connections, 7);
        assert_int_equal(o->retry_max_us, 60 * USEC_PER_SEC);
        assert_false(o->power_cycle);
}

static void each_key_is_read(void **state) {
        _cleanup_(ble_options_freep) BleOptions *o = NULL;
        Error e;

        assert_int_equal(read_item("{name: r, adapter: hci1, connections: 20, connect_timeout: 1s, "
                                   "resolve_timeout: "
                                   "2s, call_timeout: 3s, retry_min: 4s, retry_max: 5s, stale_after: 6s, "
                                   "spot_quiet: "
                                   "7s, spot_hold: 8s, spot_pause: 9s, advert_repeat: 10s, scan_silence: "
                                   "11s, "
                                   "records_every: 12s, power_cycle: true}",
                                         &o, &e),
                        0);
        const int64_t got[] = { o->connect_timeout_us, o->resolve_timeout_us, o->call_timeout_us,
                o->retry_min_us, o->retry_max_us, o->stale_after_us, o->spot_quiet_us, o->spot_hold_us,
                o->spot_pause_us, o->advert_repeat_us, o->scan_silence_us, o->records_every_us };
        for (size_t i = 0; i < ELEMENTS(got); i++)
                assert_int_equal(got[i], (int64_t) (i + 1) * USEC_PER_SEC);
        assert_string_equal(o->adapter, "hci1");
        assert_int_equal(o->connections, 20);
        assert_true(o->power_cycle);
}

static void mistakes_have_a_place(void **state) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "adapter: hci0\n", "w.yaml:1:1: key 'name' is missing" },
                { "name: a b\n", "expected letters" },
                { "{name: r, adapter: ../hci0}\n", "expected a name such as hci0" },
                { "{name: r, adapter: ''}\n", "w.yaml:1" },
                { "{name: r, connections: 0}\n", "w.yaml:1" },
                { "{name: r, retry_min: 2m, retry_max: 1m}\n", "retry_min is longer" },
                { "{name: r, conections: 3}\n", "connections" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                BleOptions *o = NULL;
                Error e = { "" };
                assert_true(read_item(cases[i].text, &o, &e) < 0);
                if (!strstr(e.message, cases[i].message))
                        fail_msg("\"%s\" does not say \"%s\"", e.message, cases[i].message);
        }
}

/* --- devices --- */

static char key_path[] = "ble-key-XXXXXX";

static int write_key(void **state) {
        static const char text[] = "000102030405060708090a0b0c0d0e0f\n";
        int fd = mkstemp(key_path);

        if (fd < 0 || write(fd, text, sizeof text - 1) < 0)
                return -1;
        (void) fd_close(fd);
        return 0;
}

static int remove_key(void **state) {
        return unlink(key_path);
}

static void devices_are_read(void **state) {
        _cleanup_(ble_devices_freep) SourceDevices *d = NULL;
        char text[1024];
        Error e;

        (void) snprintf(text, sizeof text,
                        "devices:\n"
                        "  - {id: other}\n"
                        "  - {id: belt, ble: {address: 'C0:00:00:00:00:01'}}\n"
                        "  - {id: meter, ble: {address: 'C0:00:00:00:00:02', address_type: random, mode: "
                        "spot, pair: "
                        "required, set_time: true, source: radio}}\n"
                        "  - {id: tag, ble: {address: 'C0:00:00:00:00:03', mode: advert, key_file: %s}}\n"
                        "  - {id: ring, ble: {irk_file: %s}}\n",
                        key_path, key_path);
        if (read_devices(text, &d, &e) < 0)
                fail_msg("%s", e.message);
        assert_int_equal(d->count, 4);
        assert_string_equal(d->items[0].id, "belt");
        assert_int_equal(d->items[0].mode, BLE_MODE_CONNECT);
        assert_int_equal(d->items[0].bond, BLE_BOND_OPTIONAL);
        assert_false(d->items[0].set_time);
        assert_int_equal(d->items[1].mode, BLE_MODE_SPOT);
        assert_int_equal(d->items[1].address_type, BLE_ADDRESS_RANDOM);
        assert_int_equal(d->items[1].bond, BLE_BOND_REQUIRED);
        assert_string_equal(d->items[1].source, "radio");
        assert_true(d->items[2].has_secret);
        assert_int_equal(d->items[2].secret.key[15], 0x0f);
        assert_int_equal(d->items[2].secret.address[5], 3);
        assert_true(d->items[3].has_irk && !d->items[3].has_address);
        assert_int_equal(d->items[3].irk[1], 1);
}

static void no_device_is_none(void **state) {
        SourceDevices *d = NULL;
        Error e;

        assert_int_equal(read_devices("devices: [{id: other}]\n", &d, &e), 0);
        assert_null(d);
}

static void mistakes_of_devices_have_a_place(void **state) {
        static const struct {
                const char *ble, *message;
        } cases[] = {
                { "{}", "expected address or irk_file" },
                { "{address: 'C0:00:00:00:00'}", "expected six bytes" },
                { "{address: 'C0:00:00:00:00:01', mode: talk}", "devices.yaml:1" },
                { "{address: 'C0:00:00:00:00:01', key_file: /nowhere}", "only mode advert" },
                { "{address: 'C0:00:00:00:00:01', mode: advert, key_file: /nowhere}", "/nowhere" },
                { "{address: 'C0:00:00:00:00:01', mode: advert, set_time: true}", "is not connected" },
                { "{address: 'C0:00:00:00:00:01', mode: advert, pair: required}", "is not connected" },
                { "{irk_file: /nowhere}", "/nowhere" },
                { "{address: 'C0:00:00:00:00:01', source: 'a b'}", "expected the name of a source" },
                { "{address: 'C0:00:00:00:00:01', adress_type: any}", "address_type" },
                { "{address: 'C0:00:00:00:00:01'}}, {id: e, ble: {address: 'c0:00:00:00:00:01'}",
                                "'d' has the same" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                SourceDevices *d = NULL;
                char text[512];
                Error e = { "" };
                (void) snprintf(text, sizeof text, "devices: [{id: d, ble: %s}]\n", cases[i].ble);
                assert_true(read_devices(text, &d, &e) < 0);
                if (!strstr(e.message, cases[i].message))
                        fail_msg("\"%s\" does not say \"%s\"", e.message, cases[i].message);
        }
}

static void a_key_that_others_can_read_is_refused(void **state) {
        SourceDevices *d = NULL;
        char text[256];
        Error e;

        (void) snprintf(text, sizeof text, "devices: [{id: ring, ble: {irk_file: %s}}]\n", key_path);
        assert_int_equal(chmod(key_path, 0644), 0);
        assert_int_equal(read_devices(text, &d, &e), -EACCES);
        assert_int_equal(chmod(key_path, 0600), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_least_has_defaults),
                cmocka_unit_test(each_key_is_read),
                cmocka_unit_test(mistakes_have_a_place),
                cmocka_unit_test(devices_are_read),
                cmocka_unit_test(no_device_is_none),
                cmocka_unit_test(mistakes_of_devices_have_a_place),
                cmocka_unit_test(a_key_that_others_can_read_is_refused),
        };

        return cmocka_run_group_tests(tests, write_key, remove_key);
}
