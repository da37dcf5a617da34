/* Keccak-256 with the padding of Keccak's original submission, which is not SHA3-256's (FIPS 202). */
#pragma once

#include "base/sha256.h"

void keccak256(Bytes data, Hash *ret);
