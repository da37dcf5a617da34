#include "model/alert.h"

#include <errno.h>
#include <stdio.h>

static const char *const priority_names[] = {
        [PRIORITY_TECHNICAL] = "technical",
        [PRIORITY_LOW] = "low",
        [PRIORITY_MEDIUM] = "medium",
        [PRIORITY_HIGH] = "high",
};

const char *priority_name(Priority p) {
        return priority_names[p];
}

int priority_parse(const char *text, Priority *ret) {
        for (size_t i = 0; i < ELEMENTS(priority_names); i++)
                if (streq(text, priority_names[i])) {
                        *ret = (Priority) i;
                        return 0;
                }
        return -EINVAL;
}

const char *alert_state_name(AlertState s) {
        static const char *const names[] = {
                [ALERT_INACTIVE] = "inactive",
                [ALERT_PENDING] = "pending",
                [ALERT_ACTIVE] = "active",
                [ALERT_RESOLVED] = "resolved",
                [ALERT_ACKNOWLEDGED] = "acknowledged",
        };

        return names[s];
}

const char *alert_transition_name(AlertTransition t) {
        static const char *const names[] = {
                [TRANSITION_RAISED] = "raised",
                [TRANSITION_RESOLVED] = "resolved",
                [TRANSITION_ACKNOWLEDGED] = "acknowledged",
                [TRANSITION_LATCHED] = "latched",
                [TRANSITION_RERAISED] = "reraised",
                [TRANSITION_ESCALATED] = "escalated",
                [TRANSITION_REPEATED] = "repeated",
                [TRANSITION_SILENCED] = "silenced",
                [TRANSITION_HELD] = "held",
                [TRANSITION_DELIVERED] = "delivered",
                [TRANSITION_UNDELIVERED] = "undelivered",
        };

        return names[t];
}

void alert_label(const char *labels, const char *name, char ret[static NAME_MAX_LENGTH]) {
        size_t len = strlen(name);

        ret[0] = '\0';
        for (const char *at = labels; *at; at += strcspn(at, ","), at += *at == ',') {
                if (strncmp(at, name, len) != 0 || at[len] != '=')
                        continue;
                (void) snprintf(ret, NAME_MAX_LENGTH, "%.*s", (int) strcspn(at + len + 1, ","),
                                at + len + 1);
                return;
        }
}
