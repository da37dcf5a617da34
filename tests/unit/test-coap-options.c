/* An item of `coap:`, and what devices.yaml says: what is filled in, and that each mistake has a place. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/clock.h"
#include "ingest/coap_devices.h"
#include "ingest/coap_options.h"

typedef struct Fixture {
        Catalogue *catalogue;
        MappingSet *maps;
} Fixture;

static int set_up(void **state) {
        static const char text[] = "climate:\n  readings:\n    - {pointer: /t, vital: ambient_temp}\n";
        _cleanup_(yaml_unloadp) YamlDocument *document = NULL;
        Fixture *f = calloc(1, sizeof *f);
        Error e;

        assert_non_null(f);
        *state = f;
        assert_int_equal(catalogue_new(&f->catalogue), 0);
        assert_int_equal(yaml_load("maps.yaml", BYTES_STRING(text), &document, &e), 0);
        YamlNode root = yaml_root(document);
        return mapping_set_read(&root, f->catalogue, &f->maps, &e);
}

static int tear_down(void **state) {
        Fixture *f = *state;

        mapping_set_free(f->maps);
        catalogue_free(f->catalogue);
        free(f);
        return 0;
}

static int read_item(const Fixture *f, const char *text, CoapOptions **ret, Error *e) {
        _cleanup_(yaml_unloadp) YamlDocument *document = NULL;
        SourceOptions *o = NULL;

        int r = yaml_load("w.yaml", BYTES_STRING(text), &document, e);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(document);
        r = coap_options_read(&root, f->maps, &o, e);
        if (r == 0)
                *ret = container_of(o, CoapOptions, common);
        return r;
}

static void the_least_listens_to_nobody(void **state) {
        CoapOptions *o = NULL;
        Error e = { "" };

        assert_int_equal(read_item(*state, "name: c\n", &o, &e), 0);
        assert_string_equal(o->common.name, "c");
        assert_ptr_equal(o->common.kind, &coap_kind);
        assert_false(o->plain);
        assert_false(o->secure);
        assert_true(o->observe);
        assert_int_equal(o->limits.sessions, 1000);
        coap_options_free(&o->common);
}

static void without_dtls_it_listens_to_this_box(void **state) {
        CoapOptions *o = NULL;
        Error e = { "" };

        assert_int_equal(read_item(*state, "{name: c, plain: {}, map: climate}\n", &o, &e), 0);
        assert_true(o->plain);
        assert_string_equal(o->address, "127.0.0.1");
        assert_int_equal(o->port, 5683);
        assert_ptr_equal(o->mapping, mapping_set_find(((Fixture *) *state)->maps, "climate"));
        coap_options_free(&o->common);
}

static void everything_is_read(void **state) {
        CoapOptions *o = NULL;
        Error e = { "" };

        assert_int_equal(read_item(*state,
                                         "name: c\nplain: {address: '::', port: 1, multicast: 'ff02::fd'}\n"
                                         "secure: {ca: a, cert: b, key: c}\nobserve: false\n"
                                         "limits: {sessions: 2, handshakes: 3, outstanding: 4, payload: 1K, "
                                         "transfers: 5,\n  peer_transfers: 6, block_bytes: 2K, device_rate: "
                                         "0.5, "
                                         "peer_rate: 7}\n",
                                         &o, &e),
                        0);
        assert_string_equal(o->multicast, "ff02::fd");
        assert_string_equal(o->secure_address, "::");
        assert_int_equal(o->secure_port, 5684);
        assert_false(o->observe);
        assert_int_equal(o->limits.payload, 1024);
        assert_true(o->limits.device_rate == 0.5);
        coap_options_free(&o->common);
}

static void mistakes_have_a_place(void **state) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "plain: {}\n", "w.yaml:1:1: key 'name' is missing" },
                { "name: 'a b'\n", "w.yaml:1:1: name 'a b'" },
                { "name: c\nplain: {address: localhost}\n",
                                "w.yaml:2:8: address 'localhost': expected an IPv4" },
                { "name: c\nplain: {port: 0}\n", "w.yaml:2:15: port" },
                { "name: c\nplain: {port: 65536}\n", "w.yaml:2:15: port" },
                { "name: c\nplain: {multicast: 10.0.0.1}\n", "w.yaml:2:8: multicast '10.0.0.1'" },
                { "name: c\nplain: {multicast: 224.0.1.187}\n", "multicast: only with address 0.0.0.0" },
                { "name: c\nsecure: {}\n", "w.yaml:2:9: secure: expected psk_file, or ca" },
                { "name: c\nsecure: {ca: x, cert: y}\n", "w.yaml:2:9: secure: expected ca, cert and key" },
                { "name: c\nsecure: {psk_file: /nowhere}\n", "/nowhere: No such file" },
                { "name: c\nsecure: {psk_file: /nowhere, credential: x}\n", "not both" },
                { "name: c\nsecure: {credential: x}\n", "the service manager passed none" },
                { "name: c\nmap: none\n", "w.yaml:1:1: map 'none': no such entry" },
                { "name: c\nlimits: {payload: 1M}\n", "w.yaml:2:19: payload" },
                { "name: c\nlimits: {session: 1}\n", "did you mean 'sessions'?" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                CoapOptions *o = NULL;
                Error e = { "" };
                if (read_item(*state, cases[i].text, &o, &e) == 0)
                        fail_msg("%s: accepted", cases[i].text);
                if (!strstr(e.message, cases[i].message))
                        fail_msg("'%s', not '%s'", e.message, cases[i].message);
        }
}

/* --- devices.yaml --- */

