/* sim: publishes a simulated ward, or recordings, as devices would: SenML over MQTT, QoS 1. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "cli/feed.h"
#include "cli/publisher.h"

typedef struct Values {
        uint64_t patients, port, seed, deteriorate;
        double rate, speed;
        const char *host, *username, *password_file, *topic;
        int64_t duration;
        bool csv;
} Values;

static const Option options[] = {
        { "patients", 'n', OPTION_COUNT, offsetof(Values, patients), .min = 1, .max = 10000, .argument = "N",
                        .help = "simulated patients, one device each: sim-01 ... (default 8)" },
        { "rate", 'r', OPTION_NUMBER, offsetof(Values, rate), .min = 0.001, .max = 10000, .argument = "HZ",
                        .help = "messages a second of each patient (default 1)" },
        { "speed", 'x', OPTION_NUMBER, offsetof(Values, speed), .min = 0.001, .max = 100000, .argument = "X",
                        .help = "how much faster than life (default 1)" },
        { "duration", 'd', OPTION_DURATION, offsetof(Values, duration), .argument = "TIME",
                        .help = "stop after that long (default: never, or at the recordings' end)" },
        { "deteriorate", 0, OPTION_COUNT, offsetof(Values, deteriorate), .min = 1, .max = 10000,
                        .argument = "P", .help = "patient P desaturates within half a minute" },
        { "seed", 0, OPTION_COUNT, offsetof(Values, seed), .argument = "N",
                        .help = "the same ward again (default 1)" },
        { "csv", 0, OPTION_FLAG, offsetof(Values, csv),
                        .help = "replay the FILEs, which backtest can read too" },
        { "host", 0, OPTION_TEXT, offsetof(Values, host), .argument = "HOST",
                        .help = "broker (default 127.0.0.1)" },
        { "port", 'p', OPTION_COUNT, offsetof(Values, port), .min = 1, .max = 65535, .argument = "PORT",
                        .help = "default 1883" },
        { "username", 'u', OPTION_TEXT, offsetof(Values, username), .argument = "NAME",
                        .help = "for the broker" },
        { "password-file", 0, OPTION_TEXT, offsetof(Values, password_file), .argument = "FILE",
                        .help = "its password, readable by you alone" },
        { "topic", 't', OPTION_TEXT, offsetof(Values, topic), .argument = "TOPIC",
                        .help = "default ward/{device}/senml" },
        { NULL },
};

typedef struct Simulation {
        const Values *values;
        Feed *feed;
        Publisher *publisher;
        int signals;                 /* signalfd: SIGINT and SIGTERM end it in good order */
        int64_t start_us, report_us; /* monotonic */
} Simulation;

static void print_counts(const Simulation *s, const char *end) {
        fprintf(stderr, "%llu published, %llu acknowledged%s",
                        (unsigned long long) publisher_sent(s->publisher),
                        (unsigned long long) publisher_acknowledged(s->publisher), end);
}

static bool interrupted(const Simulation *s) {
        struct signalfd_siginfo info;

        return read(s->signals, &info, sizeof info) == sizeof info;
}

static void report(Simulation *s, int64_t now_us) {
        const bool terminal = isatty(STDERR_FILENO);

        if (now_us < s->report_us)
                return;
        s->report_us = now_us + (terminal ? 1 : 5) * USEC_PER_SEC;
        if (terminal)
                fputc('\r', stderr);
        print_counts(s, terminal ? "\033[K" : "\n");
}

/* SenML (RFC 8428): the pack's base time, then the measurements. ret holds the text; returns its length. */
static int format_pack(const FeedItem *item, int64_t wall_us, char *ret, size_t size) {
        int n = 0;

        for (size_t i = 0; i < item->count && (size_t) n < size; i++) {
                const FeedValue *v = &item->values[i];
                if (i == 0)
                        n = snprintf(ret, size, "[{\"bt\":%lld.%06lld,",
                                        (long long) (wall_us / USEC_PER_SEC),
                                        (long long) (wall_us % USEC_PER_SEC));
                n += snprintf(ret + n, size - (size_t) n, "%s\"n\":\"%s\",\"u\":\"%s\",\"v\":%.*f}",
                                i == 0 ? "" : ",{", v->vital, v->unit, v->decimals, v->value);
        }
        n += snprintf(ret + n, size - (size_t) n, "]");
        return n;
}

static int format_topic(const char *pattern, unsigned device, char *ret, size_t size) {
        const char *place = strstr(pattern, "{device}");
        int n = snprintf(ret, size, "%.*ssim-%02u%s", (int) (place - pattern), pattern, device + 1,
                        place + strlen("{device}"));

        return n < 0 || (size_t) n >= size ? -ENAMETOOLONG : 0;
}

/* Waits until at_us; 1 where a signal ends the run. */
static int wait_until(Simulation *s, int64_t at_us, Error *e) {
        Stamp now;

        for (;;) {
                clock_now(&now);
                report(s, now.mono_us);
                if (interrupted(s))
                        return 1;
                if (now.mono_us >= at_us)
                        return 0;
                int r = publisher_run(s->publisher, MIN(at_us - now.mono_us, 100 * USEC_PER_MSEC), e);
                if (r < 0)
                        return r;
        }
}

