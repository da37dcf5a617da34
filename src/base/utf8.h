/* UTF-8 as Unicode 15 table 3-7 has it: what JSON and CBOR texts (RFC 8259 8.1, RFC 8949 3.1) and signed notes must be. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

/* Bytes of the well-formed character at the front, 0 where there is none. */
size_t utf8_length(Bytes text);
bool utf8_is_valid(Bytes text);
/* As much of the text as fits, in whole characters; a byte that is of none becomes '?'. What others wrote goes on as UTF-8
 * so, also where something cut it before. size is not 0; ret may be the text itself. */
void utf8_copy(const char *text, char *ret, size_t size);