static int read_devices(const Fixture *f, const char *text, SourceDevices **ret, Error *e) {
        _cleanup_(yaml_unloadp) YamlDocument *document = NULL;

        int r = yaml_load("d.yaml", BYTES_STRING(text), &document, e);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(document);
        return coap_devices_read(&root, f->maps, ret, e);
}

static void devices_are_found_by_id_and_identity(void **state) {
        SourceDevices *d = NULL;
        Error e = { "" };

        assert_int_equal(read_devices(*state,
                                         "devices:\n  - {id: d1}\n  - {id: d2, coap: {identity: bed-2, "
                                         "format: json, "
                                         "map: climate}}\n"
                                         "  - {id: d3, coap: {observe: "
                                         "'coap://[2001:db8::7]:61616/a/b?c=d&e', "
                                         "silence: 30s}}\n",
                                         &d, &e),
                        0);
        assert_int_equal(coap_devices_count(d), 2);
        assert_null(coap_devices_find(d, "d1"));
        assert_string_equal(coap_devices_identity(d, "bed-2")->id, "d2");
        assert_int_equal(coap_devices_find(d, "d2")->format, DECODE_JSON);
        const CoapDevice *three = coap_devices_find(d, "d3");
        assert_true(three->observed);
        assert_false(three->target.secure);
        assert_string_equal(three->target.host, "2001:db8::7");
        assert_int_equal(three->target.port, 61616);
        assert_string_equal(three->target.path, "a/b");
        assert_string_equal(three->target.query, "c=d&e");
        assert_int_equal(three->silence_us, 30 * USEC_PER_SEC);
        assert_int_equal(three->format, COAP_FORMAT_NONE);
        coap_devices_free(d);
        assert_null(coap_devices_find(NULL, "d1"));
}

static void mistakes_of_devices_have_a_place(void **state) {
        static const struct {
                const char *coap, *message;
        } cases[] = {
                { "{identity: 'a b'}", "d.yaml:1:26: identity: expected" },
                { "{map: none}", "map 'none': no such entry" },
                { "{format: xml}", "d.yaml:1:35: format: 'xml'" },
                { "{silence: 10s}", "only with observe" },
                { "{key_file: x}", "only with observe" },
                { "{observe: 'coap://10.0.0.1/x', key_file: x}", "key_file: only with coaps" },
                { "{observe: 'coaps://10.0.0.1/x'}", "needs identity and key_file" },
                { "{observe: 'coaps://10.0.0.1/x', identity: a, key_file: /nowhere}",
                                "/nowhere: No such file" },
                { "{observe: 'http://10.0.0.1/x'}", "expected coap:// or coaps://" },
                { "{identity: a}}, {id: d2, coap: {identity: a}", "identity 'a' is the device d1's" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char text[256];
                SourceDevices *d = NULL;
                Error e = { "" };
                (void) snprintf(text, sizeof text, "devices: [{id: d1, coap: %s}]\n", cases[i].coap);
                if (read_devices(*state, text, &d, &e) == 0)
                        fail_msg("%s: accepted", text);
                if (!strstr(e.message, cases[i].message))
                        fail_msg("'%s', not '%s'", e.message, cases[i].message);
        }
}

static void targets_are_addresses(void **state) {
        static const struct {
                const char *uri, *host, *path;
                uint16_t port;
                bool secure;
        } good[] = {
                { "coap://10.0.0.1", "10.0.0.1", "", 5683, false },
                { "coap://10.0.0.1/", "10.0.0.1", "", 5683, false },
                { "coaps://[::1]/a", "::1", "a", 5684, true },
                { "coap://[fe80::1]:1?q", "fe80::1", "", 1, false },
        };
        static const char *const bad[] = { "coap:/10.0.0.1", "coap://", "coap://bed-7/x", "coap://10.0.0/x",
                "coap://[::1/x", "coap://[10.0.0.1]/x", "coap://::1/x", "coap://10.0.0.1:/x",
                "coap://10.0.0.1:0/x", "coap://10.0.0.1:65536/x", "coap://10.0.0.1:x/x",
                "coap://10.0.0.1/a%20b", "coap://10.0.0.1/a b", "coap://10.0.0.1/#x",
                "coap://10.0.0.1/\xc3\xa4" };
        CoapTarget t;
        Error e;

        for (size_t i = 0; i < ELEMENTS(good); i++) {
                assert_int_equal(coap_target_parse(good[i].uri, &t, &e), 0);
                assert_string_equal(t.host, good[i].host);
                assert_string_equal(t.path, good[i].path);
                assert_int_equal(t.port, good[i].port);
                assert_int_equal(t.secure, good[i].secure);
                free(t.path);
                free(t.query);
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                if (coap_target_parse(bad[i], &t, &e) != -EINVAL)
                        fail_msg("%s: accepted", bad[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_least_listens_to_nobody),
                cmocka_unit_test(without_dtls_it_listens_to_this_box),
                cmocka_unit_test(everything_is_read),
                cmocka_unit_test(mistakes_have_a_place),
                cmocka_unit_test(devices_are_found_by_id_and_identity),
                cmocka_unit_test(mistakes_of_devices_have_a_place),
                cmocka_unit_test(targets_are_addresses),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