static int send_item(Simulation *s, const FeedItem *item, Error *e) {
        char topic[512], payload[1024];
        Stamp now;
        int r;

        if (item->count == 0)
                return 0;
        r = format_topic(s->values->topic, item->device, topic, sizeof topic);
        if (r < 0)
                return error_set(e, r, "--topic: too long");
        clock_now(&now);
        int n = format_pack(item, now.wall_us, payload, sizeof payload);
        while ((r = publisher_send(s->publisher, topic, BYTES(payload, (size_t) n), e)) == -EAGAIN) {
                /* the window is full: the broker sets the pace */
                r = publisher_run(s->publisher, 100 * USEC_PER_MSEC, e);
                if (r < 0)
                        return r;
                clock_now(&now);
                report(s, now.mono_us);
                if (interrupted(s))
                        return 1;
        }
        return r;
}

/* Whether --duration ends the run before what is due at due_s; also where a slow broker has made it late. */
static bool is_over(const Simulation *s, double due_s) {
        const int64_t duration_us = s->values->duration;
        Stamp now;

        clock_now(&now);
        return duration_us > 0 &&
               (due_s * 1e6 >= (double) duration_us || now.mono_us - s->start_us >= duration_us);
}

static int publish_all(Simulation *s, Error *e) {
        const Values *v = s->values;
        FeedItem item;
        int r;

        while ((r = s->feed->ops->next(s->feed, &item)) == 0) {
                if (is_over(s, item.at_s / v->speed))
                        return 0;
                r = wait_until(s, s->start_us + (int64_t) (item.at_s / v->speed * 1e6), e);
                if (r == 0)
                        r = send_item(s, &item, e);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        return r == -ENODATA ? 0 : error_set(e, r, "the simulation failed: %s", strerror(-r));
}

static int collect_acknowledgements(Simulation *s, Error *e) {
        const int64_t patience_us = 10 * USEC_PER_SEC;
        Stamp now;

        clock_now(&now);
        const int64_t deadline_us = now.mono_us + patience_us;
        while (publisher_acknowledged(s->publisher) < publisher_sent(s->publisher) &&
                        now.mono_us < deadline_us) {
                int r = publisher_run(s->publisher, 100 * USEC_PER_MSEC, e);
                if (r < 0)
                        return r;
                clock_now(&now);
        }
        return 0;
}

static int open_signals(int *ret, Error *e) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        (void) signal(SIGPIPE, SIG_IGN); /* a broker that goes away is an error of write() */
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
                        (*ret = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) < 0)
                return error_set(e, -errno, "can't watch signals: %s", strerror(errno));
        return 0;
}

static int open_feed(const Invocation *in, Feed **ret, Error *e) {
        const Values *v = in->values;
        const WardOptions ward = { (unsigned) v->patients, v->rate, v->seed, (unsigned) v->deteriorate };

        if (!v->csv)
                return ward_new(&ward, ret) < 0 ? error_set(e, -ENOMEM, "out of memory") : 0;
        int r = recording_new(in->operands, (unsigned) in->operand_count, ret, e);
        for (int i = 0; r == 0 && i < in->operand_count; i++)
                fprintf(stderr, "sim-%02d replays %s\n", i + 1, in->operands[i]);
        return r;
}

static int check_usage(const Invocation *in, Error *e) {
        const Values *v = in->values;

        if (v->csv != (in->operand_count > 0))
                return error_set(e, CLI_USAGE,
                                v->csv ? "--csv: expected at least one FILE" : "a FILE needs --csv");
        if (!strstr(v->topic, "{device}") || strpbrk(v->topic, "+#"))
                return error_set(e, CLI_USAGE, "--topic: expected {device} and no wildcard, got \"%s\"",
                                v->topic);
        if (v->deteriorate > v->patients)
                return error_set(e, CLI_USAGE, "--deteriorate: there are only %llu patients",
                                (unsigned long long) v->patients);
        if (v->password_file && !v->username)
                return error_set(e, CLI_USAGE, "--password-file needs --username");
        return 0;
}

static int run_sim(const Invocation *in, Error *e) {
        const Values *v = in->values;
        const PublisherOptions broker = { v->host, v->username, v->password_file, (int) v->port };
        _cleanup_(feed_freep) Feed *feed = NULL;
        _cleanup_(publisher_freep) Publisher *publisher = NULL;
        _cleanup_(fd_closep) int signals = -1;
        Stamp now;

        int r = check_usage(in, e);
        if (r != 0)
                return r;
        r = open_feed(in, &feed, e);
        if (r == 0)
                r = open_signals(&signals, e);
        if (r == 0)
                r = publisher_new(&broker, &publisher, e);
        if (r < 0)
                return r;
        clock_now(&now);
        Simulation s = { v, feed, publisher, signals, now.mono_us, now.mono_us + USEC_PER_SEC };
        r = publish_all(&s, e);
        if (r == 0)
                r = collect_acknowledgements(&s, e);
        if (isatty(STDERR_FILENO))
                fputs("\r\033[K", stderr);
        printf("%llu published, %llu acknowledged\n", (unsigned long long) publisher_sent(publisher),
                        (unsigned long long) publisher_acknowledged(publisher));
        if (r == 0 && publisher_acknowledged(publisher) < publisher_sent(publisher))
                return error_set(e, -EIO, "the broker did not acknowledge all");
        return r;
}

static const Values defaults = {
        .patients = 8,
        .rate = 1,
        .speed = 1,
        .seed = 1,
        .host = "127.0.0.1",
        .port = 1883,
        .topic = "ward/{device}/senml",
};

const Command command_sim = {
        .name = "sim",
        .operands = "[FILE...]",
        .summary = "Publish a simulated ward, or recordings, over MQTT",
        .details = "For trials: never on a box that watches patients. Each message carries the time at "
                   "which it is sent.",
        .options = options,
        .values_size = sizeof(Values),
        .values = &defaults,
        .operands_max = INT_MAX,
        .run = run_sim,
};
