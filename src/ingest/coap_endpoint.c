/* One socket: opening it, reading from it, and what libcoap asks meanwhile. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "base/fault.h"
#include "base/fd.h"
#include "ingest/coap_internal.h"

enum {
        BURST_MAX = 64,        /* datagrams, then the other event sources have their turn */
        EVENTS_MAX = 4,        /* libcoap's socket and timer */
        RECORD_HEAD = 14,      /* a record's and the message type of its handshake (RFC 6347 4.1, 4.2.2) */
        RECORD_HANDSHAKE = 22, /* content type */
        CLIENT_HELLO = 1,
        IN_USE_US = 5 * 1000 * 1000, /* how long a session counts as in use after a message */
        SECURE_SECONDS = 86400,      /* a handshake costs a device more than the session costs us */
        SESSION_SECONDS = 300,       /* longer than EXCHANGE_LIFETIME, which retransmissions are known for */
        RECEIVE_BUFFER = 4 * 1024 * 1024,
        DATAGRAM_MAX = 1472, /* without DTLS: all that libcoap reads, more than RFC 7252 4.6 asks for */
        FDS_MAX = 65536,
        RATE_SETS = 1024,
        TOLD_PART = 10,    /* of its rate: how often an address is told that it is over it */
        BURST_SECONDS = 2, /* of what a peer may send at once, as seconds of its rate */
};

/* --- what libcoap calls --- */

static void on_request(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request,
                const coap_string_t *query, coap_pdu_t *response) {
        (void) query;
        request_handle(coap_resource_get_userdata(resource), session, request, response);
}

/* Nobody was asked anything here. */
static coap_response_t on_response(coap_session_t *session, const coap_pdu_t *sent,
                const coap_pdu_t *received, const coap_mid_t mid) {
        return COAP_RESPONSE_FAIL;
}

static int on_event(coap_session_t *session, const coap_event_t event) {
        CoapEndpoint *p = coap_get_app_data(coap_session_get_context(session));
        CoapPeer *peer = coap_session_get_app_data(session);

        if (event == COAP_EVENT_SERVER_SESSION_NEW && !p->secure)
                p->source->source.counters.connects++;
        if (event == COAP_EVENT_SERVER_SESSION_DEL && peer) {
                p->source->source.counters.disconnects++;
                peer_free(peer);
        }
        if (event == COAP_EVENT_DTLS_CONNECTED && (peer = peer_of(p, session))) {
                p->source->source.counters.connects++;
                peer_authenticate(peer);
        }
        return 0;
}

/* RFC 4279 2: who says no such identity may as well say no such key. */
static const coap_bin_const_t *on_identity(
                coap_bin_const_t *identity, coap_session_t *session, void *userdata) {
        CoapEndpoint *p = userdata;
        char text[PSK_IDENTITY_MAX] = "";

        if (identity->length < sizeof text)
                memcpy(text, identity->s, identity->length);
        const PskKey *key = psk_table_find(p->source->keys, text);
        if (!key) {
                p->source->counts[COUNT_UNKNOWN_IDENTITIES]++;
                return NULL;
        }
        p->psk = (coap_bin_const_t){ .length = key->len, .s = key->bytes };
        return &p->psk;
}

/* --- reading --- */

static bool is_waiting(const CoapEndpoint *p) {
        struct pollfd f = { .fd = p->socket, .events = POLLIN };

        return poll(&f, 1, 0) == 1 && f.revents & POLLIN;
}

/* A device that began anew on the port that it had knows nothing of its old session, to which libcoap would give its
 * ClientHello for ever. Anybody can write such a datagram in its name, so a session in use is let be (RFC 6347 4.2.8); one
 * that is not is closed, which a device that is still there is told. */
static void look_for_return(CoapEndpoint *p) {
        uint8_t head[RECORD_HEAD];
        coap_address_t from = { .size = sizeof from.addr };

        ssize_t n = recvfrom(
                        p->socket, head, sizeof head, MSG_PEEK | MSG_DONTWAIT, &from.addr.sa, &from.size);
        if (n < RECORD_HEAD || head[0] != RECORD_HANDSHAKE || be16_read(head + 3) != 0 ||
                        head[RECORD_HEAD - 1] != CLIENT_HELLO)
                return;
        CoapPeer *peer = peer_find(p, &from);
        if (!peer || coap_now_us() - peer->heard_us < IN_USE_US)
                return;
        p->source->counts[COUNT_RETURNED]++;
        coap_session_disconnected(peer->session, COAP_NACK_TLS_FAILED);
}

/* libcoap reads one datagram for each event, and after its events it looks at every session: where more is waiting, it is
 * told of the socket several times at once. */
