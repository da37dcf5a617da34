/* Devices and subjects: who is registered, and whose readings are whose. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "model/registry.h"

static int set_up(void **state) {
        return registry_new((Registry **) state);
}

static int tear_down(void **state) {
        registry_free(*state);
        return 0;
}

static int read_devices(Registry *r, const char *text, Error *e) {
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;

        int k = yaml_load("d.yaml", BYTES_STRING(text), &d, e);
        if (k < 0)
                return k;
        YamlNode root = yaml_root(d);
        return registry_read(r, &root, e);
}

static void names_can_be_files_and_topics(void **state) {
        char longest[NAME_MAX_LENGTH + 1];

        memset(longest, 'a', sizeof longest);
        longest[NAME_MAX_LENGTH] = '\0';
        assert_false(name_is_valid(longest));
        longest[NAME_MAX_LENGTH - 1] = '\0';
        assert_true(name_is_valid(longest));
        assert_true(name_is_valid("Bed_7.a:b-c"));
        assert_false(name_is_valid(""));
        assert_false(name_is_valid(".hidden"));
        assert_false(name_is_valid("a/b"));
        assert_false(name_is_valid("a b"));
        assert_false(name_is_valid("bed\xc3\xa9"));
}

static void listed_devices_are_registered(void **state) {
        Registry *r = *state;
        Error e = { "" };
        DeviceId id;

        assert_int_equal(read_devices(r, "devices:\n  - {id: oxi-1, model: X9}\n  - {id: oxi-2}\n", &e), 0);
        const Device *d = registry_find_device(r, "oxi-1");
        assert_non_null(d);
        assert_true(d->registered);
        assert_string_equal(d->model, "X9");
        assert_int_equal(d->assigned_us, TIME_NONE);
        /* a subject of its own */
        const Subject *own = registry_subject(r, d->subject);
        assert_string_equal(own->name, "device:oxi-1");
        assert_int_equal(own->kind, SUBJECT_DEVICE);
        assert_ptr_equal(own, registry_find_subject(r, "device:oxi-1"));
        assert_null(registry_find_device(r, "oxi-3"));
        assert_int_equal(registry_add_unregistered(r, "oxi-3", &id), 0);
        assert_false(registry_device(r, id)->registered);
        assert_ptr_equal(registry_find_device(r, "oxi-3"), registry_device(r, id));
        assert_int_equal(registry_device_count(r), 3);
}

static void a_reload_keeps_rows_and_assignments(void **state) {
        Registry *r = *state;
        Error e = { "" };
        SubjectId s;

        assert_int_equal(read_devices(r, "devices: [{id: a}, {id: b, model: old}]\n", &e), 0);
        const Device *a = registry_find_device(r, "a"), *b = registry_find_device(r, "b");
        assert_int_equal(registry_assign(r, b->id, "p1", SUBJECT_PATIENT, "Bed 1", 100, &s), 0);
        assert_int_equal(read_devices(r, "devices: [{id: b}, {id: c}]\n", &e), 0);
        assert_false(a->registered);
        assert_true(b->registered);
        assert_int_equal(b->subject, s);
        assert_string_equal(b->model, "");
        assert_ptr_equal(registry_find_device(r, "a"), a);
        /* a mistake changes nothing */
        assert_int_equal(read_devices(r, "devices: [{id: a}, {id: a}]\n", &e), -EINVAL);
        assert_false(a->registered);
        assert_true(b->registered);
}

static void mistakes_in_devices_have_a_place(void **state) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "devices:\n  - {id: a}\n  - {id: b}\n  - {id: a}\n",
                                "d.yaml:4:5: device 'a' is listed twice, first on line 2" },
                { "devices:\n  - {model: x}\n", "d.yaml:2:5: key 'id' is missing" },
                { "devices:\n  - {id: 'a b'}\n", "d.yaml:2:5: id: 'a b': expected 1 to 56 of" },
                { "devices:\n  - {id: a, modle: x}\n",
                                "d.yaml:2:13: unknown key 'modle': did you mean 'model'?" },
                { "devices: 3\n", "d.yaml:1:10: " },
                { "device: []\n", "d.yaml:1:1: unknown key 'device': did you mean 'devices'?" },
        };
        Error e;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(read_devices(*state, cases[i].text, &e), -EINVAL);
                if (!startswith(e.message, cases[i].message))
                        fail_msg("'%s' is not '%s'", e.message, cases[i].message);
        }
}

