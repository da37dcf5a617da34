/* A QoS 1 publisher that knows what the broker has acknowledged. One thread: messages move while it waits. */
#pragma once

#include "base/clock.h"
#include "base/error.h"

typedef struct PublisherOptions {
        const char *host, *username, *password_file; /* the latter two may be NULL */
        int port;
} PublisherOptions;

typedef struct Publisher Publisher;

enum { PUBLISHER_IN_FLIGHT_MAX = 1000 };

/* Connects; the broker must be there. */
int publisher_new(const PublisherOptions *o, Publisher **ret, Error *e) _must_check_;
Publisher *publisher_free(Publisher *p);
DEFINE_CLEANUP(Publisher *, publisher_free);

/* -EAGAIN where PUBLISHER_IN_FLIGHT_MAX messages wait for their acknowledgement already. */
int publisher_send(Publisher *p, const char *topic, Bytes payload, Error *e) _must_check_;
/* Lets messages move until something did or timeout_us is over. A lost connection is taken up again; -ETIMEDOUT where
 * that takes longer than 30 s. */
int publisher_run(Publisher *p, int64_t timeout_us, Error *e) _must_check_;

uint64_t publisher_sent(const Publisher *p);
uint64_t publisher_acknowledged(const Publisher *p);
