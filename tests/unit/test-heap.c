/* The heap of timers: whatever goes in, moves and goes out, the smallest is on top, and ties keep their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/heap.h"

enum { NODES = 200, STEPS = 20000 };

static bool before(const HeapNode *a, const HeapNode *b) {
        return a->key != b->key ? a->key < b->key : a->tie < b->tie;
}

/* By looking at all of them. */
static const HeapNode *smallest(const HeapNode *nodes) {
        const HeapNode *best = NULL;

        for (size_t i = 0; i < NODES; i++)
                if (nodes[i].place > 0 && (!best || before(&nodes[i], best)))
                        best = &nodes[i];
        return best;
}

static void the_smallest_is_on_top(void **state) {
        HeapNode nodes[NODES] = { 0 };
        Heap h = { 0 };
        uint32_t random = 1;

        assert_int_equal(heap_reserve(&h, NODES), 0);
        for (size_t i = 0; i < NODES; i++)
                nodes[i].tie = i;
        for (size_t i = 0; i < STEPS; i++) {
                random = random * 1664525 + 1013904223;
                HeapNode *n = &nodes[(random >> 8) % NODES];
                if (random >> 30 == 0)
                        heap_remove(&h, n);
                else
                        heap_set(&h, n, (random >> 16) % 64);
                assert_ptr_equal(heap_top(&h), smallest(nodes));
        }
        for (const HeapNode *last = NULL; h.count > 0;) {
                HeapNode *top = heap_top(&h);
                assert_true(!last || before(last, top));
                assert_int_equal(heap_key(&h), top->key);
                heap_remove(&h, top);
                assert_int_equal(top->place, 0);
                last = top;
        }
        assert_null(heap_top(&h));
        assert_int_equal(heap_key(&h), INT64_MAX);
        heap_done(&h);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(the_smallest_is_on_top) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
