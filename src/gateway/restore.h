/* What is in force over a restart: assignments, attributes of subjects, silences, alerts that are not over. Kept beside
 * the log in the ledger's state. What rules saw last comes from the log itself: gateway/replay.h. */
#pragma once

#include "alert/silence.h"

typedef struct Gateway Gateway;

/* At start, after ledger, registry and receivers are there and before any source is; in this order. */
int restore_subjects(Gateway *g, Error *e) _must_check_; /* assignments and attributes */
int restore_alerts(Gateway *g, Error *e) _must_check_;   /* silences, too */

/* Written with the open batch. */
int restore_save_assignment(Gateway *g, const Device *device) _must_check_;
void restore_save_attributes(Gateway *g, const Subject *subject);
/* The alert as it is now, and what the dispatch knows of it; a resolved one stays as long as somebody is to be told. */
void restore_save_alert(Gateway *g, const AlertEvent *event);
void restore_save_silence(Gateway *g, const Silence *s);
void restore_forget_silence(Gateway *g, const char *id);
