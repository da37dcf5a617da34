/* Devices (from devices.yaml), subjects and which device belongs to which subject now.
 *
 * A device that is assigned to nobody is a subject of its own (kind device, id "device:<id>"), so that its readings
 * have a key and a place. Rows are never removed while the process runs: a device that a reload took out of the
 * configuration stays as a row that is not registered. */
#pragma once

#include "model/reading.h"

/* GROUP: all subjects with one value of an attribute, such as a ward; alerts of rules across subjects are its. */
typedef enum SubjectKind { SUBJECT_PATIENT, SUBJECT_ASSET, SUBJECT_DEVICE, SUBJECT_GROUP } SubjectKind;

const char *subject_kind_name(SubjectKind k); /* "patient", "asset", "device", "group" */
int subject_kind_parse(const char *text, SubjectKind *ret) _must_check_;

enum {
        ATTRIBUTES_MAX = 16,      /* of a subject */
        ATTRIBUTE_NAME_MAX = 24,  /* with the NUL: [a-z][a-z0-9_]* */
        ATTRIBUTE_VALUE_MAX = 32, /* with the NUL: a name, see name_is_valid() */
};

/* What operators say of a subject: "ward" = "7", "spo2_scale" = "2", or a limit of its own: "spo2_low" = "86". */
typedef struct Attribute {
        char name[ATTRIBUTE_NAME_MAX];
        char value[ATTRIBUTE_VALUE_MAX];
} Attribute;

typedef struct Subject {
        SubjectId id;
        char name[NAME_MAX_LENGTH];  /* pseudonym: never a patient's name */
        char label[NAME_MAX_LENGTH]; /* where it is shown: "Bed 7" */
        SubjectKind kind;
        Attribute *attributes; /* by name */
        size_t attribute_count;
} Subject;

typedef struct Device {
        DeviceId id;
        char name[NAME_MAX_LENGTH];
        char model[NAME_MAX_LENGTH]; /* may be empty */
        bool registered;             /* listed in the configuration in force */
        SubjectId own_subject;       /* "device:<id>" */
        SubjectId subject;           /* whom it belongs to now */
        int64_t assigned_us;         /* wall clock since when, TIME_NONE for always */
        uint32_t stream;             /* ledger stream, 0 until its first entry */
        uint64_t next_seq;           /* the device's own sequence expected next, 0 where unknown */
} Device;

enum {
        DEVICES_MAX = 4096,
        SUBJECTS_MAX = 16384,
        DEVICE_NAME_MAX = NAME_MAX_LENGTH - 7, /* with the NUL: "device:<id>" is a name too */
};

typedef struct Registry Registry;

int registry_new(Registry **ret) _must_check_;
Registry *registry_free(Registry *r);
DEFINE_CLEANUP(Registry *, registry_free);

/* A name of 1 to 63 of [A-Za-z0-9._:-], not starting with '.', so that it can be a file's and a topic's part. */
bool name_is_valid(const char *name);

/* Reads devices.yaml's root (`devices:` list of id, model). All rows are marked unregistered first, then those listed
 * registered; on failure nothing is registered or unregistered. Duplicate ids are refused with both lines. */
int registry_read(Registry *r, const YamlNode *root, Error *e) _must_check_;

const Device *registry_find_device(const Registry *r, const char *name);
Device *registry_device(Registry *r, DeviceId id);
size_t registry_device_count(const Registry *r);
/* A row for a device that no configuration lists: its readings go to quarantine. -ENOSPC at DEVICES_MAX, -EINVAL where
 * the name is not valid or has DEVICE_NAME_MAX characters or more. Its row where there is one already. */
int registry_add_unregistered(Registry *r, const char *name, DeviceId *ret) _must_check_;

const Subject *registry_find_subject(const Registry *r, const char *name);
const Subject *registry_subject(const Registry *r, SubjectId id);
size_t registry_subject_count(const Registry *r);

/* From now_us on, the device belongs to the subject, which is made where it is new (-ENOSPC at SUBJECTS_MAX). -EINVAL
 * where it exists with another kind, where the kind is device (that is what release is for) or where subject or label
 * is not valid. A non-empty label replaces the old one. */
int registry_assign(Registry *r, DeviceId device, const char *subject, SubjectKind kind, const char *label,
                int64_t now_us, SubjectId *ret) _must_check_;
/* The device is its own subject again. */
int registry_release(Registry *r, DeviceId device, int64_t now_us) _must_check_;

/* Whether a subject can have it; value may be "". */
bool attribute_is_valid(const char *name, const char *value);
/* "" where the subject hasn't that attribute. */
const char *subject_attribute(const Subject *s, const char *name);
/* value "": takes the attribute away. -EINVAL where name or value is not valid, -ENOSPC at ATTRIBUTES_MAX. */
int registry_set_attribute(Registry *r, SubjectId s, const char *name, const char *value) _must_check_;
/* A patient, asset or device before any device is assigned to it; its row where there is one. -EINVAL, -ENOSPC as in
 * registry_assign(). */
int registry_add_subject(Registry *r, const char *subject, SubjectKind kind, SubjectId *ret) _must_check_;
/* The group of all with that value of the attribute: subject "group:<attribute>:<value>", made where it is new.
 * value "": of all without the attribute, "group:<attribute>:". -ENOSPC at SUBJECTS_MAX. */
int registry_group(Registry *r, const char *attribute, const char *value, SubjectId *ret) _must_check_;
/* The same by the group's whole name; -ENOENT for a name that isn't a group's. */
int registry_group_named(Registry *r, const char *name, SubjectId *ret) _must_check_;
