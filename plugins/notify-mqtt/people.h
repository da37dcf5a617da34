/* Who may acknowledge: a file with a line for each, "name base64key" (32 bytes of key). '#' begins a comment. */
#pragma once

#include "acknowledgement.h"

enum { PEOPLE_MAX = 1000, PEOPLE_FILE_MAX = 256 * 1024 };

typedef struct People People;

/* -EINVAL with file, line and column; -EACCES where others can read the file. */
int people_read(const char *path, People **ret, Error *e) _must_check_;
/* Wipes the keys. */
People *people_free(People *p);
DEFINE_CLEANUP(People *, people_free);

/* PERSON_KEY_SIZE bytes, or NULL. */
const uint8_t *people_key(const People *p, const char *who);
