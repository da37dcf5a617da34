/* Load for the benchmark and the crash test: many CoAP devices that cost the machine little.
 *
 *   coap-load --port PORT --sessions N [--devices N] [--rate N] [--seconds N | --count N] [--ack-timeout S]
 *             [--journal FILE]
 *
 * Each session is a UDP socket of its own with one request under way (NSTART 1), retransmitted as RFC 7252 4.2 says. A
 * reading that was not confirmed is sent again, with a new message id once the old one has been given up, until it is;
 * its time, 100 us after the one before, tells it from all others of its device. Without --rate a session sends its next
 * reading as soon as the last is confirmed (closed loop); with it, readings are due at fixed moments whether the server
 * answers or not, and their latency counts from then (open loop). SIGTERM: nothing new, wait for what is under way.
 *
 * Writes "DEVICE TIME_US" of each confirmed reading to the journal and one JSON object to standard output. Exit status 1
 * where a reading stayed without an answer. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
        PACKET_MAX = 256,
        SESSIONS_MAX = 20000,
        SHARING_MAX = 100, /* sessions of one device, told apart within STEP_US */
        STEP_US = 100,
        EVENTS = 256,
        STARTS_A_TURN = 16, /* all at once would overflow the server's socket buffer */
        MAX_RETRANSMIT = 4, /* RFC 7252 4.8 */
        PATIENCE_S = 100,   /* at the end; MAX_TRANSMIT_WAIT is 93 s */
        SUB_BUCKETS = 64,   /* of the histogram, a power of two: 1.6 % */
        BUCKETS = 32 * SUB_BUCKETS,
};

enum { TYPE_CON = 0, TYPE_NON = 1, TYPE_ACK = 2, TYPE_RST = 3 };
enum {
        CODE_EMPTY = 0,
        CODE_POST = 2,
        CODE_CHANGED = 2 << 5 | 4,
        CODE_TOO_MANY = 4 << 5 | 29,
        CODE_UNAVAILABLE = 5 << 5 | 3
};
enum { OPTION_URI_PATH = 11, OPTION_CONTENT_FORMAT = 12, OPTION_MAX_AGE = 14, SENML_JSON = 110 };

/* --- latencies --- */

typedef struct Histogram {
        unsigned long counts[BUCKETS];
        unsigned long total;
        double max;
} Histogram;

