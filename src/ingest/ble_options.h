/* What one item of `ble:` in wardstone.yaml says. */
#pragma once

#include "ingest/source.h"

typedef struct BleOptions {
        SourceOptions common;
        char *adapter; /* "hci0" */
        int64_t connections;
        int64_t connect_timeout_us, resolve_timeout_us, call_timeout_us;
        int64_t retry_min_us, retry_max_us;
        int64_t stale_after_us; /* a link is not stale sooner, however often it brought values */
        int64_t spot_quiet_us;  /* a spot-check device without a value for so long has said all */
        int64_t spot_hold_us;   /* so long it is served where others wait */
        int64_t spot_pause_us;  /* and then left alone */
        int64_t advert_repeat_us;
        int64_t scan_silence_us;
        int64_t records_every_us; /* a connected meter is asked for new records so often */
        bool power_cycle;
} BleOptions;

int ble_options_read(const YamlNode *node, BleOptions **ret, Error *e) _must_check_;
BleOptions *ble_options_free(BleOptions *o);
DEFINE_CLEANUP(BleOptions *, ble_options_free);