static void a_device_changes_hands(void **state) {
        Registry *r = *state;
        SubjectId p1, again;
        DeviceId a, b;

        assert_int_equal(registry_add_unregistered(r, "a", &a), 0);
        assert_int_equal(registry_add_unregistered(r, "b", &b), 0);
        assert_int_equal(registry_assign(r, a, "p1", SUBJECT_PATIENT, "Bed 1", 100, &p1), 0);
        assert_int_equal(registry_device(r, a)->subject, p1);
        assert_int_equal(registry_device(r, a)->assigned_us, 100);
        assert_string_equal(registry_subject(r, p1)->label, "Bed 1");
        /* the same subject for a second device; an empty label leaves the old one */
        assert_int_equal(registry_assign(r, b, "p1", SUBJECT_PATIENT, "", 200, &again), 0);
        assert_int_equal(again, p1);
        assert_string_equal(registry_subject(r, p1)->label, "Bed 1");
        assert_int_equal(registry_release(r, a, 300), 0);
        assert_int_equal(registry_device(r, a)->subject, registry_device(r, a)->own_subject);
        assert_int_equal(registry_device(r, a)->assigned_us, 300);
        assert_int_equal(registry_device(r, b)->subject, p1);
}

static void assignments_that_make_no_sense_are_refused(void **state) {
        Registry *r = *state;
        SubjectId s;
        DeviceId a;

        assert_int_equal(registry_add_unregistered(r, "a", &a), 0);
        assert_int_equal(registry_assign(r, a, "p1", SUBJECT_PATIENT, "", 1, &s), 0);
        assert_int_equal(registry_assign(r, a, "p1", SUBJECT_ASSET, "", 2, &s), -EINVAL);
        assert_int_equal(registry_assign(r, a, "device:b", SUBJECT_PATIENT, "", 2, &s), -EINVAL);
        assert_int_equal(registry_assign(r, a, "p2", SUBJECT_DEVICE, "", 2, &s), -EINVAL);
        assert_int_equal(registry_assign(r, a, "../p2", SUBJECT_PATIENT, "", 2, &s), -EINVAL);
        assert_int_equal(registry_device(r, a)->assigned_us, 1);
}

static void strangers_are_bounded(void **state) {
        Registry *r = *state;
        char name[NAME_MAX_LENGTH];
        DeviceId id;

        memset(name, 'x', DEVICE_NAME_MAX);
        name[DEVICE_NAME_MAX] = '\0';
        assert_int_equal(registry_add_unregistered(r, name, &id), -EINVAL);
        name[DEVICE_NAME_MAX - 1] = '\0';
        assert_int_equal(registry_add_unregistered(r, name, &id), 0);
        assert_int_equal(strlen(registry_subject(r, registry_device(r, id)->own_subject)->name),
                        NAME_MAX_LENGTH - 1);
        for (int i = 1; i < DEVICES_MAX; i++) {
                (void) snprintf(name, sizeof name, "stranger-%d", i);
                assert_int_equal(registry_add_unregistered(r, name, &id), 0);
        }
        assert_int_equal(registry_add_unregistered(r, "one-more", &id), -ENOSPC);
        assert_int_equal(registry_add_unregistered(r, "stranger-77", &id), 0);
        assert_string_equal(registry_device(r, id)->name, "stranger-77");
}

static void kinds_have_names(void **state) {
        SubjectKind k;

        assert_int_equal(subject_kind_parse("asset", &k), 0);
        assert_int_equal(k, SUBJECT_ASSET);
        assert_string_equal(subject_kind_name(SUBJECT_DEVICE), "device");
        assert_int_equal(subject_kind_parse("person", &k), -EINVAL);
}

