/* CoAP source (RFC 7252): devices that send, over UDP or DTLS, and devices that are servers and are observed (RFC 7641).
 *
 *   coap:
 *     - name: ward-coap
 *       plain: {address: 127.0.0.1, port: 5683, multicast: 224.0.1.187}
 *       secure:
 *         address: "::"
 *         port: 5684
 *         psk_file: /etc/wardstone/coap-keys   # or credential: NAME (systemd LoadCredential)
 *         ca: FILE
 *         cert: FILE
 *         key: FILE
 *       map: z2m-climate                       # of application/json, where the device has none of its own
 *       observe: true
 *       limits: {sessions: 1000, handshakes: 5000, outstanding: 4096, payload: 64K, transfers: 64, peer_transfers: 2,
 *                block_bytes: 1M, device_rate: 100, peer_rate: 200}
 *
 * and, of a device in devices.yaml:
 *
 *   coap: {identity: NAME, format: senml+cbor, map: NAME, observe: "coaps://[2001:db8::7]/vitals", key_file: FILE, silence: 60s}
 *
 * A 2.04 leaves only after the commit of the batch that its reading is in. */
#pragma once

#include "ingest/source.h"

typedef struct CoapOptions CoapOptions;

/* Reads one item of `coap:`; nothing is opened but files with keys. maps must outlive the options. */
int coap_options_read(
                const YamlNode *node, const MappingSet *maps, SourceOptions **ret, Error *e) _must_check_;
SourceOptions *coap_options_free(SourceOptions *o);
