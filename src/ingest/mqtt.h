/* MQTT source: a QoS 1 subscriber with a persistent session whose PUBACKs leave only after the commit.
 *
 *   mqtt:
 *     - name: local
 *       host: 127.0.0.1
 *       port: 1883
 *       client_id: wardstone-ward7
 *       username: wardstone
 *       password_file: /etc/wardstone/mqtt-password   # or credential: NAME (systemd LoadCredential)
 *       keepalive: 30s
 *       tls: {ca: FILE, cert: FILE, key: FILE, server_name: ... }
 *       topics:
 *         - {filter: "ward/+/senml", device: "ward/{device}/senml", format: senml+json}
 *         - {filter: "zigbee2mqtt/+", device: "zigbee2mqtt/{device}", format: json, map: z2m-climate}
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/yaml.h"
#include "decode/mapping.h"
#include "ingest/source.h"

typedef struct MqttOptions MqttOptions;

/* Reads one item of `mqtt:`; nothing is opened but password files. maps must outlive the options. */
int mqtt_options_read(
                const YamlNode *node, const MappingSet *maps, MqttOptions **ret, Error *e) _must_check_;
MqttOptions *mqtt_options_free(MqttOptions *o);
DEFINE_CLEANUP(MqttOptions *, mqtt_options_free);

/* Starts connecting; a broker that is absent is not an error (retried with backoff and jitter). Borrows options, which
 * must outlive the source. Free with source->ops->free(). */
int mqtt_source_new(sd_event *event, const MqttOptions *o, const SourceSink *sink, Source **ret,
                Error *e) _must_check_;

/* Checks, within a second, that this libmosquitto acknowledges only when it is told to write: the property that the
 * guarantee rests on. -EPROTO where it doesn't: the daemon must not start. */
int mqtt_selftest(Error *e) _must_check_;
