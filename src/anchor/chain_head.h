/* What a chain has of our log, and the two JSON shapes that it comes in: a connector's reply, the
 * outbox's state file. */
#pragma once

#include <jansson.h>

#include "anchor/outbox.h"

enum { CONNECTOR_STATE_MAX = 44 * 1024 }; /* base64 of the plugin interface's 32 KiB */

typedef struct ChainHead {
        uint64_t size; /* accepted */
        Hash root;
        uint64_t final_size; /* at most size */
        uint64_t pending_size;
        char receipt[256];
} ChainHead;

/* -EPROTO where the reply is malformed. */
int chain_head_parse(const json_t *reply, ChainHead *ret) _must_check_;

/* What is kept over a restart. */
typedef struct OutboxState {
        char origin[256];
        ChainHead head;
        uint64_t final_height;
        char *connector; /* base64, never NULL */
} OutboxState;

/* An absent file is an empty state. */
int outbox_state_read(const char *path, OutboxState *ret, Error *e) _must_check_;
/* The file's text, free() it; NULL where there is no memory. */
char *outbox_state_format(const OutboxState *s);

json_t *hash_to_json(const Hash *h);