/* Microseconds, exact below SUB_BUCKETS. */
static void histogram_add(Histogram *h, double seconds) {
        uint64_t us = seconds > 0 ? (uint64_t) (seconds * 1e6) : 0;
        unsigned shift = 0;

        while (us >> shift >= UINT64_C(2) * SUB_BUCKETS)
                shift++;
        size_t bucket = us < SUB_BUCKETS ? us : (size_t) shift * SUB_BUCKETS + (us >> shift);
        h->counts[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
        h->total++;
        if (seconds > h->max)
                h->max = seconds;
}

static double histogram_ms(const Histogram *h, double quantile) {
        unsigned long seen = 0, wanted = (unsigned long) ((double) h->total * quantile);

        for (size_t i = 0; i < BUCKETS; i++) {
                seen += h->counts[i];
                if (seen > wanted) {
                        size_t shift = i < (size_t) 2 * SUB_BUCKETS ? 0 : i / SUB_BUCKETS - 1;
                        return (double) ((i - shift * SUB_BUCKETS) << shift) / 1e3;
                }
        }
        return 0;
}

/* --- sessions --- */

typedef enum State { IDLE, WAITING, HELD_BACK } State;

typedef struct Session {
        int fd;
        State state;
        unsigned device;
        uint16_t mid;
        uint32_t token;
        unsigned tries;          /* transmissions of this message id */
        unsigned long made, due; /* readings that were begun; that are due (open loop) */
        double begun;            /* when the reading was due or first sent */
        double deadline, timeout;
        int64_t time_us; /* of the reading */
        unsigned char packet[PACKET_MAX];
        size_t len;
} Session;

typedef struct Load {
        unsigned port, devices;
        unsigned long sessions_wanted, count; /* readings a session; 0: no end */
        double rate, seconds, ack_timeout;
        FILE *journal;

        int epoll;
        Session *sessions;
        unsigned long started; /* sessions that sent something */
        unsigned long waiting; /* that have a reading without an answer */
        unsigned long due;     /* readings, of all sessions (open loop) */
        bool stopping;
        double start, next_scan;
        int64_t base_us;
        unsigned long acknowledged, in_time, sent, retransmitted, given_up, refused, unavailable, reset,
                        late, unreachable, separate;
        Histogram latency;
} Load;

static volatile sig_atomic_t told_to_stop;

static void on_signal(int sig) {
        (void) sig;
        told_to_stop = 1;
}

static double now(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void die(const char *what) {
        (void) fprintf(stderr, "coap-load: %s: %s\n", what, strerror(errno));
        exit(1);
}

/* --- the wire: RFC 7252 3 --- */

static unsigned char *put_option(unsigned char *at, unsigned delta, const void *value, unsigned len) {
        *at++ = (unsigned char) (delta << 4 | (len < 13 ? len : 13));
        if (len >= 13)
                *at++ = (unsigned char) (len - 13);
        memcpy(at, value, len);
        return at + len;
}

static void write_request(Session *s) {
        unsigned char *at = s->packet;
        char device[32], payload[128];
        static const unsigned char format = SENML_JSON;

        *at++ = 1 << 6 | TYPE_CON << 4 | 4;
        *at++ = CODE_POST;
        *at++ = (unsigned char) (s->mid >> 8);
        *at++ = (unsigned char) s->mid;
        memcpy(at, &s->token, 4);
        at += 4;
        int n = snprintf(device, sizeof device, "load-%04u", s->device);
        at = put_option(at, OPTION_URI_PATH, "d", 1);
        at = put_option(at, 0, device, (unsigned) n);
        at = put_option(at, OPTION_CONTENT_FORMAT - OPTION_URI_PATH, &format, 1);
        *at++ = 0xff;
        n = snprintf(payload, sizeof payload, "[{\"n\":\"spo2\",\"u\":\"%%\",\"v\":%lu,\"t\":%lld.%06lld}]",
                        94 + s->made % 6, (long long) (s->time_us / 1000000),
                        (long long) (s->time_us % 1000000));
        memcpy(at, payload, (size_t) n);
        s->len = (size_t) (at + n - s->packet);
}

/* Max-Age of an answer, 60 where it has none (RFC 7252 3.1, 5.10.5). Longer options than this server sends end it. */
static unsigned max_age(const unsigned char *at, const unsigned char *end) {
        unsigned number = 0, value = 0;

        while (at < end && *at != 0xff) {
                unsigned delta = *at >> 4, len = *at & 15;
                at++;
                if (delta == 13 && at < end)
                        delta += *at++;
                if (len > 12 || len > (size_t) (end - at))
                        break;
                number += delta;
                for (unsigned i = 0; number == OPTION_MAX_AGE && i < len; i++)
                        value = value << 8 | at[i];
                if (number == OPTION_MAX_AGE)
                        return value;
                at += len;
        }
        return 60;
}

/* --- one exchange after the other --- */

/* A port that nobody listens at shows in the next call, which then sent nothing. */
static void transmit(Load *l, Session *s, double at) {
        if (send(s->fd, s->packet, s->len, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED) {
                l->unreachable++;
                (void) send(s->fd, s->packet, s->len, MSG_DONTWAIT);
        }
        l->sent++;
        s->tries++;
        s->deadline = at + s->timeout;
}

/* RFC 7252 4.2: between ACK_TIMEOUT and ACK_TIMEOUT * ACK_RANDOM_FACTOR, then doubled. */
static void transmit_first(Load *l, Session *s, double at) {
        s->mid++;
        s->token = s->token * 1664525 + 1013904223;
        s->tries = 0;
        s->timeout = l->ack_timeout * (1 + 0.5 * ((double) (s->token >> 8) / 16777216));
        s->state = WAITING;
        write_request(s);
        transmit(l, s, at);
}

/* The session's next reading, where one is due. */
static void next_reading(Load *l, Session *s, double at) {
        size_t index = (size_t) (s - l->sessions);

        if (s->state != IDLE || l->stopping || (l->count > 0 && s->made >= l->count))
                return;
        if (l->rate > 0 && s->made >= s->due)
                return;
        s->begun = l->rate > 0 ? l->start + (double) (s->made * l->sessions_wanted + index) / l->rate : at;
        s->time_us = l->base_us + (int64_t) s->made * STEP_US + (int64_t) (index / l->devices);
        s->made++;
        l->waiting++;
        transmit_first(l, s, at);
}

static void confirmed(Load *l, const Session *s, double at) {
        l->acknowledged++;
        l->in_time += !l->stopping;
        histogram_add(&l->latency, at - s->begun);
        if (l->journal)
                (void) fprintf(l->journal, "load-%04u %lld\n", s->device, (long long) s->time_us);
}

static void answered(Load *l, Session *s, unsigned code, const unsigned char *options,
                const unsigned char *end, double at) {
        if (code == CODE_UNAVAILABLE || code == CODE_TOO_MANY) {
                l->unavailable++;
                s->state = HELD_BACK;
                s->deadline = at + max_age(options, end);
                return;
        }
        if (code == CODE_CHANGED)
                confirmed(l, s, at);
        else if (l->refused++ == 0)
                (void) fprintf(stderr, "coap-load: refused with %u.%02u\n", code >> 5, code & 31);
        s->state = IDLE;
        l->waiting--;
        next_reading(l, s, at);
}

static void take(Load *l, Session *s, const unsigned char *p, size_t len, double at) {
        if (len < 4 || p[0] >> 6 != 1)
                return;
        unsigned type = p[0] >> 4 & 3, token_len = p[0] & 15, code = p[1];
        bool same_mid = (p[2] << 8 | p[3]) == s->mid;
        bool same_token = token_len == 4 && len >= 8 && memcmp(p + 4, &s->token, 4) == 0;

        if (type == TYPE_CON) {
                const unsigned char empty[] = { 1 << 6 | TYPE_ACK << 4, CODE_EMPTY, p[2], p[3] };
                (void) send(s->fd, empty, sizeof empty, MSG_DONTWAIT);
        }
        if (s->state == WAITING && type == TYPE_RST && same_mid) {
                l->reset++;
                s->state = HELD_BACK;
                s->deadline = at + l->ack_timeout;
        } else if (s->state == WAITING && type == TYPE_ACK && same_mid && code == CODE_EMPTY) {
                l->separate++; /* the answer is to come by itself (5.2.2): not sent again for a while */
                s->deadline = at + s->timeout * 8;
        } else if (s->state == WAITING && same_token && (same_mid || type == TYPE_CON || type == TYPE_NON))
                answered(l, s, code, p + 8, p + len, at);
        else
                l->late++;
}

static void receive(Load *l, Session *s, double at) {
        unsigned char packet[PACKET_MAX];

        ssize_t n = recv(s->fd, packet, sizeof packet, MSG_DONTWAIT);
        if (n >= 0)
                take(l, s, packet, (size_t) n, at);
        else if (errno == ECONNREFUSED)
                l->unreachable++;
        else if (errno != EAGAIN)
                die("recv");
}

static void look_at_deadline(Load *l, Session *s, double at) {
        if (s->state == IDLE || at < s->deadline)
                return;
        if (s->state == HELD_BACK)
                transmit_first(l, s, at);
        else if (s->tries <= MAX_RETRANSMIT) {
                s->timeout *= 2;
                l->retransmitted++;
                transmit(l, s, at);
        } else {
                l->given_up++;
                transmit_first(l, s, at);
        }
}

/* --- all of them --- */

static void open_sessions(Load *l) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t) l->port) };
        struct rlimit files;

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                (void) setrlimit(RLIMIT_NOFILE, &files);
        }
        l->epoll = epoll_create1(EPOLL_CLOEXEC);
        l->sessions = calloc(l->sessions_wanted, sizeof *l->sessions);
        if (l->epoll < 0 || !l->sessions)
                die("sessions");
        for (size_t i = 0; i < l->sessions_wanted; i++) {
                Session *s = l->sessions + i;
                struct epoll_event event = { .events = EPOLLIN, .data.u64 = i };

                s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                if (s->fd < 0 || connect(s->fd, (struct sockaddr *) &address, sizeof address) < 0 ||
                                epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &event) < 0)
                        die("socket");
                s->device = (unsigned) (i % l->devices);
                s->mid = (uint16_t) (i * 7919);
                s->token = (uint32_t) (i * 2654435761u);
        }
}

