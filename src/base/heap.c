#include "base/heap.h"

#include <errno.h>

int heap_reserve(Heap *h, size_t n) {
        if (n <= h->room)
                return 0;
        size_t room = MAX(n, h->room * 2 + 64);
        HeapNode **nodes = reallocarray(h->nodes, room, sizeof(HeapNode *));
        if (!nodes)
                return -ENOMEM;
        h->nodes = nodes;
        h->room = room;
        return 0;
}

void heap_done(Heap *h) {
        free((void *) h->nodes);
        *h = (Heap){ 0 };
}

static bool before(const HeapNode *a, const HeapNode *b) {
        return a->key != b->key ? a->key < b->key : a->tie < b->tie;
}

static void put(Heap *h, size_t i, HeapNode *n) {
        h->nodes[i] = n;
        n->place = i + 1;
}

/* Settles node n, starting from the hole at i. */
static void settle(Heap *h, size_t i, HeapNode *n) {
        for (; i > 0 && before(n, h->nodes[(i - 1) / 2]); i = (i - 1) / 2)
                put(h, i, h->nodes[(i - 1) / 2]);
        for (;;) {
                size_t child = 2 * i + 1;

                if (child + 1 < h->count && before(h->nodes[child + 1], h->nodes[child]))
                        child++;
                if (child >= h->count || !before(h->nodes[child], n))
                        break;
                put(h, i, h->nodes[child]);
                i = child;
        }
        put(h, i, n);
}

void heap_set(Heap *h, HeapNode *n, int64_t key) {
        n->key = key;
        settle(h, n->place > 0 ? n->place - 1 : h->count++, n);
}

void heap_remove(Heap *h, HeapNode *n) {
        if (n->place == 0)
                return;
        size_t i = n->place - 1;
        HeapNode *last = h->nodes[--h->count];
        n->place = 0;
        if (last != n)
                settle(h, i, last);
}
