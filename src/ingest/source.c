#include "ingest/source.h"

#include <errno.h>
#include <stdio.h>

const SourceKind *const source_kinds[SOURCE_KINDS] = { &mqtt_kind, &coap_kind, &ble_kind };

const char *const source_alert_names[] = { "ObserveLost", "BluetoothPairing", "BluetoothFailed", NULL };

int source_secret_file(
                const YamlNode *item, const char *key, const char *credential, char **file, Error *e) {
        const char *folder = getenv("CREDENTIALS_DIRECTORY");
        char *path;

        if (!credential)
                return 0;
        if (*file)
                return yaml_error(item, e, -EINVAL, "expected %s or credential, not both", key);
        if (!folder || !name_is_valid(credential))
                return yaml_error(item, e, -EINVAL, "credential '%.64s': %s", credential,
                                folder ? "expected a file's name"
                                       : "the service manager passed none (LoadCredential=)");
        if (asprintf(&path, "%s/%s", folder, credential) < 0)
                return -ENOMEM;
        *file = path;
        return 0;
}

int source_device_sections(
                const YamlNode *root, const char *section, DeviceSectionFn fn, void *userdata, Error *e) {
        YamlNode list = yaml_get(root, "devices");

        for (size_t i = 0; i < yaml_length(&list); i++) {
                YamlNode item = yaml_item(&list, i), id = yaml_get(&item, "id"),
                         node = yaml_get(&item, section);
                if (!yaml_present(&node))
                        continue;
                int r = fn(userdata, yaml_text(&id), &node, e);
                if (r < 0)
                        return r;
        }
        return 0;
}
