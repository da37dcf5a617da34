/* From a name to a row number: open addressing over names that the rows own. Nothing is ever taken out. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

typedef struct NameSlot {
        const char *name; /* NULL: empty; else borrowed, in place and unchanged as long as the index lives */
        uint32_t hash, row;
} NameSlot;

/* A zeroed index is empty. */
typedef struct NameIndex {
        NameSlot *slots;
        size_t size, count; /* size is a power of two */
} NameIndex;

/* Adds a name that is not there yet. -ENOMEM leaves the index as it was. */
int name_index_add(NameIndex *x, const char *name, uint32_t row) _must_check_;
bool name_index_find(const NameIndex *x, const char *name, uint32_t *ret_row);
void name_index_done(NameIndex *x);
