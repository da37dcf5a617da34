/* The words of C2SP's text formats: lines, decimal numbers, hashes in base64. */
#pragma once

#include <stdbool.h>

#include "base/sha256.h"

enum { HASH_TEXT_SIZE = 45 /* base64 and NUL */ };

/* The next line without its newline; false where no whole line is left. */
bool lines_take(Bytes *rest, Bytes *ret);
/* The rest of a line after prefix. */
bool line_after(Bytes line, const char *prefix, Bytes *ret);
/* ASCII decimal, without leading zeroes. */
bool decimal_parse(Bytes line, uint64_t *ret);
/* Base64 of RFC 4648 4, with padding and nothing else; false where it is longer than size. */
bool base64_parse(Bytes text, uint8_t *ret, size_t size, size_t *ret_len);
bool hash_parse(Bytes text, Hash *ret);
void hash_format(const Hash *h, char ret[static HASH_TEXT_SIZE]);
