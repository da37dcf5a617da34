/* Load for the benchmark: a publisher that costs the machine little, a trivial QoS 1 subscriber as the limit, and a probe
 * of the time from publish to alert.
 *
 *   mqtt-load publish   PORT COUNT RATE DEVICES FIRST    QoS 1, RATE 0: as fast as the broker takes it
 *   mqtt-load subscribe PORT COUNT                       prints messages a second from the first to the last
 *   mqtt-load alerts    PORT RATE SECONDS DEVICES TOPIC  prints milliseconds from publish to alert, one a line
 *
 * Each prints one JSON object or plain numbers on its standard output; exit status 1 where something did not arrive. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <mosquitto.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW = 900, PACKET_MAX = 512, DEVICES_MAX = 1000, QUIET_SECONDS = 20 };

static double now(clockid_t id) {
        struct timespec t;

        (void) clock_gettime(id, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void die(const char *what) {
        (void) fprintf(stderr, "mqtt-load: %s: %s\n", what, strerror(errno));
        exit(1);
}

/* --- a publisher of few instructions: packets written in runs, acknowledgements counted --- */

typedef struct Publisher {
        int fd;
        unsigned long sent, acknowledged;
        unsigned char out[256 * 1024];
        size_t out_len;
        unsigned char in[64 * 1024];
        size_t in_len;
} Publisher;

static void write_all(Publisher *p) {
        for (size_t done = 0; done < p->out_len;) {
                ssize_t n = write(p->fd, p->out + done, p->out_len - done);
                if (n <= 0)
                        die("write");
                done += (size_t) n;
        }
        p->out_len = 0;
}

/* Remaining length of less than 16384 bytes: MQTT 3.1.1 2.2.3. */
static size_t put_length(unsigned char *at, size_t n) {
        if (n < 128) {
                at[0] = (unsigned char) n;
                return 1;
        }
        at[0] = (unsigned char) (0x80 | (n & 0x7f));
        at[1] = (unsigned char) (n >> 7);
        return 2;
}

static void put_publish(Publisher *p, const char *topic, const char *payload) {
        size_t topic_len = strlen(topic), len = strlen(payload);
        unsigned char *at = p->out + p->out_len;
        unsigned id = (unsigned) (p->sent % 65535) + 1;

        *at++ = 0x32;
        at += put_length(at, 2 + topic_len + 2 + len);
        *at++ = (unsigned char) (topic_len >> 8);
        *at++ = (unsigned char) topic_len;
        memcpy(at, topic, topic_len);
        at += topic_len;
        *at++ = (unsigned char) (id >> 8);
        *at++ = (unsigned char) id;
        memcpy(at, payload, len);
        p->out_len = (size_t) (at + len - p->out);
        p->sent++;
}

/* Takes what has come: PUBACKs are four bytes each, so is CONNACK. */
static void take(Publisher *p, int timeout_ms) {
        struct pollfd poll_fd = { .fd = p->fd, .events = POLLIN };

        if (poll(&poll_fd, 1, timeout_ms) <= 0)
                return;
        ssize_t n = read(p->fd, p->in + p->in_len, sizeof p->in - p->in_len);
        if (n <= 0)
                die("the broker closed the connection");
        p->in_len += (size_t) n;
        size_t whole = p->in_len / 4 * 4;
        for (size_t i = 0; i < whole; i += 4)
                p->acknowledged += p->in[i] == 0x40;
        memmove(p->in, p->in + whole, p->in_len - whole);
        p->in_len -= whole;
}

static void publisher_open(Publisher *p, int port) {
        static const unsigned char connect_packet[] = { 0x10, 0x10, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0,
                4, 'l', 'o', 'a', 'd' };
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short) port) };
        int one = 1;

        memset(p, 0, sizeof *p);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (p->fd < 0 || connect(p->fd, (struct sockaddr *) &address, sizeof address) < 0)
                die("connect");
        (void) setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        memcpy(p->out, connect_packet, sizeof connect_packet);
        p->out_len = sizeof connect_packet;
        write_all(p);
        take(p, 5000);
}

