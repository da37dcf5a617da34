/* Epochs as folders of the state folder: ledger/ is the present one, ledger.epoch-<n>.<time>/ are those before. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

enum { EPOCH_NAME_MAX = 128 };

/* "<name>/<epoch>". -EBADMSG. */
int epoch_of_origin(const char *origin, uint32_t *ret) _must_check_;
/* Whether one of the note's signature lines names the public key, its signature valid or not: then a note that does not
 * verify is a damaged one. */
bool epoch_note_names_key(const char *note, const uint8_t public[static 32]);

/* LevelDB's files without the one that names them. */
bool epoch_folder_has_tables(const char *path);
/* The same files under another name (hard links), but for those that LevelDB writes in place. */
int epoch_link_folder(const char *from, const char *to, Error *e) _must_check_;
/* A folder made by us, and what is in it; absence is fine. */
int epoch_remove_folder(const char *path, Error *e) _must_check_;

/* Raises *newest to the epoch that followed the newest one of which a folder or checkpoint is kept. */
int epoch_newest_known(const char *state_dir, uint32_t *newest, Error *e) _must_check_;
/* A second name for the checkpoint file before it is replaced by that of the new epoch. */
int epoch_keep_checkpoint(const char *state_dir, uint32_t epoch, Error *e) _must_check_;
/* ledger.building is complete. */
int epoch_ready(const char *state_dir, uint32_t epoch, Error *e) _must_check_;
/* Puts a ledger.ready-<n>, where there is one, in the place of ledger/, which is kept; ret gets its name or "". */
int epoch_swap(const char *state_dir, char ret[static EPOCH_NAME_MAX], Error *e) _must_check_;
