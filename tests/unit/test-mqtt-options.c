/* An item of `mqtt:`: what it fills in, and that each mistake has a place. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/fd.h"
#include "ingest/mqtt_options.h"

static const char maps_text[] =
                "climate:\n  readings:\n    - {pointer: /temperature, vital: ambient_temp}\n";

static int read_item(const char *text, MqttOptions **ret, Error *e) {
        _cleanup_(catalogue_freep) Catalogue *catalogue = NULL;
        _cleanup_(mapping_set_freep) MappingSet *maps = NULL;
        _cleanup_(yaml_unloadp) YamlDocument *maps_document = NULL, *document = NULL;

        assert_int_equal(catalogue_new(&catalogue), 0);
        assert_int_equal(yaml_load("maps.yaml", BYTES_STRING(maps_text), &maps_document, e), 0);
        YamlNode maps_root = yaml_root(maps_document);
        assert_int_equal(mapping_set_read(&maps_root, catalogue, &maps, e), 0);

        int r = yaml_load("w.yaml", BYTES_STRING(text), &document, e);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(document);
        r = mqtt_options_read(&root, maps, ret, e);
        if (r == 0 && (*ret)->topics[0].decoding.format == DECODE_JSON)
                assert_ptr_equal((*ret)->topics[0].decoding.mapping, mapping_set_find(maps, "climate"));
        return r;
}

static MqttOptions *read_good_item(const char *text) {
        MqttOptions *o = NULL;
        Error e = { "" };

        if (read_item(text, &o, &e) < 0 || !o) {
                print_error("%s\n", e.message);
                abort();
        }
        return o;
}

static void the_least_has_defaults(void **state) {
        _cleanup_(mqtt_options_freep) MqttOptions *o =
                        read_good_item("name: local\nclient_id: w7\ntopics:\n"
                                       "  - {filter: ward/+/senml, device: 'ward/{device}/senml', format: "
                                       "senml+json}\n");

        assert_string_equal(o->common.name, "local");
        assert_string_equal(o->host, "127.0.0.1");
        assert_int_equal(o->port, 1883);
        assert_int_equal(o->keepalive_us, 30 * USEC_PER_SEC);
        assert_false(o->tls);
        assert_null(o->password);
        assert_int_equal(o->topic_count, 1);
        assert_string_equal(o->filters[0], "ward/+/senml");
        assert_int_equal(o->topics[0].decoding.format, DECODE_SENML_JSON);
}

static void everything_is_read(void **state) {
        _cleanup_(mqtt_options_freep) MqttOptions *o = read_good_item(
                        "name: local\nhost: 10.0.0.5\nclient_id: w7\nusername: u\nkeepalive: 1m\n"
                        "tls: {ca: ca.pem, cert: c.pem, key: k.pem, server_name: broker}\n"
                        "topics: [{filter: z/+, device: 'z/{device}', format: json, map: "
                        "climate}]\n");

        assert_true(o->tls);
        assert_int_equal(o->port, 8883);
        assert_string_equal(o->server_name, "broker");
        assert_int_equal(o->keepalive_us, 60 * USEC_PER_SEC);
}

static void mistakes_have_a_place(void **state) {
        static const char topics[] = "topics: [{filter: a/+, device: 'a/{device}', format: senml+json}]\n";
        static const struct {
                const char *text, *message;
                bool with_topics;
        } cases[] = {
                { "name: a b\nclient_id: w\n", "w.yaml:1:1: name 'a b'", true },
                { "name: a\n", "w.yaml:1:1: key 'client_id' is missing", true },
                { "name: a\nclient_id: w/7\n", "w.yaml:2:12: client_id: expected", true },
                { "name: a\nclient_id: [w]\n", "w.yaml:2:12: client_id: expected", true },
                { "name: a\nclient_id: w\nport: 0\n", "w.yaml:3:7: port: '0'", true },
                { "name: a\nclient_id: w\nkeepalive: 1s\n", "w.yaml:3:12: keepalive: '1s'", true },
                { "name: a\nclient_id: w\ntls: {cert: c}\n", "w.yaml:3:6: key 'ca' is missing", true },
                { "name: a\nclient_id: w\ntls: {ca: a, key: c}\n", "w.yaml:3:6: tls: expected cert and key",
                                true },
                { "name: a\nclient_id: w\npassword_file: /x\n", "w.yaml:1:1: a password needs a username",
                                true },
                { "name: a\nclient_id: w\nusername: u\npassword_file: /x\ncredential: c\n",
                                "w.yaml:1:1: expected password_file or credential", true },
                { "name: a\nclient_id: w\nusername: u\npassword_file: /nonexistent\n",
                                "w.yaml:1:1: /nonexistent", true },
                { "name: a\nclient_id: w\nusername: u\ncredential: ../x\n", "w.yaml:1:1: credential '../x'",
                                true },
                { "name: a\nclient_id: w\n", "w.yaml:1:1: key 'topics' is missing", false },
                { "name: a\nclient_id: w\ntopics: []\n", "w.yaml:3:9: topics: expected 1 to", false },
                { "name: a\nclient_id: w\ntopics:\n- {filter: a/+, device: 'b/{device}', format: "
                  "senml+json}\n",
                                "w.yaml:4:25: 'b/{device}' can never match", false },
                { "name: a\nclient_id: w\ntopics:\n- {filter: a/+, device: 'a/{device}', format: xml}\n",
                                "w.yaml:4:47: format: 'xml'", false },
                { "name: a\nclient_id: w\ntopics:\n- {filter: a/+, device: 'a/{device}', format: json}\n",
                                "w.yaml:4:12: format json needs a map", false },
                { "name: a\nclient_id: w\ntopics:\n"
                  "- {filter: a/+, device: 'a/{device}', format: json, map: climat}\n",
                                "w.yaml:4:58: map 'climat'", false },
                { "name: a\nclient_id: w\ntopics:\n"
                  "- {filter: a/+, device: 'a/{device}', format: senml+cbor, map: climate}\n",
                                "w.yaml:4:64: map: only format json", false },
                { "name: a\nclient_id: w\ntopics:\n- {filter: [a], device: 'a/{device}', format: "
                  "senml+cbor}\n",
                                "w.yaml:4:12: filter: expected a text", false },
                { "name: a\nclient_id: w\ntopics:\n- {filter: a/+, device: 'a/{device}', format: "
                  "senml+cbor}\n"
                  "- {filter: a/+, device: 'a/{device}', format: senml+json}\n",
                                "w.yaml:5:12: filter 'a/+' is given twice", false },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(mqtt_options_freep) MqttOptions *o = NULL;
                char text[1024];
                Error e = { "" };

                (void) snprintf(text, sizeof text, "%s%s", cases[i].text,
                                cases[i].with_topics ? topics : "");
                assert_int_not_equal(read_item(text, &o, &e), 0);
                if (!startswith(e.message, cases[i].message))
                        fail_msg("case %zu: '%s', not '%s'", i, e.message, cases[i].message);
                assert_null(o);
        }
}

static void a_password_comes_from_a_file(void **state) {
        char folder[] = "/tmp/mqtt-options-XXXXXX", path[64];

        assert_non_null(mkdtemp(folder));
        (void) snprintf(path, sizeof path, "%s/broker", folder);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs("secret\n", f) >= 0);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(chmod(path, 0600), 0);
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);

        _cleanup_(mqtt_options_freep) MqttOptions *o = read_good_item(
                        "name: a\nclient_id: w\nusername: u\ncredential: broker\n"
                        "topics: [{filter: a/+, device: 'a/{device}', format: senml+json}]\n");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(folder), 0);
        assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
        assert_string_equal(o->password, "secret");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_least_has_defaults),
                cmocka_unit_test(everything_is_read),
                cmocka_unit_test(mistakes_have_a_place),
                cmocka_unit_test(a_password_comes_from_a_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
