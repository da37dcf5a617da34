/* An account: a secp256k1 key and its address. */
#pragma once

#include "base/sha256.h"

enum { ADDRESS_SIZE = 20, ADDRESS_TEXT_SIZE = 43, SECRET_SIZE = 32, SIGNATURE_SIZE = 65 };

typedef struct Address {
        uint8_t bytes[ADDRESS_SIZE];
} Address;

static inline int address_equal(const Address *a, const Address *b) {
        return memcmp(a->bytes, b->bytes, ADDRESS_SIZE) == 0;
}

/* "0x" and 40 digits, in the case that EIP-55 gives them. */
void address_format(const Address *a, char ret[static ADDRESS_TEXT_SIZE]);
/* -EBADMSG: no address. -EILSEQ: upper and lower case are mixed and EIP-55's checksum is another. */
int address_parse(const char *text, Address *ret) _must_check_;

typedef struct Account {
        uint8_t secret[SECRET_SIZE];
        Address address;
} Account;

/* -EINVAL: not within 1 and the curve's order less one. account_forget() it. */
int account_from_secret(const uint8_t secret[static SECRET_SIZE], Account *ret) _must_check_;
void account_forget(Account *a);

/* r (32), s (32, low: EIP-2), recovery id 0 or 1. RFC 6979: the same digest has the same signature. */
int account_sign(const Account *a, const Hash *digest, uint8_t ret[static SIGNATURE_SIZE]) _must_check_;
