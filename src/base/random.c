#include "base/random.h"

#include <assert.h>
#include <sodium.h>

void random_pool_take(RandomPool *p, void *ret, size_t n) {
        assert(n <= RANDOM_POOL_SIZE);
        if (p->left < n) {
                randombytes_buf(p->bytes, sizeof p->bytes);
                p->left = sizeof p->bytes;
        }
        p->left -= n;
        memcpy(ret, p->bytes + p->left, n);
        sodium_memzero(p->bytes + p->left, n);
}
