/* Which alerts a route or a silence is for. */
#pragma once

#include "model/alert.h"

/* All that is given has to fit; what is empty fits everything. */
typedef struct AlertFilter {
        char rule[ALERT_NAME_MAX]; /* a rule's name, or its beginning and '*' */
        char subject[NAME_MAX_LENGTH];
        char label[NAME_MAX_LENGTH]; /* of the subject: "Bed 7" */
        unsigned priorities;         /* bits 1 << Priority; 0: all */
        unsigned kinds; /* bits 1 << SubjectKind; 0: all; alerts of the gateway itself have none */
        char labels[ALERT_LABELS_MAX]; /* of the rule: each of these has to be there */
} AlertFilter;

/* subject: NULL for an alert of the gateway itself. */
bool alert_filter_fits(const AlertFilter *f, const AlertEvent *e, const Subject *subject);
