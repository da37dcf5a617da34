#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "ingest/mqtt_tls.h"

static void context_freep(SSL_CTX **c) {
        SSL_CTX_free(*c);
}

static int fail(const char *path, Error *e) {
        const char *why = ERR_reason_error_string(ERR_peek_last_error());

        ERR_clear_error();
        return error_set(e, -EINVAL, "%s: %s", path, why ? why : "not usable for TLS");
}

/* An encrypted key would stop the daemon at a prompt on its terminal. */
static int no_passphrase(char *buf, int size, int writing, void *userdata) {
        return 0;
}

static int expect_peer(SSL_CTX *c, const char *name) {
        X509_VERIFY_PARAM *param = SSL_CTX_get0_param(c);
        struct in6_addr address;

        SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
        if (inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1)
                return X509_VERIFY_PARAM_set1_ip_asc(param, name);
        return X509_VERIFY_PARAM_set1_host(param, name, 0);
}

int mqtt_tls_context(const MqttOptions *o, SSL_CTX **ret, Error *e) {
        _cleanup_(context_freep) SSL_CTX *c = SSL_CTX_new(TLS_client_method());

        if (!c)
                return error_set(e, -ENOMEM, "out of memory");
        ERR_clear_error();
        SSL_CTX_set_default_passwd_cb(c, no_passphrase);
        (void) SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
        if (!SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) ||
                        !expect_peer(c, o->server_name ? o->server_name : o->host))
                return fail("TLS", e);
        if (!SSL_CTX_load_verify_locations(c, o->ca, NULL))
                return fail(o->ca, e);
        if (o->cert && SSL_CTX_use_certificate_chain_file(c, o->cert) != 1)
                return fail(o->cert, e);
        if (o->key && (SSL_CTX_use_PrivateKey_file(c, o->key, SSL_FILETYPE_PEM) != 1 ||
                                      SSL_CTX_check_private_key(c) != 1))
                return fail(o->key, e);
        *ret = TAKE(c);
        return 0;
}
