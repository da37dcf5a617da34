#include "ingest/source.h"

const SourceKind *const source_kinds[SOURCE_KINDS] = { &mqtt_kind, &coap_kind, &ble_kind };

const char *const source_alert_names[] = { "ObserveLost", "BluetoothPairing", "BluetoothFailed", NULL };

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
