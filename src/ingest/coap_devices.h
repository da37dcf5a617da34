/* What devices.yaml says of devices that speak CoAP:
 *
 *   - id: monitor-07
 *     coap: {identity: bed-7.hospital.example, format: senml+cbor}
 *   - id: cuff-3
 *     coap:
 *       observe: "coaps://[2001:db8::7]/vitals"
 *       identity: ward-7            # which we show it
 *       key_file: /etc/wardstone/cuff-3.key
 *       format: json
 *       map: cuff
 *       silence: 60s
 */
#pragma once

#include <netinet/in.h>

#include "ingest/coap_keys.h"
#include "ingest/source.h"

enum { COAP_HOST_MAX = INET6_ADDRSTRLEN, COAP_FORMAT_NONE = -1 };

/* Where an observed resource is. */
typedef struct CoapTarget {
        bool secure;
        char host[COAP_HOST_MAX]; /* an address: nothing on the loop waits for a name to be looked up */
        uint16_t port;
        char *path, *query; /* without the first '/' and the '?'; query NULL: none */
} CoapTarget;

typedef struct CoapDevice {
        char id[NAME_MAX_LENGTH];
        char *identity; /* NULL: none */
        char *map;      /* NULL: the source's */
        int format;     /* a DecodeFormat for messages that say none, or COAP_FORMAT_NONE */
        bool observed;
        CoapTarget target;
        uint8_t key[PSK_KEY_MAX];
        size_t key_len;
        int64_t silence_us; /* 0: what Max-Age says */
} CoapDevice;

int coap_devices_read(
                const YamlNode *root, const MappingSet *maps, SourceDevices **ret, Error *e) _must_check_;
SourceDevices *coap_devices_free(SourceDevices *d);

/* NULL where devices.yaml says nothing of it; d may be NULL. */
const CoapDevice *coap_devices_find(const SourceDevices *d, const char *id);
/* By the identity with which a device shows itself. */
const CoapDevice *coap_devices_identity(const SourceDevices *d, const char *identity);
size_t coap_devices_count(const SourceDevices *d);
const CoapDevice *coap_devices_at(const SourceDevices *d, size_t i);

/* "coap[s]://address[:port]/path[?query]" without escapes; *ret is set whole, its texts are the caller's. -EINVAL. */
int coap_target_parse(const char *uri, CoapTarget *ret, Error *e) _must_check_;