static int on_socket(sd_event_source *es, int fd, uint32_t revents, void *userdata) {
        CoapEndpoint *p = userdata;
        CoapSource *s = p->source;
        struct epoll_event ready[EVENTS_MAX], events[BURST_MAX + EVENTS_MAX];
        uint64_t seen = p->seen;
        size_t count = 0;

        if (p->secure) {
                look_for_return(p);
                p->burst = 1; /* each is looked at */
        }
        int n = epoll_wait(fd, ready, EVENTS_MAX, 0);
        for (int i = 0; i < n; i++)
                for (unsigned k = ready[i].data.ptr ? p->burst : 1; k > 0 && count < ELEMENTS(events); k--)
                        events[count++] = ready[i];
        coap_io_do_epoll(p->context, events, count);
        p->burst = p->seen - seen >= p->burst ? MIN(p->burst * 2, (unsigned) BURST_MAX)
                                              : MAX(p->burst / 2, 1U);
        if (s->source.counters.frames != s->frames_told && !s->paused && !is_waiting(p)) {
                s->frames_told = s->source.counters.frames;
                s->sink.drained(s->sink.userdata, &s->source);
        }
        return 0;
}

/* A session that waits for an answer is not idle, and libcoap looks at its timers only after events of its own: the last
 * answer before a silence would leave no timer that forgets the session. */
void endpoint_answered(CoapEndpoint *p) {
        coap_tick_t now;

        if (!p)
                return;
        coap_ticks(&now);
        (void) coap_io_prepare_epoll(p->context, now);
}

void endpoint_watch(CoapEndpoint *p) {
        if (p)
                (void) sd_event_source_set_enabled(p->io, p->source->paused ? SD_EVENT_OFF : SD_EVENT_ON);
}

/* --- opening --- */

static void set_address(coap_address_t *a, const char *text, int64_t port) {
        coap_address_init(a);
        if (inet_pton(AF_INET6, text, &a->addr.sin6.sin6_addr) == 1) {
                a->addr.sin6.sin6_family = AF_INET6;
                a->addr.sin6.sin6_port = htons((uint16_t) port);
                a->size = sizeof a->addr.sin6;
        } else if (inet_pton(AF_INET, text, &a->addr.sin.sin_addr) == 1) {
                a->addr.sin.sin_family = AF_INET;
                a->addr.sin.sin_port = htons((uint16_t) port);
                a->size = sizeof a->addr.sin;
        }
}