/* One SenML record; the time makes each reading one of its own. */
static void put_reading(Publisher *p, unsigned device, double value, double time) {
        char topic[64], payload[128];

        (void) snprintf(topic, sizeof topic, "ward/load-%03u/senml", device);
        (void) snprintf(payload, sizeof payload, "[{\"n\":\"spo2\",\"u\":\"%%\",\"v\":%.0f,\"t\":%.6f}]",
                        value, time);
        put_publish(p, topic, payload);
}

static int publish(int port, unsigned long count, double rate, unsigned devices, unsigned long first) {
        static Publisher p;
        double start, base = now(CLOCK_REALTIME);

        publisher_open(&p, port);
        start = now(CLOCK_MONOTONIC);
        for (unsigned long i = 0; i < count;) {
                double elapsed = now(CLOCK_MONOTONIC) - start;
                unsigned long due = rate > 0 ? (unsigned long) (elapsed * rate) + 1 : count;
                while (i < count && i < due && p.sent - p.acknowledged < WINDOW &&
                                p.out_len < sizeof p.out - PACKET_MAX) {
                        unsigned device = (unsigned) ((first + i) % devices);
                        put_reading(&p, device, 94 + (double) ((first + i) % 6), base + (double) i * 1e-4);
                        i++;
                }
                write_all(&p);
                take(&p, rate > 0 ? 1 : p.sent - p.acknowledged < WINDOW ? 0 : 1000);
        }
        while (p.acknowledged < count)
                take(&p, 5000);
        (void) printf("{\"published\": %lu, \"seconds\": %.3f}\n", count, now(CLOCK_MONOTONIC) - start);
        return 0;
}

/* --- the limit: a subscriber that counts --- */

typedef struct Counter {
        unsigned long count, wanted;
        double first, last;
} Counter;

static void on_message(struct mosquitto *m, void *userdata, const struct mosquitto_message *message) {
        Counter *c = userdata;
        (void) m;
        (void) message;

        c->last = now(CLOCK_MONOTONIC);
        if (c->count++ == 0)
                c->first = c->last;
}

static void on_connect(struct mosquitto *m, void *userdata, int r) {
        (void) userdata;
        if (r == 0)
                (void) mosquitto_subscribe(m, NULL, "ward/+/senml", 1);
}

static void on_subscribe(struct mosquitto *m, void *userdata, int id, int n, const int *granted) {
        (void) m;
        (void) userdata;
        (void) id;
        (void) n;
        (void) granted;
        (void) printf("ready\n");
        (void) fflush(stdout);
}

static int subscribe(int port, unsigned long count) {
        Counter c = { .wanted = count };

        (void) mosquitto_lib_init();
        struct mosquitto *m = mosquitto_new("limit", true, &c);
        if (!m)
                die("mosquitto_new");
        mosquitto_connect_callback_set(m, on_connect);
        mosquitto_subscribe_callback_set(m, on_subscribe);
        mosquitto_message_callback_set(m, on_message);
        (void) mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
        if (mosquitto_connect(m, "127.0.0.1", port, 60) != MOSQ_ERR_SUCCESS)
                die("connect");
        double quiet_since = now(CLOCK_MONOTONIC);
        for (unsigned long seen = 0; c.count < count; seen = c.count) {
                if (mosquitto_loop(m, 100, 1) != MOSQ_ERR_SUCCESS)
                        die("loop");
                if (c.count != seen)
                        quiet_since = now(CLOCK_MONOTONIC);
                else if (now(CLOCK_MONOTONIC) - quiet_since > QUIET_SECONDS)
                        die("messages are missing");
        }
        (void) printf("{\"received\": %lu, \"rate\": %.0f}\n", c.count,
                        (double) (c.count - 1) / (c.last - c.first));
        mosquitto_destroy(m);
        mosquitto_lib_cleanup();
        return 0;
}

/* --- from publish to alert --- */

typedef struct Probe {
        double published[DEVICES_MAX]; /* 0: nothing waits */
        unsigned long raised, answered;
} Probe;

