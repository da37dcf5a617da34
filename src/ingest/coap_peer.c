/* Who is at the other end, what it may speak for, and how it is answered. */
#include <openssl/x509.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>

#include "ingest/coap_internal.h"

enum { OPTION_ROOM = 24 /* for the options of an answer */, TEXT_PLAIN = 0 /* RFC 7252 12.3 */ };

CoapPeer *peer_of(CoapEndpoint *p, coap_session_t *session) {
        CoapPeer *peer = coap_session_get_app_data(session);

        if (peer)
                return peer;
        peer = calloc(1, sizeof *peer);
        if (!peer)
                return NULL;
        peer->endpoint = p;
        peer->session = session;
        ring_add(&p->peers, &peer->ring);
        p->peer_count++;
        coap_session_set_app_data(session, peer);
        return peer;
}

CoapPeer *peer_find(const CoapEndpoint *p, const coap_address_t *address) {
        for (Ring *r = p->peers.next; r != &p->peers; r = r->next) {
                CoapPeer *peer = container_of(r, CoapPeer, ring);
                if (coap_address_equals(coap_session_get_addr_remote(peer->session), address))
                        return peer;
        }
        return NULL;
}

void peer_free(CoapPeer *peer) {
        if (!peer)
                return;
        coap_session_set_app_data(peer->session, NULL);
        block_store_forget(peer->endpoint->blocks, peer);
        ring_remove(&peer->ring);
        peer->endpoint->peer_count--;
        dedup_done(&peer->known);
        free(peer);
}

/* --- who it is --- */

/* The subject's common name; a certificate with none, several or a strange one names nobody. */
static bool common_name(const X509 *certificate, char ret[static PSK_IDENTITY_MAX]) {
        const X509_NAME *subject = X509_get_subject_name(certificate);
        int i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

        if (i < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, i) >= 0)
                return false;
        const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i));
        unsigned char *utf8 = NULL;
        int len = ASN1_STRING_to_UTF8(&utf8, text);
        bool good = len > 0 && len < PSK_IDENTITY_MAX && !memchr(utf8, '\0', (size_t) len);
        if (good) {
                memcpy(ret, utf8, (size_t) len);
                ret[len] = '\0';
                good = psk_identity_is_valid(ret);
        }
        OPENSSL_free(utf8);
        return good;
}

/* The device that shows itself with that certificate: by devices.yaml, else by its own name, unless devices.yaml gives that
 * device another identity. */
static const char *certified_device(const CoapSource *s, const char *identity) {
        const CoapDevice *d = coap_devices_identity(s->devices, identity);

        if (d)
                return d->id;
        d = coap_devices_find(s->devices, identity);
        return name_is_valid(identity) && (!d || !d->identity) ? identity : "";
}

static const char *device_of(const CoapPeer *peer) {
        const CoapSource *s = peer->endpoint->source;

        if (!peer->by_key)
                return peer->identity[0] ? certified_device(s, peer->identity) : "";
        const PskKey *key = psk_table_find(s->keys, peer->identity);
        return key ? key->device : "";
}

static void find_device(CoapPeer *peer) {
        (void) snprintf(peer->device, sizeof peer->device, "%.*s", NAME_MAX_LENGTH - 1, device_of(peer));
}

void peer_authenticate(CoapPeer *peer) {
        coap_tls_library_t library;
        SSL *ssl = coap_session_get_tls(peer->session, &library);

        if (!ssl || library != COAP_TLS_LIBRARY_OPENSSL)
                return;
        peer->heard_us = coap_now_us();
        peer->endpoint->tls = SSL_get_SSL_CTX(ssl);
        /* whoever it is stays it as long as the session lasts */
        (void) SSL_set_options(ssl, SSL_OP_NO_RENEGOTIATION);
        peer->identity[0] = '\0';
        const X509 *certificate = SSL_get0_peer_certificate(ssl);
        const char *identity = SSL_get_psk_identity(ssl);
        peer->by_key = !certificate;
        if (certificate && (SSL_get_verify_result(ssl) != X509_V_OK ||
                                           !common_name(certificate, peer->identity)))
                peer->identity[0] = '\0';
        else if (!certificate && identity && psk_identity_is_valid(identity))
                (void) snprintf(peer->identity, sizeof peer->identity, "%s", identity);
        find_device(peer);
}

