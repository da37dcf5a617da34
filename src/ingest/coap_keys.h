/* Which device shows itself with which pre-shared key (RFC 4279): a file with a line each,
 *
 *   # identity      device      key (32 to 128 hexadecimal digits)
 *   bed-7-monitor   monitor-07  000102030405060708090a0b0c0d0e0f
 *
 * Each identity and each device stands there once. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "model/registry.h"

enum {
        PSK_IDENTITY_MAX = 129, /* with the NUL; RFC 4279 5.3 wants 128 at least */
        PSK_KEY_MIN = 16,
        PSK_KEY_MAX = 64,
        PSK_FILE_MAX = 4 * 1024 * 1024,
};

typedef struct PskKey {
        char identity[PSK_IDENTITY_MAX], device[NAME_MAX_LENGTH];
        uint8_t bytes[PSK_KEY_MAX];
        size_t len;
} PskKey;

typedef struct PskTable PskTable;

/* Refused where others may read the file. Errors name file and line. */
int psk_table_read(const char *path, PskTable **ret, Error *e) _must_check_;
/* The same from a text, which is overwritten. */
int psk_table_parse(const char *path, char *text, PskTable **ret, Error *e) _must_check_;
/* What is secret of it is wiped. */
PskTable *psk_table_free(PskTable *t);
DEFINE_CLEANUP(PskTable *, psk_table_free);

const PskKey *psk_table_find(const PskTable *t, const char *identity);
/* Whether any identity is the device's. */
bool psk_table_has_device(const PskTable *t, const char *device);
size_t psk_table_count(const PskTable *t);

/* A key in hexadecimal. -EINVAL where it is not PSK_KEY_MIN to PSK_KEY_MAX bytes. */
int psk_key_parse(const char *text, uint8_t ret[static PSK_KEY_MAX], size_t *ret_len) _must_check_;
/* 1 to 128 visible ASCII characters. */
bool psk_identity_is_valid(const char *identity);
