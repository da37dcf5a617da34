/* The last measurements that were seen, by 64-bit identity: bounded, and each question or addition costs the same. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

typedef struct IdentitySet IdentitySet;

/* capacity: a power of two from 16 to 2^24. -EINVAL otherwise. */
int identity_set_new(size_t capacity, IdentitySet **ret) _must_check_;
IdentitySet *identity_set_free(IdentitySet *s);
DEFINE_CLEANUP(IdentitySet *, identity_set_free);

bool identity_set_has(const IdentitySet *s, uint64_t identity);
/* Remembers one; the oldest is forgotten where the set is full. */
void identity_set_add(IdentitySet *s, uint64_t identity);
void identity_set_clear(IdentitySet *s);
