/* Messages that could not become readings, kept for a person to look at: a ring of a fixed number of messages in the
 * ledger's state, sealed with a key of its own because nobody knows what is in them. Written with the batch that
 * acknowledges them. */
#pragma once

#include "ingest/source.h"

typedef struct Gateway Gateway;
typedef struct Quarantine Quarantine;

enum { QUARANTINE_PAYLOAD_MAX = 1024 /* of one message; the rest is cut */ };

int quarantine_new(Gateway *g, Quarantine **ret, Error *e) _must_check_;
Quarantine *quarantine_free(Quarantine *q);

void quarantine_add(Gateway *g, const Frame *f, const char *reason, const Stamp *now);

typedef struct QuarantineItem {
        int64_t time_us;
        char device[NAME_MAX_LENGTH], origin[256], reason[128];
        uint8_t payload[QUARANTINE_PAYLOAD_MAX];
        size_t payload_len;
} QuarantineItem;

uint64_t quarantine_total(const Quarantine *q); /* ever set aside */
/* The newest `limit` (0: all), in the order of their slots. */
typedef int (*QuarantineFn)(void *userdata, const QuarantineItem *item);
int quarantine_visit(Gateway *g, uint64_t limit, QuarantineFn fn, void *userdata) _must_check_;