static void close_sessions(Load *l) {
        for (size_t i = 0; i < l->sessions_wanted; i++)
                (void) close(l->sessions[i].fd);
        (void) close(l->epoll);
        free(l->sessions);
}

/* Sessions that have not sent anything yet (closed loop), or what is due by now (open loop). */
static void begin_readings(Load *l, double at) {
        unsigned long due = (unsigned long) ((at - l->start) * l->rate) + 1;

        for (int i = 0; l->rate <= 0 && i < STARTS_A_TURN && l->started < l->sessions_wanted; i++)
                next_reading(l, l->sessions + l->started++, at);
        for (; l->rate > 0 && l->due < due && !l->stopping; l->due++) {
                Session *s = l->sessions + l->due % l->sessions_wanted;
                s->due++;
                next_reading(l, s, at);
        }
}

static void look_at_deadlines(Load *l, double at) {
        if (at < l->next_scan)
                return;
        l->next_scan = at + l->ack_timeout / 16;
        for (size_t i = 0; i < l->sessions_wanted; i++)
                look_at_deadline(l, l->sessions + i, at);
}

static void wait_and_receive(Load *l, double at) {
        struct epoll_event events[EVENTS];
        double until = l->next_scan;

        if (l->rate > 0 && !l->stopping && l->start + (double) l->due / l->rate < until)
                until = l->start + (double) l->due / l->rate;
        if (l->rate <= 0 && l->started < l->sessions_wanted)
                until = at;
        long wait = until > at ? (long) ((until - at) * 1e9) : 0;
        struct timespec timeout = { .tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000 };
        int n = epoll_pwait2(l->epoll, events, EVENTS, &timeout, NULL);
        if (n < 0 && errno != EINTR)
                die("epoll_pwait2");
        at = now();
        for (int i = 0; i < n; i++)
                receive(l, l->sessions + events[i].data.u64, at);
}

