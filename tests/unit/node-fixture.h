/* A stand-in for a node that misbehaves on demand, in a thread of its own; real ones are in the integration tests. */
#pragma once

#include <arpa/inet.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

enum { REQUEST_MAX = 8192, ENDLESS = 2 * 1024 * 1024, STAND_IN_CHAIN = 1337 };

typedef enum Mood {
        GOOD,
        SILENT,      /* until the other side gives up */
        NONSENSE,    /* a page for people */
        UNAVAILABLE, /* HTTP status 503 with an answer that would do */
        BUSY,        /* HTTP status 429, likewise */
        FORBIDDEN,   /* HTTP status 401 */
        TOO_LONG,    /* an answer without an end */
        OTHER_CHAIN,
        REFUSING,     /* every call but eth_chainId */
        OTHER_NUMBER, /* answers another call */
} Mood;

typedef struct StandIn {
        int fd;
        char url[64];
        pthread_t thread;
        atomic_int mood, calls; /* calls: without eth_chainId */
        char request[REQUEST_MAX];
} StandIn;

static void send_all(int fd, const char *text, size_t len) {
        while (len > 0) {
                ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
                if (n <= 0)
                        return;
                text += n;
                len -= (size_t) n;
        }
}

static void send_answer(int fd, const char *status, const char *body) {
        char head[256];

        int n = snprintf(head, sizeof head,
                        "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: "
                        "%zu\r\nConnection: "
                        "close\r\n\r\n",
                        status, strlen(body));
        send_all(fd, head, (size_t) n);
        send_all(fd, body, strlen(body));
}

static void send_endlessly(int fd) {
        char spaces[4096];

        memset(spaces, ' ', sizeof spaces);
        send_all(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", 38);
        for (size_t sent = 0; sent < ENDLESS; sent += sizeof spaces)
                send_all(fd, spaces, sizeof spaces);
}

/* Headers and the whole body; where the body begins. */
static const char *read_request(StandIn *s, int fd) {
        size_t len = 0;
        ssize_t n;

        while (len < sizeof s->request - 1 &&
                        (n = recv(fd, s->request + len, sizeof s->request - 1 - len, 0)) > 0) {
                len += (size_t) n;
                s->request[len] = '\0';
                const char *body = strstr(s->request, "\r\n\r\n"),
                           *length = strstr(s->request, "Content-Length: ");
                if (body && length && strlen(body + 4) >= strtoul(length + 16, NULL, 10))
                        return body + 4;
        }
        return NULL;
}

static void answer_call(StandIn *s, int fd, const char *body, Mood mood) {
        json_t *call = json_loads(body, 0, NULL);
        bool is_id = streq(json_string_value(json_object_get(call, "method")), "eth_chainId");
        json_int_t id = json_integer_value(json_object_get(call, "id"));
        char text[256];

        if (!is_id)
                atomic_fetch_add(&s->calls, 1);
        if (mood == REFUSING && !is_id)
                (void) snprintf(text, sizeof text,
                                "{\"id\":%lld,\"error\":{\"code\":-32000,\"message\":\"nonce too low\"}}",
                                (long long) id);
        else
                (void) snprintf(text, sizeof text, "{\"id\":%lld,\"result\":\"0x%x\"}",
                                (long long) (mood == OTHER_NUMBER ? id + 1 : id),
                                is_id ? STAND_IN_CHAIN + (mood == OTHER_CHAIN) : 7);
        send_answer(fd,
                        mood == UNAVAILABLE ? "503 Service Unavailable"
                        : mood == BUSY      ? "429 Too Many Requests"
                                            : "200 OK",
                        text);
        json_decref(call);
}

static void serve(StandIn *s, int fd) {
        const char *body = read_request(s, fd);
        Mood mood = (Mood) atomic_load(&s->mood);
        char byte;

        if (!body)
                return;
        switch (mood) {
        case SILENT:
                (void) !recv(fd, &byte, 1, 0);
                break;
        case NONSENSE:
                send_answer(fd, "200 OK", "<html>");
                break;
        case FORBIDDEN:
                send_answer(fd, "401 Unauthorized", "{}");
                break;
        case TOO_LONG:
                send_endlessly(fd);
                break;
        case GOOD:
        case UNAVAILABLE:
        case BUSY:
        case OTHER_CHAIN:
        case REFUSING:
        case OTHER_NUMBER:
                answer_call(s, fd, body, mood);
                break;
        }
}

static void *stand_in_run(void *userdata) {
        StandIn *s = userdata;
        int fd;

        while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
                serve(s, fd);
                (void) close(fd);
        }
        return NULL;
}

static void stand_in_start(StandIn *s, Mood mood) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof a;

        *s = (StandIn){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
        atomic_store(&s->mood, (int) mood);
        assert_true(s->fd >= 0);
        assert_int_equal(bind(s->fd, (struct sockaddr *) &a, sizeof a), 0);
        assert_int_equal(listen(s->fd, 8), 0);
        assert_int_equal(getsockname(s->fd, (struct sockaddr *) &a, &len), 0);
        (void) snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/rpc?key=hidden", ntohs(a.sin_port));
        assert_int_equal(pthread_create(&s->thread, NULL, stand_in_run, s), 0);
}

/* The port stays closed from then on. */
static void stand_in_stop(StandIn *s) {
        if (s->fd < 0)
                return;
        (void) shutdown(s->fd, SHUT_RDWR);
        assert_int_equal(pthread_join(s->thread, NULL), 0);
        s->fd = fd_close(s->fd);
}
