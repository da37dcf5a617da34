/* A ring holds the identities in the order of their coming; an open-addressed table of ring positions, at most half full,
 * finds them. Identities are keyed hashes: they spread by themselves, and nobody can aim at one slot. */
#include "decode/identity.h"

#include <errno.h>

enum { CAPACITY_MIN = 16, CAPACITY_MAX = 1 << 24 };

struct IdentitySet {
        uint64_t *ring;
        uint32_t *table; /* position in the ring + 1; 0: empty */
        size_t capacity, count, next;
};

int identity_set_new(size_t capacity, IdentitySet **ret) {
        _cleanup_(identity_set_freep) IdentitySet *s = NULL;

        if (capacity < CAPACITY_MIN || capacity > CAPACITY_MAX || (capacity & (capacity - 1)) != 0)
                return -EINVAL;
        s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        s->capacity = capacity;
        s->ring = calloc(capacity, sizeof *s->ring);
        s->table = calloc(capacity * 2, sizeof *s->table);
        if (!s->ring || !s->table)
                return -ENOMEM;
        *ret = TAKE(s);
        return 0;
}

IdentitySet *identity_set_free(IdentitySet *s) {
        if (!s)
                return NULL;
        free(s->ring);
        free(s->table);
        free(s);
        return NULL;
}

static size_t mask(const IdentitySet *s) {
        return s->capacity * 2 - 1;
}

static uint64_t at(const IdentitySet *s, size_t slot) {
        return s->ring[s->table[slot] - 1];
}

/* The identity's slot, or the empty one where it belongs. */
static size_t find_slot(const IdentitySet *s, uint64_t identity) {
        size_t slot = identity & mask(s);

        while (s->table[slot] != 0 && at(s, slot) != identity)
                slot = (slot + 1) & mask(s);
        return slot;
}

/* Empties a slot and moves up what was pushed behind it (Knuth, algorithm R). */
static void empty_slot(IdentitySet *s, size_t hole) {
        for (size_t slot = (hole + 1) & mask(s); s->table[slot] != 0; slot = (slot + 1) & mask(s)) {
                size_t home = at(s, slot) & mask(s);
                if (((slot - home) & mask(s)) < ((slot - hole) & mask(s)))
                        continue;
                s->table[hole] = s->table[slot];
                hole = slot;
        }
        s->table[hole] = 0;
}

bool identity_set_has(const IdentitySet *s, uint64_t identity) {
        return s->table[find_slot(s, identity)] != 0;
}

void identity_set_add(IdentitySet *s, uint64_t identity) {
        if (identity_set_has(s, identity))
                return;
        if (s->count == s->capacity)
                empty_slot(s, find_slot(s, s->ring[s->next]));
        else
                s->count++;
        s->ring[s->next] = identity;
        s->table[find_slot(s, identity)] = (uint32_t) s->next + 1;
        s->next = (s->next + 1) & (s->capacity - 1);
}

void identity_set_clear(IdentitySet *s) {
        memset(s->table, 0, s->capacity * 2 * sizeof *s->table);
        s->count = s->next = 0;
}