static bool same_key(const PskKey *a, const PskKey *b) {
        return a && b && streq(a->device, b->device) &&
               bytes_equal(BYTES(a->bytes, a->len), BYTES(b->bytes, b->len));
}

void peers_review(CoapEndpoint *p, const PskTable *old) {
        CoapSource *s = p->source;
        Ring *next;

        /* What was begun with an old key can't be taken up again. */
        if (p->tls) {
                uint8_t ticket_keys[80];
                randombytes_buf(ticket_keys, sizeof ticket_keys);
                (void) SSL_CTX_set_tlsext_ticket_keys(p->tls, ticket_keys, sizeof ticket_keys);
                SSL_CTX_flush_sessions(p->tls, LONG_MAX);
        }
        for (Ring *r = p->peers.next; r != &p->peers; r = next) {
                CoapPeer *peer = container_of(r, CoapPeer, ring);
                bool gone = peer->by_key && !same_key(psk_table_find(old, peer->identity),
                                                            psk_table_find(s->keys, peer->identity));
                next = r->next;
                find_device(peer);
                if (!gone && peer->device[0])
                        continue;
                s->counts[COUNT_SESSIONS_CLOSED]++;
                peer->device[0] = peer->identity[0] = '\0';
                coap_session_disconnected(peer->session, COAP_NACK_TLS_FAILED);
        }
}

/* --- answers --- */

static void add_uint(coap_pdu_t *pdu, coap_option_num_t number, uint32_t value) {
        uint8_t bytes[4];
        unsigned len = coap_encode_var_safe(bytes, sizeof bytes, value);

        (void) coap_add_option(pdu, number, len, bytes);
}

static coap_pdu_t *make_answer(const CoapPeer *peer, const CoapHead *to, const CoapAnswer *a) {
        size_t text = a->text ? strlen(a->text) : 0;
        coap_pdu_t *pdu = coap_pdu_init(to->confirmable ? COAP_MESSAGE_ACK : COAP_MESSAGE_NON,
                        (coap_pdu_code_t) a->code,
                        to->confirmable ? to->mid : coap_new_message_id(peer->session),
                        TOKEN_MAX + OPTION_ROOM + text);

        if (!pdu)
                return NULL;
        (void) coap_add_token(pdu, to->token_len, to->token);
        if (text > 0 && a->code >> 5 == 2)
                add_uint(pdu, COAP_OPTION_CONTENT_FORMAT, TEXT_PLAIN);
        if (a->max_age > 0)
                add_uint(pdu, COAP_OPTION_MAXAGE, a->max_age);
        if (a->has_block)
                add_uint(pdu, COAP_OPTION_BLOCK1, a->block);
        if (a->size1 > 0)
                add_uint(pdu, COAP_OPTION_SIZE1, a->size1);
        if (text > 0)
                (void) coap_add_data(pdu, text, (const uint8_t *) a->text);
        return pdu;
}

void peer_send(CoapPeer *peer, const CoapHead *to, const CoapAnswer *a) {
        bool wanted = !(to->no_response & 1U << ((a->code >> 5) - 1));

        if (to->multicast || (!wanted && !to->confirmable))
                return;
        /* libcoap would begin a handshake of its own to send on a session that is over */
        if (coap_session_get_state(peer->session) != COAP_SESSION_STATE_ESTABLISHED) {
                peer->endpoint->source->counts[COUNT_UNANSWERED]++;
                return;
        }
        /* What is not wanted is acknowledged all the same, without a word (RFC 7967 2.1). */
        coap_pdu_t *pdu = wanted ? make_answer(peer, to, a)
                                 : coap_pdu_init(COAP_MESSAGE_ACK, COAP_EMPTY_CODE, to->mid, 0);
        if (pdu)
                (void) coap_send(peer->session, pdu);
}

void peer_answer(CoapPeer *peer, const CoapHead *to, CoapAnswer a) {
        CoapSource *s = peer->endpoint->source;

        s->counts[COUNT_CLIENT_ERRORS] += a.code >> 5 == 4;
        s->counts[COUNT_UNAVAILABLE] += a.code == ANSWER_UNAVAILABLE;
        dedup_answered(&peer->known, to->mid, to->digest, &a, coap_now_us());
        peer_send(peer, to, &a);
        coap_answer_done(&a);
}
