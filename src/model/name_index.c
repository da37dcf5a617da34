#include "model/name_index.h"

#include <errno.h>

enum { FIRST_SIZE = 64 };

/* FNV-1a. Names come from devices, but the rows that they can make are few (DEVICES_MAX, SUBJECTS_MAX): a keyed
 * hash would cost more than the longest chain that anybody can build. */
static uint32_t name_hash(const char *name) {
        uint32_t h = 2166136261;

        for (; *name; name++)
                h = (h ^ (uint8_t) *name) * 16777619;
        return h;
}

/* The slot of the name, or the empty one where it belongs. */
static NameSlot *find_slot(NameSlot *slots, size_t size, const char *name, uint32_t hash) {
        size_t i = hash & (size - 1);

        while (slots[i].name && (slots[i].hash != hash || !streq(slots[i].name, name)))
                i = (i + 1) & (size - 1);
        return slots + i;
}

static int grow(NameIndex *x) {
        size_t size = x->size ? x->size * 2 : FIRST_SIZE;

        NameSlot *slots = calloc(size, sizeof *slots);
        if (!slots)
                return -ENOMEM;
        for (size_t i = 0; i < x->size; i++)
                if (x->slots[i].name)
                        *find_slot(slots, size, x->slots[i].name, x->slots[i].hash) = x->slots[i];
        free(x->slots);
        x->slots = slots;
        x->size = size;
        return 0;
}

int name_index_add(NameIndex *x, const char *name, uint32_t row) {
        uint32_t hash = name_hash(name);

        if (x->count >= x->size / 2) {
                int r = grow(x);
                if (r < 0)
                        return r;
        }
        *find_slot(x->slots, x->size, name, hash) = (NameSlot){ .name = name, .hash = hash, .row = row };
        x->count++;
        return 0;
}

bool name_index_find(const NameIndex *x, const char *name, uint32_t *ret_row) {
        if (x->size == 0)
                return false;
        const NameSlot *s = find_slot(x->slots, x->size, name, name_hash(name));
        if (!s->name)
                return false;
        *ret_row = s->row;
        return true;
}

void name_index_done(NameIndex *x) {
        free(x->slots);
        *x = (NameIndex){ 0 };
}
