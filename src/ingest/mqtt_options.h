/* What one item of `mqtt:` says, for the files of the source. */
#pragma once

#include "ingest/mqtt.h"

typedef struct MqttTopic {
        char *device; /* pattern, see ingest/topic.h */
        Decoding decoding;
} MqttTopic;

struct MqttOptions {
        SourceOptions common;
        char *host, *client_id, *username, *password;
        int64_t port, keepalive_us;
        bool tls;
        char *ca, *cert, *key, *server_name;
        MqttTopic *topics;
        char **filters; /* of topics, apart: libmosquitto subscribes to them at once */
        size_t topic_count;
};
