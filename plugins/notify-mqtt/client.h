/* A connection to a broker, kept up by a thread of its own, that says when what was published has been
 * acknowledged and hands over what comes. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

typedef struct Client Client;

typedef struct Subscription {
        char *filter; /* NULL: none */
        int qos, options;
} Subscription;

enum { CLIENT_SUBSCRIPTIONS_MAX = 2 };

typedef struct ClientOptions {
        const char *host, *client_id, *username; /* client_id and username may be NULL */
        char *password;                          /* may be NULL; borrowed */
        const char *ca, *cert, *key;             /* ca NULL: no TLS; cert and key may be NULL */
        int port, keepalive_s;

        Subscription subscriptions[CLIENT_SUBSCRIPTIONS_MAX]; /* copied */
        /* Both from the client's thread. */
        void (*connected)(void *userdata); /* before anything comes over the new connection */
        void (*message)(void *userdata, const char *topic, Bytes payload, bool retain);
        void *userdata;
} ClientOptions;

/* Begins to connect; a broker that is absent is no error. */
int client_new(const ClientOptions *o, Client **ret, Error *e) _must_check_;
/* What is not acknowledged is forgotten. */
Client *client_free(Client *c);
DEFINE_CLEANUP(Client *, client_free);

/* Waits until the broker has granted the subscription of that number on this connection. -ETIMEDOUT, -EACCES. */
int client_subscribed(Client *c, size_t i, int64_t timeout_us, Error *e) _must_check_;

typedef struct Publication {
        char *topic, *payload; /* an empty payload with retain removes the retained message */
        bool retain;
} Publication;

/* Publishes at QoS 1 and waits until the broker has acknowledged all of them.
 *
 * -ETIMEDOUT after timeout_us, -EACCES where the broker refused one; e says why. What was sent and not
 * acknowledged stays with the client, which sends it again when the connection is back: a later call
 * first waits for that, and where it has the same key (the same publications) it publishes nothing new.
 * So at most one set is ever queued. */
int client_publish(Client *c, const char *key, const Publication *p, size_t n, int64_t timeout_us,
                Error *e) _must_check_;
