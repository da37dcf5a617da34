/* Where an account's key comes from: 64 hexadecimal digits, or Web3 secret storage version 3 (scrypt or PBKDF2, AES-128-CTR,
 * a Keccak MAC), as geth, Besu's tools and MetaMask write it. Texts are wiped after use. */
#pragma once

#include "account.h"
#include "base/error.h"
#include "wardstone/plugin.h"

enum {
        KEYSTORE_MAX = 16 * 1024,
        KEYSTORE_MEMORY_MAX = 256 * 1024 * 1024, /* of scrypt, 128 N r: geth's default takes exactly that */
        KEYSTORE_LANES_MAX = 8 * 1024,           /* r p: another MiB */
        KEYSTORE_WORK_MAX = 4 * 1024 * 1024,     /* N r p: twice geth's default */
        KEYSTORE_ROUNDS_MAX = 2 * 1000 * 1000,   /* of PBKDF2 */
};

/* 64 digits, with or without "0x". */
int key_parse(const char *text, Account *ret, Error *e) _must_check_;
/* -EBADMSG: no such keystore, -ENOTSUP: of another version or another cipher, -E2BIG: wants more memory or time than we
 * give, -EACCES: wrong password. */
int keystore_open(Bytes json, Bytes password, Account *ret, Error *e) _must_check_;

/* What an operator says of the key: one of key_file, credential (64 digits both) and keystore; with a keystore
 * password_file or password_credential. */
typedef struct KeyOptions {
        const char *key_file, *credential;
        const char *keystore, *password_file, *password_credential;
} KeyOptions;

/* A wardstone_result, host->fail() is said. account_forget() what comes. Opening a keystore takes up to some seconds. */
int key_load(const struct wardstone_host *host, const KeyOptions *o, Account *ret) _must_check_;
