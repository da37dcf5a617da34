#include "model/registry.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "model/name_index.h"

static const char own_prefix[] = "device:", group_prefix[] = "group:";
static_assert(sizeof own_prefix - 1 + DEVICE_NAME_MAX == NAME_MAX_LENGTH, "\"device:<id>\" is a name");
static_assert(sizeof group_prefix + ATTRIBUTE_NAME_MAX + ATTRIBUTE_VALUE_MAX <= NAME_MAX_LENGTH,
                "\"group:<attribute>:<value>\" is a name");

/* Rows are allocated one by one: pointers to them and to their names stay good. */
struct Registry {
        Device *devices[DEVICES_MAX];
        Subject *subjects[SUBJECTS_MAX];
        size_t device_count, subject_count;
        NameIndex device_index, subject_index;
};

static const char *const kind_names[] = {
        [SUBJECT_PATIENT] = "patient",
        [SUBJECT_ASSET] = "asset",
        [SUBJECT_DEVICE] = "device",
        [SUBJECT_GROUP] = "group",
};

const char *subject_kind_name(SubjectKind k) {
        return kind_names[k];
}

int subject_kind_parse(const char *text, SubjectKind *ret) {
        for (size_t i = 0; i < ELEMENTS(kind_names); i++)
                if (streq(text, kind_names[i])) {
                        *ret = (SubjectKind) i;
                        return 0;
                }
        return -EINVAL;
}

static bool is_name_character(char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '.' ||
               c == '_' || c == ':' || c == '-';
}

bool name_is_valid(const char *name) {
        size_t n = 0;

        while (n < NAME_MAX_LENGTH && is_name_character(name[n]))
                n++;
        return n > 0 && n < NAME_MAX_LENGTH && name[n] == '\0' && name[0] != '.';
}

static bool device_name_is_valid(const char *name) {
        return name_is_valid(name) && strlen(name) < DEVICE_NAME_MAX;
}

int registry_new(Registry **ret) {
        Registry *r = calloc(1, sizeof *r);

        if (!r)
                return -ENOMEM;
        *ret = r;
        return 0;
}

Registry *registry_free(Registry *r) {
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->device_count; i++)
                free(r->devices[i]);
        for (size_t i = 0; i < r->subject_count; i++) {
                free(r->subjects[i]->attributes);
                free(r->subjects[i]);
        }
        name_index_done(&r->device_index);
        name_index_done(&r->subject_index);
        free(r);
        return NULL;
}

static int add_subject(Registry *r, const char *name, SubjectKind kind, const char *label, SubjectId *ret) {
        if (r->subject_count == SUBJECTS_MAX)
                return -ENOSPC;
        _cleanup_free_ Subject *s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->id = (SubjectId) r->subject_count;
        s->kind = kind;
        (void) snprintf(s->name, sizeof s->name, "%s", name);
        (void) snprintf(s->label, sizeof s->label, "%s", label);
        if (name_index_add(&r->subject_index, s->name, s->id) < 0)
                return -ENOMEM;
        *ret = s->id;
        r->subjects[r->subject_count++] = TAKE(s);
        return 0;
}

/* The subject "device:<id>": made with the device's row, or left there by a row that could not be finished. */
static int add_own_subject(Registry *r, const char *device, SubjectId *ret) {
        char name[NAME_MAX_LENGTH];

        (void) snprintf(name, sizeof name, "%s%s", own_prefix, device);
        if (name_index_find(&r->subject_index, name, ret))
                return 0;
        return add_subject(r, name, SUBJECT_DEVICE, device, ret);
}

int registry_add_unregistered(Registry *r, const char *name, DeviceId *ret) {
        int k;

        if (!device_name_is_valid(name))
                return -EINVAL;
        if (name_index_find(&r->device_index, name, ret))
                return 0;
        if (r->device_count == DEVICES_MAX)
                return -ENOSPC;
        _cleanup_free_ Device *d = calloc(1, sizeof *d);
        if (!d)
                return -ENOMEM;
        if ((k = add_own_subject(r, name, &d->own_subject)) < 0)
                return k;
        d->id = (DeviceId) r->device_count;
        (void) snprintf(d->name, sizeof d->name, "%s", name);
        d->subject = d->own_subject;
        d->assigned_us = TIME_NONE;
        if (name_index_add(&r->device_index, d->name, d->id) < 0)
                return -ENOMEM;
        *ret = d->id;
        r->devices[r->device_count++] = TAKE(d);
        return 0;
}

typedef struct DeviceFields {
        char *id, *model;
        YamlNode coap, ble; /* for the sources of that kind to read */
        DeviceId row;
} DeviceFields;

