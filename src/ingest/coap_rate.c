#include "ingest/coap_rate.h"

#include <errno.h>
#include <sodium.h>

#include "base/clock.h"

typedef struct RateRow {
        uint64_t key; /* hash; 0: empty */
        double tokens;
        int64_t at_us;
} RateRow;

struct RateTable {
        double per_us, burst;
        size_t sets;
        uint8_t secret[crypto_shorthash_KEYBYTES]; /* nobody outside can choose keys that share a set */
        RateRow rows[];
};

int rate_table_new(size_t sets, double per_second, double burst, RateTable **ret) {
        RateTable *t = calloc(1, sizeof *t + sets * RATE_WAYS * sizeof t->rows[0]);

        if (!t)
                return -ENOMEM;
        t->per_us = per_second / (double) USEC_PER_SEC;
        t->burst = burst;
        t->sets = sets;
        crypto_shorthash_keygen(t->secret);
        *ret = t;
        return 0;
}

RateTable *rate_table_free(RateTable *t) {
        free(t);
        return NULL;
}

/* The key's row, or the one that it takes over. */
static RateRow *find_row(RateTable *t, uint64_t key, int64_t now_us) {
        RateRow *set = &t->rows[(key & (t->sets - 1)) * RATE_WAYS], *oldest = set;

        for (size_t i = 0; i < RATE_WAYS; i++) {
                if (set[i].key == key)
                        return &set[i];
                if (oldest->key != 0 && (set[i].key == 0 || set[i].at_us < oldest->at_us))
                        oldest = &set[i];
        }
        *oldest = (RateRow){ .key = key, .tokens = t->burst, .at_us = now_us };
        return oldest;
}

int64_t rate_take(RateTable *t, Bytes key, int64_t now_us) {
        uint8_t hash[crypto_shorthash_BYTES];

        (void) crypto_shorthash(hash, key.data, key.len, t->secret);
        RateRow *row = find_row(t, MAX(be64_read(hash), UINT64_C(1)), now_us);
        row->tokens = MIN(t->burst, row->tokens + (double) (now_us - row->at_us) * t->per_us);
        row->at_us = now_us;
        if (row->tokens >= 1) {
                row->tokens -= 1;
                return 0;
        }
        return (int64_t) ((1 - row->tokens) / t->per_us) + 1;
}
