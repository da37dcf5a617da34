/* Timers in order: a binary heap of nodes that live inside the objects that they wake.
 *
 * Nodes must not move while they are in. Equal keys leave in the order of their tie-break, so that the same timers
 * always fire in the same order. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

typedef struct HeapNode {
        int64_t key;
        uint64_t tie;
        size_t place; /* from 1; 0: not in the heap */
} HeapNode;

typedef struct Heap {
        HeapNode **nodes;
        size_t count, room;
} Heap;

/* Room for n nodes in all, so that heap_set() cannot fail. */
int heap_reserve(Heap *h, size_t n) _must_check_;
void heap_done(Heap *h);

/* Puts the node in, or moves it to its new key. O(log n). */
void heap_set(Heap *h, HeapNode *n, int64_t key);
/* Takes the node out; nothing where it is not in. O(log n). */
void heap_remove(Heap *h, HeapNode *n);

static inline HeapNode *heap_top(const Heap *h) {
        return h->count > 0 ? h->nodes[0] : NULL;
}

/* The smallest key, INT64_MAX where there is none. */
static inline int64_t heap_key(const Heap *h) {
        return h->count > 0 ? h->nodes[0]->key : INT64_MAX;
}