typedef struct DeviceFieldsList {
        DeviceFields *items;
        size_t count;
} DeviceFieldsList;

static const YamlField device_fields[] = {
        { "id", YAML_STRING, offsetof(DeviceFields, id), .required = true },
        { "model", YAML_STRING, offsetof(DeviceFields, model) },
        { "coap", YAML_NODE, offsetof(DeviceFields, coap) },
        { "ble", YAML_NODE, offsetof(DeviceFields, ble) },
        { NULL },
};

static void device_fields_done(DeviceFieldsList *l) {
        for (size_t i = 0; i < l->count; i++) {
                free(l->items[i].id);
                free(l->items[i].model);
        }
        free(l->items);
}

static int read_device(const YamlNode *n, DeviceFields *ret, Error *e) {
        int k = yaml_read(n, device_fields, ret, e);
        if (k < 0)
                return k;
        if (!device_name_is_valid(ret->id))
                return yaml_error(n, e, -EINVAL,
                                "id: '%s': expected 1 to %d of A-Z a-z 0-9 . _ : -, not beginning with '.'",
                                ret->id, DEVICE_NAME_MAX - 1);
        if (ret->model && strlen(ret->model) >= NAME_MAX_LENGTH)
                return yaml_error(n, e, -EINVAL, "model: '%s' is longer than %d characters", ret->model,
                                NAME_MAX_LENGTH - 1);
        return 0;
}

/* Fills the rows' ids in; the new rows are not registered yet. */
static int add_rows(Registry *r, const YamlNode *list, DeviceFieldsList *l, Error *e) {
        _cleanup_(name_index_done) NameIndex seen = { 0 };
        uint32_t first;

        for (size_t i = 0; i < l->count; i++) {
                YamlNode item = yaml_item(list, i);
                if (name_index_find(&seen, l->items[i].id, &first)) {
                        YamlNode other = yaml_item(list, first);
                        return yaml_error(&item, e, -EINVAL, "device '%s' is listed twice, first on line %u",
                                        l->items[i].id, yaml_line(&other));
                }
                if (name_index_add(&seen, l->items[i].id, (uint32_t) i) < 0)
                        return error_set(e, -ENOMEM, "out of memory");
                int k = registry_add_unregistered(r, l->items[i].id, &l->items[i].row);
                if (k == -ENOSPC)
                        return yaml_error(&item, e, k,
                                        "more devices than fit: %d, with those that were removed or seen "
                                        "without being listed since the start",
                                        DEVICES_MAX);
                if (k < 0)
                        return error_set(e, k, "out of memory");
        }
        return 0;
}

int registry_read(Registry *r, const YamlNode *root, Error *e) {
        static const YamlField root_fields[] = { { "devices", YAML_NODE, 0 }, { NULL } };
        _cleanup_(device_fields_done) DeviceFieldsList l = { 0 };
        YamlNode list = { 0 };
        int k;

        if ((k = yaml_read(root, root_fields, &list, e)) < 0 ||
                        (k = yaml_expect_sequence(&list, "a list of devices", e)) < 0)
                return k;
        l.items = calloc(yaml_length(&list) + 1, sizeof *l.items);
        if (!l.items)
                return error_set(e, -ENOMEM, "out of memory");
        for (; l.count < yaml_length(&list); l.count++) {
                YamlNode item = yaml_item(&list, l.count);
                if ((k = read_device(&item, l.items + l.count, e)) < 0) {
                        l.count++; /* what was read of it is freed as well */
                        return k;
                }
        }
        if ((k = add_rows(r, &list, &l, e)) < 0)
                return k;
        for (size_t i = 0; i < r->device_count; i++)
                r->devices[i]->registered = false;
        for (size_t i = 0; i < l.count; i++) {
                Device *d = r->devices[l.items[i].row];
                d->registered = true;
                (void) snprintf(d->model, sizeof d->model, "%s", l.items[i].model ? l.items[i].model : "");
        }
        return 0;
}

const Device *registry_find_device(const Registry *r, const char *name) {
        uint32_t row;

        return name_index_find(&r->device_index, name, &row) ? r->devices[row] : NULL;
}

Device *registry_device(Registry *r, DeviceId id) {
        return r->devices[id];
}

size_t registry_device_count(const Registry *r) {
        return r->device_count;
}

const Subject *registry_find_subject(const Registry *r, const char *name) {
        uint32_t row;

        return name_index_find(&r->subject_index, name, &row) ? r->subjects[row] : NULL;
}

const Subject *registry_subject(const Registry *r, SubjectId id) {
        return r->subjects[id];
}

size_t registry_subject_count(const Registry *r) {
        return r->subject_count;
}

