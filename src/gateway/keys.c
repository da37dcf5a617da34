#include "gateway/keys.h"

#include <errno.h>
#include <sodium.h>

#include "base/file.h"

enum { KEY_FILE_MAX = 4096 };

static const char encryption_key_label[] = "wardstone-key-encryption-key-v1 ";

static int read_key(const char *path, char **ret, Error *e) {
        int r = file_read_secret(path, KEY_FILE_MAX, ret, NULL, e);

        if (r == -ENOENT)
                return error_set(e, r, "%s: there is no such key; run: wardstone init", path);
        return r;
}

static void wipe(char **text) {
        if (*text)
                sodium_memzero(*text, strlen(*text));
        free(*text);
}

int keys_load_signing(const char *path, SigningKey *ret, Error *e) {
        _cleanup_(wipe) char *text = NULL;

        int r = read_key(path, &text, e);
        if (r == 0)
                r = signing_key_parse(text, ret, e);
        return r < 0 && r != -ENOENT && r != -EACCES ? error_prefix(e, r, "%s", path) : r;
}

int keys_open_keyring(const char *path, const char *dir, Keyring **ret, Error *e) {
        _cleanup_(wipe) char *text = NULL;
        uint8_t key[KEY_SIZE];
        size_t len, prefix = strlen(encryption_key_label);

        int r = read_key(path, &text, e);
        if (r < 0)
                return r;
        if (!startswith(text, encryption_key_label) ||
                        sodium_base642bin(key, sizeof key, text + prefix, strlen(text + prefix), " \n", &len,
                                        NULL, sodium_base64_VARIANT_ORIGINAL) < 0 ||
                        len != sizeof key)
                return error_set(e, -EINVAL, "%s: expected a line '%s' and 32 bytes in base64", path,
                                encryption_key_label);
        r = keyring_open(dir, key, ret, e);
        sodium_memzero(key, sizeof key);
        return r;
}
