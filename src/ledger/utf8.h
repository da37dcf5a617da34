/* UTF-8 as Unicode 15 table 3-7 has it: what CBOR text (RFC 8949 3.1) and signed notes must be. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

bool utf8_is_valid(Bytes text);
