/* The gateway's two own keys, from files that wardstone-init made or the service manager's credentials. */
#pragma once

#include "ledger/keyring.h"
#include "ledger/note.h"

int keys_load_signing(const char *path, SigningKey *ret, Error *e) _must_check_;
/* Reads the key-encryption key ("wardstone-key-encryption-key-v1 <base64 of 32 bytes>") and opens the keyring in dir. */
int keys_open_keyring(const char *path, const char *dir, Keyring **ret, Error *e) _must_check_;
