/* An object's path, or an address, UUID or key, as BlueZ or a file might have it: what is taken for a characteristic, a device
 * or an address is written the same way again. */
#include <stdlib.h>
#include <string.h>

#include "ingest/ble_address.h"
#include "../fuzz/fuzz.h"

static void check_path(const char *text) {
        static const char adapter[] = "/org/bluez/hci0";
        BlePath p = ble_path_parse(adapter, text);
        char again[BLE_PATH_MAX];

        if (p.kind == BLE_PATH_DEVICE)
                ble_device_path(adapter, &p.device, again);
        else if (p.kind == BLE_PATH_CHARACTERISTIC)
                ble_characteristic_path(adapter, &p, again);
        else
                return;
        if (strcasecmp(text, again) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size);
        char again[BLE_ADDRESS_TEXT];
        uint8_t irk[BLE_IRK_SIZE];
        BleAddress a;

        if (!text)
                return 0;
        check_path(text);
        (void) ble_uuid_parse(text);
        if (ble_irk_parse(text, irk) == 0 && strlen(text) != 32)
                abort();
        if (ble_address_parse(text, &a) < 0)
                return 0;
        ble_address_format(&a, again);
        if (strcasecmp(text, again) != 0)
                abort();
        return 0;
}
