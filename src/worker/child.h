/* The worker process: loads one plugin, then answers one message after the other until the socket is closed.
 *
 * Messages are JSON objects, one a datagram: {"id": N, "op": OP, ...} in, {"id": N, "r": 0 or negative
 * errno, ...} out. Within a call the plugin may ask: {"request": {...}} out, {"answer": {...}} in. At any time
 * its threads may say something that nobody answers: {"said": {...}} out. */
#pragma once

#include <assert.h>
#include <jansson.h>
#include <stdbool.h>

#include "wardstone/chain_plugin.h"
#include "wardstone/notify_plugin.h"
#include "worker/worker.h"

enum { CHILD_ERROR_MAX = 512 };

typedef struct Child Child;

/* What the gateway may ask of a kind of plugin. Fills reply; gives a wardstone_result. */
typedef struct Operation {
        const char *op;
        int (*run)(Child *c, const json_t *args, json_t *reply);
} Operation;

struct Child {
        int fd;
        bool abandoned; /* the gateway closed the socket */
        struct wardstone_host host;
        char error[CHILD_ERROR_MAX]; /* of the last host->fail() */

        const Operation *operations; /* ends with a NULL op */
        const struct wardstone_chain_plugin *chain;
        const struct wardstone_notify_plugin *notify;
        void *self;   /* NULL until open() succeeded */
        json_t *args; /* of open(): the host's strings live there */

        char buffer[WORKER_MESSAGE_MAX];
};

/* Loads the plugin and checks its ABI number: sets chain or notify, and operations. A wardstone_result. */
int child_load(Child *c, const char *path);
/* reply says what the gateway has to know of the plugin: {"refresh": true} where it has a refresh(). */
int child_open(Child *c, const json_t *args, json_t *reply);
void child_close(Child *c);

/* Serves until the gateway closes the socket: 0, or a negative errno where it can't be served any more. */
int child_serve(Child *c, const char *plugin);
/* json_string(), with what is not UTF-8 replaced. */
json_t *child_text(const char *text);
/* The host's acknowledge(). */
int child_acknowledge(
                const struct wardstone_host *host, const char *alert, const char *who, const char *note);
