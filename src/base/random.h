/* Random bytes. libsodium asks the kernel on each call; a nonce for each reading would be a system call for
 * each reading, so a pool is filled at once and each byte of it is used once and wiped. Not thread-safe: one
 * pool a thread. */
#pragma once

#include "base/macro.h"

enum { RANDOM_POOL_SIZE = 6144 };

typedef struct RandomPool {
        uint8_t bytes[RANDOM_POOL_SIZE];
        size_t left;
} RandomPool;

/* n is at most RANDOM_POOL_SIZE. A zeroed pool is ready for use. */
void random_pool_take(RandomPool *p, void *ret, size_t n);
