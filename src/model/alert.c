#include "model/alert.h"

#include <errno.h>

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
        };

        return names[s];
}
