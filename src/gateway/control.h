/* The control socket: one thread a client (few), so that a slow client or a long query holds up nobody; what concerns the
 * loop's own state is run on the loop. The protocol is in docs/control.md. */
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "base/error.h"

typedef struct Gateway Gateway;
typedef struct Control Control;
typedef struct Session Session;

enum {
        CONTROL_SESSIONS_MAX = 16, /* more are told to come back */
        CONTROL_REQUEST_MAX = 64 * 1024,
        CONTROL_REQUEST_SECONDS = 5, /* until the request must be there */
        CONTROL_WRITE_SECONDS = 10,  /* until a client must take what it is sent */
};

int control_new(Gateway *g, Control **ret, Error *e) _must_check_;
/* Ends all sessions; call on the loop thread, before what they read goes away. */
Control *control_free(Control *c);

Gateway *session_gateway(const Session *s);
uid_t session_uid(const Session *s);
/* Sends one row (takes it); negative where the client is gone or the daemon stops. */
int session_row(Session *s, json_t *row) _must_check_;
/* Runs fn on the loop thread and waits for it; -ESHUTDOWN where the daemon stops. */
typedef int (*LoopFn)(Gateway *g, void *argument);
int session_on_loop(Session *s, LoopFn fn, void *argument) _must_check_;
/* Sleeps, at most until the daemon stops (-ESHUTDOWN) or the client is gone (-EPIPE). */
int session_sleep(Session *s, int milliseconds) _must_check_;
