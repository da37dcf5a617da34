/* The limit for the benchmark: a CoAP server on the same library that answers each request with 2.04 at once and keeps
 * nothing. coap-answer PORT prints "ready" and runs until SIGTERM.
 *
 * coap_io_process() reads one datagram, then looks at the timers of all sessions: with thousands of them that is nearly
 * all it does. So the library is told of the same event as often as datagrams are likely to wait. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <coap3/coap.h>

enum { RECEIVE_BUFFER = 4 * 1024 * 1024, FDS = 64, TURN_MAX = 64 };

static volatile sig_atomic_t told_to_stop;
static int answers; /* in this turn */

static void on_signal(int sig) {
        (void) sig;
        told_to_stop = 1;
}

static void answer(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request,
                const coap_string_t *query, coap_pdu_t *response) {
        (void) resource;
        (void) session;
        (void) request;
        (void) query;
        answers++;
        coap_pdu_set_code(response, COAP_RESPONSE_CODE_CHANGED);
}

/* The library keeps its socket to itself. */
static void enlarge_buffers(void) {
        const int size = RECEIVE_BUFFER;
        int type;

        for (int fd = 3; fd < FDS; fd++) {
                socklen_t len = sizeof type;
                if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM)
                        (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        }
}

static coap_context_t *serve(int port) {
        coap_address_t address;

        coap_address_init(&address);
        address.addr.sin = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t) port) };
        address.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.size = sizeof address.addr.sin;
        coap_context_t *context = coap_new_context(NULL);
        coap_resource_t *any = coap_resource_unknown_init2(answer, 0);
        if (!context || !any || !coap_new_endpoint(context, &address, COAP_PROTO_UDP))
                return NULL;
        coap_register_request_handler(any, COAP_REQUEST_POST, answer);
        coap_add_resource(context, any);
        enlarge_buffers();
        return context;
}

/* Returns how many datagrams the next turn should try to read. */
static int take_turn(coap_context_t *context, int expected) {
        struct epoll_event events[TURN_MAX];

        int n = epoll_wait(coap_context_get_coap_fd(context), events, TURN_MAX, 1000);
        for (; n > 0 && n < expected; n++)
                events[n] = events[0];
        answers = 0;
        if (n > 0)
                coap_io_do_epoll(context, events, (size_t) n);
        else
                (void) coap_io_process(context, COAP_IO_NO_WAIT);
        if (answers < expected)
                return answers + 1;
        return expected * 2 < TURN_MAX ? expected * 2 : TURN_MAX;
}

int main(int argc, char *argv[]) {
        const struct sigaction action = { .sa_handler = on_signal };

        coap_startup();
        coap_set_log_level(LOG_ERR); /* that a datagram was expected in vain is worth no line */
        coap_context_t *context = serve(argc > 1 ? (int) strtol(argv[1], NULL, 10) : 0);
        if (!context) {
                (void) fprintf(stderr, "usage: coap-answer PORT, which must be free\n");
                return 2;
        }
        (void) sigaction(SIGTERM, &action, NULL);
        (void) printf("ready\n");
        (void) fflush(stdout);
        for (int expected = 1; !told_to_stop;)
                expected = take_turn(context, expected);
        coap_free_context(context);
        coap_cleanup();
        return 0;
}
