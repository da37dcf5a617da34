/* The client's end of the control socket: one request, then rows, then the end. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

typedef struct Client Client;

enum { CLIENT_END = 0, CLIENT_ROW = 1 };

/* Connects and sends the request, {"op": ...}, whose reference is taken in every case. path NULL: WARDSTONE_SOCKET, else
 * the default. -ENOENT or -ECONNREFUSED where no daemon listens. */
int client_open(const char *path, json_t *request, Client **ret, Error *e) _must_check_;
Client *client_free(Client *c);
DEFINE_CLEANUP(Client *, client_free);

/* The next row (CLIENT_ROW) or the closing object (CLIENT_END); a refusal by the daemon is the errno that it gives, with
 * its text. Waits at most timeout_ms for it, for ever where that is negative; -EAGAIN where it is 0 and no whole row is
 * there, -ETIMEDOUT otherwise. The row is borrowed until the next call. */
int client_next(Client *c, int timeout_ms, const json_t **ret_row, Error *e) _must_check_;
/* The text of that row as it came. */
const char *client_line(const Client *c);
int client_fd(const Client *c); /* for poll(): readable when client_next() has something to do */

/* A request without rows: *ret_row gets the last row, or the closing object where there was none; json_decref() it. */
int client_call(const char *path, json_t *request, json_t **ret_row, Error *e) _must_check_;

enum { CLIENT_TIMEOUT_MS = 30 * 1000 };
