#include "ingest/ble_options.h"

#include <errno.h>

enum { CONNECTIONS_DEFAULT = 7, CONNECTIONS_MAX = 64, ADAPTER_NAME_MAX = 15 };

static const double min_us = 1e5, hour_us = 3600e6, day_us = 86400e6; /* of durations */

BleOptions *ble_options_free(BleOptions *o) {
        if (!o)
                return NULL;
        free(o->common.name);
        free(o->adapter);
        free(o);
        return NULL;
}

static bool is_adapter_name(const char *name) {
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789");

        return n > 0 && n <= ADAPTER_NAME_MAX && name[n] == '\0';
}

static int check(const BleOptions *o, const YamlNode *node, Error *e) {
        if (!name_is_valid(o->common.name))
                return yaml_error(node, e, -EINVAL, "name '%.64s': expected letters, digits and . _ : -",
                                o->common.name);
        if (!is_adapter_name(o->adapter))
                return yaml_error(node, e, -EINVAL, "adapter '%.64s': expected a name such as hci0",
                                o->adapter);
        if (o->retry_min_us > o->retry_max_us)
                return yaml_error(node, e, -EINVAL, "retry_min is longer than retry_max");
        return 0;
}

static int read_item(BleOptions *o, const YamlNode *node, Error *e) {
#define DURATION(key, member)                                                                               \
        { key, YAML_DURATION, offsetof(BleOptions, member), .min = min_us, .max = hour_us }
        const YamlField fields[] = {
                { "name", YAML_STRING, offsetof(BleOptions, common.name), .required = true },
                { "adapter", YAML_STRING, offsetof(BleOptions, adapter) },
                { "connections", YAML_INT, offsetof(BleOptions, connections), .min = 1,
                                .max = CONNECTIONS_MAX },
                DURATION("connect_timeout", connect_timeout_us),
                DURATION("resolve_timeout", resolve_timeout_us),
                DURATION("call_timeout", call_timeout_us),
                DURATION("retry_min", retry_min_us),
                DURATION("retry_max", retry_max_us),
                DURATION("stale_after", stale_after_us),
                DURATION("spot_quiet", spot_quiet_us),
                DURATION("spot_hold", spot_hold_us),
                DURATION("spot_pause", spot_pause_us),
                DURATION("advert_repeat", advert_repeat_us),
                DURATION("scan_silence", scan_silence_us),
                { "records_every", YAML_DURATION, offsetof(BleOptions, records_every_us), .min = min_us,
                                .max = day_us },
                { "power_cycle", YAML_BOOL, offsetof(BleOptions, power_cycle) },
                { NULL },
        };
#undef DURATION

        int r = yaml_read(node, fields, o, e);
        if (r < 0)
                return r;
        if (!o->adapter && !(o->adapter = strdup("hci0")))
                return error_set(e, -ENOMEM, "out of memory");
        return check(o, node, e);
}

int ble_options_read(const YamlNode *node, BleOptions **ret, Error *e) {
        _cleanup_(ble_options_freep) BleOptions *o = malloc(sizeof *o);

        if (!o)
                return error_set(e, -ENOMEM, "out of memory");
        *o = (BleOptions){
                .common = { .kind = &ble_kind },
                .connections = CONNECTIONS_DEFAULT,
                .connect_timeout_us = 20 * USEC_PER_SEC,
                .resolve_timeout_us = 20 * USEC_PER_SEC,
                .call_timeout_us = 10 * USEC_PER_SEC,
                .retry_min_us = USEC_PER_SEC,
                .retry_max_us = 60 * USEC_PER_SEC,
                .stale_after_us = 30 * USEC_PER_SEC,
                .spot_quiet_us = 15 * USEC_PER_SEC,
                .spot_hold_us = 60 * USEC_PER_SEC,
                .spot_pause_us = 60 * USEC_PER_SEC,
                .advert_repeat_us = 30 * USEC_PER_SEC,
                .scan_silence_us = 120 * USEC_PER_SEC,
                .records_every_us = 60 * USEC_PER_SEC,
        };
        int r = read_item(o, node, e);
        if (r == 0)
                *ret = TAKE(o);
        return r;
}