/* libcoap shares a port with whoever has it already and doesn't say why it failed: asked here first. */
static int probe(const coap_address_t *a) {
        _cleanup_(fd_closep) int fd = socket(a->addr.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int off = 0;

        if (fd < 0)
                return -errno;
        if (a->addr.sa.sa_family == AF_INET6)
                (void) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        return bind(fd, &a->addr.sa, a->size) < 0 ? -errno : 0;
}

/* libcoap has no name for its socket: the one that is bound to the address. */
static int find_socket(const coap_address_t *a) {
        struct rlimit limit = { .rlim_cur = 1024 };

        (void) getrlimit(RLIMIT_NOFILE, &limit);
        for (int fd = 3; (rlim_t) fd < MIN(limit.rlim_cur, (rlim_t) FDS_MAX); fd++) {
                coap_address_t bound = { .size = 0 };
                socklen_t size = sizeof bound.addr, len = sizeof(int);
                int type;
                if (getsockname(fd, &bound.addr.sa, &size) < 0 ||
                                getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_DGRAM)
                        continue;
                bound.size = size;
                if (coap_address_equals(&bound, a))
                        return fd;
        }
        return -ENOENT;
}

static void add_resource(CoapEndpoint *p, coap_resource_t *r) {
        static const coap_request_t methods[] = { COAP_REQUEST_GET, COAP_REQUEST_POST, COAP_REQUEST_PUT,
                COAP_REQUEST_DELETE, COAP_REQUEST_FETCH, COAP_REQUEST_PATCH, COAP_REQUEST_IPATCH };

        coap_resource_set_userdata(r, p);
        for (size_t i = 0; i < ELEMENTS(methods); i++)
                coap_register_request_handler(r, methods[i], on_request);
        coap_add_resource(p->context, r);
}

static int set_up_security(CoapEndpoint *p, Error *e) {
        const CoapOptions *o = p->source->options;
        uint8_t never[32]; /* libcoap offers keys only where it has a first one */

        randombytes_buf(never, sizeof never);
        if (o->psk_file) {
                coap_dtls_spsk_t psk = { .version = COAP_DTLS_SPSK_SETUP_VERSION,
                        .validate_id_call_back = on_identity,
                        .id_call_back_arg = p,
                        .psk_info = { .key = { .s = never, .length = sizeof never } } };
                if (!coap_context_set_psk2(p->context, &psk))
                        return error_set(e, -EINVAL, "DTLS with pre-shared keys can't be set up");
        }
        if (o->ca) {
                coap_dtls_pki_t pki = { .version = COAP_DTLS_PKI_SETUP_VERSION,
                        .verify_peer_cert = 1,
                        .check_common_ca = 1,
                        .check_cert_revocation = 0,
                        .cert_chain_validation = 1,
                        .cert_chain_verify_depth = 4,
                        .pki_key = { .key_type = COAP_PKI_KEY_PEM,
                                        .key.pem = { .ca_file = o->ca,
                                                        .public_cert = o->cert,
                                                        .private_key = o->key } } };
                if (!coap_context_set_pki(p->context, &pki))
                        return error_set(e, -EINVAL, "DTLS with certificates can't be set up: %s, %s, %s",
                                        o->ca, o->cert, o->key);
        }
        return 0;
}

static int bind_socket(CoapEndpoint *p, Error *e) {
        const CoapOptions *o = p->source->options;
        const char *text = p->secure ? o->secure_address : o->address;
        int64_t port = p->secure ? o->secure_port : o->port;
        coap_address_t address;
        int size = RECEIVE_BUFFER;

        set_address(&address, text, port);
        int r = probe(&address);
        if (r == 0) {
                coap_endpoint_t *made = coap_new_endpoint(
                                p->context, &address, p->secure ? COAP_PROTO_DTLS : COAP_PROTO_UDP);
                if (made && !p->secure)
                        coap_endpoint_set_default_mtu(made, DATAGRAM_MAX);
                r = made ? 0 : -EIO;
        }
        if (r < 0)
                return error_set(e, r, "UDP port %lld of %s: %s", (long long) port, text, strerror(-r));
        p->socket = find_socket(&address);
        if (p->socket < 0)
                return error_set(e, p->socket, "libcoap's socket can't be found");
        /* A burst of a whole ward; the kernel gives what net.core.rmem_max allows. */
        (void) setsockopt(p->socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        if (!p->secure && o->multicast && coap_join_mcast_group_intf(p->context, o->multicast, NULL) != 0)
                return error_set(e, -EADDRNOTAVAIL, "the group %s can't be joined", o->multicast);
        return 0;
}

static int make_context(CoapEndpoint *p, Error *e) {
        const CoapLimits *l = &p->source->options->limits;
        const int64_t impatience = fault_coap_session_seconds();
        static coap_str_const_t core = { sizeof ".well-known/core" - 1,
                (const uint8_t *) ".well-known/core" };

        p->context = coap_new_context(NULL);
        if (!p->context)
                return error_set(e, -ENOMEM, "out of memory");
        coap_set_app_data(p->context, p);
        coap_context_set_block_mode(p->context, 0); /* blocks are ours: see coap_block.h */
        coap_context_set_max_idle_sessions(p->context, (unsigned) l->sessions);
        coap_context_set_max_handshake_sessions(p->context, (unsigned) l->handshakes);
        coap_context_set_session_timeout(p->context, impatience > 0 ? (unsigned) impatience
                                                     : p->secure    ? SECURE_SECONDS
                                                                    : SESSION_SECONDS);
        coap_register_event_handler(p->context, on_event);
        coap_register_response_handler(p->context, on_response);
        coap_resource_t *found = coap_resource_init(&core, 0), *all = coap_resource_unknown_init(on_request);
        if (!found || !all)
                return error_set(e, -ENOMEM, "out of memory");
        add_resource(p, found);
        add_resource(p, all);
        return 0;
}

static int open_parts(CoapEndpoint *p, Error *e) {
        const CoapLimits *l = &p->source->options->limits;
        const BlockLimits blocks = { .payload = (size_t) l->payload,
                .bytes = (size_t) l->block_bytes,
                .transfers = (size_t) l->transfers,
                .owner_transfers = (size_t) l->peer_transfers };

        const double told = MAX(l->peer_rate / TOLD_PART, 1.0);

        if (rate_table_new(RATE_SETS, l->peer_rate, MAX(l->peer_rate * BURST_SECONDS, 1.0), &p->rate) < 0 ||
                        rate_table_new(RATE_SETS, told, told, &p->told) < 0 ||
                        block_store_new(&blocks, &p->blocks) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        int r = make_context(p, e);
        if (r == 0 && p->secure)
                r = set_up_security(p, e);
        if (r == 0)
                r = bind_socket(p, e);
        if (r < 0)
                return r;
        r = sd_event_add_io(p->source->event, &p->io, coap_context_get_coap_fd(p->context), EPOLLIN,
                        on_socket, p);
        return r < 0 ? error_set(e, r, "event loop: %s", strerror(-r)) : 0;
}

static void endpoint_freep(CoapEndpoint **p) {
        (void) endpoint_free(*p);
}

int endpoint_open(CoapSource *s, bool secure, CoapEndpoint **ret, Error *e) {
        _cleanup_(endpoint_freep) CoapEndpoint *p = calloc(1, sizeof *p);

        if (!p)
                return error_set(e, -ENOMEM, "out of memory");
        p->source = s;
        p->secure = secure;
        p->socket = -1;
        p->burst = 1;
        ring_init(&p->peers);
        int r = open_parts(p, e);
        if (r < 0)
                return r;
        *ret = TAKE(p);
        return 0;
}

/* Whatever is outstanding on its sessions is gone already. */
CoapEndpoint *endpoint_free(CoapEndpoint *p) {
        if (!p)
                return NULL;
        (void) sd_event_source_disable_unref(p->io);
        while (!ring_is_empty(&p->peers))
                peer_free(container_of(p->peers.next, CoapPeer, ring));
        if (p->context)
                coap_free_context(p->context);
        block_store_free(p->blocks);
        rate_table_free(p->rate);
        rate_table_free(p->told);
        free(p);
        return NULL;
}
