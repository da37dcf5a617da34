/* TLS towards a broker: our own OpenSSL context, because libmosquitto can only check a certificate against the name
 * that it connects to, and here that name should be an address. */
#pragma once

#include <openssl/ssl.h>

#include "ingest/mqtt_options.h"

/* Reads the files anew, so that a renewed certificate is taken at the next connection. TLS 1.2 or later; the peer's
 * certificate must be of the CA and for server_name (or else host). SSL_CTX_free() it. */
int mqtt_tls_context(const MqttOptions *o, SSL_CTX **ret, Error *e) _must_check_;
