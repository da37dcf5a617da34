/* The settings of notify-mqtt; docs/plugins.md lists them. */
#pragma once

#include <jansson.h>

#include "client.h"
#include "wardstone/plugin.h"

typedef struct Settings {
        const char *prefix, *password_file, *credential, *keepalive, *timeout;
        const char *topic, *keys_file; /* of acknowledgements; keys_file NULL: none are taken */
        json_t *tls, *acknowledge;
        ClientOptions client;
        int64_t timeout_us;
} Settings;

/* Texts are borrowed from config, but the password, for which the file is read. A wardstone_result. */
int settings_read(const struct wardstone_host *host, json_t *config, Settings *ret);
/* Wipes the password. */
void settings_done(Settings *s);
