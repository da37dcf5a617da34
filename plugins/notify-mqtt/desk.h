/* Where acknowledgements come in: each is checked and, if good, said to the gateway, once.
 *
 * Good is one by a person of the keys file, with that person's mac, made within the last two minutes (or ahead of the
 * box's clock by as much), after this desk was opened, and not seen yet. What was seen is not kept over a restart:
 * that is why nothing older than the desk is taken. Of the others there is a count and at most a line in the log each
 * ten seconds. */
#pragma once

#include "base/clock.h"
#include "people.h"

typedef struct Desk Desk;

/* keys_file is read at once and again whenever it changes. As long as it can't be read nobody is known, which the log
 * says: alerts don't wait for it. */
int desk_new(const struct wardstone_host *host, const char *keys_file, const Stamp *now, Desk **ret,
                Error *e) _must_check_;
Desk *desk_free(Desk *d);
DEFINE_CLEANUP(Desk *, desk_free);

void desk_take(Desk *d, Bytes message, const Stamp *now);
uint64_t desk_refused(const Desk *d);
