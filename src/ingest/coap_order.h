/* Which of two notifications is the newer one (RFC 7641 3.4). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct NotificationOrder {
        bool known;
        uint32_t value; /* of Observe: 24 bits */
        int64_t at_us;
} NotificationOrder;

/* Whether a notification with this value is newer than the newest so far; if so it is that from now on. */
static inline bool notification_is_fresh(NotificationOrder *o, uint32_t value, int64_t now_us) {
        const uint32_t half = UINT32_C(1) << 23;
        const uint32_t v1 = o->value, v2 = value & 0xffffff;
        bool fresh = !o->known || (v1 < v2 && v2 - v1 < half) || (v1 > v2 && v1 - v2 > half) ||
                     now_us - o->at_us > INT64_C(128) * 1000000;

        if (fresh)
                *o = (NotificationOrder){ .known = true, .value = v2, .at_us = now_us };
        return fresh;
}
