/* The source over TLS. */
#include "mqtt_ward.h"

static void use_tls(Ward *w, char server_name[static 1], char ca[static 80], char key[static 80]) {
        (void) snprintf(ca, 80, "%s/cafile", w->folder);
        (void) snprintf(key, 80, "%s/keyfile", w->folder);
        w->options.tls = true;
        w->options.port = w->tls_port;
        w->options.username = w->options.password = NULL;
        w->options.ca = w->options.cert = ca;
        w->options.key = key;
        w->options.server_name = server_name;
}

static void tls_works_with_a_client_certificate(void **state) {
        static char server_name[] = "broker.ward";
        Ward *w = *state;
        char ca[80], key[80];

        use_tls(w, server_name, ca, key);
        start_broker(w);
        start_device(w);
        start_source(w);
        wait_until(w, w->up);
        for (unsigned i = 0; i < 1500; i++)
                publish(w, i, i % 700 + 4, false);
        wait_until(w, w->frames == 1500 && w->batch == 0);
        assert_int_equal(w->source->counters.acknowledged, 1500);
}

/* A TLS server that sends what comes through the pipe, each write in one record. */
static int start_tls_peer(Ward *w) {
        posix_spawn_file_actions_t actions;
        char key[80], cert[80], address[32];
        int fds[2];

        (void) snprintf(key, sizeof key, "%s/keyfile", w->folder);
        (void) snprintf(cert, sizeof cert, "%s/certfile", w->folder);
        (void) snprintf(address, sizeof address, "127.0.0.1:%d", w->tls_port);
        char *const argv[] = { "openssl", "s_server", "-quiet", "-accept", address, "-cert", cert, "-key",
                key, NULL };
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        (void) posix_spawn_file_actions_init(&actions);
        (void) posix_spawn_file_actions_adddup2(&actions, fds[0], STDIN_FILENO);
        (void) posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        assert_int_equal(posix_spawnp(&w->broker, argv[0], &actions, NULL, argv, environ), 0);
        (void) posix_spawn_file_actions_destroy(&actions);
        (void) fd_close(fds[0]);
        return fds[1];
}

static void write_messages(int fd, unsigned n) {
        static const char start[] = "\x32\x16\x00\x10ward/bed-7/senml\x00\x01";
        char record[16 * 1024];
        size_t len = 0;

        for (unsigned i = 0; i < n; i++) {
                memcpy(record + len, start, sizeof start - 1);
                record[len + 1] = sizeof start - 1 - 2 + sizeof i;
                memcpy(record + len + sizeof start - 1, &i, sizeof i);
                len += sizeof start - 1 + sizeof i;
        }
        assert_int_equal(write(fd, record, len), len);
}

/* What OpenSSL holds does not show at the socket: it must neither stay there nor come after a pause. */
static void tls_hides_no_messages(void **state) {
        static char server_name[] = "broker.ward";
        static const char hello[] = "\x20\x02\x00\x00\x90\x03\x00\x01\x01"; /* CONNACK, SUBACK */
        Ward *w = *state;
        char ca[80], key[80];

        use_tls(w, server_name, ca, key);
        _cleanup_(fd_closep) int peer = start_tls_peer(w);
        start_source(w);
        assert_int_equal(write(peer, hello, sizeof hello - 1), sizeof hello - 1);
        wait_until(w, w->up);
        w->keep = true;
        write_messages(peer, 500);
        wait_until(w, w->frames == 500);

        w->keep = false;
        w->limit = 1;
        on_commit(NULL, w);
        write_messages(peer, 5);
        wait_until(w, w->frames == 505);
}

static void tls_checks_whom_it_speaks_to(void **state) {
        static char server_name[] = "other.ward";
        Ward *w = *state;
        char ca[80], key[80];

        use_tls(w, server_name, ca, key);
        start_broker(w);
        start_source(w);
        wait_until(w, strstr(w->reason, "certificate verify failed"));
        assert_false(w->up);
}

static void a_missing_certificate_is_said_at_once(void **state) {
        static char server_name[] = "broker.ward", missing[] = "/nonexistent/ca.pem";
        Ward *w = *state;
        char ca[80], key[80];
        Error e = { "" };
        SourceSink sink = { .frame = on_frame, .drained = on_drained, .state = on_state, .userdata = w };

        use_tls(w, server_name, ca, key);
        w->options.ca = missing;
        assert_true(mqtt_source_new(w->event, &w->options, &sink, &w->source, &e) < 0);
        assert_true(startswith(e.message, "/nonexistent/ca.pem: "));
}

static void a_port_without_a_broker_is_said(void **state) {
        static char server_name[] = "broker.ward";
        Ward *w = *state;
        char ca[80], key[80];

        use_tls(w, server_name, ca, key);
        start_source(w);
        wait_until(w, strstr(w->reason, "Connection refused"));
}

/* Mosquitto ends a connection whose first bytes are not MQTT. */
static void a_port_without_tls_is_said(void **state) {
        static char server_name[] = "broker.ward";
        Ward *w = *state;
        char ca[80], key[80];

        use_tls(w, server_name, ca, key);
        w->options.port = w->port;
        start_broker(w);
        start_source(w);
        wait_until(w, strstr(w->reason, "Connection reset"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                ward_test(tls_works_with_a_client_certificate),
                ward_test(tls_hides_no_messages),
                ward_test(tls_checks_whom_it_speaks_to),
                ward_test(a_missing_certificate_is_said_at_once),
                ward_test(a_port_without_a_broker_is_said),
                ward_test(a_port_without_tls_is_said),
        };

        (void) signal(SIGPIPE, SIG_IGN);
        (void) mosquitto_lib_init();
        int r = cmocka_run_group_tests(tests, NULL, NULL);
        (void) mosquitto_lib_cleanup();
        return r;
}