/* "label" is the device's subject, "load-<n>"; only raises count. */
static void on_alert(struct mosquitto *m, void *userdata, const struct mosquitto_message *message) {
        Probe *probe = userdata;
        char text[2048];
        (void) m;

        if (message->payloadlen <= 0 || message->payloadlen >= (int) sizeof text || message->retain)
                return;
        memcpy(text, message->payload, (size_t) message->payloadlen);
        text[message->payloadlen] = '\0';
        const char *subject = strstr(text, "\"subject\":\"bed-");
        if (!strstr(text, "\"state\":\"active\"") || !subject)
                return;
        unsigned long device = strtoul(subject + strlen("\"subject\":\"bed-"), NULL, 10);
        if (device >= DEVICES_MAX || probe->published[device] == 0)
                return;
        (void) printf("%.4f\n", (now(CLOCK_MONOTONIC) - probe->published[device]) * 1e3);
        probe->published[device] = 0;
        probe->answered++;
}

static struct mosquitto *alert_listener(int port, const char *topic, Probe *probe) {
        (void) mosquitto_lib_init();
        struct mosquitto *m = mosquitto_new("probe", true, probe);
        if (!m || mosquitto_connect(m, "127.0.0.1", port, 60) != MOSQ_ERR_SUCCESS)
                die("connect");
        mosquitto_message_callback_set(m, on_alert);
        (void) mosquitto_subscribe(m, NULL, topic, 0);
        for (int i = 0; i < 20; i++)
                (void) mosquitto_loop(m, 20, 1);
        return m;
}

/* Every 20th reading of a device's turn dips below the limit, and the next one of that device is well again. */
static int alerts(int port, double rate, double seconds, unsigned devices, const char *topic) {
        enum { EVERY = 20 };
        static Publisher p;
        static Probe probe;
        unsigned long i = 0;

        struct mosquitto *m = alert_listener(port, topic, &probe);
        publisher_open(&p, port);
        double start = now(CLOCK_MONOTONIC), base = now(CLOCK_REALTIME);
        for (double elapsed = 0;
                        elapsed < seconds || (probe.answered < probe.raised && elapsed < seconds + 5);
                        elapsed = now(CLOCK_MONOTONIC) - start) {
                while (elapsed < seconds && i < (unsigned long) (elapsed * rate)) {
                        unsigned device = (unsigned) (i % devices);
                        unsigned long turn = i / devices;
                        bool low = (turn + device) % EVERY == 0;
                        put_reading(&p, device, low ? 85 : 97, base + (double) i / rate);
                        write_all(&p);
                        if (low && probe.published[device] == 0) {
                                probe.published[device] = now(CLOCK_MONOTONIC);
                                probe.raised++;
                        }
                        i++;
                }
                take(&p, 0);
                struct pollfd fds = { .fd = mosquitto_socket(m), .events = POLLIN };
                if (poll(&fds, 1, 0) > 0)
                        (void) mosquitto_loop_read(m, 1);
                else
                        (void) usleep(50);
        }
        (void) fprintf(stderr, "%lu readings, %lu alerts raised, %lu arrived\n", i, probe.raised,
                        probe.answered);
        mosquitto_destroy(m);
        mosquitto_lib_cleanup();
        return probe.answered == probe.raised ? 0 : 1;
}

int main(int argc, char *argv[]) {
        int port = argc > 2 ? atoi(argv[2]) : 0;

        if (argc == 7 && strcmp(argv[1], "publish") == 0)
                return publish(port, strtoul(argv[3], NULL, 10), atof(argv[4]), (unsigned) atoi(argv[5]),
                                strtoul(argv[6], NULL, 10));
        if (argc == 4 && strcmp(argv[1], "subscribe") == 0)
                return subscribe(port, strtoul(argv[3], NULL, 10));
        if (argc == 7 && strcmp(argv[1], "alerts") == 0)
                return alerts(port, atof(argv[3]), atof(argv[4]), (unsigned) atoi(argv[5]), argv[6]);
        (void) fprintf(stderr, "usage: mqtt-load publish|subscribe|alerts ...\n");
        return 2;
}
