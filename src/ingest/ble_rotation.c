#include "ingest/ble_rotation.h"

static bool is_before(const BleTurn *a, const BleTurn *b) {
        if (a->heard != b->heard)
                return a->heard;
        if (a->monitor != b->monitor)
                return a->monitor;
        return a->served_us < b->served_us;
}

size_t ble_rotation_next(const BleTurn *t, size_t n, int64_t now_us) {
        size_t best = n;

        for (size_t i = 0; i < n; i++)
                if (t[i].waits && t[i].ready_us <= now_us && (best == n || is_before(&t[i], &t[best])))
                        best = i;
        return best;
}

size_t ble_rotation_yield(const BleTurn *t, size_t n, int64_t now_us, int64_t hold_us) {
        size_t next = ble_rotation_next(t, n, now_us), longest = n;

        if (next == n || !t[next].heard)
                return n;
        for (size_t i = 0; i < n; i++)
                if (t[i].holds && now_us - t[i].since_us >= hold_us &&
                                (longest == n || t[i].since_us < t[longest].since_us))
                        longest = i;
        return longest;
}
