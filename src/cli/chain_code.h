/* The contract that this program knows, made a part of it by tools/embed-contract. */
#pragma once

#include <stddef.h>
#include <stdint.h>

extern const uint8_t chain_code_creation
                []; /* what a transaction creates it with, before the constructor's values */
extern const size_t chain_code_creation_len;
extern const uint8_t chain_code_deployed[]; /* what is at its address then */
extern const size_t chain_code_deployed_len;