int registry_add_subject(Registry *r, const char *subject, SubjectKind kind, SubjectId *ret) {
        if ((kind != SUBJECT_PATIENT && kind != SUBJECT_ASSET) || !name_is_valid(subject) ||
                        startswith(subject, own_prefix) || startswith(subject, group_prefix))
                return -EINVAL;
        if (name_index_find(&r->subject_index, subject, ret))
                return r->subjects[*ret]->kind == kind ? 0 : -EINVAL;
        return add_subject(r, subject, kind, "", ret);
}

int registry_assign(Registry *r, DeviceId device, const char *subject, SubjectKind kind, const char *label,
                int64_t now_us, SubjectId *ret) {
        SubjectId id;

        if (strlen(label) >= NAME_MAX_LENGTH)
                return -EINVAL;
        int k = registry_add_subject(r, subject, kind, &id);
        if (k < 0)
                return k;
        if (label[0] != '\0')
                (void) snprintf(r->subjects[id]->label, NAME_MAX_LENGTH, "%s", label);
        r->devices[device]->subject = id;
        r->devices[device]->assigned_us = now_us;
        *ret = id;
        return 0;
}

int registry_release(Registry *r, DeviceId device, int64_t now_us) {
        Device *d = r->devices[device];

        d->subject = d->own_subject;
        d->assigned_us = now_us;
        return 0;
}

/* --- attributes and the groups that they make --- */

static bool attribute_name_is_valid(const char *name) {
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

        return name[0] >= 'a' && name[0] <= 'z' && n < ATTRIBUTE_NAME_MAX && name[n] == '\0';
}

bool attribute_is_valid(const char *name, const char *value) {
        return attribute_name_is_valid(name) &&
               (!value[0] || (name_is_valid(value) && strlen(value) < ATTRIBUTE_VALUE_MAX));
}

/* The attribute's place, or where it would be. */
static size_t find_attribute(const Subject *s, const char *name, bool *ret_found) {
        size_t i = 0;
        int order = 1;

        while (i < s->attribute_count && (order = strcmp(s->attributes[i].name, name)) < 0)
                i++;
        *ret_found = i < s->attribute_count && order == 0;
        return i;
}

const char *subject_attribute(const Subject *s, const char *name) {
        bool found;
        size_t i = find_attribute(s, name, &found);

        return found ? s->attributes[i].value : "";
}

static void remove_attribute(Subject *s, size_t i) {
        s->attribute_count--;
        memmove(&s->attributes[i], &s->attributes[i + 1], (s->attribute_count - i) * sizeof *s->attributes);
}

int registry_set_attribute(Registry *r, SubjectId id, const char *name, const char *value) {
        Subject *s = r->subjects[id];
        bool found;

        if (!attribute_is_valid(name, value))
                return -EINVAL;
        size_t i = find_attribute(s, name, &found);
        if (!value[0]) {
                if (found)
                        remove_attribute(s, i);
                return 0;
        }
        if (!found) {
                if (s->attribute_count == ATTRIBUTES_MAX)
                        return -ENOSPC;
                if (!s->attributes && !(s->attributes = calloc(ATTRIBUTES_MAX, sizeof *s->attributes)))
                        return -ENOMEM;
                memmove(&s->attributes[i + 1], &s->attributes[i],
                                (s->attribute_count - i) * sizeof *s->attributes);
                s->attribute_count++;
                (void) snprintf(s->attributes[i].name, sizeof s->attributes[i].name, "%s", name);
        }
        (void) snprintf(s->attributes[i].value, sizeof s->attributes[i].value, "%s", value);
        return 0;
}

int registry_group(Registry *r, const char *attribute, const char *value, SubjectId *ret) {
        char name[NAME_MAX_LENGTH];

        (void) snprintf(name, sizeof name, "%s%.*s:%.*s", group_prefix, ATTRIBUTE_NAME_MAX - 1, attribute,
                        ATTRIBUTE_VALUE_MAX - 1, value);
        if (name_index_find(&r->subject_index, name, ret))
                return 0;
        return add_subject(r, name, SUBJECT_GROUP, name + sizeof group_prefix - 1, ret);
}

int registry_group_named(Registry *r, const char *name, SubjectId *ret) {
        char attribute[ATTRIBUTE_NAME_MAX];
        const char *at = startswith(name, group_prefix) ? name + sizeof group_prefix - 1 : "";
        size_t len = strcspn(at, ":");

        if (at[len] != ':' || len >= sizeof attribute)
                return -ENOENT;
        memcpy(attribute, at, len);
        attribute[len] = '\0';
        return attribute_name_is_valid(attribute) ? registry_group(r, attribute, at + len + 1, ret)
                                                  : -ENOENT;
}