static void subjects_have_attributes(void **state) {
        Registry *r = *state;
        char name[ATTRIBUTE_NAME_MAX];
        SubjectId id;

        assert_int_equal(registry_add_subject(r, "stay-1", SUBJECT_PATIENT, &id), 0);
        const Subject *s = registry_subject(r, id);
        assert_string_equal(subject_attribute(s, "ward"), "");
        assert_int_equal(registry_set_attribute(r, id, "ward", "7"), 0);
        assert_int_equal(registry_set_attribute(r, id, "spo2_low", "86.5"), 0);
        assert_int_equal(registry_set_attribute(r, id, "ward", "8"), 0);
        assert_int_equal(s->attribute_count, 2);
        assert_string_equal(s->attributes[0].name, "spo2_low"); /* by name */
        assert_string_equal(subject_attribute(s, "ward"), "8");
        assert_int_equal(registry_set_attribute(r, id, "spo2_low", ""), 0);
        assert_int_equal(registry_set_attribute(r, id, "never", ""), 0);
        assert_int_equal(s->attribute_count, 1);
        assert_string_equal(subject_attribute(s, "ward"), "8");
        for (int i = 0; i < ATTRIBUTES_MAX - 1; i++) {
                (void) snprintf(name, sizeof name, "a%d", i);
                assert_int_equal(registry_set_attribute(r, id, name, "x"), 0);
        }
        assert_int_equal(registry_set_attribute(r, id, "more", "x"), -ENOSPC);
        assert_int_equal(registry_set_attribute(r, id, "ward", "9"), 0);
}

static void attributes_have_plain_names_and_values(void **state) {
        static const struct {
                const char *name, *value;
        } bad[] = { { "", "x" }, { "Ward", "x" }, { "7", "x" }, { "a-b", "x" }, { "ward", "a b" },
                { "ward", "a,b" }, { "ward", "a=b" }, { "abcdefghijklmnopqrstuvwx", "x" },
                { "ward", "12345678901234567890123456789012" } };

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_false(attribute_is_valid(bad[i].name, bad[i].value));
        assert_true(attribute_is_valid("abcdefghijklmnopqrstuvw", "1234567890123456789012345678901"));
        assert_true(attribute_is_valid("ward", ""));
}

static void groups_are_subjects_of_their_own(void **state) {
        Registry *r = *state;
        SubjectId ward, again, none, id;

        assert_int_equal(registry_group(r, "ward", "7", &ward), 0);
        assert_int_equal(registry_group(r, "ward", "7", &again), 0);
        assert_int_equal(ward, again);
        assert_int_equal(registry_subject(r, ward)->kind, SUBJECT_GROUP);
        assert_string_equal(registry_subject(r, ward)->name, "group:ward:7");
        assert_int_equal(registry_group(r, "ward", "", &none), 0);
        assert_true(none != ward);
        assert_int_equal(registry_group_named(r, "group:ward:7", &again), 0);
        assert_int_equal(ward, again);
        assert_int_equal(registry_group_named(r, "group:floor:3", &id), 0);
        assert_int_equal(registry_group_named(r, "stay-1", &id), -ENOENT);
        assert_int_equal(registry_group_named(r, "group:ward", &id), -ENOENT);
        /* nobody's device can be assigned to one */
        assert_int_equal(registry_add_subject(r, "group:ward:7", SUBJECT_PATIENT, &id), -EINVAL);
        assert_int_equal(registry_add_subject(r, "stay-1", SUBJECT_GROUP, &id), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_can_be_files_and_topics),
                cmocka_unit_test_setup_teardown(listed_devices_are_registered, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_reload_keeps_rows_and_assignments, set_up, tear_down),
                cmocka_unit_test_setup_teardown(mistakes_in_devices_have_a_place, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_device_changes_hands, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                assignments_that_make_no_sense_are_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(strangers_are_bounded, set_up, tear_down),
                cmocka_unit_test(kinds_have_names),
                cmocka_unit_test_setup_teardown(subjects_have_attributes, set_up, tear_down),
                cmocka_unit_test(attributes_have_plain_names_and_values),
                cmocka_unit_test_setup_teardown(groups_are_subjects_of_their_own, set_up, tear_down),
        };

        return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
