/* What is in force over a restart: assignments, alerts that are not over, identities of readings, and what rules saw last.
 * Kept beside the log in the ledger's state and rebuilt from the log's newest entries: bounded, whatever the ledger holds. */
#pragma once

#include "ledger/entry.h"

typedef struct Gateway Gateway;

/* At start, after ledger and registry are there and before any source is. */
int restore_assignments(Gateway *g, Error *e) _must_check_;
int restore_alerts(Gateway *g, Error *e) _must_check_;
/* The newest readings' identities go to the validator. */
void restore_identities(Gateway *g);
/* The last minutes of readings go through the rules in their own time, so that a restart in the middle of a `for:` is not
 * noticed. Alerts that come of it are compared with those that were restored: only what is new is told. board: the ward board is to show them too. */
void restore_rules(Gateway *g, const Stamp *now, bool board);
/* Whether the event belongs to restore_rules() and is kept back. */
bool restore_defers(Gateway *g, const AlertEvent *event);

/* What seals a piece of state to its key: an item can't stand in another's place. */
void restore_state_head(const char *key, uint8_t ret[static ENTRY_HEAD_SIZE]);
/* Written with the open batch. */
void restore_save_alert(Gateway *g, const AlertEvent *event);
void restore_forget_alert(Gateway *g, const char *id);
int restore_save_assignment(Gateway *g, const Device *device) _must_check_;
