/* Silences in the gateway: recorded when they begin and end, kept over a restart. */
#pragma once

#include "alert/silence.h"
#include "ledger/entry.h"

typedef struct Gateway Gateway;

/* when and over are left to the caller. */
void silence_to_body(const Silence *s, SilenceBody *ret);
void silence_from_body(const SilenceBody *b, Silence *ret);

/* Begins one that the caller has filled in but for its id. -EINVAL, -ENOSPC with the reason in e. */
int silences_begin(Gateway *g, Silence *s, Error *e) _must_check_;
/* Ends one before its time. -ENOENT. */
int silences_end(Gateway *g, const char *id, const char *who, Error *e) _must_check_;
/* One ended by itself: DispatchCallbacks.silence_over. */
void silences_over(void *userdata, const Silence *s);