/* Each session has made all it should. */
static bool is_complete(const Load *l) {
        return l->count > 0 && l->acknowledged + l->refused >= l->count * l->sessions_wanted;
}

static double run(Load *l) {
        struct timespec wall;
        double end = 0, at;

        (void) clock_gettime(CLOCK_REALTIME, &wall);
        l->base_us = (int64_t) wall.tv_sec * 1000000 + wall.tv_nsec / 1000;
        at = l->start = now();
        while (!l->stopping || (l->waiting > 0 && at < end + PATIENCE_S)) {
                bool over = l->seconds > 0 && at - l->start >= l->seconds;
                if (!l->stopping && (told_to_stop || is_complete(l) || over)) {
                        l->stopping = true;
                        end = at;
                }
                begin_readings(l, at);
                look_at_deadlines(l, at);
                if (!l->stopping || l->waiting > 0)
                        wait_and_receive(l, at);
                at = now();
        }
        return end - l->start;
}

static void report(const Load *l, double seconds) {
        (void) printf("{\"acknowledged\": %lu, \"seconds\": %.3f, \"rate\": %.1f, \"p50_ms\": %.3f, "
                      "\"p99_ms\": %.3f, "
                      "\"max_ms\": %.3f, \"sent\": %lu, \"retransmitted\": %lu, \"given_up\": %lu, "
                      "\"refused\": %lu, "
                      "\"unavailable\": %lu, \"reset\": %lu, \"separate\": %lu, \"late\": %lu, "
                      "\"unreachable\": %lu, "
                      "\"unanswered\": %lu}\n",
                        l->acknowledged, seconds, (double) l->in_time / seconds,
                        histogram_ms(&l->latency, 0.5), histogram_ms(&l->latency, 0.99),
                        l->latency.max * 1e3, l->sent, l->retransmitted, l->given_up, l->refused,
                        l->unavailable, l->reset, l->separate, l->late, l->unreachable, l->waiting);
}

static void read_options(Load *l, int argc, char *argv[]) {
        static const struct option options[] = {
                { "port", required_argument, NULL, 'p' },
                { "sessions", required_argument, NULL, 's' },
                { "devices", required_argument, NULL, 'd' },
                { "rate", required_argument, NULL, 'r' },
                { "seconds", required_argument, NULL, 't' },
                { "count", required_argument, NULL, 'c' },
                { "ack-timeout", required_argument, NULL, 'a' },
                { "journal", required_argument, NULL, 'j' },
                { 0 },
        };

        for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;)
                switch (o) {
                case 'p':
                        l->port = (unsigned) strtoul(optarg, NULL, 10);
                        break;
                case 's':
                        l->sessions_wanted = strtoul(optarg, NULL, 10);
                        break;
                case 'd':
                        l->devices = (unsigned) strtoul(optarg, NULL, 10);
                        break;
                case 'r':
                        l->rate = strtod(optarg, NULL);
                        break;
                case 't':
                        l->seconds = strtod(optarg, NULL);
                        break;
                case 'c':
                        l->count = strtoul(optarg, NULL, 10);
                        break;
                case 'a':
                        l->ack_timeout = strtod(optarg, NULL);
                        break;
                case 'j':
                        l->journal = fopen(optarg, "w");
                        if (!l->journal || setvbuf(l->journal, NULL, _IOLBF, 0) != 0)
                                die(optarg);
                        break;
                default:
                        exit(2);
                }
        if (l->devices == 0)
                l->devices = (unsigned) l->sessions_wanted;
        if (l->port == 0 || l->sessions_wanted == 0 || l->sessions_wanted > SESSIONS_MAX ||
                        l->ack_timeout <= 0 || l->sessions_wanted / l->devices >= SHARING_MAX) {
                (void) fprintf(stderr,
                                "usage: coap-load --port PORT --sessions N [--devices N] [--rate N] ...\n");
                exit(2);
        }
}

int main(int argc, char *argv[]) {
        static Load load = { .ack_timeout = 2 };
        const struct sigaction action = { .sa_handler = on_signal };

        read_options(&load, argc, argv);
        (void) sigaction(SIGTERM, &action, NULL);
        (void) sigaction(SIGINT, &action, NULL);
        open_sessions(&load);
        double seconds = run(&load);
        if (load.journal && fclose(load.journal) != 0)
                die("journal");
        report(&load, seconds);
        close_sessions(&load);
        return load.waiting > 0 ? 1 : 0;
}
