/* Hexadecimal as Ethereum's JSON-RPC has it: DATA is "0x" and two digits a byte, a QUANTITY "0x" and a number without
 * leading zeros. */
#pragma once

#include "base/macro.h"

enum {
        QUANTITY_SIZE = 19,  /* "0x", 16 digits, NUL */
        HASH_TEXT_SIZE = 67, /* of 32 bytes */
};

#define HEX_SIZE(len) (2 + 2 * (len) + 1)

/* ret has HEX_SIZE(data.len) bytes. */
void hex_write(Bytes data, char *ret);
/* DATA of any length up to size; upper and lower case. -EBADMSG: no such text, -EMSGSIZE: longer. */
int hex_read(const char *text, uint8_t *ret, size_t size, size_t *ret_len) _must_check_;
/* DATA of exactly size bytes. */
int hex_read_exact(const char *text, uint8_t *ret, size_t size) _must_check_;

void quantity_write(uint64_t v, char ret[static QUANTITY_SIZE]);
/* Leading zeros are let through, for engines that write them. -EBADMSG: no number, -ERANGE: beyond 64 bits. */
int quantity_read(const char *text, uint64_t *ret) _must_check_;
