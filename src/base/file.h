/* Whole files: read with a limit, replaced atomically. */
#pragma once

#include <sys/types.h>

#include "base/error.h"

/* Reads at most `limit` bytes; a longer file is -EFBIG. *ret_data is NUL-terminated beyond len, free() it.
 * ret_len may be NULL. Errors name the path. */
int file_read(const char *path, size_t limit, char **ret_data, size_t *ret_len, Error *e) _must_check_;

/* A secret from a file (a password, a key): as file_read, with one trailing newline removed, and refused
 * (-EACCES) where others than the owner's group can read it. */
int file_read_secret(
                const char *path, size_t limit, char **ret_data, size_t *ret_len, Error *e) _must_check_;

/* Writes path.tmp, fsyncs, renames over path and fsyncs the folder: after 0 the new content is durable, after
 * any crash either the old or the new one is there whole. */
int file_replace(const char *path, Bytes data, mode_t mode, Error *e) _must_check_;

/* mkdir -p with mode for what is made. */
int dir_make(const char *path, mode_t mode, Error *e) _must_check_;

/* fsync of a folder, so that a rename or unlink in it is durable. */
int dir_sync(const char *path) _must_check_;
