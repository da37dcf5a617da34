/* State beside the log that tells of a subject: sealed with the subject's key, so that it is gone with the key.
 *
 * The value is one byte, 0 for what is in the clear or 1, then the key's id and the sealed text. The state's key is the
 * associated data: an item can't stand in another's place. */
#pragma once

#include "ledger/keyring.h"

typedef struct Gateway Gateway;

enum { SEALED_MAX = 2048 /* bytes of text */ };

/* The associated data for state under that key. */
void sealed_head(const char *key, uint8_t ret[static ENTRY_HEAD_SIZE]);
/* Written with the open batch; what finds no room is counted. subject: NULL for what is in the clear. The subject's key
 * is made where it has none yet, which waits for the disk. */
void sealed_put(Gateway *g, const char *key, const Subject *subject, const CborWriter *text);
void sealed_remove(Gateway *g, const char *key);
/* ret_subject is empty for what is in the clear. -ENOENT where the subject was erased, -EBADMSG. */
int sealed_open(Gateway *g, const char *key, Bytes value, uint8_t ret[static SEALED_MAX], size_t *ret_len,
                char ret_subject[static NAME_MAX_LENGTH]) _must_check_;
