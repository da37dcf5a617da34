/* What an operator says of a webhook. */
#pragma once

#include <jansson.h>

#include "transfer.h"

typedef struct Settings {
        bool alertmanager;
        const char *token_file, *credential;                        /* Authorization: Bearer */
        const char *username, *password_file, *password_credential; /* Authorization: Basic */
        const char *key_file, *key_credential;                      /* of the signature */
        json_t *headers;                                            /* of the operator's own, or NULL */
        TransferOptions transfer;
        char *url; /* that is posted to */
} Settings;

/* Strings are borrowed from config. A wardstone_result; settings_done() in any case. */
int settings_read(const struct wardstone_host *host, json_t *config, Settings *ret) _must_check_;
void settings_done(Settings *s);
