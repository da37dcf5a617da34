/* A ward for tests of the source against the real broker: Mosquitto with the configuration that we ship (every line of
 * it, the TLS example included, with only ports and file names changed), a device that publishes, and a sink that
 * commits a batch at a time. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/file.h"
#include "ingest/mqtt_options.h"

enum { WAIT_MS = 20000 };

extern char **environ;

typedef struct Ward {
        char folder[64];
        uint16_t port, tls_port;
        pid_t broker;
        sd_event *event;
        sd_event_source *commit;
        Source *source;
        MqttOptions options;
        MqttTopic topic;
        char *filter;
        struct mosquitto *device;
        bool keep;      /* commit nothing */
        unsigned limit; /* frames of a batch */
        unsigned frames, batch, next, durable, redelivered, retained;
        bool up;
        char reason[256];
} Ward;

/* --- the sink: commits a batch, in a later turn of the loop --- */

static inline int on_commit(sd_event_source *es, void *userdata) {
        Ward *w = userdata;

        w->batch = 0;
        w->source->ops->acknowledge(w->source);
        return 0;
}

static inline void close_batch(Ward *w) {
        if (w->keep)
                return;
        w->source->ops->pause(w->source);
        assert_true(sd_event_source_set_enabled(w->commit, SD_EVENT_ONESHOT) >= 0);
}

static inline void on_frame(void *userdata, Source *s, const Frame *f, FrameResult *ret) {
        Ward *w = userdata;
        unsigned number;

        assert_string_equal(f->device, "bed-7");
        assert_true(f->payload.len >= sizeof number);
        memcpy(&number, f->payload.data, sizeof number);
        w->next = number + 1;
        w->frames++;
        w->durable += f->durable;
        w->redelivered += f->redelivered;
        w->retained += f->retained;
        assert_true(w->keep || w->batch < w->limit); /* nothing comes after a pause */
        if (++w->batch == w->limit)
                close_batch(w);
}

static inline void on_drained(void *userdata, Source *s) {
        close_batch(userdata);
}

static inline void on_state(void *userdata, Source *s, bool up, const char *reason) {
        Ward *w = userdata;

        w->up = up;
        (void) snprintf(w->reason, sizeof w->reason, "%s", reason);
}

static inline void turn(Ward *w) {
        assert_true(sd_event_run(w->event, 1000) >= 0);
        if (w->device)
                (void) mosquitto_loop(w->device, 0, 1);
}

#define wait_until(w, condition)                                                                            \
        do {                                                                                                \
                for (int _i = 0; _i < WAIT_MS && !(condition); _i++)                                        \
                        turn(w);                                                                            \
                if (!(condition))                                                                           \
                        fail_msg("%s: not so after %u frames; '%s'", #condition, (w)->frames, (w)->reason); \
        } while (0)

static inline void start_source(Ward *w) {
        SourceSink sink = { .frame = on_frame, .drained = on_drained, .state = on_state, .userdata = w };
        Error e = { "" };

        w->frames = w->batch = w->redelivered = 0;
        if (mqtt_source_new(w->event, &w->options, &sink, &w->source, &e) < 0)
                fail_msg("%s", e.message);
}

static inline void stop_source(Ward *w) {
        (void) sd_event_source_set_enabled(w->commit, SD_EVENT_OFF);
        w->source = w->source ? w->source->ops->free(w->source) : NULL;
        w->up = false;
}

/* --- the broker --- */

static inline uint16_t free_port(void) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(fd, (struct sockaddr *) &address, len), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &len), 0);
        (void) fd_close(fd);
        return ntohs(address.sin_port);
}

static inline pid_t start(char *const argv[]) {
        pid_t pid;

        assert_int_equal(posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ), 0);
        return pid;
}

static inline void run(const char *command) {
        char *const argv[] = { "sh", "-c", (char *) command, NULL };
        int status;

        assert_int_equal(waitpid(start(argv), &status, 0) > 0, 1);
        assert_int_equal(status, 0);
}

/* A line of the shipped file as this test needs it: settings that are commented out are put into force. */
static inline void write_line(const Ward *w, const char *line, FILE *out) {
        static const char *const files[] = { "cafile", "certfile", "keyfile", "password_file", "acl_file" };

        if (line[0] == '#' && line[1] != ' ' && line[1] != '\n')
                line++;
        for (size_t i = 0; i < ELEMENTS(files); i++)
                if (startswith(line, files[i])) {
                        (void) fprintf(out, "%s %s/%s\n", files[i], w->folder, files[i]);
                        return;
                }
        if (startswith(line, "listener 1883"))
                (void) fprintf(out, "listener %d 127.0.0.1\n", w->port);
        else if (startswith(line, "listener 8883"))
                (void) fprintf(out, "listener %d 127.0.0.1\n", w->tls_port);
        else
                (void) fputs(line, out);
}

static inline void write_configuration(const Ward *w) {
        char path[256], line[512];

        (void) snprintf(path, sizeof path, "%s/configs/mosquitto/wardstone.conf",
                        getenv("WARDSTONE_SOURCE"));
        FILE *in = fopen(path, "re");
        (void) snprintf(path, sizeof path, "%s/conf", w->folder);
        FILE *out = fopen(path, "we");
        assert_true(in && out);
        (void) fprintf(out, "user root\nlog_dest none\npersistence_location %s/\n", w->folder);
        while (fgets(line, sizeof line, in))
                write_line(w, line, out);
        (void) fclose(in);
        assert_int_equal(fclose(out), 0);
}

/* Users, and one certificate that is authority, broker and client in one. */
static inline void write_secrets(const Ward *w) {
        char command[1024];

        (void) snprintf(command, sizeof command,
                        "cd %s && umask 077 && touch password_file && "
                        "mosquitto_passwd -b password_file wardstone secret 2>&1 && "
                        "mosquitto_passwd -b password_file bed-7 secret 2>&1 && printf secret >secret && "
                        "cp \"$WARDSTONE_SOURCE/configs/mosquitto/wardstone.acl\" acl_file && "
                        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                        "-subj /CN=wardstone -addext subjectAltName=DNS:broker.ward "
                        "-keyout keyfile -out cafile 2>openssl.log && cp cafile certfile",
                        w->folder);
        run(command);
}

static inline void start_broker(Ward *w) {
        struct sockaddr_in address = {
                .sin_family = AF_INET, .sin_port = htons(w->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
        };
        char path[128];
        bool ready = false;

        (void) snprintf(path, sizeof path, "%s/conf", w->folder);
        char *const argv[] = { "/usr/sbin/mosquitto", "-c", path, NULL };
        w->broker = start(argv);
        for (int i = 0; i < WAIT_MS && !ready; i++) {
                int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                ready = connect(fd, (struct sockaddr *) &address, sizeof address) == 0;
                (void) fd_close(fd);
                (void) usleep(1000);
                if (waitpid(w->broker, NULL, WNOHANG) != 0)
                        fail_msg("mosquitto does not accept the configuration");
        }
        assert_true(ready);
}

static inline void stop_broker(Ward *w) {
        if (w->broker > 0) {
                (void) kill(w->broker, SIGTERM);
                (void) waitpid(w->broker, NULL, 0);
        }
        w->broker = 0;
}

/* --- the device --- */

static inline void publish(Ward *w, unsigned number, size_t size, bool retain) {
        char payload[2048] = "";

        assert_true(size <= sizeof payload);
        memcpy(payload, &number, sizeof number);
        assert_int_equal(mosquitto_publish(w->device, NULL, "ward/bed-7/senml", (int) size, payload, 1,
                                         retain),
                        MOSQ_ERR_SUCCESS);
}

static inline void start_device(Ward *w) {
        w->device = mosquitto_new(NULL, true, NULL);
        (void) mosquitto_username_pw_set(w->device, "bed-7", "secret");
        (void) mosquitto_max_inflight_messages_set(w->device, 0);
        assert_int_equal(mosquitto_connect(w->device, "127.0.0.1", w->port, 60), MOSQ_ERR_SUCCESS);
}

static inline void stop_device(Ward *w) {
        mosquitto_destroy(w->device);
        w->device = NULL;
}

static inline int set_up(void **state) {
        static char name[] = "local", host[] = "127.0.0.1", id[] = "w7", user[] = "wardstone",
                    password[] = "secret", filter[] = "ward/+/senml", device[] = "ward/{device}/senml";
        Ward *w = calloc(1, sizeof *w);

        assert_non_null(w);
        *state = w;
        (void) snprintf(w->folder, sizeof w->folder, "/tmp/mqtt-source-XXXXXX");
        assert_non_null(mkdtemp(w->folder));
        w->limit = 100;
        w->port = free_port();
        w->tls_port = free_port();
        write_secrets(w);
        write_configuration(w);
        w->filter = filter;
        w->topic = (MqttTopic){ .device = device, .decoding = { .format = DECODE_SENML_JSON } };
        w->options = (MqttOptions){ .common = { .name = name },
                .host = host,
                .client_id = id,
                .username = user,
                .password = password,
                .port = w->port,
                .keepalive_us = 30 * USEC_PER_SEC,
                .topics = &w->topic,
                .filters = &w->filter,
                .topic_count = 1 };
        assert_true(sd_event_new(&w->event) >= 0);
        assert_true(sd_event_add_defer(w->event, &w->commit, on_commit, w) >= 0);
        (void) sd_event_source_set_enabled(w->commit, SD_EVENT_OFF);
        return 0;
}

static inline int tear_down(void **state) {
        Ward *w = *state;
        char command[128];

        stop_source(w);
        stop_device(w);
        stop_broker(w);
        (void) sd_event_source_unref(w->commit);
        (void) sd_event_unref(w->event);
        (void) snprintf(command, sizeof command, "rm -r %s", w->folder);
        run(command);
        free(w);
        return 0;
}

#define ward_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
